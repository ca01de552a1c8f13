/**
 * What a vCPU wants when KVM_RUN comes back: accesses to ports and devices go to the machine's buses, the rest
 * are ends of the machine (`Documentation/virt/kvm/api.rst`, "The kvm_run structure").
 *
 * The data of an access is in memory that the kernel fills; sizes and counts are checked all the same, so that
 * a faulty or hostile kernel module cannot make us loop.
 */
import type { Bus } from "../../core/bus.ts";
import type { Machine, MachineExit } from "../../core/machine.ts";
import { EXIT, INTERNAL_ERROR, KVM, STRUCTS, SYSTEM_EVENT } from "./abi/table.ts";
import type { KvmVcpu } from "./vcpu.ts";

/** What of a vCPU an exit is told by. */
export type ExitedVcpu = Pick<KvmVcpu, "index" | "bytes" | "words" | "view">;

const RUN = STRUCTS.kvm_run.fields;
const REASON = RUN.exit_reason[0] >> 2;
/** Direction and size, a byte each, and the port above them, in one word. */
const IO_ACCESS = RUN["io.direction"][0] >> 2;
const IO_COUNT = RUN["io.count"][0] >> 2;
const IO_DATA_OFFSET = RUN["io.data_offset"][0] >> 2;
const MMIO_ADDRESS = RUN["mmio.phys_addr"][0] >> 2, MMIO_DATA = RUN["mmio.data"][0];
const MMIO_LENGTH = RUN["mmio.len"][0] >> 2, MMIO_IS_WRITE = RUN["mmio.is_write"][0];
const EXIT_IO = EXIT.IO, EXIT_MMIO = EXIT.MMIO, IO_OUT = KVM.EXIT_IO_OUT;
const PORTS = 0x10000;

/** How often each kind of exit came. */
export class ExitCounts {
  io = 0;
  mmio = 0;
  other = 0;
}

/** Does what vCPUs exit for. */
export class ExitHandler {
  readonly counts: ExitCounts = new ExitCounts();
  readonly #ports: Bus;
  readonly #bus: Bus;

  /** @param onDebug Told of the vCPUs that stopped for whoever debugs the guest. */
  constructor(machine: Pick<Machine, "ports" | "bus">, private readonly onDebug: (vcpu: ExitedVcpu) => void) {
    this.#ports = machine.ports;
    this.#bus = machine.bus;
  }

  /** Does what a vCPU wants; gives the machine's end, if that is it. */
  handle(vcpu: ExitedVcpu): MachineExit | undefined {
    switch (vcpu.words[REASON]) {
      case EXIT_IO:
        this.counts.io++;
        return this.#io(vcpu);
      case EXIT_MMIO:
        this.counts.mmio++;
        this.#mmio(vcpu);
        return undefined;
      case EXIT.DEBUG:
        this.counts.other++;
        this.onDebug(vcpu);
        return undefined;
      default:
        this.counts.other++;
        return otherExit(vcpu);
    }
  }

