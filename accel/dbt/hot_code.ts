/**
 * Hot code, found by sampling: what execution does there is watched by interpreting some instructions, and then
 * the code is translated anew along the ways it was seen to go.
 *
 * A long loop that goes the same way round after round becomes one trace. Everything else becomes a region:
 * traces that begin at the heads of loops and where other traces are often left, and that jump to each other with
 * registers loaded (see `region.ts` of the host backend).
 */
import type { FrontEnd, MachineContext, SoftwareVcpu, Trace, TranslationHints } from "../../core/isa.ts";
import { PAGE_SIZE } from "../../core/memory.ts";
import { type Backend, CAREFUL_CONTEXT, EMIT_HOT, EMIT_MIRRORED } from "../../core/translator/backend.ts";
import { type BlockCache, MAX_BLOCKS } from "../../core/translator/block_cache.ts";
import {
  type Ir,
  OP_BRANCH,
  OP_EXIT_UNLESS_PC,
  OP_FGET,
  OP_INSN,
  OP_JUMP,
  REACHES_FAR,
  REACHES_NEAR,
  REACHES_UNKNOWN,
} from "../../core/translator/ir.ts";
import { MIRRORED_INDEX, STATE_PC } from "../../core/translator/layout.ts";
import { Profile } from "../../core/translator/profile.ts";
import { SlotUse } from "../../core/translator/slot_use.ts";
import { Mirror } from "./mirror.ts";

/** Instructions that are watched, unless told otherwise. */
const WATCHED = 1024;
/** Less than this part of them tells nothing. */
const LEAST_WATCHED = 0.25;
/** Longest trace, in guest instructions. */
const MAX_TRACE = 160;
/** A trace of a region goes on around loops and past the beginnings of others until it is this long. */
const ENOUGH = 40;
/** Most traces in a region, and most guest instructions in all of them together. */
const MOST_TRACES = 24;
const MOST_INSTRUCTIONS = 1200;
/** Slots a region carries in registers, at most. */
const MOST_CARRIED = 8;
/** A loop that is left in more than this part of its rounds is a short one. */
const SHORT_LOOP = 0.08;
/** Most attempts at finding out which slots hold numbers of 32 bits. */
const MOST_ROUNDS = 6;
/** Of the instructions watched, one in so many must be a jump for its target to be a part of the region. */
const RARE = 1024;
/** Samples in a block at which what execution does there is watched: it may be in another phase the next time. */
const FIRST_LOOK = 4;
const LAST_LOOK = 8;
/** What counts as rare when few instructions are watched. */
const LEAST_TIMES = 2;
/** Most heads that are remembered because the mirror failed there. */
const MOST_UNMIRRORED = 1024;
/** Times that execution is found in a page's hot code up to which it is looked at again, at every power of two. */
const LAST_REVISIT = 4096;
/** If more than this part of what was seen then is no hot code, there is something to be added. */
const UNCOVERED = 0.1;
/** Most pages of which anything is remembered, and most whose profile is. */
const MOST_PAGES = 4096, MOST_PROFILES = 16;
/** In place of a number of samples: the block is a long loop's trace. */
const LOOP = 255;
/** In place of a number of samples: the block is a part of a region. */
const REGION = 254;
/** Times that a region is built around one head, each time with what was found missing. */
const MOST_BUILDS = 4;

const PC_LO = STATE_PC >> 2, PC_HI = PC_LO + 1;

/** How soon code is taken to be hot. */
export interface Eagerness {
  /** Instructions that are watched to find out about the ways of hot code. @default 1024 */
  readonly watchInstructions?: number;
  /** Samples in a block at which that is done for the first time, 1 to 8. @default 4 */
  readonly firstLook?: number;
}

/** Whether a trace that is long enough, or is not, ends when it comes to an offset. */
type Ends = (offset: number, enough: boolean) => boolean;

