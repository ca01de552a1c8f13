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
import {
  STATE_FAR_ADDEND,
  STATE_FAR_OFFSET,
  STATE_FAR_SIZE,
  STATE_NEAR_ADDEND,
  STATE_NEAR_SIZE,
  TLB_LOAD,
  TLB_OFFSET_MASK,
  TLB_STORE,
  tlbTable,
} from "../../layout.ts";
import { ALU_ADD, ALU_AND, ALU_CMP, type Assembler, SHIFT_SHL, SHIFT_SHR } from "./assembler.ts";
import { XMM } from "./stores.ts";
import type { Emitter } from "./emitter.ts";
import { tableKind } from "./groups.ts";
import { FOLLOWS, LEADS } from "./mirror_checks.ts";
import { CC_AE, CC_NE, RAX, RCX, STATE, STATE_BIAS } from "./registers.ts";
import { streamCell } from "./streams.ts";
import { canProbe, emitTlbProbe } from "./tlb_probe.ts";

/** Largest displacement, in bytes, that is left out of the index. */
const NEAR = 64;

/** Loads rcx with an addend, kept at a displacement from the state register, unless `addendOf` says that it has it. */
function loadAddend(e: Emitter, of: number, disp: number): void {
  if (e.addendOf !== of) e.asm.load(1, RCX, STATE, disp);
  e.addendOf = of;
}

/** Emits the probe for op i's access to [base + disp]; afterwards rcx holds the addend. */
function probe(e: Emitter, i: number, kind: number, base: number, disp: number, size: number): void {
  const { asm, groups } = e;
  const g = groups.of[i];
  const cell = g < 0 ? undefined : groups.cell(g);
  if (g >= 0 && !groups.leads(i)) {
    return loadAddend(e, g, cell!);
  }
  const from = g < 0 ? disp : disp + groups.from(g), to = g < 0 ? disp + size : disp + groups.to(g);
  const table = tlbTable(e.ir.context & 3, kind) - STATE_BIAS;
  e.addendOf = g;
  const near = from >= 0 && from <= NEAR;
  if (near && cell === undefined && canProbe(base, from, to - 1)) {
    return e.cold.memory(emitTlbProbe(asm, base, to - 1, table), i, base, disp);
  }
  if (near) asm.rorx(0, RAX, base, 8);
  else loadIndex(asm, base, from);
  const miss = compareTag(asm, base, to - 1, table);
  if (cell !== undefined) asm.store(1, STATE, cell + 8, RCX);
  asm.loadIndex(1, RCX, STATE, RAX, table + 8);
  if (cell !== undefined) asm.store(1, STATE, cell, RCX);
  e.cold.memory(miss, i, base, disp);
}

/** Loads eax with what the index of the entry for [base + disp] is taken from. */
function loadIndex(asm: Assembler, base: number, disp: number): void {
  asm.lea(0, RAX, base, disp);
  asm.shiftImm(SHIFT_SHR, 0, RAX, 8);
}

/** Compares the entry's tag with the page of [base + last], left in rcx; returns the jump for where they differ. */
function compareTag(asm: Assembler, base: number, last: number, table: number): number {
  asm.aluImm(ALU_AND, 0, RAX, TLB_OFFSET_MASK);
  if (last === 0) asm.movRR(1, RCX, base);
  else asm.lea(1, RCX, base, last);
  asm.aluImm(ALU_AND, 1, RCX, -4096);
  asm.aluMemIndex(ALU_CMP, 1, RCX, STATE, RAX, table);
  return asm.jcc(CC_NE);
}

/** In `addendOf`: rcx holds what to add to an address in the near (far) span to get to the mirror. */
const NEAR_ADDEND = 1000, FAR_ADDEND = 1001;
/** In `addendOf`: rcx holds the addend of the page that the first stream is in. Those of the others follow. */
const FIRST_STREAM = 2000;

/**
 * Emits op i's access by the mirror (see STATE_NEAR_ADDEND). Where it faults, the host's signal handler goes on in its
 * cold code.
 *
 *     mov  rcx, [near addend]      once for many accesses, and off the way from base to datum
 *     cmp  base, [near size]       for some of them: see mirror_checks.ts
 *     jae  cold
 *     op   [rcx + base + disp]
 *
 * Displacements are smaller than the guards around the mirror, so that the base's place decides.
 *
 * @param register Of the value, as `access` has it.
 * @param bytes Stores that op i makes at once: see joined_stores.ts.
 */
