/**
 * Every F and D computation on both engines against `core/softfloat`: hard operands, all rounding modes both in
 * the instruction and in frm, flags, and what a NaN looks like wherever it gets to: in each kind of store, in an
 * integer register, and as an operand of the next instruction.
 */
import { assertEquals } from "@std/assert";
import { canTranslate, type GuestMachine, guestMachine } from "../support/guest_machines.ts";
import { GuestRandom } from "../support/guest_random.ts";
import { type FloatWidth, numberToFloat } from "../support/float_operands.ts";
import { type Operands, Program } from "../support/riscv_assembler.ts";
import {
  type Case,
  drawCase,
  FIRST_FROM_INT,
  FIRST_TO_INT,
  OPERATIONS,
  type Outcome,
  run as compute,
  TO_OTHER_FORMAT,
} from "../core/softfloat/operations.ts";

const RAM = 0x8000_0000;
const OPERANDS = RAM + 0x1_0000;
const RESULTS = RAM + 0x8_0000;
const OPERAND_BYTES = 24, RESULT_BYTES = 48;
const RANDOM_CASES = 150;
const DYNAMIC = 7;
const MODES = [0, 1, 2, 3, 4];
const FFLAGS = 1, FRM = 2;
const ADD = OPERATIONS.indexOf("add"), FMA = OPERATIONS.indexOf("fma");
const BOX = 0xffff_ffff_0000_0000n;

/** One instruction and what it computes. */
interface Instruction {
  readonly name: string;
  readonly width: FloatWidth;
  /** Number of the operation in `OPERATIONS`; sign injections have none. */
  readonly op: number;
  /** Which operands it negates, by bit: a, b, c. */
  readonly negates: number;
  readonly source: "float" | "integer";
  readonly result: "float" | "integer";
  /** Width of an FP result. */
  readonly resultWidth: FloatWidth;
  readonly rounds: boolean;
}

const INTEGERS = ["w", "wu", "l", "lu"];

function instructions(width: FloatWidth): Instruction[] {
  const f = width === 32 ? "s" : "d";
  const row = (name: string, op: number, rest: Partial<Instruction> = {}): Instruction => ({
    name,
    width,
    op,
    negates: 0,
    source: "float",
    result: "float",
    resultWidth: width,
    rounds: true,
    ...rest,
  });
  const exact = { rounds: false } as const;
  const toInteger = { result: "integer" } as const;
  return [
    ...["fadd", "fsub", "fmul", "fdiv", "fsqrt"].map((name, op) => row(`${name}.${f}`, op)),
    ...["fmadd", "fnmsub", "fmsub", "fnmadd"].map((name, i) =>
      row(`${name}.${f}`, FMA, { negates: [0, 1, 4, 5][i] })
    ),
    ...["feq", "flt", "fle"].map((name, i) => row(`${name}.${f}`, FMA + 1 + i, { ...exact, ...toInteger })),
    ...["fmin", "fmax"].map((name, i) => row(`${name}.${f}`, FMA + 4 + i, exact)),
    row(`fclass.${f}`, FMA + 6, { ...exact, ...toInteger }),
    ...INTEGERS.map((to, i) => row(`fcvt.${to}.${f}`, FIRST_TO_INT + i, toInteger)),
    ...INTEGERS.map((from, i) => row(`fcvt.${f}.${from}`, FIRST_FROM_INT + i, { source: "integer" })),
    width === 32
      ? row("fcvt.d.s", TO_OTHER_FORMAT, { resultWidth: 64 })
      : row("fcvt.s.d", TO_OTHER_FORMAT, { resultWidth: 32 }),
  ];
}

// ---- operands

const HALVES = [2 ** 31, 2 ** 32, 2 ** 52, 2 ** 53, 2 ** 63, 2 ** 64, 1, 0, -1, -(2 ** 31), -(2 ** 63)];

/** Numbers at the ends of integer ranges, a half and one step around them. */
function rangeEnds(width: FloatWidth): bigint[] {
  return HALVES.flatMap((n) => [n, n - 0.5, n + 0.5, n - 1, n + 1, n - 1.5]).flatMap((n) => {
    const bits = numberToFloat(width, n);
    return bits & (1n << BigInt(width - 1)) - 1n ? [bits, bits + 1n, bits - 1n] : [bits];
  });
}

