/**
 * What the keys of a PC keyboard send, as scan code set 1: one or two bytes when a key goes down, the same with the
 * top bit set when it comes up. Characters are where the US layout has them, which kernels begin with.
 *
 * Codes: IBM PS/2 Hardware Interface Technical Reference, "Keyboard", scan code set 1.
 */
import { InputError } from "./errors.ts";
import { didYouMean } from "./suggest.ts";

const EXTENDED = 0xe0;
const RELEASED = 0x80;

/** The first code of a row of keys, and the characters on it without and with shift. */
const ROWS: readonly (readonly [first: number, plain: string, shifted: string])[] = [
  [0x02, "1234567890-=", "!@#$%^&*()_+"],
  [0x10, "qwertyuiop[]", "QWERTYUIOP{}"],
  [0x1e, "asdfghjkl;'`", 'ASDFGHJKL:"~'],
  [0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?"],
  [0x39, " ", ""],
  [0x1c, "\n", ""],
  [0x0f, "\t", ""],
];

const MODIFIERS = { shift: [0x2a], ctrl: [0x1d], alt: [0x38], meta: [EXTENDED, 0x5b] } as const;

const NAMED: Readonly<Record<string, readonly number[]>> = {
  escape: [0x01],
  backspace: [0x0e],
  tab: [0x0f],
  enter: [0x1c],
  space: [0x39],
  "caps-lock": [0x3a],
  sysrq: [0x54],
  home: [EXTENDED, 0x47],
  up: [EXTENDED, 0x48],
  "page-up": [EXTENDED, 0x49],
  left: [EXTENDED, 0x4b],
  right: [EXTENDED, 0x4d],
  end: [EXTENDED, 0x4f],
  down: [EXTENDED, 0x50],
  "page-down": [EXTENDED, 0x51],
  insert: [EXTENDED, 0x52],
  delete: [EXTENDED, 0x53],
  ...Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`f${i + 1}`, [0x3b + i]])),
  f11: [0x57],
  f12: [0x58],
  ...MODIFIERS,
};

/**
 * What is sent when a key is pressed and let go, modifiers around it: a list of bytes per key movement.
 *
 * @param key `"a"`, `"A"`, `"enter"`, `"ctrl-alt-delete"`, `"f5"`.
 * @throws {InputError} for a key that is none.
 */
export function keyMovements(key: string): (readonly number[])[] {
  const held: (readonly number[])[] = [];
  let rest = key;
  for (let dash = rest.indexOf("-"); dash > 0 && dash < rest.length - 1; dash = rest.indexOf("-")) {
    const name = rest.slice(0, dash).toLowerCase();
    if (!isModifier(name)) break;
    held.push(MODIFIERS[name]);
    rest = rest.slice(dash + 1);
  }
  const { codes, shift } = find(rest, key);
  if (shift && !held.includes(MODIFIERS.shift)) held.push(MODIFIERS.shift);
  return [...held, codes, release(codes), ...held.toReversed().map(release)];
}

function isModifier(name: string): name is keyof typeof MODIFIERS {
  return Object.hasOwn(MODIFIERS, name);
}

function find(key: string, whole: string): { codes: readonly number[]; shift: boolean } {
  const name = key.toLowerCase();
  if (Object.hasOwn(NAMED, name)) return { codes: NAMED[name], shift: false };
  if (key.length === 1) {
    for (const [first, plain, shifted] of ROWS) {
      const at = plain.indexOf(key), above = shifted.indexOf(key);
      if (at >= 0 || above >= 0) return { codes: [first + Math.max(at, above)], shift: above >= 0 };
    }
  }
  const names = [...Object.keys(NAMED), "ctrl-c", "ctrl-alt-delete", "shift-a"];
  throw new InputError(`A PC keyboard has no key "${whole}".${didYouMean(whole, names)}`);
}

function release(codes: readonly number[]): readonly number[] {
  return codes.map((code) => code === EXTENDED ? code : code | RELEASED);
}
