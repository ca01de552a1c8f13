/**
 * The mirror: host addresses at which the pages of a guest's program lie as they do in the program's own address
 * space, so that hot code reaches its data without a look at the TLB. The host's MMU does the work.
 *
 * An access by the mirror checks that its base is in a span that is mirrored, and goes ahead. A page that is not
 * there faults, and the host's signal handler leads to the cold code of the access, which leaves with EXIT_MIRROR.
 * Then everything the TLB holds is shown, for the TLB knows what the program uses.
 *
 * The mirror shows a page only while the TLB's load entry leads to it, and lets it be written only while the store
 * entry does too. So an access by the mirror is one that would have hit, and the TLB stays what it would be without.
 * Whoever changes an entry hides its page before (STATE_MIRRORED).
 *
 * Hiding and showing cost the host a system call each. A guest that switches between programs all the time would
 * drown in them: then the mirror sleeps for a while, and all accesses go by the TLB.
 */
import type { SoftwareVcpu, TranslationMirror } from "../../core/isa.ts";
import { Assembler } from "../../core/translator/host/x64/assembler.ts";
import { emitFaultHandler } from "../../core/translator/host/x64/fault_handler.ts";
import { installFaultHandler } from "../ffi/faults.ts";
import { type GuestRam, PAGE_SIZE, type PageWindow } from "../../core/memory.ts";
import {
  MIRRORED_INDEX,
  STATE_FAR_ADDEND,
  STATE_FAR_OFFSET,
  STATE_FAR_SIZE,
  STATE_MIRROR_FAULT,
  STATE_MIRRORED,
  STATE_NEAR_ADDEND,
  STATE_NEAR_SIZE,
  STATE_TLB_TOUCHED,
  TLB_ENTRIES,
  TLB_LOAD,
  TLB_STORE,
  tlbTable,
} from "../../core/translator/layout.ts";

/** Bytes of a span that is mirrored: what programs use of their address space lies at its two ends. */
const SPAN = 2 ** 40;
/** High halves of the addresses in one span. */
const SPAN_HI = SPAN / 2 ** 32;
/** Inaccessible bytes around a mirrored span: more than any displacement from a base in it. */
const GUARD = 2 ** 32;
/** In STATE_MIRRORED: shown for loads, and for stores too. */
const READABLE = 1, WRITABLE = 2;
/** An entry whose page had to be hidden so often, because other pages have the same, is not shown any more. */
const MOST_CONFLICTS = 8;
/** An access that has faulted so often in vain is never made by the mirror again. */
const MOST_FAILURES = 3;
/** Faults that are allowed per sample, in the mean, and in a row. */
const FAULTS_PER_SAMPLE = 8, MOST_FAULTS = 256;
/** Longest sleep, in samples. */
const LONGEST_SLEEP = 128;

const CHUNK_ENTRIES = TLB_ENTRIES / 64;
const TOUCHED = STATE_TLB_TOUCHED + 8 * (3 * MIRRORED_INDEX + TLB_LOAD) >> 2;
const LOADS = tlbTable(MIRRORED_INDEX, TLB_LOAD) >> 2, STORES = tlbTable(MIRRORED_INDEX, TLB_STORE) >> 2;

/** Opens a mirror for each vCPU; none where the host cannot have them all. */
export function openMirrors(vcpus: readonly SoftwareVcpu[], ram: GuestRam): readonly Mirror[] {
  const installed = installFaultHandler((code) =>
    emitFaultHandler(new Assembler(new Uint8Array(code.buffer), code.address))
  );
  if (!installed) return [];
  const mirrors: Mirror[] = [];
  for (const vcpu of vcpus) {
    const mirror = Mirror.open(vcpu, ram);
    if (mirror === undefined) {
      for (const opened of mirrors) opened.free();
      return [];
    }
    mirrors.push(mirror);
  }
  vcpus.forEach((vcpu, i) => vcpu.mirror = mirrors[i]);
  return mirrors;
}

