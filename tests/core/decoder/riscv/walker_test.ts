/** The walker stub against the MMU it stands in for: random page tables, every mode, kind and MMU index. */
import { assert, assertEquals } from "@std/assert";
import {
  MMU_MACHINE,
  MMU_SUPERVISOR,
  S_MENVCFG,
  S_PMP_ACTIVE,
  S_SATP,
  S_SUPERPAGES,
} from "../../../../core/decoder/riscv/state.ts";
import { PRIV_S } from "../../../../core/decoder/riscv/trap.ts";
import {
  STATE_EPOCH_CONTEXT,
  STATE_SCRATCH,
  TLB_ENTRIES,
  TLB_ENTRY_BYTES,
  TLB_FETCH,
  TLB_GUARDED,
  TLB_LOAD,
  TLB_STORE,
  tlbTable,
} from "../../../../core/translator/layout.ts";
import { Lockstep, RAM, RAM_BYTES, Random, type Side } from "./lockstep_fixture.ts";

const TABLES = 8; // pages at the start of RAM that hold page tables
const VALID = 1, READ = 2, WRITE = 4, EXECUTE = 8, ACCESSED = 0x40, DIRTY = 0x80;
const ALL = VALID | READ | WRITE | EXECUTE | ACCESSED | DIRTY;

const lockstep = new Lockstep();

/** Both sides in S-mode as firmware leaves them, with an empty root table in the first page. */
function reset(mode: number): void {
  lockstep.both((side) => {
    side.ram.u8.fill(0);
    side.ram.codePages.fill(0);
    side.hart.reset(BigInt(RAM), PRIV_S, 0n, 0n);
    side.view.setBigUint64(S_SATP, BigInt(mode) << 60n | BigInt(RAM / 4096), true);
  });
}

function setPte(side: Side, table: number, index: number, page: bigint, bits: number): void {
  side.ram.view.setBigUint64(4096 * table + 8 * index, page << 10n | BigInt(bits), true);
}

/** Walks on both sides. The stub's answer, after everything was found to be equal; 0n if it gave up or was not needed. */
function walk(virtual: bigint, kind: number, mmuIndex: number): bigint {
  const lo = Number(BigInt.asIntN(32, virtual)), hi = Number(BigInt.asIntN(32, virtual >> 32n));
  const { reference, translated } = lockstep;
  const entry = tlbTable(mmuIndex, kind) + (lo >>> 12) % TLB_ENTRIES * TLB_ENTRY_BYTES;
  if (translated.view.getBigUint64(entry, true) === (virtual & ~4095n)) return 0n; // no miss
  translated.view.setBigUint64(STATE_SCRATCH, virtual, true);
  const host = lockstep.evaluator.call(lockstep.walker(kind, mmuIndex));
  if (host === 0n) { // as if nothing had happened: the interpreter takes it from here
    assertEquals(lockstep.translated.ram.i32, lockstep.reference.ram.i32);
    translated.hart.mmu.lookup(lo, hi, 1, kind, mmuIndex);
  }
  const offset = reference.hart.mmu.lookup(lo, hi, 1, kind, mmuIndex);
  if (host !== 0n) {
    const page = BigInt(Math.floor(offset / 4096) + 1);
    assertEquals(host, kind === TLB_FETCH ? page : BigInt(reference.ram.hostAddress + offset));
  }
  lockstep.compareAll();
  return host;
}

Deno.test("walks of random page tables fill the TLBs as the MMU does", () => {
  const random = new Random(1);
  let found = 0;
  for (let round = 0; round < 40; round++) {
    const mode = random.pick([8, 9, 10, 0]);
    reset(mode);
    const seed = random.word();
    lockstep.both((side) => {
      const source = new Random(seed);
      side.ram.codePages[source.below(RAM_BYTES / 4096)] = 1;
      for (let table = 0; table < TABLES; table++) {
        for (let index = 0; index < 4; index++) {
          const pointer = source.below(2) === 0;
          const target = RAM / 4096 + (pointer ? source.below(TABLES) : source.below(RAM_BYTES / 4096 + 2));
          const bits = pointer ? VALID : ALL ^ (source.below(3) === 0 ? 1 << source.below(8) : 0);
          const strange = source.below(20) === 0 ? 1n << BigInt(10 + source.below(54)) : 0n;
          const at = source.below(2) === 0 ? index : 511 - index;
          // Superpages must be aligned: often they are those of the first gigabytes, which hold RAM.
          const aligned = source.below(3) === 0 ? BigInt(target & ~0x3ffff) : BigInt(target);
          setPte(side, table, at, aligned, bits);
          side.ram.view.setBigUint64(
            4096 * table + 8 * at,
            side.ram.view.getBigUint64(4096 * table + 8 * at, true) ^ strange,
            true,
          );
        }
      }
    });
    for (let i = 0; i < 100; i++) {
      let virtual = 0n;
      for (let level = 0; level < 5; level++) {
        const index = random.below(2) === 0 ? random.below(4) : 511 - random.below(4);
        virtual = virtual << 9n | BigInt(index);
      }
      virtual = BigInt.asUintN(64, BigInt.asIntN([39, 48, 57][mode - 8] ?? 64, virtual << 12n));
      if (mode === 0 || random.below(5) === 0) virtual = BigInt(RAM + random.below(2 * RAM_BYTES));
      if (random.below(20) === 0) virtual ^= 1n << BigInt(random.below(64));
      if (walk(virtual, random.below(3), random.below(4)) !== 0n) found++;
    }
  }
  assert(found > 500, `${found} walks found a page`);
});

