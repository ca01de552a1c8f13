/** The host's end of a keyboard, whatever device is the guest's end. */
export interface KeyboardPort {
  /** Called after the guest has done anything with the keyboard: there may be room for more. */
  onAccess: () => void;
  /** Bytes sent that the guest has not read yet. */
  readonly unread: number;
  /**
   * Sends what a key sends when it goes down or up, as scan code set 1.
   *
   * @returns false, having sent nothing, when the guest has not made room for it.
   */
  sendKey(codes: readonly number[]): boolean;
}
