/**
 * Reads from a riscv64 function's code, up to where it stands, whether it has a frame there.
 *
 * Code is read once, in its order in memory. A return or jump in the middle ends what an epilogue began: what comes
 * behind is reached by a branch from the function's body, so it has the body's frame.
 *
 * Encodings: RISC-V Unprivileged ISA, "RV32/64G Instruction Set Listings" and "C Extension".
 */

/** What a function has of a frame. */
export type FrameState =
  /** None: the return address is in ra, the caller's s0 in s0, and so many bytes are on the stack. */
  | { readonly kind: "none"; readonly pushedBytes: number }
  /**
   * s0 is the frame's. The caller's s0 lies so many bytes below it; so does the return address, unless that is
   * still in ra: leaf functions never save it, others may do so late.
   */
  | { readonly kind: "framed"; readonly callerFpBelow: number; readonly linkBelow: number | undefined };

/** The usual frame of a function that calls others. */
export const USUAL_FRAME: FrameState = { kind: "framed", callerFpBelow: 16, linkBelow: 8 };
/** The usual frame of a function that calls none. */
export const LEAF_FRAME: FrameState = { kind: "framed", callerFpBelow: 8, linkBelow: undefined };

const SP = 2;
const S0 = 8;
const RA = 1;

/** The state behind the last of these instructions, which begin with the function's first. */
export function riscvFrameState(code: Uint8Array): FrameState {
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  let pushedBytes = 0, hasFrame = false;
  // Below the caller's stack pointer; variadic functions have their frame pointer some way below it, too.
  let frameAt = 0, callerFpAt = 16, linkAt: number | undefined;
  /** As it was in the body, before an epilogue. */
  let body: { pushedBytes: number; hasFrame: boolean } | undefined;
  for (let at = 0; at + 2 <= code.length;) {
    const half = view.getUint16(at, true);
    const wide = (half & 3) === 3;
    if (wide && at + 4 > code.length) break;
    const action = wide ? wideAction(view.getUint32(at, true)) : compressedAction(half);
    at += wide ? 4 : 2;
    switch (action.kind) {
      case "moveSp":
        if (action.bytes > 0) body ??= { pushedBytes, hasFrame };
        pushedBytes -= action.bytes;
        break;
      case "frame":
        hasFrame = true;
        frameAt = pushedBytes - action.bytes;
        body = undefined;
        break;
      case "saveLink":
        linkAt = pushedBytes - action.bytes;
        break;
      case "saveFrame":
        callerFpAt = pushedBytes - action.bytes;
        break;
      case "restoreFrame":
        body ??= { pushedBytes, hasFrame };
        hasFrame = false;
        break;
      case "leave":
        if (body) ({ pushedBytes, hasFrame } = body);
        body = undefined;
    }
  }
  if (!hasFrame) return { kind: "none", pushedBytes: Math.max(0, pushedBytes) };
  const linkBelow = linkAt === undefined ? undefined : linkAt - frameAt;
  return { kind: "framed", callerFpBelow: callerFpAt - frameAt, linkBelow };
}

/** What an instruction does to the frame. */
type Action =
  | { readonly kind: "moveSp" | "frame" | "saveLink" | "saveFrame"; readonly bytes: number }
  | { readonly kind: "restoreFrame" | "leave" | "other" };

const OTHER: Action = { kind: "other" };
const RESTORE_FRAME: Action = { kind: "restoreFrame" };
const LEAVE: Action = { kind: "leave" };

function wideAction(word: number): Action {
  const opcode = word & 0x7f, rd = word >>> 7 & 31, funct3 = word >>> 12 & 7;
  const rs1 = word >>> 15 & 31, rs2 = word >>> 20 & 31;
  const immediate = word >> 20;
  if (opcode === 0x13 && funct3 === 0 && rs1 === SP) { // addi rd, sp, immediate
    if (rd === SP) return { kind: "moveSp", bytes: immediate };
    if (rd === S0) return { kind: "frame", bytes: immediate };
  }
  if (opcode === 0x23 && funct3 === 3 && rs1 === SP) { // sd rs2, immediate(sp)
    return saved(rs2, word >> 25 << 5 | rd);
  }
  if (opcode === 0x03 && funct3 === 3 && rs1 === SP && rd === S0) return RESTORE_FRAME; // ld s0, …(sp)
  if (opcode === 0x67 && rd === 0 || opcode === 0x6f && rd === 0) return LEAVE; // jr, j
  if (word === 0x10200073 || word === 0x30200073) return LEAVE; // sret, mret
  return OTHER;
}

function compressedAction(half: number): Action {
  const quadrant = half & 3, funct3 = half >>> 13;
  const rd = half >>> 7 & 31, rs2 = half >>> 2 & 31;
  if (quadrant === 0 && funct3 === 0 && (half >>> 2 & 7) + 8 === S0 && half !== 0) { // c.addi4spn s0
    const bytes = (half >>> 6 & 1) << 2 | (half >>> 5 & 1) << 3 | (half >>> 11 & 3) << 4 |
      (half >>> 7 & 15) << 6;
    return { kind: "frame", bytes };
  }
  if (quadrant === 1) {
    if (funct3 === 0 && rd === SP) { // c.addi sp
      return { kind: "moveSp", bytes: (half >>> 2 & 31) - (half >>> 12 & 1) * 32 };
    }
    if (funct3 === 3 && rd === SP) { // c.addi16sp
      const bytes = (half >>> 6 & 1) << 4 | (half >>> 2 & 1) << 5 | (half >>> 5 & 1) << 6 |
        (half >>> 3 & 3) << 7;
      return { kind: "moveSp", bytes: bytes - (half >>> 12 & 1) * 512 };
    }
    if (funct3 === 5) return LEAVE; // c.j
  }
  if (quadrant === 2) {
    if (funct3 === 7) return saved(rs2, (half >>> 10 & 7) << 3 | (half >>> 7 & 7) << 6); // c.sdsp
    if (funct3 === 3 && rd === S0) return RESTORE_FRAME; // c.ldsp s0
    if (funct3 === 4 && (half >>> 12 & 1) === 0 && rs2 === 0 && rd !== 0) return LEAVE; // c.jr
  }
  return OTHER;
}

function saved(register: number, bytes: number): Action {
  return register === RA
    ? { kind: "saveLink", bytes }
    : register === S0
    ? { kind: "saveFrame", bytes }
    : OTHER;
}
