import { assertEquals } from "@std/assert";
import { walkPages } from "../../../../core/decoder/x86/page_walk.ts";

const PG = 1n << 31n, PSE = 1n << 4n, PAE = 1n << 5n, LA57 = 1n << 12n, LMA = 1n << 10n;
const LARGE = 0x80n;

/** Memory that holds just the given 64-bit (or 32-bit) words. */
function memory(words: Record<number, bigint>) {
  return (address: number) => words[address] ?? 0n;
}

Deno.test("without paging, linear is physical, 32 bits of it", () => {
  const state = { cr0: 1n, cr3: 0n, cr4: 0n, efer: 0n };
  assertEquals(walkPages(state, 0x1_2345_6789n, memory({})), 0x2345_6789);
});

Deno.test("four levels: pages of 4 KiB, 2 MiB and 1 GiB", () => {
  const state = { cr0: PG, cr3: 0x1000n, cr4: PAE, efer: LMA };
  const read = memory({
    0x1000: 0x2003n,
    [0x1000 + 8 * 511]: 0x2003n,
    0x2000: 0x3003n,
    [0x2000 + 8]: 0x4000_0003n | LARGE,
    0x3000: 0x4003n,
    [0x3000 + 8]: 0x60_0003n | LARGE,
    0x4000: 0x1n << 63n | 0x9_9000n | 3n,
  });
  assertEquals(walkPages(state, 0x123n, read), 0x9_9123);
  assertEquals(walkPages(state, 0x20_0456n, read), 0x60_0456);
  assertEquals(walkPages(state, 0x4123_4567n, read), 0x4123_4567);
  assertEquals(walkPages(state, 0xffff_ff80_0000_0123n, read), 0x9_9123);
  assertEquals(walkPages(state, 0x1000n, read), undefined, "not present");
  assertEquals(walkPages(state, 0x8000_0000_0000n, read), undefined, "not canonical");
});

Deno.test("five levels", () => {
  const state = { cr0: PG, cr3: 0x1000n, cr4: PAE | LA57, efer: LMA };
  const read = memory({ 0x1010: 0x2003n, 0x2000: 0x3003n, 0x3000: 0x4000_0003n | LARGE });
  assertEquals(walkPages(state, 2n << 48n | 5n, read), 0x4000_0005);
});

Deno.test("32-bit paging: pages of 4 KiB and, with PSE, of 4 MiB", () => {
  const read = memory({ 0x1000: 0x2003n, 0x2004: 0x7000n | 1n, 0x1004: 0x80_0000n | LARGE | 1n });
  const state = { cr0: PG, cr3: 0x1000n, cr4: PSE, efer: 0n };
  assertEquals(walkPages(state, 0x1abcn, read), 0x7abc);
  assertEquals(walkPages(state, 0x40_1234n, read), 0x80_1234);
});

Deno.test("PAE paging has three levels", () => {
  const read = memory({ 0x1000: 0x2001n, 0x2008: 0x60_0000n | LARGE | 1n });
  const state = { cr0: PG, cr3: 0x1000n, cr4: PAE, efer: 0n };
  assertEquals(walkPages(state, 0x20_0010n, read), 0x60_0010);
});

Deno.test("tables outside of RAM map nothing", () => {
  const state = { cr0: PG, cr3: 0xffff_f000n, cr4: PAE, efer: LMA };
  assertEquals(walkPages(state, 0n, () => undefined), undefined);
});
