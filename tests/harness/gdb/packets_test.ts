import { assertEquals } from "@std/assert";
import {
  encodePacket,
  latin1Bytes,
  MOST_PACKET_CHARACTERS,
  PacketReader,
} from "../../../harness/gdb/packets.ts";

const read = (text: string) => [...new PacketReader().read(latin1Bytes(text))];

Deno.test("a packet is framed with its checksum", () => {
  assertEquals(new TextDecoder().decode(encodePacket("OK")), "$OK#9a");
  assertEquals(new TextDecoder().decode(encodePacket("")), "$#00");
});

Deno.test("what frames a packet, or would begin a run length, is escaped in it", () => {
  assertEquals(new TextDecoder("latin1").decode(encodePacket("a#b$c}d*")), "$a}\x03b}\x04c}]d}\n#ec");
});

Deno.test("every byte survives the way there and back", () => {
  const data = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("");
  assertEquals([...new PacketReader().read(encodePacket(data))], [{ kind: "packet", data }]);
});

Deno.test("packets may come in any pieces", () => {
  const reader = new PacketReader();
  const bytes = latin1Bytes("+$m80000000,4#55-\x03$?#3f");
  const arrivals = Array.from(bytes, (byte) => [...reader.read(Uint8Array.of(byte))]).flat();
  assertEquals(arrivals, [
    { kind: "packet", data: "m80000000,4" },
    { kind: "refused" },
    { kind: "interrupt" },
    { kind: "packet", data: "?" },
  ]);
});

Deno.test("a wrong checksum, or one that is no number, makes a packet damaged", () => {
  assertEquals(read("$OK#9b$OK#zz$OK#9A"), [
    { kind: "damaged" },
    { kind: "damaged" },
    { kind: "packet", data: "OK" },
  ]);
});

Deno.test("a packet that was cut off is forgotten when the next one begins", () => {
  assertEquals(read("$m8000$?#3f"), [{ kind: "packet", data: "?" }]);
  assertEquals(read("$OK#9$?#3f"), [{ kind: "packet", data: "?" }]);
});

Deno.test("what lies between packets is passed over", () => {
  assertEquals(read("hello?++#12\n$?#3f!!"), [{ kind: "packet", data: "?" }]);
});

Deno.test("an interrupt's byte within a packet is data", () => {
  assertEquals(read("$X\x03#5b"), [{ kind: "packet", data: "X\x03" }]);
});

Deno.test("a packet that is too long is damaged, and costs no memory", () => {
  const reader = new PacketReader();
  const chunk = new Uint8Array(65536).fill(0x61);
  assertEquals([...reader.read(latin1Bytes("$"))], []);
  for (let i = 0; i < 100; i++) assertEquals([...reader.read(chunk)], []);
  assertEquals([...reader.read(latin1Bytes("#00$?#3f"))], [{ kind: "damaged" }, {
    kind: "packet",
    data: "?",
  }]);
  const longest = "a".repeat(MOST_PACKET_CHARACTERS);
  assertEquals([...reader.read(encodePacket(longest))], [{ kind: "packet", data: longest }]);
  assertEquals([...reader.read(encodePacket(longest + "a"))], [{ kind: "damaged" }]);
});
