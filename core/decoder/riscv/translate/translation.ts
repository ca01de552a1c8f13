/**
 * What translate functions write to: the block under construction and the instruction being translated.
 *
 * It also decides how a block grows into a superblock. Within the page, direct jumps are followed; a forward
 * branch becomes a hammock if it can (see `hammock.ts`), else a side exit; a backward branch is taken to be a
 * loop's and ends the block with a jump, which the backend turns into a loop when it leads to the block's own
 * entry. Nothing is translated twice in a block. A trace, where there is one, decides all of this but hammocks.
 */
import {
  COND_EQ,
  COND_GE,
  COND_GEU,
  COND_LT,
  COND_LTU,
  COND_NE,
  type Ir,
  OP_FBOX,
  OP_FCANON,
  OP_SEXT32,
  type Value,
} from "../../../translator/ir.ts";
import type { DebugPoints } from "../../../debug/debug_points.ts";
import type { Trace, TranslationHints } from "../../../isa.ts";
import { PAGE_SIZE } from "../../../memory.ts";
import { CONTEXT_FPU_SHIFT, fSlot, xSlot } from "../state.ts";
import { Hammock } from "./hammock.ts";

/** Translates one instruction: `insn` is its 32-bit encoding (expanded if it was compressed). */
export type Translate = (t: Translation, insn: number) => void;

/** A chapter's translate functions by instruction name. */
export type Translations = Readonly<Record<string, Translate>>;

const INVERSE = new Uint8Array(6);
INVERSE[COND_EQ] = COND_NE;
INVERSE[COND_NE] = COND_EQ;
INVERSE[COND_LT] = COND_GE;
INVERSE[COND_GE] = COND_LT;
INVERSE[COND_LTU] = COND_GEU;
INVERSE[COND_GEU] = COND_LTU;

/** Where a block starts and what bounds it. */
export interface BlockPlan {
  /** All of RAM. */
  readonly parcels: Uint16Array;
  /** Index of the page's first halfword. */
  readonly firstParcel: number;
  /** Offset in the page of the first instruction. */
  readonly entryOffset: number;
  /** Most instructions, unless there is a trace. */
  readonly maxInstructions: number;
  /** What is known of the page. */
  readonly hints?: TranslationHints;
  /** Where no hammock may be. */
  readonly debug: DebugPoints;
}

/** A block being translated, one instruction at a time. Reused for every block. */
export class Translation {
  /** The block. */
  ir!: Ir;
  /** Low half of the current instruction's pc. */
  pcLo = 0;
  /** High half of the current instruction's pc. */
  pcHi = 0;
  /** Bytes of the current instruction: 2 or 4. */
  length = 4;
  /** Offset in the page of the next instruction to translate; PAGE_SIZE or more where the page ends. */
  nextOffset = 0;
  /** The context the block is for (see `state.ts`). */
  context = 0;
  // Which halfwords of the page start an instruction of this block: stamped with the block's number.
  readonly #visited = new Int32Array(PAGE_SIZE / 2);
  #block = 0;
  #plan!: BlockPlan;
  // Of the plan
  #maxInstructions = 0;
  #trace: Trace | undefined;
  #stops: TranslationHints["stops"];
  #reach: TranslationHints["reach"];
  /** How far the block has come in the trace. */
  #step = 0;
  readonly #hammock = new Hammock();
  /** Where the ways of the hammock being translated join; -1 outside of one. */
  #joinOffset = -1;
  #targetLo = 0;
  #targetHi = 0;

  /** Starts a block. */
  begin(ir: Ir, plan: BlockPlan): void {
    this.ir = ir;
    this.#plan = plan;
    this.#maxInstructions = plan.maxInstructions;
    this.#trace = plan.hints?.trace;
    this.#stops = plan.hints?.stops;
    this.#reach = plan.hints?.reach;
    this.#step = 0;
    this.#joinOffset = -1;
    this.context = ir.context;
    this.nextOffset = plan.entryOffset;
    this.#block = (this.#block + 1) | 0;
  }

