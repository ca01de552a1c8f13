import { assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../../harness/errors.ts";
import { buildIdOfGuest, buildIdOfNotes, requireSameBuild } from "../../../harness/symbols/build_id.ts";
import { symbolTable } from "../../../harness/symbols/symbol_table_builder.ts";

/** A note section of one note. */
function note(owner: string, type: number, contents: Uint8Array): Uint8Array {
  const name = new TextEncoder().encode(owner + "\0");
  const bytes = new Uint8Array(12 + Math.ceil(name.length / 4) * 4 + Math.ceil(contents.length / 4) * 4);
  new Uint32Array(bytes.buffer, 0, 3).set([name.length, contents.length, type]);
  bytes.set(name, 12);
  bytes.set(contents, 12 + Math.ceil(name.length / 4) * 4);
  return bytes;
}

const ID = Uint8Array.from({ length: 20 }, (_, i) => i);
const NOTES = new Uint8Array([...note("Linux", 3, new Uint8Array(5)), ...note("GNU", 3, ID)]);

/** Memory of a few spans. */
function memory(spans: Record<string, Uint8Array>) {
  return {
    read(address: bigint, length: number): Uint8Array {
      const bytes = spans[address.toString(16)];
      if (!bytes) throw new InputError("not mapped");
      const result = new Uint8Array(length);
      result.set(bytes.subarray(0, length));
      return result;
    },
  };
}

Deno.test("finds the linker's build ID among other notes", () => {
  assertEquals(buildIdOfNotes(NOTES), ID.toHex());
  assertEquals(buildIdOfNotes(note("Linux", 3, ID)), undefined);
  assertEquals(buildIdOfNotes(new Uint8Array(0)), undefined);
});

Deno.test("finds no build ID in notes that are damaged anywhere, and always ends", () => {
  for (let at = 0; at < NOTES.length; at++) {
    for (const byte of [0, 1, 0x80, 0xff]) {
      const damaged = NOTES.slice();
      damaged[at] = byte;
      buildIdOfNotes(damaged);
    }
    buildIdOfNotes(NOTES.subarray(0, at));
  }
  buildIdOfNotes(new Uint8Array(1 << 16));
});

Deno.test("reads the guest's build ID from its notes, or else from vmcoreinfo", () => {
  const start = 0xffffffff80f00000n;
  const noted = symbolTable([
    { name: "__start_notes", address: start },
    { name: "__stop_notes", address: start + BigInt(NOTES.length) },
  ]);
  assertEquals(buildIdOfGuest(memory({ [start.toString(16)]: NOTES }), noted), ID.toHex());
  assertEquals(buildIdOfGuest(memory({}), noted), undefined);

  const dumped = symbolTable([{ name: "vmcoreinfo_data", address: start }]);
  const page = 0xffffaf8000001000n;
  const pointer = new Uint8Array(new BigUint64Array([page]).buffer);
  const text = new TextEncoder().encode(`OSRELEASE=6.12.0\nBUILD-ID=${ID.toHex()}\nPAGESIZE=4096\n`);
  assertEquals(
    buildIdOfGuest(memory({ [start.toString(16)]: pointer, [page.toString(16)]: text }), dumped),
    ID.toHex(),
  );
  assertEquals(buildIdOfGuest(memory({ [start.toString(16)]: pointer }), dumped), undefined);
});

Deno.test("refuses a vmlinux of another build, naming both", () => {
  requireSameBuild("vmlinux", "aa", "aa");
  requireSameBuild("vmlinux", undefined, "aa");
  requireSameBuild("vmlinux", "aa", undefined);
  assertThrows(
    () => requireSameBuild("vmlinux", "aa", "bb"),
    InputError,
    "vmlinux is of another build than the kernel that runs: its build ID is aa, the guest's is bb",
  );
});
