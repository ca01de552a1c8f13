/**
 * Against processors: the host's own FPU (x86-64) and QEMU's riscv64, by the program `reference.c`. What
 * x86 does otherwise than RISC-V is left out or canonicalised. Needs compilers; skipped by name without.
 */
import { assertEquals } from "@std/assert";
import { FloatOperands } from "../../support/float_operands.ts";
import { type Case, describe, drawCase, FIRST_FROM_INT, FIRST_TO_INT, OPERATIONS } from "./operations.ts";
import { type Outcome, resultWidth, run } from "./operations.ts";

const CASES_PER_OPERATION = 1200;
const RECORD_BYTES = 32, REPLY_BYTES = 16;
const NV = 16;
const FMA = 5, TO_U32 = FIRST_TO_INT + 1;

const hasHost = Deno.build.arch === "x86_64" && isInstalled("gcc");
const hasRiscv = isInstalled("riscv64-linux-gnu-gcc") && isInstalled("qemu-riscv64");

Deno.test({
  name: "softfloat: agrees with the host's FPU (needs x86-64 and gcc)",
  ignore: !hasHost,
  fn: () =>
    compare(["gcc"], [], [0, 1, 2, 3], (test, reply) => {
      if (test.op >= FIRST_TO_INT && test.op < FIRST_FROM_INT) return integerFromX86(test, reply);
      if (!isNaNResult(test, reply.bits)) return reply;
      // RISC-V raises invalid for ∞ × 0 + NaN, x86 does not.
      const flags = test.op === FMA && isInfinityTimesZero(test) ? NV : reply.flags;
      return { bits: resultWidth(test) === 64 ? 0x7ff8000000000000n : 0x7fc00000n, flags };
    }),
});

Deno.test({
  name: "softfloat: agrees with QEMU's riscv64 (needs qemu-riscv64 and riscv64-linux-gnu-gcc)",
  ignore: !hasRiscv,
  fn: () =>
    compare(["riscv64-linux-gnu-gcc", "-static"], ["qemu-riscv64"], [0, 1, 2, 3, 4], (_, reply) => reply),
});

/** Compares all operations in the given rounding modes with what `interpret` makes of the program's replies. */
async function compare(
  compiler: string[],
  runner: string[],
  roundingModes: number[],
  interpret: (test: Case, reply: Outcome) => Outcome,
): Promise<void> {
  const cases: Case[] = [];
  const source = new FloatOperands(2024);
  for (const width of [32, 64] as const) {
    for (let op = 0; op < OPERATIONS.length; op++) {
      for (const rm of roundingModes) {
        for (let i = 0; i < CASES_PER_OPERATION; i++) cases.push(drawCase(source, width, op, rm));
      }
    }
  }
  const replies = await execute(compiler, runner, cases);
  let compared = 0;
  cases.forEach((test, i) => {
    const isSupported = replies.getUint32(i * REPLY_BYTES + 12, true) !== 0;
    if (!isSupported) return;
    const reply = {
      bits: replies.getBigUint64(i * REPLY_BYTES, true),
      flags: replies.getUint32(i * REPLY_BYTES + 8, true),
    };
    const expected = interpret(test, reply), actual = run(test);
    if (actual.bits !== expected.bits || actual.flags !== expected.flags) {
      assertEquals(actual, expected, describe(test));
    }
    compared++;
  });
  assertEquals(compared > cases.length / 2, true, "the reference supports most operations");
}

async function execute(compiler: string[], runner: string[], cases: Case[]): Promise<DataView> {
  const records = new DataView(new ArrayBuffer(cases.length * RECORD_BYTES));
  cases.forEach(({ width, op, rm, a, b, c }, i) => {
    const at = i * RECORD_BYTES;
    records.setUint32(at, (width << 8) | op, true);
    records.setUint32(at + 4, rm, true);
    [a, b, c].forEach((operand, k) => records.setBigUint64(at + 8 + 8 * k, operand, true));
  });
  const folder = await Deno.makeTempDir();
  try {
    const program = `${folder}/reference`, input = `${folder}/in`, output = `${folder}/out`;
    const text = new URL("reference.c", import.meta.url).pathname;
    await Deno.writeFile(input, new Uint8Array(records.buffer));
    await spawn([...compiler, "-O1", "-o", program, text]);
    await spawn([...runner, program, input, output]);
    return new DataView((await Deno.readFile(output)).buffer);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function spawn([command, ...args]: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args, stderr: "piped" }).output();
  assertEquals(success, true, `${command}: ${new TextDecoder().decode(stderr)}`);
}

function isInstalled(command: string): boolean {
  try {
    return new Deno.Command(command, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}

/** x86 answers an integer it cannot hold with 0x80…0 and invalid; unsigned 32 bits are taken from 64. */
function integerFromX86(test: Case, reply: Outcome): Outcome {
  const value = BigInt.asIntN(64, reply.bits);
  if (test.op === TO_U32) {
    const isHeld = (reply.flags & NV) === 0 && value >= 0n && value < 1n << 32n;
    if (isHeld) return { bits: BigInt.asUintN(64, BigInt.asIntN(32, value)), flags: reply.flags };
  } else if ((reply.flags & NV) === 0) return reply;
  return { bits: run(test).bits, flags: NV };
}

function isNaNResult(test: Case, bits: bigint): boolean {
  if (test.op >= 6 && test.op < FIRST_FROM_INT) return false;
  return resultWidth(test) === 64
    ? (bits & ~(1n << 63n)) > 0x7ff0000000000000n
    : (bits & 0x7fffffffn) > 0x7f800000n;
}

function isInfinityTimesZero({ width, a, b }: Case): boolean {
  const magnitude = (x: bigint) => x & ((1n << BigInt(width - 1)) - 1n);
  const infinity = width === 64 ? 0x7ff0000000000000n : 0x7f800000n;
  return [[a, b], [b, a]].some(([x, y]) => magnitude(x) === infinity && magnitude(y) === 0n);
}