  /** Comes to `nextOffset`. Whether the block goes on there. */
  goesOn(): boolean {
    const { ir, nextOffset } = this;
    const trace = this.#trace;
    if (this.#joinOffset >= 0) {
      if (nextOffset !== this.#joinOffset) return true;
      this.#hammock.join(ir);
      this.#joinOffset = -1;
    }
    if (ir.instructions === 0) return true;
    if (!ir.hasRoom()) return false;
    if (trace) return this.#step < trace.length && trace.offsets[this.#step] === nextOffset;
    return nextOffset < PAGE_SIZE && ir.instructions < this.#maxInstructions &&
      !this.#visits(nextOffset) && !this.#stops?.has(nextOffset);
  }

  /** Whether the instruction at an offset of the page is in the block already. */
  #visits(offset: number): boolean {
    return this.#visited[offset >> 1] === this.#block;
  }

  /** Starts the instruction at `pcLo`, `pcHi`; `length` bytes. */
  startInstruction(pcLo: number, pcHi: number, length: number): void {
    this.pcLo = pcLo;
    this.pcHi = pcHi;
    this.length = length;
    const offset = pcLo & (PAGE_SIZE - 1);
    this.#visited[offset >> 1] = this.#block;
    this.nextOffset = offset + length;
    if (this.#joinOffset < 0) this.#step++;
    this.ir.insn(pcLo, pcHi, this.#reach?.[offset >> 1]);
  }

  /** Where the trace goes after the current instruction. */
  #traced(trace: Trace): number {
    return this.#step < trace.length ? trace.offsets[this.#step] : trace.next;
  }

  // ---- control flow

  /** Sets the target to pc + displacement. */
  #aim(displacement: number): void {
    const sum = (this.pcLo >>> 0) + displacement;
    this.#targetLo = sum | 0;
    this.#targetHi = (this.pcHi + Math.floor(sum / 0x1_0000_0000)) | 0;
  }

