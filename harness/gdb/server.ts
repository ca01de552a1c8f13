/**
 * The gdb server of one machine: listens on a TCP port, serves one gdb at a time, turns others away with a
 * sentence. A client that says nothing sensible, or goes away in the middle of something, leaves the machine to
 * whoever waits for it.
 */
import type { Engine } from "../../accel/engine.ts";
import type { ParallelRunner, Runner } from "../../core/machine.ts";
import type { Arch } from "../boards.ts";
import type { Debugger, Driver } from "../driver.ts";
import { HostError, InputError } from "../errors.ts";
import { Connection } from "./connection.ts";
import { RunControl } from "./run_control.ts";
import { Session } from "./session.ts";
import { Target, targetRow } from "./targets/target.ts";

/** Where to wait for gdb. */
export interface GdbOptions {
  /** TCP port. 0 takes one that is free. @default 0 */
  readonly port?: number;
  /** Address to listen on. Whoever reaches it has the guest in hand. @default "127.0.0.1" */
  readonly host?: string;
}

/** Where a {@linkcode GdbServer} listens. */
export interface GdbAddress {
  /** Address. */
  readonly hostname: string;
  /** TCP port. */
  readonly port: number;
}

/** Most clients at a time, those included that will be turned away or have yet to say a word. */
const MOST_CONNECTIONS = 8;
/** As much guest time as there is. */
const FOREVER = { clock: "guest", ns: 2 ** 52 } as const;
const NO_WATCHDOG = { clock: "host", ms: Infinity } as const;

/**
 * Starts serving gdb.
 *
 * @throws {InputError} when the port cannot be had, or the machine has a gdb server already.
 * @throws {HostError} without the permission to listen.
 */
export async function serveGdb(driver: Driver, arch: Arch, options: GdbOptions = {}): Promise<GdbServer> {
  driver.assertOpen();
  const { port = 0, host = "127.0.0.1" } = options;
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new InputError(`A port is a number from 0 to 65535, not ${port}.`);
  }
  if (driver.debugger) throw new InputError("This machine has a gdb server already; close that one first.");
  const row = await targetRow(arch);
  const target = new Target(row, driver.machine.vcpus[0]);
  return new GdbServer(driver, target, listen(host, port));
}

function listen(hostname: string, port: number): Deno.TcpListener {
  try {
    return Deno.listen({ hostname, port });
  } catch (cause) {
    const where = `${hostname}:${port}`;
    if (cause instanceof Deno.errors.NotCapable) {
      throw new HostError(`Listening for gdb on ${where} needs the permission --allow-net=${hostname}.`, {
        cause,
      });
    }
    const why = cause instanceof Deno.errors.AddrInUse
      ? "the port is in use; take another, or 0 for one that is free"
      : cause instanceof Error
      ? cause.message
      : cause;
    throw new InputError(`gdb cannot be served on ${where}: ${why}.`, { cause });
  }
}

/** Serves one gdb after the other, until it is closed. */
export class GdbServer implements AsyncDisposable {
  /** Where gdb shall connect: `target remote HOST:PORT`. */
  readonly address: GdbAddress;
  /** Resolves when a gdb has attached for the first time (the machine stands still then), or the server was closed. */
  readonly attached: Promise<void>;
  readonly #driver: Driver;
  readonly #engine: Engine;
  readonly #target: Target;
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Set<Connection>();
  readonly #accepting: Promise<void>;
  /** The connection whose machine it is. */
  #client: Connection | undefined;
  /** The stay of the gdb that is attached, or of the next one. */
  #stay = new Stay();
  #yielded: Promise<void> | undefined;
  #isClosed = false;

  /** Servers are made by `vm.gdb()`. */
  constructor(driver: Driver, target: Target, listener: Deno.TcpListener) {
    this.#driver = driver;
    this.#engine = driver.engine;
    this.#target = target;
    this.#listener = listener;
    this.address = { hostname: listener.addr.hostname, port: listener.addr.port };
    this.attached = this.#stay.begun;
    driver.debugger = this.#debugger();
    this.#accepting = this.#accept();
  }

  /**
   * Gives the machine to gdb, and resolves when gdb is through with it: it detached, killed the machine or went
   * away, or the server was closed. Asking for it is a wait like any other: the machine moves, as far as gdb lets
   * it, and other waits are refused meanwhile.
   */
  get closed(): Promise<void> {
    return this.#yielded ??= this.#yield().finally(() => this.#yielded = undefined);
  }

  /** Closes the server. An attached gdb is told that the machine is gone; the machine is left as it is. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#listener.close();
    await Promise.all(Array.from(this.#connections, (connection) => connection.close()));
    await this.#accepting;
    this.#driver.debugger = undefined;
    this.#stay.end();
  }

  /** As {@linkcode GdbServer.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #debugger(): Debugger {
    const control = () => this.#client?.control;
    const engine = this.#engine;
    return {
      get runner(): Runner | ParallelRunner {
        return control()?.runner ?? engine;
      },
      hold: (ending) => control()?.hold(ending),
      moved: () => control()?.moved(),
      close: () => this.close(),
    };
  }

  async #yield(): Promise<void> {
    const stay = this.#stay;
    await stay.begun;
    const options = { within: FOREVER, watchdog: NO_WATCHDOG };
    const done = () => stay.isOver;
    // A crash stops the machine in gdb once; whoever lets it go on wants to see more.
    if (!done()) await this.#driver.advance(done, options);
    if (!done() && !this.#driver.machine.exit) await this.#driver.advance(done, options, (ending) => ending);
    // Where the machine has ended, gdb is being told.
    await stay.over;
  }

  async #accept(): Promise<void> {
    try {
      for await (const conn of this.#listener) this.#serve(conn);
    } catch (error) {
      if (!this.#isClosed) throw error;
    }
  }

  async #serve(conn: Deno.TcpConn): Promise<void> {
    if (this.#connections.size >= MOST_CONNECTIONS) return conn.close();
    conn.setNoDelay();
    const connection = new Connection(conn, {
      claim: (claimant) => this.#claim(claimant),
      left: () => this.#leave(),
    });
    this.#connections.add(connection);
    await connection.serve();
    this.#connections.delete(connection);
  }

  #claim(connection: Connection): { control: RunControl; session: Session } | undefined {
    if (this.#client) return undefined;
    this.#client = connection;
    this.#stay.begin();
    const control = new RunControl(this.#driver, this.#engine, this.#target.watchpointsStopBefore);
    return { control, session: new Session(this.#driver.machine, this.#target, control, connection) };
  }

  #leave(): void {
    this.#client = undefined;
    this.#stay.end();
    this.#stay = new Stay();
  }
}

/** One gdb's stay at the machine. */
class Stay {
  isOver = false;
  readonly #begun = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<void>();
  /** Resolves when it begins, or is over before it could. */
  readonly begun: Promise<void> = this.#begun.promise;
  readonly over: Promise<void> = this.#over.promise;

  begin(): void {
    this.#begun.resolve();
  }

  end(): void {
    this.isOver = true;
    this.#begun.resolve();
    this.#over.resolve();
  }
}
