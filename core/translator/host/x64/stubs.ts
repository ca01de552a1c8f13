/**
 * The fixed pieces of generated code: entry, exits, TLB refill, block lookup.
 *
 * Refill and lookup call the ISA's page walker, which is IR compiled to a function: virtual address in the
 * first scratch slot, result in rax, every integer register but rbp and r15 clobbered, no FP.
 */
import {
  JUMP_CACHE_BITS,
  MIRRORED_INDEX,
  STATE_BUDGET,
  STATE_CELL_MISSES,
  STATE_ENTRY,
  STATE_EPOCH_CONTEXT,
  STATE_EXIT_ARG,
  STATE_EXIT_REASON,
  STATE_HOST_FP_CONTROL,
  STATE_HOST_FP_DEFAULT,
  STATE_JUMP_CACHE,
  STATE_JUMP_CACHE_MISSES,
  STATE_MIRRORED,
  STATE_PC,
  STATE_REGISTER_DUMP,
  STATE_SCRATCH,
  TLB_BITS,
  TLB_FETCH,
  TLB_LOAD,
  TLB_OFFSET_MASK,
  tlbTable,
} from "../../layout.ts";
import { BLOCK_ENTRY_BYTES, BLOCK_SET_SHIFT, BLOCK_SETS_BITS, BLOCK_WAYS } from "./block_table.ts";
import { takeBudgetBack } from "./streams.ts";
import { EXIT_BUDGET, EXIT_LEAVE, EXIT_LINK, EXIT_LOOKUP, EXIT_MIRROR, EXIT_SITE } from "../../backend.ts";
import {
  ALU_ADD,
  ALU_AND,
  ALU_CMP,
  ALU_SUB,
  ALU_XOR,
  type Assembler,
  SHIFT_SHL,
  SHIFT_SHR,
} from "./assembler.ts";
import {
  BUDGET,
  CC_E,
  CC_NE,
  FIRST_VALUE_XMM,
  R12,
  R13,
  R14,
  R15,
  R8,
  RAX,
  RBP,
  RBX,
  RCX,
  RDI,
  RDX,
  RSI,
  STATE,
  STATE_BIAS,
  VALUE_REGISTERS,
} from "./registers.ts";

/** MXCSR after reset: round to nearest, all exceptions masked, no flags (Intel SDM vol. 1, 10.2.3). */
export const MXCSR_DEFAULT = 0x1f80;

const at = (offset: number): number => offset - STATE_BIAS;
const dump = (register: number): number => at(STATE_REGISTER_DUMP + 8 * register);
const CALLEE_SAVED = [RBX, RBP, R12, R13, R14, R15];

/** Number of a table for loads or stores. */
const tableNumber = (mmuIndex: number, kind: number): number => mmuIndex * 2 + (kind === TLB_LOAD ? 0 : 1);

/** Positions of the stubs in code memory. */
export class Stubs {
  /** Called from the host as f(state); runs the code at STATE_ENTRY. */
  enter = 0;
  /** To be entered at the pc in the state, wherever its code is. */
  resume = 0;
  /** Jumped to with a site number in eax, guest values in registers. */
  site = 0;
  /** Jumped to with a site number in eax, guest values in registers: an access by the mirror has faulted. */
  mirrorFault = 0;
  /** Jumped to with a block number in eax: its budget does not suffice. */
  budget = 0;
  /** Jumped to with a link number in eax. */
  link = 0;
  /** Jumped to with the pc stored. */
  leave = 0;
  /** Jumped to with a pc in rax; all state stored. */
  lookupIndirect = 0;
  /** Jumped to with the address of a cell in ecx; all state stored. */
  lookupCell = 0;
  /** A page walker that leaves everything to the interpreter. */
  noWalk = 0;
  #exit = 0;
  #probe = 0;
  #probeEnd = 0;
  /** Positions of its jumps to where the jump cache has no entry. */
  readonly #probeMisses: number[] = [];
  #dumpAndExit = 0;
  readonly #refill = new Int32Array(8);
  readonly #check = new Int32Array(8);

  /**
   * @param blockTable Host address of the block table (below 2^31).
   * @param walkers Host address of four 8-byte code addresses: the fetch walker per MMU index.
   */
  constructor(
    private readonly asm: Assembler,
    private readonly blockTable: number,
    private readonly walkers: number,
    /** Host address of 64 bytes: MXCSR's flags (its low six bits) in the IR's order. */
    readonly flagsTable: number,
  ) {}

