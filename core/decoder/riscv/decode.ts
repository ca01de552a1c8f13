/**
 * From a 32-bit instruction word to the id of its row, and to its operands. Called for every instruction
 * interpreted or translated.
 *
 * The bits that tell nearly all instructions apart, funct7, funct3 and opcode[6:2], index a table of
 * 2^15 chain heads. A chain holds, in order, the rows that agree in these bits; nearly all have one such
 * row. Chains share their tails, and all end in row 0, which matches anything: the search needs no end test.
 * A program uses few of the chains, so each is made when it is first wanted.
 */
import { fixedBits, I_ILLEGAL, INSTRUCTIONS } from "./encodings.ts";

const CAPACITY = 1024; // about one chain node per row, plus one per different continuation
const HEAD = new Uint16Array(1 << 15); // 0: not made yet
const MASK = new Int32Array(CAPACITY);
const MATCH = new Int32Array(CAPACITY);
const ROW = new Uint16Array(CAPACITY);
const NEXT = new Uint16Array(CAPACITY);
/** The node of row 0, whose mask is all zero. */
const LAST = 1;
let nodes = LAST + 1;

const ROWS = INSTRUCTIONS.map(([, drawing]) => fixedBits(drawing));

/** The index bits of a word. */
function indexBits(insn: number): number {
  return (insn >>> 25) << 8 | (insn >>> 12 & 7) << 5 | (insn >>> 2 & 31);
}

/** Makes the chain for an index, from its end to its head; returns that. */
function makeChain(index: number): number {
  let head = LAST;
  for (let row = ROWS.length - 1; row > I_ILLEGAL; row--) {
    const { mask, match } = ROWS[row];
    if (((index ^ indexBits(match)) & indexBits(mask)) === 0) head = nodeOf(row, head);
  }
  return HEAD[index] = head;
}

/** The node of a row that goes on with another node. */
function nodeOf(row: number, next: number): number {
  let node = LAST + 1;
  while (node < nodes && (ROW[node] !== row || NEXT[node] !== next)) node++;
  if (node === nodes) {
    ({ mask: MASK[node], match: MATCH[node] } = ROWS[row]);
    ROW[node] = row;
    NEXT[node] = next;
    nodes++;
  }
  return node;
}

/** The id of an instruction word's row; 0 when it is illegal. */
export function decode(insn: number): number {
  const index = (insn >>> 25) << 8 | (insn >>> 12 & 7) << 5 | (insn >>> 2 & 31);
  let node = HEAD[index] || makeChain(index);
  while ((insn & MASK[node]) !== MATCH[node]) node = NEXT[node];
  return ROW[node];
}

/** Destination register. */
export const rd = (insn: number): number => insn >>> 7 & 31;
/** First source register. */
export const rs1 = (insn: number): number => insn >>> 15 & 31;
/** Second source register. */
export const rs2 = (insn: number): number => insn >>> 20 & 31;
/** Third source register (fused multiply-add). */
export const rs3 = (insn: number): number => insn >>> 27;
/** 12-bit immediate of loads, jalr and arithmetic. */
export const immI = (insn: number): number => insn >> 20;
/** 12-bit immediate of stores. */
export const immS = (insn: number): number => (insn >> 25) << 5 | (insn >>> 7 & 31);
/** Displacement of conditional branches. */
export const immB = (insn: number): number =>
  (insn >> 31) << 12 | (insn & 0x80) << 4 | (insn >>> 20 & 0x7e0) | (insn >>> 7 & 0x1e);
/** Immediate of lui and auipc, in place. */
export const immU = (insn: number): number => insn & ~0xfff;
/** Displacement of jal. */
export const immJ = (insn: number): number =>
  (insn >> 31) << 20 | (insn & 0xff000) | (insn >>> 9 & 0x800) | (insn >>> 20 & 0x7fe);
/** Shift amount of 64-bit shifts. */
export const shamt6 = (insn: number): number => insn >>> 20 & 63;
/** Shift amount of 32-bit shifts. */
export const shamt5 = (insn: number): number => insn >>> 20 & 31;
/** Rounding mode field. */
export const rm = (insn: number): number => insn >>> 12 & 7;
/** CSR number. */
export const csr = (insn: number): number => insn >>> 20;
/** 5-bit unsigned immediate of the CSR instructions. */
export const uimm = (insn: number): number => insn >>> 15 & 31;
