import { assertEquals, assertFalse } from "@std/assert";
import { ALU_AND, ALU_CMP, Assembler } from "../../../../../core/translator/host/x64/assembler.ts";
import {
  CC_NE,
  R12,
  RAX,
  RCX,
  STATE,
  VALUE_REGISTERS,
} from "../../../../../core/translator/host/x64/registers.ts";
import { canProbe, emitMiss, emitTlbProbe } from "../../../../../core/translator/host/x64/tlb_probe.ts";
import { TLB_OFFSET_MASK } from "../../../../../core/translator/layout.ts";

const BASES = VALUE_REGISTERS.filter((base) => canProbe(base, 0, 0));

Deno.test("the bytes of a probe are what the assembler makes of its instructions", () => {
  assertFalse(canProbe(R12, 0, 0));
  for (const base of BASES) {
    for (const last of [-128, -1, 1, 7, 127]) {
      for (const table of [4096 - 128, 0x12345678, 1 << 20]) {
        const quick = new Assembler(new Uint8Array(64), 0), slow = new Assembler(new Uint8Array(64), 0);
        quick.pos = slow.pos = 5;
        slow.rorx(0, RAX, base, 8);
        slow.aluImm(ALU_AND, 0, RAX, TLB_OFFSET_MASK);
        slow.lea(1, RCX, base, last);
        slow.aluImm(ALU_AND, 1, RCX, -4096);
        slow.aluMemIndex(ALU_CMP, 1, RCX, STATE, RAX, table);
        const miss = slow.jcc(CC_NE);
        slow.loadIndex(1, RCX, STATE, RAX, table + 8);
        assertEquals(emitTlbProbe(quick, base, last, table), miss);
        assertEquals([quick.pos, quick.bytes], [slow.pos, slow.bytes], `${base} ${last} ${table}`);
      }
    }
  }
});

Deno.test("the bytes of a miss are what the assembler makes of its instructions", () => {
  for (const base of BASES) {
    for (const disp of [-128, -1, 1, 127]) {
      for (const [site, refill, back] of [[0x12345678, 0x1000, 0x30], [5, 0x7654321, 0]]) {
        const quick = new Assembler(new Uint8Array(256), 0), slow = new Assembler(new Uint8Array(256), 0);
        quick.pos = slow.pos = 99;
        slow.pushImm(site);
        slow.lea(1, RAX, base, disp);
        slow.callTo(refill);
        slow.jmpTo(back);
        emitMiss(quick, site, base, disp, refill, back);
        quick.byte(0);
        slow.byte(0);
        assertEquals([quick.pos, quick.bytes], [slow.pos, slow.bytes], `${base} ${disp} ${site}`);
      }
    }
  }
});
