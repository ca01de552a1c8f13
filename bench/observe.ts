/**
 * Watches a process from outside, the same way whichever emulator it is: when what it prints arrives, when it
 * ends, and how much memory it held at most. Times are wall time in ms since just before it was started.
 */

/** What to watch for. */
export interface ObserveOptions {
  /** End the process as soon as it has printed this. @default it ends by itself */
  readonly until?: string;
  /** Reads the peak of a process's memory; called when `until` has been printed. @default it is not read */
  readonly memory?: (pid: number) => number;
  /** Wall time after which the process is taken to hang, in ms. */
  readonly limitMs: number;
}

/** What was seen. */
export interface Observation {
  /** When its first byte arrived. */
  readonly firstByteMs: number;
  /** When what was waited for arrived; without such a wait, when the process had ended. */
  readonly endMs: number;
  /** The most memory that was resident up to then, in bytes; NaN where it was not read. */
  readonly peakRssBytes: number;
  /** The lines it printed, each with when its end arrived. */
  readonly lines: readonly TimedLine[];
}

/** A line of output. */
export interface TimedLine {
  readonly text: string;
  readonly ms: number;
}

/** A process did not do what it was started for. */
export class ObservationError extends Error {
  override name = "ObservationError";
}

/**
 * Runs a command and watches it.
 *
 * @throws {ObservationError} when it fails, hangs, or ends without having printed what was waited for.
 */
export async function observe(command: readonly string[], options: ObserveOptions): Promise<Observation> {
  const started = performance.now();
  const elapsed = () => performance.now() - started;
  const child = new Deno.Command(command[0], {
    args: command.slice(1),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const ended = child.status.then((status) => ({ status, ms: elapsed() }));
  const complaint = new Response(child.stderr).text();
  let struck = false;
  const watchdog = setTimeout(() => {
    struck = true;
    kill(child);
  }, options.limitMs);
  const log = new LineLog();
  let firstByteMs = NaN, untilMs = NaN, peakRssBytes = NaN;
  try {
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      const ms = elapsed();
      if (Number.isNaN(firstByteMs)) firstByteMs = ms;
      log.add(chunk, ms);
      if (options.until !== undefined && Number.isNaN(untilMs) && log.contains(options.until)) {
        untilMs = ms;
        peakRssBytes = options.memory?.(child.pid) ?? NaN;
        kill(child);
      }
    }
  } catch (error) {
    kill(child);
    throw error;
  } finally {
    await ended;
    clearTimeout(watchdog);
  }
  const { status, ms } = await ended;
  const endMs = options.until === undefined ? ms : untilMs;
  if (struck || Number.isNaN(endMs) || (options.until === undefined && !status.success)) {
    const how = struck ? `was still running after ${options.limitMs / 1000} s` : `ended with ${status.code}`;
    const want = options.until === undefined ? "" : ` without "${options.until}"`;
    const seen = [...log.lines.slice(-5).map(({ text }) => text), await complaint].join("\n").trim();
    throw new ObservationError(`${command.join(" ")}\n${how}${want}. It printed last:\n${seen}`);
  }
  await complaint;
  return { firstByteMs, endMs, peakRssBytes, lines: log.lines };
}

/** Splits text that arrives in pieces into lines, each with its time. */
export class LineLog {
  readonly lines: TimedLine[] = [];
  #rest = "";

  /** Takes the next piece. */
  add(piece: string, ms: number): void {
    const texts = (this.#rest + piece).split("\n");
    this.#rest = texts.pop()!;
    for (const text of texts) this.lines.push({ text: text.replace(/\r+$/, ""), ms });
  }

  /** Whether a line, or the unfinished one, contains a text. */
  contains(text: string): boolean {
    return this.#rest.includes(text) || this.lines.some((line) => line.text.includes(text));
  }
}

/** The most memory that has been resident in a process so far, in bytes. Deno allows it with `-A` only. */
export function peakRss(pid: number): number {
  return parsePeakRss(Deno.readTextFileSync(`/proc/${pid}/status`));
}

/**
 * Bytes of VmHWM in what `/proc/PID/status` says (proc(5)).
 *
 * @throws {ObservationError} when it is not there, as with a process that has ended.
 */
export function parsePeakRss(status: string): number {
  const [, kib] = /^VmHWM:\s*(\d+) kB$/m.exec(status) ?? [];
  if (kib === undefined) throw new ObservationError("The process ended before its memory was read.");
  return Number(kib) * 1024;
}

function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    // It had ended by itself.
    if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
  }
}