  /** The address of the next instruction in memory, as a value. */
  linkAddress(): Value {
    this.#aim(this.length);
    return this.ir.const64(this.#targetLo, this.#targetHi);
  }

  /** pc + displacement as a value. */
  pcRelative(displacement: number): Value {
    this.#aim(displacement);
    return this.ir.const64(this.#targetLo, this.#targetHi);
  }

  /** Ends the block with a jump to pc + displacement. */
  end(displacement: number): void {
    this.#aim(displacement);
    this.ir.jump(this.#targetLo, this.#targetHi);
  }

  /** Ends the block with a jump to an offset of the page, or to the next page. */
  endAt(offset: number): void {
    this.end(offset - (this.pcLo & (PAGE_SIZE - 1)));
  }

  /** Goes on at pc + displacement: within the block if that is in the page and new, else by its end. */
  jump(displacement: number): void {
    const offset = (this.pcLo & (PAGE_SIZE - 1)) + displacement;
    if (this.#trace) {
      if (offset === this.#traced(this.#trace)) this.nextOffset = offset;
      else this.end(displacement);
    } else if (offset >= 0 && offset < PAGE_SIZE && !this.#visits(offset)) this.nextOffset = offset;
    else this.end(displacement);
  }

  /** Goes to pc + displacement if `a cond b`. */
  branch(cond: number, a: Value, b: Value, displacement: number): void {
    const target = (this.pcLo & (PAGE_SIZE - 1)) + displacement;
    if (this.#beginHammock(cond, a, b, target)) return;
    if (this.#trace) {
      const taken = this.#traced(this.#trace) === target;
      if (taken) this.nextOffset = target;
      this.#aim(taken ? this.length : displacement);
      this.ir.branch(taken ? INVERSE[cond] : cond, a, b, this.#targetLo, this.#targetHi);
    } else if (displacement > 0) {
      this.#aim(displacement);
      this.ir.branch(cond, a, b, this.#targetLo, this.#targetHi);
    } else {
      this.#aim(this.length);
      this.ir.branch(INVERSE[cond], a, b, this.#targetLo, this.#targetHi);
      this.end(displacement);
    }
  }

  /** Begins a hammock with the current instruction, a branch, if it makes up one. */
  #beginHammock(cond: number, a: Value, b: Value, target: number): boolean {
    const { ir, nextOffset } = this;
    const hammock = this.#hammock, trace = this.#trace;
    const { parcels, firstParcel, entryOffset, maxInstructions, debug } = this.#plan;
    if (target <= nextOffset || target >= PAGE_SIZE || target === entryOffset) return false;
    if (!hammock.find(parcels, firstParcel + nextOffset / 2, target - nextOffset)) return false;
    const { instructions } = hammock;
    if (debug.armed && this.#breaksBefore(debug, target)) return false;
    if (!ir.hasRoom(1 + instructions)) return false;
    if (trace) {
      // Either way the trace is taken to come to the target, with the instructions or without.
      const through = this.#traced(trace) === target ? 0 : instructions;
      if (this.#step + through > trace.length) return false;
      this.#step += through;
    } else {
      if (ir.instructions + instructions > maxInstructions) return false;
      for (let offset = nextOffset; offset <= target; offset += 2) if (this.#visits(offset)) return false;
    }
    hammock.begin(ir, cond, a, b);
    this.#joinOffset = target;
    return true;
  }

  /** Whether there is a breakpoint between the current instruction, a branch, and an offset of the page. */
  #breaksBefore(debug: DebugPoints, target: number): boolean {
    const page = this.pcLo & ~(PAGE_SIZE - 1);
    for (let offset = this.nextOffset; offset < target; offset += 2) {
      if (debug.hasBreakpoint(page | offset, this.pcHi)) return true;
    }
    return false;
  }

  /** Goes to the pc in a value. */
  jumpIndirect(pc: Value): void {
    const next = this.#trace ? this.#traced(this.#trace) : -1;
    if (next < 0) return this.ir.jumpIndirect(pc);
    this.nextOffset = next;
    this.ir.exitUnlessPc(pc, this.pcLo & ~(PAGE_SIZE - 1) | next, this.pcHi);
  }

  /** Ends the block at the next instruction, which runs in another context. */
  continueInContext(context: number): void {
    this.#aim(this.length);
    if (context === this.context) this.ir.jump(this.#targetLo, this.#targetHi);
    else this.ir.jumpContext(context, this.#targetLo, this.#targetHi);
  }

  // ---- registers

  /** Integer register i. */
  x(i: number): Value {
    return i === 0 ? this.ir.const(0) : this.ir.get(xSlot(i));
  }

  /** Sets integer register i. */
  setX(i: number, value: Value): void {
    if (i !== 0) this.ir.set(xSlot(i), value);
  }

  /** Sets integer register i to the sign extension of the low half of a value. */
  setW(i: number, value: Value): void {
    if (i !== 0) this.ir.set(xSlot(i), this.ir.un(OP_SEXT32, value));
  }

  /** FP register i in the given format (4 or 8 bytes), as it is architecturally. */
  f(i: number, size: number): Value {
    return size === 8 ? this.ir.fget(fSlot(i)) : this.ir.fgetSingle(fSlot(i));
  }

  /**
   * FP register i as an operand of arithmetic: what a NaN's payload is does not matter, so a value that was
   * canonicalised in this block is taken as it was before.
   */
  fOperand(i: number, size: number): Value {
    const value = this.f(i, size);
    return this.ir.op[value] === OP_FCANON ? this.ir.a[value] : value;
  }

  /** FP register i where only its low `size` bytes matter, NaN-boxed or not. */
  fBits(i: number, size: number): Value {
    const value = this.ir.fget(fSlot(i));
    return size === 4 && this.ir.op[value] === OP_FBOX ? this.ir.a[value] : value;
  }

  /** Sets FP register i to a value of the given format. */
  setF(i: number, size: number, value: Value): void {
    this.ir.fset(fSlot(i), size, value);
  }

  /** Sets FP register i to the result of arithmetic, whose NaNs become canonical. */
  setArithmetic(i: number, size: number, value: Value): void {
    this.setF(i, size, this.ir.fop(OP_FCANON, size, value));
  }

  /** The MMU index, which is also what tells the privilege mode: MMU_*. */
  get mmuIndex(): number {
    return this.context & 3;
  }

  /** State of the FPU: CONTEXT_FPU_OFF, _CLEAN or _DIRTY. */
  get fpu(): number {
    return this.context >> CONTEXT_FPU_SHIFT & 3;
  }
}
