/**
 * Checks the structure of a block of IR and prints it. Tests run it on every block a decoder makes; the
 * translator itself never does.
 *
 * The table below describes each op once: what its fields hold, what it gives, and whether it may leave the
 * block. The rules are those at the top of `ir.ts`: operands are defined before their use and have the right
 * kind, a block starts with an instruction and ends with its only terminator, and within one instruction
 * nothing may leave the block after the first effect.
 */
import * as ir from "./ir.ts";

/** Kinds of value: none, integer, FP single, FP double, FP of the format in field d. */
const NONE = 0;
const INT = 1;
const F32 = 4;
const F64 = 8;
const FORMAT = 16;
/** An FP operand of which only the low half is used: either format will do. */
const ANY_FP = 17;

interface Shape {
  readonly name: string;
  /** Kinds of the value operands in fields a, b, c, d and lo; NONE where the field is no value. */
  readonly operands: readonly number[];
  readonly result: number;
  /** May leave the block as if the instruction had not begun. */
  readonly leaves: boolean;
  /** Changes state or memory. */
  readonly effect: boolean;
  /** Ends the block (or, in a stub, the flow of control). */
  readonly ends: boolean;
}

const shapes = new Map<number, Shape>();

/** `flags`: L leaves, E effect, T terminates. */
function define(op: number, name: string, operands: readonly number[], result: number, flags = ""): void {
  shapes.set(op, {
    name,
    operands,
    result,
    leaves: flags.includes("L"),
    effect: flags.includes("E"),
    ends: flags.includes("T"),
  });
}