function mirrored(
  e: Emitter,
  i: number,
  base: number,
  register: number,
  bytes: readonly number[] = [],
): void {
  const { asm } = e;
  const far = e.reach === ir.REACHES_FAR;
  const check = e.mirrorChecks.of[i];
  loadMirrorAddend(e, far ? FAR_ADDEND : NEAR_ADDEND);
  let outside = -1;
  if (check !== FOLLOWS) {
    if (far) {
      asm.load(1, RAX, STATE, STATE_FAR_OFFSET - STATE_BIAS);
      asm.alu(ALU_ADD, 1, RAX, base);
      asm.aluMem(ALU_CMP, 1, RAX, STATE, STATE_FAR_SIZE - STATE_BIAS);
    } else asm.aluMem(ALU_CMP, 1, base, STATE, STATE_NEAR_SIZE - STATE_BIAS);
    outside = asm.jcc(CC_AE);
  }
  if (bytes.length > 0) composeBytes(e, bytes);
  const at = asm.pos;
  if (bytes.length > 0) asm.storeSized(bytes.length, RCX, base, e.ir.lo[bytes[0]], RAX);
  else accessAt(e, i, base, register);
  e.cold.mirror(i, { outside, at, base, register, leads: check === LEADS, addend: e.addendOf });
}

/** Emits rax = the number whose bytes are stored by some ops, the lowest first. All are in registers. */
function composeBytes(e: Emitter, bytes: readonly number[]): void {
  const { alloc, asm, ir } = e;
  for (let k = bytes.length - 1; k >= 0; k--) {
    const register = alloc.use(ir.b[bytes[k]]);
    if (k === bytes.length - 1) asm.extend(1, false, RAX, register);
    else {
      asm.shiftImm(SHIFT_SHL, 0, RAX, 8);
      asm.movLowByte(RAX, register);
    }
  }
}

/** Loads rcx with what to add to addresses in a span, unless it holds that. */
export function loadMirrorAddend(e: Emitter, addend: number): void {
  loadAddend(e, addend, (addend === FAR_ADDEND ? STATE_FAR_ADDEND : STATE_NEAR_ADDEND) - STATE_BIAS);
}

/**
 * Emits op i's access, by the mirror or after a probe.
 *
 * @param register Of the value, an FP register where it is an FP value; -1 for a constant.
 */
function access(e: Emitter, i: number, kind: number, base: number, register: number): void {
  if (e.reach !== ir.REACHES_UNKNOWN) return mirrored(e, i, base, register);
  probe(e, i, kind, base, e.ir.lo[i], e.ir.c[i] & 15);
  accessAt(e, i, base, register);
}

/** Emits the access of op i to [rcx + base + disp]. */
export function accessAt(e: Emitter, i: number, base: number, register: number): void {
  const { asm, ir: block } = e;
  const size = block.c[i] & 15, disp = block.lo[i];
  switch (block.op[i]) {
    case ir.OP_LOAD:
      return asm.loadSized(size, (block.c[i] & 16) !== 0, register, RCX, base, disp);
    case ir.OP_FLOAD:
      return asm.fload(size, register, RCX, base, disp);
    case ir.OP_FSTORE:
      return asm.fstore(size, RCX, base, disp, register);
  }
  if (register < 0) asm.storeSizedImm(size, RCX, base, disp, block.lo[block.b[i]]);
  else asm.storeSized(size, RCX, base, disp, register);
}

/** Emits the probe for op i that cold code makes in place of the mirror; jumps out of it lead to `miss`. */
export function probeCold(e: Emitter, i: number, base: number): number {
  const { asm } = e;
  const disp = e.ir.lo[i], size = e.ir.c[i] & 15;
  const table = tlbTable(e.ir.context & 3, tableKind(e.ir.op[i])) - STATE_BIAS;
  loadIndex(asm, base, disp);
  const miss = compareTag(asm, base, disp + size - 1, table);
  asm.loadIndex(1, RCX, STATE, RAX, table + 8);
  return miss;
}

export function load(e: Emitter, i: number): void {
  const base = e.alloc.use(e.ir.a[i]);
  // The result's register is chosen before the probe, so that what the exit describes is what it finds.
  access(e, i, TLB_LOAD, base, e.alloc.define());
}

export function store(e: Emitter, i: number): void {
  if (e.joined.isMade(i)) return;
  const value = e.ir.b[i];
  const base = e.alloc.use(e.ir.a[i]);
  const bytes = e.joined.bytesOf(i);
  if (bytes !== undefined) {
    for (const byte of bytes) e.alloc.use(e.ir.b[byte]);
    return mirrored(e, i, base, e.alloc.use(value), bytes);
  }
  access(e, i, TLB_STORE, base, e.ir.isConst32(value) ? -1 : e.alloc.use(value));
}

function fload(e: Emitter, i: number): void {
  const base = e.alloc.use(e.ir.a[i]);
  access(e, i, TLB_LOAD, base, e.alloc.defineXmm());
}

function fstore(e: Emitter, i: number): void {
  const base = e.alloc.use(e.ir.a[i]);
  access(e, i, TLB_STORE, base, e.alloc.use(e.ir.b[i]) - XMM);
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
  const stream = e.ir.hi[i];
  const register = e.streams.registers[stream];
  if (register >= 0) return register;
  loadStreamAddend(e, stream);
  return RCX;
}

/** Loads rcx with the addend of the page a stream is in, unless it holds that. */
export function loadStreamAddend(e: Emitter, stream: number): void {
  loadAddend(e, FIRST_STREAM + stream, streamCell(stream));
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
