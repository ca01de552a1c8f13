/**
 * Memory as the machine sees it: zeroed pages from some host, and guest RAM on top of them.
 *
 * `core` never asks the operating system for anything. Whoever builds a machine hands it a
 * {@linkcode HostMemory}: plain `ArrayBuffer`s where pages need no address (interpreter), or pages
 * mapped through FFI (`accel/ffi`) where generated code must reach them.
 */

/** A span of zeroed, page-aligned host memory. */
export interface HostPages {
  /** The bytes, shared with generated code where there is any. */
  readonly buffer: ArrayBuffer;
  /** Host virtual address of byte 0; 0 where the host has no addresses (plain buffers). */
  readonly address: number;
  /** Gives the pages back. The buffer must not be touched afterwards. */
  free(): void;
  /**
   * Reserves a span of host addresses in which single pages of this memory can be shown again. There is none
   * where the host cannot do that; undefined where it refuses so large a span.
   */
  openWindow?(bytes: number): PageWindow | undefined;
  /**
   * Has the host back {@linkcode LARGE_PAGE_SIZE} bytes, from a multiple of that on, with one page of its own, where
   * it can: taking them one by one is dear.
   *
   * @returns Whether it is worth trying again elsewhere.
   */
  useLargePage?(offset: number): boolean;
}

/** Host addresses, none of which is accessible but where a page of some memory is shown. */
export interface PageWindow {
  /** Host virtual address of the first byte. */
  readonly address: number;
  /**
   * Shows the page at byte `offset` of the memory at host address `at`, both multiples of the page size, in place
   * of what was there. False when the host refuses; nothing is there then.
   */
  show(at: number, offset: number, writable: boolean): boolean;
  /** Shows nothing any more in the given bytes from a host address. */
  hide(at: number, bytes: number): void;
  /** Gives the addresses back. */
  free(): void;
}

/** Where a machine's memory comes from. */
export interface HostMemory {
  /**
   * Allocates zeroed pages.
   *
   * @throws {MemoryError} when the host refuses.
   */
  allocate(bytes: number): HostPages;
  /**
   * Allocates zeroed pages that may have {@linkcode HostPages.openWindow}, where that makes a difference.
   *
   * @throws {MemoryError} when the host refuses.
   */
  allocateShared?(bytes: number): HostPages;
  /**
   * Has the host begin to provide large pages between two of its addresses, of memory that was allocated here and will
   * be used soon. Resolves when the host knows, long before it is done.
   */
  expect?(from: number, to: number): Promise<void>;
}

/** The host could not provide memory for the guest. */
export class MemoryError extends Error {
  override name = "MemoryError";
}

/** Host memory from ordinary `ArrayBuffer`s: no permission, no address. */
export const plainMemory: HostMemory = {
  allocate(bytes: number): HostPages {
    try {
      return { buffer: new ArrayBuffer(bytes), address: 0, free() {} };
    } catch (cause) {
      throw new MemoryError(
        `The host refused ${bytes} bytes of memory; ask for a smaller guest.`,
        { cause },
      );
    }
  },
};

/** Large page size, in bytes, of the hosts that have any. */
export const LARGE_PAGE_SIZE: number = 2 ** 21;

/** A large page is worth having where at least so many of its pages are used. */
const DENSE_PAGES = 256;
/** What a page that a guest uses counts for: where it uses a few it will use many. */
const PAGES_PER_USE = 4;

/** Guest page size, in bytes, of every ISA we run. */
export const PAGE_SIZE = 4096;

/** Bytes that say something of each page. */
interface PageBytes {
  readonly pages: HostPages;
  readonly u8: Uint8Array;
}