/** The mirror of one vCPU's data translations. */
export class Mirror implements TranslationMirror {
  readonly #state: Int32Array;
  readonly #words: BigInt64Array;
  readonly #mirrored: Uint8Array;
  readonly #conflicts = new Uint8Array(TLB_ENTRIES);
  /** By entry: host address its page is shown at. */
  readonly #shownAt = new Float64Array(TLB_ENTRIES);
  #shown = 0;
  /** Pages shown so far, those that were hidden again included; a statistic. */
  pages = 0;
  /** High half of the far span's first address; 0 while there is none. */
  #farHi = 0;
  #allowance = MOST_FAULTS;
  /** Samples left to sleep, and those of the last sleep. */
  #sleep = 0;
  #lastSleep = 0;
  #awakeFor = 0;
  /** By exit site: faults of its access after which the page was still missing. */
  readonly #failures = new Map<number, number>();

  /** Opens a mirror for a vCPU; undefined where the host cannot have it. */
  static open(vcpu: SoftwareVcpu, ram: GuestRam): Mirror | undefined {
    const near = ram.openWindow(SPAN + 2 * GUARD), far = near && ram.openWindow(SPAN + 2 * GUARD);
    if (far !== undefined) return new Mirror(vcpu, ram, near!, far);
    near?.free();
    return undefined;
  }

  private constructor(
    vcpu: SoftwareVcpu,
    private readonly ram: GuestRam,
    private readonly near: PageWindow,
    private readonly far: PageWindow,
  ) {
    const { buffer, byteOffset } = vcpu.state;
    this.#state = vcpu.state;
    this.#words = new BigInt64Array(buffer, byteOffset, STATE_MIRROR_FAULT / 8 + 1);
    this.#mirrored = new Uint8Array(buffer, byteOffset + STATE_MIRRORED, TLB_ENTRIES);
    this.#words[STATE_NEAR_ADDEND / 8] = BigInt(near.address + GUARD);
  }

  /** Whether an address whose high half is given is in no near span. */
  static isFar(hi: number): boolean {
    return hi >>> 0 >= SPAN_HI;
  }

