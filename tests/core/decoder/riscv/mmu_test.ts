import { assertEquals, assertNotEquals } from "@std/assert";
import { MMU_SUPERVISOR, MMU_USER } from "../../../../core/decoder/riscv/state.ts";
import { PRIV_M, PRIV_S, PRIV_U } from "../../../../core/decoder/riscv/trap.ts";
import {
  STATE_EPOCH_CONTEXT,
  TLB_ENTRIES,
  TLB_FETCH,
  TLB_GUARDED,
  TLB_INVALID,
  TLB_LOAD,
  TLB_STORE,
  tlbTable,
} from "../../../../core/translator/layout.ts";
import {
  A0,
  A1,
  csrw,
  type Fixture,
  ld,
  lw,
  newHart,
  NOP,
  program,
  RAM,
  run,
  sd,
  sfenceVma,
  sw,
  T0,
} from "./hart_fixture.ts";

// Page table entry bits
const V = 1, R = 2, W = 4, X = 8, U = 0x10, A = 0x40, D = 0x80;
const ROOT = RAM + 0x4_0000;
const DATA = RAM + 0x8_0000;
const LOAD_FAULT = 13n, STORE_FAULT = 15n, FETCH_FAULT = 12n;

interface Mapped extends Fixture {
  /** Maps one page; `level` > 0 makes it a superpage. Returns the PTE's physical address. */
  map(virtual: bigint, physical: number, flags: number, level?: number): number;
  pte(address: number): number;
}

/** A hart under translation. RAM's first pages are mapped one to one, executable, so that programs run. */
function mapped(privilege = PRIV_S, levels = 3): Mapped {
  const f = newHart(privilege);
  const { view } = f.ram;
  let free = ROOT + 0x1000;
  const map = (virtual: bigint, physical: number, flags: number, level = 0): number => {
    let table = ROOT;
    for (let l = levels - 1;; l--) {
      const address = table + 8 * Number(virtual >> BigInt(12 + 9 * l) & 511n);
      if (l === level) {
        view.setBigUint64(address - RAM, BigInt(physical) >> 12n << 10n | BigInt(flags), true);
        return address;
      }
      let pte = view.getBigUint64(address - RAM, true);
      if (pte === 0n) {
        pte = BigInt(free) >> 12n << 10n | BigInt(V);
        view.setBigUint64(address - RAM, pte, true);
        free += 0x1000;
      }
      table = Number(pte >> 10n << 12n);
    }
  };
  for (let page = 0; page < 4; page++) {
    const address = RAM + 0x1000 * page;
    map(BigInt(address), address, V | R | W | X | A | D | (privilege === PRIV_U ? U : 0));
  }
  f.hart.setRegister("satp", BigInt(levels + 5) << 60n | BigInt(ROOT / 4096));
  f.hart.setRegister("stvec", BigInt(RAM + 0x3000));
  return { ...f, map, pte: (address) => view.getInt32(address - RAM, true) & 0xff };
}

/** Executes one access to `virtual` with a1 as data. The exception's cause, or undefined. */
function access(f: Fixture, word: number, virtual: bigint): bigint | undefined {
  f.hart.setRegister("scause", 99n);
  f.hart.setRegister("a0", virtual);
  f.hart.setRegister("pc", BigInt(RAM));
  program(f.ram, RAM, word);
  run(f, 1);
  const cause = f.hart.register("scause");
  return cause === 99n ? undefined : cause;
}

function entry(f: Fixture, kind: number, index: number, virtual: number): number {
  return f.hart.state[(tlbTable(index, kind) >> 2) + 4 * (virtual >>> 12 & 1023)];
}

const epoch = (f: Fixture): number => f.hart.state[STATE_EPOCH_CONTEXT >> 2] >>> 8;

