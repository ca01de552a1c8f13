import { assert, assertEquals } from "@std/assert";
import { LineTable } from "../../../../harness/symbols/dwarf/line_table.ts";
import { openSymbols } from "../../../../harness/symbols/open_symbols.ts";
import { Folder, run, SOURCES, type Toolchain, TOOLCHAINS } from "../cross.ts";

/** Ways to write the same information. */
const VARIANTS: readonly (readonly string[])[] = [
  ["-gdwarf-4", "-O0"],
  ["-gdwarf-5", "-O0"],
  ["-gdwarf-4", "-O2", "-ffunction-sections"],
  ["-gdwarf-5", "-O2", "-ffunction-sections", "-Wl,--gc-sections"],
  ["-gdwarf-5", "-O2", "-gz=zlib"],
  ["-gdwarf-5", "-O2", "-gz=zstd"],
  ["-gdwarf-4", "-O2", "-gz=zlib"],
  ["-gdwarf-3", "-gstrict-dwarf", "-O1"],
];

/** The program's functions; at higher levels of optimization some are inlined. */
const CODE = ["main", "far_away", "weak_one", "hidden", "mix"];

/** Compiles the program in its folder, by relative names, or says that the compiler cannot. */
function compile(folder: Folder, { prefix }: Toolchain, variant: readonly string[]): string | undefined {
  const args = [...variant, "-o", "program", "main.c", "./lib/../lib/far.c"];
  const { success, stderr } = new Deno.Command(`${prefix}gcc`, { args, cwd: folder.path }).outputSync();
  if (success) return folder.file("program");
  const message = new TextDecoder().decode(stderr);
  assert(/gz=zstd|zstd/.test(message), message);
  return undefined;
}

for (const toolchain of TOOLCHAINS) {
  for (const variant of VARIANTS) {
    Deno.test({
      name: `agrees with addr2line on a ${toolchain.architecture} program built with ${variant.join(" ")}`,
      ignore: !toolchain.present,
      fn() {
        using folder = new Folder(SOURCES);
        const program = compile(folder, toolchain, variant);
        if (program === undefined) return; // this compiler has no zstd
        const { table, lines } = openSymbols(program);
        const addresses: bigint[] = [];
        for (const name of CODE) {
          const symbol = table.lookup(name);
          for (let at = 0; at < (symbol?.size ?? 0); at += 2) addresses.push(symbol!.address + BigInt(at));
        }
        assert(addresses.length > 30);
        const args = ["-e", program, ...addresses.map((address) => address.toString(16))];
        const expected = run(`${toolchain.prefix}addr2line`, ...args).trim().split("\n")
          .map((line) => line.replace(/ \(discriminator \d+\)$/, ""));
        // GNU's absolute paths; DWARF 4 keeps the folder elsewhere.
        const found = addresses.map((address) => {
          const place = lines!.find(address);
          if (!place) return "??:?";
          if (place.directory !== undefined) assertEquals(place.directory, folder.path);
          return `${place.file}:${place.line}`;
        });
        const shortened = expected.map((line) =>
          line.replace(`${folder.path}/`, "").replace("./lib/../", "")
        );
        // binutils 2.40 takes a DWARF 5 program's initial file, 1, for file 0: the right line of the wrong file.
        const mistaken = (i: number) =>
          /^main\.c|far\.c/.test(shortened[i]) && /^lib\/mix\.h:[2-7]$/.test(found[i]);
        const comparable = (line: string, i: number) =>
          mistaken(i) ? line.replace(/.*:/, "lib/mix.h:") : line;
        assertEquals(found, variant[0] === "-gdwarf-5" ? shortened.map(comparable) : shortened);
        assert(found.some((line) => line.startsWith("lib/mix.h:")), "code of a header is said to be there");
      },
    });
  }
}

for (const toolchain of TOOLCHAINS) {
  Deno.test({
    name: `finds the same lines in 64-bit DWARF, for ${toolchain.architecture}`,
    ignore: !toolchain.present,
    fn() {
      using folder = new Folder(SOURCES);
      const linesOf = (...variant: string[]) => {
        const { table, lines } = openSymbols(compile(folder, toolchain, variant)!);
        const main = table.lookup("main")!;
        return Array.from({ length: main.size }, (_, i) => lines!.find(main.address + BigInt(i))?.line);
      };
      const expected = linesOf("-gdwarf-5", "-O1");
      assert(expected.every((line) => line !== undefined));
      assertEquals(linesOf("-gdwarf-5", "-gdwarf64", "-O1"), expected);
    },
  });
}

Deno.test("knows no line where there is none", () => {
  const empty = new LineTable(() => new Uint8Array(0));
  assertEquals(empty.find(0xffffffff80000000n), undefined);
});

/** A DWARF 4 unit of one file and one program. */
function unit(program: number[], file = "a.c"): Uint8Array {
  const text = new TextEncoder().encode(file);
  const tables = [1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0, ...text, 0, 0, 0, 0, 0];
  const header = [1, 1, ...tables]; // instruction bytes, operations; then default_is_stmt, line base…
  const bytes = new Uint8Array(10 + header.length + program.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length - 4, true);
  view.setUint16(4, 4, true);
  view.setUint32(6, header.length, true);
  bytes.set(header, 10);
  bytes.set(program, 10 + header.length);
  return bytes;
}

/** DW_LNE_set_address. */
function setAddress(address: bigint): number[] {
  return [0, 9, 2, ...new Uint8Array(new BigUint64Array([address]).buffer)];
}

const KERNEL = 0xffffffff80001000n;
/** Line 10 for four bytes, line 12 for six, then the end. */
const PROGRAM = [...setAddress(KERNEL), 3, 9, 1, 2, 4, 3, 2, 1, 2, 6, 0, 1, 1];

Deno.test("finds lines at the edges of rows, in the upper half of the address space", () => {
  const bytes = unit(PROGRAM);
  const lines = new LineTable((section) => section === ".debug_line" ? bytes : new Uint8Array(0));
  const line = (offset: bigint) => lines.find(KERNEL + offset)?.line;
  assertEquals(lines.find(KERNEL), { file: "a.c", line: 10, column: 0, directory: undefined });
  assertEquals([line(-1n), line(0n), line(3n), line(4n), line(9n), line(10n)], [
    undefined,
    10,
    10,
    12,
    12,
    undefined,
  ]);
});

Deno.test("passes over a damaged unit and over functions the linker dropped", () => {
  const bad = unit([0, 0xff, 0xff]);
  const dropped = unit([...setAddress(0n), 1, 2, 100, 0, 1, 1], "dropped.c");
  const good = unit(PROGRAM);
  const bytes = new Uint8Array([...bad, ...dropped, ...good]);
  const lines = new LineTable((section) => section === ".debug_line" ? bytes : new Uint8Array(0));
  assertEquals(lines.find(KERNEL + 4n)?.line, 12);
  assertEquals(lines.find(50n), undefined);
});

Deno.test("always ends, whatever byte is damaged", () => {
  const whole = new Uint8Array([...unit(PROGRAM), ...unit(PROGRAM)]);
  for (let at = 0; at < whole.length; at++) {
    for (const byte of [0, 1, 0x7f, 0x80, 0xff]) {
      const damaged = whole.slice();
      damaged[at] = byte;
      const lines = new LineTable((section) => section === ".debug_line" ? damaged : new Uint8Array(0));
      for (const address of [0n, KERNEL, KERNEL + 5n, (1n << 64n) - 1n]) lines.find(address);
    }
  }
});
