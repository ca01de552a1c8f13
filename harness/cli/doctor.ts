/** `bootwright doctor`: what this host can do. */
import { kvmSummary, translatorObstacle } from "../../accel/select.ts";
import { formatBytes } from "../../core/boot/image_error.ts";
import { BOARDS } from "../boards.ts";
import { hostMemoryBytes } from "../boot.ts";
import { EXIT_CODES } from "./exit_codes.ts";
import { parseArguments } from "./arguments.ts";
import { usage, version } from "./help.ts";

/** Runs the command; returns the exit code. */
export async function doctor(args: readonly string[]): Promise<number> {
  if (parseArguments("doctor", args, { help: "" }).length > 0) {
    console.log(usage("doctor"));
    return EXIT_CODES.success;
  }
  const memory = hostMemoryBytes();
  const obstacle = await translatorObstacle();
  const permission = (name: "ffi" | "read" | "write") => Deno.permissions.querySync({ name }).state;
  const rows: [string, string][] = [
    ["version", `${version()}, Deno ${Deno.version.deno}`],
    ["host", `${Deno.build.arch} ${Deno.build.os}, ${navigator.hardwareConcurrency} processors`],
    ["memory", memory === undefined ? "unknown (needs --allow-sys=systemMemoryInfo)" : formatBytes(memory)],
    ["engine kvm", await kvmSummary()],
    ["engine dbt", obstacle ?? "works: guest code is translated to x86-64"],
    ["engine interpreter", "works: everywhere, without permissions, slower"],
    [
      "engine auto",
      `is ${obstacle === undefined ? "dbt" : "interpreter"} here for guests of other architectures`,
    ],
    ["--allow-ffi", `${permission("ffi")}: for KVM and the translator`],
    ["--allow-read", `${permission("read")}: for images given as paths`],
    ["--allow-write", `${permission("write")}: for --json`],
    ...Object.entries(BOARDS).map(([arch, { summary }]): [string, string] => [`guest ${arch}`, summary]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, text] of rows) console.log(`${name.padEnd(width)}  ${text}`);
  return EXIT_CODES.success;
}