define(ir.OP_INSN, "insn", [], NONE);
define(ir.OP_CONST, "const", [], INT);
define(ir.OP_GET, "get", [], INT);
define(ir.OP_SET, "set", [NONE, INT], NONE, "E");
const INTEGER_BINARY: readonly (readonly [number, string])[] = [
  [ir.OP_ADD64, "add64"],
  [ir.OP_SUB64, "sub64"],
  [ir.OP_AND64, "and64"],
  [ir.OP_OR64, "or64"],
  [ir.OP_XOR64, "xor64"],
  [ir.OP_ADD32, "add32"],
  [ir.OP_SUB32, "sub32"],
  [ir.OP_SHL64, "shl64"],
  [ir.OP_SHR64, "shr64"],
  [ir.OP_SAR64, "sar64"],
  [ir.OP_SHL32, "shl32"],
  [ir.OP_SHR32, "shr32"],
  [ir.OP_SAR32, "sar32"],
  [ir.OP_ROR64, "ror64"],
  [ir.OP_ROR32, "ror32"],
  [ir.OP_MUL64, "mul64"],
  [ir.OP_MUL32, "mul32"],
  [ir.OP_MULHU, "mulhu"],
  [ir.OP_MULHS, "mulhs"],
  [ir.OP_DIVS64, "divs64"],
  [ir.OP_DIVU64, "divu64"],
  [ir.OP_REMS64, "rems64"],
  [ir.OP_REMU64, "remu64"],
  [ir.OP_DIVS32, "divs32"],
  [ir.OP_DIVU32, "divu32"],
  [ir.OP_REMS32, "rems32"],
  [ir.OP_REMU32, "remu32"],
];
for (const [op, name] of INTEGER_BINARY) define(op, name, [INT, INT], INT);
const INTEGER_UNARY: readonly (readonly [number, string])[] = [
  [ir.OP_SEXT8, "sext8"],
  [ir.OP_SEXT16, "sext16"],
  [ir.OP_SEXT32, "sext32"],
  [ir.OP_ZEXT8, "zext8"],
  [ir.OP_ZEXT16, "zext16"],
  [ir.OP_ZEXT32, "zext32"],
  [ir.OP_CLZ64, "clz64"],
  [ir.OP_CLZ32, "clz32"],
  [ir.OP_CTZ64, "ctz64"],
  [ir.OP_CTZ32, "ctz32"],
  [ir.OP_POPCNT64, "popcnt64"],
  [ir.OP_POPCNT32, "popcnt32"],
  [ir.OP_BSWAP64, "bswap64"],
];
for (const [op, name] of INTEGER_UNARY) define(op, name, [INT], INT);
define(ir.OP_ADD_SHIFTED, "add_shifted", [INT, INT], INT);
define(ir.OP_ANDN64, "andn64", [INT, INT], INT);
define(ir.OP_SETCC, "setcc", [INT, INT], INT);
define(ir.OP_SELECT, "select", [INT, INT, NONE, INT, INT], INT);
define(ir.OP_LOAD, "load", [INT], INT, "L");
define(ir.OP_STORE, "store", [INT, INT], NONE, "LE");
define(ir.OP_FLOAD, "fload", [INT], FORMAT, "L");
define(ir.OP_FSTORE, "fstore", [INT, ANY_FP], NONE, "LE");
define(ir.OP_TRANSLATE_STORE, "translateStore", [INT], INT, "L");
define(ir.OP_HOST_LOAD, "hostLoad", [INT], INT);
define(ir.OP_HOST_STORE, "hostStore", [INT, INT], NONE, "E");
define(ir.OP_STATE_ADDRESS, "stateAddress", [], INT);
define(ir.OP_TIME, "time", [], INT);
define(ir.OP_REFUND_IF, "refundIf", [INT, INT], NONE, "E");
define(ir.OP_BRANCH, "branch", [INT, INT], NONE);
define(ir.OP_EXIT_UNLESS_PC, "exitUnlessPc", [INT], NONE);
define(ir.OP_INTERPRET_IF, "interpretIf", [INT, INT], NONE, "L");
define(ir.OP_INTERPRET, "interpret", [], NONE, "LT");
define(ir.OP_JUMP, "jump", [], NONE, "T");
define(ir.OP_JUMP_IND, "jumpIndirect", [INT], NONE, "T");
define(ir.OP_JUMP_CONTEXT, "jumpContext", [], NONE, "T");
define(ir.OP_LEAVE, "leave", [], NONE, "T");
define(ir.OP_LABEL, "label", [], NONE);
define(ir.OP_GOTO, "goto", [], NONE, "T");
define(ir.OP_GOTO_IF, "gotoIf", [INT, INT], NONE);
define(ir.OP_RETURN, "return", [INT], NONE, "T");
define(ir.OP_FGET, "fget", [], F64);
define(ir.OP_FSET, "fset", [NONE, FORMAT], NONE, "E");
define(ir.OP_FUNBOX, "funbox", [F64], F32, "L");
define(ir.OP_FBOX, "fbox", [F32], F64);
define(ir.OP_FADD, "fadd", [FORMAT, FORMAT], FORMAT);
define(ir.OP_FSUB, "fsub", [FORMAT, FORMAT], FORMAT);
define(ir.OP_FMUL, "fmul", [FORMAT, FORMAT], FORMAT);
define(ir.OP_FDIV, "fdiv", [FORMAT, FORMAT], FORMAT);
define(ir.OP_FSQRT, "fsqrt", [FORMAT], FORMAT);
define(ir.OP_FMADD, "fmadd", [FORMAT, FORMAT, FORMAT], FORMAT, "L");
define(ir.OP_FMSUB, "fmsub", [FORMAT, FORMAT, FORMAT], FORMAT, "L");
define(ir.OP_FNMSUB, "fnmsub", [FORMAT, FORMAT, FORMAT], FORMAT, "L");
define(ir.OP_FNMADD, "fnmadd", [FORMAT, FORMAT, FORMAT], FORMAT, "L");
define(ir.OP_FCANON, "fcanon", [FORMAT], FORMAT);
define(ir.OP_FMIN, "fmin", [FORMAT, FORMAT], FORMAT, "L");
define(ir.OP_FMAX, "fmax", [FORMAT, FORMAT], FORMAT, "L");
define(ir.OP_FEQ, "feq", [FORMAT, FORMAT], INT);
define(ir.OP_FLT, "flt", [FORMAT, FORMAT], INT);
define(ir.OP_FLE, "fle", [FORMAT, FORMAT], INT);
define(ir.OP_FSGNJ, "fsgnj", [FORMAT, FORMAT], FORMAT);
define(ir.OP_FSGNJN, "fsgnjn", [FORMAT, FORMAT], FORMAT);
define(ir.OP_FSGNJX, "fsgnjx", [FORMAT, FORMAT], FORMAT);
define(ir.OP_I2F, "i2f", [INT], FORMAT);
define(ir.OP_F2I, "f2i", [FORMAT], INT, "L");
define(ir.OP_F64_TO_F32, "f64ToF32", [F64], F32);
define(ir.OP_F32_TO_F64, "f32ToF64", [F32], F64);
define(ir.OP_F_BITS, "fBits", [ANY_FP], INT);
define(ir.OP_BITS_F, "bitsF", [INT], FORMAT);

/** A block of IR breaks a rule. The message shows the block. */
export class IrError extends Error {
  /** The class's name. */
  override name = "IrError";
}

/** Prints a block, one op per line. */
export function printIr(block: ir.Ir): string {
  const lines: string[] = [];
  for (let i = 0; i < block.length; i++) {
    const shape = shapes.get(block.op[i]);
    const fields = [block.a[i], block.b[i], block.c[i], block.d[i]];
    while (fields.length > 0 && fields[fields.length - 1] === 0) fields.pop();
    const immediate = block.lo[i] !== 0 || block.hi[i] !== 0
      ? ` 0x${(BigInt.asUintN(32, BigInt(block.hi[i])) << 32n | BigInt(block.lo[i] >>> 0)).toString(16)}`
      : "";
    lines.push(`${i}: ${shape?.name ?? `op ${block.op[i]}`} ${fields.join(", ")}${immediate}`);
  }
  return lines.join("\n");
}

/**
 * Checks a finished block or stub.
 *
 * @throws {IrError} when it breaks a rule of `ir.ts`.
 */
