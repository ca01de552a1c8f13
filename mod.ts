/**
 * Boots operating-system kernels inside tests: type at them, assert on what they print and on what they are.
 *
 * @example
 * ```ts
 * import { boot, guest } from "@bootwright/bootwright";
 *
 * await using vm = await boot({ arch: "riscv64", kernel: "hello.elf" });
 * const hit = await vm.console.waitFor(/Hello from (\w+)/, { within: guest("1s") });
 * ```
 * @module
 */
export { boot } from "./harness/boot.ts";
export type { BootOptions, ImageSource } from "./harness/boot.ts";
export type { Arch } from "./harness/boards.ts";
export { guest, host } from "./harness/budget.ts";
export type { GuestDuration, HostDuration } from "./harness/budget.ts";
export type {
  Console,
  ConsoleHit,
  ConsoleWaitOptions,
  DialogueStep,
  NeverOptions,
} from "./harness/console.ts";
export type { OutputMark } from "./harness/recording.ts";
export type { Timeline, TimelineEvent, TimelineKind } from "./harness/timeline.ts";
export type { Cpu } from "./harness/cpu.ts";
export type { ResetPolicy, WaitOptions } from "./harness/driver.ts";
export { BootwrightError, HostError, InputError, WaitError } from "./harness/errors.ts";
export type { CpuPosition, MachineReport, Verdict } from "./harness/errors.ts";
export type { VmExit, VmExitKind } from "./harness/exit.ts";
export type { GdbAddress, GdbOptions, GdbServer } from "./harness/gdb/server.ts";
export type { Crash } from "./harness/faults/crash.ts";
export { ExpectedFaultError } from "./harness/faults/expectation.ts";
export type { ExpectOptions, FaultPattern } from "./harness/faults/expectation.ts";
export type { FaultPolicy, Faults } from "./harness/faults/faults.ts";
export { GuestCrashError } from "./harness/faults/guest_crash_error.ts";
export type { CrashFacts } from "./harness/faults/guest_crash_error.ts";
export type { FaultClass } from "./harness/faults/rule.ts";
export type { FaultEvent } from "./harness/faults/rules/machine.ts";
export type { CrashFrame } from "./harness/faults/stack.ts";
export type { FaultHost, FaultOptions } from "./harness/faults/faults.ts";
export { ktap, KtapError } from "./harness/ktap/steps.ts";
export type { KtapOptions, KtapSource, LineSource, StepContext } from "./harness/ktap/steps.ts";
export type { KtapDirective } from "./harness/ktap/ktap_line.ts";
export type { KtapResult, KtapStatus } from "./harness/ktap/result.ts";
export type { Keyboard } from "./harness/keyboard.ts";
export type { GuestMemory, RamSpan, RamView, VirtualOptions } from "./harness/guest_memory.ts";
export type { Pattern } from "./harness/matching/stream_matcher.ts";
export type { ShellOptions, ShellRecord, ShellRunOptions, WriteFileOptions } from "./harness/shell/shell.ts";
export type { Shell } from "./harness/shell/shell.ts";
export { ShellError } from "./harness/shell/shell_error.ts";
export type { ShellResult } from "./harness/shell/shell_error.ts";
export type { EngineInfo, ExitOptions, Vm } from "./harness/vm.ts";
export type { EngineChoice } from "./accel/select.ts";
export type { MachineExit } from "./core/machine.ts";
export type { CpuModel } from "./accel/kvm/cpuid.ts";
export type { CpuMode } from "./core/boards/x86/cpu_mode.ts";
export type { Kernel, KernelTarget } from "./harness/kernel/kernel.ts";
export { KernelInsightError } from "./harness/kernel/kernel_insight_error.ts";
export type { KernelSymbol } from "./harness/kernel/kernel_symbol.ts";
export type { LogEntry } from "./harness/kernel/log.ts";
export type { GuestTask, TaskState } from "./harness/kernel/tasks.ts";
export type { GuestMount } from "./harness/kernel/mounts.ts";
export type { GuestModule, ModuleState } from "./harness/kernel/modules.ts";
export type { GuestValue, TypedValue } from "./harness/kernel/btf/typed_value.ts";
export type { KernelArch } from "./harness/kernel/arch/arch.ts";
export type { AddressSpace } from "./harness/kernel/address_space.ts";
export type { FoundSymbol, GuestSymbol, SymbolTable } from "./harness/symbols/symbol_table.ts";
export type { Frame } from "./harness/backtrace/backtrace.ts";
export type { CodePlace } from "./harness/symbols/symbolizer.ts";
