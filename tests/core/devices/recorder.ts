/** Interrupt lines and clocks for device tests. */
import { Clock } from "../../../core/clock.ts";
import type { InterruptLine } from "../../../core/devices/device.ts";

/** An interrupt line that remembers its level. */
export class RecordedLine implements InterruptLine {
  level = false;

  set(level: boolean): void {
    this.level = level;
  }
}

/** Lets guest time pass, firing what falls due on the way. */
export function advance(clock: Clock, ns: number): void {
  const end = clock.nowNs + ns;
  while (clock.nextDueNs <= end) {
    clock.idleNs += Math.max(0, clock.nextDueNs - clock.nowNs);
    clock.fireDue();
  }
  clock.idleNs += end - clock.nowNs;
}

/** Reads and writes at every offset and size of a region, as a hostile guest might. */
export function poke(
  device: { read(o: number, s: number): number; write(o: number, v: number, s: number): void },
  offsets: Iterable<number>,
): void {
  for (const offset of offsets) {
    for (const size of [1, 2, 4]) {
      for (const value of [0, 1, 0x80, 0xffffffff]) {
        device.write(offset, value, size);
        const read = device.read(offset, size);
        if (!Number.isInteger(read) || read < 0 || read > 0xffffffff) {
          throw new Error(`read of ${size} at ${offset} gave ${read}`);
        }
      }
    }
  }
}

export { Clock };