  /** Time goes by: a sample was taken while the mirrored program ran. */
  sampled(): void {
    this.#allowance = Math.min(this.#allowance + FAULTS_PER_SAMPLE, MOST_FAULTS);
    if (this.#sleep === 0) this.#awakeFor++;
    else if (--this.#sleep > 0) return;
    // No access faults while there is no far span to be in: it is looked for.
    if (this.#farHi === 0) this.#showAll();
    this.#setSizes(SPAN);
  }

  /**
   * An access has faulted; the instruction has been interpreted since. Shows what the TLB holds.
   *
   * @param site Exit site of the access.
   * @returns Whether the access is never to be made by the mirror again.
   */
  fault(site: number): boolean {
    const address = Number(this.#words[STATE_MIRROR_FAULT / 8]);
    if (--this.#allowance <= 0) this.#fallAsleep();
    const before = this.#rightsAt(address);
    this.#showAll();
    if (this.#rightsAt(address) > before) return false;
    const failures = (this.#failures.get(site) ?? 0) + 1;
    this.#failures.set(site, failures);
    return failures >= MOST_FAILURES;
  }

  /** All code was thrown away. */
  forgetCode(): void {
    this.#failures.clear();
  }

  hide(entry: number): void {
    const at = this.#shownAt[entry];
    this.#windowOf(at).hide(at, PAGE_SIZE);
    this.#mirrored[entry] = 0;
    this.#shown--;
    if (this.#conflicts[entry] < MOST_CONFLICTS) this.#conflicts[entry]++;
  }

  hideAll(): void {
    if (this.#shown === 0) return;
    this.near.hide(this.near.address + GUARD, SPAN);
    if (this.#farHi !== 0) this.far.hide(this.far.address + GUARD, SPAN);
    this.#mirrored.fill(0);
    this.#conflicts.fill(0);
    this.#shown = this.#farHi = 0;
    this.#fallAsleep();
  }

  /** Gives the addresses back. */
  free(): void {
    this.near.free();
    this.far.free();
  }

  #fallAsleep(): void {
    this.#lastSleep = this.#awakeFor > this.#lastSleep ? 1 : Math.min(2 * this.#lastSleep + 1, LONGEST_SLEEP);
    this.#sleep = this.#lastSleep;
    this.#awakeFor = 0;
    this.#setSizes(0);
  }

  #setSizes(bytes: number): void {
    this.#words[STATE_NEAR_SIZE / 8] = BigInt(bytes);
    this.#words[STATE_FAR_SIZE / 8] = this.#farHi === 0 ? 0n : BigInt(bytes);
  }

  #windowOf(at: number): PageWindow {
    const distance = at - this.near.address;
    return distance >= 0 && distance < SPAN + 2 * GUARD ? this.near : this.far;
  }

  /** What an access to a host address in the mirror may do. */
  #rightsAt(address: number): number {
    const page = address - address % PAGE_SIZE;
    // The spans begin at multiples of the reach of a table.
    const offset = page - this.#windowOf(page).address - GUARD;
    const entry = offset / PAGE_SIZE % TLB_ENTRIES;
    return entry >= 0 && this.#shownAt[entry] === page ? this.#mirrored[entry] : 0;
  }

  /** Shows every page that the TLB's load entries lead to, where there is a span for it. */
  #showAll(): void {
    for (let half = 0; half < 2; half++) {
      for (let mask = this.#state[TOUCHED + half]; mask !== 0; mask &= mask - 1) {
        this.#showChunk(32 * half + 31 - Math.clz32(mask & -mask));
      }
    }
  }

  #showChunk(chunk: number): void {
    const s = this.#state;
    for (let entry = chunk * CHUNK_ENTRIES; entry < (chunk + 1) * CHUNK_ENTRIES; entry++) {
      const load = LOADS + 4 * entry, store = STORES + 4 * entry;
      const lo = s[load], hi = s[load + 1];
      if ((lo & PAGE_SIZE - 1) !== 0) continue; // invalid or guarded
      const rights = s[store] === lo && s[store + 1] === hi ? WRITABLE : READABLE;
      if (this.#mirrored[entry] >= rights || this.#conflicts[entry] === MOST_CONFLICTS) continue;
      const at = this.#placeOf(lo, hi);
      if (at === undefined) continue;
      const offset = (lo + s[load + 2] - (this.ram.hostAddress | 0)) >>> 0;
      if (!this.#windowOf(at).show(at, offset, rights === WRITABLE)) continue;
      if (this.#mirrored[entry] === 0) this.#shown++;
      this.pages++;
      this.#mirrored[entry] = rights;
      this.#shownAt[entry] = at;
    }
  }

  /** Host address at which the page of a virtual address is shown; undefined where there is no span for it. */
  #placeOf(lo: number, hi: number): number | undefined {
    if (!Mirror.isFar(hi)) return this.near.address + GUARD + hi * 2 ** 32 + (lo >>> 0);
    const farHi = hi & -SPAN_HI;
    if (this.#farHi === 0) this.#placeFar(farHi);
    if (farHi !== this.#farHi) return undefined;
    return this.far.address + GUARD + (hi - farHi) * 2 ** 32 + (lo >>> 0);
  }

  /** Chooses the far span. */
  #placeFar(hi: number): void {
    this.#farHi = hi;
    const start = BigInt(hi) << 32n;
    const addend = BigInt(this.far.address + GUARD) - start;
    this.#words[STATE_FAR_OFFSET / 8] = -start;
    this.#words[STATE_FAR_ADDEND / 8] = addend;
    this.#words[STATE_FAR_SIZE / 8] = this.#words[STATE_NEAR_SIZE / 8];
  }
}
