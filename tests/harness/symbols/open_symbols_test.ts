import { assert, assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../../harness/errors.ts";
import { openSymbols } from "../../../harness/symbols/open_symbols.ts";
import { Folder, run, SOURCES, TOOLCHAINS } from "./cross.ts";

for (const { architecture, prefix, present } of TOOLCHAINS) {
  Deno.test({
    name: `lists what nm lists of a ${architecture} program, and its build ID`,
    ignore: !present,
    fn() {
      using folder = new Folder(SOURCES);
      const program = folder.file("program");
      const sources = ["main.c", "lib/far.c"].map((name) => folder.file(name));
      run(`${prefix}gcc`, "-g", "-O1", "-Wl,--build-id", "-o", program, ...sources);
      const { table, buildId, architecture: found, lines } = openSymbols(program);
      assertEquals(found, architecture);
      assert(lines !== undefined);
      assertEquals(buildId, /Build ID: (\w+)/.exec(run(`${prefix}readelf`, "-n", program))?.[1]);

      const listed = run(`${prefix}nm`, program).split("\n")
        .map((line) => /^([0-9a-f]{16}) ([A-Za-z]) (.*)$/.exec(line))
        .filter((match) => match !== null && !/^\$|^\.L/.test(match[3]));
      assert(listed.length > 10);
      const key = (name: string, address: bigint) => `${address.toString(16).padStart(16, "0")} ${name}`;
      assertEquals(
        [...table].map(({ name, address }) => key(name, address)).sort(),
        listed.map((match) => `${match![1]} ${match![3]}`).sort(),
      );
      const letters = new Map(listed.map((match) => [match![3], match![2]]));
      for (const name of ["main", "hidden", "weak_one", "table", "far_away"]) {
        assertEquals(table.lookup(name)?.type, letters.get(name), name);
      }
      const hidden = table.lookup("hidden") ?? table.lookup("weak_one")!;
      assertEquals(table.find(hidden.address + 4n), { symbol: hidden, offset: 4 });
      assertEquals(table.lookup("table")?.size, 256);
    },
  });
}

for (const { architecture, prefix, present } of TOOLCHAINS) {
  Deno.test({
    name: `says of a ${architecture} program without symbols that it was stripped`,
    ignore: !present,
    fn() {
      using folder = new Folder(SOURCES);
      const program = folder.file("program");
      run(
        `${prefix}gcc`,
        "-static",
        "-nostdlib",
        "-Wl,-e,far_away",
        "-s",
        "-o",
        program,
        folder.file("lib/far.c"),
      );
      assertThrows(() => openSymbols(program), InputError, "was stripped of its symbols");
    },
  });
}

Deno.test("reads a System.map and a copy of /proc/kallsyms", () => {
  using folder = new Folder({
    "System.map":
      "0000000000000000 A __per_cpu_start\nffffffff80000000 T _start\nffffffff80000040 t hidden\n",
    "kallsyms": "ffffffff80000000 T _start\nffffffff01234000 t helper\t[virtio_blk]\n",
  });
  const { table, lines, buildId } = openSymbols(folder.file("System.map"));
  assertEquals(table.lookup("hidden"), { name: "hidden", address: 0xffffffff80000040n, size: 0, type: "t" });
  assertEquals(table.lookup("_start")?.size, 0x40);
  assertEquals([lines, buildId], [undefined, undefined]);
  assertEquals(openSymbols(folder.file("kallsyms")).table.lookup("helper")?.address, 0xffffffff01234000n);
});

Deno.test("says in one sentence why a file has no symbols to give", () => {
  using folder = new Folder({
    "debian": "ffffffffffffffff B The real System.map is in the linux-image-<version>-dbg package\n",
    "restricted": "0000000000000000 T _start\n0000000000000000 T _end\n",
    "broken": "ffffffff80000000 T _start\nffffffff8000004 t short\n",
    "notes.txt": "Some notes.\n",
    "empty": "",
  });
  const refused = (name: string, ...parts: string[]) => {
    const error = assertThrows(() => openSymbols(folder.file(name)), InputError);
    for (const part of parts) assert(error.message.includes(part), error.message);
    assert(error.message.startsWith(folder.file(name)), error.message);
  };
  refused("debian", "placeholder", "debug package");
  refused("restricted", "only zeros", "kptr_restrict=0");
  refused("broken", "line 2");
  refused("notes.txt", "holds no symbols", "a text file");
  refused("empty", "holds no symbols");
  refused("missing", "does not exist");
  refused(".", "is a folder");

  Deno.writeFileSync(folder.file("cut"), new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1]));
  refused("cut", "truncated or corrupt");
});

Deno.test("survives every damage of an ELF file's headers with a clear error", () => {
  using folder = new Folder();
  const whole = Deno.readFileSync(new URL("../../../fixtures/kernels/riscv64/hello.elf", import.meta.url));
  const path = folder.file("damaged.elf");
  Deno.writeFileSync(path, whole);
  assertEquals(openSymbols(path).architecture, "riscv64");
  const view = new DataView(whole.buffer);
  const sections = Number(view.getBigUint64(40, true));
  const fields = [...Array(64).keys(), ...Array(whole.length - sections).keys().map((i) => i + sections)];
  let refusals = 0;
  for (const at of fields) {
    for (const byte of [0, 0x7f, 0xff]) {
      const damaged = whole.slice();
      damaged[at] = byte;
      Deno.writeFileSync(path, damaged);
      try {
        openSymbols(path);
      } catch (error) {
        assert(error instanceof InputError, `byte ${at}: ${error}`);
        refusals++;
      }
    }
  }
  assert(refusals > 20);
});