/** Zeros, ones, infinities and NaNs of both kinds and signs. */
function specials(width: FloatWidth): bigint[] {
  const infinity = numberToFloat(width, Infinity), sign = 1n << BigInt(width - 1);
  const quiet = numberToFloat(width, NaN);
  const positive = [0n, 1n, numberToFloat(width, 1), infinity, infinity + 1n, quiet, quiet | 1n];
  return [...positive, ...positive.map((bits) => bits | sign)];
}

function cases(instruction: Instruction, rm: number, random: GuestRandom): Case[] {
  const { width, op } = instruction;
  const drawn = Array.from({ length: RANDOM_CASES }, () => drawCase(random, width, op, rm));
  const single = (a: bigint): Case => ({ width, op, rm, a, b: 0n, c: 0n });
  if (instruction.source === "integer") {
    return [...drawn, ...Array.from({ length: 40 }, () => single(random.integerRegister()))];
  }
  const special = specials(width);
  if (op >= FIRST_TO_INT) return [...drawn, ...[...rangeEnds(width), ...special].map(single)];
  for (const a of special) {
    for (const b of special) {
      const c = op === FMA ? random.pick(special) : 0n;
      drawn.push({ width, op, rm, a, b, c });
    }
  }
  return drawn;
}

// ---- what is expected

/** An operand as an FP register holds it; now and then a single that is not boxed, which counts as NaN. */
function register(width: FloatWidth, bits: bigint, random: GuestRandom): bigint {
  if (width === 64) return bits;
  return random.oneIn(12) ? bits | random.bits(32) << 32n : bits | BOX;
}

function operand(width: FloatWidth, content: bigint): bigint {
  if (width === 64) return content;
  return content >> 32n === 0xffff_ffffn ? content & 0xffff_ffffn : 0x7fc0_0000n;
}

function expected(instruction: Instruction, rm: number, [a, b, c]: bigint[]): Outcome {
  const { width, op, negates, source } = instruction;
  if (source === "integer") return compute({ width, op, rm, a, b: 0n, c: 0n });
  const sign = 1n << BigInt(width - 1);
  const value = (content: bigint, bit: number) => operand(width, content) ^ (negates & bit ? sign : 0n);
  return compute({ width, op, rm, a: value(a, 1), b: value(b, 2), c: value(c, 4) });
}

/** What a round of the program stores for one case. */
function expectedRecord(instruction: Instruction, rm: number, operands: bigint[]): bigint[] {
  const { bits, flags } = expected(instruction, rm, operands);
  if (instruction.result === "integer") return [bits, BigInt(flags)];
  const { resultWidth: width } = instruction;
  const sum = compute({ width, op: ADD, rm, a: bits, b: operand(width, operands[1]), c: 0n });
  const boxed = (value: bigint) => width === 64 ? value : value | BOX;
  return [
    boxed(bits),
    BigInt(flags),
    BigInt.asUintN(32, bits),
    width === 64 ? bits : BigInt.asUintN(64, BigInt.asIntN(32, bits)),
    boxed(sum.bits),
    BigInt(flags | sum.flags),
  ];
}

// ---- the program

