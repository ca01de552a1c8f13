import { assert, assertEquals } from "@std/assert";
import { LineTable } from "../../../harness/symbols/dwarf/line_table.ts";
import { openSymbols } from "../../../harness/symbols/open_symbols.ts";
import { symbolizeText } from "../../../harness/symbols/symbolize_text.ts";
import { Symbolizer } from "../../../harness/symbols/symbolizer.ts";
import { symbolTable } from "../../../harness/symbols/symbol_table_builder.ts";
import { Folder, run, TOOLCHAINS } from "./cross.ts";

const table = symbolTable([
  { name: "sysrq_handle_crash", address: 0xffffffff8063a3bcn, size: 0x20, type: "t" },
  { name: "__handle_sysrq", address: 0xffffffff8063ab00n, size: 0x1a0, type: "T" },
  { name: "noreturn_caller", address: 0xffffffff80700000n, size: 0x10, type: "t" },
  { name: "next_function", address: 0xffffffff80700010n, size: 0x10, type: "t" },
  { name: "_end", address: 0xffffffff81000000n, type: "B" },
]);
const symbolizer = new Symbolizer(table);
const one = (line: string) => symbolizeText(line, symbolizer);

Deno.test("names what a riscv kernel without kallsyms prints", () => {
  assertEquals(
    one("[    5.1] epc : ffffffff8063a3d4 ra : ffffffff8063abc0 sp : ff200000106b3d20"),
    "[    5.1] epc : ffffffff8063a3d4 (sysrq_handle_crash+0x18/0x20) " +
      "ra : ffffffff8063abc0 (__handle_sysrq+0xc0/0x1a0) sp : ff200000106b3d20",
  );
  assertEquals(
    one("[    5.100000] [<ffffffff8063abc0>] 0xffffffff8063abc0"),
    "[    5.100000] [<ffffffff8063abc0>] 0xffffffff8063abc0 (__handle_sysrq+0xc0/0x1a0)",
  );
  assertEquals(
    one("[<ffffffff8063abc0>]"),
    "[<ffffffff8063abc0>] (__handle_sysrq+0xc0/0x1a0)",
  );
});

Deno.test("names what an arm64 kernel without kallsyms prints", () => {
  assertEquals(one("pc : 0xffffffff8063a3d4"), "pc : 0xffffffff8063a3d4 (sysrq_handle_crash+0x18/0x20)");
  assertEquals(one("lr : 0xffffffff8063abc0"), "lr : 0xffffffff8063abc0 (__handle_sysrq+0xc0/0x1a0)");
  assertEquals(
    one("pc : [<ffffffff8063a3d4>] lr : [<ffffffff8063abc0>] pstate: 60000145"),
    "pc : [<ffffffff8063a3d4>] (sysrq_handle_crash+0x18/0x20) " +
      "lr : [<ffffffff8063abc0>] (__handle_sysrq+0xc0/0x1a0) pstate: 60000145",
  );
  assertEquals(
    one("[    9.123456][  T123]  0xffffffff8063abc0"),
    "[    9.123456][  T123]  0xffffffff8063abc0 (__handle_sysrq+0xc0/0x1a0)",
  );
});

Deno.test("names what an x86 kernel without kallsyms prints", () => {
  assertEquals(
    one("RIP: 0010:0xffffffff8063a3d4"),
    "RIP: 0010:0xffffffff8063a3d4 (sysrq_handle_crash+0x18/0x20)",
  );
  assertEquals(
    one("[    1.000000]  ? 0xffffffff8063abc0"),
    "[    1.000000]  ? 0xffffffff8063abc0 (__handle_sysrq+0xc0/0x1a0)",
  );
});

Deno.test("looks up the call, not what follows it, except where the exception happened", () => {
  assertEquals(
    one(" 0xffffffff80700010"),
    " 0xffffffff80700010 (noreturn_caller+0x10/0x10)",
  );
  assertEquals(
    one("epc : ffffffff80700010\n[<ffffffff80700010>] 0xffffffff80700010"),
    "epc : ffffffff80700010 (next_function+0x0/0x10)\n" +
      "[<ffffffff80700010>] 0xffffffff80700010 (next_function+0x0/0x10)",
  );
});

Deno.test("leaves alone what is no code, what is named, and what is of another guest", () => {
  for (
    const line of [
      "[    5.1]  gp : ffffffff8063a3d4 tp : ff60000001a10000 t0 : ffffffff8063abc0",
      "RIP: 0033:0x7f1e3a8c4d27",
      "RSP: 002b:00007ffd1a2b3c48 EFLAGS: 00000246 ORIG_RAX: 0000000000000001",
      "RAX: ffffffff8063abc0 RBX: 0000000000000063 RCX: 0000000000000000",
      "x29: ffffffff8063abc0 x28: ffffffff8063abc0",
      "epc : sysrq_handle_crash+0x18/0x20",
      "[<ffffffff8063abc0>] __handle_sysrq+0xc0/0x1a0",
      "Unable to handle kernel paging request at virtual address ffffffff8063abc0",
      "Code: 1141 e422 0800 0001 (9002) 0793",
      "0xffffffff8063abc0 is where I live, says a program",
      "epc : ffffffffdeadbeef",
    ]
  ) assertEquals(one(line), line);
});

