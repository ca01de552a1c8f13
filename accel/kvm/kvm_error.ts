/** What goes wrong with KVM. */
import { errnoText, lastErrno } from "../ffi/posix.ts";

/** The kernel refused something. */
export class KvmError extends Error {
  override name = "KvmError";

  /**
   * Made by the call that failed.
   *
   * @param call The ioctl, or what else was called.
   * @param errno Linux's error number.
   * @param hint A sentence that says more, if there is one.
   */
  constructor(readonly call: string, readonly errno: number, hint?: string) {
    super(`${call} failed: ${errnoText(errno)}.${hint ? ` ${hint}` : ""}`);
  }
}

/** Passes on what a call gave; throws when it is negative. */
export function checked(result: number, call: string, hint?: string): number {
  if (result < 0) throw new KvmError(call, lastErrno(), hint);
  return result;
}
