/**
 * The RV64 front end of the translator: takes instructions from RAM and writes IR. How a block grows is decided
 * in `translate/translation.ts`; here is the loop over its instructions.
 */
import type { FrontEnd, Vcpu } from "../../isa.ts";
import { type GuestRam, PAGE_SIZE } from "../../memory.ts";
import type { Ir } from "../../translator/ir.ts";
import { STATE_PC } from "../../translator/layout.ts";
import { expand } from "./compressed.ts";
import { decode } from "./decode.ts";
import { TRANSLATE } from "./translate/table.ts";
import { Translation } from "./translate/translation.ts";
import { emitWalker } from "./walker.ts";

const OFFSET_MASK = PAGE_SIZE - 1;

/** Turns RV64 instructions into IR. */
export class RiscvFrontEnd implements FrontEnd {
  startOffset = 0;
  endOffset = 0;
  readonly #parcels: Uint16Array;
  readonly #translation = new Translation();

  constructor(ram: GuestRam) {
    this.#parcels = new Uint16Array(ram.u8.buffer, ram.u8.byteOffset, ram.size >> 1);
  }

  translate(vcpu: Vcpu, ramOffset: number, maxInstructions: number, ir: Ir): void {
    const t = this.#translation;
    const parcels = this.#parcels;
    const pageParcel = (ramOffset & ~OFFSET_MASK) >>> 1;
    const pcHi = vcpu.state[(STATE_PC >> 2) + 1];
    const pagePc = vcpu.state[STATE_PC >> 2] & ~OFFSET_MASK;
    let start = PAGE_SIZE, end = 0;
    t.begin(ir, ramOffset & OFFSET_MASK);
    for (let count = 0; !ir.ended; count++) {
      const offset = t.nextOffset;
      const parcel = pageParcel + (offset >>> 1);
      const length = offset < PAGE_SIZE && (parcels[parcel] & 3) === 3 ? 4 : 2;
      const outside = offset + length > PAGE_SIZE;
      if (count > 0 && (outside || count === maxInstructions || t.visited(offset) || !ir.hasRoom())) {
        t.endAt(offset);
        break;
      }
      t.startInstruction(pagePc | offset, pcHi, length);
      if (offset < start) start = offset;
      if (offset + length > end) end = offset + length;
      if (outside) {
        ir.interpret();
        end = PAGE_SIZE;
        break;
      }
      const insn = length === 4 ? parcels[parcel] | parcels[parcel + 1] << 16 : expand(parcels[parcel]);
      TRANSLATE[decode(insn)](t, insn);
    }
    const page = pageParcel * 2;
    this.startOffset = page + start;
    this.endOffset = page + end;
  }

  walker(ir: Ir, kind: number, mmuIndex: number, ram: GuestRam): void {
    emitWalker(ir, kind, mmuIndex, ram);
  }
}
