/**
 * Where the members of the structs of the printk ring buffer are. The kernel tells it in VMCOREINFO; before it has
 * written that, or built without, the layout of Linux 5.10 and later for 64 bits holds
 * (`kernel/printk/printk_ringbuffer.h`), in which one member came between others in 6.8.
 */
import type { VmcoreInfo } from "./vmcoreinfo.ts";

/** Bytes from the beginning of each struct, and their sizes. */
export interface LogLayout {
  /** `struct printk_ringbuffer`. */
  readonly descRing: number;
  /** Undefined where it has to be found out. */
  readonly textRing: number | undefined;
  /** `struct prb_desc_ring`. */
  readonly countBits: number;
  readonly descs: number;
  readonly infos: number;
  readonly headId: number;
  readonly tailId: number;
  /** `struct prb_desc`. */
  readonly descBytes: number;
  readonly state: number;
  readonly textBegin: number;
  readonly textNext: number;
  /** `struct printk_info`. */
  readonly infoBytes: number;
  readonly sequence: number;
  readonly time: number;
  readonly textLength: number;
  readonly caller: number;
  /** `struct prb_data_ring`. */
  readonly sizeBits: number;
  readonly data: number;
  readonly headPosition: number;
  readonly tailPosition: number;
}

/** The places where `text_data_ring` has been, the latest first. */
export const TEXT_RING_PLACES: readonly number[] = [48, 40];

/** Bytes of a descriptor, or of what is known of a record; larger ones are no kernel's. */
const MAX_ELEMENT_BYTES = 512;

/** The layout: the one the kernel tells, unless that cannot be, and the usual one where it tells nothing. */
export function logLayout(info: VmcoreInfo | undefined): LogLayout {
  const told = layoutOf(info);
  return isPossible(told) ? told : layoutOf(undefined);
}

/** Whether the members are inside of their structs: VMCOREINFO may be damaged. */
function isPossible(layout: LogLayout): boolean {
  const { descBytes, infoBytes } = layout;
  return descBytes <= MAX_ELEMENT_BYTES && infoBytes <= MAX_ELEMENT_BYTES &&
    Math.max(layout.state, layout.textBegin, layout.textNext) + 8 <= descBytes &&
    Math.max(layout.sequence, layout.time, layout.caller, layout.textLength) + 8 <= infoBytes;
}

function layoutOf(info: VmcoreInfo | undefined): LogLayout {
  const offset = (member: string, otherwise: number) => info?.offset(member) ?? otherwise;
  const text = offset("prb_desc.text_blk_lpos", 8);
  return {
    descRing: offset("printk_ringbuffer.desc_ring", 0),
    textRing: info?.offset("printk_ringbuffer.text_data_ring"),
    countBits: offset("prb_desc_ring.count_bits", 0),
    descs: offset("prb_desc_ring.descs", 8),
    infos: offset("prb_desc_ring.infos", 16),
    headId: offset("prb_desc_ring.head_id", 24),
    tailId: offset("prb_desc_ring.tail_id", 32),
    descBytes: info?.size("prb_desc") ?? 24,
    state: offset("prb_desc.state_var", 0),
    textBegin: text + offset("prb_data_blk_lpos.begin", 0),
    textNext: text + offset("prb_data_blk_lpos.next", 8),
    infoBytes: info?.size("printk_info") ?? 88,
    sequence: offset("printk_info.seq", 0),
    time: offset("printk_info.ts_nsec", 8),
    textLength: offset("printk_info.text_len", 16),
    caller: offset("printk_info.caller_id", 20),
    sizeBits: offset("prb_data_ring.size_bits", 0),
    data: offset("prb_data_ring.data", 8),
    headPosition: offset("prb_data_ring.head_lpos", 16),
    tailPosition: offset("prb_data_ring.tail_lpos", 24),
  };
}
