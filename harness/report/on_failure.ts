/** Leaves a report when a wait has failed, in a folder named after the place in the test that waited. */
import { formatNs } from "../format.ts";
import { collectReport } from "./collect.ts";
import { type GithubFailure, reportToGithub, testLine } from "./github.ts";
import { writeReport } from "./write_report.ts";
import type { Vm } from "../vm.ts";

/** Where reports go unless a test says otherwise. */
export const DEFAULT_REPORT_FOLDER = "bootwright-report";
/** Names it too; "off" for none. */
const VARIABLE = "BOOTWRIGHT_REPORT";

/** What `boot()` was told about reports: a folder, or that there shall be none. */
export type ReportSetting = string | false | undefined;

/**
 * Leaves a report about a failed wait and says so at the end of the error's message. Where reports were asked for by
 * name, by the test or the environment, GitHub is told of the failure as well. A folder that was asked for and cannot
 * be written is told on stderr; the error stays what it is.
 */
export function reportFailure(vm: Vm, error: Error, setting: ReportSetting): void {
  const asked = setting ?? environment();
  const folder = asked ?? unaskedFolder();
  if (folder === undefined || folder === false) return;
  const { message, stack } = error;
  const place = testLine(stack ?? "", "/");
  const title = place ? `${place.file.split("/").at(-1)}:${place.line}` : `${vm.arch} machine`;
  const dir = `${folder}/${place ? title.replace(/[^\w.]+/g, "-") : "machine"}`;
  const data = collectReport(vm, error, { title });
  const { page, warning } = writeReport(dir, data);
  if (page !== undefined) error.message += `\n  report: ${page}`;
  if (warning !== undefined) console.warn(`bootwright: ${warning}`);
  if (asked === undefined) return;
  const { lastLines, reproduce } = vm.report();
  const failure: GithubFailure = {
    ...{ title, message, lastLines },
    facts: { "arch": vm.arch, "engine": vm.engine.name, "guest time": formatNs(vm.guestTimeNs) },
    ...(stack !== undefined && { stack }),
    ...(reproduce !== undefined && { command: reproduce }),
    ...(page !== undefined && { report: page }),
  };
  const trouble = reportToGithub(failure);
  if (trouble !== undefined) console.warn(`bootwright: ${trouble}`);
}

const granted = (descriptor: Deno.PermissionDescriptor) =>
  Deno.permissions.querySync(descriptor).state === "granted";

/** What the environment says; undefined where it says nothing, or may not be asked. */
function environment(): ReportSetting {
  const named = granted({ name: "env", variable: VARIABLE }) ? Deno.env.get(VARIABLE) : undefined;
  return named === "off" ? false : named || undefined;
}

/** Nobody asked for it, so nobody is asked for the permission. */
function unaskedFolder(): string | undefined {
  return granted({ name: "write", path: DEFAULT_REPORT_FOLDER }) ? DEFAULT_REPORT_FOLDER : undefined;
}
