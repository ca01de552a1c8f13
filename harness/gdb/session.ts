/**
 * What gdb's packets mean: one handler each. Specification: gdb manual, appendix E ("gdb Remote Serial
 * Protocol"). A packet without a handler gets the empty reply, which says that it is not known here. Threads are
 * vCPUs, numbered from 1.
 *
 * Every number a packet holds is checked; a handler does at most as much work as fits into one reply.
 */
import type { WatchKind, Watchpoint } from "../../core/debug/debug_points.ts";
import type { Vcpu } from "../../core/isa.ts";
import type { Machine } from "../../core/machine.ts";
import { DebugMemory } from "./memory.ts";
import { runMonitor } from "./monitor.ts";
import {
  fromHex,
  latin1Bytes,
  MOST_PACKET_CHARACTERS,
  parseCount,
  parseHex,
  textToHex,
  toHex,
} from "./packets.ts";
import { ANY_THREAD, parseActions, type Resumption, stepOf } from "./resumption.ts";
import type { RunControl, Stop } from "./run_control.ts";
import type { Target } from "./targets/target.ts";

/** What a packet leads to, besides a reply. */
export interface SessionClient {
  /** Sends a packet. */
  send(data: string): void;
  /** No acknowledgments any more, once the reply to this is sent. */
  noAcknowledgments(): void;
  /** gdb is through with the machine: lets go of it once what was sent is out. */
  leave(): void;
}

/** Replies: bad argument, bad address, nothing of that name. */
const ERROR_INVALID = "E16";
const ERROR_ADDRESS = "E0e";
const ERROR_ABSENT = "E02";
/** "Terminated by SIGTERM". */
const MACHINE_GONE = "X0f";
/** Bytes of memory that a reply holds. */
const MOST_MEMORY_BYTES = MOST_PACKET_CHARACTERS / 2;
/** Bytes of text in a packet of console output. */
const OUTPUT_BYTES = 2000;

const WATCH_KINDS: readonly (WatchKind | undefined)[] = [undefined, undefined, "write", "read", "access"];
const WATCH_REASON: Readonly<Record<WatchKind, string>> = {
  write: "watch",
  read: "rwatch",
  access: "awatch",
};

/** One gdb's dialogue with one machine. */
export class Session {
  readonly #memory: DebugMemory;
  /** The vCPU that packets about registers and memory mean. */
  #current: Vcpu;
  /** Whether gdb knows the stop reasons `swbreak` and `hwbreak`. */
  #breakReasons = false;

  constructor(
    private readonly machine: Machine,
    private readonly target: Target,
    private readonly control: RunControl,
    private readonly client: SessionClient,
  ) {
    this.#memory = new DebugMemory(machine);
    this.#current = machine.vcpus[0];
    this.#look(control.stop);
    control.onStop = (stop, note) => this.#stopped(stop, note);
  }

  /** gdb pressed Ctrl-C. */
  interrupt(): void {
    this.control.interrupt();
  }

  /** Does what a packet says; replies unless gdb is to wait for a stop. */
  handle(packet: string): void {
    const reply = this.#dispatch(packet);
    if (reply !== undefined) this.client.send(reply);
  }

  /** Tells gdb that the machine is gone. */
  end(): void {
    if (!this.control.running) return;
    this.client.send(MACHINE_GONE);
  }

  #stopped(stop: Stop, note: string | undefined): void {
    if (note !== undefined) this.#print(note);
    this.#look(stop);
    this.client.send(this.#describe(stop));
    if (stop.kind !== "signal") this.client.leave();
  }

