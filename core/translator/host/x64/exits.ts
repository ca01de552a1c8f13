/**
 * What the run loop needs to know about the places where generated code stops or waits to be linked: exit
 * sites, direct jumps (links) and cells of cross-page jumps. Flat tables, bounded with the code memory.
 */
import { type Allocator, WHERE_CONST, WHERE_SINGLE, XMM } from "./allocator.ts";
import { STATE_REGISTER_DUMP } from "../../layout.ts";

/** Bytes of a cell: epoch and context (4), unused (4), code address (8), pc (8), unused (8). */
export const CELL_BYTES = 32;

/** Doubles a table when fewer than `room` words are free. */
function grown(table: Int32Array, used: number, room: number): Int32Array {
  if (used + room <= table.length) return table;
  const larger = new Int32Array(table.length * 2);
  larger.set(table);
  return larger;
}

/** Exit sites, links and cells of everything in code memory. */
export class ExitTables {
  /** Where a site's record starts in the data, by site number. */
  #siteAt: Int32Array = new Int32Array(1 << 16);
  /** Records: block, instruction, pc delta, end of the record, then what to store (see Allocator.describe). */
  #siteData: Int32Array = new Int32Array(1 << 19);
  #sites = 0;
  #siteDataLength = 0;
  /** Links: from block, code position, pc lo, pc hi, target block (-1: not linked), next link to target. */
  #links: Int32Array = new Int32Array(6 << 14);
  #linkCount = 0;
  readonly #cells: Int32Array;
  #cellCount = 0;

  /**
   * @param cellMemory Memory for cells, as words.
   * @param cellAddress Host address of it, below 2^31.
   */
  constructor(cellMemory: Int32Array, readonly cellAddress: number) {
    this.#cells = cellMemory;
  }

  /** Forgets everything: code memory was cleared. */
  clear(): void {
    this.#sites = 0;
    this.#siteDataLength = 0;
    this.#linkCount = 0;
    this.#cells.fill(0);
    this.#cellCount = 0;
  }

  /** Whether cells for another block (at most 80) are free. */
  hasRoom(): boolean {
    return (this.#cellCount + 80) * (CELL_BYTES >> 2) <= this.#cells.length;
  }

  // ---- sites

  addSite(block: number, instruction: number, pcDelta: number, alloc: Allocator): number {
    this.#siteAt = grown(this.#siteAt, this.#sites, 1);
    this.#siteData = grown(this.#siteData, this.#siteDataLength, 1024);
    const at = this.#siteDataLength;
    this.#siteAt[this.#sites] = at;
    const data = this.#siteData;
    data[at] = block;
    data[at + 1] = instruction;
    data[at + 2] = pcDelta;
    const end = alloc.describe(data, at + 4);
    data[at + 3] = end;
    this.#siteDataLength = end;
    return this.#sites++;
  }

  siteBlock(site: number): number {
    return this.#siteData[this.#siteAt[site]];
  }

  siteInstruction(site: number): number {
    return this.#siteData[this.#siteAt[site] + 1];
  }

  sitePcDelta(site: number): number {
    return this.#siteData[this.#siteAt[site] + 2];
  }

  /** Stores into the state what was still in host registers when the code stopped at a site. */
  storeDirty(site: number, state: Int32Array): void {
    const data = this.#siteData;
    const at = this.#siteAt[site];
    const end = data[at + 3];
    const dump = STATE_REGISTER_DUMP >> 2;
    for (let i = at + 4; i < end;) {
      const slot = data[i++] >> 2;
      const where = data[i++];
      if (where === WHERE_CONST) {
        state[slot] = data[i++];
        state[slot + 1] = data[i++];
      } else if (where >= XMM + WHERE_SINGLE) {
        state[slot] = state[dump + 2 * (where - WHERE_SINGLE)];
        state[slot + 1] = -1;
      } else {
        state[slot] = state[dump + 2 * where];
        state[slot + 1] = state[dump + 2 * where + 1];
      }
    }
  }

  // ---- links

  addLink(block: number, position: number, pcLo: number, pcHi: number): number {
    this.#links = grown(this.#links, 6 * this.#linkCount, 6);
    const at = 6 * this.#linkCount;
    this.#links[at] = block;
    this.#links[at + 1] = position;
    this.#links[at + 2] = pcLo;
    this.#links[at + 3] = pcHi;
    this.#links[at + 4] = -1;
    this.#links[at + 5] = -1;
    return this.#linkCount++;
  }

  linkBlock(link: number): number {
    return this.#links[6 * link];
  }

  linkPosition(link: number): number {
    return this.#links[6 * link + 1];
  }

  linkPcLo(link: number): number {
    return this.#links[6 * link + 2];
  }

  linkPcHi(link: number): number {
    return this.#links[6 * link + 3];
  }

  /** The next link in the list of links to the same block. */
  linkNext(link: number): number {
    return this.#links[6 * link + 5];
  }

  setLinkNext(link: number, next: number): void {
    this.#links[6 * link + 5] = next;
  }

  // ---- cells

  /** A cell for a jump to the given pc; returns its address. It holds nothing yet. */
  addCell(pcLo: number, pcHi: number): number {
    const at = this.#cellCount++ * (CELL_BYTES >> 2);
    this.#cells[at] = -1; // no epoch and context is ever all ones: contexts are below 255
    this.#cells[at + 4] = pcLo;
    this.#cells[at + 5] = pcHi;
    return this.cellAddress + 4 * at;
  }
}
