/**
 * Adds names and lines to the addresses of oopses, panics and warnings: `epc : ffffffff80234567` becomes
 * `epc : ffffffff80234567 (do_idle+0x1c/0x200 kernel/sched/idle.c:263)`. What the kernel has named itself gets the
 * line only, unless it named the wrong function. Everything else stays as it is, so that the text can still be
 * searched for what was printed.
 *
 * Formats: Linux `arch/{riscv,arm64}/kernel/{process,traps,stacktrace}.c`, `arch/x86/kernel/{dumpstack,process_64}.c`.
 */
import { type AddressKind, type CodePlace, formatPlace, type Symbolizer } from "./symbolizer.ts";

/** How addresses are printed; the first group is the address, and what is added goes behind the match. */
const ADDRESSES: readonly { readonly kind: AddressKind; readonly pattern: RegExp }[] = [
  // riscv "epc : ffffffff80… ra : ffffffff80…", arm64 "pc : 0xffff8000…" and, before 4.20, "pc : [<ffff…>]"
  { kind: "exact", pattern: /\be?pc ?: (?:\[<)?(?:0x)?([0-9a-f]{16})\b(?:>\])?/g },
  { kind: "return", pattern: /\b(?:ra|lr) ?: (?:\[<)?(?:0x)?([0-9a-f]{16})\b(?:>\])?/g },
  // x86 "RIP: 0010:0xffffffff81…"
  { kind: "exact", pattern: /\bRIP: [0-9a-f]{4}:(?:0x)?([0-9a-f]{16})\b/g },
  // riscv, and x86 before 4.10: "[<ffffffff80…>] 0xffffffff80…"
  { kind: "return", pattern: /(?<!pc ?: |ra ?: |lr ?: )\[<([0-9a-f]{16})>\](?: 0x\1\b)?/g },
  // arm64 and x86: an indented line of a call trace that is nothing but an address
  {
    kind: "return",
    pattern: /^(?:<\d+>)?(?:\[ {0,6}\d+\.\d+\])?(?:\[ {0,6}[TC]\d+\])? {1,4}(?:\? )?0x([0-9a-f]{16})(?= *$)/g,
  },
];

/** A place that the kernel has named; not of a module, whose lines are in another file. */
const NAMED = /(?<![\w.$])([A-Za-z_][\w.$]{0,255})\+0x([0-9a-f]{1,8})\/0x([0-9a-f]{1,8})\b(?! \[\w)/g;
/** What makes such a place the interrupted instruction, not a caller. */
const TOP = /(?:\be?pc ?: |\bRIP: [0-9a-f]{4}:)$/;
/** What is before a place that is a line of a call trace. */
const IN_TRACE =
  /(?:\[<[0-9a-f]{16}>\] |^(?:<\d+>)?(?:\[ {0,6}\d+\.\d+\])?(?:\[ {0,6}[TC]\d+\])? {1,4}(?:\? )?)$/;
/** Longer lines are no kernel's. */
const MAX_LINE = 1024;

/** The text with names and lines added; see the head of this file. */
export function symbolizeText(text: string, symbolizer: Symbolizer): string {
  const lines = text.split("\n");
  const tops = new Set<bigint>();
  const note = (address: bigint) => tops.add(address);
  for (const line of lines) eachTop(line, symbolizer, note);
  const kindOf = (address: bigint, kind: AddressKind) => tops.has(address) ? "exact" : kind;
  return lines.map((line) => {
    if (line.length > MAX_LINE) return line;
    if (/\+0x[0-9a-f]+\/0x/.test(line)) {
      return line.replace(NAMED, (match, name: string, offset: string, size: string, at: number) => {
        const address = namedAddress(symbolizer, name, offset, size);
        if (address === undefined) return match;
        if (offset === "0" && !tops.has(address) && IN_TRACE.test(line.slice(0, at))) {
          // A call that never returns (of panic) ends its function: the kernel has named what lies behind it.
          const place = symbolizer.place(address, "return");
          return place ? `${match} (${formatPlace(place)})` : match;
        }
        const source = symbolizer.line(address, offset === "0" ? "exact" : kindOf(address, "return"));
        return source ? `${match} (${source.file}:${source.line})` : match;
      });
    }
    return ADDRESSES.reduce((result, { kind, pattern }) =>
      result.replace(pattern, (match, hex: string) => {
        const address = BigInt(`0x${hex}`);
        const place: CodePlace | undefined = symbolizer.place(address, kindOf(address, kind));
        return place ? `${match} (${formatPlace(place)})` : match;
      }), line);
  }).join("\n");
}

/** Tells the addresses of interrupted instructions on a line: a call trace lists them again, among the callers. */
function eachTop(line: string, symbolizer: Symbolizer, note: (address: bigint) => void): void {
  if (line.length > MAX_LINE) return;
  for (const { kind, pattern } of ADDRESSES) {
    if (kind === "exact") { for (const [, hex] of line.matchAll(pattern)) note(BigInt(`0x${hex}`)); }
  }
  for (const { 1: name, 2: offset, 3: size, index } of line.matchAll(NAMED)) {
    if (!TOP.test(line.slice(0, index))) continue;
    const address = namedAddress(symbolizer, name, offset, size);
    if (address !== undefined) note(address);
  }
}

function namedAddress(
  symbolizer: Symbolizer,
  name: string,
  offset: string,
  size: string,
): bigint | undefined {
  const symbol = symbolizer.named(name, parseInt(size, 16));
  return symbol && symbol.address + BigInt(`0x${offset}`);
}
