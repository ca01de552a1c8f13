/**
 * Reads the stack frames of a report, and from them the function at fault, by which reports of one bug get one
 * title. Frames: x86 and arm64 ` ? name+0x10/0x20 [module]`, riscv `[<ffffffff80006b5e>] name+0x10/0x20`; the
 * interrupted place: x86 `RIP: 0010:name+…`, arm64 `pc : name+…`, riscv `epc : name+…`.
 */

/** One frame of a kernel's call trace. */
export interface CrashFrame {
  /** The function, as the kernel names it. */
  readonly symbol: string;
  /** Bytes from its beginning. */
  readonly offset: number;
  /** Its length in bytes. */
  readonly size: number;
  /** Its module; undefined for the kernel itself. */
  readonly module: string | undefined;
  /** Whether the unwinder vouches for it (no `?` before it). */
  readonly reliable: boolean;
  /** Whether it is the place where the exception happened, not a caller. */
  readonly top: boolean;
}

const FRAME =
  /^(RIP: [0-9a-f]{4}:|pc : | ?epc ?: | {0,4}(?:\[<[0-9a-f]{8,16}>\] )?)(\? )?([A-Za-z_][\w.$]{0,255})\+0x([0-9a-f]{1,8})\/0x([0-9a-f]{1,8})(?: \[(\w{1,64})[^\]]{0,80}\])?/;

/** The frame that a message is, if it is one. */
export function parseFrame(message: string): CrashFrame | undefined {
  const found = FRAME.exec(message);
  if (!found) return undefined;
  const [, place, unsure, symbol, offset, size, module] = found;
  return {
    symbol,
    offset: parseInt(offset, 16),
    size: parseInt(size, 16),
    module,
    reliable: unsure === undefined,
    top: /[A-Za-z]/.test(place.replace(/\[<.*/, "")),
  };
}

/**
 * Functions that find, report or pass on a fault and do not cause it. Each is a prefix of the name unless it
 * ends with `$`.
 */
const MESSENGERS = new RegExp(
  "^_*(?:" + [
    "dump_(?:stack|backtrace)|show_(?:stack|regs)|walk_stackframe|print_|report_|warn|bad_|die|oops|panic|nmi_",
    "asan|hwasan|kasan|kfence|kcsan|tsan|kmsan|msan|ubsan|handle_|check_|debug_|kmemleak",
    "do_(?:trap|error|page_fault|kern_addr_fault|kernel_fault|mem_abort|translation_fault|undefinstr|serror|sync)",
    "exc_|asm_exc_|asm_sysvec|sysvec_|el1|el0|entry_|ret_from_|handle_exception|call_on_(?:irq_)?stack",
    "lock_(?:acquire|release)|lockdep|mark_lock|validate_chain|register_lock|(?:raw_)?(?:spin|read|write)_(?:un|try)?lock",
    "mutex_(?:un|try)?lock|rt_mutex|down|up_(?:read|write)|rwsem|percpu_(?:down|up)|rcu_|trc_",
    "schedule|context_switch|switch_to|preempt_|might_(?:sleep|resched|fault)|cond_resched|io_schedule|bit_wait",
    "wait_(?:for|on)|prepare_to_wait|finish_wait|kthread|worker_thread|process_(?:one|scheduled)_work|smpboot",
    "watchdog|update_process_times|tick_|hrtimer|timer_interrupt|riscv_timer|arch_timer|generic_handle|irq_|softirq",
    "refcount_|list_(?:add|del)|usercopy|copy_(?:to|from)_user|fortify|cfi_|stack_chk|mem(?:cpy|set|move|cmp)|str[nl]?cpy",
    "arch_stack|stack_trace|k?v?[mzc]alloc|kfree|kmem_cache|slab_|free_(?:pages?|unref)|alloc_pages|get_page_from",
    "dump_header|oom_kill|out_of_memory|folio_|put_page|should_fail|out_of_line|(?:nested_)?wait_",
  ].join("|") + ")",
);

/** The name without what compilers add, as `.isra.0`, and what syscall wrappers put before it. */
export function plainName(symbol: string): string {
  return symbol
    .replace(/\.(?:isra|constprop|part|cold|llvm|lto_priv)(?:\.\d+)?/g, "")
    .replace(/^__(?:x64|arm64|riscv|ia32|se|do)_sys_/, "sys_");
}

/** The function at fault: the first that does not merely report; undefined where no frame is known. */
export function functionAtFault(frames: readonly CrashFrame[]): string | undefined {
  const reliable = frames.filter((frame) => frame.reliable);
  const from = reliable.length > 0 ? reliable : frames;
  const culprit = from.find(({ symbol }) => !MESSENGERS.test(symbol)) ?? from[0];
  return culprit && plainName(culprit.symbol);
}
