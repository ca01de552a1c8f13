/**
 * The kernel's log, read from its ring buffer: before any console is up, without one, and after a panic.
 *
 * Linux `kernel/printk/printk_ringbuffer.c`: descriptors in a ring, each with the state of one record and where its
 * text begins and ends in a second ring; what is known of the record besides lies in an array beside the
 * descriptors. Positions only ever grow; their lower bits are places in the ring. A text that would not fit
 * before the ring's end lies at its beginning. A record counts once it is finalized, as `dmesg` counts.
 */
import type { AddressSpace } from "./address_space.ts";
import { KernelInsightError } from "./kernel_insight_error.ts";
import { type LogLayout, TEXT_RING_PLACES } from "./log_layout.ts";

/** One message of the kernel. */
export interface LogEntry {
  /** Its number, from 0; those missing were overwritten, or their text was lost. */
  readonly sequence: number;
  /** When it was printed, in ns since the kernel's clock began. */
  readonly timeNs: number;
  /** 0 (emergency) to 7 (debug). */
  readonly level: number;
  /** 0 for the kernel; others are of programs that write to /dev/kmsg. */
  readonly facility: number;
  /** The message, which may have several lines. */
  readonly text: string;
  /** Who printed it, as CONFIG_PRINTK_CALLER would show: `T1` for thread 1, `C0` for CPU 0 in an interrupt. */
  readonly caller: string;
}

/** Records of a ring; the kernel's own limit is 2 GiB of text, at 32 bytes each. */
const MAX_COUNT_BITS = 26;
const MAX_SIZE_BITS = 31;
/** Records that are read; the last ones count. */
const MAX_RECORDS = 1 << 17;
/** Bytes of the ring's text that are read. */
const MAX_TEXT_BYTES = 1 << 26;
/** In a position: there is no text; with the next bit, the text is empty, without it, it was lost. */
const NO_TEXT = 1n;
const EMPTY_TEXT = 3n;
/** Each text has its descriptor's number before it. */
const BLOCK_HEADER = 8;
const ID_BITS = 62;
const FINALIZED = 2n;
const CALLER_IS_CPU = 0x8000_0000;
const UPPER_HALF = 1n << 63n;

/** What a log is read from. */
export type LogMemory = Pick<AddressSpace, "read" | "value">;

/** The rings of a log. */
interface Rings {
  readonly countBits: number;
  readonly descs: bigint;
  readonly infos: bigint;
  readonly tailId: bigint;
  readonly records: number;
  readonly sizeBits: number;
  readonly tail: bigint;
  /** The text from `tail` on. */
  readonly text: Uint8Array;
}

/**
 * Every record, the oldest first.
 *
 * @param ring Address of the `struct printk_ringbuffer`.
 * @throws {KernelInsightError} when it is none.
 */
export function readLog(memory: LogMemory, ring: bigint, layout: LogLayout): LogEntry[] {
  const rings = readRings(memory, ring, layout);
  const { countBits, tailId, records } = rings;
  const descs = viewOf(ringBytes(memory, rings.descs, layout.descBytes, countBits, tailId, records));
  const infos = viewOf(ringBytes(memory, rings.infos, layout.infoBytes, countBits, tailId, records));
  const decoder = new TextDecoder();
  const entries: LogEntry[] = [];
  for (let i = 0; i < records; i++) {
    const desc = i * layout.descBytes, info = i * layout.infoBytes;
    const state = descs.getBigUint64(desc + layout.state, true);
    if (state !== (FINALIZED << BigInt(ID_BITS) | BigInt.asUintN(ID_BITS, tailId + BigInt(i)))) continue;
    const begin = descs.getBigUint64(desc + layout.textBegin, true);
    const next = descs.getBigUint64(desc + layout.textNext, true);
    const text = textOf(rings, begin, next, infos.getUint16(info + layout.textLength, true));
    if (!text) continue;
    // Bitfields, which VMCOREINFO cannot tell: facility, then 5 bits of flags and 3 of the level.
    const facility = infos.getUint8(info + layout.textLength + 2);
    const level = infos.getUint8(info + layout.textLength + 3) >>> 5;
    const caller = infos.getUint32(info + layout.caller, true);
    entries.push({
      sequence: Number(infos.getBigUint64(info + layout.sequence, true)),
      timeNs: Number(infos.getBigUint64(info + layout.time, true)),
      level,
      facility,
      text: decoder.decode(text),
      caller: caller >= CALLER_IS_CPU ? `C${caller - CALLER_IS_CPU}` : `T${caller}`,
    });
  }
  return entries;
}

