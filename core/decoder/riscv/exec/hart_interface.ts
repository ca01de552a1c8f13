/**
 * What the semantics of instructions need from the vCPU that executes them. 64-bit values travel as two
 * int32 halves; nothing here allocates.
 *
 * A member that raises a trap sets the next pc to the trap vector; the instruction must then change nothing
 * more. Instructions may arrive expanded from their compressed form: what traps report as the instruction's
 * bits is the vCPU's business.
 */
export interface Hart {
  /**
   * Register words: the halves of x[i] at 2i and 2i + 1, those of f[i] at 64 + 2i and 65 + 2i, system
   * registers where `state.ts` says. x0 holds zero and is never written.
   */
  readonly state: Int32Array;
  /** Low half of the current instruction's pc. */
  pcLo: number;
  /** High half of the current instruction's pc. */
  pcHi: number;
  /** Low half of the pc to go on at: the following instruction's, until a jump overwrites it. */
  nextLo: number;
  /** High half of the pc to go on at. */
  nextHi: number;
  /** Low half of what the last load, reservation or CSR access gave. */
  lo: number;
  /** High half of the same. */
  hi: number;

  /** Loads 1, 2, 4 or 8 bytes, zero-extended, at any alignment. False when it trapped. */
  load(addrLo: number, addrHi: number, size: number): boolean;
  /** Stores the low 1, 2, 4 or 8 bytes at any alignment. False when it trapped. */
  store(addrLo: number, addrHi: number, size: number, lo: number, hi: number): boolean;
  /** Loads 4 or 8 aligned bytes that the same instruction will store to: traps as a store would. */
  loadForAmo(addrLo: number, addrHi: number, size: number): boolean;
  /** Loads 4 or 8 aligned bytes and reserves them. False when it trapped. */
  loadReserved(addrLo: number, addrHi: number, size: number): boolean;
  /**
   * Stores 4 or 8 aligned bytes if they are still reserved, and ends the reservation: `lo` becomes 0 if it
   * stored and 1 if not. False when it trapped.
   */
  storeConditional(addrLo: number, addrHi: number, size: number, lo: number, hi: number): boolean;

  /** Raises an illegal-instruction exception. */
  illegal(insn: number): void;
  /** Raises an environment call from the current mode. */
  ecall(): void;
  /** Raises a breakpoint exception. */
  ebreak(): void;
  /** Returns from a trap to M-mode, if the mode permits. */
  mret(insn: number): void;
  /** Returns from a trap to S-mode, if the mode permits. */
  sret(insn: number): void;
  /** Waits for an interrupt, if the mode permits. */
  wfi(insn: number): void;
  /** Orders memory accesses. */
  fence(): void;
  /** Makes earlier stores visible to instruction fetches. */
  fenceI(): void;
  /** Forgets translations of the address in x[rs1] and the address space in x[rs2] (all if 0), if permitted. */
  sfenceVma(rs1: number, rs2: number, insn: number): void;
  /**
   * Accesses a CSR. Its old value goes to `lo` and `hi`; `read` and `write` tell which side effects happen.
   *
   * @param op 0 writes the value, 1 sets its bits, 2 clears its bits.
   * @returns false when it trapped.
   */
  csr(
    number: number,
    op: number,
    read: boolean,
    write: boolean,
    valueLo: number,
    valueHi: number,
    insn: number,
  ): boolean;

  /** Whether the FPU is on (mstatus.FS); raises an illegal-instruction exception if not. */
  fpEnabled(insn: number): boolean;
  /**
   * Marks the FPU's state as dirty. Every FP instruction calls it that may write an FP register or raise a
   * flag, whether or not it does so this time: translations decide without knowing operands.
   */
  fpDirty(): void;
  /** The rounding mode an `rm` field asks for (0 to 4); -1 after raising an illegal-instruction exception. */
  roundingMode(rm: number, insn: number): number;
  /** Adds exceptions (NV 16, DZ 8, OF 4, UF 2, NX 1) to fflags. */
  accrue(flags: number): void;
}

/** The semantics of one instruction, given its 32-bit encoding. */
export type Execute = (hart: Hart, insn: number) => void;

/** A chapter's instructions by name. */
export type Semantics = Readonly<Record<string, Execute>>;