for (
  const [name, levels, virtual] of [["Sv39", 3, 0x12_3456_7000n], ["Sv48", 4, 0x1234_5678_9000n], [
    "Sv57",
    5,
    0xff12_3456_789a_b000n,
  ]] as const
) {
  Deno.test(`${name} translates through ${levels} levels and refuses addresses that are not canonical`, () => {
    const f = mapped(PRIV_S, levels);
    f.map(virtual, DATA, V | R | W | A | D);
    f.ram.view.setBigUint64(DATA + 8 - RAM, 0x1122_3344_5566_7788n, true);
    assertEquals(access(f, ld(A1, A0, 8), virtual), undefined);
    assertEquals(f.hart.register("a1"), 0x1122_3344_5566_7788n);
    assertEquals(access(f, ld(A1, A0, 8), virtual ^ 1n << BigInt(12 + 9 * levels)), LOAD_FAULT);
    assertEquals(f.hart.translateAddress(virtual + 8n), DATA + 8);
  });
}

Deno.test("a load sets A, a store sets A and D", () => {
  const f = mapped();
  const pte = f.map(0x1000n, DATA, V | R | W);
  assertEquals(access(f, lw(A1, A0), 0x1000n), undefined);
  assertEquals(f.pte(pte), V | R | W | A);
  assertEquals(access(f, sw(A1, A0), 0x1000n), undefined);
  assertEquals(f.pte(pte), V | R | W | A | D);
});

Deno.test("without ADUE a page that lacks A or D faults instead", () => {
  const f = mapped();
  f.hart.setRegister("menvcfg", 1n << 63n);
  const pte = f.map(0x1000n, DATA, V | R | W);
  assertEquals(access(f, lw(A1, A0), 0x1000n), LOAD_FAULT);
  f.ram.view.setInt32(pte - RAM, f.ram.view.getInt32(pte - RAM, true) | A, true);
  assertEquals(access(f, lw(A1, A0), 0x1000n), undefined);
  assertEquals(access(f, sw(A1, A0), 0x1000n), STORE_FAULT);
  assertEquals(f.pte(pte), V | R | W | A);
});

Deno.test("looking at an address from outside changes nothing", () => {
  const f = mapped();
  const pte = f.map(0x1000n, DATA, V | R | W);
  assertEquals(f.hart.translateAddress(0x1234n), DATA + 0x234);
  assertEquals(f.hart.translateAddress(0x5000n), undefined);
  assertEquals(f.pte(pte), V | R | W);
  assertEquals(entry(f, TLB_LOAD, MMU_SUPERVISOR, 0x1000), TLB_INVALID);
});

Deno.test("page faults report the address and the kind of access", () => {
  const f = mapped();
  f.map(0x1000n, DATA, V | R | A | D);
  assertEquals(access(f, sw(A1, A0, 4), 0x1000n), STORE_FAULT);
  assertEquals(f.hart.register("stval"), 0x1004n);
  assertEquals(access(f, lw(A1, A0), 0x9000n), LOAD_FAULT);
  assertEquals(f.hart.register("stval"), 0x9000n);
  f.hart.setRegister("pc", 0x1000n); // not executable
  run(f, 1);
  assertEquals([f.hart.register("scause"), f.hart.register("stval"), f.hart.register("sepc")], [
    FETCH_FAULT,
    0x1000n,
    0x1000n,
  ]);
});

Deno.test("reserved entries fault: W without R, high bits, flags in a pointer, a misplaced superpage", () => {
  const f = mapped();
  f.map(0x1000n, DATA, V | W | X | A | D);
  assertEquals(access(f, sw(A1, A0), 0x1000n), STORE_FAULT);
  const pte = f.map(0x2000n, DATA, V | R | A | D);
  f.ram.view.setInt32(pte + 4 - RAM, 1 << 31, true); // Svnapot's N
  assertEquals(access(f, lw(A1, A0), 0x2000n), LOAD_FAULT);
  f.map(0x4000_0000n, DATA, V | A, 1);
  assertEquals(access(f, lw(A1, A0), 0x4000_0000n), LOAD_FAULT);
  f.map(0x5000_0000n, RAM + 0x1000, V | R | A, 1);
  assertEquals(access(f, lw(A1, A0), 0x5000_0000n), LOAD_FAULT);
});

