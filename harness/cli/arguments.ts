/** Parses a command's arguments, keeping their order, and says what was meant where it cannot. */
import { InputError } from "../errors.ts";
import { didYouMean } from "../suggest.ts";

/** Option name (without dashes) → the name of its value in help; "" for an option without one. */
export type OptionTable = Readonly<Record<string, string>>;

/** One option as given. */
export interface GivenOption {
  /** Without dashes. */
  readonly name: string;
  /** "" for an option without a value. */
  readonly value: string;
}

/**
 * The options given, in order.
 *
 * @throws {InputError} for an unknown option, a missing value, or an argument that is no option.
 */
export function parseArguments(command: string, args: readonly string[], table: OptionTable): GivenOption[] {
  const help = `See bootwright ${command} --help.`;
  const given: GivenOption[] = [];
  for (let i = 0; i < args.length; i++) {
    const [, name, inline] = /^--([^=]+)(?:=([^]*))?$/.exec(args[i]) ?? [];
    if (args[i] === "-h") {
      given.push({ name: "help", value: "" });
    } else if (name === undefined) {
      throw new InputError(`"${args[i]}" is no option; options begin with --. ${help}`);
    } else if (!Object.hasOwn(table, name)) {
      const names = Object.keys(table).map((known) => `--${known}`);
      throw new InputError(`There is no option --${name}.${didYouMean(`--${name}`, names)} ${help}`);
    } else if (table[name] === "") {
      if (inline !== undefined) throw new InputError(`--${name} takes no value. ${help}`);
      given.push({ name, value: "" });
    } else {
      const value = inline ?? args[++i];
      if (value === undefined) throw new InputError(`--${name} needs a value: ${table[name]}. ${help}`);
      given.push({ name, value });
    }
  }
  return given;
}
