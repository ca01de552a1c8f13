/** The error of a command that did not do what was wanted. */
import { BootwrightError, type MachineReport } from "../errors.ts";
import { formatNs, shorten } from "../format.ts";

/** How a command ended. */
export interface ShellResult {
  /** Exit code; 128 + n when signal n ended it, as shells report it. */
  readonly code: number;
  /** The signal's name ("SIGKILL"), where the code says that one ended the command. */
  readonly signal: string | undefined;
  /** What it printed, as UTF-8. */
  readonly stdout: string;
  /** What it printed on standard error, as UTF-8. */
  readonly stderr: string;
  /** What it printed, to the byte. */
  readonly stdoutBytes: Uint8Array<ArrayBuffer>;
  /** What it printed on standard error, to the byte. */
  readonly stderrBytes: Uint8Array<ArrayBuffer>;
  /** Guest time it took, in ns. */
  readonly guestTime: number;
}

/** Characters of a stream in a message. */
const MAX_STREAM = 4000;

/** A command ended with a code other than 0, or did what a command must not. */
export class ShellError extends BootwrightError {
  /** The name of the class. */
  override name = "ShellError";
  /** The guest's fault. */
  readonly verdict = "guest";

  /**
   * Made by the call that failed.
   *
   * @param command The command.
   * @param reason What it did, in words.
   * @param result What it printed; the code is -1 where it has none.
   * @param report The machine's facts.
   */
  constructor(
    readonly command: string,
    readonly reason: string,
    readonly result: ShellResult,
    readonly report: MachineReport,
  ) {
    super([
      `The command ${JSON.stringify(shorten(command, 200))} ${reason}.`,
      ...stream("stdout", result.stdout),
      ...stream("stderr", result.stderr),
      `  it took ${formatNs(result.guestTime)} of guest time, until ${formatNs(report.guestTimeNs)}`,
    ].join("\n"));
  }
}

/** A stream in a message: the end of it, where it is long. */
function stream(name: string, text: string): string[] {
  if (text === "") return [`  ${name} is empty`];
  const end = text.length <= MAX_STREAM ? text : `…${text.slice(-MAX_STREAM)}`;
  return [`  ${name}:`, ...end.replace(/\n$/, "").split("\n").map((line) => `  | ${line}`)];
}