  #io(vcpu: ExitedVcpu): MachineExit | undefined {
    const { bytes, words, view } = vcpu;
    const access = words[IO_ACCESS], count = words[IO_COUNT], from = words[IO_DATA_OFFSET];
    const size = access >>> 8 & 0xff, port = access >>> 16;
    const isOut = (access & 0xff) === IO_OUT;
    if ((size !== 1 && size !== 2 && size !== 4) || from + count * size > bytes.length) {
      return engineError(`KVM asked for ${count} port accesses of ${size} bytes at ${from}`);
    }
    // String instructions come with many elements at once.
    for (let at = from, end = from + count * size; at < end; at += size) {
      if (isOut) this.#portWrite(port, size, view, at);
      else this.#portRead(port, size, view, at);
    }
    return undefined;
  }

  #portWrite(port: number, size: number, view: DataView, at: number): void {
    const ports = this.#ports;
    if (size === 1) ports.writeDevice(port, view.getUint8(at), 1);
    else if ((port & size - 1) !== 0 || port + size > PORTS) {
      for (let i = 0; i < size; i++) ports.writeDevice((port + i) % PORTS, view.getUint8(at + i), 1);
    } else if (size === 2) ports.writeDevice(port, view.getUint16(at, true), 2);
    else ports.writeDevice(port, view.getUint32(at, true), 4);
  }

  #portRead(port: number, size: number, view: DataView, at: number): void {
    const ports = this.#ports;
    if (size === 1) view.setUint8(at, ports.readDevice(port, 1));
    else if ((port & size - 1) !== 0 || port + size > PORTS) {
      for (let i = 0; i < size; i++) view.setUint8(at + i, ports.readDevice((port + i) % PORTS, 1));
    } else if (size === 2) view.setUint16(at, ports.readDevice(port, 2), true);
    else view.setUint32(at, ports.readDevice(port, 4), true);
  }

  /** Up to eight bytes, in the largest natural pieces. */
  #mmio(vcpu: ExitedVcpu): void {
    const { bytes, words, view } = vcpu;
    const address = words[MMIO_ADDRESS] + words[MMIO_ADDRESS + 1] * 2 ** 32;
    const length = Math.min(words[MMIO_LENGTH], 8);
    const isWrite = bytes[MMIO_IS_WRITE] !== 0;
    for (let offset = 0; offset < length;) {
      const size = pieceSize(address + offset, length - offset);
      const at = MMIO_DATA + offset;
      if (isWrite) this.#bus.writeDevice(address + offset, readSized(view, at, size), size);
      else writeSized(view, at, size, this.#bus.readDevice(address + offset, size));
      offset += size;
    }
  }
}

function pieceSize(address: number, left: number): number {
  if (left >= 4 && address % 4 === 0) return 4;
  return left >= 2 && address % 2 === 0 ? 2 : 1;
}

function readSized(view: DataView, at: number, size: number): number {
  return size === 4 ? view.getUint32(at, true) : size === 2 ? view.getUint16(at, true) : view.getUint8(at);
}

function writeSized(view: DataView, at: number, size: number, value: number): void {
  if (size === 4) view.setUint32(at, value, true);
  else if (size === 2) view.setUint16(at, value, true);
  else view.setUint8(at, value);
}

/** The rare exits. */
function otherExit({ view, words, index }: ExitedVcpu): MachineExit | undefined {
  const reason = words[REASON];
  switch (reason) {
    case EXIT.INTR:
    case EXIT.IRQ_WINDOW_OPEN:
      return undefined;
    case EXIT.SHUTDOWN:
      return {
        kind: "tripleFault",
        detail: `vCPU ${index} shut down: an exception while one was delivered twice`,
      };
    case EXIT.SYSTEM_EVENT:
      switch (view.getUint32(RUN["system_event.type"][0], true)) {
        case SYSTEM_EVENT.SHUTDOWN:
          return { kind: "poweroff" };
        case SYSTEM_EVENT.RESET:
          return { kind: "reset" };
      }
      break;
    case EXIT.FAIL_ENTRY: {
      const cause = view.getBigUint64(RUN["fail_entry.hardware_entry_failure_reason"][0], true);
      return engineError(
        `the processor refused to enter vCPU ${index} (hardware reason 0x${cause.toString(16)}); ` +
          "its registers make no valid state",
      );
    }
    case EXIT.INTERNAL_ERROR: {
      const suberror = view.getUint32(RUN["internal.suberror"][0], true);
      return engineError(`KVM ended vCPU ${index} by an internal error: ${internalError(suberror)}`);
    }
  }
  return engineError(`vCPU ${index} left KVM for ${exitName(reason)}, which the engine does not know`);
}

function engineError(detail: string): MachineExit {
  return { kind: "engineError", detail };
}

function exitName(reason: number): string {
  const name = Object.entries(EXIT).find(([, number]) => number === reason)?.[0];
  return name ? `KVM_EXIT_${name}` : `reason ${reason}`;
}

function internalError(suberror: number): string {
  switch (suberror) {
    case INTERNAL_ERROR.EMULATION:
      return "it had to emulate an instruction that it cannot";
    case INTERNAL_ERROR.SIMUL_EX:
      return "simultaneous exceptions";
    case INTERNAL_ERROR.DELIVERY_EV:
      return "an exit during the delivery of an event";
    case INTERNAL_ERROR.UNEXPECTED_EXIT_REASON:
      return "an exit of the hardware that it does not know";
    default:
      return `number ${suberror}`;
  }
}
