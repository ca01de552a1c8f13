/**
 * A debugger's breakpoints, watchpoints and steps, by the processor's own means: KVM lends the four debug registers
 * and the trap flag to whoever debugs the guest, and a `#DB` comes here instead of to the guest
 * (`Documentation/virt/kvm/api.rst`, "KVM_SET_GUEST_DEBUG"; AMD's manual, volume 2, §13.1). Nothing is written into
 * guest memory, and addresses are linear ones, mapped or not. While nobody debugs, all of it is the guest's.
 */
import type { DebugPoints, Watchpoint } from "../../core/debug/debug_points.ts";
import { KVM, STRUCTS } from "./abi/table.ts";
import type { ExitedVcpu } from "./exits.ts";
import type { KvmVcpu } from "./vcpu.ts";

/** Debug registers of a processor. */
const SLOTS = 4;

const DR6 = STRUCTS.kvm_run.fields["debug.arch.dr6"][0], PC = STRUCTS.kvm_run.fields["debug.arch.pc"][0];
const EXCEPTION = STRUCTS.kvm_run.fields["debug.arch.exception"][0];
const DEBUG_EXCEPTION = 1;
const DR6_STEP = 1n << 14n;
/** DR7 without a breakpoint: a bit that is always one. */
const DR7_NONE = 1n << 10n;
const EXECUTION = 0n, WRITES = 1n, ACCESSES = 3n;
/** DR7's codes for lengths. */
const LENGTHS: Readonly<Record<number, bigint>> = { 1: 0n, 2: 1n, 4: 3n, 8: 2n };

/** What one debug register is for. */
interface Slot {
  readonly address: bigint;
  /** Bytes: 1, 2, 4 or 8, and the address a multiple of it. */
  readonly length: number;
  readonly condition: bigint;
  readonly watchpoint?: Watchpoint;
}

/**
 * Whether the processor's debug registers are enough. A watchpoint that is long, or not aligned, takes several; one
 * for reads alone they do not have.
 */
export function fitsDebugRegisters(breakpoints: number, watchpoints: readonly Watchpoint[]): boolean {
  if (watchpoints.some(({ kind }) => kind === "read")) return false;
  // Far too long ones are not even cut into pieces.
  if (watchpoints.some(({ length }) => length > 8 * SLOTS)) return false;
  return breakpoints + watchpoints.flatMap(pieces).length <= SLOTS;
}

/** A watchpoint in naturally aligned pieces. */
function pieces(watchpoint: Watchpoint): Slot[] {
  const condition = watchpoint.kind === "write" ? WRITES : ACCESSES;
  const slots: Slot[] = [];
  for (let offset = 0; offset < watchpoint.length;) {
    const address = watchpoint.address + BigInt(offset), left = watchpoint.length - offset;
    const length = [8, 4, 2, 1].find((size) => size <= left && address % BigInt(size) === 0n)!;
    slots.push({ address, length, condition, watchpoint });
    offset += length;
  }
  return slots;
}

/** The debugging of one machine's vCPUs. */
export class GuestDebug {
  /** Whether the vCPU that was to step has executed an instruction since {@linkcode GuestDebug.prepare}. */
  stepped = false;
  #slots: readonly Slot[] = [];
  #stepping: number | undefined;
  /** What each vCPU was told last. */
  readonly #told: string[] = [];

  /**
   * Made with its engine.
   *
   * @param blocksInterrupts Whether KVM can keep interrupts from a vCPU that steps (since Linux 5.15).
   */
  constructor(
    private readonly debug: DebugPoints,
    private readonly vcpus: readonly KvmVcpu[],
    private readonly blocksInterrupts: boolean,
  ) {}

  /**
   * Tells the vCPUs, which stand still, where to stop.
   *
   * @param step Number and linear pc of the vCPU that shall stop after one instruction; a breakpoint there does not
   * stop it.
   */
  prepare(step?: { readonly cpu: number; readonly pc: bigint }): void {
    this.stepped = false;
    this.#stepping = step?.cpu;
    const { breakpoints, watchpoints } = this.debug;
    const isIdle = breakpoints.size === 0 && watchpoints.length === 0 && step === undefined;
    if (isIdle && this.#told.every((what) => what === "")) return;
    const stops = Array.from(breakpoints, (address): Slot => ({ address, length: 1, condition: EXECUTION }));
    this.#slots = [...stops, ...watchpoints.flatMap(pieces)].slice(0, SLOTS);
    for (const vcpu of this.vcpus) this.#tell(vcpu, step?.cpu === vcpu.index ? step.pc : undefined);
  }

  #tell(vcpu: KvmVcpu, steppingFrom: bigint | undefined): void {
    let dr7 = DR7_NONE, control = 0;
    this.#slots.forEach(({ address, length, condition }, i) => {
      if (condition === EXECUTION && address === steppingFrom) return;
      dr7 |= (2n << BigInt(2 * i)) | (condition | LENGTHS[length] << 2n) << BigInt(16 + 4 * i);
      control |= KVM.GUESTDBG_USE_HW_BP;
    });
    if (steppingFrom !== undefined) {
      control |= KVM.GUESTDBG_SINGLESTEP | (this.blocksInterrupts ? KVM.GUESTDBG_BLOCKIRQ : 0);
    }
    if (control !== 0) control |= KVM.GUESTDBG_ENABLE;
    const registers = [...Array.from({ length: SLOTS }, (_, i) => this.#slots[i]?.address ?? 0n), dr7];
    const what = control === 0 ? "" : `${control} ${registers.join(" ")}`;
    if (what === (this.#told[vcpu.index] ?? "")) return;
    vcpu.setGuestDebug(control, registers);
    this.#told[vcpu.index] = what;
  }

  /** A vCPU has left KVM_RUN by KVM_EXIT_DEBUG. */
  stopped({ index, view }: ExitedVcpu): void {
    const dr6 = view.getBigUint64(DR6, true), pc = view.getBigUint64(PC, true);
    const met = this.#slots.filter((_, i) => dr6 >> BigInt(i) & 1n);
    const isStep = (dr6 & DR6_STEP) !== 0n && this.#stepping === index;
    // A watchpoint first: its access has been made, while a breakpoint's instruction will be met again.
    const slot = met.find(({ watchpoint }) => watchpoint) ?? met.find(({ address }) => address === pc);
    if (isStep) this.stepped = true;
    if (slot) {
      const { watchpoint } = slot;
      this.debug.report({ cpu: index, address: slot.address, ...(watchpoint && { watchpoint }) });
    } else if (!isStep && view.getUint32(EXCEPTION, true) === DEBUG_EXCEPTION) {
      this.#passOn(this.vcpus[index], dr6 & DR6_STEP);
    }
  }

  /** The guest debugs itself: the exception is its own. */
  #passOn(vcpu: KvmVcpu, cause: bigint): void {
    const registers = vcpu.get("kvm_debugregs");
    vcpu.set("kvm_debugregs", { ...registers, dr6: (registers.dr6 as bigint) | cause });
    vcpu.setGuestDebug(KVM.GUESTDBG_ENABLE | KVM.GUESTDBG_INJECT_DB, []);
    this.#told[vcpu.index] = "the guest's own";
    this.#tell(vcpu, undefined);
  }
}