/** Guest RAM: one contiguous span of guest-physical addresses. */
export class GuestRam {
  /** The bytes. */
  readonly u8: Uint8Array;
  /** The same bytes as 32-bit words, in host (little-endian) order. */
  readonly i32: Int32Array;
  /** The same bytes for access at any alignment. */
  readonly view: DataView;
  /** Host virtual address of byte 0 (0 without FFI). */
  readonly hostAddress: number;
  /**
   * Called before a store of `size` bytes at RAM offset `offset` changes a page with translated code.
   * The execution engine replaces it.
   */
  onCodeWrite: (offset: number, size: number) => void = () => {};
  readonly #host: HostMemory;
  readonly #pages: HostPages;
  #codePages: PageBytes | undefined;
  #counted: PageBytes | undefined;
  /** Pages that were used of each large page, about. */
  readonly #density: Uint16Array;
  /** The large page that was filled last. */
  #filled = -1;

  /**
   * @param base Guest-physical address of byte 0.
   * @param size Bytes; a multiple of the page size.
   */
  constructor(host: HostMemory, readonly base: number, readonly size: number) {
    this.#host = host;
    this.#pages = host.allocateShared?.(size) ?? host.allocate(size);
    this.u8 = new Uint8Array(this.#pages.buffer, 0, size);
    this.i32 = new Int32Array(this.#pages.buffer, 0, size / 4);
    this.view = new DataView(this.#pages.buffer, 0, size);
    this.hostAddress = this.#pages.address;
    this.#density = new Uint16Array(Math.ceil(size / LARGE_PAGE_SIZE));
    if (this.#pages.useLargePage === undefined) this.#settleAll();
  }

  /**
   * One byte per RAM page: non-zero where translated code was taken from the page. Such a page never
   * enters a store TLB, so that every store to it comes by {@linkcode GuestRam.onCodeWrite}.
   */
  get codePages(): Uint8Array {
    return this.#codePageBytes.u8;
  }

  /** Host virtual address of {@linkcode GuestRam.codePages} (0 without FFI). */
  get codePagesAddress(): number {
    return this.#codePageBytes.pages.address;
  }

  /**
   * One byte per RAM page: zero where {@linkcode GuestRam.use} is to be called before a translation leads to the page.
   */
  get counted(): Uint8Array {
    return this.#countedBytes.u8;
  }

  /** Host virtual address of {@linkcode GuestRam.counted} (0 without FFI). */
  get countedAddress(): number {
    return this.#countedBytes.pages.address;
  }

  // Both are made when somebody first asks: an engine that translates nothing does without.
  get #codePageBytes(): PageBytes {
    return this.#codePages ??= this.#pageBytes();
  }

  get #countedBytes(): PageBytes {
    if (this.#counted === undefined) {
      this.#counted = this.#pageBytes();
      this.#density.forEach((pages, large) => {
        if (pages >= DENSE_PAGES) this.#countAll(large);
      });
    }
    return this.#counted;
  }

