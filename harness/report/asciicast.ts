/**
 * A console as an asciicast, version 2, in guest time: `asciinema play console.cast` shows it as it came. One
 * JSON value a line: a header, then `[seconds, "o", text]` for each piece of output.
 */
import type { ReportConsole } from "./report_data.ts";

/**
 * The asciicast of a console, as text in pieces of bounded size.
 *
 * @param title What the player shows.
 */
export function* asciicast(console: ReportConsole, title: string): Generator<string> {
  const { bytes, recording, columns = 80, rows = 24, droppedBytes = 0 } = console;
  yield JSON.stringify({ version: 2, width: columns, height: rows, title }) + "\n";
  // Characters are whole in every piece: one that a mark cuts in two goes into the next.
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const piece = (from: number, to: number, atNs: number, stream: boolean) => {
    const text = decoder.decode(bytes.subarray(from, to), { stream });
    return text === "" ? "" : JSON.stringify([Number((atNs / 1e9).toFixed(6)), "o", text]) + "\n";
  };
  const offset = (i: number) => Math.min(bytes.length, Math.max(0, recording[i].offset - droppedBytes));
  let at = 0;
  let atNs = 0;
  for (let i = 0; i < recording.length; i++) {
    const end = offset(i);
    if (end > at) {
      yield piece(at, end, atNs, true);
      at = end;
    }
    atNs = recording[i].atNs;
  }
  yield piece(at, bytes.length, atNs, false);
}
