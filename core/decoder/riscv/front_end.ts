/**
 * The RV64 front end of the translator: takes instructions from RAM and writes IR. How a block grows is decided
 * in `translate/translation.ts`; here is the loop over its instructions.
 *
 * A block belongs to one page of RAM. An instruction whose second half lies in the next page ends it: what that
 * half is may change behind the block's back, so the block looks at it (by the fetch TLB, as the interpreter
 * does) each time before it executes the instruction.
 */
import type { DebugPoints } from "../../debug/debug_points.ts";
import type { FrontEnd, SoftwareVcpu, TranslationHints } from "../../isa.ts";
import { type GuestRam, PAGE_SIZE } from "../../memory.ts";
import { COND_NE, type Ir, OP_ADD64, OP_SHL64, OP_STATE_ADDRESS } from "../../translator/ir.ts";
import { STATE_PC, TLB_ENTRIES, TLB_ENTRY_BYTES, TLB_FETCH, tlbTable } from "../../translator/layout.ts";
import { expand } from "./compressed.ts";
import { decode } from "./decode.ts";
import { TRANSLATE } from "./translate/table.ts";
import { Translation } from "./translate/translation.ts";
import { emitWalker } from "./walker.ts";

const OFFSET_MASK = PAGE_SIZE - 1;
const WORD = 0x1_0000_0000;

/** Turns RV64 instructions into IR. */
export class RiscvFrontEnd implements FrontEnd {
  startOffset = 0;
  endOffset = 0;
  readonly #parcels: Uint16Array;
  readonly #translation = new Translation();

  /**
   * A front end for one machine.
   *
   * @param ram Where instructions are taken from.
   * @param debug Which of them the interpreter must look at.
   */
  constructor(private readonly ram: GuestRam, private readonly debug: DebugPoints) {
    this.#parcels = new Uint16Array(ram.u8.buffer, ram.u8.byteOffset, ram.size / 2);
  }

  translate(
    vcpu: SoftwareVcpu,
    ramOffset: number,
    maxInstructions: number,
    ir: Ir,
    hints?: TranslationHints,
  ): void {
    const t = this.#translation;
    const parcels = this.#parcels;
    const page = ramOffset - (ramOffset & OFFSET_MASK);
    const pcHi = vcpu.state[(STATE_PC >> 2) + 1];
    const { armed } = this.debug;
    const pagePc = vcpu.state[STATE_PC >> 2] & ~OFFSET_MASK;
    let start = PAGE_SIZE, end = 0;
    t.begin(ir, {
      parcels,
      firstParcel: page / 2,
      entryOffset: ramOffset & OFFSET_MASK,
      maxInstructions,
      hints,
      debug: this.debug,
    });
    while (!ir.ended) {
      const offset = t.nextOffset;
      if (!t.goesOn()) {
        t.endAt(offset);
        break;
      }
      const parcel = page / 2 + (offset >>> 1);
      const first = parcels[parcel];
      const length = (first & 3) === 3 ? 4 : 2;
      t.startInstruction(pagePc | offset, pcHi, length);
      if (offset < start) start = offset;
      if (offset + length > end) end = offset + length;
      if (armed && this.debug.hasBreakpoint(pagePc | offset, pcHi)) {
        ir.interpret();
        break;
      }
      let insn: number;
      if (length === 2) insn = expand(first);
      else if (offset + 4 <= PAGE_SIZE) insn = first | parcels[parcel + 1] << 16;
      else {
        end = PAGE_SIZE;
        const second = this.#nextPage(vcpu, t);
        if (second < 0) {
          ir.interpret();
          break;
        }
        insn = first | second << 16;
      }
      TRANSLATE[decode(insn)](t, insn);
    }
    this.startOffset = page + start;
    this.endOffset = page + end;
  }

  /**
   * The halfword at the start of the page after the current instruction's, after guards that it is still
   * there; negative when there is none in RAM.
   */
  #nextPage(vcpu: SoftwareVcpu, t: Translation): number {
    const { ir } = t, { ram } = this;
    const low = (t.pcLo >>> 0) + 2;
    const lo = low | 0, hi = (t.pcHi + (low === WORD ? 1 : 0)) | 0;
    const physical = vcpu.translateAddress(BigInt(hi) << 32n | BigInt(lo >>> 0));
    if (physical === undefined || !ram.contains(physical, 2)) return -1;
    const half = this.#parcels[(physical - ram.base) / 2];

    const index = (lo >>> 12) & (TLB_ENTRIES - 1);
    const table = tlbTable(ir.context & 3, TLB_FETCH);
    const entry = ir.emit(OP_STATE_ADDRESS, 0, 0, 0, 0, table + index * TLB_ENTRY_BYTES);
    ir.interpretIf(COND_NE, ir.hostLoad(8, false, entry, 0), ir.const64(lo, hi));
    const offset = ir.bin(OP_SHL64, ir.hostLoad(8, false, entry, 8), ir.const(12));
    const base = ir.const64(ram.hostAddress | 0, Math.floor(ram.hostAddress / WORD));
    ir.interpretIf(COND_NE, ir.hostLoad(2, false, ir.bin(OP_ADD64, offset, base), 0), ir.const(half));
    return half;
  }

  walker(ir: Ir, kind: number, mmuIndex: number, ram: GuestRam): void {
    emitWalker(ir, kind, mmuIndex, ram, this.debug.watchedPages);
  }
}