Deno.test("a superpage maps what lies in it", () => {
  const f = mapped();
  f.map(0x4000_0000n, RAM, V | R | W | A | D, 1);
  f.ram.view.setInt32(DATA + 0x234 - RAM, 77, true);
  assertEquals(access(f, lw(A1, A0), 0x4000_0000n + BigInt(DATA - RAM + 0x234)), undefined);
  assertEquals(f.hart.register("a1"), 77n);
});

Deno.test("a page table outside of RAM is an access fault", () => {
  const f = mapped();
  f.hart.setRegister("satp", 0n);
  f.hart.setRegister("satp", 8n << 60n | 0x12345n);
  f.hart.setRegister("medeleg", 0xffffn);
  run(f, 1);
  assertEquals(f.hart.register("scause"), 1n);
});

Deno.test("U-mode reaches only user pages; S-mode reaches them for data with SUM, never for code", () => {
  const user = mapped(PRIV_U);
  user.map(0x1000n, DATA, V | R | A | D);
  user.map(0x2000n, DATA, V | R | U | A | D);
  assertEquals(access(user, lw(A1, A0), 0x1000n), LOAD_FAULT);
  user.hart.setRegister("pc", BigInt(RAM));
  const f = mapped();
  f.map(0x2000n, DATA, V | R | X | U | A | D);
  assertEquals(access(f, lw(A1, A0), 0x2000n), LOAD_FAULT);
  f.hart.setRegister("sstatus", 1n << 18n);
  assertEquals(access(f, lw(A1, A0), 0x2000n), undefined);
  f.hart.setRegister("pc", 0x2000n);
  run(f, 1);
  assertEquals(f.hart.register("scause"), FETCH_FAULT);
});

Deno.test("MXR makes executable pages readable, and no longer than it is set", () => {
  const f = mapped();
  f.map(0x1000n, DATA, V | X | A | D);
  assertEquals(access(f, lw(A1, A0), 0x1000n), LOAD_FAULT);
  f.hart.setRegister("sstatus", 1n << 19n);
  assertEquals(access(f, lw(A1, A0), 0x1000n), undefined);
  f.hart.setRegister("sstatus", 0n);
  assertEquals(access(f, lw(A1, A0), 0x1000n), LOAD_FAULT);
});

Deno.test("MPRV translates M-mode's data accesses as MPP's, and is the interpreter's alone", () => {
  const f = mapped();
  f.map(0x1000n, DATA, V | R | W | A | D);
  f.ram.view.setInt32(DATA - RAM, 5, true);
  const satp = f.hart.register("satp")!;
  f.hart.reset(BigInt(RAM), PRIV_M, 0n, 0n);
  f.hart.setRegister("pmpaddr0", (1n << 54n) - 1n);
  f.hart.setRegister("pmpcfg0", 0x1fn);
  f.hart.setRegister("satp", satp);
  f.hart.setRegister("mstatus", 1n << 11n);
  assertNotEquals(f.hart.context(), -1);
  f.hart.setRegister("mstatus", 1n << 17n | 1n << 11n);
  assertEquals(f.hart.context(), -1);
  f.hart.setRegister("a0", 0x1000n);
  program(f.ram, RAM, lw(A1, A0));
  run(f, 1);
  assertEquals([f.hart.register("a1"), f.hart.register("mcause")], [5n, 0n]);
});