Deno.test("takes no time for lines made to take time", () => {
  const start = performance.now();
  for (const bit of ["[<", "0x", "epc : ", "a+0x1/0x", "[ 1.", " "]) {
    const line = bit.repeat(200_000 / bit.length);
    assertEquals(symbolizeText(line, symbolizer), line);
  }
  symbolizeText("a.".repeat(500) + "\n".repeat(20_000), symbolizer);
  symbolizeText(("epc : ffffffff8063a3d4 ".repeat(40) + "\n").repeat(500), symbolizer);
  assert(performance.now() - start < 5000);
});

const riscv = TOOLCHAINS.find(({ architecture }) => architecture === "riscv64")!;

Deno.test({
  name: "adds file and line, from the root of the kernel's sources, wherever the kernel runs",
  ignore: !riscv.present,
  fn() {
    using folder = new Folder({
      "linux/init/main.c": "void crash(void);\nvoid start_kernel(void) {\n  crash();\n  crash();\n}\n",
      "linux/drivers/tty/sysrq.c": "void crash(void) {\n  *(volatile int *)0 = 1;\n}\nvoid _start(void) {}\n",
    });
    const program = folder.file("vmlinux");
    const sources = ["init/main.c", "drivers/tty/sysrq.c"].map((name) => folder.file(`linux/${name}`));
    const link = ["-nostdlib", "-static", "-Wl,--no-relax,-Ttext=0xffffffff80000000", "-mcmodel=medany"];
    run(`${riscv.prefix}gcc`, "-g", "-O1", "-fno-omit-frame-pointer", ...link, "-o", program, ...sources);
    const opened = openSymbols(program);
    const slide = 0x1200000n;
    const moved = new Symbolizer(opened.table.moved(slide), opened.lines);
    const crash = moved.table.lookup("crash")!, main = moved.table.lookup("start_kernel")!;
    assertEquals(moved.place(crash.address)?.file, "drivers/tty/sysrq.c");
    // The first call's return address is the second call's line already.
    const second = Array.from({ length: main.size }, (_, i) => main.address + BigInt(i))
      .find((address) => moved.line(address)?.line === 4)!;
    assertEquals(moved.place(second, "return")?.line, 3);

    const hex = (value: number | bigint) => value.toString(16);
    const size = hex(crash.size), mainSize = hex(main.size), offset = hex(second - main.address);
    assertEquals(
      symbolizeText(
        [
          `epc : crash+0x0/0x${size}`,
          `epc : ${hex(crash.address)} ra : ${hex(second)} sp : ff20000000000000`,
          `[<${hex(crash.address)}>] crash+0x0/0x${size}`,
          `[<${hex(second)}>] start_kernel+0x${offset}/0x${mainSize}`,
          `[<${hex(second)}>] start_kernel+0x${offset}/0x${mainSize} [module]`,
        ].join("\n"),
        moved,
      ),
      [
        `epc : crash+0x0/0x${size} (drivers/tty/sysrq.c:1)`,
        `epc : ${hex(crash.address)} (crash+0x0/0x${size} drivers/tty/sysrq.c:1) ` +
        `ra : ${hex(second)} (start_kernel+0x${offset}/0x${mainSize} init/main.c:3) sp : ff20000000000000`,
        `[<${hex(crash.address)}>] crash+0x0/0x${size} (drivers/tty/sysrq.c:1)`,
        `[<${hex(second)}>] start_kernel+0x${offset}/0x${mainSize} (init/main.c:3)`,
        `[<${hex(second)}>] start_kernel+0x${offset}/0x${mainSize} [module]`,
      ].join("\n"),
    );
  },
});

Deno.test("adds no line to a function's name that several have", () => {
  const ambiguous = new Symbolizer(
    symbolTable([
      { name: "cleanup", address: 0x1000n, size: 16, type: "t" },
      { name: "cleanup", address: 0x2000n, size: 32, type: "t" },
      { name: "cleanup", address: 0x3000n, size: 32, type: "t" },
    ]),
    new LineTable(() => new Uint8Array(0)),
  );
  assertEquals(ambiguous.named("cleanup", 16)?.address, 0x1000n);
  assertEquals(ambiguous.named("cleanup", 32), undefined);
});
