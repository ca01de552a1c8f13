import { assertEquals } from "@std/assert";
import { type FrameState, riscvFrameState } from "../../../harness/backtrace/riscv64_code.ts";

/** Instructions as the assembler lists them, and the state in front of each, in the form the tests compare. */
type Listing = readonly (readonly [hex: string, state: string])[];

function describe(state: FrameState): string {
  return state.kind === "none"
    ? `none ${state.pushedBytes}`
    : `${state.callerFpBelow} ${state.linkBelow ?? "ra"}`;
}

/** Encodes listings, whose instructions are written as numbers, not as bytes. */
function bytesOf(hex: string): number[] {
  return [...Uint8Array.fromHex(hex)].reverse();
}

function check(listing: Listing): void {
  const code: number[] = [];
  for (const [hex, state] of listing) {
    assertEquals(describe(riscvFrameState(new Uint8Array(code))), state, `before ${hex}, at ${code.length}`);
    code.push(...bytesOf(hex));
  }
}

Deno.test("knows a function's frame at every instruction of its prologue and epilogue", () => {
  check([
    ["1141", "none 0"], // addi sp,sp,-16
    ["e022", "none 16"], // sd s0,0(sp)
    ["e406", "none 16"], // sd ra,8(sp)
    ["0800", "none 16"], // addi s0,sp,16
    ["00000097", "16 8"], // auipc ra,0
    ["000080e7", "16 8"], // jalr ra
    ["60a2", "16 8"], // ld ra,8(sp)
    ["6402", "16 8"], // ld s0,0(sp)
    ["0141", "none 16"], // addi sp,sp,16
    ["8082", "none 0"], // ret
    ["0001", "16 8"], // what lies behind is reached from the body
  ]);
});

Deno.test("knows that a leaf function's return address stays in ra", () => {
  check([
    ["1141", "none 0"], // addi sp,sp,-16
    ["e422", "none 16"], // sd s0,8(sp)
    ["0800", "none 16"], // addi s0,sp,16
    ["0001", "8 ra"], // nop
    ["6422", "8 ra"], // ld s0,8(sp)
    ["0141", "none 16"], // addi sp,sp,16
    ["8082", "none 0"], // ret
  ]);
});

Deno.test("knows a return address that is saved late, and one below variable arguments", () => {
  check([
    ["7155", "none 0"], // addi sp,sp,-208
    ["e1a2", "none 208"], // sd s0,192(sp)
    ["fd26", "none 208"], // sd s1,184(sp)
    ["0980", "none 208"], // addi s0,sp,208
    ["e586", "16 ra"], // sd ra,200(sp)
    ["0001", "16 8"],
  ]);
  check([
    ["f7010113", "none 0"], // addi sp,sp,-144
    ["e0a2", "none 144"], // sd s0,64(sp)
    ["e486", "none 144"], // sd ra,72(sp)
    ["0880", "none 144"], // addi s0,sp,80
    ["0001", "16 8"],
  ]);
});

Deno.test("takes code without a frame for that, whatever bytes it has", () => {
  check([
    ["00000013", "none 0"], // nop
    ["8082", "none 0"], // ret
    ["ffffffff", "none 0"],
    ["0000", "none 0"],
  ]);
  for (let i = 0; i < 65536; i++) riscvFrameState(new Uint8Array([i & 255, i >> 8, i >> 4 & 255]));
  assertEquals(riscvFrameState(new Uint8Array(0)), { kind: "none", pushedBytes: 0 });
});
