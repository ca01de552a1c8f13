import { assert, assertEquals } from "@std/assert";
import { atPrompt, linux } from "./_guest.ts";

const MIB = 1 << 20;

linux("the shell takes any amount of output", async (t) => {
  await using vm = await atPrompt();
  const { shell } = vm;
  const step = (name: string, fn: () => Promise<void>) => t.step({ name, fn, sanitizeOps: false });
  await shell.run(`head -c ${MIB} /dev/urandom >/tmp/random`);
  const sum = (await shell.run("cat /tmp/random | md5sum")).stdout.slice(0, 32);

  await step("10 MB of binary output, to the byte", async () => {
    const { stdoutBytes } = await shell.run("for i in 0 1 2 3 4 5 6 7 8 9; do cat /tmp/random; done");
    assertEquals(stdoutBytes.length, 10 * MIB);
    const { createHash } = await import("node:crypto");
    for (let i = 0; i < 10; i++) {
      const part = stdoutBytes.subarray(i * MIB, (i + 1) * MIB);
      assertEquals(createHash("md5").update(part).digest("hex"), sum);
    }
  });

  await step("much output on both streams at once, from two processes or one", async () => {
    const { createHash } = await import("node:crypto");
    const hash = (bytes: Uint8Array) => createHash("md5").update(bytes).digest("hex");
    const two = await shell.run("cat /tmp/random & cat /tmp/random >&2 & wait");
    assertEquals([hash(two.stdoutBytes), hash(two.stderrBytes)], [sum, sum]);
    // By turns, each more than a pipe holds.
    const one = await shell.run(
      "exec 9</tmp/random 8</tmp/random; i=0; while [ $i -lt 10 ]; do " +
        "head -c 104858 <&9; head -c 104858 <&8 >&2; i=$((i+1)); done",
    );
    assertEquals(one.stdoutBytes.length, one.stderrBytes.length);
    assert(one.stdoutBytes.length > MIB / 2);
    assertEquals(hash(one.stdoutBytes), hash(one.stderrBytes));
  });

  await step(
    "a command that ends just when the other stream gets its turn leaves the next its own",
    async () => {
      const counting = (to: number) => `i=0; while [ $i -lt ${to} ]; do i=$((i+1)); done`;
      const timeOf = async (to: number) => (await shell.run(counting(to))).guestTime;
      const none = await timeOf(0), one = (await timeOf(1000) - none) / 1000;
      for (let us = 9000; us < 10_500; us += 25) {
        await shell.run(counting(Math.round((us * 1000 - none) / one)));
        const { stdout, stderr } = await shell.run("echo out; echo err >&2");
        assertEquals([stdout, stderr], ["out\n", "err\n"], `after a command of ${us} us`);
      }
    },
  );
});
