/** Debian's gdb for all architectures, in batch mode, at a machine under test. */
import type { GdbServer, Vm } from "../../../mod.ts";
import { hasCommand } from "../../support/guest_machines.ts";

const GDB = "gdb-multiarch";

/** A test with a real gdb, skipped by name where there is none. */
export function gdbTest(name: string, fn: () => Promise<void>, obstacle?: string): void {
  const missing = obstacle ?? (hasCommand(GDB) ? undefined : `needs ${GDB}`);
  Deno.test({ name: missing ? `${name} (${missing})` : name, ignore: missing !== undefined, fn });
}

/** What gdb printed. Its machine moves while it runs, and `elf` has the symbols. */
export async function gdb(vm: Vm, elf: string | undefined, commands: readonly string[]): Promise<string> {
  await using server = await vm.gdb();
  return await gdbAt(server, elf, commands);
}

/** What gdb printed, at a server. */
export async function gdbAt(
  server: GdbServer,
  elf: string | undefined,
  commands: readonly string[],
): Promise<string> {
  const { hostname, port } = server.address;
  const all = [
    "set pagination off",
    "set confirm off",
    "set style enabled off",
    ...(elf === undefined ? [] : [`file ${elf}`]),
    `target remote ${hostname}:${port}`,
    ...commands,
  ];
  const command = new Deno.Command(GDB, {
    args: ["-nx", "-batch", ...all.flatMap((line) => ["-ex", line])],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { LC_ALL: "C" },
  });
  const [{ stdout, stderr }] = await Promise.all([command.output(), server.closed]);
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}
