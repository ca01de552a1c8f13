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
  /^(RIP: [0-9a-f]{4}:(?:\[<[0-9a-f]{8,16}>\] {1,2}){0,2}|pc : | ?epc ?: | {0,4}(?:\[<[0-9a-f]{8,16}>\] )?)(\? )?([A-Za-z_][\w.$]{0,255})\+0x([0-9a-f]{1,8})\/0x([0-9a-f]{1,8})(?: \[(\w{1,64})[^\]]{0,80}\])?/;

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

/** Beginnings of the names of functions that find, report or pass on a fault and do not cause it. */
const MESSENGERS = new RegExp(
  "^_*(?:" + [
    "dump_|show_(?:stack|regs|trace)|walk_stackframe|unwind_|print_|report_(?:bug|cfi)|warn(?:_|$)|die(?:_|$)|oops_|panic|nmi_",
    "bad_(?:page|area|mode|stack)|schedule_bug|spin_(?:bug|dump)|rwlock_bug|might_|fixup_bug|invalid_op|stack_chk|cfi_|fortify",
    "asan|hwasan|kasan|kfence|kcsan|tsan|kmsan|msan|ubsan|kmemleak|sanitizer_|usercopy|debug_(?:check|print|object|smp|mutex|spin)",
    "check_(?:object|bytes|heap|noncircular|preemption|memory_region|flags|panic|prev)|lockdep|lock_(?:acquire|release)|mark_lock",
    "do_(?:trap|error|page_fault|kern_addr_fault|kernel_fault|mem_abort|translation_fault|undefinstr|serror|sync|divide_error)",
    "exc_|asm_exc_|asm_sysvec|sysvec_|el[01]h?t?_|entry_|ret_from_|call_on_|invoke_syscall|el[01]_|(?:smp_|local_)?apic_",
    "handle_(?:exception|irq|bad_stack|arch_irq|riscv_irq|IPI|bug)|generic_handle|irq_|softirq|(?:riscv_)?timer_interrupt|arch_timer",
    "x86_(?:indirect|return)_thunk|validate_chain|register_lock|rest_init|(?:raw_)?(?:spin|read|write)_(?:un|try)?lock|do_raw_",
    "mutex_(?:un|try)?lock|rt_mutex|down(?:_|$)|up_(?:read|write)|(?:call_|percpu_)?rwsem|percpu_(?:down|up)|ldsem|osq_lock|rcu_",
    "schedule|context_switch|switch_to|preempt_|cond_resched|io_schedule|bit_wait|msleep|usleep|sched_show|sched_setscheduler",
    "wait_(?:for|on)|prepare_to_wait|finish_wait|filemap_fdatawait|synchronize_|kthread|worker_thread|process_(?:one|scheduled)_work",
    "smpboot|watchdog|update_process_times|tick_|hrtimer|arch_trigger|arch_stack|stack_trace|timer_is_static|work_is_static",
    "refcount_|list_(?:add|del)|copy_(?:to|from)_user|mem(?:cpy|set|move|cmp)$|str[nl]?(?:cpy|len|cmp|str)$|(?:hex_)?string$",
    "k?v?[mzc]alloc|kfree|kmem_cache|slab_|free_(?:pages?|unref|to_partial)|alloc_pages|get_page_from|read_word_at|should_fail",
    "oom_kill|out_of_memory|folio_|put_page",
  ].join("|") + ")",
);

/** The place where a lock of a lockdep report is taken, if a message names one. */
export function parseLockSite(message: string): string | undefined {
  return /, at: (?:\[<[0-9a-f]{8,16}>\] )?([A-Za-z_][\w.$]{0,255})\+0x/.exec(message)?.[1];
}

/** The name without what compilers add, as `.isra.0`, and what syscall wrappers put before it. */
export function plainName(symbol: string): string {
  return symbol
    .replace(/\.(?:isra|constprop|part|cold|llvm|lto_priv)(?:\.\d+)?/g, "")
    .replace(/^__(?:x64|arm64|riscv|ia32|se|do)_sys_/, "sys_");
}

/**
 * The function at fault: the first that does not merely report; undefined where no frame is known.
 *
 * @param fromTop Whether to begin where the exception happened, if that is known, and not with the first frame.
 */
export function functionAtFault(frames: readonly CrashFrame[], fromTop: boolean): string | undefined {
  const reliable = frames.filter((frame) => frame.reliable);
  const top = fromTop ? reliable.findIndex((frame) => frame.top) : -1;
  const from = reliable.length > 0 ? reliable.slice(Math.max(0, top)) : frames;
  const culprit = from.find(({ symbol }) => !MESSENGERS.test(symbol)) ?? from[0];
  return culprit && plainName(culprit.symbol);
}
