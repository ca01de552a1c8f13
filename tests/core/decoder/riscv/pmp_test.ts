import { assertEquals } from "@std/assert";
import { Pmp } from "../../../../core/decoder/riscv/pmp.ts";
import { MMU_SUPERVISOR, S_PMP_ACTIVE } from "../../../../core/decoder/riscv/state.ts";
import { PRIV_M, PRIV_S } from "../../../../core/decoder/riscv/trap.ts";
import { TLB_INVALID, TLB_LOAD, tlbTable } from "../../../../core/translator/layout.ts";
import { A0, A1, lw, newHart, program, RAM, run } from "./hart_fixture.ts";

const LOAD = 0, STORE = 1, FETCH = 2;
const R = 1, W = 2, X = 4, TOR = 8, NA4 = 16, NAPOT = 24, LOCKED = 0x80;

function newPmp(): { pmp: Pmp; state: Int32Array } {
  const state = new Int32Array(1024);
  return { pmp: new Pmp(state), state };
}

/** pmpaddr of a naturally aligned region. */
const napot = (base: number, size: number): number => base / 4 + (size / 8 - 1);

Deno.test("with no entry on, M-mode may do everything and the others nothing", () => {
  const { pmp, state } = newPmp();
  assertEquals([pmp.check(RAM, 8, STORE, true), pmp.check(RAM, 8, LOAD, false)], [true, false]);
  assertEquals(state[S_PMP_ACTIVE >> 2], 1);
});

Deno.test("one entry over everything needs no further checks", () => {
  const { pmp, state } = newPmp();
  pmp.writeAddress(0, -1, -1);
  pmp.writeConfig(0, NAPOT | R | W | X, 0);
  assertEquals(state[S_PMP_ACTIVE >> 2], 0);
  assertEquals(pmp.check(2 ** 55, 8, FETCH, false), true);
});

Deno.test("NAPOT, NA4 and TOR match their regions to the byte", () => {
  const { pmp } = newPmp();
  pmp.writeAddress(0, napot(0x2000, 0x1000), 0);
  pmp.writeAddress(1, 0x4000 / 4, 0);
  pmp.writeAddress(2, 0x6000 / 4, 0);
  pmp.writeAddress(3, 0x7008 / 4, 0);
  pmp.writeConfig(0, (NAPOT | R) | (NA4 | R) << 8 | 0 << 16 | (TOR | R) << 24, 0);
  const readable = (address: number, size = 4) => pmp.check(address, size, LOAD, false);
  assertEquals([readable(0x1ffc), readable(0x2000), readable(0x2ffc), readable(0x3000)], [
    false,
    true,
    true,
    false,
  ]);
  assertEquals([readable(0x3ffc), readable(0x4000), readable(0x4004)], [false, true, false]);
  assertEquals([readable(0x5ffc), readable(0x6000), readable(0x7004), readable(0x7008)], [
    false,
    true,
    true,
    false,
  ]);
  assertEquals(readable(0x2ffc, 8), false); // only a part matches
  assertEquals([pmp.page(0x2000, false), pmp.page(0x4000, false), pmp.page(0x9000, false)], [R, -1, 0]);
});

Deno.test("the lowest entry that matches decides", () => {
  const { pmp } = newPmp();
  pmp.writeAddress(0, napot(0x2000, 0x1000), 0);
  pmp.writeAddress(1, -1, -1);
  pmp.writeConfig(0, NAPOT | (NAPOT | R | W | X) << 8, 0);
  assertEquals([pmp.check(0x2000, 4, LOAD, false), pmp.check(0x3000, 4, LOAD, false)], [false, true]);
  assertEquals(pmp.check(0x2000, 4, LOAD, true), true); // not locked: not for M-mode
});

Deno.test("locked entries bind M-mode too and cannot be changed before reset", () => {
  const { pmp, state } = newPmp();
  pmp.writeAddress(0, 0x1000 / 4, 0);
  pmp.writeAddress(1, 0x2000 / 4, 0);
  pmp.writeConfig(0, (LOCKED | TOR | R) << 8, 0);
  assertEquals([pmp.check(0x1000, 4, LOAD, true), pmp.check(0x1000, 4, STORE, true)], [true, false]);
  const before = state.slice();
  pmp.writeConfig(0, (TOR | R | W) << 8, 0);
  pmp.writeAddress(1, 0x3000 / 4, 0);
  pmp.writeAddress(0, 0, 0); // the range's base
  assertEquals(state, before);
});

Deno.test("write without read is reserved and becomes neither", () => {
  const { pmp, state } = newPmp();
  pmp.writeConfig(8, 0, W | X);
  const bytes = new Uint8Array(state.buffer);
  assertEquals([...bytes].filter((b) => b === (W | X)).length, 0);
  assertEquals([...bytes].filter((b) => b === X).length, 1);
});

Deno.test("a denied access faults, and pages with two answers are never cached", () => {
  const f = newHart(PRIV_S);
  f.hart.setRegister("medeleg", 0n);
  f.hart.setRegister("pmpaddr0", BigInt((RAM + 0x2800) / 4)); // [0, RAM + 0x2800) may be used
  f.hart.setRegister("pmpcfg0", BigInt(TOR | R | W | X));
  const load = (address: number) => {
    f.hart.reset(BigInt(RAM), PRIV_M, 0n, 0n);
    f.hart.setRegister("pmpaddr0", BigInt((RAM + 0x2800) / 4));
    f.hart.setRegister("pmpcfg0", BigInt(TOR | R | W | X));
    f.hart.setRegister("mstatus", 1n << 11n);
    f.hart.setRegister("mepc", BigInt(RAM + 4));
    f.hart.setRegister("a0", BigInt(address));
    program(f.ram, RAM, 0x30200073, lw(A1, A0)); // mret to S-mode
    run(f, 2);
    return f.hart.register("mcause");
  };
  const cached = (address: number) =>
    f.hart.state[(tlbTable(MMU_SUPERVISOR, TLB_LOAD) >> 2) + 4 * (address >>> 12 & 1023)] !== TLB_INVALID;
  assertEquals([load(RAM + 0x1000), cached(RAM + 0x1000)], [0n, true]);
  assertEquals([load(RAM + 0x27fc), cached(RAM + 0x2000)], [0n, false]);
  assertEquals([load(RAM + 0x2800), cached(RAM + 0x2000)], [5n, false]);
  assertEquals([load(RAM + 0x27fe), cached(RAM + 0x2000)], [5n, false]);
  assertEquals([load(RAM + 0x3000), cached(RAM + 0x3000)], [5n, false]);
});
