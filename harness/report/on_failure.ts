/** Leaves a report when a wait has failed, in a folder named after the place in the test that waited. */
import { collectReport } from "./collect.ts";
import { testLine } from "./github.ts";
import { writeReport } from "./write_report.ts";
import type { Vm } from "../vm.ts";

/** Where reports go unless a test says otherwise. */
export const DEFAULT_REPORT_FOLDER = "bootwright-report";
/** Names it too; "off" for none. */
const VARIABLE = "BOOTWRIGHT_REPORT";

/** What `boot()` was told about reports: a folder, or that there shall be none. */
export type ReportSetting = string | false | undefined;

/**
 * Leaves a report about a failed wait and says so at the end of the error's message. A folder that was asked for
 * and cannot be written is told on stderr; the error stays what it is.
 */
export function reportFailure(vm: Vm, error: Error, setting: ReportSetting): void {
  const folder = reportFolder(setting);
  if (folder === undefined) return;
  const place = testLine(error.stack ?? "", "/");
  const title = place ? `${place.file.split("/").at(-1)}:${place.line}` : `${vm.arch} machine`;
  const dir = `${folder}/${place ? title.replace(/[^\w.]+/g, "-") : "machine"}`;
  const result = writeReport(dir, collectReport(vm, error, { title }));
  if (result.page !== undefined) error.message += `\n  report: ${result.page}`;
  if (result.warning !== undefined) console.warn(`bootwright: ${result.warning}`);
}

/** The folder of reports; undefined where there shall be, or can be, none. */
function reportFolder(setting: ReportSetting): string | undefined {
  if (setting === false) return undefined;
  if (setting !== undefined) return setting;
  const granted = (descriptor: Deno.PermissionDescriptor) =>
    Deno.permissions.querySync(descriptor).state === "granted";
  const named = granted({ name: "env", variable: VARIABLE }) ? Deno.env.get(VARIABLE) : undefined;
  if (named === "off") return undefined;
  if (named !== undefined && named !== "") return named;
  // Nobody asked for it, so nobody is asked for the permission.
  return granted({ name: "write", path: DEFAULT_REPORT_FOLDER }) ? DEFAULT_REPORT_FOLDER : undefined;
}
