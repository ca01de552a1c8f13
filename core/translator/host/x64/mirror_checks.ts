/**
 * Which accesses of a block, all made by the mirror, check that their address is in a span that has one.
 *
 * Accesses to addresses that differ from one value by constants lie close together: where the first of them, the
 * leader, is in a span, all others, its followers, are in that span or its guards. If the leader is not, the code goes
 * on in the careful variant of the block, for no follower checks. An access that has no followers falls back to a
 * probe of its own.
 */
import * as ir from "../../ir.ts";
import { isAccess } from "./groups.ts";

/** The access checks nothing: it follows one that did. */
export const FOLLOWS = 0;
/** The access checks for itself. */
export const CHECKS = 1;
/** The access checks for others too. */
export const LEADS = 2;

/** Farther than this from each other, addresses are not taken to be close: well within the mirror's guards. */
const FARTHEST = 1 << 28;
/** Most different values that are told apart. */
const MOST_ROOTS = 64;

/** The checks of one block at a time. */
export class MirrorChecks {
  /** By op that is an access: FOLLOWS, CHECKS or LEADS. */
  readonly of: Uint8Array = new Uint8Array(ir.IR_CAPACITY);
  readonly #root = new Int32Array(MOST_ROOTS);
  readonly #reach = new Uint8Array(MOST_ROOTS);
  readonly #leader = new Int32Array(MOST_ROOTS);

  constructor(private readonly block: ir.Ir) {}

  /** Finds out about the block. */
  find(): void {
    const { block, of } = this;
    let roots = 0, reach = 0;
    for (let i = 0; i < block.length; i++) {
      const op = block.op[i];
      if (op === ir.OP_INSN) reach = block.b[i];
      if (!isAccess(op) || reach === ir.REACHES_UNKNOWN) continue;
      const root = this.#rootOf(i);
      let r = roots - 1;
      while (r >= 0 && (this.#root[r] !== root || this.#reach[r] !== reach)) r--;
      if (r >= 0) {
        of[i] = FOLLOWS;
        of[this.#leader[r]] = LEADS;
        continue;
      }
      of[i] = CHECKS;
      if (roots === MOST_ROOTS) continue;
      this.#root[roots] = root;
      this.#reach[roots] = reach;
      this.#leader[roots++] = i;
    }
  }

  /** The value that an access' address differs from by a constant. */
  #rootOf(i: number): number {
    const { block } = this;
    let v = block.a[i], offset = block.lo[i];
    while (block.op[v] === ir.OP_ADD64 && block.isConst32(block.b[v])) {
      offset += block.lo[block.b[v]];
      if (Math.abs(offset) > FARTHEST) break;
      v = block.a[v];
    }
    return v;
  }
}
