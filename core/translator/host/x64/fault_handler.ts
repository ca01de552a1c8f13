/**
 * What the host's kernel calls when an access by the mirror finds no page: machine code, for no other code may run
 * in a signal handler. It lets the interrupted code go on where the fault table says (see `fault_table.ts`).
 * Whatever else has faulted is left to the handler that was there before.
 *
 * Code memory lies below 2 GiB, and while code there runs, rbp points into the state block.
 *
 * Layout of what the kernel passes: Linux <asm/ucontext.h>, <asm/sigcontext.h> (x86-64), <asm-generic/siginfo.h>.
 */
import { STATE_FAULT_TABLE, STATE_MIRROR_FAULT } from "../../layout.ts";
import { ALU_ADD, ALU_AND, ALU_CMP, ALU_SUB, type Assembler, SHIFT_SHL, SHIFT_SHR } from "./assembler.ts";
import { ENTRY_MASK, HASH_FACTOR, HASH_SHIFT } from "./fault_table.ts";
import { CC_E, CC_NE, R10, R8, R9, RAX, RCX, RDX, RSI, STATE_BIAS } from "./registers.ts";

// Offsets in struct ucontext (third argument) and siginfo_t (second argument)
const UC_RBP = 40 + 8 * 10;
const UC_RIP = 40 + 8 * 16;
const SI_ADDR = 16;

/** Emits the handler; returns its position. The address of the handler before it is to be written at `next`. */
export function emitFaultHandler(asm: Assembler): { readonly entry: number; readonly next: number } {
  const next = asm.pos;
  asm.int32(0);
  asm.int32(0);
  const entry = asm.pos;
  const others: number[] = [];
  asm.load(1, RAX, RDX, UC_RIP);
  asm.movRR(1, RCX, RAX);
  asm.shiftImm(SHIFT_SHR, 1, RCX, 31);
  others.push(asm.jcc(CC_NE));
  asm.load(1, R10, RDX, UC_RBP);
  asm.load(1, R8, R10, STATE_FAULT_TABLE - STATE_BIAS);
  asm.test(1, R8, R8);
  others.push(asm.jcc(CC_E));
  asm.movImm(R9, HASH_FACTOR, 0);
  asm.imul(0, R9, RAX);
  asm.shiftImm(SHIFT_SHR, 0, R9, HASH_SHIFT);
  const search = asm.pos;
  asm.shiftImm(SHIFT_SHL, 0, R9, 3);
  asm.alu(ALU_ADD, 1, R9, R8);
  asm.aluMem(ALU_CMP, 0, RAX, R9, 0);
  const found = asm.jcc(CC_E);
  asm.load(0, RCX, R9, 0);
  asm.test(0, RCX, RCX);
  others.push(asm.jcc(CC_E));
  asm.aluImm(ALU_ADD, 1, R9, 8);
  asm.alu(ALU_SUB, 1, R9, R8);
  asm.shiftImm(SHIFT_SHR, 0, R9, 3);
  asm.aluImm(ALU_AND, 0, R9, ENTRY_MASK);
  asm.jmpTo(search);
  asm.bind(found);
  asm.load(0, RAX, R9, 4);
  asm.store(1, RDX, UC_RIP, RAX);
  asm.load(1, RAX, RSI, SI_ADDR);
  asm.store(1, R10, STATE_MIRROR_FAULT - STATE_BIAS, RAX);
  asm.ret();
  for (const at of others) asm.bind(at);
  asm.jmpAbsolute(asm.base + next);
  return { entry, next };
}
