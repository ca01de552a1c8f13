import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  Btf,
  KIND_ARRAY,
  KIND_CONST,
  KIND_ENUM,
  KIND_INT,
  KIND_PTR,
  KIND_STRUCT,
  KIND_TYPEDEF,
  KIND_UNION,
} from "../../../../harness/kernel/btf/btf.ts";
import { TypedValue } from "../../../../harness/kernel/btf/typed_value.ts";
import { KernelInsightError } from "../../../../harness/kernel/kernel_insight_error.ts";
import { InputError } from "../../../../mod.ts";
import { BtfBuilder, memoryAt } from "./_made_up.ts";

const BASE = 0xffff_ffff_8000_0000n;
const SIGNED = 1 << 24;

/** int, char, char[8], enum color, and a struct with all of it. */
function sample() {
  const b = new BtfBuilder();
  const int = b.add(KIND_INT, "int", 4, [SIGNED | 32]);
  const char = b.add(KIND_INT, "char", 1, [8]);
  const u64 = b.add(KIND_INT, "unsigned long", 8, [64]);
  const text = b.add(KIND_ARRAY, "", 0, [char, int, 8]);
  const color = b.add(KIND_ENUM, "color", 4, [b.string("RED"), 0, b.string("BLUE"), 7], 2);
  const bits = [[b.string("low"), int, 3 << 24 | 0], [b.string("high"), int, 5 << 24 | 3]];
  const flags = b.add(KIND_STRUCT, "flags", 4, bits.flat(), 2, 1);
  const inner = b.add(KIND_UNION, "", 8, [b.string("whole"), u64, 0, b.string("part"), int, 0], 2);
  const node = b.add(KIND_STRUCT, "node", 48, [
    ...[b.string("name"), text, 0],
    ...[b.string("color"), color, 64],
    ...[b.string("flags"), flags, 96],
    ...[0, inner, 128],
    ...[b.string("next"), 10, 192],
    ...[b.string("numbers"), 11, 256],
  ], 6);
  b.add(KIND_TYPEDEF, "node_t", node);
  b.add(KIND_PTR, "", node);
  b.add(KIND_ARRAY, "", 0, [int, int, 4]);
  b.add(KIND_CONST, "", 9);
  const btf = new Btf(b.bytes());
  const bytes = new Uint8Array(96);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode("first"), 0);
  view.setUint32(8, 7, true);
  view.setUint32(12, 0b11111_101, true);
  view.setBigUint64(16, 0xffff_ffff_ffff_fffen, true);
  view.setBigUint64(24, BASE + 48n, true);
  [1, -2, 3, -4].forEach((n, i) => view.setInt32(32 + 4 * i, n, true));
  bytes.set(new TextEncoder().encode("second!!"), 48);
  return { btf, node: new TypedValue(btf, memoryAt(BASE, bytes), BASE, btf.find("node_t")!) };
}

Deno.test("members are read through typedefs, anonymous unions and pointers", () => {
  const { node } = sample();
  assertEquals(node.get("name").value(), "first");
  assertEquals(node.get("color").value(), "BLUE");
  assertEquals(node.get("whole").value(), 0xffff_ffff_ffff_fffen);
  assertEquals(node.get("part").value(), -2);
  assertEquals(node.get("next").get("name").value(), "second!!");
  assertEquals(node.get("numbers").index(3).value(), -4);
});

Deno.test("bit fields are cut out, with their sign", () => {
  const { node } = sample();
  assertEquals(node.get("flags").value(), { low: -3, high: -1 });
});

Deno.test("a struct's value has its members by name, down to a depth", () => {
  const { node } = sample();
  assertEquals(node.value() as unknown, {
    name: "first",
    color: "BLUE",
    flags: { low: -3, high: -1 },
    whole: 0xffff_ffff_ffff_fffen,
    part: -2,
    next: BASE + 48n,
    numbers: [1, -2, 3, -4],
  });
  assertEquals("flags" in (node.value(1) as Record<string, unknown>), false);
});

Deno.test("types are named as C writes them, and found by that", () => {
  const { btf, node } = sample();
  assertEquals(node.typeName, "node_t");
  assertEquals(node.get("next").typeName, "struct node *");
  assertEquals(node.get("numbers").typeName, "int[4]");
  assertEquals(btf.find("struct node"), btf.resolve(btf.find("node_t")!));
  assertEquals([btf.find("struct none"), btf.find("node")], [undefined, undefined]);
});

