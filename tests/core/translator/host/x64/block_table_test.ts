import { assertEquals } from "@std/assert";
import {
  BLOCK_TABLE_BYTES,
  BlockTable,
  blockTag,
} from "../../../../../core/translator/host/x64/block_table.ts";

const newTable = () => new BlockTable(new Int32Array(BLOCK_TABLE_BYTES >> 2));
const PC = 0x8000_1234 | 0, PC_HI = -1;

Deno.test("blocks of one pc are told apart by page and context", () => {
  const table = newTable();
  const tags = [blockTag(0, 0), blockTag(0, 1), blockTag(1, 0), blockTag(0xfffff, 255)];
  tags.forEach((tag, i) => table.publish(PC, PC_HI, tag, 100 + i));
  assertEquals(tags.map((tag) => table.find(PC, PC_HI, tag)), [100, 101, 102, 103]);
  assertEquals(table.find(PC, 0, tags[0]), 0);
  assertEquals(table.find(PC + 2, PC_HI, tags[0]), 0);
});

Deno.test("an empty table has no block at pc 0", () => {
  assertEquals(newTable().find(0, 0, blockTag(0, 0)), 0);
});

Deno.test("a full set loses the block that has not been missing for longest", () => {
  const table = newTable();
  const find = (i: number) => table.find(PC, PC_HI, blockTag(i, 0));
  for (let i = 0; i < 4; i++) table.publish(PC, PC_HI, blockTag(i, 0), 100 + i);
  table.publish(PC, PC_HI, blockTag(0, 0), 100); // is first again, and there once
  table.publish(PC, PC_HI, blockTag(4, 0), 104);
  assertEquals([0, 1, 2, 3, 4].map(find), [100, 0, 102, 103, 104]);
});

Deno.test("a block that was taken out leaves its place to the next, and the others where they are", () => {
  const table = newTable();
  const find = (i: number) => table.find(PC, PC_HI, blockTag(i, 0));
  for (let i = 0; i < 4; i++) table.publish(PC, PC_HI, blockTag(i, 0), 100 + i);
  table.retract(PC, PC_HI, 102);
  assertEquals([0, 1, 2, 3].map(find), [100, 101, 0, 103]);
  table.publish(PC, PC_HI, blockTag(4, 0), 104);
  assertEquals([0, 1, 2, 3, 4].map(find), [100, 101, 0, 103, 104]);
});
