/** A hart's registers by name, as tests and debuggers see them. Names: the psABI's, and the CSRs'. */
import type { RegisterInfo } from "../../isa.ts";
import { STATE_PC } from "../../translator/layout.ts";
import { csrNamed, CSRS } from "./csr.ts";
import type { RiscvHart } from "./hart.ts";
import { fSlot, xSlot } from "./state.ts";

const INTEGER =
  "zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6"
    .split(" ");
const FLOAT =
  ("ft0 ft1 ft2 ft3 ft4 ft5 ft6 ft7 fs0 fs1 fa0 fa1 fa2 fa3 fa4 fa5 fa6 fa7 fs2 fs3 fs4 fs5 fs6 fs7 " +
    "fs8 fs9 fs10 fs11 ft8 ft9 ft10 ft11").split(" ");

/** Byte offset in the state block of a register that has a slot of its own; undefined where it has none. */
function slotOf(name: string): number | undefined {
  if (name === "pc") return STATE_PC;
  if (name === "fp") return xSlot(8);
  const x = numberOf(name, "x", INTEGER);
  if (x >= 0) return xSlot(x);
  const f = numberOf(name, "f", FLOAT);
  return f >= 0 ? fSlot(f) : undefined;
}

/** The number of a register that is called as in `names`, or by letter and number; -1: it is none of these. */
function numberOf(name: string, letter: string, names: readonly string[]): number {
  const i = names.indexOf(name);
  return i >= 0 ? i : names.findIndex((_, n) => name === `${letter}${n}`);
}

/** Every register worth showing. */
export function shownRegisters(): readonly RegisterInfo[] {
  const csrs = CSRS.map((row) => row.name).filter((name) => !/hpm|pmp/.test(name));
  return [...INTEGER, "pc", ...FLOAT, ...csrs].map((name) => ({ name, bits: 64 }));
}

/** Reads a register; undefined when there is none of that name. */
export function readRegister(h: RiscvHart, name: string): bigint | undefined {
  const slot = slotOf(name);
  if (slot !== undefined) return join(h.state[slot >> 2], h.state[(slot >> 2) + 1]);
  const csr = csrNamed(name);
  if (csr === undefined) return undefined;
  csr.read(h);
  return join(h.lo, h.hi);
}

/** Writes a register, as far as it can be written. False when there is none of that name. */
export function writeRegister(h: RiscvHart, name: string, value: bigint): boolean {
  const lo = lowHalf(value), hi = lowHalf(value >> 32n);
  const slot = slotOf(name);
  if (slot === STATE_PC) h.setPc(lo, hi);
  else if (slot !== undefined) {
    if (slot !== xSlot(0)) {
      h.state[slot >> 2] = lo;
      h.state[(slot >> 2) + 1] = hi;
    }
  } else {
    const csr = csrNamed(name);
    if (csr === undefined) return false;
    csr.write?.(h, lo, hi);
  }
  return true;
}

/** The low 32 bits of a number, signed. */
export function lowHalf(value: bigint): number {
  return Number(BigInt.asIntN(32, value));
}

function join(lo: number, hi: number): bigint {
  return BigInt(hi >>> 0) << 32n | BigInt(lo >>> 0);
}
