/**
 * One TCP connection of a gdb server: acknowledgments, order of what is sent, and the end. The first packet makes
 * the machine stop and the connection its debugger's; before that, nothing happens to the machine.
 */
import { type Arrival, encodePacket, latin1Bytes, PacketReader } from "./packets.ts";
import type { RunControl } from "./run_control.ts";
import { Session, type SessionClient } from "./session.ts";

/** What a connection needs of its server. */
export interface ConnectionHost {
  /** Makes a connection the debugger's; undefined where there is one already. */
  claim(connection: Connection): { control: RunControl; session: Session } | undefined;
  /** The connection that was the debugger's has let go of the machine. */
  left(connection: Connection): void;
}

const READ_BYTES = 4096;
/** How long the last words may take when a server is closed, in ms. */
const LAST_WORDS_MS = 100;
/** What a gdb may begin with: an acknowledgment, a refusal, a packet, an interrupt. */
const FIRST_BYTES: readonly number[] = [..."+-$\x03"].map((c) => c.charCodeAt(0));
const TURNED_AWAY = "E.This machine is being debugged by another gdb.";

/** One client. */
export class Connection implements SessionClient {
  /** While the machine is this connection's. */
  control: RunControl | undefined;
  readonly #conn: Deno.TcpConn;
  readonly #host: ConnectionHost;
  readonly #reader = new PacketReader();
  #session: Session | undefined;
  #acknowledges = true;
  #last: Uint8Array = new Uint8Array();
  /** Resolves when all that was sent so far is out, or cannot get out. */
  #sent: Promise<void> = Promise.resolve();
  #over = false;
  #hungUp = false;

  constructor(conn: Deno.TcpConn, host: ConnectionHost) {
    this.#conn = conn;
    this.#host = host;
  }

  /** Serves the client until it goes, or is sent away. */
  async serve(): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    let first = true;
    try {
      for (let count; (count = await this.#read(buffer)) !== null;) {
        if (first && !FIRST_BYTES.includes(buffer[0])) return;
        first = false;
        for (const arrival of this.#reader.read(buffer.subarray(0, count))) {
          if (this.#over) break; // whatever else it says
          this.#arrived(arrival);
          await this.#sent;
        }
      }
    } finally {
      this.#release();
      this.#hangUp();
    }
  }

  send(data: string): void {
    this.#last = encodePacket(data);
    this.#write(this.#last);
  }

  noAcknowledgments(): void {
    this.#acknowledges = false;
  }

  /** What is being sent now is the last: afterwards the machine is let go. */
  leave(): void {
    this.#over = true;
    queueMicrotask(async () => {
      await this.#sent;
      this.#release();
      try {
        await this.#conn.closeWrite(); // the client closes, having read all
      } catch {
        // It is closed.
      }
    });
  }

  /** Ends the connection from this side. */
  async close(): Promise<void> {
    if (!this.#over) this.#session?.end();
    this.#over = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise<void>((resolve) => timer = setTimeout(resolve, LAST_WORDS_MS));
    await Promise.race([this.#sent, patience]);
    clearTimeout(timer);
    this.#release();
    this.#hangUp();
  }

  #hangUp(): void {
    if (this.#hungUp) return;
    this.#hungUp = true;
    this.#conn.close();
  }

  #arrived(arrival: Arrival): void {
    switch (arrival.kind) {
      case "packet":
        if (this.#acknowledges) this.#write(latin1Bytes("+"));
        if (this.#session ?? this.#claim()) this.#session!.handle(arrival.data);
        else {
          this.send(TURNED_AWAY);
          this.leave();
        }
        return;
      case "damaged":
        if (this.#acknowledges) this.#write(latin1Bytes("-"));
        return;
      case "refused":
        if (this.#acknowledges) this.#write(this.#last);
        return;
      case "interrupt":
        this.#session?.interrupt();
    }
  }

  #claim(): boolean {
    const claimed = this.#host.claim(this);
    this.control = claimed?.control;
    this.#session = claimed?.session;
    return claimed !== undefined;
  }

  #release(): void {
    if (!this.control) return;
    this.control.release();
    this.control = undefined;
    this.#session = undefined;
    this.#host.left(this);
  }

  #write(bytes: Uint8Array): void {
    this.#sent = this.#sent.then(async () => {
      try {
        for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
      } catch {
        // The client has gone: reading says so too.
      }
    });
  }

  async #read(buffer: Uint8Array): Promise<number | null> {
    try {
      return await this.#conn.read(buffer);
    } catch {
      return null; // it was cut off
    }
  }
}
