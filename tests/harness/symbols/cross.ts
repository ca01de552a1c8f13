/** Programs with debugging information, built by whichever compilers this machine has. */

/** A compiler and the tools that go with it. */
export interface Toolchain {
  /** What its programs run on. */
  readonly architecture: string;
  /** Before each tool's name. */
  readonly prefix: string;
  /** Whether its compiler and addr2line are here. */
  readonly present: boolean;
}

/** The compilers that may be here. */
export const TOOLCHAINS: readonly Toolchain[] = [
  { architecture: "riscv64", prefix: "riscv64-linux-gnu-" },
  { architecture: "aarch64", prefix: "aarch64-linux-gnu-" },
  { architecture: "x86_64", prefix: Deno.build.arch === "x86_64" ? "" : "x86_64-linux-gnu-" },
].map((toolchain) => ({
  ...toolchain,
  present: ["gcc", "addr2line", "nm", "readelf"].every((tool) => runs(toolchain.prefix + tool)),
}));

/** Runs a tool and gives what it printed. */
export function run(tool: string, ...args: string[]): string {
  const { success, stdout, stderr } = new Deno.Command(tool, { args }).outputSync();
  if (!success) throw new Error(`${tool} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

function runs(tool: string): boolean {
  try {
    return new Deno.Command(tool, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A folder that goes away with the block that made it, holding some files. */
export class Folder implements Disposable {
  /** Where it is. */
  readonly path: string = Deno.makeTempDirSync();

  /** @param files Contents by name; names may have folders. */
  constructor(files: Readonly<Record<string, string>> = {}) {
    for (const [name, text] of Object.entries(files)) {
      Deno.mkdirSync(this.file(name).replace(/\/[^/]*$/, ""), { recursive: true });
      Deno.writeTextFileSync(this.file(name), text);
    }
  }

  /** The path of a file in it. */
  file(name: string): string {
    return `${this.path}/${name}`;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** A small program of several files, with inlining, loops and a header that has code. */
export const SOURCES: Readonly<Record<string, string>> = {
  "main.c": `#include "lib/mix.h"
int table[64];
static int hidden(int x) {
  int sum = 0;
  for (int i = 0; i < x; i++) {
    sum += mix(sum, i);
    table[i & 63] = sum;
  }
  return sum;
}
__attribute__((weak)) int weak_one(int x) { return hidden(x) + 1; }
int main(int argc, char **argv) {
  (void)argv;
  return far_away(weak_one(argc)) & 1;
}
`,
  "lib/mix.h": `int far_away(int);
static inline int mix(int a, int b) {
  a ^= b << 3;
  if (a & 1)
    a = a * 31 + 7;
  return a;
}
`,
  "lib/far.c": `#include "mix.h"
int far_away(int x) {
  int y = mix(x, 1);
  while (y > 10)
    y = y / 3 + far_away(y - 11);
  return y;
}
`,
};
