/** How a machine's life can end, and how a wait for its end can. */
import type { MachineExit } from "../core/machine.ts";

/**
 * Why a machine stopped: what it did itself ({@linkcode MachineExit}), or that it did nothing within a
 * budget. Only what a test names is a pass.
 */
export type VmExit =
  | MachineExit
  /** The guest did what a test said it must not. */
  | { readonly kind: "unwanted"; readonly detail: string }
  /** The guest-time budget of the wait is spent; the machine could go on. */
  | { readonly kind: "guestBudget"; readonly detail: string }
  /** The watchdog on wall time struck: a verdict about the host, not about the guest. */
  | { readonly kind: "hostWatchdog"; readonly detail: string };

/** The kinds of {@linkcode VmExit}. */
export type VmExitKind = VmExit["kind"];

/** One sentence for reports. */
export function describeExit(exit: VmExit): string {
  switch (exit.kind) {
    case "poweroff":
      return "the guest powered off";
    case "reset":
      return "the guest asked for a reset";
    case "debugExit":
      return `the guest ended with code ${exit.code}`;
    case "tripleFault":
      return `triple fault: ${exit.detail}`;
    case "hang":
      return `hang: ${exit.detail}`;
    case "engineError":
      return `the engine gave up: ${exit.detail}`;
    case "panic":
      return `the guest crashed: ${exit.detail}`;
    case "unwanted":
    case "guestBudget":
    case "hostWatchdog":
      return exit.detail;
  }
}
