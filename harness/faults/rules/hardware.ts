/**
 * The machine itself reports an error: x86 machine checks (arch/x86/kernel/cpu/mce/core.c) and NMIs
 * (arch/x86/kernel/nmi.c), arm64 SError (arch/arm64/kernel/traps.c), ACPI error records
 * (drivers/firmware/efi/cper.c).
 */
import { type CrashRule, END_TRACE, family, LINE } from "../rule.ts";

/** Hardware errors. */
export const HARDWARE_RULES: readonly CrashRule[] = family("hardware", [
  {
    id: "serror",
    class: "fatal",
    summary: "An access was answered with an error after the fact.",
    arches: ["arm64"],
    begins: ["SError Interrupt on CPU"],
    expression: /^SError Interrupt on CPU\d+, code 0x[0-9a-f]+/,
    title: "SError interrupt{ in @}",
    end: END_TRACE,
    example: "[    2.710340] SError Interrupt on CPU0, code 0x00000000bf000002 -- SError",
    lookalikes: [
      { line: "[    0.000000] CPU features: detected: SError interrupts are masked", why: "an announcement" },
    ],
  },
  {
    id: "machine-check",
    class: "fatal",
    summary: "The processor reports an error of its own or of memory that was not corrected.",
    arches: ["x86_64"],
    begins: ["mce: [Hardware Error]: CPU ", "[Hardware Error]: CPU "],
    expression:
      /^(?:mce: )?\[Hardware Error\]: CPU \d+: Machine Check(?: Exception)?: [0-9a-f]+ Bank \d+: [0-9a-f]+/,
    title: "machine check",
    end: { kind: "mark", mark: /\[Hardware Error\]: (?:PROCESSOR|Run the above|Some CPUs)/ },
    example:
      "[   71.330144] mce: [Hardware Error]: CPU 0: Machine Check Exception: 5 Bank 4: b200000000070f0f",
    lookalikes: [
      {
        line: "[   71.300000] mce: [Hardware Error]: Machine check events logged",
        why: "corrected errors are logged so",
      },
      { line: "[    0.100000] mce: CPU0 supports 10 MCE banks", why: "an announcement" },
    ],
  },
  {
    id: "hardware-error",
    class: "collect",
    summary: "The firmware reports a hardware error that was not corrected.",
    arches: ["x86_64", "arm64"],
    begins: ["{"],
    expression: /^\{\d+\}\[Hardware Error\]: event severity: (\w+)/,
    title: "hardware error: $1",
    end: { kind: "mark", mark: /^(?!\{\d+\}\[Hardware Error\])/ },
    except: [{
      expression: /severity: (?:corrected|info)/,
      why: "the hardware has corrected it, or only tells",
    }],
    example: "[   71.330144] {1}[Hardware Error]: event severity: recoverable",
    lookalikes: [
      {
        line: "[   71.300000] {1}[Hardware Error]: event severity: corrected",
        why: "the hardware has corrected it",
      },
    ],
  },
  {
    id: "unknown-nmi",
    class: "note",
    summary: "An NMI came that nothing has asked for.",
    arches: ["x86_64"],
    begins: ["Uhhuh. NMI received for unknown reason", "NMI: "],
    expression: /^(?:Uhhuh\. NMI received for unknown reason|NMI: (?:PCI system error|IOCK error))/,
    title: "unknown NMI",
    end: LINE,
    example: "[   71.330144] Uhhuh. NMI received for unknown reason 3d on CPU 0.",
    lookalikes: [
      {
        line: "[   71.300000] INFO: NMI handler (perf_event_nmi_handler) took too long to run: 1.2 msecs",
        why: "slow, not unknown",
      },
    ],
  },
]);
