/** What `--help` and `--version` print. */
import manifest from "../../deno.json" with { type: "json" };
import { InputError } from "../errors.ts";
import { didYouMean } from "../suggest.ts";

const OVERVIEW =
  `Bootwright boots operating-system kernels on the host's desk, types at them and checks what they say.

Usage: bootwright COMMAND [OPTIONS]

Commands:
  run      Boot a machine, follow its console, check what it prints
  doctor   Say what this host can do

bootwright COMMAND --help explains a command; bootwright --version prints the version.`;

const COMMANDS: Readonly<Record<string, string>> = {
  run: `Boots a machine, streams its console to stdout and checks it.

Usage: bootwright run --arch ARCH --kernel FILE [OPTIONS]

The machine:
  --arch ARCH       Guest architecture: riscv64, x86_64
  --kernel FILE     Linux Image or bzImage (compressed in any usual way), ELF file or flat binary
  --initrd FILE     Initial RAM disk
  --firmware FILE   Firmware to run in place of the built-in SBI (riscv64: OpenSBI's fw_dynamic or fw_jump)
  --append TEXT     The kernel's command line
  --memory SIZE     RAM: 512M, 1G (default 512M)
  --cpus N          vCPUs (default 1)
  --engine ENGINE   auto, kvm, dbt (translator) or interpreter (default auto)
  --cpu-mode MODE   What a flat x86_64 binary starts in: real (default), protected, long
  --cpu-model MODEL What an x86_64 guest sees under kvm: host (default), x86-64, x86-64-v2, -v3, -v4

What shall happen, in the order written:
  --expect RE       Wait until the console prints a match of this regular expression
  --send TEXT       Type this, as fast as the guest reads it; \\n is Enter, and \\r \\t \\e \\xHH \\\\ work too
Without --expect, success is that the guest powers off.

What counts as a crash (docs/crash-rules.md):
  --fault NAME=CLASS  Make a rule or family fatal, collect, note or ignore: --fault warning=fatal

Limits:
  --within TIME     Guest time for each --expect and --send, and for the power-off (default 60s)
  --watchdog TIME   Wall time for everything (default 5m)

Debugging:
  --gdb PORT        Wait for gdb on this port of 127.0.0.1 before the first instruction (0: any free port); the
                    default of --watchdog is 24h then

Results:
  --json FILE       Write how it ended, every match, and digests
  --digest          Add the SHA-256 of guest RAM to that
  --report DIR      Leave a report there: report.html, console.log, console.cast, machine.json, reproduce.sh
  --junit FILE      Write JUnit's XML: a case for each --expect, and one for the run

Exit codes: 0 success; 1 the guest failed an expectation, crashed or did not power off; 2 bad usage or input;
3 the host lacks something; 124 the watchdog struck.

Examples:
  bootwright run --arch riscv64 --kernel Image --initrd rootfs.cpio --append console=ttyS0 \\
    --expect 'login: $' --send 'root\\n' --expect '# $' --send 'uname -m\\n' --expect '^riscv64'
  bootwright run --arch riscv64 --kernel hello.elf --memory 16M --within 1s --json result.json --digest
  bootwright run --arch riscv64 --kernel Image --append console=ttyS0 --gdb 1234`,
  doctor: `Says what this host can do: which engines run, with which permissions, and which guests.

Usage: bootwright doctor

Examples:
  bootwright doctor
  deno task bootwright doctor`,
};

/** The help of a command, or of everything. */
export function usage(command?: string): string {
  if (command === undefined) return OVERVIEW;
  const text = COMMANDS[command];
  if (text === undefined) throw unknownCommand(command);
  return text;
}

/** `bootwright 0.1.0`. */
export function version(): string {
  return `bootwright ${manifest.version}`;
}

/** The error for a command there is not. */
export function unknownCommand(command: string | undefined): InputError {
  if (command === undefined) return new InputError(`Which command? See bootwright --help.`);
  const meant = didYouMean(command, Object.keys(COMMANDS));
  return new InputError(`There is no command "${command}".${meant} See bootwright --help.`);
}
