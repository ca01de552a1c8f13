/**
 * Neighbouring accesses of a block that need only one look at the TLB: a function's stores of its registers on the
 * stack, the fields of a structure, the bytes of a word.
 *
 * Accesses of one kind, to addresses that differ from one register by constants, make up a *group*. Its first
 * access, the leader, probes for all of them: one page must hold everything that any of them touches. The others,
 * the followers, use the addend that the leader found.
 *
 * If the span crosses a page, or if a TLB miss in between has replaced the entry that the leader found, then the
 * code goes on in a careful variant of the block that begins with the current instruction and where every access
 * probes for itself. So the TLB is filled as if every access had probed everywhere.
 */
import * as ir from "../../ir.ts";
import { IR_CAPACITY } from "../../ir.ts";
import { MOST_STREAMS, STATE_STREAMS, TLB_LOAD, TLB_STORE } from "../../layout.ts";
import { STATE_BIAS } from "./registers.ts";

/** Most bytes from the first to the last that a group touches. */
const MOST_SPAN = 128;
/** Most groups in a block. */
export const MOST_GROUPS = 64;
/** Displacements beyond this are not followed through additions. */
const FARTHEST = 1 << 20;
const NONE = -1;

/** By op: whether emitting it leaves rcx alone. Accesses do where they are followers. */
const KEEPS_ADDEND = new Uint8Array(256);
for (let op = ir.OP_INSN; op <= ir.OP_SET; op++) KEEPS_ADDEND[op] = 1;
for (let op = ir.OP_ADD64; op <= ir.OP_SAR32; op++) KEEPS_ADDEND[op] = 1;
for (let op = ir.OP_MUL64; op <= ir.OP_REMU32; op++) KEEPS_ADDEND[op] = 1;
for (let op = ir.OP_SEXT8; op <= ir.OP_BSWAP64; op++) KEEPS_ADDEND[op] = 1;
for (let op = ir.OP_FADD; op <= ir.OP_FNMADD; op++) KEEPS_ADDEND[op] = 1;
for (let op = ir.OP_FSGNJ; op <= ir.OP_FSGNJX; op++) KEEPS_ADDEND[op] = 1;
for (
  const op of [
    ir.OP_ADD_SHIFTED,
    ir.OP_ANDN64,
    ir.OP_SETCC,
    ir.OP_SELECT,
    ir.OP_BRANCH,
    ir.OP_EXIT_UNLESS_PC,
    ir.OP_INTERPRET_IF,
    ir.OP_FGET,
    ir.OP_FSET,
    ir.OP_FUNBOX,
    ir.OP_FCANON,
    ir.OP_FMIN,
    ir.OP_FMAX,
    ir.OP_FLT,
    ir.OP_FLE,
  ]
) {
  KEEPS_ADDEND[op] = 1;
}

/** By op: the kind of table it probes, or -1 where it cannot be in a group. */
const KIND = new Int8Array(256).fill(NONE);
KIND[ir.OP_LOAD] = KIND[ir.OP_FLOAD] = TLB_LOAD;
KIND[ir.OP_STORE] = KIND[ir.OP_FSTORE] = TLB_STORE;

/** Whether what rcx holds behind an op is what its emission says. */
export function setsAddend(op: number): boolean {
  return KIND[op] >= 0 || op >= ir.OP_STREAM_LOAD && op <= ir.OP_STREAM_FSTORE;
}

/** Whether an op is an access to memory that may be in a group. */
export function isAccess(op: number): boolean {
  return KIND[op] >= 0;
}

/** By op: whether emitting it leaves rcx alone. */
export function keepsRcx(op: number): boolean {
  return KEEPS_ADDEND[op] !== 0;
}

/** The kind of TLB table that an op probes, which is some access to memory. */
export function tableKind(op: number): number {
  return KIND[op] === TLB_LOAD ? TLB_LOAD : TLB_STORE;
}

/** The groups of one block. */
export class Groups {
  /** By op that is an access: the group it belongs to, or -1. */
  readonly of: Int16Array = new Int16Array(IR_CAPACITY);
  #groups = 0;
  #cells = 0;
  readonly #root = new Int32Array(MOST_GROUPS);
  readonly #kind = new Uint8Array(MOST_GROUPS);
  readonly #from = new Int32Array(MOST_GROUPS);
  readonly #to = new Int32Array(MOST_GROUPS);
  readonly #first = new Int32Array(MOST_GROUPS);
  readonly #last = new Int32Array(MOST_GROUPS);
  /** Of the first access, from the root. */
  readonly #offset = new Int32Array(MOST_GROUPS);
  readonly #cell = new Int8Array(MOST_GROUPS);