/** What hot code needs of its engine. */
export interface TranslationUnit {
  readonly machine: MachineContext;
  readonly frontEnd: FrontEnd;
  readonly backend: Backend;
  readonly blocks: BlockCache;
  readonly ir: Ir;
  interpret(vcpu: SoftwareVcpu, budget: number): void;
  /** Adds the block just emitted, taken from the given RAM offsets; returns its number. */
  add(block: NewBlock): number;
  /** Makes nothing lead to a block any more. */
  forget(block: number): void;
  /** Drops the blocks taken from `size` bytes of a page, but for those to keep. */
  drop(offset: number, size: number, keeps: (block: number) => boolean): void;
  /** Makes jump caches and cells find their blocks anew. */
  beginEpoch(): void;
}

/** A block to be added. */
export interface NewBlock {
  readonly offset: number;
  readonly pcLo: number;
  readonly pcHi: number;
  readonly context: number;
  readonly instructions: number;
  readonly code: number;
  /** RAM offsets the block was taken from. */
  readonly from: number;
  readonly to: number;
}

/** What is known of a page in which hot code was found. */
class HotPage implements TranslationHints {
  /** Offsets of the heads of hot code. */
  readonly stops: Set<number> = new Set();
  readonly reach: Uint8Array = new Uint8Array(PAGE_SIZE / 2);
  /** By instruction, 1 where it is part of a loop's trace or of a region. */
  readonly hot: Uint8Array = new Uint8Array(PAGE_SIZE / 2);
  /** Times that execution was found in its hot code. */
  revisits = 0;
  /** How often a region was built around a head. */
  readonly builds: Map<number, number> = new Map();
  /** All that was seen of it; the profiles of few pages are kept. */
  profile: Profile | undefined;
}

/** Finds hot code and translates it again. */
export class HotCode {
  /** Traces installed. */
  traces = 0;
  /** Whether data of hot code can be reached by the mirror. */
  hasMirror = false;
  /** RAM offsets of blocks whose accesses the mirror cannot make. */
  readonly #unmirrored = new Set<number>();
  /** Samples seen per block, up to {@linkcode LAST_LOOK}. */
  readonly #samples: Uint8Array;
  /** The region a block is a part of. */
  readonly #region: Int32Array;
  #lastRegion = 0;
  /** By RAM offset. */
  readonly #pages = new Map<number, HotPage>();
  /** Pages that have a profile, the oldest first. */
  readonly #profiled: HotPage[] = [];
  /** What was seen the last time. */
  readonly #seen = new Profile();
  /** What was ever seen of the page: a program does other things at other times. */
  #profile = new Profile();
  readonly #use = new SlotUse();
  readonly #watched: number;
  readonly #firstLook: number;
  // The page that is looked at
  #pcPage = 0;
  #pcHi = 0;
  #offset = 0;
  #context = 0;
  /** Where in it instructions lie of which it was not known before what they reach. */
  #learnedFrom = 0;
  #learnedTo = 0;

  constructor(private readonly unit: TranslationUnit, eagerness: Eagerness) {
    this.#watched = eagerness.watchInstructions ?? WATCHED;
    this.#firstLook = eagerness.firstLook ?? FIRST_LOOK;
    const notes = new ArrayBuffer(5 * MAX_BLOCKS); // in one piece, as in BlockCache
    this.#region = new Int32Array(notes, 0, MAX_BLOCKS);
    this.#samples = new Uint8Array(notes, 4 * MAX_BLOCKS);
  }

  /** What is known of the page with a RAM offset. */
  hintsAt(offset: number): TranslationHints | undefined {
    return this.#pages.get(startOfPage(offset));
  }

  /** A page holds no code any more. */
  forgetPage(offset: number): void {
    this.#pages.delete(startOfPage(offset));
  }

  /** All code was thrown away. */
  clear(): void {
    this.#pages.clear();
    this.#profiled.length = 0;
    this.#unmirrored.clear();
  }

