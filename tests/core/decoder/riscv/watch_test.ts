import { assertEquals } from "@std/assert";
import type { WatchKind } from "../../../../core/debug/debug_points.ts";
import type { RiscvHart } from "../../../../core/decoder/riscv/hart.ts";
import { MMU_MACHINE } from "../../../../core/decoder/riscv/state.ts";
import { TLB_GUARDED, TLB_LOAD, TLB_STORE, tlbTable } from "../../../../core/translator/layout.ts";
import { newHart, RAM } from "./hart_fixture.ts";

const PAGE = RAM + 0x1000;

/** The low word of the tag that the page's entry has in a table. */
function tag(hart: RiscvHart, kind: number): number {
  return hart.state[(tlbTable(MMU_MACHINE, kind) >> 2) + ((PAGE >>> 10) & 0xffc)] >>> 0;
}

function watch(hart: RiscvHart, kind?: WatchKind): void {
  const { debug } = hart.machine;
  debug.setWatchpoints(kind ? [{ kind, address: BigInt(PAGE + 16), length: 8 }] : []);
  hart.watchedPageChanged(PAGE | 0, 0);
}

Deno.test("translations of a watched page are kept, guarded, and free again afterwards", () => {
  const { hart } = newHart();
  hart.store(PAGE | 0, 0, 8, 42, 0);
  hart.load(PAGE | 0, 0, 8);
  assertEquals([tag(hart, TLB_LOAD), tag(hart, TLB_STORE)], [PAGE, PAGE]);
  watch(hart, "access");
  assertEquals([tag(hart, TLB_LOAD), tag(hart, TLB_STORE)], [PAGE + TLB_GUARDED, PAGE + TLB_GUARDED]);
  assertEquals([hart.load(PAGE | 0, 0, 8), hart.lo], [true, 42]);
  assertEquals(tag(hart, TLB_LOAD), PAGE + TLB_GUARDED);
  watch(hart);
  assertEquals(tag(hart, TLB_LOAD), PAGE);
  hart.store(PAGE | 0, 0, 8, 43, 0);
  assertEquals(tag(hart, TLB_STORE), PAGE);
});

Deno.test("a page that is reached while it is watched is guarded from the start", () => {
  const { hart } = newHart();
  watch(hart, "write");
  hart.load(PAGE | 0, 0, 8);
  hart.store(PAGE | 0, 0, 8, 1, 0);
  assertEquals([tag(hart, TLB_LOAD), tag(hart, TLB_STORE)], [PAGE + TLB_GUARDED, PAGE + TLB_GUARDED]);
});

Deno.test("every way to reach memory is watched", () => {
  const at = (PAGE + 16) | 0;
  const hits = (kind: WatchKind, access: (hart: RiscvHart) => unknown) => {
    const { hart } = newHart();
    watch(hart, kind);
    access(hart);
    return hart.machine.debug.hit !== undefined;
  };
  const ways: [string, (hart: RiscvHart) => unknown, boolean, boolean][] = [
    ["load", (hart) => hart.load(at, 0, 8), true, false],
    ["load into the page", (hart) => hart.load(PAGE - 4 | 0, 0, 8), false, false],
    ["load that crosses", (hart) => hart.load(at - 4, 0, 8), true, false],
    ["store", (hart) => hart.store(at + 7, 0, 1, 0, 0), false, true],
    ["store that crosses", (hart) => hart.store(at - 1, 0, 2, 0, 0), false, true],
    ["atomic", (hart) => hart.loadForAmo(at, 0, 8) && hart.store(at, 0, 8, 0, 0), true, true],
    ["reservation", (hart) => hart.loadReserved(at, 0, 4), true, false],
    [
      "conditional store",
      (hart) => {
        hart.loadReserved(at, 0, 4);
        hart.machine.debug.hit = undefined;
        hart.storeConditional(at, 0, 4, 0, 0);
      },
      false,
      true,
    ],
    ["conditional store that fails", (hart) => hart.storeConditional(at, 0, 4, 0, 0), false, false],
    ["beside it", (hart) => hart.load(at + 8, 0, 8) && hart.store(at - 8, 0, 8, 0, 0), false, false],
  ];
  for (const [name, access, read, write] of ways) {
    assertEquals([name, hits("read", access), hits("write", access)], [name, read, write]);
    assertEquals([name, hits("access", access)], [name, read || write]);
  }
});
