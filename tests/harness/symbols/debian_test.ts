import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { translatorObstacle } from "../../../accel/select.ts";
import { debianGuest } from "../../../fixtures/debian.ts";
import { buildIdOfGuest, requireSameBuild } from "../../../harness/symbols/build_id.ts";
import { PcHistogram } from "../../../harness/symbols/pc_histogram.ts";
import { symbolizeText } from "../../../harness/symbols/symbolize_text.ts";
import { Symbolizer } from "../../../harness/symbols/symbolizer.ts";
import { symbolTable } from "../../../harness/symbols/symbol_table_builder.ts";
import { boot, guest, InputError } from "../../../mod.ts";

const debian = debianGuest("riscv64");
const missing = !debian ? 'needs "deno task fixtures"' : await translatorObstacle() && "needs the translator";

Deno.test({
  name: `a real kernel's build ID, panic and busy places${missing ? ` (${missing})` : ""}`,
  ignore: missing !== undefined,
  async fn(test) {
    const { kernel, initrd } = debian!;
    await using vm = await boot({
      arch: "riscv64",
      kernel,
      initrd,
      append: "console=ttyS0 quiet",
      memory: "256M",
    });

    await test.step("the samples of a boot say which functions it spends its time in", async () => {
      await vm.run({ for: guest("200ms") });
      const histogram = new PcHistogram();
      for (let i = 0; i < 200; i++) {
        await vm.run({ for: guest("1ms") });
        histogram.add(vm.cpu(0).pc, vm.cpu(0).mode);
      }
      const top = histogram.top(5, new Symbolizer(vm.kernel.symbols));
      assert(
        top.every(({ symbol }) => symbol !== undefined),
        JSON.stringify(top.map(({ symbol }) => symbol)),
      );
      assert(top[0].samples > top[4].samples && top[0].share < 1);
    });

    await vm.console.waitFor(/# $/);

    await test.step("its build ID is the same in its notes and in vmcoreinfo", () => {
      const { memory, symbols } = vm.kernel;
      const id = buildIdOfGuest(memory, symbols)!;
      assertMatch(id, /^[0-9a-f]{40}$/);
      const pointer = symbols.lookup("vmcoreinfo_data")!;
      assertEquals(buildIdOfGuest(memory, symbolTable([pointer])), id);
      assertThrows(() => requireSameBuild("vmlinux", "00", id), InputError, `the guest's is ${id}`);
    });

    await test.step("the addresses of its panic get the names that it prints itself", async () => {
      using _ = vm.faults.expect("panic");
      await vm.console.type("echo c >/proc/sysrq-trigger\n");
      await vm.console.waitFor(/---\[ end Kernel panic/, { within: guest("10s") });
      const symbolizer = new Symbolizer(vm.kernel.symbols);
      const printed = vm.console.text;
      // All is named, one of it wrongly, and no lines are known.
      assertEquals(
        symbolizeText(printed, symbolizer),
        printed.replace(/ \w+\+0x0\/0x\w+/, "$& (sysrq_handle_crash+0x20/0x20)"),
      );
      const trace = printed.match(/\[<[0-9a-f]+>\] \S+\+\S+/g)!;
      assert(trace.length >= 10);
      for (const line of trace) {
        const [, address, name] = /\[<([0-9a-f]+)>\] (\S+)/.exec(line)!;
        const unnamed = `[    1.234567] [<${address}>] 0x${address}`;
        const named = symbolizeText(unnamed, symbolizer);
        // The kernel names what follows a call that never returns; what made that call is named here.
        const expected = /\+0x0\//.test(name) ? /\(sysrq_handle_crash\+0x20\/0x20\)$/ : undefined;
        if (expected) assertMatch(named, expected);
        else assertEquals(named, `${unnamed} (${name})`);
      }
    });
  },
});
