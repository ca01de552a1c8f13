/**
 * A Linux kernel seen from outside: found in guest memory alone, without its help, whatever it does at the moment.
 * The machine stands still while this is used. What was found is kept until the machine has moved, and then
 * checked before it is used again.
 */
import type { RamView } from "../guest_memory.ts";
import type { SymbolTable } from "../symbols/symbol_table.ts";
import { AddressSpace } from "./address_space.ts";
import { Btf } from "./btf/btf.ts";
import type { GuestValue, TypedValue } from "./btf/typed_value.ts";
import { KERNEL_ARCHS, type KernelArch } from "./arch/arch.ts";
import { KernelInsightError } from "./kernel_insight_error.ts";
import { KernelSymbol } from "./kernel_symbol.ts";
import { type LocatedKernel, locateKernel } from "./locate.ts";
import { type LogEntry, readLog } from "./log.ts";
import { logLayout } from "./log_layout.ts";
import { type GuestModule, readModules } from "./modules.ts";
import { type GuestMount, readMounts } from "./mounts.ts";
import { PhysicalMemory } from "./physical_memory.ts";
import { type GuestTask, readTasks } from "./tasks.ts";
import { KernelTypes } from "./types.ts";
import { readUptime } from "./uptime.ts";
import { VmcoreInfo } from "./vmcoreinfo.ts";

/** The machine whose kernel is looked at. */
export interface KernelTarget {
  /** Guest architecture. */
  readonly arch: KernelArch;
  /** Its memory. */
  readonly memory: { views(): readonly RamView[] };
  /** A number that changes whenever the machine has moved. */
  moment(): number;
  /** Symbols of a System.map or vmlinux, as they were linked. @default those found in guest memory */
  readonly symbols?: SymbolTable;
}

/** Bytes of VMCOREINFO; the kernel has a page for it, of at most 64 KiB. */
const MAX_INFO_BYTES = 1 << 16;
const UPPER_HALF = 1n << 63n;

/** The Linux kernel of a guest. */
export class Kernel {
  readonly #target: KernelTarget;
  #moment: number | undefined;
  #located: LocatedKernel | undefined;
  #space: AddressSpace | undefined;
  #typed: KernelTypes | undefined;

  /** Made with the machine; looks at nothing yet. */
  constructor(target: KernelTarget) {
    this.#target = target;
  }

  /** All symbols, where they are in the running kernel. @throws {KernelInsightError} without a kernel. */
  get symbols(): SymbolTable {
    return this.#locate().symbols;
  }

  /**
   * The kernel's memory by virtual address.
   *
   * @throws {KernelInsightError} without a kernel, or when its place in memory is not known.
   */
  get memory(): AddressSpace {
    const { image } = this.#locate();
    if (!image) {
      throw new KernelInsightError(
        "The kernel's symbols have no linux_banner or _end, by which its memory is found: it was built without " +
          "CONFIG_KALLSYMS_ALL. Addresses and names of functions work; for all else give boot() its vmlinux or " +
          "System.map.",
      );
    }
    return this.#space ??= new AddressSpace(this.#physical(), KERNEL_ARCHS[this.#target.arch], image);
  }

  /**
   * A symbol by its name; of several static ones, the one at the lowest address.
   *
   * @throws {KernelInsightError} when the kernel has none of that name.
   */
  symbol(name: string): KernelSymbol {
    const symbol = this.findSymbol(name);
    if (symbol) return symbol;
    const near = this.symbols.nearest(name);
    throw new KernelInsightError(
      `This kernel has no symbol "${name}".${near.length > 0 ? ` Did you mean ${near.join(", ")}?` : ""}`,
    );
  }

  /** A symbol by its name, or undefined: kernels differ. @throws {KernelInsightError} without a kernel. */
  findSymbol(name: string): KernelSymbol | undefined {
    const symbol = this.symbols.lookup(name);
    return symbol && new KernelSymbol(symbol, () => this.memory);
  }

  /** What an address is, as the kernel prints it: `do_idle+0x1c/0x200`; undefined when no symbol is there. */
  symbolize(address: bigint | number): string | undefined {
    const virtual = BigInt.asUintN(64, BigInt(address));
    // Below are the addresses of programs, and x86's per-CPU offsets.
    const found = virtual >= UPPER_HALF ? this.symbols.find(virtual) : undefined;
    return found &&
      `${found.symbol.name}+0x${found.offset.toString(16)}/0x${found.symbol.size.toString(16)}`;
  }

  /**
   * The value at a path into a variable, as C writes it: `kernel.read("init_task.comm")`, `"init_task.mm->pgd"`.
   *
   * @throws {KernelInsightError} without a kernel, its BTF, or memory there.
   * @throws {InputError} for a path that leads nowhere.
   */
  read(path: string): GuestValue {
    return this.#types().read(path);
  }

