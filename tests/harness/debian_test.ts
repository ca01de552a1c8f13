import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { translatorObstacle } from "../../accel/select.ts";
import { debianGuest } from "../../fixtures/debian.ts";
import { boot, guest, GuestCrashError, type Vm } from "../../mod.ts";

const debian = debianGuest("riscv64");
const missing = !debian ? 'needs "deno task fixtures"' : await translatorObstacle() && "needs the translator";

function linux(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: missing ? `${name} (${missing})` : name, ignore: missing !== undefined, fn });
}

function bootDebian(append: string): Promise<Vm> {
  const { kernel, initrd } = debian!;
  return boot({ arch: "riscv64", kernel, initrd, append: `console=ttyS0 ${append}`, memory: "256M" });
}

linux("Debian's kernel boots to a shell, answers and powers off, the same every time", async () => {
  const run = async () => {
    await using vm = await bootDebian("");
    const hits = [await vm.console.waitFor(/BOOT-OK (\w+)/, { within: guest("30s") })];
    hits.push(await vm.console.waitFor(/# $/));
    await vm.console.type("uname -r\n");
    hits.push(await vm.console.waitFor(/^(\d\S+)\r\n/));
    await vm.console.type("poweroff -f\n");
    await vm.waitForExit({ kind: "poweroff" });
    return { hits, instructions: vm.instructions, text: vm.console.text, ram: await vm.memory.sha256() };
  };
  const first = await run();
  assertEquals(first.hits[0].groups, ["riscv64"]);
  assertEquals(first.hits[2].groups, [debian!.release]);
  assertStringIncludes(first.text, "Linux version");
  assertEquals(await run(), first);
});

linux("Linux loses no character of 100 kB typed at once", async () => {
  await using vm = await bootDebian("quiet");
  await vm.console.waitFor(/# $/);
  await vm.console.type("stty -echo; cat >/tmp.txt; stty echo; wc -c /tmp.txt; md5sum /tmp.txt\n");
  await vm.run({ for: guest("20ms") });
  const text = Array.from({ length: 2500 }, (_, i) => `${i} the quick brown fox jumps over the dog\n`).join(
    "",
  );
  await vm.console.type(text);
  await vm.console.type("\x04");
  const size = await vm.console.waitFor(/^ *(\d+) \/tmp\.txt/);
  assertEquals(Number(size.groups[0]), text.length);
  const sum = await vm.console.waitFor(/^([0-9a-f]{32}) /);
  const { createHash } = await import("node:crypto");
  assertEquals(sum.groups[0], createHash("md5").update(text).digest("hex"));
});

linux("a running kernel can be looked at", async () => {
  await using vm = await bootDebian("quiet");
  await vm.console.waitFor("BOOT-OK");
  const cpu = vm.cpu(0);
  assert(["user", "supervisor"].includes(cpu.mode));
  assert(cpu.register("satp") !== 0n);
  assertEquals(vm.memory.read(cpu.pc & ~1n, 2).length, 2);
});

linux("a kernel panic is no power-off", async () => {
  await using vm = await bootDebian("quiet panic=-1 rdinit=/missing root=/dev/nowhere");
  const error = await assertRejects(() => vm.waitForExit({ within: guest("30s") }), GuestCrashError);
  assertEquals([error.exit.kind, vm.exit?.kind], ["panic", "reset"]);
  assertStringIncludes(vm.console.text, "Kernel panic");
});

linux("Debian's OpenSBI, as firmware, boots the same kernel in S-mode", async () => {
  const { kernel, initrd, opensbi, opensbiJump } = debian!;
  const append = "console=ttyS0";
  for (const [firmware, cpus] of [[opensbi, 4], [opensbiJump, 1]] as const) {
    await using vm = await boot({ arch: "riscv64", kernel, initrd, firmware, append, memory: "256M", cpus });
    const hits = [await vm.console.waitFor(/^OpenSBI v(\S+)/)];
    hits.push(await vm.console.waitFor(/SBI implementation ID=0x(\w+)/));
    hits.push(await vm.console.waitFor(/Brought up 1 node, (\d) CPU/));
    hits.push(await vm.console.waitFor(/BOOT-OK (\w+)/));
    assertEquals(hits.slice(1).map(({ groups }) => groups[0]), ["1", `${cpus}`, "riscv64"]); // 1: OpenSBI
    await vm.console.waitFor(/# $/);
    await vm.console.type("poweroff -f\n"); // by OpenSBI's SRST and the test finisher
    await vm.waitForExit({ kind: "poweroff" });
  }
});

for (const cpus of [2, 3, 5, 8]) {
  linux(`Linux brings up ${cpus} vCPUs`, async () => {
    const { kernel, initrd } = debian!;
    const append = "console=ttyS0 halt";
    await using vm = await boot({ arch: "riscv64", kernel, initrd, append, memory: "256M", cpus });
    await vm.console.waitFor(`Brought up 1 node, ${cpus} CPUs`);
    await vm.waitForExit({ kind: "poweroff" });
    assertStringIncludes(vm.console.text, "BOOT-OK riscv64");
  });
}

for (const [format, pack] of [["gzip", gzipSync], ["zstd", zstdCompressSync]] as const) {
  linux(`a kernel compressed with ${format} boots like the kernel itself`, async () => {
    const kernel = new Uint8Array(pack(await Deno.readFile(debian!.kernel)));
    await using packed = await boot({ arch: "riscv64", kernel, append: "console=ttyS0", memory: "256M" });
    await using plain = await boot({
      arch: "riscv64",
      kernel: debian!.kernel,
      append: "console=ttyS0",
      memory: "256M",
    });
    const ram = async (vm: Vm) => {
      await vm.console.waitFor("Linux version");
      return [vm.instructions, await vm.memory.sha256()];
    };
    assertEquals(await ram(packed), await ram(plain));
  });
}
