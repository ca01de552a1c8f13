/** The kernel's variables and structs with their types: what {@linkcode Btf} describes, where the symbols are. */
import { InputError } from "../errors.ts";
import { didYouMean } from "../suggest.ts";
import type { Btf } from "./btf/btf.ts";
import { follow, parsePath } from "./btf/path.ts";
import { type GuestValue, TypedValue, type VirtualMemory } from "./btf/typed_value.ts";
import { VARIABLE_TYPES } from "./btf/variables.ts";
import { KernelInsightError } from "./kernel_insight_error.ts";

/** What typed access needs of a kernel. */
export interface TypesSource {
  readonly btf: Btf;
  readonly memory: VirtualMemory;
  /** The address of a symbol. @throws {InputError} for an unknown one. */
  address(symbol: string): bigint;
}

/** Typed access to one kernel's memory. */
export class KernelTypes {
  readonly #source: TypesSource;

  /** Made by the kernel it looks into. */
  constructor(source: TypesSource) {
    this.#source = source;
  }

  /** A variable. @throws {InputError} for one that is unknown, or whose type is. */
  variable(name: string): TypedValue {
    const { btf, memory } = this.#source;
    const known = Object.hasOwn(VARIABLE_TYPES, name) ? btf.find(VARIABLE_TYPES[name]) : undefined;
    const type = known ?? btf.findVariable(name);
    const address = this.#source.address(name);
    if (type === undefined) {
      throw new InputError(
        `The kernel's BTF does not tell the type of "${name}".${
          didYouMean(name, Object.keys(VARIABLE_TYPES))
        } Say it yourself: vm.kernel.at("${name}", "struct …").`,
      );
    }
    return new TypedValue(btf, memory, address, type);
  }

  /**
   * A place in memory as a type.
   *
   * @param where A symbol, or a virtual address.
   * @param type As C writes it: `struct task_struct`, `enum pid_type`, `u64`.
   * @throws {InputError} for an unknown symbol or type.
   */
  at(where: string | bigint, type: string): TypedValue {
    const { btf, memory } = this.#source;
    const address = typeof where === "bigint" ? where : this.#source.address(where);
    return new TypedValue(btf, memory, address, this.type(type));
  }

  /** A type's number. @throws {InputError} for an unknown one. */
  type(name: string): number {
    const type = this.#source.btf.find(name);
    if (type === undefined) {
      throw new InputError(
        `The kernel's BTF has no type "${name}"; structs are written "struct task_struct".`,
      );
    }
    return type;
  }

  /** Whether there is such a type: kernels differ. */
  hasType(name: string): boolean {
    return this.#source.btf.find(name) !== undefined;
  }

  /** The value at a path: `init_task.comm`, `init_task.mm->pgd`, `array[3]`. */
  read(path: string): GuestValue {
    const { variable, steps } = parsePath(path);
    return follow(this.variable(variable), steps).value();
  }

  /** The structs of a list, by its head's symbol. */
  *list(head: string, type: string, member: string): Generator<TypedValue> {
    yield* this.at(head, "struct list_head").list(this.type(type), member);
  }

  /** Guest memory, for what has no type. */
  get memory(): VirtualMemory {
    return this.#source.memory;
  }
}

/** The value of a list walk; a kernel that is just changing its list gives what there is up to there. */
export function collect<T>(entries: Iterable<TypedValue>, each: (entry: TypedValue) => T | undefined): T[] {
  const result: T[] = [];
  try {
    for (const entry of entries) {
      const value = each(entry);
      if (value !== undefined) result.push(value);
    }
  } catch (error) {
    if (!(error instanceof KernelInsightError) || result.length === 0) throw error;
  }
  return result;
}
