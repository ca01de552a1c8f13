import { assertEquals } from "@std/assert";
import { backtrace } from "../../../harness/backtrace/backtrace.ts";
import { Symbolizer } from "../../../harness/symbols/symbolizer.ts";
import { symbolTable } from "../../../harness/symbols/symbol_table_builder.ts";
import { FakeCpu, SparseMemory } from "./_guest.ts";

const KERNEL = 0xffffffff81000000n;
const STACK = 0xffffc90000010000n;
const TABLES = KERNEL + 0x10000n;

/** An ORC entry: register numbers and types as in the kernel's orc_types.h. */
interface Orc {
  readonly ip: bigint;
  readonly sp: readonly [register: number, offset: number];
  readonly bp?: readonly [register: number, offset: number];
  readonly type: number;
}

/** A kernel of three functions with ORC tables. */
function kernelWith(entries: readonly Orc[], memory: SparseMemory): Symbolizer {
  const ips = new DataView(new ArrayBuffer(entries.length * 4));
  const table = new DataView(new ArrayBuffer(entries.length * 6));
  const tableAt = TABLES + 0x1000n;
  entries.forEach(({ ip, sp, bp, type }, i) => {
    ips.setInt32(i * 4, Number(ip - TABLES) - i * 4, true);
    table.setInt16(i * 6, sp[1], true);
    table.setInt16(i * 6 + 2, bp?.[1] ?? 0, true);
    table.setUint8(i * 6 + 4, sp[0] | (bp?.[0] ?? 0) << 4);
    table.setUint8(i * 6 + 5, type);
  });
  memory.put(TABLES, new Uint8Array(ips.buffer)).put(tableAt, new Uint8Array(table.buffer));
  return new Symbolizer(symbolTable([
    { name: "outer", address: KERNEL + 0x100n, size: 0x100, type: "T" },
    { name: "middle", address: KERNEL + 0x200n, size: 0x100, type: "T" },
    { name: "inner", address: KERNEL + 0x300n, size: 0x100, type: "T" },
    { name: "__start_orc_unwind_ip", address: TABLES, type: "R" },
    { name: "__stop_orc_unwind_ip", address: TABLES + BigInt(entries.length * 4), type: "R" },
    { name: "__start_orc_unwind", address: tableAt, type: "R" },
  ]));
}

function names(memory: SparseMemory, kernel: Symbolizer, registers: Record<string, bigint> = {}) {
  const cpu = new FakeCpu("kernel", { pc: KERNEL + 0x320n, rsp: STACK, rbp: 0n, ...registers });
  return backtrace(cpu, memory, "x86_64", { kernel }).map(({ symbol, mode, pc }) =>
    symbol ?? `${mode} ${pc}`
  );
}

const BP = 4, SP = 5, PREV_SP = 1, DI = 3, SP_INDIRECT = 9;

for (const [since, call] of [["6.4", 2], ["4.14", 0]] as const) {
  Deno.test(`reads ORC tables in the format since Linux ${since}`, () => {
    const memory = new SparseMemory()
      .put(STACK + 0x18n, [STACK + 0x80n, KERNEL + 0x240n]) // inner: rbp, return address
      .put(STACK + 0x88n, [KERNEL + 0x140n]) // middle, by rbp
      .put(STACK + 0x100n, Array(20).fill(0n)) // pt_regs
      .put(STACK + 0x180n, [0x401000n, 0x33n, 0x202n, 0x7ffe0000n]);
    const kernel = kernelWith([
      { ip: KERNEL + 0x100n, sp: [SP, 0x70], type: call + 1 }, // all registers
      { ip: KERNEL + 0x200n, sp: [BP, 16], type: call },
      { ip: KERNEL + 0x300n, sp: [SP, 0x28], bp: [PREV_SP, -16], type: call },
      { ip: KERNEL + 0x400n, sp: [0, 0], type: 0 },
    ], memory);
    assertEquals(names(memory, kernel), ["inner", "middle", "outer", `user ${0x401000}`]);
  });
}