  constructor(private readonly block: ir.Ir) {}

  /** Leaves every access by itself. */
  clear(): void {
    const { block, of } = this;
    for (let k = 0; k < block.accessCount; k++) of[block.accesses[k]] = NONE;
    this.#groups = 0;
  }

  /**
   * Finds the groups of the block.
   *
   * @param mirrored Whether accesses are made by the mirror where it is known what they reach.
   */
  find(mirrored: boolean): void {
    const { block, of } = this;
    if (block.accessCount < 2) return this.clear();
    let count = 0;
    for (let k = 0; k < block.accessCount; k++) {
      const i = block.accesses[k];
      of[i] = NONE;
      const kind = KIND[block.op[i]];
      if (kind < 0 || mirrored && this.#isReachKnown(i)) continue;
      let root = block.a[i], offset = block.lo[i];
      while (block.op[root] === ir.OP_ADD64 && block.isConst32(block.b[root])) {
        if (Math.abs(block.lo[block.b[root]]) > FARTHEST) break;
        offset += block.lo[block.b[root]];
        root = block.a[root];
      }
      const end = offset + (block.c[i] & 15);
      let g = count - 1;
      for (; g >= 0; g--) {
        if (this.#root[g] !== root || this.#kind[g] !== kind) continue;
        if (Math.max(this.#to[g], end) - Math.min(this.#from[g], offset) <= MOST_SPAN) break;
      }
      if (g < 0) {
        if (count === MOST_GROUPS) continue;
        g = count++;
        this.#root[g] = root;
        this.#kind[g] = kind;
        this.#from[g] = this.#offset[g] = offset;
        this.#to[g] = end;
        this.#first[g] = i;
      } else {
        if (offset < this.#from[g]) this.#from[g] = offset;
        if (end > this.#to[g]) this.#to[g] = end;
      }
      this.#last[g] = i;
      of[i] = g;
    }
    this.#groups = count;
    this.#cells = 0;
    for (let g = 0; g < count; g++) this.#settle(g);
  }

  /** Whether it is known what the instruction that an op belongs to reaches. */
  #isReachKnown(i: number): boolean {
    const { block } = this;
    let insn = i;
    while (block.op[insn] !== ir.OP_INSN) insn--;
    return block.b[insn] !== ir.REACHES_UNKNOWN;
  }

  /** Dissolves a group of one; finds out where the addend is kept from the leader to the followers. */
  #settle(g: number): void {
    const { block, of } = this;
    const first = this.#first[g], last = this.#last[g];
    this.#cell[g] = NONE;
    let dissolved = first === last;
    for (let i = first + 1; i <= last && !dissolved && this.#cell[g] < 0; i++) {
      if (this.#isIn(g, i) || KEEPS_ADDEND[block.op[i]] !== 0) continue;
      if (this.#cells + 2 > MOST_STREAMS) dissolved = true;
      else {
        this.#cell[g] = this.#cells;
        this.#cells += 2;
      }
    }
    if (!dissolved) return;
    for (let i = first; i <= last; i++) if (this.#isIn(g, i)) of[i] = NONE;
    this.#last[g] = first;
  }

  #isIn(g: number, i: number): boolean {
    return KIND[this.block.op[i]] >= 0 && this.of[i] === g;
  }

  /** Whether an op is the leader of its group. */
  leads(i: number): boolean {
    return this.#first[this.of[i]] === i;
  }

  /** First byte that a group touches, relative to the leader's displacement. */
  from(g: number): number {
    return this.#from[g] - this.#offset[g];
  }

  /** End of the bytes that a group touches, relative to the leader's displacement. */
  to(g: number): number {
    return this.#to[g] - this.#offset[g];
  }

  /** The kind of TLB table. */
  kind(g: number): number {
    return this.#kind[g];
  }

  /** Displacement from the state register of the cell that keeps the addend; the page's tag follows. -1: none. */
  cell(g: number): number | undefined {
    return this.#cell[g] < 0 ? undefined : STATE_STREAMS + 8 * this.#cell[g] - STATE_BIAS;
  }

  /** How many groups there are, dissolved ones included. */
  get count(): number {
    return this.#groups;
  }

  /** Whether a group's leader is before op i and it has followers after it. */
  isOpen(g: number, i: number): boolean {
    return this.#first[g] < i && i < this.#last[g];
  }

  /** Whether there is such a group. */
  isBetween(i: number): boolean {
    for (let g = 0; g < this.#groups; g++) if (this.isOpen(g, i)) return true;
    return false;
  }
}