  /** A variable with its type. @throws As {@linkcode Kernel.read}. */
  variable(name: string): TypedValue {
    return this.#types().variable(name);
  }

  /**
   * A place in kernel memory as a type: `kernel.at("my_list", "struct list_head")`.
   *
   * @param where A symbol, or a virtual address.
   * @throws As {@linkcode Kernel.read}.
   */
  at(where: string | bigint, type: string): TypedValue {
    return this.#types().at(where, type);
  }

  /**
   * The structs of a list: `kernel.list("super_blocks", "struct super_block", "s_list")`.
   *
   * @param head The symbol of its `struct list_head`.
   * @param member The `struct list_head` in the structs by which they are linked.
   * @throws As {@linkcode Kernel.read}.
   */
  list(head: string, type: string, member: string): TypedValue[] {
    return Array.from(this.#types().list(head, type, member));
  }

  /** Every process and thread but the idle ones. @throws As {@linkcode Kernel.read}. */
  tasks(): GuestTask[] {
    return readTasks(this.#types());
  }

  /** Every mount of the first process's namespace, the root first. @throws As {@linkcode Kernel.read}. */
  mounts(): GuestMount[] {
    return readMounts(this.#types());
  }

  /** Every module, as `lsmod` lists them. @throws As {@linkcode Kernel.read}. */
  modules(): GuestModule[] {
    return readModules(this.#types());
  }

  /** Seconds since the kernel started, as of its last timer tick. @throws As {@linkcode Kernel.read}. */
  uptime(): number {
    return readUptime(this.#types());
  }

  /** What the kernel says of itself first: `Linux version 6.12.… (…) … #1 SMP …`. */
  banner(): string {
    return this.symbol("linux_banner").text().trimEnd();
  }

  /** The kernel's version, as `uname -r` prints it. */
  release(): string {
    return this.banner().split(" ")[2] ?? "";
  }

  /** The command line, as /proc/cmdline has it; what the boot loader passed until the kernel has kept it. */
  cmdline(): string {
    const { memory } = this;
    const saved = memory.value(this.symbol("saved_command_line").address, 8);
    return saved === 0n ? this.findSymbol("boot_command_line")?.text() ?? "" : memory.text(saved);
  }

  /**
   * The kernel's log, the oldest message first: from its first one on, whether there is a console or not, and after
   * the kernel's death.
   *
   * @throws {KernelInsightError} without a kernel, or without a log in it.
   */
  log(): LogEntry[] {
    const { memory } = this;
    const info = this.#vmcoreInfo();
    const pointer = info?.symbol("prb") ?? this.symbols.lookup("prb")?.address;
    if (pointer === undefined) {
      throw new KernelInsightError(
        "This kernel has no log that can be read: it is older than Linux 5.10 or was built without CONFIG_PRINTK, " +
          "or its symbols are not complete. Symbols and memory can be read all the same.",
      );
    }
    return readLog(memory, memory.value(pointer, 8), logLayout(info));
  }

  /** What the kernel tells of its structs; undefined before it has written it, or where it is damaged. */
  #vmcoreInfo(): VmcoreInfo | undefined {
    const { memory } = this;
    const pointer = this.symbols.lookup("vmcoreinfo_data");
    try {
      const text = pointer && memory.value(pointer.address, 8);
      return text ? new VmcoreInfo(memory.text(text, MAX_INFO_BYTES)) : undefined;
    } catch (error) {
      if (error instanceof KernelInsightError) return undefined;
      throw error;
    }
  }

  /** Typed access, by the BTF that the kernel has in its own memory. */
  #types(): KernelTypes {
    const { memory } = this;
    if (this.#typed) return this.#typed;
    const start = this.findSymbol("__start_BTF")?.address;
    const stop = this.findSymbol("__stop_BTF")?.address;
    if (start === undefined || stop === undefined || stop <= start) {
      throw new KernelInsightError(
        "This kernel has no BTF: it was built without CONFIG_DEBUG_INFO_BTF. symbol(), symbolize() and log() work.",
      );
    }
    const bytes = memory.read(start, Number(stop - start));
    return this.#typed = new KernelTypes({
      btf: new Btf(bytes),
      memory: { read: (address, length) => this.memory.read(address, length) },
      address: (name) => this.symbol(name).address,
    });
  }

  #physical(): PhysicalMemory {
    return new PhysicalMemory(this.#target.memory.views());
  }

  #locate(): LocatedKernel {
    const physical = this.#physical(); // throws once the machine is closed
    const moment = this.#target.moment();
    if (moment !== this.#moment) {
      this.#space = undefined;
      if (this.#located && !this.#located.stillThere()) this.#located = this.#typed = undefined;
    }
    this.#located ??= locateKernel(physical, KERNEL_ARCHS[this.#target.arch], this.#target.symbols);
    this.#moment = moment;
    return this.#located;
  }
}
