import { assert, assertEquals } from "@std/assert";
import type { Board } from "../../../../core/boards/board.ts";
import type { RiscvHart } from "../../../../core/decoder/riscv/hart.ts";
import { A0, A7, addi, assemble, ECALL, HALT, makeBoard, run } from "../programs.ts";

const BASE = 0x10, TIME = 0x54494d45, IPI = 0x735049, RFENCE = 0x52464e43;
const HSM = 0x48534d, SRST = 0x53525354, DBCN = 0x4442434e;
const RAM = 0x8000_0000;
const ALL = (1n << 64n) - 1n;

interface Result {
  readonly error: number;
  readonly value: number;
}

async function machine(vcpus = 2): Promise<{
  board: Board;
  harts: RiscvHart[];
  call: (extension: number, func: number, args?: (number | bigint)[], from?: number) => Result;
}> {
  const board = await makeBoard({ kernel: assemble(HALT), bios: "builtin", vcpus });
  const harts = board.machine.vcpus as unknown as RiscvHart[];
  const call = (extension: number, func: number, args: (number | bigint)[] = [], from = 0): Result => {
    const hart = harts[from];
    args.forEach((arg, i) => hart.setRegister(`a${i}`, BigInt(arg)));
    hart.setRegister("a6", BigInt(func));
    hart.setRegister("a7", BigInt(extension));
    assert(hart.sbi?.(hart));
    const signed = (name: string) => Number(BigInt.asIntN(64, hart.register(name) ?? 0n));
    return { error: signed("a0"), value: signed("a1") };
  };
  return { board, harts, call };
}

Deno.test("the base extension says version 2.0 and which extensions exist", async () => {
  const { call } = await machine();
  assertEquals(call(BASE, 0), { error: 0, value: 0x02000000 });
  for (const extension of [BASE, TIME, IPI, RFENCE, HSM, SRST, DBCN, 0, 8]) {
    assertEquals(call(BASE, 3, [extension]).value, 1);
  }
  assertEquals(call(BASE, 3, [0x504d55]), { error: 0, value: 0 });
  assertEquals(call(0x504d55, 0), { error: -2, value: 0 });
  assertEquals(call(BASE, 7), { error: -2, value: 0 });
});

Deno.test("HSM starts and stops harts, and tells their states", async () => {
  const { harts, call } = await machine();
  assertEquals([call(HSM, 2, [0]).value, call(HSM, 2, [1]).value], [0, 1]);
  assertEquals(call(HSM, 0, [1, 0x1000, 0]).error, -5, "not in RAM");
  assertEquals(call(HSM, 0, [1, RAM + 64, 77]).error, 0);
  assertEquals(harts[1].register("pc"), BigInt(RAM + 64));
  assertEquals([harts[1].register("a0"), harts[1].register("a1")], [1n, 77n]);
  assertEquals([harts[1].mode, harts[1].stopped], ["supervisor", false]);
  assertEquals(call(HSM, 0, [1, RAM, 0]).error, -6, "already started");
  call(HSM, 1, [], 1);
  assertEquals(harts[1].stopped, true);
  for (const hart of [2, -1, 1n << 32n]) assertEquals(call(HSM, 2, [hart]).error, -3);
});

Deno.test("a suspended hart waits until an interrupt and says so", async () => {
  const { harts, call } = await machine();
  call(HSM, 0, [1, RAM, 0]);
  assertEquals(call(HSM, 3, [0, 0, 0], 1).error, 0);
  assertEquals([harts[1].waiting, call(HSM, 2, [1]).value], [true, 4]);
  harts[1].setRegister("sie", 2n);
  call(IPI, 0, [2, 0]);
  harts[1].wake();
  assertEquals([harts[1].waiting, call(HSM, 2, [1]).value], [false, 0]);
  assertEquals(call(HSM, 3, [0x80000000, RAM, 0], 1).error, -2);
});

Deno.test("IPIs pend the supervisor software interrupt of the harts in the mask", async () => {
  const { harts, call } = await machine(3);
  assertEquals(call(IPI, 0, [0b10, 1]).error, 0);
  assertEquals(harts.map((h) => Number(h.register("mip"))), [0, 0, 2]);
  assertEquals(call(IPI, 0, [0, ALL]).error, 0);
  assertEquals(harts.map((h) => Number(h.register("sip"))), [2, 2, 2]);
  assertEquals(call(IPI, 0, [0b1000, 0]).error, -3);
  assertEquals(call(IPI, 0, [1, ALL - 1n]).error, -3);
});

Deno.test("set_timer arms the hart's timer and clears what was pending", async () => {
  const { board, harts, call } = await machine();
  call(TIME, 0, [0]);
  assertEquals(harts[0].register("mip"), 0x20n);
  call(TIME, 0, [ALL]);
  assertEquals([harts[0].register("mip"), board.machine.clock.nextDueNs], [0n, Infinity]);
  call(TIME, 0, [5_000_000_000]);
  assertEquals(board.machine.clock.nextDueNs, 5e9);
});

