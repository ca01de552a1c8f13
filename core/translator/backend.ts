/** What a host backend is to the translator: IR in, code to enter out, and the ways it comes back. */
import type { FrontEnd } from "../isa.ts";
import type { GuestRam, HostPages } from "../memory.ts";

// Why generated code returned (STATE_EXIT_REASON)
/** Too few instructions left for the block whose number is the argument; its pc is the pc. */
export const EXIT_BUDGET = 1;
/** The interpreter must execute the instruction at the exit site whose number is the argument. */
export const EXIT_SITE = 2;
/** The link whose number is the argument has no target yet. */
export const EXIT_LINK = 3;
/** No block is known for the pc in the state. */
export const EXIT_LOOKUP = 4;
/** The run loop should look around; the pc is in the state. */
export const EXIT_LEAVE = 5;

/** Like {@linkcode EXIT_SITE}: an access by the mirror found no page at STATE_MIRROR_FAULT. */
export const EXIT_MIRROR = 6;

// How much a backend makes of a block
/** As usual. */
export const EMIT_NORMAL = 0;
/** Every memory access looks at the TLB for itself, whatever was seen before. */
export const EMIT_CAREFUL = 1;
/** It is worth to make much of it, if it is a loop. */
export const EMIT_HOT = 2;
/** Added to the others: data are reached by the mirror (see `accel/dbt/mirror.ts`). */
export const EMIT_MIRRORED = 4;
/** Added to the context of blocks that are emitted carefully: they are led to by links alone. */
export const CAREFUL_CONTEXT = 256;

/** Memory a backend works in, from the engine. */
export interface CodeMemory {
  /** Executable memory below 2 GiB. */
  readonly code: HostPages;
  /** Tables generated code refers to by 32-bit addresses. */
  readonly data: HostPages;
}

/** A host backend over one span of code memory. */
export interface Backend {
  /** Translates the stubs the ISA's MMU needs for a context. Called before the first block of it. */
  prepare(context: number, frontEnd: FrontEnd, ram: GuestRam): void;
  /** Whether there is memory for another block. */
  hasRoom(): boolean;
  /**
   * Emits the block in the backend's IR; returns the host address of its code, or 0 when memory is full.
   *
   * @param effort EMIT_*.
   */
  emit(block: number, pcLo: number, pcHi: number, effort: number): number;
  /** Whether the block in the backend's IR is a loop that {@linkcode EMIT_HOT} lets run without looking at the TLB. */
  streams(): boolean;
  /**
   * What is emitted until {@linkcode Backend.endRegion} are blocks that go on in each other: see region.ts of
   * the host backends. Each of them begins with a `get` of the slots given, in their order.
   *
   * @param pcs Low halves of the blocks' pcs, in the order in which they will be emitted.
   * @param slots Integer slots that the blocks carry in registers.
   * @param set For each of them, whether any of the blocks sets it.
   */
  beginRegion(pcs: readonly number[], slots: readonly number[], set: readonly boolean[]): void;
  /** Ends the region. */
  endRegion(): void;
  /** Makes a link jump straight to the code at the given address. */
  link(link: number, code: number): void;
  /** Undoes {@linkcode Backend.link}. */
  unlink(link: number): void;
  /** Lets the lookup stub find a block (replacing another one with the same index). */
  publish(pcLo: number, pcHi: number, ramPage: number, context: number, code: number): void;
  /** Makes the lookup stub forget a block. */
  retract(pcLo: number, pcHi: number, code: number): void;
  /** Throws all code away. */
  clear(): void;
  /** Host FP control word with no flag accrued: the one to start with, and the one the host itself needs. */
  readonly fpControl: number;
  /** Takes the FP flags accrued in a control word: NV 16, DZ 8, OF 4, UF 2, NX 1. */
  fpFlags(control: number): number;
  /** Bytes of code emitted since the last clear. */
  readonly codeBytes: number;
}
