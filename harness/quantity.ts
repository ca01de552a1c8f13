/** Sizes as people write them. */
import { InputError } from "./errors.ts";

const UNITS: Record<string, number> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** Bytes of `"512M"`, `"1G"`, `"65536"` (K, M and G are powers of 1024) or of a plain number. */
export function parseBytes(size: string | number, what: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMG]?)(?:i?B)?$/i.exec(String(size));
  const bytes = match ? Number(match[1]) * UNITS[match[2].toUpperCase()] : NaN;
  if (!Number.isSafeInteger(bytes)) {
    throw new InputError(`${what} "${size}" is no size; write it as "512M" or "1G".`);
  }
  return bytes;
}

/** `512 MiB`, `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]] as const) {
    if (bytes >= size) return `${Number((bytes / size).toFixed(1))} ${unit}`;
  }
  return `${bytes} bytes`;
}
