/** How gdb wants a machine to go on: the actions of `vCont` (gdb manual, appendix E.2), understood. */
import type { Vcpu } from "../../core/isa.ts";
import { parseHex } from "./packets.ts";

/** How a machine shall go on. */
export type Resumption = { readonly kind: "continue" } | Step;

/** On until a vCPU has executed an instruction and is not in `[from, to)`. */
export interface Step {
  readonly kind: "step";
  /** Number of the vCPU. */
  readonly cpu: number;
  readonly from: bigint;
  readonly to: bigint;
  /** Whether gdb wants no other vCPU to go on: it has taken its breakpoints out, to step past one. */
  readonly alone: boolean;
}

/** One instruction of a vCPU. */
export function stepOf(vcpu: Vcpu): Step {
  return { kind: "step", cpu: vcpu.index, from: 0n, to: 0n, alone: false };
}

/** Thread ids that mean any thread, or all. */
export const ANY_THREAD = /^(p[0-9a-f]+\.)?(0|-1)$/i;

/**
 * Understands the actions of `vCont`, one per thread. vCPUs go on together, whatever gdb would have each do; the
 * first that is to step decides when they stop. Undefined where the text is no list of actions.
 *
 * @param current The vCPU meant by "any".
 * @param find The vCPU of a thread id.
 */
export function parseActions(
  text: string,
  current: Vcpu,
  find: (thread: string) => Vcpu | undefined,
): Resumption | undefined {
  const items = text.split(";").map((item) => item.split(":"));
  let step: Step | undefined;
  for (const [action, thread = "-1"] of items) {
    if (action === "c" || /^C[0-9a-f]{2}$/i.test(action)) continue;
    const vcpu = ANY_THREAD.test(thread) ? current : find(thread);
    if (!vcpu) return undefined;
    if (action === "s" || /^S[0-9a-f]{2}$/i.test(action)) {
      step ??= { ...stepOf(vcpu), alone: items.length === 1 };
      continue;
    }
    if (action[0] !== "r") return undefined;
    const [from, to] = action.slice(1).split(",").map((part) => parseHex(part));
    if (from === undefined || to === undefined) return undefined;
    step ??= { ...stepOf(vcpu), from, to };
  }
  return step ?? { kind: "continue" };
}
