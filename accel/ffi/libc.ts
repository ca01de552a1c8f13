/**
 * The few libc calls the engines need, through Deno FFI. This folder is the only place that may use
 * `Deno.dlopen` and raw pointers.
 */

const SYMBOLS = {
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  clock_gettime: { parameters: ["i32", "pointer"], result: "i32" },
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
  if (opened) return opened;
  if (Deno.build.os !== "linux") {
    throw new FfiUnavailableError(
      `Generated code needs Linux; this host runs ${Deno.build.os}. The interpreter works everywhere.`,
    );
  }
  const names = ["libc.so.6", `libc.musl-${Deno.build.arch}.so.1`];
  let cause: unknown;
  for (const name of names) {
    try {
      return opened = Deno.dlopen(name, SYMBOLS);
    } catch (error) {
      cause = error;
      if (error instanceof Deno.errors.NotCapable || error instanceof Deno.errors.PermissionDenied) {
        throw new FfiUnavailableError(
          "The translator needs --allow-ffi, which was not granted. " +
            "Grant it, or use the interpreter (slower), which needs no permission.",
          { cause },
        );
      }
    }
  }
  throw new FfiUnavailableError(
    `No C library could be opened (tried ${names.join(", ")}). The interpreter works without one.`,
    { cause },
  );
}
