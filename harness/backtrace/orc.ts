/**
 * Linux's ORC tables: for every range of the kernel's code, where the caller's stack pointer, frame pointer and
 * return address are. They lie in guest memory between symbols, sorted by address; nothing is copied, a look-up reads
 * some twenty words. Modules have tables of their own, which are not read: a backtrace ends there.
 *
 * Format: Linux Documentation/arch/x86/orc-unwinder.rst, `arch/x86/include/asm/orc_types.h`; it changed in 6.4.
 */
import { mayBeKernelCode, type UnwindContext, type UnwindFrame } from "./unwinder.ts";
import { interruptedFrame, IRET_OFFSET, isAfterCall, savedFrame } from "./x86_64_entry.ts";

const IP_BYTES = 4;
const ENTRY_BYTES = 6;
/** More than any kernel has. */
const MAX_ENTRIES = 1 << 24;
/** How many entries are looked at to tell the format. */
const SAMPLES = 64;

// Registers that others are found by
const REG_UNDEFINED = 0;
const REG_PREV_SP = 1;
const REG_DX = 2;
const REG_DI = 3;
const REG_BP = 4;
const REG_SP = 5;
const REG_R10 = 6;
const REG_R13 = 7;
const REG_BP_INDIRECT = 8;
const REG_SP_INDIRECT = 9;
const NAMED_REGISTERS: Readonly<Record<number, string>> = {
  [REG_DX]: "rdx",
  [REG_DI]: "rdi",
  [REG_R10]: "r10",
  [REG_R13]: "r13",
};

/** How an entry's third field is split. Before 6.4 types were two bits wide and began with the calls. */
export interface OrcFormat {
  /** Bits of the type. */
  readonly typeMask: number;
  /** The type of what was called. */
  readonly call: number;
}
const FORMAT_6_4: OrcFormat = { typeMask: 7, call: 2 };
const FORMAT_BEFORE: OrcFormat = { typeMask: 3, call: 0 };

/** Where a kernel's tables are. */
export interface OrcTables {
  /** Of the addresses, each a 32-bit distance from itself. */
  readonly ips: bigint;
  /** Of the entries. */
  readonly entries: bigint;
  /** How many of each. */
  readonly count: number;
  /** How entries are to be read. */
  readonly format: OrcFormat;
}

/** One entry. */
interface OrcEntry {
  readonly spOffset: bigint;
  readonly bpOffset: bigint;
  readonly spRegister: number;
  readonly bpRegister: number;
  readonly type: number;
}

/** The kernel's tables; undefined when it has none, or has not yet sorted out where it lies. */
export function findOrcTables(context: UnwindContext): OrcTables | undefined {
  const address = (name: string) => context.kernel?.lookup(name)?.address;
  const ips = address("__start_orc_unwind_ip"), end = address("__stop_orc_unwind_ip");
  const entries = address("__start_orc_unwind");
  if (ips === undefined || end === undefined || entries === undefined) return undefined;
  const count = Number((end - ips) / BigInt(IP_BYTES));
  if (count <= 0 || count > MAX_ENTRIES) return undefined;
  const tables = { ips, entries, count, format: FORMAT_6_4 };
  // Since 6.4 what has a stack pointer is never of type 0; before, most was.
  for (let i = 0; i < SAMPLES; i++) {
    const entry = readEntry(tables, Math.floor(i * count / SAMPLES), context);
    if (!entry) return undefined;
    if (entry.spRegister !== REG_UNDEFINED && entry.type === FORMAT_BEFORE.call) {
      return { ...tables, format: FORMAT_BEFORE };
    }
  }
  return tables;
}

