/**
 * IR → x86-64: one forward pass over a block that allocates registers and emits code; cold code (TLB misses,
 * side exits, rare values) follows the hot path.
 *
 * A block:
 *
 *     entry:  (a loop loads what it carries in registers)
 *     head:   sub   r15d, N          the whole block's instructions are paid for in advance
 *             js    cold             not enough left: leave, the interpreter runs the rest
 *             …                      side exits give back what they did not use
 *             end of block           (a loop: jmp head)
 *             cold code
 */
import { Ir, OP_CONST, OP_INSN, OP_JUMP } from "../../ir.ts";
import { STATE_EPOCH_CONTEXT } from "../../layout.ts";
import { Allocator } from "./allocator.ts";
import { ALU_CMP, ALU_SUB, Assembler } from "./assembler.ts";
import { registerControl } from "./control.ts";
import type { ExitTables } from "./exits.ts";
import { registerFloat } from "./float.ts";
import { registerInteger } from "./integer.ts";
import { registerMemory } from "./memory.ts";
import { BUDGET, CC_NE, CC_S, RAX, RCX, STATE, STATE_BIAS } from "./registers.ts";
import { Streams, takeBudgetBack } from "./streams.ts";
import type { Stubs } from "./stubs.ts";

const EMIT: ((e: Emitter, i: number) => void)[] = [];
registerControl(EMIT);
registerInteger(EMIT);
registerMemory(EMIT);
registerFloat(EMIT);

// Kinds of cold code
const COLD_MEMORY = 0;
const COLD_INTERPRET = 1;
const COLD_STORES = 2;
const COLD_CODE = 3;
const MAX_COLD = 1024;
const MAX_LABELS = 64;

/** Emits one block or stub at a time. */
export class Emitter {
  readonly alloc: Allocator;
  /** The guest pc of the block's entry. */
  pcLo = 0;
  pcHi = 0;
  /** Number of the instruction being emitted, from 0. */
  instruction = 0;
  /** Whether the code being emitted runs in rounds that were paid for, so that exits have budget to take back. */
  streaming = false;
  readonly #streams: Streams;
  #blockId = 0;
  #insn = 0;
  #head = 0;
  // Cold code still to be emitted
  #coldLength = 0;
  readonly #coldKind = new Uint8Array(MAX_COLD);
  readonly #coldFrom = new Int32Array(MAX_COLD);
  readonly #coldBack = new Int32Array(MAX_COLD);
  readonly #coldA = new Int32Array(MAX_COLD);
  readonly #coldB = new Int32Array(MAX_COLD);
  readonly #coldC = new Int32Array(MAX_COLD);
  readonly #coldCode: (() => void)[] = [];
  readonly #stores = new Int32Array(1 << 16);
  #storesLength = 0;
  readonly #labels = new Int32Array(MAX_LABELS);
  readonly #fixups: number[] = [];

  constructor(
    readonly ir: Ir,
    readonly asm: Assembler,
    readonly exits: ExitTables,
    readonly stubs: Stubs,
  ) {
    this.alloc = new Allocator(ir, asm);
    this.#streams = new Streams(ir);
  }

  /**
   * Emits the block in `ir` at the assembler's position; returns the position of its entry.
   *
   * @param hot Whether it is worth to make much of it, if it is a loop.
   */
  emitBlock(blockId: number, pcLo: number, pcHi: number, hot: boolean): number {
    const { ir, asm, alloc } = this;
    this.#blockId = blockId;
    this.pcLo = pcLo;
    this.pcHi = pcHi;
    this.instruction = 0;
    this.#coldLength = 0;
    this.#storesLength = 0;
    const entry = asm.pos;
    const last = ir.length - 1;
    const loops = ir.op[last] === OP_JUMP && ir.lo[last] === pcLo && ir.hi[last] === pcHi;
    if (loops && hot && this.#streams.find()) {
      this.#emitStreams(last);
      return entry;
    }
    alloc.begin();
    if (loops) alloc.enterLoop();
    this.#emitChecked(loops ? last : ir.length);
    if (loops) {
      alloc.closeLoop(true);
      asm.jmpTo(this.#head);
    }
    this.#emitCold();
    return entry;
  }

  /** Emits the check of the budget, and ops up to number n. */
  #emitChecked(n: number): void {
    const { asm } = this;
    const block = this.#blockId;
    this.#head = asm.pos;
    asm.aluImm(ALU_SUB, 0, BUDGET, this.ir.instructions);
    this.coldStores(asm.jcc(CC_S), () => {
      asm.movImm(RAX, block, 0);
      asm.jmpTo(this.stubs.budget);
    });
    this.#emitOps(n);
  }

  /** Emits a loop with streams (see streams.ts), up to its last op. */
  #emitStreams(last: number): void {
    const { ir, asm, alloc } = this;
    const entry = asm.pos;
    const careful: number[] = [];
    this.#streams.emitCheck(asm, careful);
    this.streaming = true;
    alloc.begin();
    alloc.enterLoop();
    const head = asm.pos;
    this.#emitOps(last);
    asm.aluImm(ALU_SUB, 0, BUDGET, ir.instructions);
    this.coldStores(asm.jcc(CC_S), () => {
      asm.lea(0, BUDGET, BUDGET, ir.instructions);
      takeBudgetBack(asm);
      asm.jmpTo(entry);
    });
    alloc.closeLoop(false);
    asm.jmpTo(head);
    this.streaming = false;
    this.#emitCold();
    this.#streams.restore();