Deno.test("follows ORC entries that name other registers, or a stack's saved pointer", () => {
  const memory = new SparseMemory()
    .put(STACK, [STACK + 0x100n])
    .put(STACK + 0x100n, [KERNEL + 0x240n])
    .put(STACK + 0x200n, [KERNEL + 0x140n]);
  const indirect = kernelWith([
    { ip: KERNEL + 0x200n, sp: [0, 0], type: 1 }, // the end
    { ip: KERNEL + 0x300n, sp: [SP_INDIRECT, 8], type: 2 },
  ], memory);
  assertEquals(names(memory, indirect), ["inner", "middle"]);
  const byRegister = kernelWith([
    { ip: KERNEL + 0x100n, sp: [0, 0], type: 1 },
    { ip: KERNEL + 0x300n, sp: [DI, 0], type: 2 },
  ], memory);
  assertEquals(names(memory, byRegister, { rdi: STACK + 0x208n }), ["inner", "outer"]);
  assertEquals(names(memory, byRegister), ["inner"], "a register that is not known");
});

Deno.test("finds the caller of a retpoline, which has no entry", () => {
  const memory = new SparseMemory()
    .put(STACK, [0x1234n, KERNEL + 0x240n])
    .put(KERNEL + 0x239n, new Uint8Array([0, 0, 0xe8, 0, 0, 0, 0, 0])); // call
  const kernel = kernelWith([
    { ip: KERNEL + 0x200n, sp: [0, 0], type: 0 },
    { ip: KERNEL + 0x300n, sp: [0, 0], type: 0 },
  ], memory);
  assertEquals(names(memory, kernel), ["inner", "middle"]);
});

Deno.test("follows frame pointers where there are no ORC tables, also before they are set up", () => {
  const kernel = new Symbolizer(symbolTable([
    { name: "outer", address: KERNEL + 0x100n, size: 0x100, type: "T" },
    { name: "middle", address: KERNEL + 0x200n, size: 0x100, type: "T" },
    { name: "inner", address: KERNEL + 0x300n, size: 0x100, type: "T" },
  ]));
  // endbr64; push %rbp; mov %rsp,%rbp
  const code = new Uint8Array([0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0x48, 0x89, 0xe5, ...Array(0x20).fill(0x90)]);
  const memory = new SparseMemory()
    .put(KERNEL + 0x300n, code)
    .put(STACK, [STACK + 0x80n, KERNEL + 0x240n])
    .put(STACK + 0x80n, [0n, KERNEL + 0x140n]);
  const at = (offset: bigint, rsp: bigint, rbp: bigint) =>
    names(memory, kernel, { pc: KERNEL + 0x300n + offset, rsp, rbp });
  const all = ["inner", "middle", "outer"];
  assertEquals(at(4n, STACK + 8n, STACK + 0x80n), all, "before push");
  assertEquals(at(5n, STACK, STACK + 0x80n), all, "before mov");
  assertEquals(at(8n, STACK, STACK), all, "in the body");
});

Deno.test("finds the registers to which a kernel with frame pointers has pointed rbp", () => {
  const memory = new SparseMemory()
    .put(STACK, [STACK + 0x101n, KERNEL + 0x240n])
    .put(STACK + 0x100n, Array(16).fill(0n))
    .put(STACK + 0x180n, [KERNEL + 0x140n, 0x10n, 0x202n, STACK + 0x300n]);
  const kernel = new Symbolizer(symbolTable([
    { name: "outer", address: KERNEL + 0x100n, size: 0x100, type: "T" },
    { name: "middle", address: KERNEL + 0x200n, size: 0x100, type: "T" },
    { name: "inner", address: KERNEL + 0x300n, size: 0x100, type: "T" },
  ]));
  assertEquals(names(memory, kernel, { rbp: STACK }), ["inner", "middle", "outer"]);
});

Deno.test("believes a program's return addresses only behind calls", () => {
  const memory = new SparseMemory()
    .put(0x7ffe0000n, [0x7ffe0040n, 0x401010n])
    .put(0x7ffe0040n, [0x7ffe0080n, 0x402010n])
    .put(0x401009n, new Uint8Array([0x90, 0x90, 0xe8, 1, 2, 3, 4])) // call
    .put(0x402009n, new Uint8Array(7)); // nothing like it
  const cpu = new FakeCpu("user", { pc: 0x400500n, rsp: 0x7ffdfff0n, rbp: 0x7ffe0000n });
  assertEquals(backtrace(cpu, memory, "x86_64").map(({ pc }) => pc), [0x400500n, 0x401010n]);
});
