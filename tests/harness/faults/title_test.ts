import { assertEquals } from "@std/assert";
import { fillTitle, normalise } from "../../../harness/faults/title.ts";

Deno.test("what changes from run to run is taken out of titles", () => {
  assertEquals(normalise("unknown-block(0,0)"), "unknown-block(NUM,NUM)");
  assertEquals(normalise("exitcode=0x00000100 at ffff888103a1c010"), "exitcode=ADDR at ADDR");
  assertEquals(normalise("hung_task:  blocked tasks ]---"), "hung_task: blocked tasks");
  assertEquals(normalise("ext4_lookup.isra.0"), "ext4_lookup");
  assertEquals(normalise("crc32_le"), "crc32_le");
  assertEquals(normalise("x".repeat(10_000)).length, 120);
});

Deno.test("templates are filled; a part whose placeholder is empty goes", () => {
  assertEquals(
    fillTitle("kernel BUG at $1{ in @}", ["", "mm/slub.c"], "kfree"),
    "kernel BUG at mm/slub.c in kfree",
  );
  assertEquals(fillTitle("kernel BUG at $1{ in @}", ["", "mm/slub.c"]), "kernel BUG at mm/slub.c");
  assertEquals(fillTitle("BUG: $1{ in @| in $2}", ["", "oob", "memcpy"], "name_set"), "BUG: oob in name_set");
  assertEquals(fillTitle("BUG: $1{ in @| in $2}", ["", "oob", "memcpy"]), "BUG: oob in memcpy");
  assertEquals(fillTitle("BUG: $1{ in @| in $2}", ["", "oob", undefined]), "BUG: oob");
});

Deno.test("what a guest prints is no template", () => {
  assertEquals(fillTitle("panic: $1", ["", "{ in @} $1 $2"], "x"), "panic: { in @} $NUM $NUM");
  assertEquals(fillTitle("{panic: $1}", ["", "{a} $1 @"], "x"), "panic: {a} $NUM @");
});
