/**
 * Takes console lines apart where the kernel began to print. A record of printk begins with
 * `[   12.345678] ` (kernel/printk/printk.c, `print_prefix()`), with `<n>` before it where the raw level is
 * shown and `[ T123]` or `[ C0]` behind it with CONFIG_PRINTK_CALLER. It need not begin a line: user programs
 * leave lines unfinished, and the kernel does not wait for them.
 */

/** A console line, or the part of one from a printk prefix on. */
export interface LinePart {
  /** The text, prefix included. */
  readonly text: string;
  /** What follows the prefix; all of it where there is none. */
  readonly message: string;
  /** The prefix's time in seconds; undefined where there is no prefix. */
  readonly timeS: number | undefined;
  /** Who printed it, as `T123` or `C0`, where the kernel says so. */
  readonly caller: string | undefined;
}

/** Characters of a part that are looked at: a record's text is at most 1 KiB (PRINTK_MESSAGE_MAX 2 KiB). */
export const MAX_PART = 2200;
/** Parts of one line that are looked at. */
const MAX_PARTS = 1000;

const PREFIX = /(?:<\d{1,3}>)?\[ {0,4}(\d{1,10}\.\d{6})\](?:\[ {0,6}([TC]\d{1,10})[^\][]{0,40}\])?(?: |$)/g;

/** The parts of a line: one, unless the kernel printed in its middle. */
export function splitLine(line: string): LinePart[] {
  PREFIX.lastIndex = 0;
  let prefix = PREFIX.exec(line);
  if (!prefix) return [plain(line)];
  const parts: LinePart[] = [];
  if (prefix.index > 0) parts.push(plain(line.slice(0, Math.min(prefix.index, MAX_PART))));
  while (prefix && parts.length < MAX_PARTS) {
    const start: number = prefix.index;
    const messageStart = PREFIX.lastIndex;
    const [, time, caller] = prefix;
    prefix = PREFIX.exec(line);
    const end = Math.min(prefix?.index ?? line.length, start + MAX_PART);
    parts.push({
      text: line.slice(start, end),
      message: line.slice(messageStart, end),
      timeS: Number(time),
      caller,
    });
  }
  return parts;
}

function plain(line: string): LinePart {
  const text = line.length > MAX_PART ? line.slice(0, MAX_PART) : line;
  return { text, message: text, timeS: undefined, caller: undefined };
}
