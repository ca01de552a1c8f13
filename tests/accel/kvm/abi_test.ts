import { assertEquals, assertThrows } from "@std/assert";
import { decodeStruct, encodeStruct } from "../../../accel/kvm/abi/codec.ts";
import { STRUCTS } from "../../../accel/kvm/abi/table.ts";
import { buildKvmAbi, canBuildKvmAbi, TABLE_PATH } from "../../../fixtures/build_kvm_abi.ts";

const canBuild = await canBuildKvmAbi();

Deno.test({
  name: `the ABI table is what this machine's headers give${
    canBuild ? "" : " (needs gcc and linux-libc-dev)"
  }`,
  ignore: !canBuild,
  async fn() {
    const dir = await Deno.makeTempDir();
    try {
      const file = `${dir}/table.ts`;
      await Deno.writeTextFile(file, await buildKvmAbi());
      const { success } = await new Deno.Command(Deno.execPath(), {
        args: ["fmt", "--quiet", "--line-width=110", file],
      }).output();
      assertEquals(success, true);
      assertEquals(await Deno.readTextFile(file), await Deno.readTextFile(TABLE_PATH));
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});

Deno.test("every field of every structure survives being decoded and encoded", () => {
  for (const name of Object.keys(STRUCTS) as (keyof typeof STRUCTS)[]) {
    const bytes = crypto.getRandomValues(new Uint8Array(STRUCTS[name].bytes));
    const value = decodeStruct(name, new DataView(bytes.buffer));
    const again = new Uint8Array(bytes.length);
    encodeStruct(name, value, new DataView(again.buffer));
    assertEquals(decodeStruct(name, new DataView(again.buffer)), value, name);
  }
});

Deno.test("dotted names are objects, arrays of structures are arrays, bytes stay bytes", () => {
  const events = decodeStruct("kvm_vcpu_events", new DataView(new ArrayBuffer(64)));
  assertEquals(events.nmi, { injected: 0, pending: 0, masked: 0 });
  const pit = decodeStruct("kvm_pit_state2", new DataView(new ArrayBuffer(112)));
  assertEquals((pit.channels as unknown[]).length, 3);
  const lapic = decodeStruct("kvm_lapic_state", new DataView(new ArrayBuffer(1024)));
  assertEquals(lapic.regs, new Uint8Array(1024));
});

Deno.test("a value of the wrong type or size is refused by the field's name", () => {
  const view = new DataView(new ArrayBuffer(2048));
  assertThrows(() => encodeStruct("kvm_regs", { rax: 1 }, view), TypeError, "kvm_regs.rax is a bigint");
  assertThrows(() => encodeStruct("kvm_mp_state", { mp_state: -1 }, view), TypeError, "mp_state");
  assertThrows(() => encodeStruct("kvm_lapic_state", { regs: new Uint8Array(3) }, view), TypeError, "1024");
  assertThrows(() => encodeStruct("kvm_debugregs", { db: [0n] }, view), TypeError, "4 elements");
  assertThrows(() => encodeStruct("kvm_sregs", { cs: 3 }, view), TypeError, "kvm_sregs.cs");
});
