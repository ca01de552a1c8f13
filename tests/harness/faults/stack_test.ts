import { assertEquals } from "@std/assert";
import { functionAtFault, parseFrame, parseLockSite } from "../../../harness/faults/stack.ts";

function frame(message: string) {
  const found = parseFrame(message);
  return found && [found.symbol, found.offset, found.size, found.module, found.reliable, found.top];
}

Deno.test("frames are read as every architecture prints them", () => {
  assertEquals(frame(" vfs_read+0xab/0x2f0"), ["vfs_read", 0xab, 0x2f0, undefined, true, false]);
  assertEquals(frame(" ? sample_read+0x10/0x20 [sample]"), ["sample_read", 16, 32, "sample", false, false]);
  assertEquals(frame(" dump_stack_lvl+0x60/0x80 (C)"), [
    "dump_stack_lvl",
    0x60,
    0x80,
    undefined,
    true,
    false,
  ]);
  const riscv = "[<ffffffff80006f7c>] dump_backtrace+0x28/0x30";
  assertEquals(frame(riscv), ["dump_backtrace", 0x28, 0x30, undefined, true, false]);
  const old = " [<ffffffff81234567>] ? chunk_read+0x84/0xf0 [sample]";
  assertEquals(frame(old), ["chunk_read", 0x84, 0xf0, "sample", false, false]);
});

Deno.test("the place of an exception is told from its callers", () => {
  for (const place of ["RIP: 0010:", "pc : ", "epc : ", " epc : "]) {
    assertEquals(frame(`${place}ring_fill+0x10/0x20`), ["ring_fill", 16, 32, undefined, true, true]);
  }
  const old = "RIP: 0010:[<ffffffff83408ca0>]  [<ffffffff83408ca0>] ring_fill+0x10/0x20";
  assertEquals(frame(old), ["ring_fill", 16, 32, undefined, true, true]);
});

Deno.test("registers, user addresses and code are no frames", () => {
  for (
    const line of [
      "RIP: 0033:0x7f1e8a2c4d10",
      "epc : ffffffff80f4f2b7 ra : ffffffff8073faf1 sp : ff20000000a83d20",
      "Code: 48 89 e5 41 54",
      " <TASK>",
      "x29: ffff800083c1bc60 x28: 0000000000000000",
      "CPU: 0 UID: 0 PID: 142 Comm: sh",
    ]
  ) assertEquals(frame(line), undefined, line);
});

Deno.test("the function at fault is the first that does not merely report", () => {
  const frames = [
    " dump_stack_lvl+0x1/0x2",
    " kasan_report+0x1/0x2",
    " ? stale+0x1/0x2",
    " guilty.isra.0+0x1/0x2",
  ]
    .map((line) => parseFrame(line)!);
  assertEquals(functionAtFault(frames, false), "guilty");
  assertEquals(functionAtFault(frames.slice(0, 1), false), "dump_stack_lvl");
  assertEquals(functionAtFault([], false), undefined);
});

Deno.test("where an exception is told, what comes before it is not at fault", () => {
  const frames = [" timer_fn+0x1/0x2", "RIP: 0010:looping+0x1/0x2", " caller+0x1/0x2"].map((line) =>
    parseFrame(line)!
  );
  assertEquals(functionAtFault(frames, true), "looping");
  assertEquals(functionAtFault(frames, false), "timer_fn");
});

Deno.test("a lock's place is read from lockdep's line", () => {
  assertEquals(parseLockSite("ffff0000 (&a->lock){+.+.}-{3:3}, at: sample_write+0x84/0x2a0"), "sample_write");
  assertEquals(parseLockSite(" (&b){..}, at: [<ffffffff8232bf0e>] blkdev_read+0x1e/0x40"), "blkdev_read");
  assertEquals(parseLockSite("but task is already holding lock:"), undefined);
});
