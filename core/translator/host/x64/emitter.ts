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
import {
  Ir,
  OP_BRANCH,
  OP_CONST,
  OP_GET,
  OP_INSN,
  OP_JUMP,
  OP_LOAD,
  OP_SET,
  OP_STORE,
  REACHES_UNKNOWN,
} from "../../ir.ts";
import { EMIT_CAREFUL, EMIT_HOT, EMIT_MIRRORED } from "../../backend.ts";
import { STATE_EPOCH_CONTEXT } from "../../layout.ts";
import { LEAVES, OP_INFO } from "../../op_info.ts";
import { Allocator } from "./allocator.ts";
import { ALU_CMP, ALU_SUB, Assembler } from "./assembler.ts";
import { ColdCode } from "./cold.ts";
import { branch, registerControl } from "./control.ts";
import { JoinedStores } from "./joined_stores.ts";
import { Groups, keepsRcx, setsAddend } from "./groups.ts";
import type { FaultTable } from "./fault_table.ts";
import { MirrorChecks } from "./mirror_checks.ts";
import type { ExitTables } from "./exits.ts";
import { registerFloat } from "./float.ts";
import { registerInteger } from "./integer.ts";
import { load, loadStreamAddend, registerMemory, store } from "./memory.ts";
import { BUDGET, CC_NE, CC_NS, CC_S, RAX, RCX, STATE, STATE_BIAS } from "./registers.ts";
import type { Region } from "./region.ts";
import { streamCell, Streams, takeBudgetBack } from "./streams.ts";
import type { Stubs } from "./stubs.ts";

const EMIT: ((e: Emitter, i: number) => void)[] = [];
registerControl(EMIT);
registerInteger(EMIT);
registerMemory(EMIT);
registerFloat(EMIT);

