/**
 * Where a debugger wants the machine to stop: breakpoints and watchpoints, by virtual address, whichever vCPU
 * and address space comes by. Nothing of them is in guest memory, and none costs the guest an instruction.
 *
 * The interpreter is the one place that stops. It asks before each instruction while there are breakpoints, and
 * at each access of a watched page, since the translations of such pages are guarded in the TLBs (TLB_GUARDED)
 * and never match on fast paths. Translated code leaves an instruction with a breakpoint, and accesses of
 * guarded pages, to the interpreter; the rest of it runs at full speed. Under KVM the processor's own debug
 * registers do it (`accel/kvm/guest_debug.ts`).
 */
import { PAGE_SIZE } from "../memory.ts";

/** Which accesses a watchpoint stops at. */
export type WatchKind = "read" | "write" | "access";

/** Bytes that are watched. */
export interface Watchpoint {
  readonly kind: WatchKind;
  /** Virtual address of the first byte, below 2^64. */
  readonly address: bigint;
  /** Bytes, 1 or more. */
  readonly length: number;
}

/** Why the machine stopped. */
export interface DebugHit {
  /** Number of the vCPU. */
  readonly cpu: number;
  /** The watchpoint, whose access has been executed; undefined at a breakpoint, which has not. */
  readonly watchpoint?: Watchpoint;
  /** The breakpoint's address, or that of the first watched byte that was accessed. */
  readonly address: bigint;
}

/** Most pages that can be watched at a time: each costs every page walk a comparison. */
export const MOST_WATCHED_PAGES = 32;

const OFFSET_MASK = PAGE_SIZE - 1;

/** A page's virtual address. */
export interface Page {
  /** Its low half, signed. */
  readonly lo: number;
  /** Its high half, signed. */
  readonly hi: number;
}

/** The breakpoints and watchpoints of one machine. They change only while the machine stands still. */
export class DebugPoints {
  /** Whether there are breakpoints. */
  armed = false;
  /** Whether there are watchpoints. */
  watching = false;
  /** Why the machine stopped last. Whoever lets it go on clears it. */
  hit: DebugHit | undefined;
  /** Called when code that was translated with or without a breakpoint at an address is out of date. */
  onBreakpointChange: (lo: number, hi: number) => void = () => {};
  /** Called when page walkers that were translated for other watched pages are out of date. */
  onWatchedPagesChange: () => void = () => {};
  readonly #breakpoints = new Set<bigint>();
  /** How many breakpoints there are at each offset of a page; nothing before there was one. */
  #byOffset: Uint16Array | undefined;
  #watchpoints: readonly Watchpoint[] = [];
  #pages: readonly Page[] = [];
  #passed: bigint | undefined;

  /**
   * Made with its machine.
   *
   * @param requestStop Makes the machine stop at the next instruction boundary.
   * @param watchedPageChanged Makes every vCPU guard a page's translations, or free them.
   */
  constructor(
    private readonly requestStop: () => void = () => {},
    private readonly watchedPageChanged: (lo: number, hi: number) => void = () => {},
  ) {}

