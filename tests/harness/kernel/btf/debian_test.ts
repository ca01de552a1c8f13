/** Typed access to Debian's kernel, by its own BTF; symbols are asked of the guest. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { translatorObstacle } from "../../../../accel/select.ts";
import { customInitrd, debianGuest } from "../../../../fixtures/debian.ts";
import { Btf } from "../../../../harness/kernel/btf/btf.ts";
import { readModules } from "../../../../harness/kernel/modules.ts";
import { readMounts } from "../../../../harness/kernel/mounts.ts";
import { readTasks } from "../../../../harness/kernel/tasks.ts";
import { KernelTypes } from "../../../../harness/kernel/types.ts";
import { boot, guest, InputError, type Vm } from "../../../../mod.ts";

const debian = debianGuest("riscv64");
const missing = !debian ? 'needs "deno task fixtures"' : await translatorObstacle() && "needs the translator";

/** What the shell on the console prints for a command. */
async function shell(vm: Vm, command: string): Promise<string> {
  await vm.console.sendLine(command);
  await vm.console.waitFor(`${command}\r\n`);
  const { length } = vm.console.text;
  await vm.console.waitFor(/# $/);
  return vm.console.text.slice(length).replaceAll("\r", "").replace(/.*# $/, "");
}

Deno.test({
  name: `Debian: variables, tasks, mounts and modules are what the guest says${
    missing ? ` (${missing})` : ""
  }`,
  ignore: missing !== undefined,
  async fn(t) {
    const initrd = await customInitrd(debian!, { modules: ["crc32c_generic", "loop", "ext4"] });
    await using vm = await boot({
      arch: "riscv64",
      kernel: debian!.kernel,
      initrd,
      append: "console=ttyS0 quiet",
      memory: "256M",
      cpus: 2,
    });
    await vm.console.waitFor(/# $/);
    await shell(vm, "stty cols 1000"); // so that the shell's echo is one line
    await shell(vm, "mkdir -p /a/b; mount -t tmpfs -o ro scratch /a/b");
    const symbols = new Map<string, bigint>();
    const wanted = "__start_BTF|__stop_BTF|init_task|modules|system_state|nr_threads|linux_banner|runqueues";
    for (const line of (await shell(vm, `grep -E ' (${wanted})$' /proc/kallsyms`)).split("\n")) {
      const [address, , name] = line.split(" ");
      if (name) symbols.set(name, BigInt(`0x${address}`));
    }
    const memory = { read: (address: bigint, length: number) => vm.memory.read(address, length) };
    const start = symbols.get("__start_BTF")!;
    const btf = new Btf(memory.read(start, Number(symbols.get("__stop_BTF")! - start)));
    const types = new KernelTypes({
      btf,
      memory,
      address: (name) => {
        const address = symbols.get(name);
        if (address === undefined) throw new InputError(`There is no symbol "${name}".`);
        return address;
      },
    });

    await t.step("paths lead to values", () => {
      assertEquals(types.read("init_task.comm"), "swapper/0");
      assertEquals(types.read("init_task.pid"), 0);
      assertEquals(types.read("init_task->real_parent->comm"), "swapper/0");
      assertEquals(types.read("system_state"), "SYSTEM_RUNNING");
      assertEquals(types.variable("init_task").typeName, "struct task_struct");
      const cred = types.variable("init_task").get("cred");
      assertEquals([cred.typeName, cred.get("uid").value()], ["const struct cred *", { val: 0 }]);
      const pid = types.variable("init_task").value(1) as Record<string, unknown>;
      assertEquals([pid.pid, pid.prio], [0, 120]);
      assertEquals(types.variable("runqueues").typeName, "struct rq", "per-CPU variables are described");
    });

    await t.step("what is not there is named", () => {
      assertThrows(() => types.read("init_task.com"), InputError, "Did you mean comm?");
      assertThrows(() => types.read("init_task.pid.x"), InputError, "pid_t has no members");
      assertThrows(() => types.read("init_task.comm[16]"), InputError, "char[16] has no element 16");
      assertThrows(() => types.read("init task"), InputError, "is no path");
      assertThrows(() => types.at("init_task", "struct nothing"), InputError, "no type");
      assertThrows(() => types.variable("linux_banner"), InputError, "does not tell the type");
    });

    await t.step("tasks are those of /proc", async () => {
      const listed = (await shell(vm, "cat /proc/[0-9]*/stat")).split("\n").filter((line) =>
        /^\d/.test(line)
      );
      await vm.run({ for: guest("10ms") }); // the shell has printed its prompt, and goes to sleep
      const ours = new Map(readTasks(types).map((task) => [task.pid, task]));
      for (const line of listed) {
        const [, pid, comm, , parent] = /^(\d+) \((.*)\) (\w) (\d+)/.exec(line)!;
        if (comm === "cat") continue;
        const task = ours.get(Number(pid))!;
        // /proc says what a kworker works on, too.
        assert(comm.startsWith(task.comm), `${comm} is ${task.comm}`);
        assertEquals(task.parentPid, Number(parent), comm);
      }
      const sh = [...ours.values()].find(({ comm, kernel }) => comm === "sh" && !kernel)!;
      assertEquals([sh.tgid, sh.state, sh.kernel], [sh.pid, "sleeping", false]);
      assertEquals(ours.get(2)?.kernel, true);
    });

    await t.step("mounts are those of /proc/mounts", async () => {
      const theirs = (await shell(vm, "cat /proc/mounts")).trim().split("\n").map((line) => {
        const [source, target, type, options] = line.split(" ");
        return { source, target, type, readOnly: options.split(",").includes("ro") };
      });
      const byTarget = (a: { target: string }, b: { target: string }) => a.target < b.target ? -1 : 1;
      assertEquals(readMounts(types).sort(byTarget), theirs.sort(byTarget));
      assert(theirs.some(({ target, readOnly }) => target === "/a/b" && readOnly));
    });

    await t.step("modules are those of /proc/modules", async () => {
      const theirs = (await shell(vm, "cat /proc/modules")).trim().split("\n").map((line) => {
        const [name, size, refs, , state, address] = line.split(" ");
        return {
          name,
          size: Number(size),
          state: state.toLowerCase(),
          refs: Number(refs),
          address: BigInt(address),
        };
      });
      assert(theirs.length > 2);
      assertEquals(readModules(types) as unknown, theirs);
    });
  },
});
