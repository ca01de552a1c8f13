/**
 * Undoes xz's filter for x86 code, which makes the targets of calls and jumps absolute so that the same target is the
 * same bytes everywhere.
 *
 * What it takes for a call: an opcode byte E8 or E9 before four bytes of which the last is 00 or FF, unless other
 * such opcodes shortly before make it unlikely ("The .xz File Format" 1.1.0, section 5.3.2; the rule for those
 * neighbours is only in programs, of which liblzma's `simple/x86.c` is the original).
 */

const OPERAND_BYTES = 4;
const INSTRUCTION_BYTES = 5;
/**
 * Which of the three bytes before an opcode, the nearest in bit 0, may have been opcodes themselves. With any other
 * set the bytes are left as they are.
 */
const ALLOWED: readonly boolean[] = [true, true, true, false, true, false, false, false];
/** By the same set: how many bytes from the top the operand byte lies that such an opcode looked at. */
const LOOKED_AT: readonly number[] = [0, 1, 2, 2, 3, 3, 3, 3];

const isSign = (byte: number) => byte === 0 || byte === 0xff;

/** Undoes the filter in place. */
export function undoX86Filter(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  /** Opcodes that were left alone: bit n + 1 is the byte n + 1 before; bit 4 and above say that its operand fits. */
  let recent = 0;
  let last = -INSTRUCTION_BYTES;
  for (let at = 0; at + INSTRUCTION_BYTES <= bytes.length;) {
    if ((bytes[at] & 0xfe) !== 0xe8) {
      at++;
      continue;
    }
    const distance = at - last;
    last = at;
    if (distance > INSTRUCTION_BYTES) recent = 0;
    else for (let i = 0; i < distance; i++) recent = (recent & 0x77) << 1;
    const fits = isSign(bytes[at + OPERAND_BYTES]);
    if (fits && recent >> 1 < 0x10 && ALLOWED[recent >> 1 & 7]) {
      view.setUint32(at + 1, relative(view.getUint32(at + 1, true), at + INSTRUCTION_BYTES, recent), true);
      at += INSTRUCTION_BYTES;
      recent = 0;
    } else {
      at++;
      recent |= fits ? 0x11 : 1;
    }
  }
}

/** The relative operand that the filter made absolute. */
function relative(absolute: number, next: number, recent: number): number {
  let operand = absolute;
  for (;;) {
    const result = operand - next >>> 0;
    const top = LOOKED_AT[recent >> 1] * 8;
    // The top byte is a sign: all bits as bit 24.
    if (recent === 0 || !isSign(result >>> 24 - top & 0xff)) {
      return (result & 0x1ff_ffff) << 7 >> 7 >>> 0;
    }
    operand = result ^ (2 ** (32 - top) - 1);
  }
}
