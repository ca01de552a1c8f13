/**
 * Where values are while a block is emitted: in a host register, in memory, or nowhere yet.
 *
 * One forward pass, no graph. A state slot's current content is a value too: `get` gives the value a name
 * and loads nothing; `set` only renames ("slot s now holds value v, dirty"). Dirty slots are stored when the
 * block ends, in the cold code of side exits, or when the register is needed for something else. At an exit
 * the interpreter will take over from, no code is emitted: the engine finds the registers in the register
 * dump by a table ({@linkcode Allocator.describe}).
 */
import { Ir, IR_CAPACITY, OP_CONST, OP_FGET, OP_FSET, OP_GET, OP_INSN, OP_SET } from "../../ir.ts";
import {
  DEFINES_FP,
  LEAVES,
  OP_INFO,
  USES_A,
  USES_B,
  USES_C,
  USES_D,
  USES_LO,
  USES_MORE,
} from "../../op_info.ts";
import { STATE_SCRATCH, STATE_SCRATCH_BYTES, STATE_SLOTS } from "../../layout.ts";
import { Liveness, NEVER } from "../../liveness.ts";
import type { Assembler } from "./assembler.ts";
import { finalValue, setsFirst } from "./loop_slots.ts";
import { leavesOf, type Place } from "./recompute.ts";
import { FIRST_VALUE_XMM, RDX, STATE, STATE_BIAS, VALUE_REGISTERS } from "./registers.ts";
import {
  Stores,
  WHERE_CONST,
  WHERE_DEFERRED,
  WHERE_MEMORY,
  WHERE_SINGLE,
  WHERE_SLOT,
  WHERE_SMALL_CONST,
  XMM,
} from "./stores.ts";

const NONE = -1;
const FIRST_SPILL = STATE_SCRATCH + 16;
const SPILLS = (STATE_SCRATCH_BYTES - 16) >> 3;

const VALUE_REGISTER_BITS = VALUE_REGISTERS.reduce((bits, r) => bits | 1 << r, 0);
/** Handed out last. The others are handed out in the order of their numbers. */
const LAST_VALUE_REGISTER = RDX;

/** Slots a loop carries in registers, at most: some registers are left for everything else. */
const MOST_CARRIED = 9;
const MOST_CARRIED_XMM = 10;

/** Liveness and register assignment for one block at a time. */
export class Allocator {
  readonly #live = new Liveness();
  readonly #lastUse = this.#live.lastUse;
  /** 1 where an op is dead and emits nothing. */
  readonly dead: Uint8Array = this.#live.dead;
  /** Register a value is in, or -1. */
  readonly reg: Int8Array = new Int8Array(IR_CAPACITY);
  /** State offset a value can be reloaded from, or -1. */
  readonly home: Int32Array = new Int32Array(IR_CAPACITY);
  /** Number of dirty slots that hold a value. */
  readonly dirtyCount: Uint8Array = new Uint8Array(IR_CAPACITY);
  readonly #holder = new Int32Array(32).fill(NONE);
  /** Registers that hold a value, as bits. */
  #occupied = 0;
  readonly #slotValue = new Int32Array(STATE_SLOTS);
  readonly #slotStamp = new Int32Array(STATE_SLOTS);
  readonly #dirtySlots = new Int32Array(STATE_SLOTS);
  #dirtyLength = 0;
  /** By slot: the block's stamp where it is among the dirty ones. */
  readonly #dirtyStamp = new Int32Array(STATE_SLOTS);
  #stamp = 0;
  readonly #scratch = new Int32Array(8);
  readonly #spillUsed = new Uint8Array(SPILLS);
  #hasSpilled = false;
  #pinned = 0;
  /** Registers that are not handed out in this block. */
  #reserved = 0;
  /** Registers that were handed out in this block. */
  #used = 0;
  #nextXmmVictim = 0;
  // Slots that a loop carries in registers from one round to the next: slot, register, value at the head.
  readonly #carriedSlot = new Int32Array(MOST_CARRIED + MOST_CARRIED_XMM);
  readonly #carriedReg = new Int32Array(MOST_CARRIED + MOST_CARRIED_XMM);
  readonly #carriedValue = new Int32Array(MOST_CARRIED + MOST_CARRIED_XMM);
  #carried = 0;
  readonly #uses = this.#live.uses;
  /** The op being emitted. */
  at = 0;
  /**
   * Whether values that only exits want may be left in scratch memory, or be computed there: what an exit stores
   * is then emitted code, never a table for the engine.
   */
  lazy = false;
  /** 1 where a value is what some slot holds at the end of the block. */
  readonly #held = new Uint8Array(IR_CAPACITY);
  /** 1 where a value is computed at exits. */
  readonly #deferred = new Uint8Array(IR_CAPACITY);
  /** 1 where a value is needed to compute another one at exits. */
  readonly #leaf = new Uint8Array(IR_CAPACITY);

