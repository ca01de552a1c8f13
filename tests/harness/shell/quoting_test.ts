import { assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../../mod.ts";
import { quote, quotePrintf } from "../../../harness/shell/quoting.ts";
import { ALL_BYTES, noise } from "./_guest.ts";

/** What a real shell of this host makes of a script. */
async function shell(script: Uint8Array): Promise<Uint8Array> {
  const child = new Deno.Command("sh", { stdin: "piped", stdout: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(script);
  await writer.close();
  return (await child.output()).stdout;
}

Deno.test("a shell reads quoted words back unchanged", async () => {
  for (const word of ["plain", "two words", "don't", '$HOME `x` \\ "', "-n", "", "a\nb", "grüß 😀", "'"]) {
    const script = new TextEncoder().encode(`printf %s ${quote(word, "It")}`);
    assertEquals(new TextDecoder().decode(await shell(script)), word);
  }
});

Deno.test("a NUL is refused with the name of what holds it", () => {
  assertThrows(() => quote("a\0b", "The variable A"), InputError, "The variable A holds a NUL");
});

Deno.test("a shell's printf prints quoted bytes unchanged", async () => {
  const samples = [ALL_BYTES, noise(5000), ..."-%\\'0\n".split("").map((c) => new TextEncoder().encode(c))];
  for (const bytes of [...samples, Uint8Array.of(0, 0x30, 0x31), new TextEncoder().encode("--x")]) {
    const script = [...new TextEncoder().encode("printf "), ...quotePrintf(bytes)];
    assertEquals(await shell(Uint8Array.from(script)), Uint8Array.from(bytes));
  }
});