Deno.test("remote fences take any range", async () => {
  const { call } = await machine();
  for (const [start, size] of [[0, 0], [0x1000, 0x2000], [0, ALL], [ALL - 10n, 0x1000], [5, 1]]) {
    assertEquals(call(RFENCE, 1, [3, 0, start, size]).error, 0);
    assertEquals(call(RFENCE, 2, [3, 0, start, size, 1]).error, 0);
  }
  assertEquals(call(RFENCE, 0, [3, 0]).error, 0);
  assertEquals(call(RFENCE, 3, [3, 0]).error, -2);
  assertEquals(call(RFENCE, 0, [4, 0]).error, -3);
});

Deno.test("system reset ends the machine the way it is asked to", async () => {
  for (const [type, kind] of [[0, "poweroff"], [1, "reset"], [2, "reset"]] as const) {
    const { board, call } = await machine();
    call(SRST, 0, [type, 0]);
    assertEquals(board.machine.exit, { kind });
    const failed = await machine();
    failed.call(SRST, 0, [type, 1]);
    const failure = 'the guest gave "system failure" as its reason';
    assertEquals(failed.board.machine.exit, { kind, failure });
  }
  const { board, call } = await machine();
  assertEquals(call(SRST, 0, [3, 0]).error, -3);
  assertEquals(call(SRST, 0, [0, 2]).error, -3);
  assertEquals(board.machine.exit, undefined);
});

Deno.test("the debug console writes and reads guest memory, within RAM and a page at a time", async () => {
  const { board, call } = await machine();
  const sent: number[] = [];
  board.serial[0].onTransmit = (byte) => sent.push(byte);
  board.machine.ram.write(RAM + 0x1000, new TextEncoder().encode("hello"));
  assertEquals(call(DBCN, 0, [5, RAM + 0x1000, 0]), { error: 0, value: 5 });
  call(DBCN, 2, [0x121]);
  assertEquals(String.fromCharCode(...sent), "hello!");
  assertEquals(call(DBCN, 0, [1 << 20, RAM, 0]).value, 4096);
  for (const address of [0, RAM - 1, RAM + 4 * 2 ** 20 - 2]) {
    assertEquals(call(DBCN, 0, [5, address, 0]).error, -3);
    assertEquals(call(DBCN, 1, [5, address, 0]).error, -3);
  }
  assertEquals(call(DBCN, 0, [ALL, RAM, 0]).error, -3);
  assertEquals(call(DBCN, 0, [1, RAM, 1]).error, -3);

  assertEquals(call(DBCN, 1, [16, RAM, 0]), { error: 0, value: 0 });
  board.serial[0].receive(0x41);
  assertEquals(call(DBCN, 1, [16, RAM, 0]), { error: 0, value: 1 });
  assertEquals(board.machine.ram.u8[0], 0x41);
});

Deno.test("the legacy console works, and legacy calls leave a1 alone", async () => {
  const { board, call } = await machine();
  const sent: number[] = [];
  board.serial[0].onTransmit = (byte) => sent.push(byte);
  assertEquals(call(1, 0, [0x58, 99]), { error: 0, value: 99 });
  assertEquals(sent, [0x58]);
  assertEquals(call(2, 0).error, -1);
  board.serial[0].receive(0x59);
  assertEquals(call(2, 0).error, 0x59);
});

Deno.test("legacy IPIs read their mask through the caller's address space; 0 is everyone", async () => {
  const { board, harts, call } = await machine();
  board.machine.ram.view.setBigUint64(64, 2n, true);
  assertEquals(call(4, 0, [RAM + 64]).error, 0);
  assertEquals(harts.map((h) => Number(h.register("mip"))), [0, 2]);
  assertEquals(call(3, 0, [], 1).error, 0);
  assertEquals(harts[1].register("mip"), 0n);
  assertEquals(call(4, 0, [8]).error, -1, "no RAM there");
  assertEquals(call(6, 0, [0, 0, 0]).error, 0);
  assertEquals(harts.map((h) => Number(h.register("mip"))), [0, 0]);
  call(8, 0);
  assertEquals(board.machine.exit, { kind: "poweroff" });
});

Deno.test("an ECALL from a running kernel is answered and returns to the next instruction", async () => {
  const letter = (c: string) => [addi(A0, 0, c.charCodeAt(0)), addi(A7, 0, 1), ECALL];
  const board = await makeBoard({
    kernel: assemble(...letter("o"), ...letter("k"), addi(A7, 0, 8), ECALL, HALT),
    bios: "builtin",
  });
  assertEquals(run(board), "ok");
  assertEquals(board.machine.exit, { kind: "poweroff" });
  assertEquals(board.machine.clock.instructions, 8);
});
