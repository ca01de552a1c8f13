/** A scripted client of a gdb server, that says exactly what a test wants. */
import { encodePacket, PacketReader, toHex } from "../../../harness/gdb/packets.ts";
import type { GdbServer, Vm } from "../../../mod.ts";

/** One connection. */
export class GdbClient implements Disposable {
  readonly #conn: Deno.TcpConn;
  readonly #reader = new PacketReader();
  readonly #packets: string[] = [];
  #closed = false;

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  /** Connects, and agrees with the server on what gdb would: no acknowledgments, all reasons for stops. */
  static async attach(server: Pick<GdbServer, "address">): Promise<GdbClient> {
    const client = await GdbClient.connect(server);
    await client.ask("qSupported:swbreak+;hwbreak+");
    await client.ask("QStartNoAckMode");
    return client;
  }

  /** Connects and says nothing. */
  static async connect({ address }: Pick<GdbServer, "address">): Promise<GdbClient> {
    return new GdbClient(await Deno.connect(address));
  }

  /** Sends a packet and waits for one. */
  async ask(data: string): Promise<string> {
    await this.send(data);
    return await this.receive();
  }

  /** Sends a packet. */
  send(data: string): Promise<void> {
    return this.sendBytes(encodePacket(data));
  }

  /** Sends bytes as they are. */
  async sendBytes(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
    } catch {
      // The server has hung up; the next receive() says so.
    }
  }

  /** The next packet, or "end" where the server has hung up. */
  async receive(): Promise<string> {
    const buffer = new Uint8Array(65536);
    while (this.#packets.length === 0) {
      const count = await this.#conn.read(buffer).catch(() => null);
      if (count === null) return "end";
      for (const arrival of this.#reader.read(buffer.subarray(0, count))) {
        if (arrival.kind === "packet") this.#packets.push(arrival.data);
      }
    }
    return this.#packets.shift()!;
  }

  /** Runs a monitor command; returns what it printed. */
  async monitor(line: string): Promise<string> {
    let text = "";
    let reply = await this.ask(`qRcmd,${toHex(new TextEncoder().encode(line))}`);
    for (; reply !== "OK"; reply = await this.receive()) {
      text += new TextDecoder().decode(Uint8Array.from(reply.slice(1).match(/../g)!, (b) => parseInt(b, 16)));
    }
    return text;
  }

  /** The pc, as a number register would be read. */
  async pc(): Promise<bigint> {
    return BigInt(`0x${(await this.ask("p20")).match(/../g)!.toReversed().join("")}`);
  }

  /** Hangs up. */
  [Symbol.dispose](): void {
    if (!this.#closed) this.#conn.close();
    this.#closed = true;
  }
}

/** Runs a dialogue with a machine that belongs to gdb meanwhile. */
export async function debug<T>(vm: Vm, dialogue: (client: GdbClient) => Promise<T>): Promise<T> {
  await using server = await vm.gdb();
  const closed = server.closed;
  using client = await GdbClient.attach(server);
  const result = await dialogue(client);
  client[Symbol.dispose]();
  await closed;
  return result;
}