Deno.test("a stale translation lives until SFENCE.VMA of its page", () => {
  const f = mapped();
  f.map(0x1000n, DATA, V | R | A | D);
  f.map(0x2000n, DATA, V | R | A | D);
  f.ram.view.setInt32(DATA + 0x1000 - RAM, 1, true);
  access(f, lw(A1, A0), 0x1000n);
  access(f, lw(A1, A0), 0x2000n);
  f.map(0x1000n, DATA + 0x1000, V | R | A | D);
  f.map(0x2000n, DATA + 0x1000, V | R | A | D);
  access(f, lw(A1, A0), 0x1000n);
  assertEquals(f.hart.register("a1"), 0n);
  access(f, sfenceVma(A0), 0x1abcn);
  access(f, lw(A1, A0), 0x1000n);
  assertEquals(f.hart.register("a1"), 1n);
  access(f, lw(A1, A0), 0x2000n);
  assertEquals(f.hart.register("a1"), 0n);
  access(f, sfenceVma(0), 0n);
  access(f, lw(A1, A0), 0x2000n);
  assertEquals(f.hart.register("a1"), 1n);
});

Deno.test("SFENCE.VMA of one address in a superpage forgets all of it", () => {
  const f = mapped();
  f.map(0x4000_0000n, RAM, V | R | A | D, 1);
  access(f, lw(A1, A0), 0x4008_0000n);
  access(f, lw(A1, A0), 0x4008_1000n);
  f.map(0x4000_0000n, RAM, V, 1);
  access(f, sfenceVma(A0), 0x4000_0000n);
  assertEquals(entry(f, TLB_LOAD, MMU_SUPERVISOR, 0x4008_1000), TLB_INVALID);
  assertNotEquals(access(f, lw(A1, A0), 0x4008_1000n), undefined);
});

Deno.test("SFENCE.VMA of a program's page forgets no superpage of the kernel's half", () => {
  const f = mapped();
  const kernel = -(2n ** 38n); // as far above the half's beginning as the program's page is above its own
  f.map(BigInt.asUintN(64, kernel), RAM, V | R | A | D, 1);
  f.map(0x1000n, DATA, V | R | A | D);
  access(f, lw(A1, A0), BigInt.asUintN(64, kernel + 0x8_0000n));
  access(f, lw(A1, A0), 0x1000n);
  access(f, sfenceVma(A0), 0x1000n);
  assertEquals(entry(f, TLB_LOAD, MMU_SUPERVISOR, 0x1000), TLB_INVALID);
  assertEquals(entry(f, TLB_LOAD, MMU_SUPERVISOR, 0x8_0000), 0x8_0000);
});

Deno.test("switching translation on or off takes effect with the next instruction", () => {
  const f = newHart(PRIV_S);
  f.hart.setRegister("medeleg", 0xffffn);
  f.hart.setRegister("a0", 8n << 60n | BigInt(ROOT / 4096)); // an empty page table
  program(f.ram, RAM, NOP, csrw(0x180, A0), NOP);
  run(f, 3);
  assertEquals([f.hart.register("scause"), f.hart.register("sepc")], [FETCH_FAULT, BigInt(RAM + 8)]);
});

Deno.test("a miss fills the table of its own kind and mode only", () => {
  const f = mapped();
  f.map(0x1000n, DATA, V | R | W | X | A | D);
  access(f, lw(A1, A0), 0x1000n);
  assertEquals(entry(f, TLB_LOAD, MMU_SUPERVISOR, 0x1000), 0x1000);
  assertEquals(entry(f, TLB_STORE, MMU_SUPERVISOR, 0x1000), TLB_INVALID);
  assertEquals(entry(f, TLB_FETCH, MMU_SUPERVISOR, 0x1000), TLB_INVALID);
  assertEquals(entry(f, TLB_LOAD, MMU_USER, 0x1000), TLB_INVALID);
});