  /** Emits what is described. */
  readonly stores: Stores;

  constructor(readonly ir: Ir, readonly asm: Assembler) {
    this.stores = new Stores(ir, asm);
  }

  /** Starts a block: liveness, dead code, empty registers. */
  begin(): void {
    const n = this.ir.length;
    this.#stamp++;
    this.#dirtyLength = 0;
    this.forgetAll();
    this.#pinned = this.#reserved = 0;
    const { reg, home, dirtyCount } = this;
    for (let i = 0; i < n; i++) {
      reg[i] = home[i] = NONE;
      dirtyCount[i] = 0;
    }
    this.#carried = 0;
    this.lazy = false;
    this.#live.analyse(this.ir);
  }

  /** Integer registers that were handed out for nothing so far. */
  unused(): readonly number[] {
    return VALUE_REGISTERS.filter((r) => (this.#used & 1 << r) === 0);
  }

  /** Keeps a register, which holds nothing, from being handed out in this block. */
  reserve(r: number): void {
    this.#reserved |= 1 << r;
    this.#pinned |= 1 << r;
  }

  // ---- values that only exits want

  /** Lets the block's values be lazy. Call this once the loop was entered. */
  beLazy(): void {
    const { ir } = this;
    this.lazy = true;
    this.#held.fill(0, 0, ir.length);
    this.#deferred.fill(0, 0, ir.length);
    this.#leaf.fill(0, 0, ir.length);
    const seen = new Set<number>();
    for (let i = ir.length - 1; i >= 0; i--) {
      if (ir.op[i] !== OP_SET || seen.has(ir.a[i])) continue;
      seen.add(ir.a[i]);
      this.#held[ir.b[i]] = 1;
    }
  }

  /** Whether a value is somewhere to be found at every exit after the current op. */
  #atHand(v: number): boolean {
    if (this.#deferred[v] !== 0) return false;
    const { ir } = this;
    return ir.op[v] === OP_CONST || this.#held[v] !== 0 ||
      ir.op[v] === OP_GET && finalValue(this.ir, ir.a[v]) < 0;
  }

  /** Makes a value one that is computed at exits, if it can be. */
  #defer(v: number): boolean {
    if (this.#leaf[v] !== 0) return false;
    const leaves = leavesOf(this.ir, v, (value) => this.#atHand(value));
    if (leaves === undefined) return false;
    for (const leaf of leaves) this.#leaf[leaf] = 1;
    this.#deferred[v] = 1;
    return true;
  }

  /** Whether the loop's next round sets a slot before anyone can want what it holds. */
  #isOnlyForExits(slot: number): boolean {
    return !this.#carries(slot) && setsFirst(this.ir, slot);
  }

  /** Whether the current op is left to the exits: all that is made of its result is to set a slot. */
  defers(): boolean {
    const { ir, at } = this;
    const set = this.#lastUse[at];
    if (set < 0 || ir.op[set] !== OP_SET || this.#live.nextUse(ir, at, at + 1) !== set) return false;
    return this.#isOnlyForExits(ir.a[set]) && this.#defer(at);
  }

  /** Where a value is that is at hand. */
  #place(v: number): Place {
    return this.reg[v] >= 0 ? this.reg[v] : ~this.home[v];
  }

  #describeLazy(out: Int32Array, n: number, v: number): number {
    if (this.#deferred[v] === 0) {
      out[n++] = WHERE_MEMORY;
      out[n++] = this.home[v];
      return n;
    }
    const [a, b] = leavesOf(this.ir, v, (value) => this.#atHand(value))!;
    out[n++] = WHERE_DEFERRED;
    out[n++] = v;
    out[n++] = a;
    out[n++] = this.#place(a);
    out[n++] = b === undefined ? 0 : this.#place(b);
    return n;
  }

  // ---- loops

  /**
   * Prepares a block that ends with a jump to its own entry: chooses which slots stay in registers around
   * the loop and loads them. What follows is the loop's head, where a carried slot that the loop sets counts
   * as dirty: memory is behind from the second round on.
   */
  enterLoop(): void {
    const { ir } = this;
    const n = ir.length;
    this.#live.countUses(ir);
    this.#carried = 0;
    this.at = 0;
    this.#carry(OP_GET, MOST_CARRIED);
    this.#carry(OP_FGET, MOST_CARRIED_XMM);
    for (let i = 0; i < n; i++) {
      if ((ir.op[i] !== OP_GET && ir.op[i] !== OP_FGET) || this.dead[i] !== 0) continue;
      this.at = i;
      this.getSlot(ir.a[i]);
    }
    for (let c = 0; c < this.#carried; c++) this.#enter(c, finalValue(this.ir, this.#carriedSlot[c]) >= 0);
  }

  /** Loads a carried slot. What is `dirty` is behind in memory whenever the head is come to from within. */
  #enter(c: number, dirty: boolean): void {
    const n = this.ir.length;
    const v = this.#carriedValue[c], slot = this.#carriedSlot[c], r = this.#carriedReg[c];
    this.#assign(v, r);
    this.#load(v, r);
    if (dirty) {
      this.home[v] = NONE;
      this.#addDirty(slot >> 3);
      this.dirtyCount[v]++;
    } else this.#lastUse[v] = n;
  }

  /**
   * Prepares a block of a region, all of whose blocks carry the same slots from one to the next. The block
   * begins with a `get` of each.
   *
   * @param slots The integer slots.
   * @param set For each, whether any block of the region sets it.
   */
  enterRegion(slots: readonly number[], set: readonly boolean[]): void {
    this.#carried = slots.length;
    for (let c = 0; c < slots.length; c++) {
      this.#carriedSlot[c] = slots[c];
      this.#carriedReg[c] = VALUE_REGISTERS[c];
      this.#carriedValue[c] = c;
      this.at = c;
      this.getSlot(slots[c]);
      this.#enter(c, set[c]);
    }
    this.at = 0;
  }

  /**
   * Appends to `out` at `n` what it takes to go on in another block of the region: what has to be stored, as
   * {@linkcode Allocator.describe} has it. Returns the new length.
   */
  describeEdge(out: Int32Array, n: number): number {
    const start = n++;
    for (let i = 0; i < this.#dirtyLength; i++) {
      const s = this.#dirtySlots[i];
      if (!this.#carries(s << 3)) n = this.#describeSlot(out, n, s);
    }
    out[start] = n;
    for (let c = 0; c < this.#carried; c++) {
      const v = this.#slotValue[this.#carriedSlot[c] >> 3];
      const r = this.reg[v];
      if (r === this.#carriedReg[c]) continue;
      out[n++] = this.#carriedReg[c];
      if (r >= 0) out[n++] = r;
      else if (this.ir.op[v] === OP_CONST) {
        out[n++] = WHERE_CONST;
        out[n++] = this.ir.lo[v];
        out[n++] = this.ir.hi[v];
      } else {
        out[n++] = WHERE_SLOT;
        out[n++] = this.#carriedSlot[c];
      }
    }
    return n;
  }

  /** Whether a loop carries a slot. */
  #carries(slot: number): boolean {
    for (let c = 0; c < this.#carried; c++) if (this.#carriedSlot[c] === slot) return true;
    return false;
  }

  /** Chooses the most used of the slots that ops of the given kind read. */
  #carry(op: number, most: number): void {
    const { ir } = this;
    const fp = op === OP_FGET;
    for (let chosen = 0; chosen < most; chosen++) {
      let best = NONE;
      for (let i = 0; i < ir.length; i++) {
        if (ir.op[i] !== op || this.dead[i] !== 0 || this.#uses[i] === 0) continue;
        if (best < 0 || this.#uses[i] > this.#uses[best]) best = i;
      }
      if (best < 0) return;
      this.#uses[best] = 0;
      const final = finalValue(this.ir, ir.a[best]);
      if (fp && final >= 0 && ir.d[final] === 4) continue; // would need boxing on the way around
      const c = this.#carried++;
      this.#carriedSlot[c] = ir.a[best];
      this.#carriedValue[c] = best;
      this.#carriedReg[c] = fp ? XMM + FIRST_VALUE_XMM + chosen : VALUE_REGISTERS[chosen];
    }
  }

  /** Whether a dirty slot has to be stored at the end of a round: see {@linkcode Allocator.closeLoop}. */
  #isDue(slot: number, all: boolean): boolean {
    return !this.#carries(slot) && (all || !setsFirst(this.ir, slot));
  }

  /** Whether `closeLoop(false)` has nothing to do. */
  isClosed(): boolean {
    for (let i = 0; i < this.#dirtyLength; i++) {
      if (this.#isDue(this.#dirtySlots[i] << 3, false)) return false;
    }
    for (let c = 0; c < this.#carried; c++) {
      if (this.reg[this.#slotValue[this.#carriedSlot[c] >> 3]] !== this.#carriedReg[c]) return false;
    }
    return true;
  }

  /**
   * Ends a round: stores what is not carried, and brings what is back into its registers.
   *
   * @param all Whether memory must have every slot that is not carried; otherwise not those that the next
   * round sets before it reads them or can be left.
   */
  closeLoop(all: boolean): void {
    const { ir, asm } = this;
    this.at = ir.length;
    for (let i = 0; i < this.#dirtyLength; i++) {
      const s = this.#dirtySlots[i];
      if (this.#isDue(s << 3, all)) this.#storeSlotAnyhow(s);
    }
    const moves: [number, number][] = [];
    for (let c = 0; c < this.#carried; c++) {
      const from = this.reg[this.#slotValue[this.#carriedSlot[c] >> 3]];
      if (from >= 0 && from !== this.#carriedReg[c]) moves.push([this.#carriedReg[c], from]);
    }
    this.stores.moveAll(moves);
    for (let c = 0; c < this.#carried; c++) {
      const v = this.#slotValue[this.#carriedSlot[c] >> 3];
      if (this.reg[v] >= 0) continue;
      const r = this.#carriedReg[c];
      if (ir.op[v] === OP_CONST) asm.movImm(r, ir.lo[v], ir.hi[v]);
      else if (this.lazy && this.dirtyCount[v] > 0) this.stores.load(this.home[v], r);
      else this.stores.load(this.#carriedSlot[c], r); // it was stored
    }
  }

  // ---- operands

  /** Brings a value into a register and keeps it there until {@linkcode Allocator.done}. */
  use(v: number): number {
    let r = this.reg[v];
    if (r < 0) {
      const fp = (OP_INFO[this.ir.op[v]] & DEFINES_FP) !== 0;
      r = fp ? this.#allocateXmm() : this.#allocate();
      this.#assign(v, r);
      this.#load(v, r);
    }
    this.#pinned |= 1 << r;
    return r;
  }

  /** Loads a value that is in no register into the given one, which needs not be its own. */
  loadInto(v: number, r: number): void {
    if (this.reg[v] >= 0) this.asm.movRR(1, r, this.reg[v]);
    else this.#load(v, r);
  }

  /**
   * State offset of a value that is only in memory and used for the last time now, so that an instruction
   * may take it as a memory operand; -1 otherwise.
   */
  memoryOperand(v: number): number {
    return this.reg[v] < 0 && this.#lastUse[v] === this.at ? this.home[v] : NONE;
  }

  /** A fresh register for the result of the current op. */
  define(): number {
    const r = this.#allocate();
    this.#assign(this.at, r);
    this.#pinned |= 1 << r;
    return r;
  }

  /** Op j, of two operands, will be computed at the current one already. */
  advance(j: number): void {
    this.#live.useEarly(this.ir, this.at, j);
  }

  /** A register, fresh or one that was claimed, for the result of an op that is yet to come. */
  defineEarly(op: number, r: number = this.#allocate()): number {
    this.#assign(op, r);
    this.#pinned |= 1 << r;
    return r;
  }

  /** Whether the result of an op is there: see {@linkcode Allocator.defineEarly}. */
  isDefined(op: number): boolean {
    return this.reg[op] >= 0 || this.home[op] >= 0;
  }

  /** A fresh FP register (0..15) for the result of the current op. */
  defineXmm(): number {
    const r = this.#allocateXmm();
    this.#assign(this.at, r);
    this.#pinned |= 1 << r;
    return r - XMM;
  }

  /**
   * Whether the current op may compute its result in the register of operand v: v dies here, and no exit
   * will want it as the content of a slot.
   */
  dies(v: number): boolean {
    if (this.#lastUse[v] !== this.at || this.reg[v] < 0) return false;
    return this.dirtyCount[v] === 0 || (this.dirtyCount[v] === 1 && this.#replaced(v));
  }

  /** The current op's result takes over the register of operand v (see {@linkcode Allocator.dies}). */
  takeOver(v: number): number {
    const r = this.reg[v];
    this.reg[v] = NONE;
    this.#assign(this.at, r);
    this.#pinned |= 1 << r;
    return r;
  }

  /** The result register: v's own if v dies, else a fresh one with v copied into it. */
  defineFrom(v: number): number {
    if (this.dies(v)) return this.takeOver(v);
    const r = this.define();
    this.loadInto(v, r);
    return r;
  }

  /** Ends an op: unpins, and frees the registers of operands that died. */
  done(): void {
    const { ir, at } = this;
    this.#pinned = this.#reserved;
    const info = OP_INFO[ir.op[at]];
    if ((info & USES_A) !== 0 && ir.a[at] >= 0) this.#release(ir.a[at]);
    if ((info & USES_B) !== 0) this.#release(ir.b[at]);
    if ((info & USES_MORE) !== 0) {
      if ((info & USES_C) !== 0) this.#release(ir.c[at]);
      if ((info & USES_D) !== 0) this.#release(ir.d[at]);
      if ((info & USES_LO) !== 0) this.#release(ir.lo[at]);
    }
    if (this.#lastUse[at] < 0 && this.reg[at] >= 0) this.#free(at); // an unused result
  }

  /** The same for a `set` of v. */
  doneSetting(v: number): void {
    this.#pinned = this.#reserved;
    this.#release(v);
  }

  /** Empties a register that the current op needs, and keeps it from being handed out. */
  claim(r: number): void {
    const v = this.#holder[r];
    this.#pinned |= 1 << r;
    this.#used |= 1 << r;
    if (v === NONE) return;
    const to = this.#empty();
    if (to < 0) return this.#evict(r);
    this.asm.movRR(1, to, r);
    this.#vacate(r);
    this.#assign(v, to);
  }

  /** Lets the result of the current op be in a register that was claimed. */
  defineIn(r: number): void {
    this.#assign(this.at, r);
  }

  // ---- slots

  /** `get`: the value is what memory holds in the slot; nothing is loaded yet. */
  getSlot(slot: number): void {
    const s = slot >> 3;
    if (this.#slotStamp[s] === this.#stamp) return; // named at the head of a loop
    this.home[this.at] = slot;
    this.#slotStamp[s] = this.#stamp;
    this.#slotValue[s] = this.at;
  }

  /** `set`: the slot now holds value v. */
  setSlot(slot: number, v: number): void {
    const s = slot >> 3;
    const old = this.#slotStamp[s] === this.#stamp ? this.#slotValue[s] : NONE;
    if (old === v) return;
    const isDirty = this.#dirtyStamp[s] === this.#stamp;
    if (old >= 0) {
      this.#slotValue[s] = NONE; // what is evicted from now on need not be stored there
      if (isDirty) this.dirtyCount[old]--;
      if (this.home[old] === slot) {
        if (this.reg[old] < 0 && (this.#lastUse[old] > this.at || this.dirtyCount[old] > 0)) {
          this.use(old);
        }
        this.home[old] = NONE;
      }
      this.#release(old);
    }
    const nowhere = this.lazy && this.#deferred[v] !== 0;
    if (this.reg[v] < 0 && this.ir.op[v] !== OP_CONST && !nowhere) this.use(v);
    this.#slotStamp[s] = this.#stamp;
    this.#slotValue[s] = v;
    if (!isDirty) this.#addDirty(s);
    this.dirtyCount[v]++;
  }

  /** Emits stores of every dirty slot, changing nothing that is known about them. */
  storeDirty(): void {
    for (let i = 0; i < this.#dirtyLength; i++) {
      const s = this.#dirtySlots[i];
      this.#storeSlot(s << 3, this.#slotValue[s]);
    }
  }

  /**
   * Appends to `out` at `n` what the engine needs to store dirty slots from a register dump: per slot its
   * state offset and where its value is (register number, XMM + number, + WHERE_SINGLE for a single, or
   * WHERE_CONST and two halves). Returns the new length.
   */
  describe(out: Int32Array, n: number): number {
    for (let i = 0; i < this.#dirtyLength; i++) n = this.#describeSlot(out, n, this.#dirtySlots[i]);
    return n;
  }

  /**
   * The same in halfwords, for the table of sites: per slot its number << 6 | where its value is, then a constant's
   * two or four halfwords. No value is lazy.
   */
  pack(out: Uint16Array, n: number): number {
    const { ir } = this;
    for (let i = 0; i < this.#dirtyLength; i++) {
      const s = this.#dirtySlots[i], v = this.#slotValue[s], where = this.#where(v);
      if (where >= 0) {
        out[n++] = s << 6 | where;
        continue;
      }
      const lo = ir.lo[v], hi = ir.hi[v], isSmall = hi === lo >> 31;
      out[n++] = s << 6 | (isSmall ? WHERE_SMALL_CONST : WHERE_CONST);
      out[n++] = lo;
      out[n++] = lo >> 16;
      if (isSmall) continue;
      out[n++] = hi;
      out[n++] = hi >> 16;
    }
    return n;
  }

  #describeSlot(out: Int32Array, n: number, s: number): number {
    const { ir } = this;
    const v = this.#slotValue[s];
    const where = this.#where(v);
    out[n++] = s << 3;
    if (where >= 0) {
      out[n++] = where;
    } else if (ir.op[v] !== OP_CONST) n = this.#describeLazy(out, n, v);
    else {
      out[n++] = WHERE_CONST;
      out[n++] = ir.lo[v];
      out[n++] = ir.hi[v];
    }
    return n;
  }

  /** Forgets where all values are. */
  forgetAll(): void {
    for (let used = this.#used; used !== 0; used &= used - 1) {
      this.#holder[31 - Math.clz32(used & -used)] = NONE;
    }
    this.#used = this.#occupied = 0;
    if (!this.#hasSpilled) return;
    this.#hasSpilled = false;
    this.#spillUsed.fill(0);
  }

  // ---- internals

  /** The register that a value is in, as descriptions have it; negative where it is in none. */
  #where(v: number): number {
    const r = this.reg[v];
    return r >= XMM && this.ir.d[v] === 4 ? r + WHERE_SINGLE : r;
  }

  #storeSlot(slot: number, v: number): void {
    const where = this.#where(v);
    if (where >= 0) this.stores.register(slot, where);
    else this.stores.constant(slot, this.ir.lo[v], this.ir.hi[v]);
  }

  /** Stores what a slot holds, lazy or not. */
  #storeSlotAnyhow(s: number): void {
    const length = this.#describeSlot(this.#scratch, 0, s);
    this.stores.emit(this.#scratch, 0, length);
  }

  #load(v: number, r: number): void {
    const { ir, asm } = this;
    if (ir.op[v] === OP_CONST) asm.movImmKeepFlags(r, ir.lo[v], ir.hi[v]);
    else this.stores.load(this.home[v], r);
  }

  #assign(v: number, r: number): void {
    this.reg[v] = r;
    this.#holder[r] = v;
    this.#used |= 1 << r;
    this.#occupied |= 1 << r;
  }

  #vacate(r: number): void {
    this.#holder[r] = NONE;
    this.#occupied &= ~(1 << r);
  }

  #free(v: number): void {
    this.#vacate(this.reg[v]);
    this.reg[v] = NONE;
  }

  /** Frees the register of a value nobody needs any more. */
  #release(v: number): void {
    if (this.#lastUse[v] > this.at || this.dirtyCount[v] > 0) return;
    if (this.reg[v] >= 0) this.#free(v);
    const h = this.home[v];
    if (h >= FIRST_SPILL && h < FIRST_SPILL + 8 * SPILLS) {
      this.#spillUsed[(h - FIRST_SPILL) >> 3] = 0;
      this.home[v] = NONE;
    }
  }

  /** Whether the one dirty slot that holds v is set anew before anything can leave the block. */
  #replaced(v: number): boolean {
    const { ir } = this;
    if ((OP_INFO[ir.op[this.at]] & LEAVES) !== 0) return false;
    for (let j = this.at + 1; j < ir.length && j <= this.at + 3; j++) {
      const op = ir.op[j];
      if (op === OP_SET || op === OP_FSET) {
        const s = ir.a[j] >> 3;
        return this.#slotStamp[s] === this.#stamp && this.#slotValue[s] === v;
      }
      if (op === OP_INSN || (OP_INFO[op] & LEAVES) !== 0) return false;
    }
    return false;
  }

  #addDirty(s: number): void {
    this.#dirtySlots[this.#dirtyLength++] = s;
    this.#dirtyStamp[s] = this.#stamp;
  }

  /** The first of {@linkcode VALUE_REGISTERS} that holds nothing and may be handed out; -1: none. */
  #empty(): number {
    const empty = VALUE_REGISTER_BITS & ~(this.#occupied | this.#pinned);
    const others = empty & ~(1 << LAST_VALUE_REGISTER);
    return 31 - Math.clz32(others === 0 ? empty : others & -others);
  }

  #allocate(): number {
    const r = this.#empty();
    if (r >= 0) return r;
    const n = VALUE_REGISTERS.length;
    // What is used last, or only stored.
    let victim = NONE, farthest = NONE;
    for (let i = 0; i < n; i++) {
      const r = VALUE_REGISTERS[i];
      if ((this.#pinned & (1 << r)) !== 0) continue;
      const next = this.#nextUse(this.#holder[r]);
      if (next > farthest) {
        farthest = next;
        victim = r;
      }
    }
    this.#evict(victim);
    return victim;
  }

  /** Index of the next op that uses a value, the current one included. What a loop carries is used at its end. */
  #nextUse(v: number): number {
    const next = this.#live.nextUse(this.ir, v, this.at);
    if (next !== NEVER) return next;
    for (let c = 0; c < this.#carried; c++) {
      if (this.#slotValue[this.#carriedSlot[c] >> 3] === v) return this.ir.length;
    }
    return NEVER;
  }

  #allocateXmm(): number {
    for (let r = XMM + FIRST_VALUE_XMM; r < 32; r++) {
      if (this.#holder[r] === NONE && (this.#pinned & (1 << r)) === 0) return r;
    }
    const n = 16 - FIRST_VALUE_XMM;
    for (let i = 0; i < n; i++) {
      const r = XMM + FIRST_VALUE_XMM + (this.#nextXmmVictim++ % n);
      if ((this.#pinned & (1 << r)) !== 0) continue;
      this.#evict(r);
      return r;
    }
    throw new Error("no FP register can be freed");
  }

  #evict(r: number): void {
    const v = this.#holder[r];
    if (this.dirtyCount[v] > 0 && this.lazy && r < XMM) {
      if (!this.#onlyExitsWant(v) || !this.#defer(v)) this.#spill(v, r);
    } else if (this.dirtyCount[v] > 0) {
      // Now the slots' memory holds it; any of them is its home.
      for (let i = this.#dirtyLength - 1; i >= 0; i--) {
        const s = this.#dirtySlots[i];
        if (this.#slotValue[s] !== v) continue;
        this.#storeSlot(s << 3, v);
        this.#dirtySlots[i] = this.#dirtySlots[--this.#dirtyLength];
        this.#dirtyStamp[s] = 0;
        this.home[v] = s << 3;
      }
      this.dirtyCount[v] = 0;
    } else if (this.#lastUse[v] >= this.at) this.#spill(v, r);
    this.#free(v);
  }

  /** Whether a value is only wanted by exits from now on. */
  #onlyExitsWant(v: number): boolean {
    if (this.#lastUse[v] >= this.at) return false;
    for (let i = 0; i < this.#dirtyLength; i++) {
      const s = this.#dirtySlots[i];
      if (this.#slotValue[s] === v && !this.#isOnlyForExits(s << 3)) return false;
    }
    return true;
  }

  /** Writes a value to scratch memory, unless it is in memory already or a constant. */
  #spill(v: number, r: number): void {
    if (this.home[v] >= 0 || this.ir.op[v] === OP_CONST) return;
    const spill = this.#spillUsed.indexOf(0);
    if (spill < 0) throw new Error("too many live values in a block");
    this.#spillUsed[spill] = 1;
    this.#hasSpilled = true;
    this.home[v] = FIRST_SPILL + 8 * spill;
    if (r >= XMM) this.asm.fstore(8, STATE, -1, this.home[v] - STATE_BIAS, r - XMM);
    else this.asm.store(1, STATE, this.home[v] - STATE_BIAS, r);
  }
}
