/** What of a kernel's log the console has not shown. */

/**
 * The log's lines behind the last one that is among the console's last lines; all where none is.
 *
 * @param log Lines as `dmesg` prints them.
 * @param lastLines The console's last lines, which may lack the times or have others.
 */
export function unseenLog(log: readonly string[], lastLines: readonly string[]): readonly string[] {
  const shown = new Set(lastLines.map(textOf));
  const seen = log.findLastIndex((line) => shown.has(textOf(line)));
  return log.slice(seen + 1);
}

function textOf(line: string): string {
  return line.replace(/^\[ *\d+\.\d+\] /, "");
}
