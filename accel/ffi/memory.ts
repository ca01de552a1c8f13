/** Host memory mapped through FFI: guest RAM and state that generated code can address. */
import {
  type HostMemory,
  type HostPages,
  LARGE_PAGE_SIZE,
  MemoryError,
  PAGE_SIZE,
  type PageWindow,
} from "../../core/memory.ts";
import { libc } from "./libc.ts";

// Linux, <asm-generic/mman.h> and <asm/mman.h> (x86)
const PROT_NONE = 0, PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4;
const MAP_SHARED = 0x01, MAP_PRIVATE = 0x02, MAP_FIXED = 0x10, MAP_ANONYMOUS = 0x20, MAP_32BIT = 0x40;
const MAP_NORESERVE = 0x4000, MAP_POPULATE = 0x8000;
const MADV_DONTNEED = 4, MADV_HUGEPAGE = 14, MADV_COLLAPSE = 25;
const MFD_CLOEXEC = 1;

/** What mmap gives; undefined where it fails. */
function tryMap(
  at: number,
  bytes: number,
  prot: number,
  flags: number,
  file = -1,
  offset = 0,
): { readonly pointer: Deno.PointerObject; readonly address: number } | undefined {
  const pointer = libc().symbols.mmap(BigInt(at), BigInt(bytes), prot, flags, file, BigInt(offset));
  const address = Number(Deno.UnsafePointer.value(pointer));
  // MAP_FAILED is -1, which arrives as 2^64 - 1.
  return pointer === null || address > 2 ** 52 ? undefined : { pointer, address };
}

function map(bytes: number, prot: number, flags: number, what: string): HostPages {
  const mapped = tryMap(0, bytes, prot, flags);
  if (mapped === undefined) throw refused(bytes, what);
  const { pointer, address } = mapped;
  return {
    buffer: Deno.UnsafePointerView.getArrayBuffer(pointer, bytes),
    address,
    free: () => void libc().symbols.munmap(pointer, BigInt(bytes)),
  };
}

function refused(bytes: number, what: string): MemoryError {
  return new MemoryError(`The host refused ${bytes} bytes of ${what}.`);
}

const READ_WRITE = PROT_READ | PROT_WRITE;
const ANONYMOUS = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
const GUEST_MEMORY = "memory for the guest";

/** Mappings of machines that have ended, emptied, which the next machine's begin with. */
class Spares {
  readonly #kept: { readonly pages: HostPages; readonly unmap: () => void }[] = [];

  /**
   * @param most How many are kept.
   * @param empty Makes a mapping as good as new; false where that fails.
   */
  constructor(private readonly most: number, private readonly empty: (pages: HostPages) => boolean) {}

