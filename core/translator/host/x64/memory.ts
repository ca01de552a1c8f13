/**
 * Emission of guest memory accesses: an inline TLB probe, and out of line a call of the refill stub, which
 * either returns the addend or leaves the block at this instruction.
 *
 *     rorx  eax, base, 8               index of the entry
 *     and   eax, (entries - 1) << 4
 *     lea   rcx, [va + size - 1]       page of the last byte: equals the tag only if nothing crosses
 *     and   rcx, -4096
 *     cmp   rcx, [rbp + rax + tag]
 *     jne   cold                       cold: note the site; lea rax, [va]; call refill; jmp back
 *     mov   rcx, [rbp + rax + addend]
 *     back: op [rcx + va]
 *
 * Where the displacement is small, the index is that of the base: if the access reaches into the next page, it
 * misses, and the stub looks at the right entry first. (A negative one would not do: an access that begins in the
 * page before the base's and ends in the base's would hit.)
 */
import * as ir from "../../ir.ts";
import { TLB_LOAD, TLB_OFFSET_MASK, TLB_STORE, tlbTable } from "../../layout.ts";
import { ALU_AND, ALU_CMP, SHIFT_SHR } from "./assembler.ts";
import { XMM } from "./stores.ts";
import type { Emitter } from "./emitter.ts";
import { CC_NE, RAX, RCX, STATE, STATE_BIAS } from "./registers.ts";
import { streamCell } from "./streams.ts";

/** Largest displacement, in bytes, that is left out of the index. */
const NEAR = 64;

/** Emits the probe for op i's access to [base + disp]; afterwards rcx holds the addend. */
function probe(e: Emitter, i: number, kind: number, base: number, disp: number, size: number): void {
  const { asm, groups } = e;
  const g = groups.of[i];
  const cell = g < 0 ? undefined : groups.cell(g);
  if (g >= 0 && !groups.leads(i)) {
    if (e.addendOf !== g) asm.load(1, RCX, STATE, cell!);
    e.addendOf = g;
    return;
  }
  const from = g < 0 ? disp : disp + groups.from(g), to = g < 0 ? disp + size : disp + groups.to(g);
  const table = tlbTable(e.ir.context & 3, kind) - STATE_BIAS;
  if (from >= 0 && from <= NEAR) asm.rorx(0, RAX, base, 8);
  else {
    asm.lea(0, RAX, base, from);
    asm.shiftImm(SHIFT_SHR, 0, RAX, 8);
  }
  asm.aluImm(ALU_AND, 0, RAX, TLB_OFFSET_MASK);
  if (to === 1) asm.movRR(1, RCX, base);
  else asm.lea(1, RCX, base, to - 1);
  asm.aluImm(ALU_AND, 1, RCX, -4096);
  asm.aluMemIndex(ALU_CMP, 1, RCX, STATE, RAX, table);
  const miss = asm.jcc(CC_NE);
  if (cell !== undefined) asm.store(1, STATE, cell + 8, RCX);
  asm.loadIndex(1, RCX, STATE, RAX, table + 8);
  if (cell !== undefined) asm.store(1, STATE, cell, RCX);
  e.cold.memory(miss, i, base, disp);
  e.addendOf = g;
}

function load(e: Emitter, i: number): void {
  const { alloc, asm } = e;
  const size = e.ir.c[i] & 15, signed = (e.ir.c[i] & 16) !== 0;
  const base = alloc.use(e.ir.a[i]);
  // The result's register is chosen before the probe, so that what the exit describes is what it finds.
  const dst = alloc.define();
  probe(e, i, TLB_LOAD, base, e.ir.lo[i], size);
  asm.loadSized(size, signed, dst, RCX, base, e.ir.lo[i]);
}

function store(e: Emitter, i: number): void {
  const { alloc, asm } = e;
  const size = e.ir.c[i], value = e.ir.b[i];
  const base = alloc.use(e.ir.a[i]);
  if (e.ir.isConst32(value)) {
    probe(e, i, TLB_STORE, base, e.ir.lo[i], size);
    asm.storeSizedImm(size, RCX, base, e.ir.lo[i], e.ir.lo[value]);
    return;
  }
  const src = alloc.use(value);
  probe(e, i, TLB_STORE, base, e.ir.lo[i], size);
  asm.storeSized(size, RCX, base, e.ir.lo[i], src);
}

