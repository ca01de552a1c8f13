/**
 * What the machine knows without any text, and what follows from several lines: a triple fault, a system
 * failure that the guest reports to its firmware (SBI SRST reset reason 1; PSCI and ACPI have none) or to the
 * machine (pvpanic), a second
 * kernel without a reset. `Faults` reports them by {@linkcode FaultEvent}; no line matches these rules.
 */
import { type CrashRule, family, LINE } from "../rule.ts";

/** Events of the machine that are faults. */
export type FaultEvent = "triple-fault" | "system-failure" | "second-kernel";

const NEVER = /^(?!)/;

/** Faults without text. */
export const MACHINE_RULES: readonly CrashRule[] = family("machine", [
  {
    id: "triple-fault",
    class: "fatal",
    summary:
      "A fault while a fault's handler was entered, on every architecture: the processor cannot go on.",
    begins: [],
    expression: NEVER,
    title: "triple fault{: $1}",
    end: LINE,
    example: "(the machine's own event)",
    lookalikes: [{ line: "triple fault: quoted", why: "text of a user program" }],
  },
  {
    id: "system-failure",
    class: "fatal",
    summary:
      "The guest asked for its reset or shutdown giving a system failure as the reason, or told the machine " +
      "that it panicked (pvpanic) and printed nothing of it.",
    begins: [],
    expression: NEVER,
    title: "system failure{: $1}",
    end: LINE,
    example: "(the machine's own event)",
    lookalikes: [{ line: "system failure: quoted", why: "text of a user program" }],
  },
  {
    id: "second-kernel",
    class: "fatal",
    summary: "A kernel starts although one ran before and nobody has reset the machine. (kexec is no fault.)",
    begins: [],
    expression: NEVER,
    title: "unexpected reboot: a second kernel",
    end: LINE,
    example: "[    0.000000] Linux version 6.12.48 (build@host) (gcc 14.2.0) #1 SMP",
    lookalikes: [
      { line: "Linux version 6.12.48 (build@host) (gcc 14.2.0) #1 SMP", why: "cat /proc/version" },
    ],
  },
]);
