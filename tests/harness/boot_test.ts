import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { kernelPath } from "../../fixtures/kernels.ts";
import { boot, type BootOptions, HostError, InputError } from "../../mod.ts";

const hello = { arch: "riscv64", kernel: kernelPath("hello"), memory: "16M", engine: "interpreter" } as const;

/** Boots with what types would not allow; gives the one sentence of the refusal. */
async function refusal(options: Record<string, unknown>): Promise<string> {
  const error = await assertRejects(() => boot({ ...hello, ...options } as BootOptions), InputError);
  assertEquals(error.message.includes("\n"), false);
  return error.message;
}

Deno.test("images may be paths, file URLs or bytes", async () => {
  const path = kernelPath("hello");
  for (const kernel of [path, new URL(`file://${path}`), await Deno.readFile(path)]) {
    await using vm = await boot({ ...hello, kernel });
    assertEquals((await vm.waitForExit()).kind, "poweroff");
  }
});

Deno.test("auto says which engine it took", async () => {
  await using vm = await boot({ ...hello, engine: "auto" });
  assert(vm.engine.name === "dbt" || vm.engine.notice !== undefined);
  assertEquals(vm.engine.deterministic, true);
});

Deno.test("a missing or unreadable file is named, with why", async () => {
  assertStringIncludes(
    await refusal({ kernel: "no/such/Image" }),
    "no/such/Image cannot be read: there is no such file",
  );
  assertStringIncludes(await refusal({ initrd: "no.cpio" }), "The initrd no.cpio cannot be read");
  assertStringIncludes(await refusal({ kernel: "tests" }), "tests cannot be read");
  assertStringIncludes(await refusal({ kernel: 7 }), "a path, a file URL or bytes");
});

Deno.test("a kernel of another architecture is refused, and both are named", async () => {
  const elf = await Deno.readFile(kernelPath("hello"));
  elf[0x12] = 62; // e_machine: x86-64
  const message = await refusal({ kernel: elf });
  assertStringIncludes(message, "x86_64");
  assertStringIncludes(message, "riscv64");
});

Deno.test("a truncated or corrupt image is refused", async () => {
  const elf = await Deno.readFile(kernelPath("hello"));
  for (
    const kernel of [
      new Uint8Array(),
      elf.slice(0, 40),
      elf.slice(0, 100),
      new Uint8Array(100),
      new TextEncoder().encode("hi\n"),
    ]
  ) {
    await refusal({ kernel });
  }
  await refusal({ initrd: new Uint8Array() });
});

Deno.test("an initrd or kernel larger than RAM is refused", async () => {
  assertStringIncludes(await refusal({ initrd: new Uint8Array(32 << 20) }), "memory");
  const code = new Uint8Array(17 << 20).fill(0x13);
  assertStringIncludes(await refusal({ kernel: code }), "memory");
});

Deno.test("memory that is none, tiny, odd, or beyond the host is refused", async () => {
  assertStringIncludes(await refusal({ memory: 0 }), "0 bytes are none");
  assertStringIncludes(await refusal({ memory: "0M" }), "0 bytes are none");
  assertStringIncludes(await refusal({ memory: 5000 }), "multiple of 4096");
  assertStringIncludes(await refusal({ memory: "much" }), `"much" is no size`);
  assertStringIncludes(await refusal({ memory: -4096 }), "is no size");
  assertStringIncludes(await refusal({ memory: "4K" }), "128 KiB of RAM or more");
  const error = await assertRejects(() => boot({ ...hello, memory: "4000G" }), Error);
  assert(error instanceof InputError || error instanceof HostError, error.message);
});

Deno.test("unknown names are refused with the nearest that is known", async () => {
  assertStringIncludes(await refusal({ arch: "riscv46" }), "Did you mean riscv64?");
  assertStringIncludes(await refusal({ arch: undefined }), "There is: riscv64");
  assertStringIncludes(await refusal({ engine: "dtb" }), "Did you mean dbt?");
  assertStringIncludes(await refusal({ onReset: "restart" }), "exit, reboot");
  assertStringIncludes(await refusal({ kernal: "x" }), "Did you mean kernel?");
});

Deno.test("vCPUs and transcripts have their bounds", async () => {
  for (const cpus of [0, 9, 1.5, -1, NaN]) assertStringIncludes(await refusal({ cpus }), "1 to 8 vCPUs");
  assertStringIncludes(await refusal({ transcriptBytes: 10 }), "4096 or more");
  assertStringIncludes(await refusal({ watchdog: 5 }), "host time");
});