/** The log as `dmesg` prints it: each line with its time before it. */
export function formatLog(entries: readonly LogEntry[]): string {
  return entries.map(({ timeNs, text }) => {
    const microseconds = Math.floor(timeNs / 1000);
    const seconds = String(Math.floor(microseconds / 1e6)).padStart(5);
    const time = `[${seconds}.${String(microseconds % 1e6).padStart(6, "0")}] `;
    return text.split("\n").map((line) => `${time}${line}\n`).join("");
  }).join("");
}

function readRings(memory: LogMemory, ring: bigint, layout: LogLayout): Rings {
  const at = (offset: number, size: number) => memory.value(ring + BigInt(offset), size);
  const descRing = layout.descRing;
  const countBits = Number(at(descRing + layout.countBits, 4));
  const descs = at(descRing + layout.descs, 8), infos = at(descRing + layout.infos, 8);
  const headId = at(descRing + layout.headId, 8), tailId = at(descRing + layout.tailId, 8);
  const isDataRing = (offset: number) => {
    const bits = at(offset + layout.sizeBits, 4);
    return bits > 0n && bits <= MAX_SIZE_BITS && at(offset + layout.data, 8) >= UPPER_HALF;
  };
  const places = layout.textRing === undefined ? TEXT_RING_PLACES : [layout.textRing];
  const textRing = places.find(isDataRing);
  const used = Number(BigInt.asUintN(ID_BITS, headId - tailId)) + 1;
  if (
    textRing === undefined || countBits > MAX_COUNT_BITS || used > 2 ** countBits || descs < UPPER_HALF ||
    infos < UPPER_HALF
  ) {
    throw new KernelInsightError(
      "The kernel's log cannot be read: what should be its ring buffer is none. It is damaged, or not set up yet.",
    );
  }
  const sizeBits = Number(at(textRing + layout.sizeBits, 4));
  const data = at(textRing + layout.data, 8);
  const head = at(textRing + layout.headPosition, 8);
  const oldest = at(textRing + layout.tailPosition, 8);
  const bytes = Math.min(Number(BigInt.asUintN(64, head - oldest)), 2 ** sizeBits);
  const textBytes = Math.min(bytes, MAX_TEXT_BYTES);
  const tail = oldest + BigInt(bytes - textBytes);
  const records = Math.min(used, MAX_RECORDS);
  return {
    countBits,
    descs,
    infos,
    tailId: tailId + BigInt(used - records),
    records,
    sizeBits,
    tail,
    text: ringBytes(memory, data, 1, sizeBits, tail, textBytes),
  };
}

/** `count` elements of a ring of 2^bits, from number `first` on, in a row. */
function ringBytes(
  memory: LogMemory,
  base: bigint,
  elementBytes: number,
  bits: number,
  first: bigint,
  count: number,
): Uint8Array {
  const start = Number(BigInt.asUintN(bits, first));
  const before = Math.min(count, 2 ** bits - start);
  const result = new Uint8Array(count * elementBytes);
  result.set(memory.read(base + BigInt(start * elementBytes), before * elementBytes));
  if (count > before) {
    result.set(memory.read(base, (count - before) * elementBytes), before * elementBytes);
  }
  return result;
}

/** A record's text; undefined when it was lost or has been overwritten. */
function textOf(rings: Rings, begin: bigint, next: bigint, length: number): Uint8Array | undefined {
  if (begin & next & NO_TEXT) {
    return begin === EMPTY_TEXT && next === EMPTY_TEXT ? new Uint8Array(0) : undefined;
  }
  const { sizeBits, tail, text } = rings;
  const shift = BigInt(sizeBits);
  // At the ring's beginning where it would not have fitted before the end.
  const last = BigInt.asUintN(64, next - 1n);
  const start = begin >> shift === last >> shift ? begin : last >> shift << shift;
  const from = Number(BigInt.asUintN(64, start - tail)) + BLOCK_HEADER;
  const to = Number(BigInt.asUintN(64, next - tail));
  return from <= to && to <= text.length ? text.subarray(from, Math.min(to, from + length)) : undefined;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
