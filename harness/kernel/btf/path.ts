/** Paths into typed values, as C writes them: `init_task.comm`, `current->mm->pgd`, `cpus[3].name`. */
import { InputError } from "../../errors.ts";
import type { TypedValue } from "./typed_value.ts";

/** A path: what it begins with, and where it goes from there. */
export interface ValuePath {
  /** The variable. */
  readonly variable: string;
  /** Members by name, elements by number. */
  readonly steps: readonly (string | number)[];
}

const VARIABLE = /^[A-Za-z_]\w*/;
const STEP = /^(?:(?:\.|->)([A-Za-z_]\w*)|\[(\d+)\])/;

/** Understands a path. @throws {InputError} when it is none. */
export function parsePath(text: string): ValuePath {
  const variable = VARIABLE.exec(text)?.[0];
  let rest = text.slice(variable?.length ?? 0);
  const steps: (string | number)[] = [];
  while (variable !== undefined && rest !== "") {
    const step = STEP.exec(rest);
    if (!step) break;
    steps.push(step[1] ?? Number(step[2]));
    rest = rest.slice(step[0].length);
  }
  if (variable === undefined || rest !== "") {
    throw new InputError(
      `"${text}" is no path into a variable; write it as C does: "init_task.comm", "init_task.mm->pgd", "array[3]".`,
    );
  }
  return { variable, steps };
}

/** Goes a path's steps from a value. */
export function follow(value: TypedValue, steps: readonly (string | number)[]): TypedValue {
  let at = value;
  for (const step of steps) at = typeof step === "number" ? at.index(step) : at.get(step);
  return at;
}
