/**
 * Leaves a report in a folder: what the consoles printed, as bytes and as a recording, the kernel's log, the
 * machine's state, the command that does it again, and report.html that shows all of it. A report is about a
 * verdict and never changes it: what cannot be written becomes a warning.
 */
import { asciicast } from "./asciicast.ts";
import { machineJson } from "./machine_json.ts";
import { consoleFile, reportPage } from "./page.ts";
import type { ReportData, ReportLogEntry } from "./report_data.ts";

/** What became of a report. */
export interface ReportResult {
  /** The files written, by their names in the folder. */
  readonly files: readonly string[];
  /** The page's path, where it was written. */
  readonly page?: string;
  /** One sentence, where something could not be written. */
  readonly warning?: string;
}

/** The file of a serial line's recording: console.cast for the first. */
function castFile(line: number): string {
  return line === 0 ? "console.cast" : `serial${line}.cast`;
}

/** Writes a report into a folder, which is made if need be. Never throws. */
export function writeReport(dir: string, data: ReportData): ReportResult {
  const files: string[] = [];
  const write = (name: string, parts: Iterable<Uint8Array | string>, mode?: number) => {
    const file = Deno.openSync(`${dir}/${name}`, {
      write: true,
      create: true,
      truncate: true,
      ...(mode && { mode }),
    });
    try {
      for (const part of parts) writeAll(file, typeof part === "string" ? encoder.encode(part) : part);
    } finally {
      file.close();
    }
    files.push(name);
  };
  try {
    Deno.mkdirSync(dir, { recursive: true });
    for (const console of data.consoles) {
      write(consoleFile(console.line), [console.bytes]);
      write(castFile(console.line), gathered(asciicast(console, data.title)));
    }
    if (data.kernelLog) write("kernel.log", gathered(kernelLog(data.kernelLog)));
    write("machine.json", [JSON.stringify(machineJson(data), null, 2), "\n"]);
    if (data.command !== undefined) write("reproduce.sh", [`#!/bin/sh\n${data.command}\n`], 0o755);
    write("report.html", [reportPage(data, [...files])]);
    return { files, page: `${dir}/report.html` };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { files, warning: `The report in ${dir} could not be written: ${why.replace(/\.$/, "")}.` };
  }
}

const encoder = new TextEncoder();
/** Characters written at once. */
const PIECE = 65_536;

/** Many small pieces as fewer larger ones. */
function* gathered(pieces: Iterable<string>): Generator<string> {
  let text = "";
  for (const piece of pieces) {
    text += piece;
    if (text.length < PIECE) continue;
    yield text;
    text = "";
  }
  yield text;
}

/** As `dmesg` prints it. */
function* kernelLog(entries: readonly ReportLogEntry[]): Generator<string> {
  for (const { timeNs, level, text } of entries) {
    yield `<${level}>[${(timeNs / 1e9).toFixed(6).padStart(12)}] ${text}\n`;
  }
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}
