import { assertEquals } from "@std/assert";
import { nearestMiss } from "../../../harness/matching/nearest_miss.ts";

Deno.test("the most similar line is found, however long its surroundings", () => {
  const text = "booting\n[    1.2] systemd[1]: Reached target Multi-User.\r\ndebain login: \n";
  assertEquals(nearestMiss(["debian login: "], text), "debain login: ");
  assertEquals(
    nearestMiss([/^reached target (graphical|multi-user)/], text),
    "[    1.2] systemd[1]: Reached target Multi-User.",
  );
});

Deno.test("where nothing is similar there is no near miss", () => {
  assertEquals(nearestMiss([/BOOT-OK \w+/], "Kernel panic\nnot syncing\n"), undefined);
  assertEquals(nearestMiss(["x"], ""), undefined);
});