Deno.test("a null pointer that is followed is told", () => {
  const { node } = sample();
  assertThrows(() => node.get("next").get("next").get("name"), KernelInsightError, "is null");
});

Deno.test("what cannot be asked of a value is refused", () => {
  const { node } = sample();
  assertThrows(() => node.get("names"), InputError, 'node_t has no member "names". Did you mean name?');
  assertThrows(() => node.get("name").get("x"), InputError, "has no members");
  assertThrows(() => node.index(0), InputError, "has no elements");
  assertThrows(() => node.deref(), InputError, "is no pointer");
});

/** Two structs linked to a head, each link given as what it points to by its place: 0 is the head. */
function listOf(links: readonly (number | undefined)[]) {
  const b = new BtfBuilder();
  const int = b.add(KIND_INT, "int", 4, [SIGNED | 32]);
  const head = b.add(KIND_STRUCT, "list_head", 16, [b.string("next"), 3, 0, b.string("prev"), 3, 64], 2);
  b.add(KIND_PTR, "", head);
  const item = b.add(KIND_STRUCT, "item", 24, [b.string("id"), int, 0, b.string("link"), head, 64], 2);
  const view = new DataView(new ArrayBuffer(16 + 24 * 2));
  const linkAt = (place: number) => place === 0 ? 0 : 16 + 24 * (place - 1) + 8;
  links.forEach((to, place) => {
    view.setBigUint64(linkAt(place), to === undefined ? 0n : BASE + BigInt(linkAt(to)), true);
    if (place > 0) view.setInt32(linkAt(place) - 8, 10 * place, true);
  });
  const value = new TypedValue(new Btf(b.bytes()), memoryAt(BASE, new Uint8Array(view.buffer)), BASE, head);
  return Array.from(value.list(item, "link"), (entry) => entry.get("id").value());
}

Deno.test("a list is walked to its head, or to a null; one that never gets back there has an end all the same", () => {
  assertEquals(listOf([1, 2, 0]), [10, 20]);
  assertEquals(listOf([2, 0, 1]), [20, 10]);
  assertEquals(listOf([0]), []);
  assertEquals(listOf([1, undefined]), [10]);
  const ring = listOf([1, 2, 1]);
  assertEquals([ring.length, ring[0], ring[1], ring[2]], [100_000, 10, 20, 10]);
});

Deno.test("BTF that is cut off, circular or nonsense ends in one sentence", () => {
  const b = new BtfBuilder();
  b.add(KIND_TYPEDEF, "a", 2);
  b.add(KIND_TYPEDEF, "b", 1);
  b.add(KIND_PTR, "", 99);
  const whole = b.bytes();
  const btf = new Btf(whole);
  assertThrows(() => btf.resolve(1), KernelInsightError, "round in circles");
  assertThrows(() => btf.name(btf.target(3)), KernelInsightError, "no type 99");
  assertThrows(() => new Btf(new Uint8Array(100)), KernelInsightError, "is none");
  for (let length = 24; length < whole.length; length++) {
    assertThrows(() => new Btf(whole.subarray(0, length)), KernelInsightError);
  }
});

Deno.test("a struct that holds itself namelessly, many times over, is looked into once", () => {
  const b = new BtfBuilder();
  b.add(KIND_STRUCT, "loop", 8, Array.from({ length: 20 }, () => [0, 1, 0]).flat(), 20);
  const btf = new Btf(b.bytes());
  const value = new TypedValue(btf, memoryAt(0n, new Uint8Array(8)), 0n, 1);
  assertEquals([value.members, value.has("x")], [[], false]);
});

Deno.test("random bytes after a header never crash or hang the reader", () => {
  let seed = 1;
  const random = () => (seed = Math.imul(seed, 1103515245) + 12345 >>> 0) >>> 16 & 0xff;
  const valid = sample();
  assert(valid.btf.count > 10);
  for (let round = 0; round < 500; round++) {
    const b = new BtfBuilder();
    for (let i = 0; i < 8; i++) {
      b.add(random() & 0x1f, "x", random() & 15, Array.from({ length: 6 }, random), random() & 3);
    }
    try {
      const btf = new Btf(b.bytes());
      for (let type = 1; type < btf.count; type++) {
        const value = new TypedValue(btf, memoryAt(0n, new Uint8Array(4096)), 0n, type);
        try {
          assert(value.typeName.length < 1e6);
          value.value();
        } catch (error) {
          if (!(error instanceof KernelInsightError || error instanceof InputError)) throw error;
        }
      }
    } catch (error) {
      if (!(error instanceof KernelInsightError)) throw error;
    }
  }
});
