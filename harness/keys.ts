/** What keys send down a serial line: the codes of a VT100 and of xterm, which every guest knows. */
import { InputError } from "./errors.ts";
import { didYouMean } from "./suggest.ts";

const ESC = "\x1b";

const KEYS: Readonly<Record<string, string>> = {
  enter: "\r",
  tab: "\t",
  space: " ",
  escape: ESC,
  backspace: "\x7f",
  up: `${ESC}[A`,
  down: `${ESC}[B`,
  right: `${ESC}[C`,
  left: `${ESC}[D`,
  home: `${ESC}[H`,
  end: `${ESC}[F`,
  insert: `${ESC}[2~`,
  delete: `${ESC}[3~`,
  "page-up": `${ESC}[5~`,
  "page-down": `${ESC}[6~`,
  f1: `${ESC}OP`,
  f2: `${ESC}OQ`,
  f3: `${ESC}OR`,
  f4: `${ESC}OS`,
  f5: `${ESC}[15~`,
  f6: `${ESC}[17~`,
  f7: `${ESC}[18~`,
  f8: `${ESC}[19~`,
  f9: `${ESC}[20~`,
  f10: `${ESC}[21~`,
  f11: `${ESC}[23~`,
  f12: `${ESC}[24~`,
};

/**
 * What a key sends: `"enter"`, `"ctrl-c"`, `"alt-x"`, `"up"`, `"f5"`, or a single character.
 *
 * @throws {InputError} for a key that is none.
 */
export function keyCode(key: string): string {
  const name = key.toLowerCase();
  if (Object.hasOwn(KEYS, name)) return KEYS[name];
  if ([...key].length === 1) return key;
  const control = /^ctrl-([a-z@[\\\]^_])$/.exec(name);
  if (control) return String.fromCharCode(control[1].toUpperCase().charCodeAt(0) & 0x1f);
  if (name.startsWith("alt-")) return ESC + keyCode(key.slice("alt-".length));
  const names = [...Object.keys(KEYS), "ctrl-c", "ctrl-d", "ctrl-z", "alt-x"];
  throw new InputError(`There is no key "${key}".${didYouMean(key, names)}`);
}
