import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { collectReport } from "../../../harness/report/collect.ts";
import type { MachineJson } from "../../../harness/report/machine_json.ts";
import { writeReport } from "../../../harness/report/write_report.ts";
import { guest, WaitError } from "../../../mod.ts";
import { tiny } from "../_tiny.ts";
import { hostileReport, sampleConsole, sampleReport } from "./_samples.ts";

async function inFolder(run: (folder: string) => unknown): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "bootwright-report-" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a report is a folder with everything in it", () =>
  inFolder((folder) => {
    const data = sampleReport();
    const dir = join(folder, "deep/er");
    const result = writeReport(dir, data);
    assertEquals(result, {
      files: [
        "console.log",
        "console.cast",
        "serial1.log",
        "serial1.cast",
        "kernel.log",
        "machine.json",
        "reproduce.sh",
        "report.html",
      ],
      page: `${dir}/report.html`,
    });
    assertEquals(Array.from(Deno.readDirSync(dir), ({ name }) => name).sort(), [...result.files].sort());
    assertEquals(Deno.readFileSync(join(dir, "console.log")), data.consoles[0].bytes);
    assertEquals(
      Deno.readTextFileSync(join(dir, "kernel.log")).split("\n")[1],
      "<0>[    0.512345] Unable to handle kernel NULL pointer dereference",
    );
  }));

Deno.test("machine.json has the state for programs, registers in hexadecimal", () =>
  inFolder((folder) => {
    writeReport(folder, sampleReport());
    const machine: MachineJson = JSON.parse(Deno.readTextFileSync(join(folder, "machine.json")));
    assertEquals(machine.version, 1);
    assertEquals(machine.exit, { kind: "panic", detail: "NULL pointer dereference in ext4_find_entry" });
    const [cpu] = machine.cpus;
    assertEquals(cpu.pc, "0xffffffff80234568");
    assertEquals(cpu.registers.ra, "0xffffffff80001000");
    assertEquals(cpu.backtrace[0].location, "fs/ext4/namei.c:1573");
    assertEquals(machine.consoles[1], { line: 1, name: "Serial 1", bytes: 12 });
    assertEquals(machine.timeline.length, 7);
  }));

Deno.test("reproduce.sh runs the command", () =>
  inFolder(async (folder) => {
    writeReport(folder, sampleReport({ command: "echo again 'and \"again\"'" }));
    const { stdout } = await new Deno.Command(join(folder, "reproduce.sh")).output();
    assertEquals(new TextDecoder().decode(stdout), 'again and "again"\n');
  }));

Deno.test("the same data gives the same report, byte for byte", () =>
  inFolder((folder) => {
    for (const name of ["a", "b"]) writeReport(join(folder, name), sampleReport());
    for (const { name } of Deno.readDirSync(join(folder, "a"))) {
      assertEquals(
        Deno.readFileSync(join(folder, "a", name)),
        Deno.readFileSync(join(folder, "b", name)),
        name,
      );
    }
  }));

Deno.test("a folder that cannot be written is a warning that names it", () =>
  inFolder((folder) => {
    const file = join(folder, "file");
    Deno.writeTextFileSync(file, "");
    const { warning, page } = writeReport(file, sampleReport());
    assertStringIncludes(warning!, file);
    assertEquals(page, undefined);
    assertStringIncludes(writeReport("/proc/none", sampleReport()).warning!, "/proc/none");
  }));

Deno.test("without --allow-write the warning says so", () =>
  inFolder(async (folder) => {
    const root = join(import.meta.dirname!, "../../..");
    const script = join(folder, "write.ts");
    Deno.writeTextFileSync(
      script,
      `import { writeReport } from "${root}/harness/report/write_report.ts";
       import { sampleReport } from "${root}/tests/harness/report/_samples.ts";
       console.log(writeReport("${folder}/report", sampleReport()).warning);`,
    );
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--no-check", script],
      env: { NO_COLOR: "1" },
    }).output();
    assertStringIncludes(new TextDecoder().decode(stdout), "--allow-write");
  }));

Deno.test("a hostile guest's report is written", () =>
  inFolder((folder) => {
    const { warning, files } = writeReport(folder, hostileReport());
    assertEquals([warning, files.includes("report.html")], [undefined, true]);
  }));

Deno.test("a console of 64 MB is written whole, and its page is small", () =>
  inFolder((folder) => {
    const block = new TextEncoder().encode("0123456789abcdef".repeat(4095) + "0123456789abcde\n");
    const bytes = new Uint8Array(64 * 2 ** 20);
    for (let at = 0; at < bytes.length; at += block.length) {
      bytes.set(block.subarray(0, bytes.length - at), at);
    }
    const recording = Array.from({ length: 65_536 }, (_, i) => ({ atNs: i * 1e5, offset: i * 1024 }));
    writeReport(folder, sampleReport({ consoles: [{ ...sampleConsole([]), bytes, recording }] }));
    assertEquals(Deno.statSync(join(folder, "console.log")).size, bytes.length);
    assert(Deno.statSync(join(folder, "report.html")).size < 2e6);
  }));

Deno.test("a real machine's report, about a wait that failed and about one that did not", async () => {
  await using vm = await tiny("timer", { cpus: 2 });
  await vm.console.waitFor("tick 2");
  const passed = collectReport(vm, undefined, { title: "ticks" });
  assertEquals([passed.verdict, passed.message], [
    "passed",
    "Everything went as asked; the guest still ran.",
  ]);
  const error = await vm.console.waitFor("tock", { within: guest("1s") }).catch((error) => error);
  assert(error instanceof WaitError);
  const data = collectReport(vm, error, { title: "ticks", exit: error.exit });
  assertEquals([data.verdict, data.exit], ["guest", { kind: "poweroff" }]);
  assertEquals(data.cpus.length, 2);
  assertEquals(data.timeline.at(-1)!.kind, "miss");
  assertStringIncludes(data.command!, "--expect tock");
  await inFolder((folder) => {
    assertEquals(writeReport(folder, data).warning, undefined);
    assertEquals(Deno.readTextFileSync(join(folder, "console.log")), vm.console.text);
  });
});
