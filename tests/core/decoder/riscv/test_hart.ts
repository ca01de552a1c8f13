/** A hart that is just registers, 4 KiB of memory and a record of what it was asked to do. */
import { fixedBits, idOf, INSTRUCTIONS } from "../../../../core/decoder/riscv/encodings.ts";
import { EXEC, type Hart } from "../../../../core/decoder/riscv/exec/mod.ts";

/** Where {@linkcode TestHart}'s memory starts: its addresses have a high half. */
export const MEMORY = 0x3f_8000_0000n;

/** Operand fields of an instruction; `bits` is ORed in for immediates, CSR numbers and rounding modes. */
export interface Fields {
  rd?: number;
  rs1?: number;
  rs2?: number;
  rs3?: number;
  bits?: number;
}

/** Encodes an instruction from its row and its fields. */
export function encode(name: string, { rd = 0, rs1 = 0, rs2 = 0, rs3 = 0, bits = 0 }: Fields): number {
  return fixedBits(INSTRUCTIONS[idOf(name)][1]).match | rd << 7 | rs1 << 15 | rs2 << 20 | rs3 << 27 | bits;
}

/** The registers vectors use: the result and three operands. */
const RD = 5, A = 6, B = 7, C = 8;

export class TestHart implements Hart {
  readonly state = new Int32Array(1024);
  readonly memory = new DataView(new ArrayBuffer(4096));
  /** What happened, in order: "ecall", "csr 300 set read write 5", "dirty", ... */
  readonly events: string[] = [];
  pcLo = 0;
  pcHi = 0;
  nextLo = 0;
  nextHi = 0;
  lo = 0;
  hi = 0;
  flags = 0;
  frm = 0;
  fpOn = true;
  reserved = false;
  csrTraps = false;
  csrValue = 0n;

  get pc(): bigint {
    return join(this.pcLo, this.pcHi);
  }
  set pc(value: bigint) {
    [this.pcLo, this.pcHi] = halves(value);
  }
  get next(): bigint {
    return join(this.nextLo, this.nextHi);
  }
  x(i: number): bigint {
    return join(this.state[2 * i], this.state[2 * i + 1]);
  }
  setX(i: number, value: bigint): void {
    [this.state[2 * i], this.state[2 * i + 1]] = halves(value);
  }
  f(i: number): bigint {
    return this.x(32 + i);
  }
  setF(i: number, value: bigint): void {
    this.setX(32 + i, value);
  }

  /** Executes one instruction; the following one is `length` bytes on. */
  execute(name: string, fields: Fields, length = 4): void {
    [this.nextLo, this.nextHi] = halves(this.pc + BigInt(length));
    EXEC[idOf(name)](this, encode(name, fields));
  }

  load(addrLo: number, addrHi: number, size: number): boolean {
    const offset = this.#offset(addrLo, addrHi, size);
    if (offset < 0) return false;
    let value = 0n;
    for (let i = 0; i < size; i++) value |= BigInt(this.memory.getUint8(offset + i)) << BigInt(8 * i);
    [this.lo, this.hi] = halves(value);
    return true;
  }
  store(addrLo: number, addrHi: number, size: number, lo: number, hi: number): boolean {
    const offset = this.#offset(addrLo, addrHi, size);
    if (offset < 0) return false;
    for (let i = 0; i < size; i++) {
      this.memory.setUint8(offset + i, Number(join(lo, hi) >> BigInt(8 * i) & 0xffn));
    }
    return true;
  }
  loadForAmo(addrLo: number, addrHi: number, size: number): boolean {
    return this.load(addrLo, addrHi, size);
  }
  loadReserved(addrLo: number, addrHi: number, size: number): boolean {
    this.reserved = this.load(addrLo, addrHi, size);
    return this.reserved;
  }
  storeConditional(addrLo: number, addrHi: number, size: number, lo: number, hi: number): boolean {
    const stored = this.reserved;
    this.reserved = false;
    if (stored && !this.store(addrLo, addrHi, size, lo, hi)) return false;
    this.lo = stored ? 0 : 1;
    return true;
  }
  #offset(addrLo: number, addrHi: number, size: number): number {
    const offset = join(addrLo, addrHi) - MEMORY;
    if (offset >= 0n && offset + BigInt(size) <= 4096n) return Number(offset);
    this.events.push("fault");
    return -1;
  }

  illegal(): void {
    this.events.push("illegal");
  }
  ecall(): void {
    this.events.push("ecall");
  }
  ebreak(): void {
    this.events.push("ebreak");
  }
  mret(): void {
    this.events.push("mret");
  }
  sret(): void {
    this.events.push("sret");
  }
  wfi(): void {
    this.events.push("wfi");
  }
  fence(): void {
    this.events.push("fence");
  }
  fenceI(): void {
    this.events.push("fence.i");
  }
  sfenceVma(rs1: number, rs2: number): void {
    this.events.push(`sfence.vma ${rs1} ${rs2}`);
  }
  csr(number: number, op: number, read: boolean, write: boolean, lo: number, hi: number): boolean {
    const how = `${["write", "set", "clear"][op]}${read ? ", reads" : ""}${write ? ", writes" : ""}`;
    this.events.push(`csr ${number.toString(16)} ${how} ${join(lo, hi).toString(16)}`);
    [this.lo, this.hi] = halves(this.csrValue);
    return !this.csrTraps;
  }

  fpEnabled(): boolean {
    if (!this.fpOn) this.illegal();
    return this.fpOn;
  }
  fpDirty(): void {
    this.events.push("dirty");
  }
  roundingMode(rm: number): number {
    const mode = rm === 7 ? this.frm : rm;
    if (mode <= 4) return mode;
    this.illegal();
    return -1;
  }
  accrue(flags: number): void {
    this.flags |= flags;
  }
}

/** Both halves of a 64-bit value as int32. */
export function halves(value: bigint): [lo: number, hi: number] {
  return [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
}

/** The unsigned 64-bit value of two halves. */
export function join(lo: number, hi: number): bigint {
  return BigInt(hi >>> 0) << 32n | BigInt(lo >>> 0);
}

/** x[rd] after `name rd, a, b` (integer registers), unsigned. */
export function compute(name: string, a: bigint, b = 0n, bits = 0): bigint {
  const hart = new TestHart();
  hart.setX(A, a);
  hart.setX(B, b);
  const unary = !/rs2/.test(INSTRUCTIONS[idOf(name)][2]);
  hart.execute(name, { rd: RD, rs1: A, rs2: unary ? 0 : B, bits });
  return hart.x(RD);
}

/** What an FP instruction gave: `value` of f[rd] or x[rd], and the flags it raised. */
export interface FloatOutcome {
  value: bigint;
  flags: number;
}

/** Executes `name rd, a, b, c` on FP operands (or an integer `a`) in rounding mode `mode`. */
export function computeFloat(name: string, a: bigint, b = 0n, c = 0n, mode = 0): FloatOutcome {
  const operands = INSTRUCTIONS[idOf(name)][2];
  const hart = new TestHart();
  hart.setX(A, a);
  hart.setF(A, a);
  hart.setF(B, b);
  hart.setF(C, c);
  const bits = operands.includes("rm") ? mode << 12 : 0;
  hart.execute(name, {
    rd: RD,
    rs1: A,
    rs2: operands.includes("fs2") ? B : 0,
    rs3: operands.includes("fs3") ? C : 0,
    bits,
  });
  return { value: operands.startsWith("rd") ? hart.x(RD) : hart.f(RD), flags: hart.flags };
}