const MAX_LABELS = 64;
const NOWHERE: readonly number[] = [];

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
  /** Whether accesses are made by the mirror, where it is known what they reach: see `memory.ts`. */
  mirrored = false;
  readonly mirrorChecks: MirrorChecks;
  readonly joined: JoinedStores;
  readonly groups: Groups;
  readonly cold: ColdCode = new ColdCode(this);
  /** Whose addend rcx holds: a group's, or what memory.ts has numbers for; -1: nobody's. */
  addendOf = -1;
  readonly streams: Streams;
  #region: Region | undefined;
  #blockId = 0;
  #insn = 0;
  #head = 0;
  /** Behind the head's check of the budget. */
  #paid = 0;
  readonly #edge = new Int32Array(1024);
  readonly #labels = new Int32Array(MAX_LABELS);
  readonly #fixups: number[] = [];

  constructor(
    readonly ir: Ir,
    readonly asm: Assembler,
    readonly exits: ExitTables,
    readonly stubs: Stubs,
    readonly faults: FaultTable,
  ) {
    this.alloc = new Allocator(ir, asm);
    this.groups = new Groups(ir);
    this.mirrorChecks = new MirrorChecks(ir);
    this.joined = new JoinedStores(ir);
    this.streams = new Streams(ir);
  }

  /**
   * Emits the block in `ir` at the assembler's position; returns the position of its entry.
   *
   * @param effort EMIT_*.
   */
  emitBlock(blockId: number, pcLo: number, pcHi: number, effort: number): number {
    const { ir, asm } = this;
    this.#blockId = blockId;
    this.pcLo = pcLo;
    this.pcHi = pcHi;
    this.instruction = 0;
    this.cold.clear();
    this.mirrored = (effort & EMIT_MIRRORED) !== 0 && this.faults.hasRoom();
    const entry = asm.pos;
    const last = ir.length - 1;
    const wide = this.#emitGuards();
    this.#emitBody(last, effort);
    if (wide.length > 0) {
      for (const at of wide) asm.bind(at);
      this.linkJump(pcLo, true);
    }
    return entry;
  }

  /** Checks that slots hold sign extensions; returns the positions of jumps that lead to where they do not. */
  #emitGuards(): readonly number[] {
    const { asm, ir } = this;
    if (ir.assumed.length === 0) return NOWHERE;
    return ir.assumed.map((slot) => {
      asm.loadSized(4, true, RAX, STATE, -1, slot - STATE_BIAS);
      asm.aluMem(ALU_CMP, 1, RAX, STATE, slot - STATE_BIAS);
      return asm.jcc(CC_NE);
    });
  }

  #emitBody(last: number, effort: number): void {
    const { ir, asm, alloc, pcLo, pcHi } = this;
    const loops = ir.op[last] === OP_JUMP && ir.lo[last] === pcLo && ir.hi[last] === pcHi;
    if (this.mirrored) {
      this.mirrorChecks.find();
      this.joined.find(this.mirrorChecks);
    } else this.joined.clear();
    if (loops && (effort & EMIT_HOT) !== 0 && !this.#region && this.streams.find()) {
      this.groups.clear();
      this.#emitStreams(last);
      return;
    }
    if (effort === EMIT_CAREFUL) this.groups.clear();
    else this.groups.find(this.mirrored);
    alloc.begin();
    if (this.#region) {
      alloc.enterRegion(this.#region.slots, this.#region.set);
      this.#region.place(pcLo, asm.pos);
      this.#emitChecked(ir.length);
      this.cold.emit();
      return;
    }
    if (loops) alloc.enterLoop();
    this.#emitChecked(loops ? last : ir.length);
    if (loops) {
      alloc.closeLoop(true);
      // What the head does, but for the way that is hardly ever taken.
      asm.aluImm(ALU_SUB, 0, BUDGET, ir.instructions);
      asm.jccTo(CC_NS, this.#paid);
      asm.lea(0, BUDGET, BUDGET, ir.instructions);
      asm.jmpTo(this.#head);
    }
    this.cold.emit();
  }

  /** Whether the block, a loop, has streams. */
  hasStreams(): boolean {
    const found = this.streams.find();
    this.streams.restore();
    return found;
  }

  /** Emits the check of the budget, and ops up to number n. */
  #emitChecked(n: number): void {
    const { asm } = this;
    this.#head = asm.pos;
    asm.aluImm(ALU_SUB, 0, BUDGET, this.ir.instructions);
    this.cold.budget(asm.jcc(CC_S));
    this.#paid = asm.pos;
    this.addendOf = -1;
    this.#emitOps(n);
  }

  /** Emits a loop with streams (see streams.ts), up to its last op. */
  #emitStreams(last: number): void {
    const { ir, asm, alloc } = this;
    const entry = asm.pos;
    const careful: number[] = [];
    this.streams.emitCheck(asm, careful);
    this.streaming = true;
    const head = this.#emitRounds(last);
    const out = () => {
      asm.lea(0, BUDGET, BUDGET, ir.instructions);
      takeBudgetBack(asm);
      asm.jmpTo(entry);
    };
    asm.aluImm(ALU_SUB, 0, BUDGET, ir.instructions);
    if (alloc.isClosed()) {
      asm.jccTo(CC_NS, head);
      this.cold.stores(asm.jmp(), out);
    } else {
      this.cold.stores(asm.jcc(CC_S), out);
      alloc.closeLoop(false);
      asm.jmpTo(head);
    }
    this.streaming = false;
    this.cold.emit();
    this.streams.restore();

    for (const at of careful) asm.bind(at);
    this.cold.clear();
    alloc.begin();
    this.#emitChecked(last);
    alloc.storeDirty();
    asm.jmpTo(entry);
    this.cold.emit();
  }

  /**
   * Emits what a loop with streams loads, and its ops up to its last one; returns the position of the loop's head.
   * What is emitted first shows which registers are left for the streams' addends. With these, it is emitted again.
   */
  #emitRounds(last: number): number {
    const { asm, streams } = this;
    const start = asm.pos;
    const head = this.#emitRoundsWith(last, NOWHERE);
    const spare = this.alloc.unused();
    const keepsRcx = this.#keepsRcx(last);
    if (spare.length === 0 && !(keepsRcx && streams.count === 1)) return head;
    asm.pos = start;
    this.cold.clear();
    return this.#emitRoundsWith(last, spare, keepsRcx);
  }

  #emitRoundsWith(last: number, spare: readonly number[], keepsRcx = false): number {
    const { asm, alloc, streams } = this;
    alloc.begin();
    alloc.enterLoop();
    if (this.#leavesByBranches()) alloc.beLazy();
    const order = streams.byUse();
    order.slice(0, spare.length).forEach((stream, k) => {
      streams.registers[stream] = spare[k];
      alloc.reserve(spare[k]);
      asm.load(1, spare[k], STATE, streamCell(stream));
    });
    this.addendOf = -1;
    // A single one that is left stays in rcx.
    if (keepsRcx && order.length === spare.length + 1) loadStreamAddend(this, order[spare.length]);
    const head = asm.pos;
    this.#emitOps(last);
    return head;
  }

  /** Whether no op before the last one changes rcx for anything but an addend. */
  #keepsRcx(last: number): boolean {
    for (let i = 0; i < last; i++) {
      if (this.alloc.dead[i] === 0 && !this.#keepsAddend(i)) return false;
    }
    return true;
  }

  /** Whether nothing leaves the block but branches, whose exits store by emitted code. */
  #leavesByBranches(): boolean {
    const { ir } = this;
    for (let i = 0; i < ir.length; i++) {
      const op = ir.op[i];
      if ((OP_INFO[op] & LEAVES) !== 0 && op !== OP_BRANCH && op !== OP_JUMP) return false;
    }
    return true;
  }

  /** Emits the stub in `ir`; returns its position. */
  emitStub(): number {
    const { asm } = this;
    this.cold.clear();
    this.groups.clear();
    this.mirrored = false;
    this.#labels.fill(-1);
    this.#fixups.length = 0;
    const entry = asm.pos;
    this.alloc.begin();
    this.addendOf = -1;
    this.#emitOps(this.ir.length);
    for (let i = 0; i < this.#fixups.length; i += 2) {
      const at = this.#fixups[i];
      asm.bind(at, this.#labels[this.#fixups[i + 1]]);
    }
    return entry;
  }

  #emitOps(n: number): void {
    const { ir, alloc } = this;
    // Half of all ops only name what a slot holds: they need neither the table nor all that comes behind other ops.
    // Direct calls of what is frequent take less time than those by way of the table, too.
    const named = !ir.stub && !alloc.lazy;
    for (let i = 0; i < n; i++) {
      const op = ir.op[i];
      if (op === OP_INSN) {
        this.instruction = ir.a[i];
        this.#insn = i;
      } else if (op !== OP_CONST && alloc.dead[i] === 0) {
        alloc.at = i;
        if (named && op === OP_GET) {
          alloc.getSlot(ir.a[i]);
          continue;
        }
        if (named && op === OP_SET) {
          alloc.setSlot(ir.a[i], ir.b[i]);
          alloc.doneSetting(ir.b[i]);
          continue;
        }
        if (!alloc.lazy || !alloc.defers()) {
          if (op === OP_LOAD) load(this, i);
          else if (op === OP_STORE) store(this, i);
          else if (op === OP_BRANCH) branch(this, i);
          else EMIT[op](this, i);
        }
        alloc.done();
        if (this.addendOf >= 0 && !this.#keepsAddend(i)) this.addendOf = -1;
      }
    }
  }

  /** Whether rcx still holds behind an op what `addendOf` says: accesses see to that themselves. */
  #keepsAddend(i: number): boolean {
    const op = this.ir.op[i];
    return setsAddend(op) || keepsRcx(op);
  }

  // ---- exits

  /** An exit site at the start of the current instruction, with what is dirty now. */
  newSite(always = false): number {
    const delta = (this.ir.lo[this.#insn] - this.pcLo) | 0;
    return this.exits.addSite(this.#blockId, this.instruction, delta, always, this.alloc);
  }

  /** REACHES_* of the current instruction; REACHES_UNKNOWN where the block does not use the mirror. */
  get reach(): number {
    return this.mirrored ? this.ir.b[this.#insn] : REACHES_UNKNOWN;
  }

  /** Low half of the current instruction's pc. */
  get instructionPcLo(): number {
    return this.ir.lo[this.#insn];
  }

  /** Leaves at the block's head. All state is stored. */
  outOfBudget(): void {
    this.asm.movImm(RAX, this.#blockId, 0);
    this.asm.jmpTo(this.stubs.budget);
  }

  /** Leaves unconditionally: the interpreter executes the current instruction. */
  interpretHere(): void {
    this.asm.movImm(RAX, this.newSite(true), 0);
    this.asm.jmpTo(this.stubs.site);
  }

  // ---- jumps between blocks

  /** Whether a jump to a pc stays in the region that is being emitted. */
  staysInRegion(lo: number, hi: number): boolean {
    return hi === this.pcHi && this.#region !== undefined && this.#region.has(lo);
  }

  /** Goes on in another block of the region. */
  edge(lo: number): void {
    const end = this.alloc.describeEdge(this.#edge, 0);
    this.alloc.stores.emitEdge(this.#edge, 0, end);
    this.jumpToHead(lo);
  }

  /** Jumps to the head of a block of the region; everything is where that wants it. */
  jumpToHead(lo: number): void {
    this.#region!.jump(this.asm, lo);
  }

  /** Starts a region: see region.ts. */
  beginRegion(region: Region): void {
    this.#region = region;
  }

  /** Ends the region, all of whose blocks were emitted. */
  endRegion(): void {
    this.#region!.link(this.asm);
    this.#region = undefined;
  }

  /** A direct jump within the page, to be patched once its target is translated; to its careful variant or not. */
  linkJump(lo: number, careful = false): void {
    const { asm } = this;
    const link = this.exits.addLink(this.#blockId, asm.pos, lo, careful);
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