  /** Sets the breakpoints, replacing those there were. Addresses are virtual, below 2^64. */
  setBreakpoints(addresses: ReadonlySet<bigint>): void {
    for (const address of [...this.#breakpoints]) if (!addresses.has(address)) this.#toggle(address);
    for (const address of addresses) if (!this.#breakpoints.has(address)) this.#toggle(address);
    this.armed = this.#breakpoints.size > 0;
  }

  #toggle(address: bigint): void {
    const lo = lowHalf(address);
    const byOffset = this.#byOffset ??= new Uint16Array(PAGE_SIZE);
    if (this.#breakpoints.delete(address)) byOffset[lo & OFFSET_MASK]--;
    else {
      this.#breakpoints.add(address);
      byOffset[lo & OFFSET_MASK]++;
    }
    this.onBreakpointChange(lo, lowHalf(address >> 32n));
  }

  /** The breakpoints' addresses. */
  get breakpoints(): ReadonlySet<bigint> {
    return this.#breakpoints;
  }

  /** The watchpoints. */
  get watchpoints(): readonly Watchpoint[] {
    return this.#watchpoints;
  }

  /** Somebody else has noticed a hit, the processor for instance: the machine is told to stop. */
  report(hit: DebugHit): void {
    this.hit ??= hit;
    this.requestStop();
  }

  /** Whether there is a breakpoint at an address. */
  hasBreakpoint(lo: number, hi: number): boolean {
    const byOffset = this.#byOffset;
    return byOffset !== undefined && byOffset[lo & OFFSET_MASK] !== 0 && this.#breakpoints.has(join(lo, hi));
  }

  /** Lets the next instruction pass, if it is the one at `address`. The last word counts; undefined ends it. */
  letPass(address: bigint | undefined): void {
    this.#passed = address;
  }

  /** A vCPU is about to execute an instruction. True when it must not: the machine is told to stop then. */
  stopsAt(cpu: number, lo: number, hi: number): boolean {
    if (!this.hasBreakpoint(lo, hi)) return false;
    const address = join(lo, hi);
    if (address === this.#passed) return false;
    this.report({ cpu, address });
    return true;
  }

  /**
   * Sets the watchpoints, replacing those there were.
   *
   * @throws {RangeError} when they are spread over too many pages; nothing has changed then.
   */
  setWatchpoints(watchpoints: readonly Watchpoint[]): void {
    const pages = pagesOf(watchpoints);
    const before = this.#pages;
    this.#watchpoints = watchpoints;
    this.#pages = pages;
    this.watching = watchpoints.length > 0;
    const changed = [
      ...before.filter((page) => !includes(pages, page.lo, page.hi)),
      ...pages.filter((page) => !includes(before, page.lo, page.hi)),
    ];
    for (const { lo, hi } of changed) this.watchedPageChanged(lo, hi);
    if (changed.length > 0) this.onWatchedPagesChange();
  }

  /** The pages that hold watched bytes. */
  get watchedPages(): readonly Page[] {
    return this.#pages;
  }

  /** Whether the page of an address holds watched bytes. */
  watchesPage(lo: number, hi: number): boolean {
    return this.watching && includes(this.#pages, lo & ~OFFSET_MASK, hi);
  }

  /**
   * A vCPU has read or written `size` bytes (at most 8, or what an ISA's widest access has). True when they are
   * watched: the machine is told to stop after the instruction.
   */
  accessed(cpu: number, kind: "read" | "write", lo: number, hi: number, size: number): boolean {
    const inOnePage = (lo & OFFSET_MASK) + size <= PAGE_SIZE;
    if (inOnePage && !this.watchesPage(lo, hi)) return false;
    const from = join(lo, hi), to = from + BigInt(size);
    for (const watchpoint of this.#watchpoints) {
      if (watchpoint.kind !== "access" && watchpoint.kind !== kind) continue;
      const { address } = watchpoint;
      if (from >= address + BigInt(watchpoint.length) || address >= to) continue;
      this.report({ cpu, watchpoint, address: from > address ? from : address });
      return true;
    }
    return false;
  }
}

function includes(pages: readonly Page[], lo: number, hi: number): boolean {
  for (let i = 0; i < pages.length; i++) if (pages[i].lo === lo && pages[i].hi === hi) return true;
  return false;
}

/**
 * The pages that hold watched bytes.
 *
 * @throws {RangeError} when they are more than {@linkcode MOST_WATCHED_PAGES}.
 */
export function pagesOf(watchpoints: readonly Watchpoint[]): readonly Page[] {
  const pages: Page[] = [];
  for (const { address, length } of watchpoints) {
    const span = Number(address & BigInt(OFFSET_MASK)) + length;
    for (let offset = 0; offset < span; offset += PAGE_SIZE) {
      const at = address + BigInt(offset);
      const lo = lowHalf(at) & ~OFFSET_MASK, hi = lowHalf(at >> 32n);
      if (includes(pages, lo, hi)) continue;
      if (pages.length === MOST_WATCHED_PAGES) {
        throw new RangeError(`Watchpoints may lie in ${MOST_WATCHED_PAGES} pages; these lie in more.`);
      }
      pages.push({ lo, hi });
    }
  }
  return pages;
}

function lowHalf(value: bigint): number {
  return Number(BigInt.asIntN(32, value));
}

function join(lo: number, hi: number): bigint {
  return BigInt(hi >>> 0) << 32n | BigInt(lo >>> 0);
}
