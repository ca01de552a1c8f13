import { assert, assertEquals, assertFalse } from "@std/assert";
import {
  ENTRY_MASK,
  FAULT_TABLE_BYTES,
  FaultTable,
  HASH_FACTOR,
  HASH_SHIFT,
} from "../../../../../core/translator/host/x64/fault_table.ts";

/** Searches as the signal handler does. */
function targetOf(words: Int32Array, access: number): number | undefined {
  let entry = Math.imul(access, HASH_FACTOR) >>> HASH_SHIFT;
  for (; words[2 * entry] !== 0; entry = (entry + 1) & ENTRY_MASK) {
    if (words[2 * entry] === access) return words[2 * entry + 1];
  }
  return undefined;
}

Deno.test("every access is found among as many as there is room for, and nothing else is", () => {
  const words = new Int32Array(FAULT_TABLE_BYTES / 4);
  const table = new FaultTable(words);
  const accesses: number[] = [];
  for (let access = 0x4000_0000; table.hasRoom(); access += 7) {
    table.add(access, access ^ 0x1234);
    accesses.push(access);
  }
  assert(accesses.length > 30_000);
  for (const access of accesses) assertEquals(targetOf(words, access), access ^ 0x1234);
  assertEquals(targetOf(words, 0x4000_0001), undefined);
  table.clear();
  assert(table.hasRoom());
  assertEquals(targetOf(words, accesses[0]), undefined);
});

Deno.test("a table that is full says so before another block's accesses could make it overflow", () => {
  const table = new FaultTable(new Int32Array(FAULT_TABLE_BYTES / 4));
  let entries = 0;
  for (; table.hasRoom(); entries++) table.add(0x1000 + entries, 1);
  for (let i = 0; i < 1024; i++) table.add(0x100_0000 + i, 1);
  assertFalse(table.hasRoom());
});
