/** Writes kallsyms tables as Linux `scripts/kallsyms.c` does, in each of the orders that kernels have had. */
import type { RamView } from "../../../harness/guest_memory.ts";

export type KallsymsOrder = "5.10" | "6.2" | "6.4";

export interface TableSymbol {
  readonly name: string;
  readonly type: string;
  readonly address: bigint;
}

export interface KallsymsOptions {
  readonly order: KallsymsOrder;
  readonly base: bigint;
  /** CONFIG_KALLSYMS_ABSOLUTE_PERCPU. */
  readonly absolutePercpu?: boolean;
}

/** Tokens of several characters, by their number; all others are single characters or empty. */
const TOKENS: Readonly<Record<number, string>> = {
  1: "__",
  2: "sys_",
  3: "function_",
  200: "thousand",
  201: "y",
};

export function ram(bytes: number, base = 0x8000_0000): RamView {
  const buffer = new ArrayBuffer(bytes);
  return { base, u8: new Uint8Array(buffer), i32: new Int32Array(buffer), view: new DataView(buffer) };
}

/** As many symbols as a kernel's tables need at the least to be told from chance, and those given. */
export function manySymbols(base: bigint, extra: readonly TableSymbol[] = []): TableSymbol[] {
  const filler = Array.from({ length: 2000 }, (_, i) => ({
    name: `sys_function_${i}_abcdefghijklmnopqrstuvwxyz`,
    type: i % 2 === 0 ? "T" : "t",
    address: base + BigInt(i * 16),
  }));
  return [...filler, ...extra].sort((a, b) => a.address < b.address ? -1 : a.address > b.address ? 1 : 0);
}

/** Writes the tables from an offset on. Returns the offset behind them. */
export function writeKallsyms(
  { u8, view }: RamView,
  offset: number,
  symbols: readonly TableSymbol[],
  { order, base, absolutePercpu }: KallsymsOptions,
): number {
  let at = offset;
  const aligned = () => at = Math.ceil(at / 8) * 8;
  const u32 = (value: number) => {
    view.setUint32(at, value, true);
    at += 4;
  };
  const offsets = () => {
    aligned();
    for (const { address } of symbols) {
      const distance = Number(address - base);
      u32(!absolutePercpu ? distance : distance < 0 ? Number(address) : -1 - distance);
    }
    aligned();
    view.setBigUint64(at, base, true);
    at += 8;
  };
  const sequences = () => {
    aligned();
    const byName = symbols.map((_, i) => i).sort((a, b) => symbols[a].name < symbols[b].name ? -1 : 1);
    for (const index of byName) {
      u8.set([index >> 16, index >> 8, index], at);
      at += 3;
    }
  };
  if (order !== "6.4") offsets();
  aligned();
  u32(symbols.length);
  aligned();
  const markers: number[] = [];
  const names = at;
  symbols.forEach(({ type, name }, i) => {
    if (i % 256 === 0) markers.push(at - names);
    const tokens = tokenize(type + name);
    if (tokens.length >= 0x80) u8[at++] = 0x80 | tokens.length & 0x7f;
    u8[at++] = tokens.length >= 0x80 ? tokens.length >> 7 : tokens.length;
    u8.set(tokens, at);
    at += tokens.length;
  });
  aligned();
  markers.forEach(u32);
  if (order === "6.2") sequences();
  aligned();
  const table = at;
  const index: number[] = [];
  for (let token = 0; token < 256; token++) {
    index.push(at - table);
    const text = TOKENS[token] ?? (isNameCharacter(token) ? String.fromCharCode(token) : "");
    for (const character of text) u8[at++] = character.charCodeAt(0);
    u8[at++] = 0;
  }
  aligned();
  for (const start of index) {
    view.setUint16(at, start, true);
    at += 2;
  }
  if (order === "6.4") {
    offsets();
    sequences();
  }
  return at;
}

function isNameCharacter(code: number): boolean {
  return /[\w.$]/.test(String.fromCharCode(code)) && code < 128;
}

function tokenize(text: string): number[] {
  const tokens: number[] = [];
  for (let i = 0; i < text.length;) {
    const several = Object.entries(TOKENS).find(([, token]) => text.startsWith(token, i));
    tokens.push(several ? Number(several[0]) : text.charCodeAt(i));
    i += several ? several[1].length : 1;
  }
  return tokens;
}