  /** A mapping of that size, which comes back when it is freed. */
  map(bytes: number): HostPages {
    const at = this.#kept.findIndex(({ pages }) => pages.buffer.byteLength === bytes);
    if (at >= 0) return this.#kept.splice(at, 1)[0].pages;
    const { buffer, address, free: unmap } = map(bytes, READ_WRITE, ANONYMOUS, GUEST_MEMORY);
    const pages: HostPages = {
      buffer,
      address,
      free: () => {
        if (!this.empty(pages)) return unmap();
        this.#kept.push({ pages, unmap });
        if (this.#kept.length > this.most) this.#kept.shift()!.unmap();
      },
    };
    return pages;
  }
}

/** From this size on a mapping is as large as a guest's RAM: for each new one V8 would collect all garbage there is. */
const LARGE_BYTES = 64 << 20;
/** The host has the memory back; only addresses are kept. */
const largeSpares = new Spares(
  2,
  ({ address, buffer }) =>
    libc().symbols.madvise(BigInt(address), BigInt(buffer.byteLength), MADV_DONTNEED) === 0,
);
/** Single pages by which machines talk to the kernel: taking one from the host takes longer than emptying it. */
const pageSpares = new Spares(16, ({ buffer }) => {
  new Uint8Array(buffer).fill(0);
  return true;
});

/** From this size on small mappings get a large page: taking a few dozen pages one by one costs more. */
const DENSE_BYTES = 512 << 10;

/** A mapping of which much is used from the start: in large pages, where the host has any. */
function mapDense(bytes: number): HostPages {
  const whole = Math.ceil(bytes / LARGE_PAGE_SIZE) * LARGE_PAGE_SIZE;
  const { pointer, address, free } = mapAligned(whole, ANONYMOUS);
  libc().symbols.madvise(BigInt(address), BigInt(whole), MADV_HUGEPAGE);
  return { buffer: Deno.UnsafePointerView.getArrayBuffer(pointer, bytes), address, free };
}

/** Zeroed pages with an address, from anonymous mappings. */
export const mappedMemory: HostMemory = {
  allocate(bytes) {
    if (bytes === PAGE_SIZE) return pageSpares.map(bytes);
    if (bytes >= LARGE_BYTES) return largeSpares.map(bytes);
    return bytes >= DENSE_BYTES ? mapDense(bytes) : map(bytes, READ_WRITE, ANONYMOUS, GUEST_MEMORY);
  },
};

/** The same, with windows onto what is allocated to be shared, where the host has files in memory. */
export const sharedMemory: HostMemory = {
  ...mappedMemory,
  allocateShared(bytes) {
    const { memfd_create, ftruncate, close } = libc().symbols;
    const file = memfd_create?.(new TextEncoder().encode("guest-ram\0"), MFD_CLOEXEC) ?? -1;
    if (file < 0) return mappedMemory.allocate(bytes);
    if (ftruncate(file, BigInt(bytes)) !== 0) {
      close(file);
      return mappedMemory.allocate(bytes);
    }
    const { pointer, address, free } = mapAligned(bytes, MAP_SHARED | MAP_NORESERVE, file);
    const buffer = Deno.UnsafePointerView.getArrayBuffer(pointer, bytes);
    return {
      buffer,
      address,
      openWindow: (size) => openWindow(file, size),
      useLargePage: (offset) => collapse(buffer, address, offset),
      free: () => {
        free();
        close(file);
      },
    };
  },
};

/** Maps memory at a multiple of the large page size. */
function mapAligned(
  bytes: number,
  flags: number,
  file?: number,
): { pointer: Deno.PointerObject; address: number; free: () => void } {
  const reserved = tryMap(0, bytes + LARGE_PAGE_SIZE, PROT_NONE, ANONYMOUS);
  if (reserved === undefined) throw refused(bytes, GUEST_MEMORY);
  const free = () => void libc().symbols.munmap(reserved.pointer, BigInt(bytes + LARGE_PAGE_SIZE));
  const address = Math.ceil(reserved.address / LARGE_PAGE_SIZE) * LARGE_PAGE_SIZE;
  if (tryMap(address, bytes, READ_WRITE, flags | MAP_FIXED, file) === undefined) {
    free();
    throw refused(bytes, GUEST_MEMORY);
  }
  return { pointer: Deno.UnsafePointer.create(BigInt(address))!, address, free };
}

/**
 * Makes one large page of the pages of a file in memory that is mapped at an address. Hosts do so on their own only
 * where they are configured to, but if told to for one page nearly always (Linux 6.1).
 */
function collapse(mapped: ArrayBuffer, address: number, offset: number): boolean {
  const words = new Int32Array(mapped, offset, 1);
  Atomics.add(words, 0, 0); // there must be a page to begin with
  return libc().symbols.madvise(BigInt(address + offset), BigInt(LARGE_PAGE_SIZE), MADV_COLLAPSE) === 0;
}

/** A window onto a file in memory: reserved addresses, over which its pages are mapped one by one. */
function openWindow(file: number, bytes: number): PageWindow | undefined {
  const reserved = tryMap(0, bytes, PROT_NONE, ANONYMOUS);
  if (reserved === undefined) return undefined;
  const hide = (at: number, size: number) => {
    if (tryMap(at, size, PROT_NONE, ANONYMOUS | MAP_FIXED) === undefined) {
      throw new MemoryError("The host refused to hide pages of the guest's memory.");
    }
  };
  return {
    address: reserved.address,
    show(at, offset, writable) {
      const prot = writable ? READ_WRITE : PROT_READ;
      const shown = tryMap(at, PAGE_SIZE, prot, MAP_SHARED | MAP_FIXED | MAP_POPULATE, file, offset);
      if (shown === undefined) hide(at, PAGE_SIZE);
      return shown !== undefined;
    },
    hide,
    free: () => void libc().symbols.munmap(reserved.pointer, BigInt(bytes)),
  };
}

/** Has the C library give back what it keeps of memory that nobody uses any more. */
export function trimHeap(): void {
  libc().symbols.malloc_trim?.(0n);
}

/**
 * Pages for generated code: readable, writable, executable, and below 2 GiB so that code addresses fit
 * 32 bits.
 *
 * @param remedy What to do on a host without; it ends a sentence.
 * @throws {MemoryError} where the host forbids such memory (SELinux execmem, some containers).
 */
export function allocateCode(
  bytes: number,
  remedy = "use the interpreter engine on this host",
): HostPages {
  const pages = map(bytes, READ_WRITE | PROT_EXEC, ANONYMOUS | MAP_32BIT, `executable memory; ${remedy}`);
  // Code is written from the first byte on. It is a favour, not a need.
  libc().symbols.madvise(BigInt(pages.address), BigInt(bytes), MADV_HUGEPAGE);
  return pages;
}

/**
 * A function that enters generated code: the code at `entry` is called as `f(state)` by the platform's C
 * convention. One call costs about 40 ns.
 */
export function nativeEntry(entry: number, state: number): () => void {
  const { bsearch } = libc().symbols;
  const code = Deno.UnsafePointer.create(BigInt(entry));
  const argument = Deno.UnsafePointer.create(BigInt(state));
  // Sizes are passed as pointers too: plain 64-bit integers would leave the fast path.
  const one = Deno.UnsafePointer.create(1n);
  return () => bsearch(argument, argument, one, one, code);
}
