/**
 * The dynamic binary translator as an engine: finds or makes the code for where a vCPU stands, enters it,
 * and does what the code left undone when it comes back.
 *
 * Generated code only does what is common and can be exact; everything else (devices, faults, system
 * instructions, the last few instructions of a budget) is the interpreter's, one instruction at a time. So
 * both engines share one definition of every hard case.
 */
import type { FrontEnd, MachineContext, SoftwareVcpu } from "../../core/isa.ts";
import type { Machine } from "../../core/machine.ts";
import { LARGE_PAGE_SIZE, PAGE_SIZE } from "../../core/memory.ts";
import {
  CAREFUL_CONTEXT,
  type CodeMemory,
  EMIT_CAREFUL,
  EMIT_NORMAL,
  EXIT_BUDGET,
  EXIT_LEAVE,
  EXIT_LINK,
  EXIT_LOOKUP,
  EXIT_MIRROR,
  EXIT_SITE,
} from "../../core/translator/backend.ts";
import { BlockCache } from "../../core/translator/block_cache.ts";
import { X64Backend } from "../../core/translator/host/x64/backend.ts";
import { Ir } from "../../core/translator/ir.ts";
import {
  JUMP_CACHE_BITS,
  MIRRORED_INDEX,
  STATE_BUDGET,
  STATE_CELL_MISSES,
  STATE_ENTRY,
  STATE_EPOCH_CONTEXT,
  STATE_EXIT_ARG,
  STATE_EXIT_REASON,
  STATE_FAULT_TABLE,
  STATE_HOST_FP_CONTROL,
  STATE_HOST_FP_DEFAULT,
  STATE_JUMP_CACHE,
  STATE_JUMP_CACHE_MISSES,
  STATE_PC,
  STATE_TIME_AT_ZERO,
  STATE_TLB_FILLS,
  TLB_FETCH,
  TLB_OFFSET_MASK,
  tlbTable,
} from "../../core/translator/layout.ts";
import type { CountingEngine } from "../engine.ts";
import { type Eagerness, HotCode, type NewBlock } from "./hot_code.ts";
import { cycleClock } from "../ffi/clock.ts";
import { mappedMemory, nativeEntry, trimHeap } from "../ffi/memory.ts";
import { allocateCodeMemory, freeCodeMemory } from "./memory.ts";
import { type Mirror, openMirrors } from "./mirror.ts";

/** Longest block, in guest instructions. */
const MAX_INSTRUCTIONS = 64;

/** Most blocks that are translated at a time, because others lead to them. */
const MOST_AHEAD = 32;

/** A sample that is due is taken after so many instructions, at the next entry of a block. */
const SAMPLE_DUE = 500;

/** Samples are this many times as rare in what is no program's code. */
const KERNEL_SAMPLES = 5;
/** Samples are this many times as rare where execution is found in code that is known to be hot. */
const RAREST_SAMPLES = 64;

/**
 * After so many translations, and again whenever they have doubled, the host's heap is trimmed: while the translator
 * is compiled itself, the runtime fills it with megabytes that are of no use afterwards.
 */
const FIRST_TRIM = 10_000;

/** log2 of the number of places whose visits are counted. */
const VISITS_BITS = 18;

const TLB_FILLS = STATE_TLB_FILLS >> 2;
const PC_LO = STATE_PC >> 2, PC_HI = PC_LO + 1;
const EPOCH_CONTEXT = STATE_EPOCH_CONTEXT >> 2;
const EPOCH_BITS = 24;
const NEXT_EPOCH = 1 << 8;

/** How eagerly the translator works. It changes nothing a guest can see. */
export interface DbtOptions extends Eagerness {
  /** Code is left at least every so many instructions, to see where it is. @default 100000 */
  readonly sampleInstructions?: number;
  /** Times that code is interpreted before it is translated. @default 2 */
  readonly coldVisits?: number;
  /** Where generated code is; when it is full, all code is thrown away. The engine frees it. @default 96 MiB */
  readonly memory?: CodeMemory;
}

