/**
 * The page walk as a stub in IR: what `mmu.ts` does on a TLB miss, in the cases that need no judgement.
 * Everything else (faults, A and D bits to be set, MXR, physical memory protection in use, devices, stores to
 * pages with translated code) returns 0 and is the interpreter's. Privileged architecture 20240411, chapter 10.
 *
 * No value lives across a label of a stub, so the walk keeps two words in the scratch area: the virtual
 * address, which the caller put there, and `STEP`: a page table entry on the way down, then the RAM offset of
 * the page found. The levels are unrolled; each is a bounds check, a load and at most two masked compares,
 * because everything a PTE must and must not have at a level is one mask and one value.
 */
import {
  COND_EQ,
  COND_GEU,
  COND_NE,
  type Ir,
  OP_ADD32,
  OP_ADD64,
  OP_AND64,
  OP_OR64,
  OP_SAR64,
  OP_SHL64,
  OP_SHR32,
  OP_SHR64,
  OP_STATE_ADDRESS,
  OP_SUB64,
  type Value,
} from "../../translator/ir.ts";
import {
  STATE_EPOCH_CONTEXT,
  STATE_SCRATCH,
  STATE_TLB_FILLS,
  STATE_TLB_TOUCHED,
  TLB_CHUNK_SHIFT,
  TLB_FETCH,
  TLB_GUARDED,
  TLB_INVALID,
  TLB_LOAD,
  TLB_OFFSET_MASK,
  TLB_STORE,
  tlbTable,
} from "../../translator/layout.ts";
import type { Page } from "../../debug/debug_points.ts";
import type { GuestRam } from "../../memory.ts";
import { MMU_MACHINE, MMU_SUPERVISOR_SUM, MMU_USER, S_PMP_ACTIVE, S_SATP, S_SUPERPAGES } from "./state.ts";

const VIRTUAL = STATE_SCRATCH;
const STEP = STATE_SCRATCH + 8;

// Page table entry, section 10.3.1
const PTE_V = 1;
const PTE_R = 2;
const PTE_W = 4;
const PTE_X = 8;
const PTE_U = 0x10;
const PTE_A = 0x40;
const PTE_D = 0x80;
/** Bits that tell a valid pointer (V alone) from a leaf and from what is reserved. */
const PTE_POINTER_MASK = PTE_V | PTE_R | PTE_W | PTE_X | PTE_U | PTE_A | PTE_D;
/** Bits 63:54 in the high word: Svnapot, Svpbmt and reserved bits. All must be zero. */
const PTE_RESERVED_HI = 0xffc0_0000 | 0;

const SATP_MODE_SHIFT = 60;
/** satp.MODE of the three translated modes and how many levels each walks. */
const MODES: readonly { mode: number; levels: number }[] = [
  { mode: 8, levels: 3 },
  { mode: 9, levels: 4 },
  { mode: 10, levels: 5 },
];
/** Marks in the page-offset bits of STEP once a page is found: a leaf above level 0, and above 1 GiB. */
const SUPERPAGE = 1;
const HUGE = 2;

/**
 * Emits the walk for one kind of access and MMU index.
 *
 * @param watched Virtual pages whose data a debugger watches: they are the interpreter's.
 */
export function emitWalker(
  ir: Ir,
  kind: number,
  mmuIndex: number,
  ram: GuestRam,
  watched: readonly Page[],
): void {
  const walker = new Walker(ir, kind, mmuIndex, ram);
  walker.emit(watched);
}

class Walker {
  readonly #fail: number;
  readonly #fill: number;

  constructor(
    private readonly ir: Ir,
    private readonly kind: number,
    private readonly mmuIndex: number,
    private readonly ram: GuestRam,
  ) {
    this.#fail = ir.newLabel();
    this.#fill = ir.newLabel();
  }