/** The frame that called or was interrupted by another. */
export function orcCaller(
  frame: UnwindFrame,
  tables: OrcTables,
  context: UnwindContext,
): UnwindFrame | undefined {
  const entry = findEntry(tables, frame.called ? frame.pc - 1n : frame.pc, context);
  if (entry?.spRegister === REG_UNDEFINED && !frame.called) return callerOfThunk(frame, context);
  const previousSp = entry && callerSp(frame, entry, context);
  if (entry === undefined || previousSp === undefined) return undefined;
  const { memory } = context;
  const kind = entry.type - tables.format.call; // 0 call, 1 all registers, 2 what the processor pushed
  if (kind === 1) return savedFrame(previousSp, memory);
  const fp = callerFp(frame, entry, previousSp, context);
  if (fp === undefined) return undefined;
  if (kind === 2) return interruptedFrame(previousSp - IRET_OFFSET, fp, memory);
  const pc = kind === 0 ? memory.word(previousSp - 8n) : undefined;
  if (pc === undefined || previousSp <= frame.sp && frame.called || !mayBeKernelCode(pc, frame, context)) {
    return undefined;
  }
  return { pc, sp: previousSp, fp, user: false, called: true };
}

/**
 * The caller of code that tables say nothing of, such as retpolines: those keep the return address at the top of the
 * stack, or one word below while they run.
 */
function callerOfThunk(frame: UnwindFrame, context: UnwindContext): UnwindFrame | undefined {
  for (const at of [frame.sp, frame.sp + 8n]) {
    const pc = context.memory.word(at);
    const known = pc !== undefined && context.kernel?.find(pc - 1n) && mayBeKernelCode(pc, frame, context);
    if (known && isAfterCall(pc, context)) {
      return { pc, sp: at + 8n, fp: frame.fp, user: false, called: true };
    }
  }
  return undefined;
}

function callerSp(frame: UnwindFrame, entry: OrcEntry, { memory }: UnwindContext): bigint | undefined {
  const { spRegister, spOffset } = entry;
  switch (spRegister) {
    case REG_SP:
      return frame.sp + spOffset;
    case REG_BP:
      return frame.fp + spOffset;
    case REG_BP_INDIRECT:
      return memory.word(frame.fp + spOffset);
    case REG_SP_INDIRECT: {
      const found = memory.word(frame.sp);
      return found === undefined ? undefined : found + spOffset;
    }
    default: {
      const name = NAMED_REGISTERS[spRegister];
      return name === undefined ? undefined : frame.register?.(name);
    }
  }
}

function callerFp(
  frame: UnwindFrame,
  { bpRegister, bpOffset }: OrcEntry,
  previousSp: bigint,
  { memory }: UnwindContext,
): bigint | undefined {
  if (bpRegister === REG_UNDEFINED) return frame.fp;
  if (bpRegister === REG_PREV_SP) return memory.word(previousSp + bpOffset);
  return bpRegister === REG_BP ? memory.word(frame.fp + bpOffset) : undefined;
}

/** The last entry at or before an address. */
function findEntry(tables: OrcTables, address: bigint, context: UnwindContext): OrcEntry | undefined {
  let from = 0, to = tables.count;
  while (from < to) {
    const middle = (from + to) >>> 1;
    const at = tables.ips + BigInt(middle * IP_BYTES);
    const bytes = context.memory.bytes(at, IP_BYTES);
    if (bytes.length < IP_BYTES) return undefined;
    const ip = at + BigInt(new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, true));
    if (ip <= address) from = middle + 1;
    else to = middle;
  }
  return from === 0 ? undefined : readEntry(tables, from - 1, context);
}

function readEntry(tables: OrcTables, index: number, { memory }: UnwindContext): OrcEntry | undefined {
  const bytes = memory.bytes(tables.entries + BigInt(index * ENTRY_BYTES), ENTRY_BYTES);
  if (bytes.length < ENTRY_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return {
    spOffset: BigInt(view.getInt16(0, true)),
    bpOffset: BigInt(view.getInt16(2, true)),
    spRegister: bytes[4] & 15,
    bpRegister: bytes[4] >> 4,
    type: bytes[5] & tables.format.typeMask,
  };
}