/** Translating engine for x86-64 Linux hosts. */
export class DbtEngine implements CountingEngine {
  readonly name = "dbt";
  readonly deterministic = true;
  readonly #machine: MachineContext;
  readonly #vcpus: readonly SoftwareVcpu[];
  readonly #frontEnd: FrontEnd;
  readonly #ir = new Ir();
  readonly #backend: X64Backend;
  readonly #blocks: BlockCache;
  readonly #enter: (() => void)[] = [];
  readonly #sampleInstructions: number;
  readonly #coldVisits: number;
  readonly #visitsPages = mappedMemory.allocate(1 << VISITS_BITS); // few of which are ever touched
  readonly #visits = new Uint8Array(this.#visitsPages.buffer);
  /** The same for now. */
  #sampleAfter: number;
  /** Instructions until the next sample: turns of several vCPUs are shorter than what lies between two. */
  #untilSample: number;
  readonly #memory: CodeMemory;
  /** Host address that code must reach before the host is told that more memory will be used. */
  #expectedCode: number;
  readonly #hotCode: HotCode;
  /** In an epoch: half of its vCPU's are used up, and it is time to begin anew, long before they could repeat. */
  readonly #lateEpochs: number;
  /** By vCPU; empty where the host cannot have them. */
  readonly #mirrors: readonly Mirror[];
  #mirrorFaults = 0;
  #translated = 0;
  #nextTrim = FIRST_TRIM;
  #translatedInstructions = 0;
  readonly #clock = cycleClock();
  /** What translation has taken. */
  #translationCycles = 0;
  #dropped = 0;
  #clears = 0;
  #entries = 0;
  #interpreted = 0;
  #codeWrites = 0;
  readonly #exits = new Float64Array(8);
  readonly #sites = {
    exitsDevice: 0,
    exitsException: 0,
    /** Instructions that are never translated. */
    exitsSystem: 0,
    exitsCodeWrite: 0,
    /** TLB misses that the walker leaves to the interpreter. */
    exitsTlbFill: 0,
    /** Operands that are too rare to translate for, accesses that cross pages. */
    exitsOther: 0,
  };

  constructor(machine: Machine, options: DbtOptions = {}) {
    const { isa } = machine;
    if (!isa.createFrontEnd) throw new RangeError(`There is no translator for ${isa.name}.`);
    const vcpus = machine.vcpus as readonly SoftwareVcpu[];
    this.#machine = machine;
    this.#vcpus = vcpus;
    this.#lateEpochs = 1 << EPOCH_BITS - 1 - Math.ceil(Math.log2(vcpus.length));
    this.#coldVisits = options.coldVisits ?? 2;
    this.#sampleInstructions = options.sampleInstructions ?? 100_000;
    this.#sampleAfter = this.#untilSample = KERNEL_SAMPLES * this.#sampleInstructions;
    this.#memory = options.memory ?? allocateCodeMemory();
    this.#expectedCode = this.#memory.code.address + LARGE_PAGE_SIZE / 2;
    this.#frontEnd = isa.createFrontEnd(machine);
    this.#backend = new X64Backend(this.#memory, this.#ir);
    this.#blocks = new BlockCache(Math.ceil(machine.ram.size / PAGE_SIZE));
    this.#hotCode = new HotCode({
      machine,
      frontEnd: this.#frontEnd,
      backend: this.#backend,
      blocks: this.#blocks,
      ir: this.#ir,
      interpret: (vcpu, budget) => this.#interpret(vcpu, budget),
      add: (block) => this.#add(block),
      forget: (block) => this.#forget(block),
      drop: (offset, size, keeps) => this.#drop(offset, size, keeps),
      beginEpoch: () => this.#beginEpoch(),
    }, options);
    for (const vcpu of vcpus) {
      this.#enter.push(nativeEntry(this.#backend.enter, vcpu.stateAddress));
      const { state } = vcpu;
      emptyJumpCache(state);
      this.#beginFirstEpoch(vcpu);
      state[STATE_HOST_FP_CONTROL >> 2] = this.#backend.fpControl;
      state[STATE_HOST_FP_DEFAULT >> 2] = this.#backend.fpControl;
      state[STATE_FAULT_TABLE >> 2] = this.#backend.faultTable;
      vcpu.collectHostFlags = () => {
        const flags = this.#backend.fpFlags(state[STATE_HOST_FP_CONTROL >> 2]);
        state[STATE_HOST_FP_CONTROL >> 2] = this.#backend.fpControl;
        return flags;
      };
    }
    this.#mirrors = openMirrors(vcpus, machine.ram);
    this.#hotCode.hasMirror = this.#mirrors.length > 0;
    machine.ram.onCodeWrite = (offset, size) => this.#codeWritten(offset, size);
    machine.debug.onBreakpointChange = (lo, hi) => this.#breakpointChanged(lo, hi);
    machine.debug.onWatchedPagesChange = () => this.#clear();
  }

  run(vcpu: SoftwareVcpu, budget: number): void {
    const { clock, control } = this.#machine;
    const { state } = vcpu;
    const enter = this.#enter[vcpu.index];
    const end = clock.instructions + budget;
    if (((state[EPOCH_CONTEXT] >>> 8) & this.#lateEpochs) !== 0) this.#clear();
    let isUnknown = false;
    while (!control.yield && !clock.deadlineMoved && !vcpu.waiting && !vcpu.stopped) {
      const left = end - clock.instructions;
      if (left <= 0) return;
      vcpu.takeInterrupt();
      const context = vcpu.context();
      if (context < 0) {
        this.#interpret(vcpu, 1);
        continue;
      }
      if (isUnknown) {
        const offset = vcpu.fetchOffset();
        if (offset < 0) {
          this.#interpret(vcpu, 1);
          continue;
        }
        if (this.#isCold(offset, state[PC_LO], state[PC_HI], context)) {
          this.#visits[visitsOf(offset)]++;
          this.#interpretBlock(vcpu, left);
          continue;
        }
        state[STATE_ENTRY >> 2] = this.#codeAt(vcpu, offset, state[PC_LO], state[PC_HI], context);
      } else {
        // Generated code finds most of what is known by itself, and touches less memory on the way.
        state[STATE_ENTRY >> 2] = this.#backend.resume;
      }
      state[EPOCH_CONTEXT] = (state[EPOCH_CONTEXT] & ~255) | context;
      const before = clock.instructions;
      isUnknown = this.#runCode(vcpu, enter, Math.min(left, Math.max(this.#untilSample, SAMPLE_DUE)), left);
      this.#untilSample -= clock.instructions - before;
    }
  }

  /**
   * Enters code at STATE_ENTRY, and again as long as all that was missing was a link.
   *
   * @param budget Instructions to run.
   * @param allowed Instructions that may be run.
   * @returns Whether it ended because no code is known for where the vCPU stands.
   */
  #runCode(vcpu: SoftwareVcpu, enter: () => void, budget: number, allowed: number): boolean {
    const { clock } = this.#machine;
    const { state } = vcpu;
    const blocks = this.#blocks, exits = this.#backend.exits;
    const atZero = clock.nowNs + budget;
    state[STATE_TIME_AT_ZERO >> 2] = atZero | 0;
    state[(STATE_TIME_AT_ZERO >> 2) + 1] = Math.floor(atZero / 0x100000000);
    state[STATE_BUDGET >> 2] = budget;
    for (;;) {
      this.#entries++;
      enter();
      const reason = state[STATE_EXIT_REASON >> 2];
      const argument = state[STATE_EXIT_ARG >> 2];
      this.#exits[reason]++;
      let left = state[STATE_BUDGET >> 2];
      switch (reason) {
        case EXIT_LINK: {
          const from = exits.linkBlock(argument);
          const pcLo = exits.linkPcLo(argument), pcHi = blocks.pcHi(from);
          const page = Math.floor(blocks.offset(from) / PAGE_SIZE) * PAGE_SIZE;
          const context = blocks.context(from) & 255 | (exits.linkCareful(argument) ? CAREFUL_CONTEXT : 0);
          state[PC_LO] = pcLo;
          state[PC_HI] = pcHi;
          if (context < CAREFUL_CONTEXT && this.#isCold(page + (pcLo & 0xfff), pcLo, pcHi, context)) {
            clock.instructions += budget - left;
            return true;
          }
          const clears = this.#clears;
          const code = this.#codeAt(vcpu, page + (pcLo & 0xfff), pcLo, pcHi, context);
          if (clears === this.#clears && blocks.code(from) !== 0) {
            this.#link(argument, blocks.find(page + (pcLo & 0xfff), pcLo, pcHi, context));
          }
          state[STATE_ENTRY >> 2] = code;
          continue;
        }
        case EXIT_BUDGET: {
          left += blocks.instructions(argument);
          state[PC_LO] = blocks.pcLo(argument);
          state[PC_HI] = blocks.pcHi(argument);
          clock.instructions += budget - left;
          if (allowed === budget) this.#interpret(vcpu, left);
          else this.#sample(vcpu, argument, allowed - budget + left);
          return false;
        }
        case EXIT_MIRROR:
        case EXIT_SITE: {
          exits.storeDirty(argument, state);
          const block = exits.siteBlock(argument);
          left += blocks.instructions(block) - exits.siteInstruction(argument);
          const low = (blocks.pcLo(block) >>> 0) + exits.sitePcDelta(argument);
          state[PC_LO] = low | 0;
          state[PC_HI] = (blocks.pcHi(block) + Math.floor(low / 0x100000000)) | 0;
          clock.instructions += budget - left;
          const clears = this.#clears, { exceptions } = vcpu;
          this.#interpretSite(vcpu, exits.siteAlways(argument));
          // Where there was no page for the guest either, the mirror is not to blame.
          if (reason === EXIT_MIRROR && clears === this.#clears && vcpu.exceptions === exceptions) {
            this.#mirrorFault(vcpu, argument);
          }
          return false;
        }
        case EXIT_LOOKUP:
        case EXIT_LEAVE:
          clock.instructions += budget - left;
          return reason === EXIT_LOOKUP;
        default:
          throw new Error(`generated code returned with unknown reason ${reason}`);
      }
    }
  }

  /** The budget of a run ended at the entry of a block, while there are instructions left to run. */
  #sample(vcpu: SoftwareVcpu, block: number, left: number): void {
    const isMirrored = (this.#blocks.context(block) & 3) === MIRRORED_INDEX;
    // Programs stay where they are for longer than kernels; where nothing is new it is enough to look now and then.
    const usual = this.#sampleInstructions * (isMirrored ? 1 : KERNEL_SAMPLES);
    this.#sampleAfter = this.#hotCode.sample(vcpu, block, left)
      ? usual
      : Math.min(2 * this.#sampleAfter, RAREST_SAMPLES * this.#sampleInstructions);
    this.#untilSample = this.#sampleAfter;
    if (isMirrored) this.#mirrors[vcpu.index]?.sampled();
  }

  /** An access by the mirror, the one at an exit site, found no page; the interpreter has made it. */
  #mirrorFault(vcpu: SoftwareVcpu, site: number): void {
    this.#mirrorFaults++;
    if (this.#mirrors[vcpu.index].fault(site)) {
      this.#hotCode.withoutMirror(this.#backend.exits.siteBlock(site));
    }
  }

  #interpret(vcpu: SoftwareVcpu, budget: number): void {
    this.#interpreted += budget;
    vcpu.interpret(budget);
  }

  /** Interprets the instruction that code stopped at, and counts what made that necessary. */
  #interpretSite(vcpu: SoftwareVcpu, always: boolean): void {
    const { bus } = this.#machine;
    const { state } = vcpu;
    const { exceptions } = vcpu, { deviceAccesses } = bus;
    const fills = state[TLB_FILLS], codeWrites = this.#codeWrites;
    this.#interpret(vcpu, 1);
    const sites = this.#sites;
    if (vcpu.exceptions !== exceptions) sites.exitsException++;
    else if (bus.deviceAccesses !== deviceAccesses) sites.exitsDevice++;
    else if (this.#codeWrites !== codeWrites) sites.exitsCodeWrite++;
    else if (always) sites.exitsSystem++;
    else if (state[TLB_FILLS] !== fills) sites.exitsTlbFill++;
    else sites.exitsOther++;
  }

  /** Whether a block was visited too rarely to be translated. */
  #isCold(offset: number, pcLo: number, pcHi: number, context: number): boolean {
    return this.#visits[visitsOf(offset)] < this.#coldVisits &&
      this.#blocks.find(offset, pcLo, pcHi, context) < 0;
  }

  /** Interprets up to the next jump. */
  #interpretBlock(vcpu: SoftwareVcpu, left: number): void {
    const { clock, control } = this.#machine;
    const { state } = vcpu;
    const most = Math.min(left, MAX_INSTRUCTIONS);
    for (let i = 0; i < most; i++) {
      const at = state[PC_LO], before = clock.instructions;
      this.#interpret(vcpu, 1);
      const distance = state[PC_LO] - at;
      if (distance !== 2 && distance !== 4) return;
      if (clock.instructions === before || control.yield || clock.deadlineMoved || vcpu.waiting) return;
    }
  }

  /** The code for a block, translated if need be. */
  #codeAt(vcpu: SoftwareVcpu, offset: number, pcLo: number, pcHi: number, context: number): number {
    const found = this.#blocks.find(offset, pcLo, pcHi, context);
    if (found >= 0) {
      const code = this.#blocks.code(found);
      if (context < CAREFUL_CONTEXT) {
        this.#backend.publish(pcLo, pcHi, Math.floor(offset / PAGE_SIZE), context, code);
      }
      return code;
    }
    return this.#translateAhead(vcpu, offset, pcLo, pcHi, context);
  }

  /**
   * Translates a block, and what it leads to and would be translated when next visited: the translator's code and
   * tables have to come into the host's caches once for all of them, and jumps lead straight to their targets. Returns
   * the block's code.
   */
  #translateAhead(vcpu: SoftwareVcpu, offset: number, pcLo: number, pcHi: number, context: number): number {
    const { state } = vcpu;
    const { exits } = this.#backend;
    const lo = state[PC_LO], hi = state[PC_HI];
    this.#prepare(context);
    if (!this.#hasRoom()) {
      this.#clear();
      this.#prepare(context);
      if (!this.#hasRoom()) throw new RangeError("The memory for generated code is too small for a block.");
    }
    const began = this.#clock();
    const block = this.#blocks.next, link = exits.links, cell = exits.cells;
    const code = this.#translate(vcpu, offset, pcLo, pcHi, context);
    if (context < CAREFUL_CONTEXT) this.#translateSuccessors(vcpu, block, link, cell);
    state[PC_LO] = lo;
    state[PC_HI] = hi;
    this.#translationCycles += this.#clock() - began;
    if (this.#translated >= this.#nextTrim) {
      this.#nextTrim *= 2;
      trimHeap();
    }
    return code;
  }

  /**
   * Translates what lies behind a block, and what some links and cells, all from the given ones on, lead to; and so on
   * with what that adds to all three of them.
   */
  #translateSuccessors(vcpu: SoftwareVcpu, block: number, link: number, cell: number): void {
    const blocks = this.#blocks, { exits } = this.#backend;
    const context = blocks.context(block), last = block + MOST_AHEAD;
    for (;;) {
      if (link < exits.links) {
        const target = exits.linkCareful(link)
          ? -1
          : this.#translateDue(vcpu, exits.linkPcLo(link), blocks.pcHi(exits.linkBlock(link)), context, last);
        if (target >= 0) this.#link(link, target);
        link++;
      } else if (cell < exits.cells) {
        this.#translateDue(vcpu, exits.cellPcLo(cell), exits.cellPcHi(cell), context, last);
        cell++;
      } else if (block < blocks.count) {
        // Where a call returns to, for instance.
        const end = (blocks.pcLo(block) >>> 0) + blocks.end(block) - blocks.offset(block);
        this.#translateDue(
          vcpu,
          end | 0,
          (blocks.pcHi(block) + Math.floor(end / 0x100000000)) | 0,
          context,
          last,
        );
        block++;
      } else return;
    }
  }

  /** The block at a pc, which is translated if that is due and the next one's number is not the last; -1: none. */
  #translateDue(vcpu: SoftwareVcpu, pcLo: number, pcHi: number, context: number, last: number): number {
    const { state } = vcpu;
    const blocks = this.#blocks;
    const offset = codeOffset(state, pcLo, pcHi, context);
    if (offset < 0) return -1;
    const found = blocks.find(offset, pcLo, pcHi, context);
    if (found >= 0 || this.#visits[visitsOf(offset)] < this.#coldVisits) return found;
    if (blocks.next >= last || !this.#hasRoom()) return -1;
    state[PC_LO] = pcLo;
    state[PC_HI] = pcHi;
    this.#translate(vcpu, offset, pcLo, pcHi, context);
    return blocks.next - 1;
  }

  #prepare(context: number): void {
    this.#backend.prepare(context & 255, this.#frontEnd, this.#machine.ram);
  }

  #hasRoom(): boolean {
    return this.#blocks.hasRoom() && this.#backend.hasRoom();
  }

  /** Makes a link lead to a block. */
  #link(link: number, target: number): void {
    const blocks = this.#blocks, backend = this.#backend;
    backend.exits.setLinkNext(link, blocks.incoming(target));
    blocks.setIncoming(target, link);
    backend.link(link, blocks.code(target));
  }

  #translate(vcpu: SoftwareVcpu, offset: number, pcLo: number, pcHi: number, context: number): number {
    const backend = this.#backend, blocks = this.#blocks, frontEnd = this.#frontEnd, ir = this.#ir;
    const effort = context < CAREFUL_CONTEXT
      ? EMIT_NORMAL | this.#hotCode.mirroring(context, [offset])
      : EMIT_CAREFUL;
    ir.begin(context & 255);
    frontEnd.translate(vcpu, offset, MAX_INSTRUCTIONS, ir, this.#hotCode.hintsAt(offset));
    const code = backend.emit(blocks.next, pcLo, pcHi, effort);
    const { startOffset: from, endOffset: to } = frontEnd;
    const { instructions } = ir;
    this.#hotCode.added(this.#add({ offset, pcLo, pcHi, context, instructions, code, from, to }));
    this.#translated++;
    this.#translatedInstructions += instructions;
    if (code > this.#expectedCode) this.#expectCode(code);
    return code;
  }

  /** Has the host begin to provide the large page after the one that an address of code is in. */
  #expectCode(code: number): void {
    const { address, buffer } = this.#memory.code;
    const from = (Math.floor(code / LARGE_PAGE_SIZE) + 1) * LARGE_PAGE_SIZE, to = from + LARGE_PAGE_SIZE;
    this.#machine.memory.expect?.(from, Math.min(to, address + buffer.byteLength));
    this.#expectedCode = to - LARGE_PAGE_SIZE / 2;
  }

  /** Adds a block that was emitted; returns its number. */
  #add({ offset, pcLo, pcHi, context, instructions, code, from, to }: NewBlock): number {
    const { ram } = this.#machine;
    const block = this.#blocks.add(offset, pcLo, pcHi, context, instructions, code, from, to);
    const page = Math.floor(offset / PAGE_SIZE);
    if (ram.codePages[page] === 0) {
      ram.codePages[page] = 1;
      for (const vcpu of this.#vcpus) vcpu.dropStoreTranslations(page);
    }
    if (context < CAREFUL_CONTEXT) this.#backend.publish(pcLo, pcHi, page, context, code);
    return block;
  }

  /** Makes nothing lead to a block any more, but for jump caches and cells of this epoch. */
  #forget(block: number): void {
    const blocks = this.#blocks, exits = this.#backend.exits;
    for (let link = blocks.incoming(block); link >= 0; link = exits.linkNext(link)) {
      this.#backend.unlink(link);
    }
    blocks.setIncoming(block, -1);
    this.#backend.retract(blocks.pcLo(block), blocks.pcHi(block), blocks.code(block));
  }

  /** The guest, a device or a test is about to write to a page with code. */
  #codeWritten(offset: number, size: number): void {
    this.#codeWrites++;
    const page = Math.floor(offset / PAGE_SIZE);
    if (this.#blocks.givesUp(page)) this.#drop(page * PAGE_SIZE, PAGE_SIZE);
    else if (this.#blocks.touchesCode(offset, size)) this.#drop(offset, size);
  }

  /** Code with the instruction at an address must stop there from now on, or need not any more. */
  #breakpointChanged(pcLo: number, pcHi: number): void {
    for (const page of this.#blocks.pagesOf(pcLo, pcHi)) {
      this.#drop(page * PAGE_SIZE + (pcLo & (PAGE_SIZE - 1)), 1);
    }
  }

  /** Drops the blocks that overlap `size` bytes at a RAM offset (within one page), but for those to keep. */
  #drop(offset: number, size: number, keeps?: (block: number) => boolean): void {
    const before = this.#dropped;
    const remains = this.#blocks.drop(offset, size, (b) => {
      this.#dropped++;
      this.#forget(b);
    }, keeps);
    if (!remains) {
      this.#machine.ram.codePages[Math.floor(offset / PAGE_SIZE)] = 0;
      this.#hotCode.forgetPage(offset);
    }
    // Jump caches and cells may still lead to what was dropped.
    if (this.#dropped !== before) this.#beginEpoch();
  }

  #beginEpoch(): void {
    for (const v of this.#vcpus) v.state[EPOCH_CONTEXT] += NEXT_EPOCH;
  }

  #clear(): void {
    const { ram } = this.#machine;
    const vcpus = this.#vcpus;
    this.#clears++;
    this.#backend.clear();
    this.#blocks.clear();
    this.#hotCode.clear();
    for (const mirror of this.#mirrors) mirror.forgetCode();
    ram.codePages.fill(0);
    for (const v of vcpus) {
      emptyJumpCache(v.state);
      this.#beginFirstEpoch(v);
    }
  }

  /** Epochs of different vCPUs are different: they share the cells of jumps, but no translations of addresses. */
  #beginFirstEpoch({ state, index }: SoftwareVcpu): void {
    state[EPOCH_CONTEXT] = (2 * index * this.#lateEpochs + 1) << 8 | state[EPOCH_CONTEXT] & 255;
  }

  statistics(): Record<string, number> {
    return {
      blocksTranslated: this.#translated,
      tracesInstalled: this.#hotCode.traces,
      instructionsTranslated: this.#translatedInstructions,
      translationMs: this.#translationCycles * this.#clock.cycleMs(),
      codeBytes: this.#backend.codeBytes,
      blocksDropped: this.#dropped,
      cacheClears: this.#clears,
      entries: this.#entries,
      ...(this.#hotCode.hasMirror && {
        mirrorFaults: this.#mirrorFaults,
        mirrorPages: this.#mirrors.reduce((sum, { pages }) => sum + pages, 0),
      }),
      exitsBudget: this.#exits[EXIT_BUDGET],
      ...this.#sites,
      exitsLink: this.#exits[EXIT_LINK],
      exitsLookup: this.#exits[EXIT_LOOKUP],
      exitsLeave: this.#exits[EXIT_LEAVE],
      interpreted: this.#interpreted,
      tlbFills: this.#count(STATE_TLB_FILLS),
      jumpCacheMisses: this.#count(STATE_JUMP_CACHE_MISSES),
      cellMisses: this.#count(STATE_CELL_MISSES),
    };
  }

  /** A counter in the state blocks of all vCPUs. */
  #count(offset: number): number {
    let sum = 0;
    for (const { state } of this.#vcpus) {
      sum += (state[offset >> 2] >>> 0) + state[(offset >> 2) + 1] * 0x100000000;
    }
    return sum;
  }

  dispose(): void {
    for (const mirror of this.#mirrors) mirror.free();
    for (const vcpu of this.#vcpus) vcpu.mirror = undefined;
    freeCodeMemory(this.#memory);
    this.#visitsPages.free();
    this.#clock[Symbol.dispose]();
  }
}

/** RAM offset of the code at a pc, as the fetch TLB has it for a context; -1 where it has no entry. */
function codeOffset(state: Int32Array, pcLo: number, pcHi: number, context: number): number {
  const entry = tlbTable(context & 3, TLB_FETCH) + (pcLo >>> 8 & TLB_OFFSET_MASK) >> 2;
  if (state[entry] !== (pcLo & -PAGE_SIZE) || state[entry + 1] !== pcHi) return -1;
  return state[entry + 2] * PAGE_SIZE + (pcLo & (PAGE_SIZE - 1));
}

/** Where the visits to code at an offset are counted. Code that shares the place is translated the sooner. */
function visitsOf(offset: number): number {
  return ((offset / 2) ^ (offset / 131072)) & ((1 << VISITS_BITS) - 1);
}

/** Fills a jump cache with pcs no jump leads to (odd ones). */
function emptyJumpCache(state: Int32Array): void {
  state.fill(1, STATE_JUMP_CACHE >> 2, (STATE_JUMP_CACHE >> 2) + (4 << JUMP_CACHE_BITS));
}
