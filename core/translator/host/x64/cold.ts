/**
 * Cold code: what follows a block's hot path and is jumped to from there. Nothing of it is emitted before the hot
 * path is complete, so each piece is a record of what it needs: registers and stores as they were at its jump.
 */
import { ALU_XOR, SHIFT_SHR } from "./assembler.ts";
import { emitJump, refund } from "./control.ts";
import type { Emitter } from "./emitter.ts";
import { accessAt, loadMirrorAddend, probeCold } from "./memory.ts";
import { MOST_GROUPS, tableKind } from "./groups.ts";
import { BUDGET, CC_NE, RAX, RCX, STATE } from "./registers.ts";
import { canProbe, emitMiss } from "./tlb_probe.ts";

// Kinds of cold code
/** A TLB miss: refill and go back, or leave. */
const MEMORY = 0;
/** A failed probe of a group's leader. */
const LEADER = 1;
/** The interpreter executes the current instruction. */
const INTERPRET = 2;
/** Too little budget is left for the block. */
const BUDGETED = 3;
/** A branch that is taken: stores of all that is dirty, then a jump. */
const BRANCH = 4;
/** Stores of all that is dirty, then some code that goes elsewhere. */
const STORES = 5;
/** The same for a way to another block of a region. */
const EDGE = 6;
/** Some code that goes back. */
const CODE = 7;
/** An access by the mirror that faulted, or whose address is in no span that has one. */
const MIRROR = 8;
const MAX_COLD = 1024;
/** Words that tell what one piece of cold code stores, at most. */
const MOST_WORDS = 1024;

/** An access by the mirror, as it was emitted. */
export interface MirrorAccess {
  /** Position of the jump that is taken where the address is in no span; -1: nothing was checked. */
  readonly outside: number;
  /** Position of the access itself. */
  readonly at: number;
  readonly base: number;
  /** Of the value, as `accessAt` has it. */
  readonly register: number;
  /** Whether others rely on its check. */
  readonly leads: boolean;
  /** What rcx held, and has to hold behind it. */
  readonly addend: number;
}

/** The cold code of one block at a time. */
export class ColdCode {
  #length = 0;
  readonly #kind = new Uint8Array(MAX_COLD);
  readonly #from = new Int32Array(MAX_COLD);
  readonly #back = new Int32Array(MAX_COLD);
  // What is stored: a range of #stores
  readonly #first = new Int32Array(MAX_COLD);
  readonly #end = new Int32Array(MAX_COLD);
  readonly #code: (() => void)[] = [];
  readonly #access: MirrorAccess[] = [];
  // Of memory accesses: op, exit site, base register, displacement; instruction and its pc
  readonly #op = new Int32Array(MAX_COLD);
  readonly #site = new Int32Array(MAX_COLD);
  readonly #base = new Uint8Array(MAX_COLD);
  readonly #disp = new Int32Array(MAX_COLD);
  readonly #instruction = new Int32Array(MAX_COLD);
  readonly #pcLo = new Int32Array(MAX_COLD);
  // Of branches: instructions executed (in #instruction), the pc they lead to, 1 where rounds of a loop were paid for
  readonly #pcHi = new Int32Array(MAX_COLD);
  readonly #streaming = new Uint8Array(MAX_COLD);
  /** Positions of jumps to where the current piece goes on carefully. */
  readonly #careful = new Int32Array(1 + MOST_GROUPS);
  #carefulLength = 0;
  #stores = new Int32Array(4 * MOST_WORDS);
  #storesLength = 0;

  constructor(private readonly e: Emitter) {}

  /** Forgets what was noted. */
  clear(): void {
    this.#length = this.#storesLength = 0;
  }