    for (const at of careful) asm.bind(at);
    this.#coldLength = 0;
    this.#storesLength = 0;
    alloc.begin();
    this.#emitChecked(last);
    alloc.storeDirty();
    asm.jmpTo(entry);
    this.#emitCold();
  }

  /** Emits the stub in `ir`; returns its position. */
  emitStub(): number {
    const { asm } = this;
    this.#coldLength = 0;
    this.#labels.fill(-1);
    this.#fixups.length = 0;
    const entry = asm.pos;
    this.alloc.begin();
    this.#emitOps(this.ir.length);
    for (let i = 0; i < this.#fixups.length; i += 2) {
      const at = this.#fixups[i];
      asm.patch32(at, this.#labels[this.#fixups[i + 1]] - (at + 4));
    }
    return entry;
  }

  #emitOps(n: number): void {
    const { ir, alloc } = this;
    for (let i = 0; i < n; i++) {
      const op = ir.op[i];
      if (op === OP_INSN) {
        this.instruction = ir.a[i];
        this.#insn = i;
      } else if (op !== OP_CONST && alloc.dead[i] === 0) {
        alloc.at = i;
        EMIT[op](this, i);
        alloc.done();
      }
    }
  }

  // ---- exits

  /** An exit site at the start of the current instruction, with what is dirty now. */
  #newSite(always = false): number {
    const delta = (this.ir.lo[this.#insn] - this.pcLo) | 0;
    return this.exits.addSite(this.#blockId, this.instruction, delta, always, this.alloc);
  }

  /** On a TLB miss (jump at `from`): refill and come back here, or leave. */
  coldMemory(from: number, kind: number, base: number, disp: number): void {
    const c = this.#cold(COLD_MEMORY, from);
    this.#coldBack[c] = this.asm.pos;
    this.#coldA[c] = this.#newSite();
    this.#coldB[c] = base | (kind << 8);
    this.#coldC[c] = disp;
  }

  /** The jump at `from` leads to the interpreter, at the current instruction. */
  coldInterpret(from: number): void {
    const c = this.#cold(COLD_INTERPRET, from);
    this.#coldA[c] = this.#newSite();
  }

  /** The jump at `from` leads to stores of all that is dirty now, then to `code`. */
  coldStores(from: number, code: () => void): void {
    const c = this.#cold(COLD_STORES, from);
    this.#coldA[c] = this.#storesLength;
    this.#storesLength = this.alloc.describe(this.#stores, this.#storesLength);
    this.#coldB[c] = this.#storesLength;
    this.#coldCode[c] = code;
  }

  /** The jump at `from` leads to `code`, which then comes back here. */
  cold(from: number, code: () => void): void {
    const c = this.#cold(COLD_CODE, from);
    this.#coldBack[c] = this.asm.pos;
    this.#coldCode[c] = code;
  }

  /** Leaves unconditionally: the interpreter executes the current instruction. */
  interpretHere(): void {
    this.asm.movImm(RAX, this.#newSite(true), 0);
    this.asm.jmpTo(this.stubs.site);
  }

  #cold(kind: number, from: number): number {
    const c = this.#coldLength++;
    this.#coldKind[c] = kind;
    this.#coldFrom[c] = from;
    return c;
  }

  #emitCold(): void {
    const { asm } = this;
    for (let c = 0; c < this.#coldLength; c++) {
      asm.bind(this.#coldFrom[c]);
      switch (this.#coldKind[c]) {
        case COLD_MEMORY:
          asm.pushImm(this.#coldA[c]);
          asm.lea(1, RAX, this.#coldB[c] & 255, this.#coldC[c]);
          asm.callTo(this.stubs.refill(this.ir.context & 3, this.#coldB[c] >> 8));
          asm.jmpTo(this.#coldBack[c]);
          break;
        case COLD_INTERPRET:
          asm.movImm(RAX, this.#coldA[c], 0);
          asm.jmpTo(this.stubs.site);
          break;
        case COLD_STORES:
          this.alloc.storeDescribed(this.#stores, this.#coldA[c], this.#coldB[c]);
          this.#coldCode[c]();
          break;
        case COLD_CODE:
          this.#coldCode[c]();
          asm.jmpTo(this.#coldBack[c]);
          break;
      }
    }
  }

  // ---- jumps between blocks

  /** A direct jump within the page, to be patched once its target is translated. */
  linkJump(lo: number): void {
    const { asm } = this;
    const link = this.exits.addLink(this.#blockId, asm.pos, lo);
    asm.byte(0xb8); // mov eax, link: five bytes, overwritten by a jmp when linked
    asm.int32(link);
    asm.jmpTo(this.stubs.link);
  }

  /** A direct jump to another page: through a cell that is good while no fetch translation is dropped. */
  cellJump(lo: number, hi: number): void {
    const { asm } = this;
    const cell = this.exits.addCell(lo, hi);
    asm.load(0, RCX, STATE, STATE_EPOCH_CONTEXT - STATE_BIAS);
    asm.aluAbsolute(ALU_CMP, RCX, cell);
    const stale = asm.jccShort(CC_NE);
    asm.jmpAbsolute(cell + 8);
    asm.bindShort(stale);
    asm.movImm(RCX, cell, 0);
    asm.jmpTo(this.stubs.lookupCell);
  }

  // ---- labels (stubs)

  placeLabel(label: number): void {
    this.#labels[label] = this.asm.pos;
    this.alloc.forgetAll();
  }

  jumpToLabel(at: number, label: number): void {
    this.#fixups.push(at, label);
  }
}