function fload(e: Emitter, i: number): void {
  const { alloc, asm } = e;
  const base = alloc.use(e.ir.a[i]);
  const dst = alloc.defineXmm();
  probe(e, i, TLB_LOAD, base, e.ir.lo[i], e.ir.c[i]);
  asm.fload(e.ir.c[i], dst, RCX, base, e.ir.lo[i]);
}

function fstore(e: Emitter, i: number): void {
  const { alloc, asm } = e;
  const base = alloc.use(e.ir.a[i]);
  const src = alloc.use(e.ir.b[i]) - XMM;
  probe(e, i, TLB_STORE, base, e.ir.lo[i], e.ir.c[i]);
  asm.fstore(e.ir.c[i], RCX, base, e.ir.lo[i], src);
}

function translateStore(e: Emitter, i: number): void {
  const { alloc, asm } = e;
  const base = alloc.use(e.ir.a[i]);
  const dst = alloc.define();
  probe(e, i, TLB_STORE, base, e.ir.lo[i], e.ir.c[i]);
  asm.leaIndex(1, dst, RCX, base, e.ir.lo[i]);
}

function hostLoad(e: Emitter, i: number): void {
  const { alloc, asm } = e;
  const base = alloc.use(e.ir.a[i]);
  asm.loadSized(e.ir.c[i] & 15, (e.ir.c[i] & 16) !== 0, alloc.define(), base, -1, e.ir.lo[i]);
}

function hostStore(e: Emitter, i: number): void {
  const { alloc, asm } = e;
  const base = alloc.use(e.ir.a[i]);
  const src = alloc.use(e.ir.b[i]);
  asm.storeSized(e.ir.c[i], base, -1, e.ir.lo[i], src);
}

/** The register with the addend of a streamed access' page. */
function addend(e: Emitter, i: number): number {
  e.asm.load(1, RCX, STATE, streamCell(e.ir.hi[i]));
  return RCX;
}

function streamLoad(e: Emitter, i: number): void {
  const { alloc, asm } = e;
  const base = alloc.use(e.ir.a[i]);
  const dst = alloc.define();
  asm.loadSized(e.ir.c[i] & 15, (e.ir.c[i] & 16) !== 0, dst, addend(e, i), base, e.ir.lo[i]);
}

function streamStore(e: Emitter, i: number): void {
  const { alloc, asm } = e;
  const size = e.ir.c[i], value = e.ir.b[i];
  const base = alloc.use(e.ir.a[i]);
  if (e.ir.isConst32(value)) {
    asm.storeSizedImm(size, addend(e, i), base, e.ir.lo[i], e.ir.lo[value]);
    return;
  }
  const src = alloc.use(value);
  asm.storeSized(size, addend(e, i), base, e.ir.lo[i], src);
}

function streamFload(e: Emitter, i: number): void {
  const { alloc, asm } = e;
  const base = alloc.use(e.ir.a[i]);
  asm.fload(e.ir.c[i], alloc.defineXmm(), addend(e, i), base, e.ir.lo[i]);
}

function streamFstore(e: Emitter, i: number): void {
  const { alloc, asm } = e;
  const base = alloc.use(e.ir.a[i]);
  const src = alloc.use(e.ir.b[i]) - XMM;
  asm.fstore(e.ir.c[i], addend(e, i), base, e.ir.lo[i], src);
}

/** The host address of a place in the state block. */
function stateAddress(e: Emitter, i: number): void {
  e.asm.lea(1, e.alloc.define(), STATE, e.ir.lo[i] - STATE_BIAS);
}

/** Registers this file's emitters. */
export function registerMemory(table: ((e: Emitter, i: number) => void)[]): void {
  table[ir.OP_LOAD] = load;
  table[ir.OP_STORE] = store;
  table[ir.OP_FLOAD] = fload;
  table[ir.OP_FSTORE] = fstore;
  table[ir.OP_STREAM_LOAD] = streamLoad;
  table[ir.OP_STREAM_STORE] = streamStore;
  table[ir.OP_STREAM_FLOAD] = streamFload;
  table[ir.OP_STREAM_FSTORE] = streamFstore;
  table[ir.OP_TRANSLATE_STORE] = translateStore;
  table[ir.OP_HOST_LOAD] = hostLoad;
  table[ir.OP_HOST_STORE] = hostStore;
  table[ir.OP_STATE_ADDRESS] = stateAddress;
}
