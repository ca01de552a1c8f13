import { assertEquals, assertThrows } from "@std/assert";
import { KernelInsightError } from "../../../harness/kernel/kernel_insight_error.ts";
import { formatLog, type LogMemory, readLog } from "../../../harness/kernel/log.ts";
import { logLayout } from "../../../harness/kernel/log_layout.ts";
import { VmcoreInfo } from "../../../harness/kernel/vmcoreinfo.ts";

const HOME = 0xffffffff80000000n;
const RING = 0x40, DESCS = 0x1000, INFOS = 0x4000, DATA = 0x8000;
const RESERVED = 0n, COMMITTED = 1n, FINALIZED = 2n, REUSABLE = 3n;

/** A ring buffer as `kernel/printk/printk_ringbuffer.c` writes it, in 64 KiB of memory. */
class FakeRing implements LogMemory {
  readonly u8 = new Uint8Array(0x1_0000);
  readonly view = new DataView(this.u8.buffer);
  readonly #size: bigint;
  #id: bigint;
  #position: bigint;

  constructor(readonly countBits: number, readonly sizeBits: number, readonly textRing = 48) {
    this.#size = 1n << BigInt(sizeBits);
    // As the kernel begins: shortly before everything wraps.
    this.#id = BigInt.asUintN(62, -1n - (1n << BigInt(countBits)));
    this.#position = BigInt.asUintN(64, -this.#size);
    this.view.setUint32(RING, countBits, true);
    this.#pointer(RING + 8, DESCS);
    this.#pointer(RING + 16, INFOS);
    this.view.setUint32(RING + textRing, sizeBits, true);
    this.#pointer(RING + textRing + 8, DATA);
    this.#heads(this.#id);
    this.view.setBigUint64(RING + 32, this.#id, true);
    this.#desc(REUSABLE, 1n, 1n);
    this.view.setBigUint64(RING + textRing + 24, this.#position, true);
    this.#heads(this.#id);
  }

  /** Adds a record; `text` undefined is one whose text was lost. */
  print(text: string | undefined, options: { state?: bigint; level?: number; timeNs?: number } = {}): void {
    const { state = FINALIZED, level = 6, timeNs = 1_500_000_000 } = options;
    this.#id = BigInt.asUintN(62, this.#id + 1n);
    const bytes = new TextEncoder().encode(text ?? "");
    let begin = text === "" ? 3n : 1n, next = begin;
    if (bytes.length > 0) {
      const blockBytes = BigInt(Math.ceil((8 + bytes.length) / 8) * 8);
      begin = this.#position;
      const wrap = (position: bigint) => position >> BigInt(this.sizeBits);
      next = BigInt.asUintN(64, begin + blockBytes);
      let start = begin;
      if (wrap(begin) !== wrap(next) && next % this.#size !== 0n) {
        start = BigInt.asUintN(64, wrap(next) << BigInt(this.sizeBits));
        next = start + blockBytes;
      }
      const place = DATA + Number(start % this.#size);
      this.view.setBigUint64(place, this.#id, true);
      this.u8.set(bytes, place + 8);
      this.#position = next;
    }
    this.#desc(state, begin, next);
    const info = INFOS + this.#slot() * 88;
    this.view.setBigUint64(info, this.#id, true);
    this.view.setBigUint64(info + 8, BigInt(timeNs), true);
    this.view.setUint16(info + 16, bytes.length, true);
    this.u8[info + 18] = 1;
    this.u8[info + 19] = level << 5 | 3;
    this.view.setUint32(info + 20, 0x8000_0002, true);
    this.#heads(this.#id);
  }

  /** Moves the tails up, so that only the last `records` and all text of the last `bytes` count. */
  forget(records: number, bytes: number): void {
    this.view.setBigUint64(RING + 32, BigInt.asUintN(62, this.#id - BigInt(records - 1)), true);
    const tail = BigInt.asUintN(64, this.#position - BigInt(bytes));
    this.view.setBigUint64(RING + this.textRing + 24, tail, true);
  }

  read(address: bigint, length: number): Uint8Array {
    const at = Number(address - HOME);
    if (at < 0 || at + length > this.u8.length) throw new KernelInsightError("not mapped");
    return this.u8.slice(at, at + length);
  }

  value(address: bigint, size: number): bigint {
    const at = Number(address - HOME);
    return size === 4 ? BigInt(this.view.getUint32(at, true)) : this.view.getBigUint64(at, true);
  }

  texts(): string[] {
    return readLog(this, HOME + BigInt(RING), logLayout(undefined)).map(({ text }) => text);
  }

  #slot(): number {
    return Number(BigInt.asUintN(this.countBits, this.#id));
  }

  #desc(state: bigint, begin: bigint, next: bigint): void {
    const at = DESCS + this.#slot() * 24;
    this.view.setBigUint64(at, state << 62n | this.#id, true);
    this.view.setBigUint64(at + 8, begin, true);
    this.view.setBigUint64(at + 16, next, true);
  }

  #heads(id: bigint): void {
    this.view.setBigUint64(RING + 24, id, true);
    this.view.setBigUint64(RING + this.textRing + 16, this.#position, true);
  }

  #pointer(at: number, to: number): void {
    this.view.setBigUint64(at, HOME + BigInt(to), true);
  }
}

Deno.test("reads level, facility, time, caller and text of a record", () => {
  const ring = new FakeRing(5, 10);
  ring.print("Kernel panic - not syncing: ж", { level: 0, timeNs: 12_345_678_901 });
  const [entry, ...others] = readLog(ring, HOME + BigInt(RING), logLayout(undefined));
  assertEquals(others, []);
  assertEquals({ ...entry, sequence: 0 }, {
    sequence: 0,
    timeNs: 12_345_678_901,
    level: 0,
    facility: 1,
    text: "Kernel panic - not syncing: ж",
    caller: "C2",
  });
});

Deno.test("a log without a record is empty", () => {
  assertEquals(new FakeRing(5, 10).texts(), []);
});

for (const textRing of [40, 48]) {
  Deno.test(`finds the text ring at ${textRing} when the kernel does not tell where it is`, () => {
    const ring = new FakeRing(5, 10, textRing);
    ring.print("here");
    assertEquals(ring.texts(), ["here"]);
  });
}

Deno.test("texts that wrap around the ring come whole, and the overwritten ones not at all", () => {
  const ring = new FakeRing(5, 8);
  const all = Array.from({ length: 100 }, (_, i) => `${i} ${"x".repeat(i * 7 % 23)}`);
  for (const text of all) ring.print(text);
  // 32 descriptors, but text for fewer.
  ring.forget(32, 256);
  const texts = ring.texts();
  assertEquals(texts.length > 5 && texts.length < 32, true);
  assertEquals(texts, all.slice(-texts.length));
  ring.forget(3, 120);
  assertEquals(ring.texts(), all.slice(-3));
});

Deno.test("a text that ends with the ring is where it begins", () => {
  const ring = new FakeRing(5, 8);
  for (let i = 0; i < 3; i++) ring.print("y".repeat(120 - i)); // blocks of 128 bytes
  ring.forget(2, 256);
  assertEquals(ring.texts(), ["y".repeat(119), "y".repeat(118)]);
});

Deno.test("an empty message counts; a lost text and an unfinished record do not", () => {
  const ring = new FakeRing(5, 10);
  ring.print("one");
  ring.print("");
  ring.print(undefined);
  ring.print("being written", { state: RESERVED });
  ring.print("may go on", { state: COMMITTED });
  ring.print("two");
  assertEquals(ring.texts(), ["one", "", "two"]);
});

Deno.test("offsets come from VMCOREINFO where the kernel tells them", () => {
  const ring = new FakeRing(5, 10);
  ring.print("told");
  const shifted = new FakeRing(5, 10);
  shifted.u8.set(ring.u8.subarray(RING, RING + 88), RING + 16);
  const info = new VmcoreInfo(
    "OSRELEASE=6.99\nSYMBOL(prb)=ffffffff81db6458\nOFFSET(printk_ringbuffer.desc_ring)=16\nnonsense\n=\n" +
      "OFFSET(printk_ringbuffer.text_data_ring)=64\nSIZE(prb_desc)=24\nSIZE(printk_info)=-4\n",
  );
  assertEquals(info.symbol("prb"), 0xffffffff81db6458n);
  assertEquals(info.size("printk_info"), undefined);
  shifted.u8.set(ring.u8.subarray(DESCS), DESCS);
  const entries = readLog(shifted, HOME + BigInt(RING), logLayout(info));
  assertEquals(entries.map(({ text }) => text), ["told"]);
});

Deno.test("offsets that cannot be are not believed", () => {
  const usual = logLayout(undefined);
  for (const line of ["SIZE(prb_desc)=8", "SIZE(printk_info)=999999", "OFFSET(printk_info.ts_nsec)=85"]) {
    assertEquals(logLayout(new VmcoreInfo(line)), usual);
  }
});

Deno.test("a message of several lines is formatted as dmesg does", () => {
  const entry = { sequence: 0, timeNs: 61_000_042_999, level: 6, facility: 0, text: "a\nb", caller: "T0" };
  assertEquals(formatLog([entry]), "[   61.000042] a\n[   61.000042] b\n");
  assertEquals(formatLog([]), "");
});

Deno.test("a damaged ring is an error or what is left of it, never a crash or a hang", () => {
  const wild = new FakeRing(5, 10);
  wild.view.setUint32(RING, 63, true);
  assertThrows(() => wild.texts(), KernelInsightError, "log cannot be read");
  const far = new FakeRing(5, 10);
  far.view.setBigUint64(RING + 24, 12n, true);
  assertThrows(() => far.texts(), KernelInsightError, "log cannot be read");
  let seed = 99;
  const random = () => (seed = Math.imul(seed, 1103515245) + 12345 | 0) >>> 8;
  for (let round = 0; round < 500; round++) {
    const ring = new FakeRing(5, 10);
    for (let i = 0; i < 20; i++) ring.print(`line ${i}`);
    for (let i = 0; i < 1 + round % 8; i++) ring.u8[RING + random() % 88] = random();
    for (let i = 0; i < round % 100; i++) ring.u8[DESCS + random() % 0x6000] = random();
    try {
      ring.texts();
    } catch (error) {
      if (!(error instanceof KernelInsightError)) throw error;
    }
  }
});
