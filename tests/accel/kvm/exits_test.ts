import { assertEquals, assertMatch } from "@std/assert";
import { EXIT, STRUCTS } from "../../../accel/kvm/abi/table.ts";
import { encodeStruct, type PlainStruct } from "../../../accel/kvm/abi/codec.ts";
import { type ExitedVcpu, ExitHandler } from "../../../accel/kvm/exits.ts";
import { Bus } from "../../../core/bus.ts";
import { Ports } from "../../../core/ports.ts";

const DATA = 0x800;

/** A vCPU that has exited, without a kernel. */
function exited(run: PlainStruct, data: readonly number[] = []): ExitedVcpu {
  const bytes = new Uint8Array(0x1000);
  encodeStruct("kvm_run", run, new DataView(bytes.buffer));
  bytes.set(data, DATA);
  return {
    index: 0,
    bytes,
    words: new Uint32Array(bytes.buffer),
    view: new DataView(bytes.buffer),
  };
}

function recorded() {
  const accesses: string[] = [];
  const device = {
    read: (offset: number, size: number) => {
      accesses.push(`r${size}@${offset.toString(16)}`);
      return 0x4433_2211;
    },
    write: (offset: number, value: number, size: number) => {
      accesses.push(`w${size}@${offset.toString(16)}=${value.toString(16)}`);
    },
    reset: () => {},
  };
  const ports = new Ports(), bus = new Bus();
  ports.map("all", 0, 0x10000, device);
  bus.map("some", 0x1_0000_0000, 0x1000, device);
  return {
    accesses,
    handler: new ExitHandler({ ports, bus }, ({ index }) => accesses.push(`debug ${index}`)),
  };
}

const io = (direction: number, port: number, size: number, count: number) => ({
  exit_reason: EXIT.IO,
  io: { direction, port, size, count, data_offset: BigInt(DATA) },
});
const mmio = (address: bigint, length: number, isWrite: number, data = new Uint8Array(8)) => ({
  exit_reason: EXIT.MMIO,
  mmio: { phys_addr: address, len: length, is_write: isWrite, data },
});

Deno.test("a string of port writes is as many writes, in order", () => {
  const { accesses, handler } = recorded();
  assertEquals(handler.handle(exited(io(1, 0x3f8, 1, 3), [1, 2, 3])), undefined);
  assertEquals(accesses, ["w1@3f8=1", "w1@3f8=2", "w1@3f8=3"]);
});

Deno.test("what ports give goes where the kernel looks for it", () => {
  const { handler } = recorded();
  const vcpu = exited(io(0, 0x10, 2, 2));
  handler.handle(vcpu);
  assertEquals([...vcpu.bytes.subarray(DATA, DATA + 5)], [0x11, 0x22, 0x11, 0x22, 0]);
});

Deno.test("unaligned port accesses are bytes, and wrap at the end of the port space", () => {
  const { accesses, handler } = recorded();
  handler.handle(exited(io(1, 0x61, 2, 1), [1, 2]));
  handler.handle(exited(io(1, 0xfffe, 4, 1), [1, 2, 3, 4]));
  assertEquals(accesses, ["w1@61=1", "w1@62=2", "w1@fffe=1", "w1@ffff=2", "w1@0=3", "w1@1=4"]);
});

Deno.test("device accesses come in natural pieces, low half first", () => {
  const { accesses, handler } = recorded();
  handler.handle(exited(mmio(0x1_0000_0008n, 8, 1, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8))));
  handler.handle(exited(mmio(0x1_0000_0001n, 8, 0)));
  assertEquals(accesses, ["w4@8=4030201", "w4@c=8070605", "r1@1", "r2@2", "r4@4", "r1@8"]);
});

Deno.test("nothing is mapped: reads give ones, writes vanish", () => {
  const { handler } = recorded();
  const vcpu = exited(mmio(0x5000n, 4, 0));
  handler.handle(vcpu);
  assertEquals(vcpu.view.getUint32(STRUCTS.kvm_run.fields["mmio.data"][0], true), 0xffff_ffff);
  assertEquals(handler.handle(exited(mmio(0x5000n, 4, 1))), undefined);
});

Deno.test("sizes and counts beyond the shared memory end the machine, not the host", () => {
  const { accesses, handler } = recorded();
  for (const run of [io(1, 0, 1, 0xffff_ffff), io(1, 0, 3, 1), io(0, 0, 4, 0x201)]) {
    assertEquals(handler.handle(exited(run))?.kind, "engineError");
  }
  assertEquals(accesses, []);
});

Deno.test("a stop for a debugger is the debugger's, and no end", () => {
  const { accesses, handler } = recorded();
  assertEquals(handler.handle(exited({ exit_reason: EXIT.DEBUG })), undefined);
  assertEquals(accesses, ["debug 0"]);
});

Deno.test("ends have a kind and a sentence", () => {
  const { handler } = recorded();
  const ends = [
    exited({ exit_reason: EXIT.SHUTDOWN }),
    exited({ exit_reason: EXIT.SYSTEM_EVENT, system_event: { type: 1 } }),
    exited({ exit_reason: EXIT.SYSTEM_EVENT, system_event: { type: 2 } }),
    exited({ exit_reason: EXIT.FAIL_ENTRY, fail_entry: { hardware_entry_failure_reason: 0x80000021n } }),
    exited({ exit_reason: EXIT.INTERNAL_ERROR, internal: { suberror: 1 } }),
    exited({ exit_reason: EXIT.HYPERCALL }),
    exited({ exit_reason: 1234 }),
  ].map((vcpu) => handler.handle(vcpu)!);
  assertEquals(
    ends.map(({ kind }) => kind),
    ["tripleFault", "poweroff", "reset", "engineError", "engineError", "engineError", "engineError"],
  );
  const details = ends.flatMap((end) => "detail" in end ? [end.detail] : []);
  assertMatch(details[1], /0x80000021/);
  assertMatch(details[2], /emulate an instruction/);
  assertMatch(details[3], /KVM_EXIT_HYPERCALL/);
  assertMatch(details[4], /reason 1234/);
});