  /** A byte for each page. */
  #pageBytes(): PageBytes {
    const pages = this.#host.allocate(Math.max(this.size / PAGE_SIZE, PAGE_SIZE));
    return { pages, u8: new Uint8Array(pages.buffer) };
  }

  /** Whether `[address, address + size)` lies in RAM, without wrapping. Addresses are guest-physical. */
  contains(address: number, size: number): boolean {
    const offset = address - this.base;
    return offset >= 0 && size <= this.size && offset <= this.size - size;
  }

  /** The guest is about to use the page of RAM at an offset. */
  use(offset: number): void {
    const page = Math.floor(offset / PAGE_SIZE);
    const { counted } = this;
    if (counted[page] !== 0) return;
    counted[page] = 1;
    this.#fill(Math.floor(offset / LARGE_PAGE_SIZE), PAGES_PER_USE);
  }

  /** About so many more pages of a large page will be used. */
  #fill(large: number, pages: number): void {
    if (this.#density[large] >= DENSE_PAGES) return;
    this.#density[large] += pages;
    if (this.#density[large] < DENSE_PAGES) return;
    this.#countAll(large);
    const from = large * LARGE_PAGE_SIZE;
    if (from + LARGE_PAGE_SIZE <= this.size && !this.#pages.useLargePage!(from)) this.#settleAll();
    // Who fills them one after the other will go on.
    const step = large - this.#filled;
    if (step === 1 || step === -1) this.#expectLargePages(large + step, large + step + 1);
    this.#filled = large;
  }

  /**
   * Bytes from an address on will be written soon: has the host begin to provide large pages for them. Addresses are
   * guest-physical, and may be outside of RAM.
   */
  async expect(address: number, size: number): Promise<void> {
    const offset = address - this.base;
    const first = Math.ceil(offset / LARGE_PAGE_SIZE), end = Math.floor((offset + size) / LARGE_PAGE_SIZE);
    await this.#expectLargePages(first, end);
  }

  /** Has the host begin to provide those of some large pages that are in RAM and nothing is known to be in. */
  async #expectLargePages(first: number, end: number): Promise<void> {
    const last = Math.min(end, Math.floor(this.size / LARGE_PAGE_SIZE));
    let from = Math.max(0, first);
    while (from < last && this.#density[from] >= DENSE_PAGES) from++;
    if (from >= last) return;
    const { hostAddress } = this;
    await this.#host.expect?.(hostAddress + from * LARGE_PAGE_SIZE, hostAddress + last * LARGE_PAGE_SIZE);
  }

  /** All of a large page counts as used. */
  #countAll(large: number): void {
    const pages = LARGE_PAGE_SIZE / PAGE_SIZE;
    this.#counted?.u8.fill(1, large * pages, (large + 1) * pages);
  }

  /** There are no large pages: nothing needs to be counted. */
  #settleAll(): void {
    this.#counted?.u8.fill(1);
    this.#density.fill(DENSE_PAGES);
  }

  /**
   * Copies bytes into RAM on behalf of a loader, a device or a test, keeping translated code coherent.
   *
   * @throws {RangeError} when the span is not wholly in RAM.
   */
  write(address: number, bytes: Uint8Array): void {
    if (!this.contains(address, bytes.length)) {
      throw new RangeError(
        `0x${address.toString(16)}+${bytes.length} is outside of guest RAM`,
      );
    }
    const offset = address - this.base;
    const last = offset + bytes.length - 1;
    if (this.#codePages !== undefined) this.#announceWrite(this.#codePages.u8, offset, last);
    for (let at = offset; at <= last;) {
      const end = Math.min(last + 1, (Math.floor(at / LARGE_PAGE_SIZE) + 1) * LARGE_PAGE_SIZE);
      this.#fill(Math.floor(at / LARGE_PAGE_SIZE), Math.ceil((end - at) / PAGE_SIZE));
      at = end;
    }
    this.u8.set(bytes, offset);
  }

  /** Bytes from an offset to another will change. */
  #announceWrite(codePages: Uint8Array, offset: number, last: number): void {
    for (let page = Math.floor(offset / PAGE_SIZE); page <= Math.floor(last / PAGE_SIZE); page++) {
      if (codePages[page] === 0) continue;
      const from = Math.max(offset, page * PAGE_SIZE);
      const to = Math.min(last + 1, (page + 1) * PAGE_SIZE);
      this.onCodeWrite(from, to - from);
    }
  }

  /**
   * Copies bytes out of RAM.
   *
   * @throws {RangeError} when the span is not wholly in RAM.
   */
  read(address: number, length: number): Uint8Array {
    if (!this.contains(address, length)) {
      throw new RangeError(
        `0x${address.toString(16)}+${length} is outside of guest RAM`,
      );
    }
    const offset = address - this.base;
    return this.u8.slice(offset, offset + length);
  }

  /** A window onto RAM; see {@linkcode HostPages.openWindow}. */
  openWindow(bytes: number): PageWindow | undefined {
    return this.#pages.openWindow?.(bytes);
  }

  /** Gives the pages back to the host. */
  free(): void {
    this.#pages.free();
    this.#codePages?.pages.free();
    this.#counted?.pages.free();
  }
}
