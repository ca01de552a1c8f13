/**
 * What the run loop needs to know about the places where generated code stops or waits to be linked: exit
 * sites, direct jumps (links) and cells of cross-page jumps. Flat tables, bounded with the code memory.
 */
import type { Allocator } from "./allocator.ts";
import { WHERE_CONST, WHERE_SINGLE, WHERE_SMALL_CONST, XMM } from "./stores.ts";
import { STATE_REGISTER_DUMP } from "../../layout.ts";

/** Bytes of a cell: epoch and context (4), unused (4), code address (8), pc (8), unused (8). */
export const CELL_BYTES = 32;

// Site records, in halfwords: block (low), block (high) | 4 if always | instruction << 4, pc delta, end of the record, then
// what is dirty (see Allocator.pack).
const SITE_HEADER = 4;
/** log2 of the halfwords in a chunk of the site records, each of which is wholly in one chunk. */
const CHUNK_BITS = 17;
const CHUNK = 1 << CHUNK_BITS;
/** No record is longer than this, in halfwords. */
const MAX_SITE = 512;
/** Words of a link: from block, code position, pc lo, next link to the same target, 1 if to careful code. */
const LINK_WORDS = 5;
/** log2 of the links in a chunk of them. */
const LINK_CHUNK_BITS = 12;
const LINK_CHUNK = 1 << LINK_CHUNK_BITS;

/** Exit sites, links and cells of everything in code memory. */
export class ExitTables {
  /** Site records. A site's number is its place in them. */
  readonly #sites: Uint16Array[] = [];
  #sitesEnd = 0;
  readonly #links: Int32Array[] = [];
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
    this.#sites.length = 0;
    this.#sitesEnd = 0;
    this.#links.length = this.#linkCount = 0;
    this.#cells.fill(0);
    this.#cellCount = 0;
  }

  /** Whether cells for another block (at most 80) are free. */
  hasRoom(): boolean {
    return (this.#cellCount + 80) * (CELL_BYTES >> 2) <= this.#cells.length;
  }

  // ---- sites

  /** @param always Whether the instruction is never executed by generated code. */
  addSite(block: number, instruction: number, pcDelta: number, always: boolean, alloc: Allocator): number {
    if ((this.#sitesEnd & (CHUNK - 1)) + MAX_SITE > CHUNK) {
      this.#sitesEnd = (this.#sitesEnd | (CHUNK - 1)) + 1;
    }
    const site = this.#sitesEnd;
    const chunk = this.#sites[site >> CHUNK_BITS] ??= new Uint16Array(CHUNK);
    const at = site & (CHUNK - 1);
    const end = alloc.pack(chunk, at + SITE_HEADER);
    chunk[at] = block;
    chunk[at + 1] = block >> 16 | (always ? 4 : 0) | instruction << 4;
    chunk[at + 2] = pcDelta;
    chunk[at + 3] = end - at;
    this.#sitesEnd += end - at;
    return site;
  }

  #site(site: number, field: number): number {
    return this.#sites[site >> CHUNK_BITS][(site & (CHUNK - 1)) + field];
  }

  siteBlock(site: number): number {
    return this.#site(site, 0) | (this.#site(site, 1) & 3) << 16;
  }

  /** Whether generated code never executes the instruction. */
  siteAlways(site: number): boolean {
    return (this.#site(site, 1) & 4) !== 0;
  }

  siteInstruction(site: number): number {
    return this.#site(site, 1) >> 4;
  }

  sitePcDelta(site: number): number {
    return this.#site(site, 2) << 16 >> 16;
  }

  /** Stores into the state what was still in host registers when the code stopped at a site. */
  storeDirty(site: number, state: Int32Array): void {
    const chunk = this.#sites[site >> CHUNK_BITS];
    const at = site & (CHUNK - 1);
    const end = at + chunk[at + 3];
    const dump = STATE_REGISTER_DUMP >> 2;
    for (let i = at + SITE_HEADER; i < end;) {
      const slot = chunk[i] >> 6 << 1;
      const where = chunk[i++] & 63;
      if (where >= WHERE_CONST) {
        const lo = chunk[i] | chunk[i + 1] << 16;
        state[slot] = lo;
        state[slot + 1] = where === WHERE_SMALL_CONST ? lo >> 31 : chunk[i + 2] | chunk[i + 3] << 16;
        i += where === WHERE_SMALL_CONST ? 2 : 4;
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

  /** How many links there are: the number of the next one. */
  get links(): number {
    return this.#linkCount;
  }

  addLink(block: number, position: number, pcLo: number, careful: boolean): number {
    const link = this.#linkCount++;
    const chunk = this.#links[link >> LINK_CHUNK_BITS] ??= new Int32Array(LINK_WORDS * LINK_CHUNK);
    const at = LINK_WORDS * (link & (LINK_CHUNK - 1));
    chunk[at] = block;
    chunk[at + 1] = position;
    chunk[at + 2] = pcLo;
    chunk[at + 3] = -1;
    chunk[at + 4] = Number(careful);
    return link;
  }

  #link(link: number, word: number): number {
    return this.#links[link >> LINK_CHUNK_BITS][LINK_WORDS * (link & (LINK_CHUNK - 1)) + word];
  }

  linkBlock(link: number): number {
    return this.#link(link, 0);
  }

  linkPosition(link: number): number {
    return this.#link(link, 1);
  }

  /** Low half of the pc that a link leads to; the high half is its block's. */
  linkPcLo(link: number): number {
    return this.#link(link, 2);
  }

  /** Whether the link leads to the careful variant of its target. */
  linkCareful(link: number): boolean {
    return this.#link(link, 4) !== 0;
  }

  /** The next link in the list of links to the same block. */
  linkNext(link: number): number {
    return this.#link(link, 3);
  }

  setLinkNext(link: number, next: number): void {
    this.#links[link >> LINK_CHUNK_BITS][LINK_WORDS * (link & (LINK_CHUNK - 1)) + 3] = next;
  }

  // ---- cells

  /** How many cells there are: the number of the next one. */
  get cells(): number {
    return this.#cellCount;
  }

  /** Low half of the pc that a cell is for. */
  cellPcLo(cell: number): number {
    return this.#cells[cell * (CELL_BYTES >> 2) + 4];
  }

  /** High half of the pc that a cell is for. */
  cellPcHi(cell: number): number {
    return this.#cells[cell * (CELL_BYTES >> 2) + 5];
  }

  /** A cell for a jump to the given pc; returns its address. It holds nothing yet. */
  addCell(pcLo: number, pcHi: number): number {
    const at = this.#cellCount++ * (CELL_BYTES >> 2);
    this.#cells[at] = -1; // no epoch and context is ever all ones: contexts are below 255
    this.#cells[at + 4] = pcLo;
    this.#cells[at + 5] = pcHi;
    return this.cellAddress + 4 * at;
  }
}