  /** The vCPU that stopped is the one gdb looks at. */
  #look(stop: Stop): void {
    if (stop.kind === "signal") this.#current = this.machine.vcpus[stop.cpu];
  }

  #dispatch(packet: string): string | undefined {
    const rest = packet.slice(1);
    switch (packet[0]) {
      case "q":
      case "Q":
        return this.#query(packet);
      case "v":
        return this.#verbose(packet);
      case "k":
        return this.#kill();
      case "D":
        this.client.leave();
        return "OK";
    }
    // gdb says nothing else while the machine runs.
    if (this.control.running) return ERROR_INVALID;
    switch (packet[0]) {
      case "?":
        return this.#describe(this.control.stop);
      case "g":
        return this.target.general.map((number) => this.target.read(this.#current, number)).join("");
      case "G":
        return this.#writeGeneral(rest);
      case "p":
        return this.target.read(this.#current, parseCount(rest) ?? -1) ?? ERROR_ABSENT;
      case "P":
        return this.#writeRegister(rest);
      case "m":
        return this.#readMemory(rest);
      case "M":
        return this.#writeMemory(rest, fromHex);
      case "X":
        return this.#writeMemory(rest, latin1Bytes);
      case "H":
        return this.#select(rest);
      case "T":
        return this.#thread(rest) ? "OK" : ERROR_ABSENT;
      case "Z":
      case "z":
        return this.#point(packet[0] === "Z", rest);
      case "c":
      case "s":
        return this.#resumeAt(packet[0], rest);
      case "C":
      case "S": // a signal, which no vCPU knows, and perhaps an address
        return this.#resumeAt(packet[0].toLowerCase(), rest.split(";")[1] ?? "");
      case "R":
        this.control.reset();
        return undefined;
    }
    return "";
  }

  // ---- registers and memory

  #writeGeneral(hex: string): string {
    let at = 0;
    for (const number of this.target.general) {
      const digits = this.target.registers[number].bits / 4;
      if (!this.target.write(this.#current, number, hex.slice(at, at + digits))) return ERROR_INVALID;
      at += digits;
    }
    return "OK";
  }

  #writeRegister(text: string): string {
    const [number, value = ""] = text.split("=");
    return this.target.write(this.#current, parseCount(number) ?? -1, value) ? "OK" : ERROR_INVALID;
  }

  #readMemory(text: string): string {
    const [address, length] = addressAndLength(text);
    if (address === undefined || length === undefined) return ERROR_INVALID;
    const bytes = this.#memory.read(this.#current, address, Math.min(length, MOST_MEMORY_BYTES));
    return bytes.length === 0 && length > 0 ? ERROR_ADDRESS : toHex(bytes);
  }

  #writeMemory(text: string, decode: (data: string) => Uint8Array | undefined): string {
    const colon = text.indexOf(":");
    const [address, length] = addressAndLength(text.slice(0, colon));
    const bytes = colon < 0 ? undefined : decode(text.slice(colon + 1));
    if (address === undefined || bytes === undefined || bytes.length !== length) return ERROR_INVALID;
    return this.#memory.write(this.#current, address, bytes) ? "OK" : ERROR_ADDRESS;
  }

  // ---- threads

  /** The vCPU of a thread id; undefined for one there is not, and for "all". */
  #thread(id: string): Vcpu | undefined {
    const number = parseCount(id.replace(/^p[0-9a-f]+\./i, ""));
    return number === undefined ? undefined : this.machine.vcpus[number - 1];
  }

  /** `Hg`: the vCPU that registers and memory are of. `Hc` is for packets that vCont has replaced. */
  #select(text: string): string {
    const any = ANY_THREAD.test(text.slice(1));
    const vcpu = any ? this.#current : this.#thread(text.slice(1));
    if (!vcpu) return ERROR_ABSENT;
    if (text[0] === "g" || !any) this.#current = vcpu;
    return "OK";
  }

  #describeThread(vcpu: Vcpu): string {
    return `${vcpu.mode} mode, ${vcpu.stopped ? "stopped" : vcpu.waiting ? "waiting" : "running"}`;
  }

  #threadsXml(): string {
    const rows = this.machine.vcpus.map((vcpu) =>
      `<thread id="${(vcpu.index + 1).toString(16)}" core="${vcpu.index}" name="vCPU ${vcpu.index}">` +
      `${this.#describeThread(vcpu)}</thread>`
    );
    return `<?xml version="1.0"?>\n<threads>\n${rows.join("\n")}\n</threads>\n`;
  }

  // ---- breakpoints and watchpoints

  /** `Z` and `z`: type, address, and an instruction's kind or a number of bytes. */
  #point(insert: boolean, text: string): string {
    const [type, at, size] = text.split(/[,;]/);
    const address = parseHex(at ?? ""), length = parseCount(size ?? "");
    if (address === undefined || length === undefined) return ERROR_INVALID;
    const { control } = this;
    if (type === "0" || type === "1") {
      const set = type === "0" ? control.breakpoints : control.hardwareBreakpoints;
      if (!insert) set.delete(address);
      else if (!control.addBreakpoint(set, address)) return ERROR_INVALID;
      return "OK";
    }
    const kind = WATCH_KINDS[parseCount(type) ?? 0];
    if (kind === undefined) return "";
    if (length === 0 || address + BigInt(length) > 1n << 64n) return ERROR_INVALID;
    const watchpoint: Watchpoint = { kind, address, length };
    if (!insert) control.removeWatchpoint(watchpoint);
    else if (!control.addWatchpoint(watchpoint)) return ERROR_INVALID;
    return "OK";
  }

  // ---- going on and stopping

  #resumeAt(action: string, address: string): string | undefined {
    if (address !== "") {
      const pc = parseHex(address);
      if (pc === undefined) return ERROR_INVALID;
      this.#current.setRegister("pc", pc);
    }
    return this.#resume(action === "s" ? stepOf(this.#current) : { kind: "continue" });
  }

  #resume(how: Resumption): undefined {
    this.control.resume(how);
    return undefined;
  }

  #kill(): undefined {
    this.control.kill();
    this.client.leave();
    return undefined;
  }

  #describe(stop: Stop): string {
    if (stop.kind === "exited") return `W${byteHex(stop.code)}`;
    if (stop.kind === "terminated") return `X${byteHex(stop.signal)}`;
    const vcpu = this.machine.vcpus[stop.cpu];
    const registers = this.target.expedited.map((number) =>
      `${number.toString(16)}:${this.target.read(vcpu, number)};`
    );
    return `T${byteHex(stop.signal)}thread:${(stop.cpu + 1).toString(16)};` +
      `${this.#describeHit(stop)}${registers.join("")}`;
  }

  #describeHit({ hit }: Stop & { kind: "signal" }): string {
    if (!hit) return "";
    if (hit.watchpoint) return `${WATCH_REASON[hit.watchpoint.kind]}:${hit.address.toString(16)};`;
    if (!this.#breakReasons) return "";
    return this.control.hardwareBreakpoints.has(hit.address) ? "hwbreak:;" : "swbreak:;";
  }

  // ---- packets with names

  #verbose(packet: string): string | undefined {
    if (packet === "vCtrlC") {
      this.control.interrupt();
      return "OK";
    }
    if (packet.startsWith("vKill")) {
      this.client.send("OK");
      return this.#kill();
    }
    if (packet === "vCont?") return "vCont;c;C;s;S;r";
    if (packet.startsWith("vCont;")) {
      const find = (thread: string) => this.#thread(thread);
      const how = parseActions(packet.slice("vCont;".length), this.#current, find);
      return this.control.running || !how ? ERROR_INVALID : this.#resume(how);
    }
    return "";
  }

  #query(packet: string): string | undefined {
    const [name, rest = ""] = split(packet, /[:,]/);
    switch (name) {
      case "qSupported":
        this.#breakReasons = rest.includes("swbreak+") || rest.includes("hwbreak+");
        return [
          `PacketSize=${MOST_PACKET_CHARACTERS.toString(16)}`,
          ..."QStartNoAckMode+ swbreak+ hwbreak+ vContSupported+ qXfer:features:read+ qXfer:threads:read+"
            .split(" "),
        ].join(";");
      case "QStartNoAckMode":
        this.client.noAcknowledgments();
        return "OK";
      case "qAttached":
        return "1"; // so that gdb detaches when it quits, and does not kill
      case "qC":
        return `QC${(this.#current.index + 1).toString(16)}`;
      case "qfThreadInfo":
        return `m${this.machine.vcpus.map((vcpu) => (vcpu.index + 1).toString(16)).join(",")}`;
      case "qsThreadInfo":
        return "l";
      case "qThreadExtraInfo": {
        const vcpu = this.#thread(rest);
        return vcpu ? textToHex(`vCPU ${vcpu.index}: ${this.#describeThread(vcpu)}`) : ERROR_ABSENT;
      }
      case "qXfer":
        return this.#transfer(rest);
      case "qRcmd":
        return this.#monitor(rest);
      // QEMU's packets for physical memory, as debuggers and their front ends know them.
      case "qqemu.PhyMemMode":
        return this.#memory.physical ? "1" : "0";
      case "Qqemu.PhyMemMode":
        if (rest !== "0" && rest !== "1") return ERROR_INVALID;
        this.#memory.physical = rest === "1";
        return "OK";
    }
    return "";
  }

  /** `qXfer:object:read:annex:offset,length`: a slice of a document. */
  #transfer(text: string): string {
    const [object, operation, annex, span] = text.split(":");
    let document: string;
    if (object === "features" && annex === "target.xml") document = this.target.xml;
    else if (object === "threads" && annex === "") document = this.#threadsXml();
    else return object === "features" ? "E00" : "";
    const [offset, length] = (span ?? "").split(",").map(parseCount);
    if (operation !== "read" || offset === undefined || length === undefined) return ERROR_INVALID;
    const end = offset + Math.min(length, MOST_PACKET_CHARACTERS / 2);
    return `${end < document.length ? "m" : "l"}${document.slice(offset, end)}`;
  }

  #monitor(hex: string): string {
    const bytes = fromHex(hex);
    if (bytes === undefined || this.control.running) return ERROR_INVALID;
    const { machine, control } = this;
    const context = { machine, control, memory: this.#memory, cpu: this.#current.index };
    this.#print(runMonitor(new TextDecoder().decode(bytes), context));
    return "OK";
  }

  /** Prints text on gdb's console. */
  #print(text: string): void {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length; at += OUTPUT_BYTES) {
      this.client.send(`O${toHex(bytes.subarray(at, at + OUTPUT_BYTES))}`);
    }
  }
}

/** `address,length`. */
function addressAndLength(text: string): [bigint | undefined, number | undefined] {
  const [address, length] = text.split(",");
  return [parseHex(address), parseCount(length ?? "")];
}

/** What is before the first separator, and what is behind it. */
function split(text: string, separator: RegExp): [string, string | undefined] {
  const at = text.search(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function byteHex(value: number): string {
  return value.toString(16).padStart(2, "0");
}
