/**
 * Two harts with equal state: one interprets, the other's instructions are translated to IR which is verified
 * and evaluated. What the guest could see must be equal after every block.
 */
import { assertEquals } from "@std/assert";
import { Bus } from "../../../../core/bus.ts";
import { Clock } from "../../../../core/clock.ts";
import { RiscvFrontEnd } from "../../../../core/decoder/riscv/front_end.ts";
import { RiscvHart } from "../../../../core/decoder/riscv/hart.ts";
import { S_END, S_FFLAGS } from "../../../../core/decoder/riscv/state.ts";
import { DebugPoints } from "../../../../core/debug/debug_points.ts";
import { type MachineContext, RunControl } from "../../../../core/isa.ts";
import { GuestRam, type HostMemory } from "../../../../core/memory.ts";
import { Ir } from "../../../../core/translator/ir.ts";
import { type HostSpan, IrEvaluator } from "../../../../core/translator/ir_evaluator.ts";
import {
  STATE_BUDGET,
  STATE_EPOCH_CONTEXT,
  STATE_INTERRUPT_PENDING,
  STATE_JUMP_CACHE,
  STATE_PC,
  STATE_SCRATCH,
  STATE_SYSTEM,
  STATE_TIME_AT_ZERO,
  STATE_TLB,
} from "../../../../core/translator/layout.ts";
import { printIr, verifyIr } from "../../../../core/translator/verifier.ts";

export const RAM = 0x8000_0000;
export const RAM_BYTES = 0x2_0000;

const EPOCH = STATE_EPOCH_CONTEXT >> 2;

/** Memory with made-up host addresses, so that code which computes them can be evaluated. */
class AddressedMemory implements HostMemory {
  readonly spans: HostSpan[] = [];
  #next = 0x7f12_3456_7000;
  allocate(bytes: number) {
    const buffer = new ArrayBuffer(bytes);
    const address = this.#next;
    this.#next += bytes + 0x10_0000;
    this.spans.push({ address, bytes: new Uint8Array(buffer) });
    return { buffer, address, free() {} };
  }
}

/** One hart with its machine. */
export class Side {
  readonly memory = new AddressedMemory();
  readonly ram: GuestRam = new GuestRam(this.memory, RAM, RAM_BYTES);
  readonly clock: Clock = new Clock();
  readonly machine: MachineContext = {
    ram: this.ram,
    rams: [this.ram],
    bus: new Bus([this.ram]),
    clock: this.clock,
    memory: this.memory,
    control: new RunControl(),
    debug: new DebugPoints(),
  };
  readonly hart: RiscvHart = new RiscvHart(this.machine, 0);

  get pc(): bigint {
    return this.view.getBigUint64(STATE_PC, true);
  }

  get view(): DataView {
    return new DataView(this.hart.state.buffer);
  }
}

/** What the last block did. */
export interface Step {
  readonly kind: "jump" | "leave" | "interpret" | "untranslatable";
  /** Instructions executed as IR. */
  readonly native: number;
}

/** The pair. `setUp` changes of state and RAM are made to both by {@linkcode Lockstep.both}. */
export class Lockstep {
  readonly reference: Side = new Side();
  readonly translated: Side = new Side();
  readonly ir: Ir = new Ir();
  readonly frontEnd: RiscvFrontEnd = new RiscvFrontEnd(this.translated.ram, this.translated.machine.debug);
  readonly evaluator: IrEvaluator;
  readonly #walkers = new Map<number, Ir>();

  constructor() {
    const { hart, memory } = this.translated;
    const state = memory.spans.find((span) => span.address === hart.stateAddress)!;
    this.evaluator = new IrEvaluator({
      state,
      spans: memory.spans,
      walk: (kind, mmuIndex) => this.evaluator.call(this.walker(kind, mmuIndex)),
    });
  }

  /** Does the same to both sides. */
  both(change: (side: Side) => void): void {
    change(this.reference);
    change(this.translated);
  }

  /** The walker stub, verified. */
  walker(kind: number, mmuIndex: number): Ir {
    const key = 4 * kind + mmuIndex;
    let stub = this.#walkers.get(key);
    if (!stub) {
      stub = new Ir();
      stub.begin(mmuIndex, true);
      this.frontEnd.walker(stub, kind, mmuIndex, this.translated.ram);
      verifyIr(stub);
      this.#walkers.set(key, stub);
    }
    return stub;
  }

  /** Translates the block at the current pc, if there can be one. */
  translate(maxInstructions: number): boolean {
    const { hart } = this.translated;
    const context = hart.context();
    const offset = context < 0 ? -1 : hart.fetchOffset();
    if (offset < 0) return false;
    this.ir.begin(context);
    this.frontEnd.translate(hart, offset, maxInstructions, this.ir);
    verifyIr(this.ir);
    return true;
  }

