/** Accesses to memory that is not there, made by generated code on purpose: a signal handler leads it on. */
import type { HostPages } from "../../core/memory.ts";
import { PAGE_SIZE } from "../../core/memory.ts";
import { libc } from "./libc.ts";
import { allocateCode } from "./memory.ts";

// Linux, <asm-generic/signal.h>, <asm/signal.h> (x86); libc's struct sigaction on x86-64 (glibc and musl)
const SIGSEGV = 11;
const SA_SIGINFO = 4, SA_ONSTACK = 0x0800_0000;
const SIGACTION_BYTES = 152, SA_FLAGS = 136;

let installed: boolean | undefined;

/**
 * Installs a handler of memory faults for the rest of this process, once.
 *
 * @param emit Writes the handler's machine code; gives its offset, and that of eight bytes for the address of the
 * handler it leaves other faults to.
 * @returns Whether it is there.
 */
export function installFaultHandler(
  emit: (code: HostPages) => { readonly entry: number; readonly next: number },
): boolean {
  return installed ??= install(emit);
}

function install(emit: (code: HostPages) => { readonly entry: number; readonly next: number }): boolean {
  const { sigaction } = libc().symbols;
  const before = new Uint8Array(SIGACTION_BYTES), action = new Uint8Array(SIGACTION_BYTES);
  if (sigaction(SIGSEGV, null, before) !== 0) return false;
  const previous = new DataView(before.buffer).getBigUint64(0, true);
  // The runtime has a handler, which tells of exhausted stacks. Without one (0: default, 1: ignore) there would be
  // nobody to leave other faults to.
  if (previous <= 1n) return false;
  const code = allocateCode(PAGE_SIZE);
  const { entry, next } = emit(code);
  new DataView(code.buffer).setBigUint64(next, previous, true);
  const view = new DataView(action.buffer);
  view.setBigUint64(0, BigInt(code.address + entry), true);
  view.setInt32(SA_FLAGS, SA_SIGINFO | SA_ONSTACK, true);
  return sigaction(SIGSEGV, action, null) === 0;
}
