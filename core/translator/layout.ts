/**
 * The layout of a vCPU's state block: one span of host memory that interpreter, translator and generated
 * code share. Offsets are in bytes from its start. The first 512 bytes are the ISA's registers, then
 * comes what every ISA has, then the ISA's system registers (from {@linkcode STATE_SYSTEM}), then tables.
 *
 * Everything the guest can observe lives here or in RAM or in a device, so the block is also what a
 * snapshot saves.
 */

/** First of 32 eight-byte integer register slots. */
export const STATE_INT_REGS = 0;
/** First of 32 eight-byte floating-point register slots. */
export const STATE_FP_REGS = 256;
/** Program counter (8 bytes). Valid whenever generated code is not running. */
export const STATE_PC = 512;
/** Instructions the vCPU may still retire before the next event (4 bytes, signed). */
export const STATE_BUDGET = 520;
/** Why generated code returned: one of the `EXIT_*` constants of the DBT engine (4 bytes). */
export const STATE_EXIT_REASON = 524;
/** A fact that belongs to the exit reason (4 bytes). */
export const STATE_EXIT_ARG = 528;
/**
 * `epoch << 8 | context` (4 bytes). `context` is what a translation depends on besides its address
 * (privilege, FPU state…; 8 bits, the ISA's business). `epoch` changes whenever a fetch translation is
 * dropped; a jump-cache entry is good only while this word equals the one stored in it.
 */
export const STATE_EPOCH_CONTEXT = 532;
/** Guest time, in ns, at which the budget reaches zero (8 bytes, integer). */
export const STATE_TIME_AT_ZERO = 536;
/** Address generated code is entered at (8 bytes). */
export const STATE_ENTRY = 544;
/** MXCSR or its like while the host runs generated code (4 bytes): the guest's FP flags accumulate here. */
export const STATE_HOST_FP_CONTROL = 552;
/** The same control word as the host's own code expects it (4 bytes). */
export const STATE_HOST_FP_DEFAULT = 556;
/** How often a TLB entry was filled (8 bytes). A statistic, no part of the architecture; likewise the next two. */
export const STATE_TLB_FILLS = 560;
/** Non-zero when an interrupt is pending and could be taken once enabled (an 8-byte slot; kept by the ISA). */
export const STATE_INTERRUPT_PENDING = 568;
/** How often the jump cache did not have the target of an indirect jump (8 bytes). */
export const STATE_JUMP_CACHE_MISSES = 576;
/** How often the cell of a direct jump to another page was empty or of another epoch (8 bytes). */
export const STATE_CELL_MISSES = 584;
/**
 * The mirror (see `accel/dbt/mirror.ts`), which lets generated code reach data without a look at the TLB. Two spans
 * of virtual addresses of MMU index {@linkcode MIRRORED_INDEX} have one: the near one, which begins at 0, and the
 * far one. Of each: what to add to a virtual address to get the host address its page is shown at, if it is (8
 * bytes, modulo 2^64), and the span's size in bytes (8 bytes; 0: there is no mirror now).
 */
export const STATE_NEAR_ADDEND = 592;
/** See {@linkcode STATE_NEAR_ADDEND}. */
export const STATE_NEAR_SIZE = 600;
/** See {@linkcode STATE_NEAR_ADDEND}. */
export const STATE_FAR_ADDEND = 608;
/** See {@linkcode STATE_NEAR_ADDEND}. */
export const STATE_FAR_SIZE = 616;
/** What to add to a virtual address to get its distance from the far span's beginning (8 bytes, modulo 2^64). */
export const STATE_FAR_OFFSET = 624;
/** Host address of the last access that found no page in the mirror (8 bytes). */
export const STATE_MIRROR_FAULT = 632;
/**
 * Host registers as generated code left them when it gave up in the middle of a block (16 integer, then 16
 * FP registers, eight bytes each): the engine writes what was not yet stored back into the state.
 */
