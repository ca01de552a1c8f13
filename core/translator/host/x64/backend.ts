/** The x86-64 host backend (needs x86-64-v3: AVX, BMI2, FMA, LZCNT). */
import type { FrontEnd } from "../../../isa.ts";
import type { GuestRam } from "../../../memory.ts";
import type { Backend, CodeMemory } from "../../backend.ts";
import { Ir } from "../../ir.ts";
import { MMU_INDEXES, TLB_FETCH, TLB_LOAD, TLB_STORE } from "../../layout.ts";
import { BLOCK_TABLE_BYTES, BlockTable, blockTag } from "./block_table.ts";
import { Assembler } from "./assembler.ts";
import { Emitter } from "./emitter.ts";
import { ExitTables } from "./exits.ts";
import { FAULT_TABLE_BYTES, FaultTable } from "./fault_table.ts";
import { Region } from "./region.ts";
import { MXCSR_DEFAULT, Stubs } from "./stubs.ts";

/** A block's code never exceeds this many bytes: two copies of a trace that stores every register at every exit. */
const MAX_BLOCK_BYTES = 1 << 19;
/** Bytes for the walkers' addresses and, from FLAGS_TABLE on, the table of FP flags. */
const WALKERS_BYTES = 4096;
const FLAGS_TABLE = 64;

/** x86-64 code for blocks of any guest. */
export class X64Backend implements Backend {
  readonly exits: ExitTables;
  readonly fpControl: number = MXCSR_DEFAULT;
  readonly #asm: Assembler;
  readonly #stubs: Stubs;
  readonly #emitter: Emitter;
  readonly #stubEmitter: Emitter;
  readonly #stubIr = new Ir();
  readonly #table: BlockTable;
  readonly #faults: FaultTable;
  /** Host address of the fault table, for STATE_FAULT_TABLE. */
  readonly faultTable: number;
  readonly #walkers: Int32Array;
  readonly #codeSize: number;
  #prepared = 0;
  #firstBlock: number;

  constructor(memory: CodeMemory, readonly ir: Ir) {
    const { code, data } = memory;
    this.#codeSize = code.buffer.byteLength;
    this.#asm = new Assembler(new Uint8Array(code.buffer), code.address);
    this.#walkers = new Int32Array(data.buffer, 0, WALKERS_BYTES >> 2);
    this.#table = new BlockTable(new Int32Array(data.buffer, WALKERS_BYTES, BLOCK_TABLE_BYTES >> 2));
    const faultsAt = WALKERS_BYTES + BLOCK_TABLE_BYTES, cellsAt = faultsAt + FAULT_TABLE_BYTES;
    this.#faults = new FaultTable(new Int32Array(data.buffer, faultsAt, FAULT_TABLE_BYTES >> 2));
    this.faultTable = data.address + faultsAt;
    this.exits = new ExitTables(new Int32Array(data.buffer, cellsAt), data.address + cellsAt);
    const flags = new Uint8Array(data.buffer, FLAGS_TABLE, 64);
    for (let i = 0; i < 64; i++) flags[i] = this.fpFlags(i);
    this.#stubs = new Stubs(
      this.#asm,
      data.address + WALKERS_BYTES,
      data.address,
      data.address + FLAGS_TABLE,
    );
    this.#stubs.emit();
    this.#emitter = new Emitter(ir, this.#asm, this.exits, this.#stubs, this.#faults);
    this.#stubEmitter = new Emitter(this.#stubIr, this.#asm, this.exits, this.#stubs, this.#faults);
    this.#firstBlock = this.#asm.pos;
    this.#forgetWalkers();
  }

  /** Code may change its MMU index by itself: until an index is prepared, its walker finds nothing. */
  #forgetWalkers(): void {
    this.#prepared = 0;
    for (let i = 0; i < MMU_INDEXES; i++) this.#walkers[2 * i] = this.#asm.base + this.#stubs.noWalk;
  }

  /** Host address of the code the engine enters through. */
  get enter(): number {
    return this.#asm.base + this.#stubs.enter;
  }

  /** Host address of code that goes on at the pc in the state, and leaves with EXIT_LOOKUP where it knows none. */
  get resume(): number {
    return this.#asm.base + this.#stubs.resume;
  }

  get codeBytes(): number {
    return this.#asm.pos - this.#firstBlock;
  }

  prepare(context: number, frontEnd: FrontEnd, ram: GuestRam): void {
    const mmuIndex = context & 3;
    if ((this.#prepared & (1 << mmuIndex)) !== 0) return;
    this.#prepared |= 1 << mmuIndex;
    this.#walkers[2 * mmuIndex] = this.#asm.base + this.#emitWalker(frontEnd, TLB_FETCH, mmuIndex, ram);
    for (const kind of [TLB_LOAD, TLB_STORE]) {
      this.#stubs.emitRefill(mmuIndex, kind, this.#emitWalker(frontEnd, kind, mmuIndex, ram));
    }
  }

  #emitWalker(frontEnd: FrontEnd, kind: number, mmuIndex: number, ram: GuestRam): number {
    this.#stubIr.begin(mmuIndex, true);
    frontEnd.walker(this.#stubIr, kind, mmuIndex, ram);
    return this.#stubEmitter.emitStub();
  }

  hasRoom(): boolean {
    return this.#asm.pos + MAX_BLOCK_BYTES <= this.#codeSize && this.exits.hasRoom();
  }

  emit(block: number, pcLo: number, pcHi: number, effort: number): number {
    if (!this.hasRoom()) return 0;
    return this.#asm.base + this.#emitter.emitBlock(block, pcLo, pcHi, effort);
  }

  streams(): boolean {
    return this.#emitter.hasStreams();
  }

  beginRegion(pcs: readonly number[], slots: readonly number[], set: readonly boolean[]): void {
    this.#emitter.beginRegion(new Region(pcs, slots, set));
  }

  endRegion(): void {
    this.#emitter.endRegion();
  }

  link(link: number, code: number): void {
    const at = this.exits.linkPosition(link);
    this.#asm.bytes[at] = 0xe9; // jmp rel32
    this.#asm.patch32(at + 1, code - (this.#asm.base + at + 5));
  }

  unlink(link: number): void {
    const at = this.exits.linkPosition(link);
    this.#asm.bytes[at] = 0xb8; // mov eax, link
    this.#asm.patch32(at + 1, link);
  }

  publish(pcLo: number, pcHi: number, ramPage: number, context: number, code: number): void {
    this.#table.publish(pcLo, pcHi, blockTag(ramPage, context), code);
  }

  retract(pcLo: number, pcHi: number, code: number): void {
    this.#table.retract(pcLo, pcHi, code);
  }

  clear(): void {
    this.#table.clear();
    this.exits.clear();
    this.#faults.clear();
    this.#forgetWalkers();
    this.#asm.pos = this.#firstBlock;
  }

  fpFlags(control: number): number {
    // MXCSR: IE 1, DE 2, ZE 4, OE 8, UE 16, PE 32
    return (control & 1) << 4 | (control & 4) << 1 | (control & 8) >> 1 | (control & 16) >> 3 |
      (control & 32) >> 5;
  }
}
