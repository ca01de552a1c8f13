/** A whole Linux machine that is saved in the middle of something and restored into a new virtual machine. */
import { assertEquals, assertMatch } from "@std/assert";
import { KvmEngine } from "../../../accel/kvm/engine.ts";
import { mappedMemory } from "../../../accel/ffi/memory.ts";
import type { Board } from "../../../core/boards/board.ts";
import { createVirtX86 } from "../../../core/boards/virt_x86.ts";
import { debianGuest } from "../../../fixtures/debian.ts";
import { hardwareKvmTest } from "../../support/kvm.ts";

const debian = debianGuest("x86_64-cloud");

/** Devices that can be saved. */
interface Savable {
  save(): unknown;
  restore(state: unknown): void;
}

/** A board under KVM, its console, and a hand that types at it. */
class Computer implements Disposable {
  readonly engine: KvmEngine;
  /** What the guest printed. */
  text = "";
  #until: RegExp | undefined;
  #typed: number[] = [];

  private constructor(readonly board: Board) {
    this.engine = new KvmEngine(board.machine);
    const [line] = board.serial;
    line.onTransmit = (byte) => {
      this.text += String.fromCharCode(byte);
      if (this.#until?.test(this.text)) board.machine.requestStop();
    };
    line.onReceiveSpace = () => this.#feed();
  }

  static async make(): Promise<Computer> {
    const { kernel, initrd } = debian!;
    return new Computer(
      await createVirtX86({
        ...{ memory: mappedMemory, ramBytes: 256 << 20, vcpus: 1, append: "console=ttyS0 quiet" },
        ...{ kernel: await Deno.readFile(kernel), initrd: await Deno.readFile(initrd) },
      }),
    );
  }

  /** Runs until the console shows this, and not a character further. */
  until(pattern: RegExp): void {
    const { machine } = this.board;
    this.#until = pattern;
    for (const deadline = machine.clock.nowNs + 180e9; !pattern.test(this.text);) {
      machine.run(this.engine, deadline);
      if (machine.exit || machine.clock.nowNs >= deadline) break;
    }
    this.#until = undefined;
    assertEquals([pattern.test(this.text), machine.exit], [true, undefined], this.text.slice(-1000));
  }

  type(text: string): void {
    this.#typed.push(...new TextEncoder().encode(text));
    this.#feed();
  }

  #feed(): void {
    const [line] = this.board.serial;
    while (this.#typed.length > 0 && line.receive(this.#typed[0])) this.#typed.shift();
  }

  /** The machine as a value, and the new one that has it. */
  async moved(): Promise<Computer> {
    const { machine, name } = this.board;
    const state = structuredClone(this.engine.save(name));
    const copy = await Computer.make();
    const other = copy.board.machine;
    other.clock.realNs = machine.clock.nowNs;
    other.ram.u8.set(machine.ram.u8);
    copy.engine.restore(state, name);
    machine.ports.mappings.forEach(({ device }, i) => {
      if (!("save" in device)) return;
      (other.ports.mappings[i].device as unknown as Savable).restore(
        structuredClone((device as unknown as Savable).save()),
      );
    });
    copy.text = this.text;
    copy.#typed = this.#typed;
    return copy;
  }

  [Symbol.dispose](): void {
    this.engine.dispose();
    this.board.machine.dispose();
  }
}

const LINES = 120, TITLE = "Linux that moves to new machines in the middle of its work notices nothing";

if (debian) hardwareKvmTest(TITLE, move);
else Deno.test({ name: `${TITLE} (needs deno task fixtures --arch x86_64)`, ignore: true, fn: move });

async function move(): Promise<void> {
  using first = await Computer.make();
  first.until(/# $/);
  first.type(
    `stty -echo; i=0; while [ $i -lt ${LINES} ]; do i=$((i+1)); echo "line $i"; done; echo D''ONE\n`,
  );
  first.until(/line 30\r\n$/);
  using second = await first.moved();
  // In the middle of a line, and with the rest of it in the kernel's buffer.
  second.until(/line 7\d*1$/);
  using third = await second.moved();
  third.until(/DONE\r\n[^]*# $/);
  const counted = third.text.matchAll(/^line (\d+)\r$/gm);
  assertEquals(Array.from(counted, ([, n]) => Number(n)), Array.from({ length: LINES }, (_, i) => i + 1));

  // Timers go on, and so does time: nothing was late for the kernel.
  third.type("sleep 1; date +%Y; dmesg | tail -n 20; echo A''LIVE\n");
  third.until(/ALIVE\r\n/);
  assertMatch(third.text, /\b2025\r\n/);
  assertEquals(/stall|soft lockup|hung task/i.exec(third.text), null, third.text);
}