Deno.test("a store's miss fills the table of loads too", () => {
  const f = mapped();
  f.map(0x1000n, DATA, V | R | W | A | D);
  access(f, sw(A1, A0), 0x1000n);
  assertEquals(entry(f, TLB_STORE, MMU_SUPERVISOR, 0x1000), 0x1000);
  assertEquals(entry(f, TLB_LOAD, MMU_SUPERVISOR, 0x1000), 0x1000);
  assertEquals(entry(f, TLB_FETCH, MMU_SUPERVISOR, 0x1000), TLB_INVALID);
  assertEquals(entry(f, TLB_LOAD, MMU_USER, 0x1000), TLB_INVALID);
});

Deno.test("the epoch changes when a fetch translation is flushed or replaced, and keeps the context", () => {
  const f = mapped();
  f.hart.state[STATE_EPOCH_CONTEXT >> 2] |= 0x15;
  run(f, 0);
  program(f.ram, RAM, NOP, NOP);
  run(f, 1);
  const start = epoch(f);
  access(f, sfenceVma(A0), 0x7000n); // no such entry
  assertEquals(epoch(f), start);
  access(f, sfenceVma(A0), BigInt(RAM));
  assertEquals(epoch(f), start + 1);
  access(f, NOP, 0n);
  const sameEntry = BigInt(RAM) + 4096n * BigInt(TLB_ENTRIES);
  f.map(sameEntry, RAM, V | X | A);
  f.hart.setRegister("pc", sameEntry);
  run(f, 1);
  const replaced = epoch(f);
  assertEquals(replaced, start + 2);
  access(f, sfenceVma(0), 0n);
  assertNotEquals(epoch(f), replaced);
  assertEquals(f.hart.state[STATE_EPOCH_CONTEXT >> 2] & 255, 0x15);
});

Deno.test("epoch 0 is skipped when the epochs wrap", () => {
  const f = mapped();
  run(f, 1);
  f.hart.state[STATE_EPOCH_CONTEXT >> 2] = 0xffff_ff03 | 0;
  f.hart.flushPage(RAM | 0, 0);
  assertEquals(f.hart.state[STATE_EPOCH_CONTEXT >> 2], 0x103);
});

Deno.test("code that moves under a flushed translation is fetched from its new page", () => {
  const f = mapped();
  f.map(0x1000n, DATA, V | X | A);
  f.map(0x2000n, DATA, V | X | A);
  program(f.ram, DATA, NOP, sfenceVma(0), NOP);
  program(f.ram, DATA + 0x1008, 0x00100593); // li a1, 1
  program(f.ram, DATA + 0x8, 0x00200593); // li a1, 2
  f.hart.setRegister("pc", 0x1000n);
  run(f, 1);
  f.map(0x1000n, DATA + 0x1000, V | X | A);
  run(f, 1); // still the old page
  run(f, 1);
  assertEquals(f.hart.register("a1"), 1n);
});

Deno.test("store translations of a page with translated code are guarded, and each store is announced", () => {
  const f = mapped();
  f.map(0x1000n, DATA, V | R | W | A | D);
  const writes: number[][] = [];
  f.ram.onCodeWrite = (offset, size) => void writes.push([offset, size]);
  access(f, sw(A1, A0), 0x1000n);
  assertEquals(entry(f, TLB_STORE, MMU_SUPERVISOR, 0x1000), 0x1000);
  const page = (DATA - RAM) / 4096;
  f.ram.codePages[page] = 1;
  f.hart.dropStoreTranslations(page + 1);
  assertEquals(entry(f, TLB_STORE, MMU_SUPERVISOR, 0x1000), 0x1000);
  f.hart.dropStoreTranslations(page);
  assertEquals(entry(f, TLB_STORE, MMU_SUPERVISOR, 0x1000), 0x1000 | TLB_GUARDED);
  access(f, sd(A1, A0, 8), 0x1000n);
  access(f, sd(A1, A0, 0x7fc), 0x1800n);
  assertEquals(entry(f, TLB_STORE, MMU_SUPERVISOR, 0x1000), 0x1000 | TLB_GUARDED);
  assertEquals(writes, [[DATA - RAM + 8, 8]]);
  f.ram.codePages[page] = 0;
  access(f, sd(A1, A0, 8), 0x1000n);
  assertEquals(entry(f, TLB_STORE, MMU_SUPERVISOR, 0x1000), 0x1000);
});