  /** Drops a block, and those of its region, whose accesses the mirror fails at: the next ones will do without. */
  withoutMirror(block: number): void {
    const { blocks } = this.unit;
    const offset = blocks.offset(block), region = this.#region[block];
    if (this.#unmirrored.size >= MOST_UNMIRRORED) this.#unmirrored.clear();
    this.#unmirrored.add(offset);
    const isHot = this.#samples[block] >= REGION;
    const goes = (b: number) =>
      b === block || isHot && this.#samples[b] >= REGION && this.#region[b] === region;
    this.unit.drop(startOfPage(offset), PAGE_SIZE, (b) => !goes(b));
  }

  /** EMIT_MIRRORED if blocks of a context at the given RAM offsets are to reach their data by the mirror, or 0. */
  mirroring(context: number, offsets: readonly number[]): number {
    if (!this.#mirrors(context) || !this.#pages.has(startOfPage(offsets[0]))) return 0;
    return offsets.some((offset) => this.#unmirrored.has(offset)) ? 0 : EMIT_MIRRORED;
  }

  #mirrors(context: number): boolean {
    return this.hasMirror && (context & 3) === MIRRORED_INDEX;
  }

  /** A block was translated that follows no trace. */
  added(block: number): void {
    this.#samples[block] = 0;
  }

  /**
   * The vCPU was found at the entry of a block, with `left` instructions still to run.
   *
   * @returns Whether something may come of it, now or when the block is found again.
   */
  sample(vcpu: SoftwareVcpu, block: number, left: number): boolean {
    const samples = this.#samples, { blocks } = this.unit;
    if (blocks.context(block) >= CAREFUL_CONTEXT) return false;
    if (left < LEAST_WATCHED * this.#watched) return true;
    if (samples[block] >= REGION) this.#revisit(vcpu, block, left);
    if (samples[block] >= LAST_LOOK) return false;
    const seen = ++samples[block];
    if (seen === this.#firstLook || seen === LAST_LOOK) {
      this.#look(vcpu, block, left);
      this.#translateHot(vcpu, block);
      this.#mirrorLearned();
    }
    return true;
  }

  /**
   * Execution was found in hot code again. Now and then it is worth to see whether it still goes the ways it went:
   * what follows a block that is mostly left at once is never sampled, for budgets do not run out where they were just
   * given back.
   */
  #revisit(vcpu: SoftwareVcpu, block: number, left: number): void {
    const page = this.#pages.get(startOfPage(this.unit.blocks.offset(block)));
    if (page === undefined || ++page.revisits > LAST_REVISIT || (page.revisits & (page.revisits - 1)) !== 0) {
      return;
    }
    this.#look(vcpu, block, left);
    if (this.#seen.countOutside(page.hot) > UNCOVERED * this.#seen.instructions) {
      this.#translateHot(vcpu, block);
    }
    this.#mirrorLearned();
  }

  /** Interprets an instruction; returns whether execution goes on from there as it would have by itself. */
  #step(vcpu: SoftwareVcpu, context: number): boolean {
    const { control, clock } = this.unit.machine;
    const before = clock.instructions;
    this.unit.interpret(vcpu, 1);
    // Where no instruction has run, a debugger stops it.
    return clock.instructions !== before && !control.yield && !clock.deadlineMoved &&
      vcpu.context() === context;
  }

  /** Fewer times than this are rare. */
  #least({ instructions }: Profile): number {
    return Math.max(LEAST_TIMES, Math.floor(instructions / RARE));
  }

