/**
 * The command line: `bootwright run …`, `bootwright doctor`. What a
 * command needs is loaded when it runs, because start-up time counts.
 *
 * @module
 */
import { EXIT_CODES } from "./cli/exit_codes.ts";
import { BootwrightError } from "./errors.ts";

/** Runs a command; returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    return await dispatch(args);
  } catch (error) {
    if (!(error instanceof BootwrightError)) throw error;
    console.error(`bootwright: ${error.message}`);
    return EXIT_CODES[error.verdict];
  }
}

async function dispatch(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args;
  switch (command) {
    case "run":
      return await (await import("./cli/run.ts")).run(rest);
    case "doctor":
      return await (await import("./cli/doctor.ts")).doctor(rest);
  }
  const { unknownCommand, usage, version } = await import("./cli/help.ts");
  switch (command) {
    case "--help":
    case "-h":
    case "help":
      console.log(usage(rest[0]));
      return EXIT_CODES.success;
    case "--version":
      console.log(version());
      return EXIT_CODES.success;
  }
  throw unknownCommand(command);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
