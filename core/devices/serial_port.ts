/**
 * The host's end of a serial line, whatever device drives the guest's end. The line never holds bytes of
 * its own: a byte is in the device's FIFO or still with the host, so neither side can grow the other.
 */
export interface SerialPort {
  /** Called with each byte the guest sends. */
  onTransmit: (byte: number) => void;
  /** Called whenever the guest has made room for more bytes by reading or by clearing its FIFO. */
  onReceiveSpace: () => void;
  /** Bytes {@linkcode SerialPort.receive} would accept now. */
  readonly space: number;
  /** Bytes received that the guest has not read yet. */
  readonly unread: number;
  /** Hands the guest one byte. Returns false, having changed nothing, when there is no room for it. */
  receive(byte: number): boolean;
}