  #add(kind: number, from: number): number {
    const c = this.#length++;
    this.#kind[c] = kind;
    this.#from[c] = from;
    this.#back[c] = this.e.asm.pos;
    return c;
  }

  /** On a failed probe of the TLB (jump at `from`) for op i's access to [base + disp]: comes back here, or leaves. */
  memory(from: number, i: number, base: number, disp: number): void {
    const { e } = this;
    const leads = e.groups.of[i] >= 0;
    const c = this.#add(leads ? LEADER : MEMORY, from);
    this.#op[c] = i;
    this.#base[c] = base;
    this.#disp[c] = disp;
    this.#site[c] = e.newSite();
    if (!leads && !e.groups.isBetween(i)) return;
    this.#instruction[c] = e.instruction;
    this.#pcLo[c] = e.instructionPcLo;
    this.#describe(c);
  }

  /** Op i's access by the mirror was emitted: where it faults it leaves; out of range it comes back behind it. */
  mirror(i: number, access: MirrorAccess): void {
    const { e } = this;
    const c = this.#add(MIRROR, access.outside);
    this.#op[c] = i;
    this.#base[c] = access.base;
    this.#disp[c] = e.ir.lo[i];
    this.#access[c] = access;
    this.#site[c] = e.newSite();
    if (!access.leads && !e.groups.isBetween(i)) return;
    this.#instruction[c] = e.instruction;
    this.#pcLo[c] = e.instructionPcLo;
    this.#describe(c);
  }

  /** The jump at `from` leads to the interpreter, at the current instruction. */
  interpret(from: number): void {
    this.#site[this.#add(INTERPRET, from)] = this.e.newSite();
  }

  /** The jump at `from` leads to the run loop: the budget does not suffice. */
  budget(from: number): void {
    this.#describe(this.#add(BUDGETED, from));
  }

  /** The jump at `from` leads, as a branch by the current instruction, to a guest pc. */
  branch(from: number, pcLo: number, pcHi: number): void {
    const { e } = this;
    const c = this.#add(BRANCH, from);
    this.#describe(c);
    this.#instruction[c] = e.instruction + 1;
    this.#pcLo[c] = pcLo;
    this.#pcHi[c] = pcHi;
    this.#streaming[c] = Number(e.streaming);
  }

  /** The jump at `from` leads to stores of all that is dirty now, then to `code`. */
  stores(from: number, code: () => void): void {
    const c = this.#add(STORES, from);
    this.#describe(c);
    this.#code[c] = code;
  }

  /** The jump at `from` leads to another block of the region, by way of `code`, which ends with a jump to it. */
  edge(from: number, code: () => void): void {
    const c = this.#add(EDGE, from);
    this.#makeRoom();
    this.#first[c] = this.#storesLength;
    this.#end[c] = this.#storesLength = this.e.alloc.describeEdge(this.#stores, this.#storesLength);
    this.#code[c] = code;
  }

  /** The jump at `from` leads to `code`, which then comes back here. */
  code(from: number, code: () => void): void {
    this.#code[this.#add(CODE, from)] = code;
  }

  #describe(c: number): void {
    this.#makeRoom();
    this.#first[c] = this.#storesLength;
    this.#end[c] = this.#storesLength = this.e.alloc.describe(this.#stores, this.#storesLength);
  }

  #makeRoom(): void {
    if (this.#storesLength + MOST_WORDS <= this.#stores.length) return;
    const larger = new Int32Array(2 * this.#stores.length);
    larger.set(this.#stores);
    this.#stores = larger;
  }

  /** Emits all of it. */
  emit(): void {
    const { e } = this, { asm, alloc } = e;
    for (let c = 0; c < this.#length; c++) {
      if (this.#kind[c] === MIRROR) this.#faulted(c);
      if (this.#from[c] >= 0) asm.bind(this.#from[c]);
      switch (this.#kind[c]) {
        case MEMORY:
          if (e.groups.count === 0 && canProbe(this.#base[c], this.#disp[c], this.#disp[c])) {
            emitMiss(asm, this.#site[c], this.#base[c], this.#disp[c], this.#refillStub(c), this.#back[c]);
            break;
          }
          this.#refill(c);
          this.#checkOpen(c);
          this.#goBack(c, this.#back[c]);
          break;
        case LEADER:
          this.#leader(c);
          this.#goBack(c, this.#back[c]);
          break;
        case BUDGETED:
          alloc.stores.emit(this.#stores, this.#first[c], this.#end[c]);
          e.outOfBudget();
          break;
        case BRANCH:
          alloc.stores.emit(this.#stores, this.#first[c], this.#end[c]);
          refund(e, this.#instruction[c], this.#streaming[c] !== 0);
          emitJump(e, this.#pcLo[c], this.#pcHi[c]);
          break;
        case INTERPRET:
          asm.movImm(RAX, this.#site[c], 0);
          asm.jmpTo(e.stubs.site);
          break;
        case STORES:
          alloc.stores.emit(this.#stores, this.#first[c], this.#end[c]);
          this.#code[c]();
          break;
        case EDGE:
          alloc.stores.emitEdge(this.#stores, this.#first[c], this.#end[c]);
          this.#code[c]();
          break;
        case CODE:
          this.#code[c]();
          asm.jmpTo(this.#back[c]);
          break;
        case MIRROR:
          if (this.#access[c].leads) this.#goOnCarefully(c);
          else if (this.#from[c] >= 0) this.#probe(c);
          break;
      }
    }
  }

  /** Where the fault handler goes on. */
  #faulted(c: number): void {
    const { asm, faults, stubs } = this.e;
    faults.add(asm.base + this.#access[c].at, asm.here);
    asm.movImm(RAX, this.#site[c], 0);
    asm.jmpTo(stubs.mirrorFault);
  }

  /** An access whose address is in no span: by a probe. */
  #probe(c: number): void {
    const { e } = this, { asm } = e;
    const i = this.#op[c], { base, register, addend } = this.#access[c];
    const miss = probeCold(e, i, base);
    const found = asm.pos;
    accessAt(e, i, base, register);
    e.addendOf = -1;
    loadMirrorAddend(e, addend);
    asm.jmpTo(this.#back[c]);
    asm.bind(miss);
    this.#refill(c);
    this.#checkOpen(c);
    this.#goBack(c, found);
  }

  /** Goes back to a position; behind that, to careful code where something has jumped to that. */
  #goBack(c: number, to: number): void {
    const { asm } = this.e;
    asm.jmpTo(to);
    if (this.#carefulLength === 0) return;
    for (let k = 0; k < this.#carefulLength; k++) asm.bind(this.#careful[k]);
    this.#carefulLength = 0;
    this.#goOnCarefully(c);
  }

  /** Calls the refill stub, which wants the page of the last byte in rcx and leaves the addend there. */
  #refill(c: number): void {
    const { asm } = this.e;
    asm.pushImm(this.#site[c]);
    asm.lea(1, RAX, this.#base[c], this.#disp[c]);
    asm.callTo(this.#refillStub(c));
  }

  /** Position of the refill stub for an access. */
  #refillStub(c: number): number {
    const { ir, stubs } = this.e;
    return stubs.refill(ir.context & 3, tableKind(ir.op[this.#op[c]]));
  }

  /**
   * The probe of a group's leader failed: for its span, or for want of an entry. The page of the span's last byte is in
   * rcx; if that is the page of the first one too, it is the one that the access wants.
   */
  #leader(c: number): void {
    const { asm, groups } = this.e;
    const g = groups.of[this.#op[c]], cell = groups.cell(g);
    asm.lea(1, RAX, this.#base[c], this.#disp[c] + groups.from(g));
    asm.alu(ALU_XOR, 1, RAX, RCX);
    asm.shiftImm(SHIFT_SHR, 1, RAX, 12);
    this.#careful[this.#carefulLength++] = asm.jcc(CC_NE);
    if (cell !== undefined) asm.store(1, STATE, cell + 8, RCX);
    this.#refill(c);
    if (cell !== undefined) asm.store(1, STATE, cell, RCX);
    this.#checkOpen(c);
  }

  /** Goes on in careful code if an entry that a group relies on was replaced. Keeps rcx. */
  #checkOpen(c: number): void {
    const { asm, groups, ir, stubs } = this.e;
    const i = this.#op[c];
    for (let g = 0; g < groups.count; g++) {
      if (!groups.isOpen(g, i)) continue;
      asm.movImm(RAX, groups.cell(g)! + 8, 0);
      asm.callTo(stubs.check(ir.context & 3, groups.kind(g)));
      this.#careful[this.#carefulLength++] = asm.jcc(CC_NE);
    }
  }

  /** Stores what was dirty and goes on at the instruction in a careful variant of the block. */
  #goOnCarefully(c: number): void {
    const { e } = this;
    e.alloc.stores.emit(this.#stores, this.#first[c], this.#end[c]);
    e.asm.lea(0, BUDGET, BUDGET, e.ir.instructions - this.#instruction[c]);
    e.linkJump(this.#pcLo[c], true);
  }
}
