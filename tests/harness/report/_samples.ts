/** Made-up machines for the tests of reports. */
import type { ReportConsole, ReportData } from "../../../harness/report/report_data.ts";

const encoder = new TextEncoder();

/** A console whose lines come one per ms of guest time. */
export function sampleConsole(lines: readonly string[], facts: Partial<ReportConsole> = {}): ReportConsole {
  let offset = 0;
  const recording = lines.map((line, i) => {
    const mark = { atNs: (i + 1) * 1e6, offset };
    offset += encoder.encode(line).length;
    return mark;
  });
  return { line: 0, name: "Console", bytes: encoder.encode(lines.join("")), recording, ...facts };
}

/** A boot that ended in an oops while a test waited for the prompt. */
export function sampleReport(facts: Partial<ReportData> = {}): ReportData {
  const boot = [
    "[    0.000000] Linux version 6.12.48 (gcc 14.2.0) #1 SMP Debian\r\n",
    "[    0.000000] Kernel command line: console=ttyS0 root=/dev/vda\r\n",
    "\x1b[32m[  OK  ]\x1b[0m Reached target \x1b[1mBasic System\x1b[0m.\r\n",
    "login: ",
    "root\r\n",
    "\x1b[38;5;208mPassword\x1b[0m: \x1b[7m \x1b[0m\r\n",
    ...Array.from(
      { length: 200 },
      (_, i) => `[    0.${200 + i}000] virtio_blk virtio${i}: a quite ordinary line\r\n`,
    ),
    "[    0.512345] \x1b[1;31mUnable to handle kernel NULL pointer dereference\x1b[0m at 0000000000000008\r\n",
    "[    0.512400] Kernel panic - not syncing: Fatal exception\r\n",
  ];
  const event = (kind: ReportData["timeline"][number]["kind"], ms: number, text: string) => ({
    kind,
    atNs: ms * 1e6,
    instructions: ms * 1e6,
    text,
    line: 0,
  });
  return {
    title: "the kernel reaches a shell",
    verdict: "guest",
    message:
      "Waited for /# $/ on the console, but the guest crashed: NULL pointer dereference in ext4_find_entry.\n  more",
    arch: "riscv64",
    engine: "dbt",
    deterministic: true,
    guestTimeNs: 212_000_000,
    instructions: 994_005_263,
    exit: { kind: "panic", detail: "NULL pointer dereference in ext4_find_entry" },
    command:
      "bootwright run --arch riscv64 --kernel Image --initrd rootfs.cpio --append 'console=ttyS0' --expect 'login: $' --send 'root\\n' --expect '# $'",
    cpus: [
      {
        index: 0,
        pc: 0xffffffff80234568n,
        mode: "supervisor",
        state: "running",
        symbol: "ext4_find_entry+0x5c/0x3a0",
        registers: Object.fromEntries(
          ["pc", "ra", "sp", "gp", "tp", "t0", "t1", "a0", "a1", "a2"].map((
            name,
            i,
          ) => [name, 0xffffffff80000000n + BigInt(i * 4096)]),
        ),
        backtrace: [
          { pc: 0xffffffff80234568n, symbol: "ext4_find_entry+0x5c/0x3a0", location: "fs/ext4/namei.c:1573" },
          { pc: 0xffffffff80235000n, symbol: "ext4_lookup+0x88/0x200", location: "fs/ext4/namei.c:1837" },
          { pc: 0xffffffff80100000n, symbol: "do_sys_openat2+0x64/0xd0" },
        ],
      },
      {
        index: 1,
        pc: 0xffffffff80901234n,
        mode: "supervisor",
        state: "waiting",
        symbol: "default_idle_call+0x20",
        registers: {},
      },
    ],
    consoles: [sampleConsole(boot), sampleConsole(["agent ready\n"], { line: 1, name: "Serial 1" })],
    kernelLog: [
      { timeNs: 0, level: 5, text: "Linux version 6.12.48" },
      { timeNs: 512_345_000, level: 0, text: "Unable to handle kernel NULL pointer dereference" },
      { timeNs: 512_400_000, level: 4, text: "a warning" },
      { timeNs: 512_400_000, level: 7, text: "only for debugging" },
    ],
    timeline: [
      event("boot", 0, "riscv64, 512M, 2 vCPUs"),
      event("wait", 0.5, "/login: $/"),
      event("match", 4.2, "login: "),
      event("type", 5, "root\n"),
      event("wait", 6, "/# $/"),
      event("fault", 207.1, "NULL pointer dereference in ext4_find_entry"),
      event(
        "miss",
        210,
        "waited for /# $/ on the console, but the guest crashed: NULL pointer dereference in ext4_find_entry",
      ),
    ],
    faults: [{
      title: "NULL pointer dereference in ext4_find_entry",
      report:
        "Unable to handle kernel NULL pointer dereference at 0000000000000008\n  epc : ext4_find_entry+0x5c/0x3a0 fs/ext4/namei.c:1573\n   ra : ext4_lookup+0x88/0x200\nCall trace:\n  ext4_find_entry+0x5c/0x3a0\n  ext4_lookup+0x88/0x200\nKernel panic - not syncing: Fatal exception",
      atNs: 208_100_000,
    }],
    shell: [
      { command: "uname -r", code: 0, atNs: 100e6, durationNs: 2.1e6, stdout: "6.12.48\n" },
      {
        command: "mount /dev/vda /mnt",
        code: 32,
        atNs: 120e6,
        durationNs: 9e6,
        stderr: "mount: wrong fs type\n",
      },
    ],
    statistics: { blocks: 70_123, tlbFills: 1_250_000 },
    ...facts,
  };
}

