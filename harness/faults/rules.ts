/** The table of crash rules, in the order in which they are tried: the first that matches has the line. */
import type { CrashRule } from "./rule.ts";
import { BUG_RULES } from "./rules/bug.ts";
import { CONTEXT_RULES } from "./rules/context.ts";
import { FILESYSTEM_RULES } from "./rules/filesystems.ts";
import { FIRMWARE_RULES } from "./rules/firmware.ts";
import { HARDWARE_RULES } from "./rules/hardware.ts";
import { LOCKDEP_RULES } from "./rules/lockdep.ts";
import { LOCKUP_RULES } from "./rules/lockups.ts";
import { MACHINE_RULES } from "./rules/machine.ts";
import { MEMORY_RULES } from "./rules/memory.ts";
import { OOPS_RULES } from "./rules/oops.ts";
import { PANIC_RULES } from "./rules/panic.ts";
import { SANITIZER_RULES } from "./rules/sanitizers.ts";
import { USERLAND_RULES } from "./rules/userland.ts";
import { WARNING_RULES } from "./rules/warnings.ts";

/** Every rule. */
export const CRASH_RULES: readonly CrashRule[] = [
  // Before the panics: an overflown stack and unmountable root file systems are panics with a reason.
  ...OOPS_RULES,
  ...PANIC_RULES,
  ...BUG_RULES,
  ...SANITIZER_RULES,
  ...LOCKDEP_RULES,
  ...LOCKUP_RULES,
  ...CONTEXT_RULES,
  ...MEMORY_RULES,
  ...WARNING_RULES,
  ...HARDWARE_RULES,
  ...FILESYSTEM_RULES,
  ...USERLAND_RULES,
  ...FIRMWARE_RULES,
  ...MACHINE_RULES,
];