  /** Emits all stubs but the refills. */
  emit(): void {
    const { asm } = this;
    this.enter = asm.pos;
    for (const r of CALLEE_SAVED) asm.push(r);
    asm.lea(1, STATE, RDI, STATE_BIAS);
    asm.mxcsr(2, STATE, at(STATE_HOST_FP_CONTROL));
    asm.load(0, BUDGET, STATE, at(STATE_BUDGET));
    asm.jmpMem(STATE, at(STATE_ENTRY));

    this.#exit = asm.pos;
    takeBudgetBack(asm);
    asm.store(0, STATE, at(STATE_BUDGET), BUDGET);
    asm.mxcsr(3, STATE, at(STATE_HOST_FP_CONTROL));
    asm.mxcsr(2, STATE, at(STATE_HOST_FP_DEFAULT));
    for (const r of CALLEE_SAVED.toReversed()) asm.pop(r);
    this.noWalk = asm.pos;
    asm.movImm(RAX, 0, 0);
    asm.ret();

    this.site = asm.pos;
    asm.store(0, STATE, at(STATE_EXIT_ARG), RAX);
    this.#dumpIntegers();
    this.#dumpAndExit = asm.pos;
    this.#dumpFloats();
    this.#exitWith(EXIT_SITE);

    this.mirrorFault = asm.pos;
    asm.store(0, STATE, at(STATE_EXIT_ARG), RAX);
    this.#dumpIntegers();
    this.#dumpFloats();
    this.#exitWith(EXIT_MIRROR);

    this.budget = asm.pos;
    asm.store(0, STATE, at(STATE_EXIT_ARG), RAX);
    this.#exitWith(EXIT_BUDGET);

    this.link = asm.pos;
    asm.store(0, STATE, at(STATE_EXIT_ARG), RAX);
    this.#exitWith(EXIT_LINK);

    this.leave = asm.pos;
    this.#exitWith(EXIT_LEAVE);

    this.lookupIndirect = asm.pos;
    asm.aluMemImm(ALU_ADD, 1, STATE, at(STATE_JUMP_CACHE_MISSES), 1);
    this.#lookup();
    // Fill the jump-cache entry.
    asm.movRR(0, RCX, RAX);
    asm.shiftImm(SHIFT_SHL, 0, RCX, 3);
    asm.aluImm(ALU_AND, 0, RCX, ((1 << JUMP_CACHE_BITS) - 1) << 4);
    asm.storeIndex(1, STATE, RCX, at(STATE_JUMP_CACHE), RAX);
    asm.storeIndex(0, STATE, RCX, at(STATE_JUMP_CACHE) + 8, RBX);
    asm.storeIndex(0, STATE, RCX, at(STATE_JUMP_CACHE) + 12, RDX);
    asm.jmpReg(RDX);

    this.resume = asm.pos;
    asm.load(1, RAX, STATE, at(STATE_PC));
    this.#emitFirstProbe();
    for (const miss of this.#probeMisses) asm.bind(miss, this.lookupIndirect);

    this.lookupCell = asm.pos;
    asm.aluMemImm(ALU_ADD, 1, STATE, at(STATE_CELL_MISSES), 1);
    asm.movRR(0, R12, RCX);
    asm.load(1, RAX, R12, 16);
    this.#lookup();
    asm.store(0, R12, 0, RBX);
    asm.store(1, R12, 8, RDX);
    asm.jmpReg(RDX);
  }

  /**
   * Emits a probe of the jump cache for the pc in rax, and the jump to its code. All state is stored. No stub: hosts
   * predict where jumps lead the better the more places they jump from.
   */
  emitProbe(): void {
    const { asm } = this;
    const by = asm.pos - this.#probe;
    asm.repeat(this.#probe, this.#probeEnd);
    for (let i = 0; i < this.#probeMisses.length; i++) {
      asm.bind(this.#probeMisses[i] + by, this.lookupIndirect);
    }
  }

  /** Emits the probe that others are copies of. */
  #emitFirstProbe(): void {
    const { asm } = this;
    this.#probe = asm.pos;
    asm.movRR(0, RCX, RAX);
    asm.shiftImm(SHIFT_SHL, 0, RCX, 3);
    asm.aluImm(ALU_AND, 0, RCX, ((1 << JUMP_CACHE_BITS) - 1) << 4);
    asm.load(0, RDX, STATE, at(STATE_EPOCH_CONTEXT));
    asm.aluMemIndex(ALU_CMP, 1, RAX, STATE, RCX, at(STATE_JUMP_CACHE));
    this.#probeMisses.push(asm.jcc(CC_NE));
    asm.aluMemIndex(ALU_CMP, 0, RDX, STATE, RCX, at(STATE_JUMP_CACHE) + 8);
    this.#probeMisses.push(asm.jcc(CC_NE));
    asm.loadIndex(0, RDX, STATE, RCX, at(STATE_JUMP_CACHE) + 12);
    asm.jmpReg(RDX);
    this.#probeEnd = asm.pos;
  }

  /**
   * Emits the refill stub for one MMU index and kind, around the walker at the given position. Called with the
   * virtual address in rax, the page of the access's last byte in rcx (an access that crosses pages fails) and
   * the site on the stack.
   */
  emitRefill(mmuIndex: number, kind: number, walker: number): void {
    const { asm } = this;
    this.#refill[tableNumber(mmuIndex, kind)] = asm.pos;
    asm.store(1, STATE, at(STATE_SCRATCH), RAX);
    asm.alu(ALU_XOR, 1, RCX, RAX);
    asm.shiftImm(SHIFT_SHR, 1, RCX, 12);
    const crosses = asm.jcc(CC_NE);
    // The probe may have looked at the entry of its base's page.
    const table = at(tlbTable(mmuIndex, kind));
    asm.movRR(0, RCX, RAX);
    asm.shiftImm(SHIFT_SHR, 0, RCX, 8);
    asm.aluImm(ALU_AND, 0, RCX, TLB_OFFSET_MASK);
    asm.aluImm(ALU_AND, 1, RAX, -4096);
    asm.aluMemIndex(ALU_CMP, 1, RAX, STATE, RCX, table);
    const walk = asm.jcc(CC_NE);
    asm.loadIndex(1, RCX, STATE, RCX, table + 8);
    asm.ret(8);
    asm.bind(walk);
    // What the mirror shows must be hidden before its entry goes: the interpreter sees to that.
    let mirrored = -1;
    if (mmuIndex === MIRRORED_INDEX) {
      asm.shiftImm(SHIFT_SHR, 0, RCX, 4);
      asm.loadSized(1, false, RCX, STATE, RCX, at(STATE_MIRRORED));
      asm.test(0, RCX, RCX);
      mirrored = asm.jcc(CC_NE);
    }
    this.#dumpIntegers();
    asm.callTo(walker);
    asm.test(1, RAX, RAX);
    const failed = asm.jcc(CC_E);
    for (const r of VALUE_REGISTERS) asm.load(1, r, STATE, dump(r));
    asm.movRR(1, RCX, RAX);
    asm.aluMem(ALU_SUB, 1, RCX, STATE, at(STATE_SCRATCH));
    asm.ret(8);
    asm.bind(crosses);
    if (mirrored >= 0) asm.bind(mirrored);
    this.#dumpIntegers();
    asm.bind(failed);
    asm.pop(RAX); // the return address
    asm.pop(RAX);
    asm.store(0, STATE, at(STATE_EXIT_ARG), RAX);
    asm.jmpTo(this.#dumpAndExit);

    this.#check[tableNumber(mmuIndex, kind)] = asm.pos;
    asm.push(RCX);
    asm.loadIndex(1, RAX, STATE, RAX, 0);
    asm.rorx(0, RCX, RAX, 8);
    asm.aluImm(ALU_AND, 0, RCX, TLB_OFFSET_MASK);
    asm.aluMemIndex(ALU_CMP, 1, RAX, STATE, RCX, table);
    asm.pop(RCX);
    asm.ret();
  }

  /** Position of the refill stub. */
  refill(mmuIndex: number, kind: number): number {
    return this.#refill[tableNumber(mmuIndex, kind)];
  }

  /**
   * Position of a stub that is called with the displacement in eax, from the state register, of a page's address, and
   * compares that with what the TLB has in its place: equal, or not. Keeps all other registers.
   */
  check(mmuIndex: number, kind: number): number {
    return this.#check[tableNumber(mmuIndex, kind)];
  }

  #dumpIntegers(): void {
    for (const r of VALUE_REGISTERS) this.asm.store(1, STATE, dump(r), r);
  }

  #dumpFloats(): void {
    for (let r = FIRST_VALUE_XMM; r < 16; r++) this.asm.fstore(8, STATE, -1, dump(16 + r), r);
  }

  #exitWith(reason: number): void {
    this.asm.storeImm(0, STATE, at(STATE_EXIT_REASON), reason);
    this.asm.jmpTo(this.#exit);
  }

  /**
   * pc in rax → code address in edx, epoch and context in ebx. Keeps rax and r12. Leaves with EXIT_LOOKUP
   * where no code is known.
   */
  #lookup(): void {
    const { asm } = this;
    asm.load(0, RBX, STATE, at(STATE_EPOCH_CONTEXT));
    asm.movRR(0, RCX, RBX);
    asm.aluImm(ALU_AND, 0, RCX, 3); // MMU index
    asm.movRR(0, R8, RCX);
    asm.movRR(0, RDX, RCX);
    asm.alu(ALU_ADD, 0, RCX, RCX);
    asm.alu(ALU_ADD, 0, RCX, RDX);
    asm.shiftImm(SHIFT_SHL, 0, RCX, TLB_BITS + 4); // three tables of 2^(TLB_BITS + 4) bytes each
    asm.leaIndex(1, RSI, STATE, RCX, at(tlbTable(0, TLB_FETCH)));
    asm.movRR(0, RDX, RAX);
    asm.shiftImm(SHIFT_SHR, 0, RDX, 8);
    asm.aluImm(ALU_AND, 0, RDX, TLB_OFFSET_MASK);
    asm.alu(ALU_ADD, 1, RSI, RDX);
    asm.movRR(1, RDX, RAX);
    asm.aluImm(ALU_AND, 1, RDX, -4096);
    asm.aluMem(ALU_CMP, 1, RDX, RSI, 0);
    const walk = asm.jcc(CC_NE);
    asm.load(0, RDI, RSI, 8);
    const found = asm.pos;
    asm.movRR(0, RDX, RAX);
    asm.shiftImm(SHIFT_SHR, 0, RDX, 1);
    asm.movRR(0, RCX, RAX);
    asm.shiftImm(SHIFT_SHR, 0, RCX, 13);
    asm.alu(ALU_XOR, 0, RDX, RCX);
    asm.aluImm(ALU_AND, 0, RDX, (1 << BLOCK_SETS_BITS) - 1);
    asm.shiftImm(SHIFT_SHL, 0, RDX, BLOCK_SET_SHIFT);
    asm.shiftImm(SHIFT_SHL, 0, RDI, 8);
    asm.extend(1, false, RCX, RBX);
    asm.leaIndex(0, RDI, RDI, RCX, 1);
    const hits: number[] = [], misses: number[] = [];
    for (let way = 0; way < BLOCK_WAYS; way++) {
      for (const miss of misses.splice(0)) asm.bind(miss);
      if (way > 0) asm.aluImm(ALU_ADD, 0, RDX, BLOCK_ENTRY_BYTES);
      asm.aluMem(ALU_CMP, 1, RAX, RDX, this.blockTable);
      misses.push(asm.jcc(CC_NE));
      asm.aluMem(ALU_CMP, 0, RDI, RDX, this.blockTable + 8);
      if (way < BLOCK_WAYS - 1) hits.push(asm.jcc(CC_E));
      else misses.push(asm.jcc(CC_NE));
    }
    for (const hit of hits) asm.bind(hit);
    asm.load(0, RDX, RDX, this.blockTable + 12);
    const done = asm.jmp();

    asm.bind(walk);
    asm.test(0, BUDGET, BUDGET); // what comes next may be a trap, which must not find the TLB filled
    const exhausted = asm.jcc(CC_E);
    asm.store(1, STATE, at(STATE_SCRATCH), RAX);
    asm.push(RAX);
    asm.push(R12);
    asm.shiftImm(SHIFT_SHL, 0, R8, 3);
    asm.load(1, RDX, R8, this.walkers);
    asm.callReg(RDX);
    asm.pop(R12);
    asm.lea(0, RDI, RAX, -1);
    asm.test(1, RAX, RAX);
    asm.pop(RAX);
    asm.load(0, RBX, STATE, at(STATE_EPOCH_CONTEXT)); // the walk may have dropped a translation
    asm.jccTo(CC_NE, found);

    asm.bind(exhausted);
    for (const miss of misses) asm.bind(miss);
    asm.store(1, STATE, at(STATE_PC), RAX);
    this.#exitWith(EXIT_LOOKUP);
    asm.bind(done);
  }
}