export const STATE_REGISTER_DUMP = 4096 - 256;
/** Scratch space of generated code: spills and stub temporaries. */
export const STATE_SCRATCH = 640;
/** Bytes of {@linkcode STATE_SCRATCH}. */
export const STATE_SCRATCH_BYTES = 304;
/** Addends of the pages that the streams of a running loop are in: 8 bytes each. */
export const STATE_STREAMS = 944;
/** Streams a loop can have. */
export const MOST_STREAMS = 8;
/**
 * Budget put aside while a loop runs a number of rounds that was paid for beforehand (4 bytes): given back
 * when it is left. 0 at all other times.
 */
export const STATE_BUDGET_ASIDE = 1008;
/** Host address of the table of what faults may be led on to (8 bytes; the host backend's business; 0: none). */
export const STATE_FAULT_TABLE = 1016;
/** First of the ISA's system registers, eight bytes each. */
export const STATE_SYSTEM = 1024;

/** log2 of the number of entries in each TLB table. */
export const TLB_BITS = 12;
/** Entries in each TLB table. */
export const TLB_ENTRIES = 1 << TLB_BITS;
/**
 * Bytes per TLB entry. Load and store: `{ tag: 8 bytes, addend: 8 bytes }`: the virtual address of the page
 * and what to add to a virtual address in it (modulo 2^64) to get the host address. Fetch: the second word is the RAM
 * page number (offset / 4096). An invalid entry has tag 1, which no page address equals.
 */
export const TLB_ENTRY_BYTES = 16;
/** An address shifted right by 8 and masked with this is the offset of its page's entry in a table. */
export const TLB_OFFSET_MASK: number = (TLB_ENTRIES - 1) * TLB_ENTRY_BYTES;
/** Tag (low word; the high word is 0) of an invalid TLB entry. */
export const TLB_INVALID = 1;
/**
 * Added to the tag of a store entry whose page holds translated code, and of a load or store entry whose page
 * a debugger watches: the translation is still there, so that this changes nothing the guest can see, but
 * generated code does not match it.
 */
export const TLB_GUARDED = 2;
/** Bytes per table. */
export const TLB_TABLE_BYTES = TLB_ENTRIES * TLB_ENTRY_BYTES;
/** Kinds of TLB table. */
export const TLB_LOAD = 0;
/** Kind of TLB table. */
export const TLB_STORE = 1;
/** Kind of TLB table. */
export const TLB_FETCH = 2;
/**
 * Sets of three tables each: one per MMU index, which an ISA maps its privilege modes to. A context's low
 * two bits are its MMU index.
 */
export const MMU_INDEXES = 4;
/** Offset of the first TLB table. */
export const STATE_TLB = 4096;
/** Number of eight-byte slots before the tables. */
export const STATE_SLOTS: number = STATE_TLB >> 3;
/**
 * One 64-bit mask per table, in table order: bit i is set when the i-th 64th of the table's entries may hold
 * something. Flushing looks only there.
 */
export const STATE_TLB_TOUCHED = STATE_TLB + MMU_INDEXES * 3 * TLB_TABLE_BYTES;

/** An address shifted right by this is, in its low six bits, the number of a bit in {@linkcode STATE_TLB_TOUCHED}. */
export const TLB_CHUNK_SHIFT: number = 12 + TLB_BITS - 6;

/** The MMU index whose data translations have a mirror: by convention that of user programs. */
export const MIRRORED_INDEX = 0;
/**
 * One byte per entry of the load and store tables of {@linkcode MIRRORED_INDEX}: not zero where the mirror shows
 * the page of the load entry. Whoever is about to change either entry has the page hidden before.
 */
export const STATE_MIRRORED = STATE_TLB_TOUCHED + 256;

/** Offset of a TLB table. */
export function tlbTable(mmuIndex: number, kind: number): number {
  return STATE_TLB + (mmuIndex * 3 + kind) * TLB_TABLE_BYTES;
}

/** log2 of the number of jump-cache entries. */
export const JUMP_CACHE_BITS = 12;
/**
 * Jump cache: `{ virtual pc: 8 bytes, epoch and context: 4 bytes, code address: 4 bytes }` per entry,
 * indexed by `pc >> 1`.
 */
export const STATE_JUMP_CACHE = STATE_MIRRORED + TLB_ENTRIES;
/** Bytes of a whole state block, a multiple of the page size. */
export const STATE_BYTES = (STATE_JUMP_CACHE + (16 << JUMP_CACHE_BITS) + 4095) & ~4095;
