/**
 * A kernel that has placed itself at random, in physical and in virtual memory. Debian's riscv64 kernel cannot;
 * its amd64 kernel does under QEMU, and this looks at the memory that it has there as at that of a machine.
 */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { join } from "@std/path";
import { debianGuest } from "../../../fixtures/debian.ts";
import { backtrace } from "../../../harness/backtrace/backtrace.ts";
import { Kernel } from "../../../harness/kernel/kernel.ts";
import { formatLog } from "../../../harness/kernel/log.ts";
import { Symbolizer } from "../../../harness/symbols/symbolizer.ts";
import { hasTool } from "../../fixtures/_tools.ts";
import { FakeCpu } from "../backtrace/_guest.ts";

const debian = debianGuest("x86_64");
const missing = !debian
  ? 'needs "deno task fixtures --arch x86_64"'
  : !hasTool("qemu-system-x86_64") && "needs qemu-system-x86_64";
const LINKED_TEXT = 0xffffffff81000000n, LINKED_PLACE = 0x100_0000n; // without KASLR
const RAM_BYTES = 256 << 20;
/** Looks at it until it is idle, at most. */
const MOST_STOPS = 250;

/** Debian's kernel under QEMU. */
class Peer {
  #printed = "";
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;

  constructor(private readonly dir: string) {
    const ram = `memory-backend-file,id=ram,size=${RAM_BYTES},mem-path=${join(dir, "ram")},share=on`;
    this.#process = new Deno.Command("qemu-system-x86_64", {
      args: [
        ...["-accel", "tcg", "-cpu", "max", "-m", `${RAM_BYTES >> 20}M`, "-object", ram],
        ...["-machine", "pc,memory-backend=ram", "-nodefaults", "-display", "none", "-no-reboot"],
        ...["-serial", "stdio", "-monitor", `unix:${join(dir, "monitor")},server=on,wait=off`],
        ...["-kernel", debian!.kernel, "-initrd", debian!.initrd, "-append", "console=ttyS0 quiet"],
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.#output = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** What it prints, from the last call to where this matches. */
  async waitFor(pattern: RegExp): Promise<string> {
    for (;;) {
      const match = pattern.exec(this.#printed);
      if (match) {
        const end = match.index + match[0].length;
        const text = this.#printed.slice(0, end).replaceAll("\r", "");
        this.#printed = this.#printed.slice(end);
        return text;
      }
      const { value, done } = await this.#output.read();
      assert(!done, `QEMU ended; it printed ${this.#printed}`);
      this.#printed += value;
    }
  }

  /** What a command at the prompt prints. */
  async output(command: string): Promise<string> {
    await this.#input.write(new TextEncoder().encode(`${command}; echo E''ND\n`));
    const text = await this.waitFor(/\nEND\r?\n/);
    await this.waitFor(/# /);
    return text.slice(text.indexOf("\n") + 1, text.lastIndexOf("END"));
  }

  /** Stops it once it is idle; returns its registers by name, and its memory. */
  async stop(): Promise<{ registers: Record<string, bigint>; ram: ArrayBuffer }> {
    using monitor = await Deno.connect({ transport: "unix", path: join(this.dir, "monitor") });
    const decoder = new TextDecoder(), piece = new Uint8Array(4096);
    let text = "";
    // The prompt can be read before the shell is done with writing it.
    for (let tries = 0; tries < MOST_STOPS && !/\bHLT=1\b/.test(text); tries++) {
      await monitor.write(new TextEncoder().encode("cont\n"));
      await new Promise((resolve) => setTimeout(resolve, 20));
      await monitor.write(new TextEncoder().encode("stop\ninfo registers\n"));
      text = "";
      while (!/\bGS =/.test(text)) text += decoder.decode(piece.subarray(0, await monitor.read(piece) ?? 0));
    }
    const registers = Object.fromEntries(
      [...text.matchAll(/\b(R\w\w?) ?=([0-9a-f]{16})\b/g)].map((
        [, name, hex],
      ) => [name.toLowerCase(), BigInt(`0x${hex}`)]),
    );
    return { registers, ram: (await Deno.readFile(join(this.dir, "ram"))).buffer };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.status;
    await this.#output.cancel();
    await this.#input.close().catch(() => {});
  }
}

Deno.test({
  name: `a kernel that has moved is read as one that has not${missing ? ` (${missing})` : ""}`,
  ignore: Boolean(missing),
  async fn() {
    const dir = await Deno.makeTempDir();
    try {
      await using peer = new Peer(dir);
      await peer.waitFor(/BOOT-OK x86_64\s[^]*# /);
      const told = await peer.output("grep -E ' (_text|linux_banner|init_task)$' /proc/kallsyms");
      const code = /^ *([0-9a-f]+)-.* Kernel code$/m.exec(await peer.output("cat /proc/iomem"))!;
      const dmesg = await peer.output("dmesg");
      const { registers, ram } = await peer.stop();

      const span = { base: 0, u8: new Uint8Array(ram), i32: new Int32Array(ram), view: new DataView(ram) };
      const kernel = new Kernel({ arch: "x86_64", memory: { views: () => [span] }, moment: () => 0 });
      for (const line of told.trim().split("\n")) {
        const [address, , name] = line.split(" ");
        assertEquals(kernel.symbol(name).address, BigInt(`0x${address}`), name);
      }
      assertNotEquals(
        [kernel.symbol("_text").address, BigInt(`0x${code[1]}`)],
        [LINKED_TEXT, LINKED_PLACE],
      );
      assertEquals(kernel.symbol("linux_banner").text().slice(0, 13), "Linux version");
      assertEquals([kernel.release(), kernel.cmdline()], [debian!.release, "console=ttyS0 quiet"]);
      assertEquals(kernel.read("init_task.comm"), "swapper/0");
      assert(kernel.tasks().some(({ pid, comm }) => pid === 1 && comm === "sh"));
      assert(kernel.mounts().some(({ target }) => target === "/proc"));
      assert(formatLog(kernel.log()).startsWith(dmesg) && dmesg.includes("Linux version"));

      const cpu = new FakeCpu("kernel", { ...registers, pc: registers.rip });
      const frames = backtrace(cpu, kernel.memory, "x86_64", { kernel: new Symbolizer(kernel.symbols) });
      const names = frames.map(({ symbol }) => symbol);
      assertEquals([names.includes("do_idle"), names.at(-1)], [true, "common_startup_64"], `${names}`);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});
