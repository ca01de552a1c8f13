import { assertEquals } from "@std/assert";
import { COMPRESSED, expand } from "../../../../core/decoder/riscv/compressed.ts";
import { decode } from "../../../../core/decoder/riscv/decode.ts";
import { I_ILLEGAL } from "../../../../core/decoder/riscv/encodings.ts";

/** Halfwords, what they are, and the 32-bit words that binutils makes of the same instruction uncompressed. */
const VECTORS: readonly [number, string, number][] = [
  [0x1fe8, "c.addi4spn a0, sp, 1020", 0x3fc10513],
  [0x3d7c, "c.fld fa5, 248(a0)", 0x0f853787],
  [0x41c8, "c.lw a0, 4(a1)", 0x0045a503],
  [0x5de8, "c.lw a0, 124(a1)", 0x07c5a503],
  [0x7de8, "c.ld a0, 248(a1)", 0x0f85b503],
  [0xbde8, "c.fsd fa0, 248(a1)", 0x0ea5bc27],
  [0xdde8, "c.sw a0, 124(a1)", 0x06a5ae23],
  [0xe588, "c.sd a0, 8(a1)", 0x00a5b423],
  [0x0001, "c.nop", 0x00000013],
  [0x157d, "c.addi a0, -1", 0xfff50513],
  [0x2505, "c.addiw a0, 1", 0x0015051b],
  [0x5501, "c.li a0, -32", 0xfe000513],
  [0x717d, "c.addi16sp -16", 0xff010113],
  [0x617d, "c.addi16sp 496", 0x1f010113],
  [0x7501, "c.lui a0, -32", 0xfffe0537],
  [0x657d, "c.lui a0, 31", 0x0001f537],
  [0x917d, "c.srli a0, 63", 0x03f55513],
  [0x957d, "c.srai a0, 63", 0x43f55513],
  [0x9901, "c.andi a0, -32", 0xfe057513],
  [0x8d0d, "c.sub a0, a1", 0x40b50533],
  [0x8d2d, "c.xor a0, a1", 0x00b54533],
  [0x8d4d, "c.or a0, a1", 0x00b56533],
  [0x8d6d, "c.and a0, a1", 0x00b57533],
  [0x9d0d, "c.subw a0, a1", 0x40b5053b],
  [0x9d2d, "c.addw a0, a1", 0x00b5053b],
  [0xbffd, "c.j .-2", 0xfffff06f],
  [0xaffd, "c.j .+2046", 0x7fe0006f],
  [0xb001, "c.j .-2048", 0x801ff06f],
  [0xdd7d, "c.beqz a0, .-2", 0xfe050fe3],
  [0xed7d, "c.bnez a0, .+254", 0x0e051f63],
  [0x157e, "c.slli a0, 63", 0x03f51513],
  [0x357e, "c.fldsp fa0, 504(sp)", 0x1f813507],
  [0x557e, "c.lwsp a0, 252(sp)", 0x0fc12503],
  [0x757e, "c.ldsp a0, 504(sp)", 0x1f813503],
  [0x8502, "c.jr a0", 0x00050067],
  [0x852e, "c.mv a0, a1", 0x00b00533],
  [0x9002, "c.ebreak", 0x00100073],
  [0x9502, "c.jalr a0", 0x000500e7],
  [0x952e, "c.add a0, a1", 0x00b50533],
  [0xbfaa, "c.fsdsp fa0, 504(sp)", 0x1ea13c27],
  [0xdfaa, "c.swsp a0, 252(sp)", 0x0ea12e23],
  [0xffaa, "c.sdsp a0, 504(sp)", 0x1ea13c23],
];

Deno.test("compressed instructions expand to the words of their uncompressed forms", () => {
  for (const [halfword, text, word] of VECTORS) assertEquals(expand(halfword) >>> 0, word, text);
});

Deno.test("reserved encodings expand to nothing", () => {
  const reserved = [
    0x0000, // all zeros, defined as illegal
    0x0004, // c.addi4spn by zero
    0x8000, // quadrant 0, funct3 4
    0x2001, // c.addiw to x0
    0x6101, // c.addi16sp by zero
    0x6501, // c.lui of zero
    0x9d4d, // quadrant 1, the reserved word operations
    0x9d6d,
    0x4002, // c.lwsp to x0
    0x6002, // c.ldsp to x0
    0x8002, // c.jr of x0
  ];
  for (const halfword of reserved) assertEquals(expand(halfword), 0, halfword.toString(16));
});

Deno.test("hints expand to instructions that do nothing", () => {
  assertEquals(expand(0x0005) >>> 0, 0x00100013); // c.nop 1
  assertEquals(expand(0x0501) >>> 0, 0x00050513); // c.addi a0, 0
  assertEquals(expand(0x4005) >>> 0, 0x00100013); // c.li x0, 1
  assertEquals(expand(0x6005) >>> 0, 0x00001037); // c.lui x0, 1
  assertEquals(expand(0x802e) >>> 0, 0x00b00033); // c.mv x0, a1
  assertEquals(expand(0x902e) >>> 0, 0x00b00033); // c.add x0, a1
  assertEquals(expand(0x0506) >>> 0, 0x00151513); // c.slli a0, 1: not a hint
  assertEquals(expand(0x0502) >>> 0, 0x00051513); // c.slli a0, 0
});

Deno.test("every halfword expands to a legal instruction or to nothing, the same each time", () => {
  let illegal = 0;
  for (let halfword = 0; halfword < 0x10000; halfword++) {
    if ((halfword & 3) === 3) continue;
    const word = expand(halfword);
    assertEquals(expand(halfword), word);
    if (word === 0) illegal++;
    else if (decode(word) === I_ILLEGAL) {
      throw new Error(`${halfword.toString(16)} expands to an illegal word`);
    }
  }
  assertEquals(illegal, 2409);
});

Deno.test("rows are well drawn: 16 bits, immediates as long as their lists", () => {
  for (const [name, bits, , immediate = ""] of COMPRESSED) {
    const drawing = bits.replaceAll(" ", "");
    assertEquals(drawing.length, 16, name);
    let listed = 0;
    for (const range of immediate.replace("-", "").split("|").filter(Boolean)) {
      const [high, low = high] = range.split(":").map(Number);
      listed += high - low + 1;
    }
    assertEquals(drawing.match(/i/g)?.length ?? 0, listed, name);
  }
});