  emit(watched: readonly Page[]): void {
    const { ir } = this;
    if (this.kind !== TLB_FETCH && watched.length > 0) this.#refuseWatched(watched);
    ir.gotoIf(COND_NE, ir.get(S_PMP_ACTIVE), ir.const(0), this.#fail);
    if (this.kind === TLB_STORE) this.#refuseGuarded();
    if (this.mmuIndex !== MMU_MACHINE) this.#translated();
    ir.set(STEP, this.#ramOffset(ir.bin(OP_AND64, ir.get(VIRTUAL), ir.const(-4096))));
    this.#emitFill();
    ir.label(this.#fail);
    ir.return(ir.const(0));
  }

  /** A guarded entry is no miss: the interpreter takes what it holds. */
  #refuseGuarded(): void {
    const { ir } = this;
    const virtual = ir.get(VIRTUAL);
    const page = ir.bin(OP_AND64, virtual, ir.const(-4096));
    const tag = ir.hostLoad(8, false, this.#entry(virtual), 0);
    ir.gotoIf(COND_EQ, tag, ir.bin(OP_OR64, page, ir.const(TLB_GUARDED)), this.#fail);
  }

  #refuseWatched(watched: readonly Page[]): void {
    const { ir } = this;
    for (const { lo, hi } of watched) {
      const page = ir.bin(OP_AND64, ir.get(VIRTUAL), ir.const(-4096));
      ir.gotoIf(COND_EQ, page, ir.const64(lo, hi), this.#fail);
    }
  }

  /** From satp to the page; falls through where satp says "bare". */
  #translated(): void {
    const { ir } = this;
    const bare = ir.newLabel();
    const roots = MODES.map(() => ir.newLabel());
    const levels = [0, 1, 2, 3, 4].map(() => ir.newLabel());

    const mode = ir.bin(OP_SHR64, ir.get(S_SATP), ir.const(SATP_MODE_SHIFT));
    MODES.forEach((m, i) => ir.gotoIf(COND_EQ, mode, ir.const(m.mode), roots[i]));
    ir.goto(bare);

    MODES.forEach((m, i) => {
      ir.label(roots[i]);
      const virtual = ir.get(VIRTUAL);
      const unused = ir.const(64 - 12 - 9 * m.levels);
      const canonical = ir.bin(OP_SAR64, ir.bin(OP_SHL64, virtual, unused), unused);
      ir.gotoIf(COND_NE, virtual, canonical, this.#fail);
      // satp's page number, where a PTE has its own.
      const pageNumber = ir.bin(OP_AND64, ir.get(S_SATP), ir.const64(-1, 0xfff));
      ir.set(STEP, ir.bin(OP_SHL64, pageNumber, ir.const(10)));
      ir.goto(levels[m.levels - 1]);
    });

    for (let level = levels.length - 1; level >= 0; level--) {
      const leaf = ir.newLabel();
      ir.label(levels[level]);
      const pte = this.#loadPte(level);
      ir.set(STEP, pte);
      const pointer = ir.bin(OP_AND64, pte, ir.const64(PTE_POINTER_MASK, PTE_RESERVED_HI));
      ir.gotoIf(COND_NE, pointer, ir.const(PTE_V), leaf);
      ir.goto(level > 0 ? levels[level - 1] : this.#fail);
      ir.label(leaf);
      this.#leaf(level);
      ir.goto(this.#fill);
    }
    ir.label(bare);
  }

  /** The entry of the table STEP points to. */
  #loadPte(level: number): Value {
    const { ir, ram } = this;
    const table = this.#ramOffset(this.#pageOf(ir.get(STEP)));
    const index = ir.bin(OP_SHR64, ir.get(VIRTUAL), ir.const(12 + 9 * level - 3));
    const offset = ir.bin(OP_ADD64, table, ir.bin(OP_AND64, index, ir.const(511 * 8)));
    ir.gotoIf(COND_GEU, offset, this.#number(ram.size), this.#fail);
    return ir.hostLoad(8, false, ir.bin(OP_ADD64, offset, this.#number(ram.hostAddress)), 0);
  }

  /** Checks the leaf in STEP and replaces it by the RAM offset of the virtual address's page. */
  #leaf(level: number): void {
    const { ir } = this;
    const pte = ir.get(STEP);
    const required = PTE_V | PTE_A | this.#permission();
    const forbidden = this.#forbiddenBits();
    const misaligned = this.#mask(9 * level); // low page-number bits of a superpage
    const maskLo = required | forbidden | misaligned[0] << 10;
    const maskHi = PTE_RESERVED_HI | misaligned[1] << 10 | misaligned[0] >>> 22;
    ir.gotoIf(
      COND_NE,
      ir.bin(OP_AND64, pte, ir.const64(maskLo, maskHi)),
      ir.const(required),
      this.#fail,
    );
    if (this.kind === TLB_FETCH) {
      const readWrite = ir.bin(OP_AND64, pte, ir.const(PTE_R | PTE_W)); // writable only is reserved
      ir.gotoIf(COND_EQ, readWrite, ir.const(PTE_W), this.#fail);
    }
    let page = this.#ramOffset(this.#pageOf(pte));
    if (level > 0) {
      const [lo, hi] = this.#mask(12 + 9 * level);
      const inside = ir.bin(OP_AND64, ir.get(VIRTUAL), ir.const64(lo & -4096, hi));
      const mark = level > 2 ? SUPERPAGE | HUGE : SUPERPAGE;
      page = ir.bin(OP_OR64, ir.bin(OP_ADD64, page, inside), ir.const(mark));
    }
    ir.set(STEP, page);
  }

  #permission(): number {
    const user = this.mmuIndex === MMU_USER ? PTE_U : 0;
    if (this.kind === TLB_FETCH) return PTE_X | user;
    return (this.kind === TLB_STORE ? PTE_R | PTE_W | PTE_D : PTE_R) | user;
  }

  /** User pages are closed to S-mode, except for data with SUM. */
  #forbiddenBits(): number {
    if (this.mmuIndex === MMU_USER) return 0;
    return this.mmuIndex === MMU_SUPERVISOR_SUM && this.kind !== TLB_FETCH ? 0 : PTE_U;
  }

  /** Fills the TLB from STEP as `Mmu` would, and returns the result. */
  #emitFill(): void {
    const { ir, ram, kind } = this;
    ir.label(this.#fill);
    const found = ir.get(STEP);
    const page = ir.bin(OP_AND64, found, ir.const(-4096));
    ir.gotoIf(COND_GEU, page, this.#number(ram.size), this.#fail);
    const number = ir.bin(OP_SHR64, page, ir.const(12));
    ir.gotoIf(COND_EQ, this.#flag(ram.countedAddress, number), ir.const(0), this.#fail);
    if (kind === TLB_STORE) {
      const hasCode = this.#flag(ram.codePagesAddress, number);
      ir.gotoIf(COND_NE, hasCode, ir.const(0), this.#fail);
    }
    this.#noteSuperpage(found);
    if (kind === TLB_FETCH) this.#noteEviction();

    const virtual = ir.get(VIRTUAL);
    const pageOffset = ir.bin(OP_AND64, ir.get(STEP), ir.const(-4096));
    const tag = ir.bin(OP_AND64, virtual, ir.const(-4096));
    const host = ir.bin(OP_ADD64, pageOffset, this.#number(ram.hostAddress));
    const ramPage = ir.bin(OP_SHR64, pageOffset, ir.const(12));
    const to = kind === TLB_FETCH ? ramPage : ir.bin(OP_SUB64, host, tag);
    const chunk = ir.bin(OP_SHL64, ir.const(1), ir.bin(OP_SHR64, virtual, ir.const(TLB_CHUNK_SHIFT)));
    for (const filled of kind === TLB_STORE ? [TLB_STORE, TLB_LOAD] : [kind]) {
      const entry = this.#entry(virtual, filled);
      ir.hostStore(8, entry, 0, tag);
      ir.hostStore(8, entry, 8, to);
      const touched = this.#stateAddress(STATE_TLB_TOUCHED + 8 * (3 * this.mmuIndex + filled));
      ir.hostStore(8, touched, 0, ir.bin(OP_OR64, ir.hostLoad(8, false, touched, 0), chunk));
    }
    ir.set(STATE_TLB_FILLS, ir.bin(OP_ADD64, ir.get(STATE_TLB_FILLS), ir.const(1)));
    if (kind === TLB_FETCH) ir.return(ir.bin(OP_ADD64, ramPage, ir.const(1)));
    else ir.return(ir.bin(OP_ADD64, host, ir.bin(OP_AND64, virtual, ir.const(4095))));
  }

  /** The byte with a number in a table at a host address. */
  #flag(table: number, number: Value): Value {
    return this.ir.hostLoad(1, false, this.ir.bin(OP_ADD64, number, this.#number(table)), 0);
  }

  /** Marks the region of a superpage in S_SUPERPAGES, all regions where it is larger than one. */
  #noteSuperpage(found: Value): void {
    if (this.mmuIndex === MMU_MACHINE) return;
    const { ir } = this;
    const small = ir.newLabel();
    ir.gotoIf(COND_EQ, ir.bin(OP_AND64, found, ir.const(SUPERPAGE)), ir.const(0), small);
    const region = ir.bin(OP_SHL64, ir.const(1), superpageRegion(ir, ir.get(VIRTUAL)));
    const huge = ir.bin(OP_AND64, found, ir.const(HUGE));
    const bits = ir.select(COND_NE, huge, ir.const(0), ir.const(-1), region);
    ir.set(S_SUPERPAGES, ir.bin(OP_OR64, ir.get(S_SUPERPAGES), bits));
    ir.label(small);
  }

  /** Dropping a fetch translation begins a new epoch; the interpreter handles the end of all epochs. */
  #noteEviction(): void {
    const { ir } = this;
    const free = ir.newLabel();
    const tag = ir.hostLoad(4, false, this.#entry(ir.get(VIRTUAL)), 0);
    ir.gotoIf(COND_EQ, tag, ir.const(TLB_INVALID), free);
    const address = this.#stateAddress(STATE_EPOCH_CONTEXT);
    const next = ir.bin(OP_ADD32, ir.hostLoad(4, false, address, 0), ir.const(256));
    ir.gotoIf(COND_EQ, ir.bin(OP_SHR32, next, ir.const(8)), ir.const(0), this.#fail);
    ir.hostStore(4, address, 0, next);
    ir.label(free);
  }

  /** Host address of the TLB entry a virtual address may occupy in the table of a kind. */
  #entry(virtual: Value, kind = this.kind): Value {
    const { ir } = this;
    const index = ir.bin(OP_SHR64, virtual, ir.const(8));
    const offset = ir.bin(OP_AND64, index, ir.const(TLB_OFFSET_MASK));
    return ir.bin(OP_ADD64, offset, this.#stateAddress(tlbTable(this.mmuIndex, kind)));
  }

  #stateAddress(offset: number): Value {
    return this.ir.emit(OP_STATE_ADDRESS, 0, 0, 0, 0, offset);
  }

  /** Physical address of the page a PTE names; reserved bits are known to be clear. */
  #pageOf(pte: Value): Value {
    return this.ir.bin(OP_AND64, this.ir.bin(OP_SHL64, pte, this.ir.const(2)), this.ir.const(-4096));
  }

  #ramOffset(physical: Value): Value {
    return this.ir.bin(OP_SUB64, physical, this.#number(this.ram.base));
  }

  /** A constant from a non-negative integer below 2^53. */
  #number(value: number): Value {
    return this.ir.const64(value | 0, Math.floor(value / 0x1_0000_0000));
  }

  /** The mask of the low `bits` bits, in halves. */
  #mask(bits: number): readonly [number, number] {
    return bits >= 32 ? [-1, (1 << (bits - 32)) - 1] : [(1 << bits) - 1, 0];
  }
}

/** The number of a virtual address's bit in S_SUPERPAGES, as `Mmu` has it. */
export function superpageRegion(ir: Ir, virtual: Value): Value {
  const low = ir.bin(OP_AND64, ir.bin(OP_SHR64, virtual, ir.const(30)), ir.const(31));
  return ir.bin(OP_OR64, low, ir.bin(OP_AND64, ir.bin(OP_SHR64, virtual, ir.const(58)), ir.const(32)));
}
