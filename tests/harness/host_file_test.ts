import { assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../mod.ts";
import { HostFile } from "../../harness/host_file.ts";
import { tiny } from "./_tiny.ts";

/** A file that is gone when the test is over. */
function temporary(bytes: Uint8Array): { path: string } & Disposable {
  const path = Deno.makeTempFileSync();
  Deno.writeFileSync(path, bytes);
  return { path, [Symbol.dispose]: () => Deno.removeSync(path) };
}

const contents = (file: HostFile, end: number) => {
  const bytes: number[] = [];
  file.read(end, (piece) => bytes.push(...piece));
  return bytes;
};

Deno.test("a file is read as often as it is asked for, as far as it is asked for", () => {
  using file = temporary(Uint8Array.of(1, 2, 3, 4));
  const image = new HostFile(file.path, "The kernel");
  assertEquals(image.length, 4);
  assertEquals(contents(image, 4), [1, 2, 3, 4]);
  assertEquals(contents(image, 2), [1, 2]);
});

Deno.test("a file larger than a piece arrives whole", () => {
  using file = temporary(new Uint8Array(3e6).fill(7));
  let bytes = 0;
  new HostFile(file.path, "The kernel").read(3e6, (piece) => bytes += piece.length);
  assertEquals(bytes, 3e6);
});

Deno.test("a file that has changed, or is gone, is refused", () => {
  using file = temporary(Uint8Array.of(1, 2, 3, 4));
  const image = new HostFile(file.path, "The kernel k");
  const refused = () =>
    assertThrows(() => contents(image, 4), InputError, "The kernel k has changed since the machine was made");
  Deno.utimeSync(file.path, new Date(0), new Date(0));
  refused();
  Deno.writeFileSync(file.path, Uint8Array.of(1));
  refused();
  Deno.renameSync(file.path, file.path + ".away");
  refused();
  Deno.renameSync(file.path + ".away", file.path);
});

Deno.test("reset() reads the initrd's file again", async () => {
  using initrd = temporary(new Uint8Array(5000).fill(5));
  await using vm = await tiny("hello", { initrd: initrd.path });
  await vm.waitForExit();
  vm.reset();
  await vm.waitForExit();
  assertEquals(vm.console.text, "Hello from riscv64\n".repeat(2));
  Deno.writeFileSync(initrd.path, new Uint8Array(1));
  assertThrows(() => vm.reset(), InputError, "has changed since the machine was made");
});
