/**
 * The structure by which a boot loader tells OpenSBI's `fw_dynamic` what to start next; `fw_jump` ignores it.
 *
 * Format: OpenSBI `include/sbi/fw_dynamic.h`, version 2: six 64-bit words.
 */
import { cells64 } from "../../boot/fdt.ts";

/** Bytes of the structure. */
export const FW_DYNAMIC_INFO_BYTES = 48;
const MAGIC = 0x4942534f; // "OSBI"
const VERSION = 2;
const NEXT_MODE_SUPERVISOR = 1;
const OPTIONS = 0;
const BOOT_HART = 0;

/** Builds the structure for a kernel that starts in S-mode at `entry`. */
export function fwDynamicInfo(entry: number): Uint8Array {
  const info = new Uint8Array(FW_DYNAMIC_INFO_BYTES);
  const view = new DataView(info.buffer);
  [MAGIC, VERSION, entry, NEXT_MODE_SUPERVISOR, OPTIONS, BOOT_HART].forEach((word, i) => {
    const [high, low] = cells64(word);
    view.setUint32(8 * i, low, true);
    view.setUint32(8 * i + 4, high, true);
  });
  return info;
}