/** Executes the instruction once per case, in a loop. */
function program(instruction: Instruction, rm: number, dynamic: boolean, count: number): Program {
  const source = 8, sink = 9, counter = 18, flags = 7, integer = 6;
  const float: Operands = { rd: 3, rs1: 0, rs2: 1, rs3: 2 };
  const mode = dynamic ? DYNAMIC : rm;
  const f = instruction.resultWidth === 64 ? "d" : "s";
  const code = new Program(RAM)
    .addressOf(source, OPERANDS)
    .addressOf(sink, RESULTS)
    .add("addi", { rd: counter, imm: count })
    .add("csrrwi", { csr: FRM, imm: dynamic ? rm : 0 })
    .label("next")
    .add("fld", { rd: 0, rs1: source })
    .add("fld", { rd: 1, rs1: source, imm: 8 })
    .add("fld", { rd: 2, rs1: source, imm: 16 })
    .add("ld", { rd: 5, rs1: source })
    .add("csrrwi", { csr: FFLAGS })
    .add(instruction.name, {
      ...float,
      rm: mode,
      ...(instruction.source === "integer" && { rs1: 5 }),
      ...(instruction.result === "integer" && { rd: integer }),
    })
    .add("csrrs", { rd: flags, csr: FFLAGS })
    .add("sd", { rs1: sink, rs2: flags, imm: 8 });
  if (instruction.result === "integer") code.add("sd", { rs1: sink, rs2: integer });
  else {
    code.add("fsd", { rs1: sink, rs2: 3 })
      .add("fsw", { rs1: sink, rs2: 3, imm: 16 })
      .add(f === "d" ? "fmv.x.d" : "fmv.x.w", { rd: integer, rs1: 3 })
      .add("sd", { rs1: sink, rs2: integer, imm: 24 })
      .add("csrrwi", { csr: FFLAGS })
      .add(instruction.name, { ...float, rm: mode, ...(instruction.source === "integer" && { rs1: 5 }) })
      .add(`fadd.${f}`, { rd: 3, rs1: 3, rs2: 1, rm: mode })
      .add("fsd", { rs1: sink, rs2: 3, imm: 32 })
      .add("csrrs", { rd: flags, csr: FFLAGS })
      .add("sd", { rs1: sink, rs2: flags, imm: 40 });
  }
  return code
    .add("addi", { rd: source, rs1: source, imm: OPERAND_BYTES })
    .add("addi", { rd: sink, rs1: sink, imm: RESULT_BYTES })
    .add("addi", { rd: counter, rs1: counter, imm: -1 })
    .branch("bne", { rs1: counter }, "next")
    .add("wfi"); // for ever
}

/** Runs the program over the operands; gives what it stored. */
function runProgram(guest: GuestMachine, code: Program, operands: bigint[][]): DataView {
  const { machine } = guest;
  const [hart] = machine.vcpus;
  machine.exit = undefined;
  hart.waiting = false;
  hart.setRegister("pc", BigInt(RAM));
  hart.setRegister("mstatus", 3n << 13n);
  machine.ram.write(RAM, code.bytes());
  machine.ram.write(OPERANDS, new Uint8Array(BigUint64Array.from(operands.flat()).buffer));
  machine.ram.write(RESULTS, new Uint8Array(operands.length * RESULT_BYTES));
  guest.run(machine.clock.nowNs + 1e6);
  assertEquals(guest.machine.exit?.kind, "hang", "the program came to its end");
  return new DataView(machine.ram.read(RESULTS, operands.length * RESULT_BYTES).buffer);
}

function check(guest: GuestMachine, instruction: Instruction, rm: number, dynamic: boolean): void {
  const { name, width } = instruction;
  const random = new GuestRandom(rm);
  const operands = cases(instruction, rm, random).map(({ a, b, c }) => {
    const others = [b, c].map((bits) =>
      register(instruction.source === "integer" ? 64 : width, bits, random)
    );
    return [instruction.source === "integer" ? a : register(width, a, random), ...others];
  });
  const results = runProgram(guest, program(instruction, rm, dynamic, operands.length), operands);
  operands.forEach((given, i) => {
    const wanted = expectedRecord(instruction, rm, given);
    const found = wanted.map((_, field) => results.getBigUint64(i * RESULT_BYTES + 8 * field, true));
    const hex = (values: bigint[]) => values.map((value) => value.toString(16)).join(" ");
    assertEquals(
      hex(found),
      hex(wanted),
      `${name} of ${hex(given)}, rounding mode ${rm}${dynamic ? " in frm" : ""}`,
    );
  });
}

for (const engine of ["dbt", "interpreter"] as const) {
  for (const width of [32, 64] as const) {
    Deno.test({
      name:
        `${engine}: results, NaNs and flags of all binary${width} computations are exact in all rounding modes`,
      ignore: !canTranslate,
      async fn() {
        using guest = await guestMachine(engine, {
          ramBytes: 2 ** 20,
          vcpus: 1,
          kernel: new Program(RAM).add("wfi").add("wfi").bytes(),
          bios: "none",
        });
        for (const instruction of instructions(width)) {
          for (const rm of MODES) {
            check(guest, instruction, rm, false);
            if (instruction.rounds) check(guest, instruction, rm, true);
          }
        }
      },
    });
  }
}
