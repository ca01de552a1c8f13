/**
 * A clock for what takes microseconds: the host processor's own counter, read by machine code.
 *
 * A system call would take as long as what is measured. And where it changes page tables, as hosts do that isolate
 * their kernel's, what follows it takes a tenth longer than it would.
 */
import { PAGE_SIZE } from "../../core/memory.ts";
import { Assembler } from "../../core/translator/host/x64/assembler.ts";
import { RAX, RDI, RDX } from "../../core/translator/host/x64/registers.ts";
import { allocateCode, nativeEntry } from "./memory.ts";

/** Where in the page, behind the code, the counter is put. */
const COUNTER = PAGE_SIZE / 2;

/** Counts cycles at a constant rate, which is not the one at which the processor runs (Intel SDM vol. 3, 19.17). */
export interface CycleClock extends Disposable {
  /** Cycles since some time in the past. */
  (): number;
  /** How long a cycle is, in ms: as it was on average since the clock was made. */
  cycleMs(): number;
}

/** A clock of this host. */
export function cycleClock(): CycleClock {
  const { buffer, address, free } = allocateCode(PAGE_SIZE);
  const asm = new Assembler(new Uint8Array(buffer), address);
  asm.rdtsc();
  asm.store(0, RDI, 0, RAX);
  asm.store(0, RDI, 4, RDX);
  asm.ret();
  const counter = new Uint32Array(buffer, COUNTER, 2);
  const readCounter = nativeEntry(address, address + COUNTER);
  const read = () => {
    readCounter();
    return counter[0] + counter[1] * 2 ** 32;
  };
  const madeMs = performance.now(), made = read();
  return Object.assign(read, {
    cycleMs: () => (performance.now() - madeMs) / (read() - made),
    [Symbol.dispose]: free,
  });
}