Deno.test("a page table entry that changed without a fence is not seen because its page got code", () => {
  const f = mapped();
  const pte = f.map(0x1000n, DATA, V | R | W);
  access(f, sw(A1, A0), 0x1000n);
  f.ram.view.setUint8(pte - RAM, V | R | W);
  f.ram.codePages[(DATA - RAM) / 4096] = 1;
  f.hart.dropStoreTranslations((DATA - RAM) / 4096);
  access(f, sw(A1, A0), 0x1000n);
  assertEquals(f.pte(pte), V | R | W);
  access(f, sfenceVma(A0), 0x1000n);
  access(f, sw(A1, A0), 0x1000n);
  assertEquals(f.pte(pte), V | R | W | A | D);
});

Deno.test("an access that crosses into an unmapped page faults there and stores nothing", () => {
  const f = mapped();
  f.map(0x1000n, DATA, V | R | W | A | D);
  f.hart.setRegister("a1", (1n << 64n) - 1n);
  assertEquals(access(f, sd(A1, A0, 0x7fc), 0x1800n), STORE_FAULT);
  assertEquals(f.hart.register("stval"), 0x2000n);
  assertEquals(f.ram.view.getInt32(DATA + 0xffc - RAM, true), 0);
  f.map(0x2000n, DATA + 0x2000, V | R | W | A | D);
  assertEquals(access(f, sd(A1, A0, 0x7fd), 0x1800n), undefined);
  assertEquals(access(f, ld(T0, A0, 0x7fd), 0x1800n), undefined);
  assertEquals(f.hart.register("t0"), (1n << 64n) - 1n);
  assertEquals(
    f.ram.u8.subarray(DATA + 0x2000 - RAM, DATA + 0x2006 - RAM),
    new Uint8Array([255, 255, 255, 255, 255, 0]),
  );
});

Deno.test("an instruction across two pages is fetched from both, and faults where it is missing", () => {
  const f = mapped();
  f.map(0x1000n, DATA, V | X | A);
  program(f.ram, DATA + 0xffe, 0x00700593); // li a1, 7
  f.ram.view.setUint16(DATA + 0x1000 - RAM, 0xffff, true);
  f.ram.view.setUint16(DATA + 0x2000 - RAM, 0x0070, true);
  f.hart.setRegister("pc", 0x1ffen);
  run(f, 1);
  assertEquals([f.hart.register("scause"), f.hart.register("sepc"), f.hart.register("stval")], [
    FETCH_FAULT,
    0x1ffen,
    0x2000n,
  ]);
  f.map(0x2000n, DATA + 0x2000, V | X | A);
  f.hart.setRegister("pc", 0x1ffen);
  run(f, 1);
  assertEquals([f.hart.register("a1"), f.hart.register("pc")], [7n, 0x2002n]);
});

Deno.test("fetchOffset finds code in RAM, and nothing that straddles, faults, or is a device", () => {
  const f = mapped();
  f.map(0x1000n, DATA, V | X | A);
  program(f.ram, DATA + 0xffc, NOP);
  const at = (pc: bigint) => {
    f.hart.setRegister("pc", pc);
    return f.hart.fetchOffset();
  };
  assertEquals(at(0x1ffcn), DATA + 0xffc - RAM);
  f.ram.view.setUint16(DATA + 0xffe - RAM, 0x0013, true);
  assertEquals(at(0x1ffen), -1);
  f.ram.view.setUint16(DATA + 0xffe - RAM, 0x0001, true); // c.nop
  assertEquals(at(0x1ffen), DATA + 0xffe - RAM);
  assertEquals(at(0x5000n), -1);
  assertEquals(f.hart.register("scause"), 0n);
});
