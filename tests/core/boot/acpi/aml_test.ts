import { assertEquals } from "@std/assert";
import {
  device,
  eisaId,
  integer,
  irq,
  name,
  packageOf,
  ports,
  resources,
  scope,
  string,
} from "../../../../core/boot/acpi/aml.ts";

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");

Deno.test("integers take as few bytes as they can", () => {
  assertEquals([0, 1, 2, 255, 256, 65535, 65536, 0xffff_ffff].map((value) => hex(integer(value))), [
    "00",
    "01",
    "0a 02",
    "0a ff",
    "0b 00 01",
    "0b ff ff",
    "0c 00 00 01 00",
    "0c ff ff ff ff",
  ]);
});

Deno.test("names are segments of four characters, with a root and dots", () => {
  assertEquals(hex(name("\\_S5", integer(0))), "08 5c 5f 53 35 5f 00");
  assertEquals(hex(name("A.B", integer(1))), "08 2e 41 5f 5f 5f 42 5f 5f 5f 01");
  assertEquals(hex(name("\\A.B.C", integer(1))), "08 5c 2f 03 41 5f 5f 5f 42 5f 5f 5f 43 5f 5f 5f 01");
});

Deno.test("EISA identifiers are compressed big-endian", () => {
  assertEquals(hex(eisaId("PNP0501")), "0c 41 d0 05 01");
  assertEquals(hex(eisaId("PNP0B00")), "0c 41 d0 0b 00");
});

Deno.test("a package's length counts itself, in one to three bytes", () => {
  const lengthOf = (bytes: number) => hex(packageOf(new Uint8Array(bytes)).subarray(1, 4));
  assertEquals(lengthOf(61).slice(0, 2), "3f", "the most that one byte holds: itself, the count and 61");
  assertEquals(lengthOf(62).slice(0, 5), "41 04", "64 + 1 bytes");
  assertEquals(lengthOf(4092).slice(0, 5), "4f ff", "4095, the most that two hold");
  assertEquals(lengthOf(4093), "81 00 01", "4097 with three");
});

Deno.test("devices hold names, ports and interrupts", () => {
  const bytes = scope(
    "\\_SB",
    device("COM1", name("_HID", string("X")), name("_CRS", resources(ports(0x3f8, 8), irq(4)))),
  );
  const crs = "47 01 f8 03 f8 03 01 08 22 10 00 79 00";
  const names = `08 5f 48 49 44 0d 58 00 08 5f 43 52 53 11 10 0a 0d ${crs}`;
  assertEquals(hex(bytes), `10 2b 5c 5f 53 42 5f 5b 82 23 43 4f 4d 31 ${names}`);
});
