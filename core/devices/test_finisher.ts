/**
 * SiFive "test finisher": one register whose writing ends the machine's life. Linux drives it as a syscon
 * for power-off and reboot; test kernels report their verdict through it.
 *
 * Register: SiFive FU540/E300 "Test" device; Linux binding `syscon-poweroff`, `syscon-reboot`.
 */
import type { MachineExit } from "../machine.ts";
import type { Device } from "./device.ts";

const FINISH = 0x0;
/** Failed; the upper half-word is an exit code. */
const FINISHER_FAIL = 0x3333;
/** Passed: power off. */
export const FINISHER_PASS = 0x5555;
/** Restart the machine. */
export const FINISHER_RESET = 0x7777;

/** A test finisher. */
export class TestFinisher implements Device {
  /** @param onExit Told how the machine shall end. */
  constructor(private readonly onExit: (exit: MachineExit) => void) {}

  read(_offset: number, _size: number): number {
    return 0;
  }

  write(offset: number, value: number, size: number): void {
    if (offset !== FINISH || size < 2) return;
    switch (value & 0xffff) {
      case FINISHER_PASS:
        this.onExit({ kind: "poweroff" });
        break;
      case FINISHER_RESET:
        this.onExit({ kind: "reset" });
        break;
      case FINISHER_FAIL:
        this.onExit({ kind: "debugExit", code: value >>> 16 });
        break;
    }
  }

  reset(): void {}
}
