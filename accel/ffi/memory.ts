/** Host memory mapped through FFI: guest RAM and state that generated code can address. */
import { type HostMemory, type HostPages, MemoryError } from "../../core/memory.ts";
import { libc } from "./libc.ts";

// Linux, <asm-generic/mman.h> and <asm/mman.h> (x86)
const PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4;
const MAP_PRIVATE = 0x02, MAP_ANONYMOUS = 0x20, MAP_32BIT = 0x40, MAP_NORESERVE = 0x4000;

function map(bytes: number, prot: number, flags: number, what: string): HostPages {
  const { mmap, munmap } = libc().symbols;
  const pointer = mmap(0n, BigInt(bytes), prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0n);
  const address = Number(Deno.UnsafePointer.value(pointer));
  // MAP_FAILED is -1, which arrives as 2^64 - 1.
  if (pointer === null || address > 2 ** 52) {
    throw new MemoryError(`The host refused ${bytes} bytes of ${what}.`);
  }
  return {
    buffer: Deno.UnsafePointerView.getArrayBuffer(pointer, bytes),
    address,
    free: () => void munmap(pointer, BigInt(bytes)),
  };
}

/** Zeroed pages with an address, from anonymous mappings. */
export const mappedMemory: HostMemory = {
  allocate: (bytes) => map(bytes, PROT_READ | PROT_WRITE, MAP_NORESERVE, "memory for the guest"),
};

/**
 * Pages for generated code: readable, writable, executable, and below 2 GiB so that code addresses fit
 * 32 bits.
 *
 * @throws {MemoryError} where the host forbids such memory (SELinux execmem, some containers).
 */
export function allocateCode(bytes: number): HostPages {
  return map(
    bytes,
    PROT_READ | PROT_WRITE | PROT_EXEC,
    MAP_32BIT | MAP_NORESERVE,
    "executable memory; use the interpreter engine on this host",
  );
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