  /** Watches what execution does from a block on. */
  #look(vcpu: SoftwareVcpu, block: number, left: number): void {
    const { blocks } = this.unit;
    this.#pcPage = blocks.pcLo(block) & -PAGE_SIZE;
    this.#pcHi = blocks.pcHi(block);
    this.#offset = startOfPage(blocks.offset(block));
    this.#context = blocks.context(block);
    const page = this.#pageAt(this.#offset);
    this.#watch(vcpu, Math.min(left, this.#watched), page.reach);
    this.#profile = this.#profileOf(page);
    this.#profile.merge(this.#seen);
  }

  /** Has blocks that are no part of hot code translated anew where it has become known what they reach. */
  #mirrorLearned(): void {
    if (!this.#mirrors(this.#context) || this.#learnedFrom >= this.#learnedTo) return;
    const from = this.#offset + this.#learnedFrom, size = this.#learnedTo - this.#learnedFrom;
    this.unit.drop(from, size, (block) => this.#samples[block] >= REGION);
  }

  /** Translates again what execution was seen to do from a block on. */
  #translateHot(vcpu: SoftwareVcpu, block: number): void {
    if (this.unit.blocks.code(block) === 0) return;
    // The front end takes the page's address from the pc.
    const { state } = vcpu;
    const pcLo = state[PC_LO], pcHi = state[PC_HI];
    state[PC_LO] = this.#pcPage;
    state[PC_HI] = this.#pcHi;
    this.#install(vcpu);
    state[PC_LO] = pcLo;
    state[PC_HI] = pcHi;
  }

  #pageAt(offset: number): HotPage {
    let page = this.#pages.get(offset);
    if (page !== undefined) return page;
    const [oldest] = this.#pages.size === MOST_PAGES ? this.#pages.keys() : [];
    if (oldest !== undefined) this.#pages.delete(oldest);
    this.#pages.set(offset, page = new HotPage());
    return page;
  }

  #profileOf(page: HotPage): Profile {
    if (page.profile !== undefined) return page.profile;
    const oldest = this.#profiled.length === MOST_PROFILES ? this.#profiled.shift() : undefined;
    const profile = oldest?.profile ?? new Profile();
    if (oldest !== undefined) oldest.profile = undefined;
    profile.clear();
    this.#profiled.push(page);
    return page.profile = profile;
  }

  /** Interprets some instructions and notes where they are, and in `reach` what they reach. */
  #watch(vcpu: SoftwareVcpu, instructions: number, reach: Uint8Array): void {
    const { state } = vcpu;
    const profile = this.#seen;
    profile.clear();
    this.#learnedFrom = PAGE_SIZE;
    this.#learnedTo = 0;
    for (let i = 0; i < instructions; i++) {
      const at = state[PC_LO];
      const isHere = state[PC_HI] === this.#pcHi && (at & -PAGE_SIZE) === this.#pcPage;
      if (isHere) profile.add(at & (PAGE_SIZE - 1));
      else profile.leave();
      const goesOn = this.#step(vcpu, this.#context);
      if (isHere) this.#learn(reach, at & (PAGE_SIZE - 1), Mirror.isFar(vcpu.lastAccessHi));
      if (!goesOn) return;
    }
  }

  /** Notes what the instruction at an offset of the page reaches; of those that make no access, anything. */
  #learn(reach: Uint8Array, offset: number, isFar: boolean): void {
    if (reach[offset >> 1] === REACHES_UNKNOWN) {
      this.#learnedFrom = Math.min(this.#learnedFrom, offset);
      this.#learnedTo = Math.max(this.#learnedTo, offset + 1);
    }
    reach[offset >> 1] = isFar ? REACHES_FAR : REACHES_NEAR;
  }

  /** The block at an offset of the page, or -1. */
  #find(offset: number): number {
    return this.unit.blocks.find(this.#offset + offset, this.#pcPage | offset, this.#pcHi, this.#context);
  }

  #isLoop(offset: number): boolean {
    const block = this.#find(offset);
    return block >= 0 && this.#samples[block] === LOOP;
  }

  #install(vcpu: SoftwareVcpu): void {
    const profile = this.#profile;
    const head = this.#seen.loopHead();
    if (head < 0 || this.#seen.returns(head) < this.#least(this.#seen) || this.#isLoop(head)) return;
    const least = this.#least(profile);
    const heads = [head];
    const ends: Ends = (offset, enough) =>
      this.#isLoop(offset) || enough && (heads.includes(offset) || profile.returns(offset) >= least);
    const first = profile.follow(head, 1, MAX_TRACE, ends);
    if (first.next === head) {
      if (this.#installLoop(vcpu, first)) return;
    }
    const { builds } = this.#pageAt(this.#offset);
    const times = builds.get(head) ?? 0;
    if (times < MOST_BUILDS && this.#installRegion(vcpu, heads, least, ends)) builds.set(head, times + 1);
  }

  /**
   * Translates a trace.
   *
   * @param slots Integer slots that the block begins with a `get` of.
   * @param signed Slots that hold sign extensions of 32-bit numbers at its entry.
   */
  #translate(vcpu: SoftwareVcpu, trace: Trace, slots: readonly number[], signed: readonly number[]): void {
    const { ir, frontEnd } = this.unit;
    ir.begin(this.#context);
    ir.traced = true;
    ir.assumeSigned(signed);
    for (const slot of slots) ir.get(slot);
    const { reach } = this.#pageAt(this.#offset);
    frontEnd.translate(vcpu, this.#offset + trace.offsets[0], MAX_TRACE, ir, { trace, reach });
  }

  /** How often execution went another way than the block in the IR. */
  #timesLeft(): number {
    const { ir } = this.unit;
    let times = 0, at = 0;
    for (let i = 0; i < ir.length; i++) {
      if (ir.op[i] === OP_INSN) at = ir.lo[i] & (PAGE_SIZE - 1);
      if (ir.op[i] === OP_BRANCH) times += this.#profile.countOf(at, ir.lo[i] & (PAGE_SIZE - 1));
    }
    return times;
  }

  /** Installs a trace of a long loop. False if it is better made a region of. */
  #installLoop(vcpu: SoftwareVcpu, trace: Trace): boolean {
    const { ir, backend, blocks, frontEnd } = this.unit;
    const offset = trace.offsets[0], pcLo = this.#pcPage | offset;
    this.#translate(vcpu, trace, [], this.#signedSlots(vcpu, [trace]));
    const last = ir.length - 1;
    if (ir.op[last] !== OP_JUMP || ir.lo[last] !== pcLo || ir.hi[last] !== this.#pcHi) return false;
    if (this.#timesLeft() > SHORT_LOOP * this.#profile.count(offset)) return false;
    const mirroring = this.mirroring(this.#context, [this.#offset + offset]);
    if (!blocks.hasRoom()) return false;
    if (mirroring === 0 && !ir.has(OP_FGET) && !backend.streams()) return false;
    const code = backend.emit(blocks.next, pcLo, this.#pcHi, EMIT_HOT | mirroring);
    if (code === 0) return false;
    const { startOffset: from, endOffset: to } = frontEnd;
    this.#replace([this.#newBlock(offset, code, ir.instructions, from, to)], [trace], LOOP);
    return true;
  }

  /**
   * The slots that hold sign extensions of 32-bit numbers whenever one of the traces jumps to another one, if they
   * do so when the traces are entered from elsewhere. Most numbers in a C program are of that kind, and assuming
   * it saves extending them again and again.
   */
  #signedSlots(vcpu: SoftwareVcpu, traces: readonly Trace[]): number[] {
    const use = this.#use;
    let signed: number[] | undefined;
    for (let round = 0; round < MOST_ROUNDS; round++) {
      use.clear();
      const relied = new Set<number>();
      for (const trace of traces) {
        this.#translate(vcpu, trace, [], signed ?? []);
        for (const slot of this.unit.ir.relied) relied.add(slot);
        use.add(this.unit.ir, 1);
      }
      // First all slots are tried, then those of them for which it has proved right.
      const found = signed === undefined
        ? use.slots()
        : use.signed().filter((slot) => signed!.includes(slot));
      if (signed !== undefined && found.length === signed.length) {
        use.addRelied(relied);
        return [...relied];
      }
      signed = found;
    }
    return [];
  }

  /**
   * Installs a region that begins with the given heads.
   *
   * @param least Fewer times than this are rare.
   * @param ends Whether a trace that comes to an offset ends there.
   * @returns Whether there is such a region.
   */
  #installRegion(vcpu: SoftwareVcpu, heads: number[], least: number, ends: Ends): boolean {
    const { ir, backend, blocks, frontEnd } = this.unit;
    const profile = this.#profile, use = this.#use;
    use.clear();
    const traces: Trace[] = [];
    let instructions = 0, from = Infinity, to = 0, inner = false;
    while (traces.length < heads.length && traces.length < MOST_TRACES && instructions < MOST_INSTRUCTIONS) {
      const head = heads[traces.length];
      const trace = profile.follow(head, ENOUGH, MAX_TRACE, ends);
      this.#translate(vcpu, trace, [], []);
      use.add(ir, profile.count(head));
      if (ir.has(OP_EXIT_UNLESS_PC)) inner = true;
      traces.push(trace);
      instructions += ir.instructions;
      from = Math.min(from, frontEnd.startOffset);
      to = Math.max(to, frontEnd.endOffset);
      for (const target of this.#targets(least)) {
        if (heads.includes(target)) inner = true;
        else if (!this.#isLoop(target)) heads.push(target);
      }
    }
    if (!inner || blocks.count + traces.length > MAX_BLOCKS) return false;
    const slots = use.most(MOST_CARRIED);
    const set = slots.map((slot) => use.isSet(slot));
    const signed = this.#signedSlots(vcpu, traces);
    const pcs = traces.map(({ offsets }) => this.#pcPage | offsets[0]);
    const mirroring = this.mirroring(this.#context, traces.map(({ offsets }) => this.#offset + offsets[0]));
    backend.beginRegion(pcs, slots, set);
    const added: NewBlock[] = [];
    for (const trace of traces) {
      const offset = trace.offsets[0];
      this.#translate(vcpu, trace, slots, signed);
      const code = backend.emit(
        blocks.next + added.length,
        this.#pcPage | offset,
        this.#pcHi,
        EMIT_HOT | mirroring,
      );
      if (code === 0) break;
      added.push(this.#newBlock(offset, code, ir.instructions, from, to));
    }
    backend.endRegion();
    if (added.length < traces.length) return false;
    this.#replace(added, traces, REGION);
    return true;
  }

  /** The offsets of the page that the block in the IR is left for, not rarely. */
  #targets(least: number): number[] {
    const { ir } = this.unit;
    const found: number[] = [];
    let at = 0;
    for (let i = 0; i < ir.length; i++) {
      const op = ir.op[i];
      if (op === OP_INSN) at = ir.lo[i] & (PAGE_SIZE - 1);
      if (op !== OP_BRANCH && op !== OP_JUMP) continue;
      if (ir.hi[i] !== this.#pcHi || (ir.lo[i] & -PAGE_SIZE) !== this.#pcPage) continue;
      const target = ir.lo[i] & (PAGE_SIZE - 1);
      if (op === OP_JUMP || this.#profile.countOf(at, target) >= least) found.push(target);
    }
    return found;
  }

  #newBlock(offset: number, code: number, instructions: number, from: number, to: number): NewBlock {
    return {
      offset: this.#offset + offset,
      pcLo: this.#pcPage | offset,
      pcHi: this.#pcHi,
      context: this.#context,
      instructions,
      code,
      from,
      to,
    };
  }

  /** Installs the blocks of traces in place of those with the same entries, marked as LOOP or REGION. */
  #replace(added: readonly NewBlock[], traces: readonly Trace[], mark: number): void {
    const { unit } = this;
    const page = this.#pageAt(this.#offset);
    const regions = new Set<number>();
    for (const { pcLo } of added) {
      const replaced = this.#find(pcLo & (PAGE_SIZE - 1));
      if (replaced < 0) continue;
      if (this.#samples[replaced] === REGION) regions.add(this.#region[replaced]);
      unit.forget(replaced);
      unit.blocks.remove(replaced);
    }
    // The blocks of a region lead to each other: all of them go.
    const stays = (block: number) => this.#samples[block] !== REGION || !regions.has(this.#region[block]);
    if (regions.size > 0) unit.drop(this.#offset, PAGE_SIZE, stays);
    this.#lastRegion++;
    // What goes through the new blocks' heads by itself shall end there when it is translated again.
    const { from, to } = added[0];
    unit.drop(from, to - from, (block) => this.#samples[block] >= REGION);
    this.#pages.set(this.#offset, page); // it may have been without code just now
    for (const { offset } of added) page.stops.add(offset - this.#offset);
    for (const { offsets, length } of traces) {
      offsets.subarray(0, length).forEach((at) => page.hot[at >> 1] = 1);
    }
    unit.beginEpoch();
    for (const block of added) {
      const number = unit.add(block);
      this.#samples[number] = mark;
      this.#region[number] = this.#lastRegion;
    }
    this.traces += added.length;
  }
}

/** RAM offset of the page with an offset. */
function startOfPage(offset: number): number {
  return Math.floor(offset / PAGE_SIZE) * PAGE_SIZE;
}
