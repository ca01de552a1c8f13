/** The parts of the page that need no script: what happened, why, the crash, the vCPUs, how to do it again. */
import { describeExit } from "../exit.ts";
import { formatNs } from "../format.ts";
import { MAX_LINE, visible } from "./console_view.ts";
import { type Html, html } from "./html.ts";
import { hex } from "./machine_json.ts";
import type { ReportCpu, ReportData, ReportVerdict } from "./report_data.ts";

const VERDICTS: Readonly<Record<ReportVerdict, string>> = {
  passed: "Passed",
  guest: "The guest failed",
  host: "The host lacks something",
  watchdog: "The host was too slow",
  usage: "The test is wrong",
};

/** Characters shown of a crash report, a stack or an output. */
const MAX_TEXT = 262_144;
const MAX_FRAMES = 256;
const MAX_REGISTERS = 512;
const MAX_CPUS = 256;
const MAX_FAULTS = 20;
const MAX_COMMANDS = 500;
/** Characters shown of each output of a shell command, and of crashes after the first. */
const MAX_OUTPUT = 4_096;

/** The title, the verdict and the sentence that says why. */
export function header(data: ReportData): Html {
  const [why] = data.message.split("\n", 1);
  return html`
    <header class="${data.verdict === "passed" ? "good" : "bad"}">
      <p class="verdict">${VERDICTS[data.verdict]}</p>
      <h1>${oneLine(data.title)}</h1>
      <p class="why">${oneLine(why)}</p>
    </header>
  `;
}

/** The machine in a few facts. */
export function facts(data: ReportData): Html {
  const rows: [string, string | Html][] = [
    ["Guest time", formatNs(data.guestTimeNs)],
    ["Instructions", grouped(data.instructions)],
    ["Ended", oneLine(data.exit ? describeExit(data.exit) : "it still ran")],
    ["Guest", `${data.arch}, ${data.cpus.length} ${data.cpus.length === 1 ? "vCPU" : "vCPUs"}`],
    ["Engine", data.engine],
    ["Deterministic", data.deterministic ? "yes: the same inputs give the same run" : "no"],
  ];
  return html`
    <section id="facts" aria-label="Facts">
      <dl>${rows.map(([name, value]) =>
        html`
          <div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>
        `
      )}</dl>
    </section>
  `;
}

/** The command that does it again. */
export function reproduction({ command }: ReportData): Html | undefined {
  if (command === undefined) return undefined;
  return html`
    <section id="reproduce">
      <h2>Reproduce</h2>
      <div class="command"><pre tabindex="0"><code id="command">${block(command)}</code></pre>
    <button type="button" id="copy">Copy</button></div>
    </section>
  `;
}

/** The crashes of the guest's kernel, the first one open. */
export function faults(data: ReportData): Html | undefined {
  const all = data.faults ?? [];
  if (all.length === 0) return undefined;
  return html`<section id="faults"><h2>${all.length === 1 ? "Crash" : "Crashes"}</h2>${
    all.slice(0, MAX_FAULTS).map(({ title, report, atNs }, i) =>
      html`
        <details ${i === 0 && html`open`}>
          <summary><b>${oneLine(title)}</b> <span class="when">${formatNs(atNs)}</span></summary>
          <pre tabindex="0">${block(report, i === 0 ? MAX_TEXT : MAX_OUTPUT)}</pre>
        </details>
      `
    )
  }</section>`;
}

/** Where every vCPU stands. */
export function cpus(data: ReportData): Html {
  return html`<section id="cpus"><h2>vCPUs</h2>${data.cpus.slice(0, MAX_CPUS).map(cpu)}</section>`;
}

function cpu({ index, pc, symbol, mode, state, registers, backtrace }: ReportCpu): Html {
  const names = Object.entries(registers).slice(0, MAX_REGISTERS);
  const frames = (backtrace ?? []).slice(0, MAX_FRAMES);
  return html`<article><h3>vCPU ${index} <span class="state ${state}">${state}</span> <span class="mode">${mode} mode</span></h3>
<p class="pc"><code>${hex(pc)}</code> ${
    symbol !== undefined && html`<code class="symbol">${oneLine(symbol)}</code>`
  }</p>${
    frames.length > 0 &&
    html`<ol class="frames" start="0">${
      frames.map((frame) =>
        html`<li><code class="symbol">${oneLine(frame.symbol ?? hex(frame.pc))}</code>${
          frame.symbol !== undefined && html`
            <code class="address">${hex(frame.pc)}</code>
          `
        }${
          frame.location !== undefined && html`
            <span class="location">${oneLine(frame.location)}</span>
          `
        }</li>`
      )
    }</ol>`
  }${
    names.length > 0 &&
    html`
      <details>
        <summary>${names.length} registers</summary>
        <dl class="registers">${names.map(([name, value]) =>
          html`
            <div>
              <dt>${name}</dt>
              <dd>${hex(value)}</dd>
            </div>
          `
        )}</dl>
      </details>
    `
  }</article>`;
}

/** What the shell ran. */
export function shell(data: ReportData): Html | undefined {
  const all = data.shell ?? [];
  if (all.length === 0) return undefined;
  const output = (name: string, text: string | undefined) =>
    text !== undefined && text !== "" && html`
      <h4>${name}</h4>
      <pre tabindex="0">${block(text, MAX_OUTPUT)}</pre>
    `;
  return html`<section id="shell"><h2>Shell</h2>${
    all.slice(-MAX_COMMANDS).map(({ command, code, durationNs, stdout, stderr }) =>
      html`<details><summary><code>${oneLine(command)}</code> <span class="state ${
        code === 0 ? "good" : "bad"
      }">${code === undefined ? "did not end" : code === 0 ? "ok" : `exit code ${code}`}</span>${
        durationNs !== undefined && html`
          <span class="when">${formatNs(durationNs)}</span>
        `
      }</summary>${output("stdout", stdout)}${output("stderr", stderr)}</details>`
    )
  }</section>`;
}

/** The error in full, and the engine's counters. */
export function details(data: ReportData): Html {
  const statistics = Object.entries(data.statistics ?? {});
  const text = data.error?.stack ?? data.error?.message ?? data.message;
  return html`<section id="details"><h2>Details</h2>
<details><summary>The error in full</summary><pre tabindex="0">${block(text)}</pre></details>${
    statistics.length > 0 &&
    html`
      <details>
        <summary>The engine's counters</summary>
        <dl class="registers">${statistics.map(([name, value]) =>
          html`
            <div>
              <dt>${name}</dt>
              <dd>${grouped(value)}</dd>
            </div>
          `
        )}</dl>
      </details>
    `
  }</section>`;
}

/** Links to the files beside the page. */
export function files(names: readonly string[]): Html {
  return html`
    <footer>
      <p>Beside this page: ${names.map((name, i) =>
        html`${i > 0 && ", "}<a href="${encodeURIComponent(name)}">${name}</a>`
      )}</p>
    </footer>
  `;
}

function oneLine(text: string): string {
  return visible((text.length > MAX_LINE ? `${text.slice(0, MAX_LINE)}…` : text).replace(/\s+/g, " "));
}

function block(text: string, most: number = MAX_TEXT): string {
  const shown = text.length > most
    ? `${text.slice(0, most)}\n[… ${text.length - most} characters more …]`
    : text;
  return shown.split("\n").map(visible).join("\n");
}

/** `994,005,263`. */
function grouped(value: number): string {
  return value.toLocaleString("en-US");
}