export function verifyIr(block: ir.Ir): void {
  let instruction = -1;
  let effects = false; // an effect in the current instruction
  let firstVisible = 0; // in a stub: no value crosses a label
  const fail = (i: number, why: string): never => {
    throw new IrError(`op ${i}: ${why}\n${printIr(block)}`);
  };
  const check = (condition: boolean, i: number, why: string): void => {
    if (!condition) fail(i, why);
  };
  check(block.length > 0 && block.length <= ir.IR_CAPACITY, 0, `a block of ${block.length} ops`);

  for (let i = 0; i < block.length; i++) {
    const op = block.op[i];
    const shape = shapes.get(op) ?? fail(i, "no such op");
    const last = i === block.length - 1;
    if (!block.stub) {
      check(i > 0 || op === ir.OP_INSN, i, "a block starts with an instruction");
      check(op < ir.OP_LABEL || op > ir.OP_RETURN, i, `${shape.name} outside of a stub`);
      check(shape.ends === last, i, last ? "the block has no end" : "an op follows the end");
    } else {
      check(
        !shape.leaves && op !== ir.OP_INSN && op !== ir.OP_BRANCH && op !== ir.OP_EXIT_UNLESS_PC,
        i,
        `${shape.name} in a stub`,
      );
      check(shape.ends || !last, i, "the stub has no end");
    }
    checkOperands(block, i, shape, firstVisible, check);
    checkFields(block, i, check);

    if (op === ir.OP_REFUND_IF) {
      const count = block.d[i];
      check(count > 0 && count <= instruction, i, `refunds ${count} of ${instruction} instructions`);
    }
    if (op === ir.OP_INSN) {
      check(block.a[i] === ++instruction, i, "instructions are not numbered in order");
      effects = false;
    } else if (op === ir.OP_LABEL) firstVisible = i;
    if (shape.leaves) check(!effects, i, `${shape.name} may leave the block after an effect`);
    if (op === ir.OP_BRANCH) check(!effects, i, "a branch follows an effect");
    if (shape.effect && !block.stub) effects = true;
  }
}

type Check = (condition: boolean, i: number, why: string) => void;

/** The kind a value has: what its op gives. */
function kindOf(block: ir.Ir, value: number): number {
  const result = shapes.get(block.op[value])?.result ?? NONE;
  return result === FORMAT ? block.d[value] : result;
}

function checkOperands(block: ir.Ir, i: number, shape: Shape, firstVisible: number, check: Check): void {
  const fields = [block.a[i], block.b[i], block.c[i], block.d[i], block.lo[i]];
  for (let f = 0; f < shape.operands.length; f++) {
    const wanted = shape.operands[f];
    if (wanted === NONE) continue;
    const value = fields[f];
    check(value >= firstVisible && value < i, i, `operand ${value} is not defined here`);
    const kind = kindOf(block, value);
    const fits = wanted === ANY_FP
      ? kind === F32 || kind === F64
      : kind === (wanted === FORMAT ? block.d[i] : wanted);
    check(fits, i, `operand ${value} of ${shape.name} is of the wrong kind`);
  }
  if (shape.result === FORMAT || shape.operands.includes(FORMAT)) {
    check(block.d[i] === F32 || block.d[i] === F64, i, `${shape.name} of no format`);
  }
  if (block.op[i] === ir.OP_JUMP_CONTEXT && block.a[i] >= 0) {
    check(block.a[i] < i && kindOf(block, block.a[i]) === INT, i, "jumps to no integer");
  }
}

function checkFields(block: ir.Ir, i: number, check: Check): void {
  const a = block.a[i], c = block.c[i];
  switch (block.op[i]) {
    case ir.OP_GET:
    case ir.OP_SET:
    case ir.OP_FGET:
    case ir.OP_FSET:
      check(a >= 0 && a < 4096 && a % 8 === 0, i, `no slot at ${a}`);
      break;
    case ir.OP_LOAD:
    case ir.OP_HOST_LOAD:
      check([1, 2, 4, 8].includes(c & 15) && (c & ~31) === 0, i, `a load of size ${c}`);
      break;
    case ir.OP_STORE:
    case ir.OP_HOST_STORE:
    case ir.OP_TRANSLATE_STORE:
      check([1, 2, 4, 8].includes(c), i, `an access of size ${c}`);
      break;
    case ir.OP_FLOAD:
    case ir.OP_FSTORE:
      check(c === 4 || c === 8, i, `an FP access of size ${c}`);
      break;
    case ir.OP_SETCC:
    case ir.OP_SELECT:
    case ir.OP_REFUND_IF:
    case ir.OP_BRANCH:
    case ir.OP_INTERPRET_IF:
    case ir.OP_GOTO_IF:
      check(c >= ir.COND_EQ && c <= ir.COND_GEU, i, `no condition ${c}`);
      break;
    case ir.OP_I2F:
      check(c >= 0 && c <= 3, i, `no integer format ${c}`);
      break;
    case ir.OP_F2I:
      check(c >= 0 && c <= 7, i, `no integer format ${c}`);
      break;
    case ir.OP_LABEL:
    case ir.OP_GOTO:
      check(a >= 0 && a < block.labels, i, `no label ${a}`);
      break;
  }
}
