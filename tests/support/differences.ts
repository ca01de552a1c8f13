/**
 * What tells two RISC-V machines apart: everything the guest can observe now or later, TLBs included, since
 * what a guest that forgets an SFENCE.VMA sees depends on them. Host addresses and what belongs to the engine
 * (budget, jump cache, epoch) are no difference.
 */
import { Buffer } from "node:buffer";
import type { RiscvHart } from "../../core/decoder/riscv/hart.ts";
import * as slots from "../../core/decoder/riscv/state.ts";
import type { Machine } from "../../core/machine.ts";
import { PAGE_SIZE } from "../../core/memory.ts";
import {
  MMU_INDEXES,
  STATE_BUDGET,
  STATE_FP_REGS,
  STATE_INT_REGS,
  STATE_INTERRUPT_PENDING,
  STATE_PC,
  STATE_SYSTEM,
  STATE_TLB,
  STATE_TLB_TOUCHED,
  TLB_ENTRIES,
  TLB_FETCH,
  TLB_INVALID,
  TLB_TABLE_BYTES,
} from "../../core/translator/layout.ts";

const RANGES = [
  [0, STATE_BUDGET],
  [STATE_INTERRUPT_PENDING, STATE_INTERRUPT_PENDING + 8],
  [STATE_SYSTEM, slots.S_END],
] as const;
const TOUCHED = STATE_TLB_TOUCHED >> 2;
const CHUNK_ENTRIES = TLB_ENTRIES / 64;
const MOST_LISTED = 40;

/** Compares clocks and vCPUs. An empty list means that they are equal. */
export function stateDifferences(a: Machine, b: Machine): string[] {
  const found: string[] = [];
  const compare = (what: string, x: unknown, y: unknown) => {
    if (x !== y) found.push(`${what}: ${x} and ${y}`);
  };
  compare("instructions", a.clock.instructions, b.clock.instructions);
  compare("idle time", a.clock.idleNs, b.clock.idleNs);
  compare("next timer", a.clock.nextDueNs, b.clock.nextDueNs);
  compare("exit", JSON.stringify(a.exit), JSON.stringify(b.exit));
  a.vcpus.forEach((vcpu, i) => {
    const x = vcpu as RiscvHart, y = b.vcpus[i] as RiscvHart;
    const name = a.vcpus.length > 1 ? `hart ${i} ` : "";
    compare(`${name}waiting`, x.waiting, y.waiting);
    compare(`${name}stopped`, x.stopped, y.stopped);
    for (const hart of [x, y]) hart.state[slots.S_FFLAGS >> 2] |= hart.collectHostFlags();
    compareRegisters(name, x.state, y.state, found);
    compareTlbs(name, x, y, found);
  });
  return found.slice(0, MOST_LISTED);
}

/** Compares RAM: at most `bytes` of it, from its base. */
export function ramDifferences(a: Machine, b: Machine, bytes: number = a.ram.size): string[] {
  const bufferOf = ({ ram }: Machine) => Buffer.from(ram.u8.buffer, ram.u8.byteOffset, bytes);
  if (bufferOf(a).equals(bufferOf(b))) return [];
  const found: string[] = [];
  for (let i = 0; i < bytes >> 2 && found.length < MOST_LISTED; i++) {
    const x = a.ram.i32[i], y = b.ram.i32[i];
    if (x !== y) found.push(`RAM at 0x${(a.ram.base + 4 * i).toString(16)}: ${hex(x)} and ${hex(y)}`);
  }
  return found;
}

function compareRegisters(name: string, x: Int32Array, y: Int32Array, found: string[]): void {
  for (const [from, to] of RANGES) {
    for (let i = from >> 2; i < to >> 2; i += 2) {
      if (x[i] === y[i] && x[i + 1] === y[i + 1]) continue;
      found.push(`${name}${slotName(4 * i)}: ${hex(x[i + 1], x[i])} and ${hex(y[i + 1], y[i])}`);
    }
  }
}

/** Entries as the guest sees them: which page a virtual page leads to. */
function compareTlbs(name: string, x: RiscvHart, y: RiscvHart, found: string[]): void {
  for (let table = 0; table < 3 * MMU_INDEXES; table++) {
    const word = TOUCHED + 2 * table;
    for (let chunk = 0; chunk < 64; chunk++) {
      const half = word + (chunk >> 5);
      if (((x.state[half] | y.state[half]) >>> (chunk & 31) & 1) === 0) continue;
      for (let i = chunk * CHUNK_ENTRIES; i < (chunk + 1) * CHUNK_ENTRIES; i++) {
        const [p, q] = [describeEntry(x, table, i), describeEntry(y, table, i)];
        if (p !== q) {
          found.push(`${name}TLB ${Math.floor(table / 3)} ${KINDS[table % 3]} ${i}: ${p} and ${q}`);
        }
      }
    }
  }
}

const KINDS = ["load", "store", "fetch"];

function describeEntry(hart: RiscvHart, table: number, index: number): string {
  const s = hart.state;
  const entry = (STATE_TLB + table * TLB_TABLE_BYTES >> 2) + 4 * index;
  const lo = s[entry];
  if (lo === TLB_INVALID) return "none"; // TLB_GUARDED is the engine's business
  const { hostAddress } = hart.machine.ram;
  const target = table % 3 === TLB_FETCH
    ? s[entry + 2]
    : ((lo & -PAGE_SIZE) + s[entry + 2] - (hostAddress | 0) >>> 0) / PAGE_SIZE;
  return `${hex(s[entry + 1], lo & -PAGE_SIZE)} → RAM page ${target}`;
}

const SYSTEM_NAMES = new Map(
  Object.entries(slots).flatMap(([name, offset]) =>
    name.startsWith("S_") && typeof offset === "number" ? [[offset, name]] : []
  ),
);

function slotName(offset: number): string {
  if (offset < STATE_FP_REGS) return `x${(offset - STATE_INT_REGS) / 8}`;
  if (offset < STATE_FP_REGS + 256) return `f${(offset - STATE_FP_REGS) / 8}`;
  if (offset === STATE_PC) return "pc";
  if (offset === STATE_INTERRUPT_PENDING) return "interrupt pending";
  return SYSTEM_NAMES.get(offset) ?? `state ${offset}`;
}

function hex(...words: number[]): string {
  return "0x" + words.map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}
