/**
 * What a guest ISA gives to the rest of the machine: vCPUs that can be interpreted, and a front end that
 * turns their instructions into IR. One folder under `core/decoder/` implements it per ISA.
 */
import type { Bus } from "./bus.ts";
import type { Clock } from "./clock.ts";
import type { DebugPoints } from "./debug/debug_points.ts";
import type { GuestRam, HostMemory } from "./memory.ts";
import type { InterruptLine } from "./devices/device.ts";
import type { Ir } from "./translator/ir.ts";

/** What vCPUs share with the machine they belong to. */
export interface MachineContext {
  readonly ram: GuestRam;
  /** All of RAM: {@linkcode MachineContext.ram}, and what the board has elsewhere. */
  readonly rams: readonly GuestRam[];
  readonly bus: Bus;
  readonly clock: Clock;
  readonly memory: HostMemory;
  /** The run loop's notice board. */
  readonly control: RunControl;
  /** Where a debugger wants it to stop. */
  readonly debug: DebugPoints;
}

/** Flags by which devices and traps reach the run loop. */
export class RunControl {
  /** Set to make the engine return at the next instruction boundary. The run loop clears it. */
  yield = false;
}

/** A register as a test or a debugger sees it. */
export interface RegisterInfo {
  /** ABI or architectural name, lower case. */
  readonly name: string;
  /** Width in bits. */
  readonly bits: number;
}

/** One vCPU as anybody may see it: what it is doing, and its registers by name. */
export interface Vcpu {
  readonly index: number;
  /** Not executing until an interrupt arrives (WFI and its like). */
  waiting: boolean;
  /** Not executing until another vCPU or the board starts it. */
  stopped: boolean;
  /** Ends {@linkcode Vcpu.waiting} if an interrupt is pending that should. */
  wake(): void;
  /** Forgets reservations and the like when the run loop turns to another vCPU. */
  deschedule(): void;

  /** Every register worth showing, in the ISA's usual order (general ones first). */
  registers(): readonly RegisterInfo[];
  /** Reads a register by name (general, FP as raw bits, pc, system); undefined when unknown. */
  register(name: string): bigint | undefined;
  /** Writes a register by name. Returns false when unknown. */
  setRegister(name: string, value: bigint): boolean;
  /** Privilege mode, in words: "user", "supervisor", "machine" (or the ISA's equivalents). */
  readonly mode: string;
  /** Guest-physical address of a virtual one, without side effects; undefined where unmapped. */
  translateAddress(virtual: bigint): number | undefined;
  /** Saves what it knows, as plain data. */
  save(): unknown;
  /**
   * Guards data translations of the page at a virtual address, or frees them, as {@linkcode DebugPoints} says.
   * Only vCPUs that keep translations have it.
   */
  watchedPageChanged?(lo: number, hi: number): void;
}

/** A vCPU that this process executes: its state, and how to advance it one instruction at a time. */
export interface SoftwareVcpu extends Vcpu {
  /** The state block (see `translator/layout.ts`). */
  readonly state: Int32Array;
  /** Host address of the state block; 0 without FFI. */
  readonly stateAddress: number;
  /** Exceptions raised so far, interrupts not counted; a statistic. */
  readonly exceptions: number;

  /**
   * Interprets at most `budget` instructions, adding each to the clock. Returns early when
   * `control.yield` is set, the vCPU waits or stops, or a debugger stops it (before an instruction with a
   * breakpoint, after one that accessed watched bytes). Interrupts are taken at instruction boundaries and
   * cost no instruction; an instruction that traps counts as one.
   */
  interpret(budget: number): void;
  /** Takes an interrupt now if one is pending and enabled. */
  takeInterrupt(): void;
  /**
   * The context translations depend on (8 bits; the low two are the MMU index), and -1 where only the
   * interpreter may run (a mode too rare to translate for).
   */
  context(): number;
  /**
   * RAM offset of the instruction at the current pc, by the fetch TLB (walking and filling it as the
   * interpreter would); -1 when the interpreter must execute it (it faults, is not in RAM, or straddles
   * pages).
   */
  fetchOffset(): number;
  /**
   * Reads and clears the FP flags that generated code accrued (NV 16, DZ 8, OF 4, UF 2, NX 1); consulted
   * before the guest's own flags are read or written. An engine replaces it; by default there are none.
   */
  collectHostFlags: () => number;
  /** Guards store translations to a RAM page in the TLBs (TLB_GUARDED): it now holds translated code. */
  dropStoreTranslations(ramPage: number): void;
  /** The mirror of its data translations, if an engine has made one. */
  mirror: TranslationMirror | undefined;
  /** High half of the virtual address of the last load or store that was interpreted. */
  readonly lastAccessHi: number;
}

/** What shows pages because the TLB leads to them (see STATE_MIRRORED). */
export interface TranslationMirror {
  /** Hides the page of an entry (by its number) that the mirror shows. */
  hide(entry: number): void;
  /** Hides all pages. */
  hideAll(): void;
}

/** A way that execution was seen to go: where its instructions are in their page, in the order of execution. */
export interface Trace {
  /** Offsets in the page; the first is the block's entry. */
  readonly offsets: Uint16Array;
  length: number;
  /** Offset in the page of what follows the last instruction; negative if that is not known. */
  next: number;
}

/** What is known of a page's code from execution. */
export interface TranslationHints {
  /**
   * The way to follow, with side exits wherever execution may go another way; the block ends with a jump to what
   * follows. A block that ends otherwise could not follow it.
   */
  readonly trace?: Trace;
  /** Offsets in the page that a block which follows no trace ends before, so that what is there is one of its own. */
  readonly stops?: ReadonlySet<number>;
  /** By offset in the page, halved: REACHES_* of the instruction there. */
  readonly reach?: Uint8Array;
}

/** The ISA's front end to the translator. */
export interface FrontEnd {
  /**
   * Translates a superblock that starts at the vCPU's current pc, which {@linkcode Vcpu.fetchOffset} found
   * at `ramOffset`. Takes no instruction that reaches outside of the page. `ir.begin()` was called. The
   * block always ends with a terminating op; after `maxInstructions` it is a jump to what follows.
   * Sets {@linkcode FrontEnd.endOffset}.
   */
  translate(
    vcpu: SoftwareVcpu,
    ramOffset: number,
    maxInstructions: number,
    ir: Ir,
    hints?: TranslationHints,
  ): void;
  /** First RAM offset the last block was taken from (possibly below its entry). */
  readonly startOffset: number;
  /** End of the RAM offsets the last block was taken from. */
  readonly endOffset: number;
  /**
   * Builds a stub that finds the host address of a virtual one, filling the TLB exactly as the interpreter
   * would: (state[STATE_SCRATCH] = virtual address, kind TLB_LOAD | TLB_STORE | TLB_FETCH, mmuIndex) →
   * host address (fetch: RAM page number + 1), or 0 where the interpreter must decide. Must not change
   * anything else the guest can see. Size and crossing of pages are checked before.
   */
  walker(ir: Ir, kind: number, mmuIndex: number, ram: GuestRam): void;
}

/** A guest instruction set. */
export interface Isa {
  /** The name users choose it by: "riscv64", "aarch64", "x86_64". */
  readonly name: string;
  createVcpu(context: MachineContext, index: number): Vcpu;
  /** The front end to the translator; without one only hardware can run its vCPUs. */
  createFrontEnd?(context: MachineContext): FrontEnd;
}

/** A vCPU's interrupt input, for boards to wire. */
export interface InterruptInputs {
  /** The line of the given architectural interrupt number. */
  interruptLine(number: number): InterruptLine;
}
