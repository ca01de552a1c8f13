/**
 * report.html: one file that needs no network. Its own script and style sheet lie under page/ as files that a
 * browser could load as they are; here they are joined and embedded. A content security policy with their
 * digests lets nothing else run or be loaded, whatever a guest printed.
 */
import eventsScript from "./page/events.js" with { type: "text" };
import formatScript from "./page/format.js" with { type: "text" };
import logScript from "./page/log.js" with { type: "text" };
import mainScript from "./page/main.js" with { type: "text" };
import searchScript from "./page/search.js" with { type: "text" };
import pageStyle from "./page/style.css" with { type: "text" };
import terminalStyle from "./page/terminal.css" with { type: "text" };
import timelineScript from "./page/timeline.js" with { type: "text" };
import {
  type ConsoleView,
  consoleView,
  StyleTable,
  type ViewLine,
  type ViewStyle,
  visible,
} from "./console_view.ts";
import { activity, type EventView, eventViews } from "./events_view.ts";
import { embeddedJson, Html, html } from "./html.ts";
import type { ReportData, ReportLogEntry } from "./report_data.ts";
import { cpus, details, facts, faults, files, header, reproduction, shell } from "./sections.ts";

/** What the page's script gets. */
export interface PageData {
  /** Guest time at the end in ns. */
  readonly endNs: number;
  /** What happened. */
  readonly events: readonly EventView[];
  /** Serial lines, and the kernel's log. */
  readonly logs: readonly PageLog[];
  /** How text can look. */
  readonly styles: readonly ViewStyle[];
}

/** Lines for the page. */
export interface PageLog extends Omit<ConsoleView, "line"> {
  /** The serial line's number; none for the kernel's log. */
  readonly line?: number;
  /** The file with all of it. */
  readonly file: string;
  /** Bytes printed over time. */
  readonly activity?: readonly number[];
}

const ACTIVITY_BUCKETS = 2_000;
const FIRST_ENTRIES = 2_000;
const LAST_ENTRIES = 8_000;
const MAX_ENTRY = 4_096;

/** Kernel log levels as text styles: errors red, warnings yellow, debugging dim. */
const LEVEL_STYLES = ["tb f1", "tb f1", "tb f1", "f1", "f3", "", "", "td"];

/** The scripts in the order of their needs, as one: a module's imports are what stands before it. */
export const PAGE_SCRIPT: string = [
  formatScript,
  logScript,
  eventsScript,
  timelineScript,
  searchScript,
  mainScript,
].map((script) => script.replace(/^import .*;\n/gm, "").replace(/^export /gm, "")).join("\n");

const styleSheet = `${pageStyle}\n${terminalStyle}`;

/** The page, as text. @param names The files that lie beside it. */
export function reportPage(data: ReportData, names: readonly string[]): string {
  const script = PAGE_SCRIPT;
  const policy = [
    "default-src 'none'",
    `script-src '${digest(script)}'`,
    `style-src '${digest(styleSheet)}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  return html`
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta http-equiv="Content-Security-Policy" content="${policy}">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>${data.verdict === "passed" ? "Passed" : "Failed"}: ${visible(data.title)}</title>
        <style>${new Html(styleSheet)}</style>
      </head>
      <body>
    <main>
    ${header(data)}
    ${facts(data)}
    ${faults(data)}
    ${reproduction(data)}
    <section id="story" hidden>
    <h2>Timeline</h2>
    <div id="timeline"></div>
    <div id="search" role="search"></div>
    <div id="panels"><div id="events"></div><div id="logs"></div></div>
    </section>
    <noscript><p>The timeline and the console need a browser's script. All of it is in the files named below.</p></noscript>
    ${cpus(data)}
    ${shell(data)}
    ${details(data)}
    </main>
    ${files(names)}
    <script type="application/json" id="data">${embeddedJson(pageData(data))}</script>
    <script type="module">${new Html(script)}</script>
      </body>
    </html>
  `.markup;
}

/** What the page's script gets, bounded. */
export function pageData(data: ReportData): PageData {
  const table = new StyleTable();
  const events = eventViews(data);
  const endNs = Math.max(1, data.guestTimeNs, ...events.slice(-1).map(({ at }) => at));
  const logs = data.consoles.map((console): PageLog => {
    const view = consoleView(console, table);
    return {
      ...view,
      file: consoleFile(console.line),
      activity: activity(console.recording, view.bytes, endNs, ACTIVITY_BUCKETS),
    };
  });
  if (data.kernelLog) logs.push(kernelLogView(data.kernelLog, table));
  return { endNs, events, logs, styles: table.styles };
}

/** The file of a serial line's bytes: console.log for the first. */
export function consoleFile(line: number): string {
  return line === 0 ? "console.log" : `serial${line}.log`;
}

function kernelLogView(entries: readonly ReportLogEntry[], table: StyleTable): PageLog {
  const levels = LEVEL_STYLES.map((c) => table.named(c));
  const view = ({ timeNs, level, text }: ReportLogEntry): ViewLine => {
    const line = visible(text.length > MAX_ENTRY ? `${text.slice(0, MAX_ENTRY)}…` : text);
    const style = levels[level];
    return style === undefined ? [timeNs, line] : [timeNs, line, [0, style]];
  };
  const all = entries.length <= FIRST_ENTRIES + LAST_ENTRIES;
  const skippedText = all ? [] : entries.slice(FIRST_ENTRIES, -LAST_ENTRIES);
  return {
    name: "Kernel log",
    file: "kernel.log",
    bytes: entries.reduce((sum, { text }) => sum + text.length + 1, 0),
    head: (all ? entries : entries.slice(0, FIRST_ENTRIES)).map(view),
    skipped: skippedText.reduce((sum, { text }) => sum + text.length + 1, 0),
    tail: all ? [] : entries.slice(-LAST_ENTRIES).map(view),
  };
}

/** A source's digest as a content security policy names it. */
function digest(source: string): string {
  // Loaded when needed: a machine whose test passes has no use for it.
  const { createHash } = process.getBuiltinModule("node:crypto");
  return `sha256-${createHash("sha256").update(source).digest("base64")}`;
}
