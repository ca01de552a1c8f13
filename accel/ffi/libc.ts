/**
 * The few libc calls the engines need, through Deno FFI. This folder is the only place that may use
 * `Deno.dlopen` and raw pointers.
 */

const SYMBOLS = {
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  malloc_trim: { parameters: ["usize"], result: "i32", optional: true },
  madvise: { parameters: ["usize", "usize", "i32"], result: "i32" },
  memfd_create: { parameters: ["buffer", "u32"], result: "i32", optional: true },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  sigaction: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  // Enters generated code: bsearch(key, base, 1, 1, comparator) calls comparator(key, base) exactly once.
  // Unlike UnsafeFnPointer.call (1.4 µs), a dlopen symbol takes V8's fast path (~40 ns in all).
  bsearch: { parameters: ["pointer", "pointer", "pointer", "pointer", "pointer"], result: "void" },
} as const;

/** libc, opened. */
export type Libc = Deno.DynamicLibrary<typeof SYMBOLS>;

/** FFI cannot be used here; the message says why and what still works. */
export class FfiUnavailableError extends Error {
  override name = "FfiUnavailableError";
}

let opened: Libc | undefined;

/**
 * Opens libc once.
 *
 * @throws {FfiUnavailableError} where the host is no Linux or the permission is refused.
 */
export function libc(): Libc {
  return opened ??= openLibc(SYMBOLS, {
    needs: "The translator",
    otherwise: "The interpreter (slower) needs neither.",
  });
}

/** How errors speak of who needs libc, and of what works without. */
export interface LibcUser {
  /** Begins a sentence: "The translator". */
  readonly needs: string;
  /** A sentence. */
  readonly otherwise: string;
}

/**
 * Opens libc for the given symbols.
 *
 * @throws {FfiUnavailableError} where the host is no Linux, the permission is refused or a symbol is missing.
 */
export function openLibc<const S extends Deno.ForeignLibraryInterface>(
  symbols: S,
  { needs, otherwise }: LibcUser,
): Deno.DynamicLibrary<S> {
  if (Deno.build.os !== "linux") {
    throw new FfiUnavailableError(`${needs} needs Linux, and this host runs ${Deno.build.os}. ${otherwise}`);
  }
  // Threads had a library of their own before glibc 2.34.
  const names = ["libc.so.6", "libpthread.so.0", `libc.musl-${Deno.build.arch}.so.1`];
  let cause: unknown;
  for (const name of names) {
    try {
      return Deno.dlopen(name, symbols);
    } catch (error) {
      cause = error;
      if (error instanceof Deno.errors.NotCapable || error instanceof Deno.errors.PermissionDenied) {
        throw new FfiUnavailableError(
          `${needs} needs --allow-ffi, which was not granted. ${otherwise}`,
          { cause },
        );
      }
    }
  }
  throw new FfiUnavailableError(
    `${needs} needs a C library, and none could be opened (tried ${names.join(", ")}). ${otherwise}`,
    { cause },
  );
}

/** A host address as FFI wants it. */
export function pointer(address: number): Deno.PointerValue {
  return Deno.UnsafePointer.create(BigInt(address));
}
