/** Lays out a table for a terminal: the first column to the left, the others to the right. */

/** The table as text, one line per row under the headings, without a newline at its end. */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column].length))
  );
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join("  ").trimEnd();
  return [line(headings), widths.map((width) => "-".repeat(width)).join("  "), ...rows.map(line)].join("\n");
}

/** A figure with about three significant digits, without an exponent: "0.352", "3.81", "81.4", "1204". */
export function formatFigure(figure: number): string {
  if (!Number.isFinite(figure)) return "-";
  const digits = figure === 0 ? 0 : 2 - Math.floor(Math.log10(Math.abs(figure)));
  return figure.toFixed(Math.min(3, Math.max(0, digits)));
}