  /** Runs one block on one side, the same instructions on the other, and compares. */
  step(maxInstructions = 64): Step {
    const { hart, clock, view } = this.translated;
    if (hart.state[STATE_INTERRUPT_PENDING >> 2] !== 0) hart.takeInterrupt();
    const before = clock.instructions;
    let step: Step = { kind: "untranslatable", native: 0 };
    if (!this.translate(maxInstructions)) {
      this.ir.begin(0);
      hart.interpret(1);
    } else {
      view.setInt32(STATE_BUDGET, 1000, true);
      view.setBigUint64(STATE_TIME_AT_ZERO, BigInt(clock.nowNs + 1000), true);
      const outcome = this.evaluator.run(this.ir);
      hart.state[S_FFLAGS >> 2] |= this.evaluator.fpFlags;
      this.evaluator.fpFlags = 0;
      view.setBigUint64(STATE_PC, outcome.pc, true);
      clock.instructions += outcome.retired;
      step = { kind: outcome.kind, native: outcome.retired };
      if (outcome.kind === "interpret") hart.interpret(1);
      else assertEquals(outcome.context, hart.context(), `context after\n${printIr(this.ir)}`);
    }
    const instructions = clock.instructions - before;
    if (instructions > 0) this.reference.hart.interpret(instructions);
    this.compareRegisters();
    return step;
  }

  /** Asserts that no register differs. */
  compareRegisters(): void {
    const a = this.reference, b = this.translated;
    this.#compare([0, STATE_BUDGET], [STATE_INTERRUPT_PENDING, STATE_SCRATCH], [STATE_SYSTEM, S_END]);
    assertEquals(a.hart.state[EPOCH] >>> 8, b.hart.state[EPOCH] >>> 8, "epoch");
    assertEquals(a.clock.instructions, b.clock.instructions, "instructions");
  }

  /** Asserts that nothing the guest could see differs. Host addresses are the same on both sides. */
  compareAll(): void {
    this.compareRegisters();
    this.#compare([STATE_TLB, STATE_JUMP_CACHE]);
    const [x, y] = [this.reference.ram.i32, this.translated.ram.i32];
    for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) throw new Error(`RAM differs at ${4 * i}`);
  }

  #compare(...ranges: readonly (readonly [number, number])[]): void {
    const [x, y] = [this.reference.hart.state, this.translated.hart.state];
    const differ: string[] = [];
    const hex = (word: number) => (word >>> 0).toString(16);
    for (const [from, to] of ranges) {
      for (let i = from >> 2; i < to >> 2; i++) {
        if (x[i] !== y[i]) differ.push(`state ${4 * i}: ${hex(x[i])}, translated ${hex(y[i])}`);
      }
    }
    if (differ.length > 0) throw new Error(`${differ.join("\n")}\nafter\n${printIr(this.ir)}`);
  }
}

/** A small deterministic random source. */
export class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed;
  }
  /** An unsigned 32-bit number. */
  word(): number {
    this.#state = this.#state + 0x6d2b79f5 | 0;
    let t = Math.imul(this.#state ^ this.#state >>> 15, 1 | this.#state);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return (t ^ t >>> 14) >>> 0;
  }
  /** An integer in [0, n). */
  below(n: number): number {
    return this.word() % n;
  }
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)];
  }
  /** 64 bits, edge values favoured. */
  value(): bigint {
    switch (this.below(6)) {
      case 0:
        return this.pick(EDGES);
      case 1:
        return BigInt.asUintN(64, BigInt(this.below(64)) - 32n);
      case 2:
        return BigInt.asUintN(64, BigInt(this.word() | 0));
      default:
        return BigInt(this.word()) << 32n | BigInt(this.word());
    }
  }
  /** 64 bits of an FP register, edge values favoured: of the first two `kinds`, a boxed single. */
  floatBits(kinds: number): bigint {
    switch (this.below(kinds)) {
      case 0:
        return BOX | this.pick(SINGLES);
      case 1: // of moderate size half of the time
        return BOX |
          BigInt(this.below(2) === 0 ? this.word() : (this.word() & 0x83ffffff | 0x3c000000) >>> 0);
      case 2:
        return this.pick(DOUBLES);
      case 3: // a double of moderate size
        return BigInt(this.below(2)) << 63n | BigInt(990 + this.below(70)) << 52n |
          BigInt(this.word()) << BigInt(this.below(21));
      default:
        return BigInt(this.word()) << 32n | BigInt(this.word());
    }
  }
}

const BOX = 0xffff_ffff_0000_0000n;
const EDGES = [
  0n,
  1n,
  0xffff_ffff_ffff_ffffn,
  0x8000_0000_0000_0000n,
  0x7fff_ffff_ffff_ffffn,
  0x8000_0000n,
  0x7fff_ffffn,
  0xffff_ffffn,
  0xffff_ffff_8000_0000n,
  0x1_0000_0000n,
];
const DOUBLES = [
  0n,
  1n << 63n,
  0x3ff0_0000_0000_0000n,
  0xbff8_0000_0000_0000n,
  0x7ff0_0000_0000_0000n,
  0xfff0_0000_0000_0000n,
  0x7ff8_0000_0000_0000n,
  0xfff8_0000_0000_0001n,
  0x7ff0_0000_0000_0001n,
  0x0000_0000_0000_0001n,
  0x000f_ffff_ffff_ffffn,
  0x7fef_ffff_ffff_ffffn,
  0x41e0_0000_0000_0000n,
  0xc1e0_0000_0020_0000n,
  0x43e0_0000_0000_0000n,
  0x3fe0_0000_0000_0000n,
];
const SINGLES = [
  0n,
  0x8000_0000n,
  0x3f80_0000n,
  0xbfc0_0000n,
  0x7f80_0000n,
  0xff80_0000n,
  0x7fc0_0000n,
  0xffc0_0001n,
  0x7f80_0001n,
  0x0000_0001n,
  0x7f7f_ffffn,
  0x4f00_0000n,
  0xcf00_0000n,
  0x5f00_0000n,
];