/** Text that would do harm wherever it is not taken for text. */
export const HOSTILE =
  "</script><script>window.pwned=1</script><!--<script></style></title> \0\x07\x7f\x9b31m\u202elive\u202c " +
  "\x1b]0;title\x07\x1b[999;999H\x1b[2Jy\ra ${window.pwned=2} \u2028 &lt; ' \" " +
  "<img src=x onerror=window.pwned=3> \ud800 ::error::x ]]> \x1b[31mred\n";

/** A machine all of whose texts are hostile, invalid UTF-8 and unfinished sequences on its console. */
export function hostileReport(): ReportData {
  const bytes = new Uint8Array([
    ...encoder.encode(HOSTILE),
    ...[0xff, 0xfe, 0xc3, 0x28, 0xed, 0xa0, 0x80, 0x0a],
    ...encoder.encode("\x1b[\nplain\x1b]"),
  ]);
  const command = { command: HOSTILE, atNs: 1, stdout: HOSTILE, stderr: HOSTILE };
  return sampleReport({
    title: HOSTILE,
    message: HOSTILE,
    command: HOSTILE,
    arch: HOSTILE,
    engine: HOSTILE,
    consoles: [{
      line: 0,
      name: HOSTILE,
      bytes,
      recording: [{ atNs: NaN, offset: -5 }, { atNs: 5e6, offset: 1e9 }],
    }],
    kernelLog: [{ timeNs: 1, level: 99, text: HOSTILE }],
    faults: [{ title: HOSTILE, report: HOSTILE, atNs: 3 }],
    timeline: [
      { kind: "match", atNs: 1, instructions: 0, text: HOSTILE },
      { kind: "wait", atNs: 1e6, instructions: 0, text: HOSTILE, line: 7 },
    ],
    exit: { kind: "panic", detail: HOSTILE },
    shell: [command],
    cpus: [{
      index: 0,
      pc: -1n,
      mode: HOSTILE,
      state: "running",
      symbol: HOSTILE,
      registers: { [HOSTILE]: 1n },
      backtrace: [{ pc: 1n, symbol: HOSTILE, location: HOSTILE }],
    }],
    error: { message: HOSTILE, stack: HOSTILE },
    statistics: { [HOSTILE]: 1 },
  });
}