Deno.test("a superpage of each mode is walked, and marked as one", () => {
  for (const [mode, levels] of [[8, 3], [9, 4], [10, 5]]) {
    for (let level = 1; level < 3; level++) {
      reset(mode);
      lockstep.both((side) => {
        for (let table = 0; table < levels - 1 - level; table++) {
          setPte(side, table, table === 0 ? 0 : 2, BigInt(RAM / 4096 + table + 1), VALID);
        }
        setPte(side, levels - 1 - level, 2, BigInt(RAM / 4096), ALL);
      });
      let virtual = 0n;
      for (let l = levels - 1; l >= 0; l--) {
        virtual = virtual << 9n | (l === levels - 1 && l !== level ? 0n : 2n);
      }
      const inside = level === 2 ? 0x5678n : 0x1_5678n;
      virtual = virtual >> BigInt(9 * level) << BigInt(9 * level + 12) | inside;
      assert(walk(virtual, TLB_LOAD, MMU_SUPERVISOR) !== 0n, `Sv mode ${mode}, level ${level}`);
    }
  }
});

Deno.test("a page of 512 GiB is walked too", () => {
  reset(9);
  lockstep.both((side) => setPte(side, 0, 1, 0n, ALL));
  assert(walk(1n << 39n | BigInt(RAM + 0x1_2345), TLB_LOAD, MMU_SUPERVISOR) !== 0n);
  assertEquals(lockstep.translated.view.getBigInt64(S_SUPERPAGES, true), -1n);
});

Deno.test("gives up where a bit would have to be set, protection is in use, or code would be written", () => {
  const setUp = (bits: number) => {
    reset(8);
    lockstep.both((side) => {
      setPte(side, 0, 2, BigInt(RAM / 4096 + 1), VALID);
      setPte(side, 1, 0, BigInt(RAM / 4096 + 2), VALID);
      setPte(side, 2, 9, BigInt(RAM / 4096 + 9), bits);
      side.view.setInt32(S_MENVCFG + 4, 1 << 29, true); // hardware updates
    });
  };
  const virtual = BigInt(RAM + 9 * 4096 + 5);
  setUp(ALL);
  assert(walk(virtual, TLB_STORE, MMU_SUPERVISOR) !== 0n);
  setUp(ALL ^ ACCESSED);
  assertEquals(walk(virtual, TLB_LOAD, MMU_SUPERVISOR), 0n);
  setUp(ALL ^ DIRTY);
  assert(walk(virtual, TLB_LOAD, MMU_SUPERVISOR) !== 0n);
  setUp(ALL ^ DIRTY);
  assertEquals(walk(virtual, TLB_STORE, MMU_SUPERVISOR), 0n);
  setUp(ALL);
  lockstep.both((side) => side.ram.codePages[9] = 1);
  assert(walk(virtual, TLB_LOAD, MMU_SUPERVISOR) !== 0n);
  assertEquals(walk(virtual, TLB_STORE, MMU_SUPERVISOR), 0n);
  setUp(ALL);
  lockstep.both((side) => side.hart.pmp.writeConfig(0, 0, 0));
  assert(lockstep.translated.hart.state[S_PMP_ACTIVE >> 2] !== 0);
  assertEquals(walk(virtual, TLB_LOAD, MMU_SUPERVISOR), 0n);
});

Deno.test("a guarded store translation is no miss: the interpreter takes what it says", () => {
  reset(0);
  const virtual = BigInt(RAM + 9 * 4096);
  const entry = tlbTable(MMU_SUPERVISOR, TLB_STORE) + (RAM / 4096 + 9) % TLB_ENTRIES * TLB_ENTRY_BYTES;
  walk(virtual, TLB_STORE, MMU_SUPERVISOR);
  lockstep.both((side) => side.hart.dropStoreTranslations(9));
  assertEquals(lockstep.translated.view.getBigUint64(entry, true), virtual | BigInt(TLB_GUARDED));
  assertEquals(walk(virtual, TLB_STORE, MMU_SUPERVISOR), 0n);
  assertEquals(lockstep.translated.view.getBigUint64(entry, true), virtual); // it holds no code any more
});

Deno.test("a fetch translation that takes another's place begins a new epoch", () => {
  reset(0);
  const epoch = () => lockstep.translated.hart.state[STATE_EPOCH_CONTEXT >> 2] >>> 8;
  walk(BigInt(RAM), TLB_FETCH, MMU_MACHINE);
  const before = epoch();
  walk(BigInt(RAM + 4096), TLB_FETCH, MMU_MACHINE);
  assertEquals(epoch(), before);
  lockstep.both((side) => { // as if another page had used the entry
    side.view.setBigUint64(tlbTable(MMU_MACHINE, TLB_FETCH), 0x4000_0000n, true);
  });
  walk(BigInt(RAM), TLB_FETCH, MMU_MACHINE);
  assertEquals(epoch(), before + 1);
});
