/**
 * GitHub Actions: error annotations by workflow commands, and a section of the step's summary. The runner reads
 * commands from stdout and stderr alike; here they go to stderr, so that stdout stays the guest's. Formats:
 * GitHub's "Workflow commands for GitHub Actions".
 */
import { escapeHtml } from "./html.ts";

/** A message that GitHub shows beside a line of the repository, or with the run. */
export interface GithubAnnotation {
  /** A few words. */
  readonly title: string;
  /** What happened. */
  readonly message: string;
  /** The file it is about, relative to the repository. */
  readonly file?: string;
  /** The line in it, from 1. */
  readonly line?: number;
}

/** A failed run for {@linkcode reportToGithub}. */
export interface GithubFailure {
  /** What ran. */
  readonly title: string;
  /** Why it failed: one sentence, then details in further lines. */
  readonly message: string;
  /** The error's stack, to find the test's line. */
  readonly stack?: string;
  /** Facts by name. */
  readonly facts: Readonly<Record<string, string>>;
  /** What the console printed last. */
  readonly lastLines: readonly string[];
  /** The command that does it again. */
  readonly command?: string;
  /** Where the report lies. */
  readonly report?: string;
}

/** Bytes a step's summary may have; GitHub drops a larger one whole. */
export const SUMMARY_LIMIT: number = 1024 * 1024;
/** Characters of one annotation's message. */
const MAX_MESSAGE = 4_096;
/** Characters of one block in a summary. */
const MAX_BLOCK = 32_768;

/** Whether this process runs in a step of GitHub Actions, as far as it may know. Never asks for permission. */
export function onGithub(): boolean {
  return variable("GITHUB_ACTIONS") === "true";
}

/** An environment variable that this process may read. */
function variable(name: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable: name });
  return state === "granted" ? Deno.env.get(name) : undefined;
}

/** Shows a failure on GitHub, where this process runs there. @returns a warning where it could not. */
export function reportToGithub(failure: GithubFailure): string | undefined {
  if (!onGithub()) return undefined;
  const workspace = variable("GITHUB_WORKSPACE");
  const [message] = failure.message.split("\n", 1);
  const place = failure.stack === undefined ? undefined : testLine(failure.stack, workspace);
  console.error(annotation({ title: failure.title, message, ...place }));
  const path = variable("GITHUB_STEP_SUMMARY");
  return path === undefined ? undefined : appendSummary(path, stepSummary(failure));
}

/** An error annotation as a workflow command. */
export function annotation({ title, message, file, line }: GithubAnnotation): string {
  const properties = Object.entries({ file, line, title })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${escapeProperty(String(value))}`);
  return `::error ${properties.join(",")}::${escapeData(message.slice(0, MAX_MESSAGE))}`;
}

/**
 * Makes GitHub take what is printed from now on for text: a guest's console must not give the runner commands.
 *
 * @returns ends it.
 */
export function withoutWorkflowCommands(): () => void {
  if (!onGithub()) return () => {};
  const token = crypto.randomUUID();
  console.error(`::stop-commands::${token}`);
  return () => console.error(`::${token}::`);
}

function escapeData(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}

/** The line of a test in an error's stack: the first in a test file of the workspace. */
export function testLine(
  stack: string,
  workspace: string | undefined,
): { file: string; line: number } | undefined {
  if (workspace === undefined) return undefined;
  const root = workspace.endsWith("/") ? workspace : `${workspace}/`;
  const frames = stack.matchAll(/^ {4}at .*file:\/\/(\/[^\s()]+[._]test\.[cm]?[jt]sx?):(\d{1,9}):\d+\)?$/gm);
  for (const [, path, line] of frames) {
    const file = decoded(path);
    if (file.startsWith(root)) return { file: file.slice(root.length), line: Number(line) };
  }
  return undefined;
}

/** A URL's path as a file's. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** A failure as a section of a step's summary, in GitHub's Markdown. */
export function stepSummary(failure: GithubFailure): string {
  const [message] = failure.message.split("\n", 1);
  const rows = Object.entries(failure.facts).map(([name, value]) => `| ${text(name)} | ${text(value)} |`);
  return [
    `### ✗ ${text(failure.title)}`,
    text(message),
    rows.length > 0 && ["| | |", "|---|---|", ...rows].join("\n"),
    failure.command !== undefined && `Reproduce:\n\n${fenced(failure.command, "sh")}`,
    `<details><summary>The console's last lines</summary>\n\n${
      fenced(failure.lastLines.join("\n"), "text")
    }\n\n</details>`,
    failure.report !== undefined && `Report: <code>${text(failure.report)}</code>`,
  ].filter((part) => part !== false).join("\n\n") + "\n\n";
}

/** One line of text in which nothing is Markdown: punctuation as character references. */
function text(value: string): string {
  const line = value.slice(0, MAX_MESSAGE).toWellFormed().replace(/\s+/g, " ");
  // deno-lint-ignore no-control-regex -- a guest may have printed it
  return line.replace(/[\x00-\x1f\x7f]/g, "\ufffd").replace(/[!-,./:-@[-`{-~]/g, (character) => {
    const escaped = escapeHtml(character);
    return escaped === character ? `&#${character.charCodeAt(0)};` : escaped;
  });
}

/** A code block whose fence is longer than any in it. */
function fenced(code: string, language: string): string {
  // deno-lint-ignore no-control-regex -- a guest may have printed it
  const safe = code.slice(-MAX_BLOCK).toWellFormed().replace(/[\x00-\x08\x0b-\x1f\x7f]/g, "\ufffd");
  const longest = Math.max(2, ...(safe.match(/`+/g) ?? []).map(({ length }) => length));
  const fence = "`".repeat(longest + 1);
  return `${fence}${language}\n${safe}\n${fence}`;
}

/** Appends to a step's summary what still fits. @returns a warning where nothing could be. */
function appendSummary(path: string, section: string): string | undefined {
  try {
    const bytes = new TextEncoder().encode(section);
    const { size } = Deno.statSync(path);
    if (size + bytes.length > SUMMARY_LIMIT) return "The step's summary is full; this failure is not in it.";
    Deno.writeFileSync(path, bytes, { append: true });
    return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) {
      return `The step's summary could not be written: --allow-write=${path} was not granted.`;
    }
    return `The step's summary could not be written: ${error instanceof Error ? error.message : error}.`;
  }
}
