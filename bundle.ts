/**
 * Bundles the command line: `dist/bootwright.js`, and beside it the parts that it loads as it needs them.
 *
 * Deno reads, before it runs anything, all that a program may import by a name that stands in it; parts can be
 * imported without a permission only because of that. Packages it would resolve and even fetch, so their names are
 * made when one is wanted.
 *
 * @module
 */
import { build, type Metafile, stop } from "esbuild";
import { dirname } from "@std/path";
import manifest from "./deno.json" with { type: "json" };

/** Packages are not part of the bundle: Deno gets them where an image needs them. */
const PACKAGES = ["lz4js", "lzma1", "seek-bzip", "xz-decompress"] as const;

/** An import of a package in what esbuild writes. */
const PACKAGE_IMPORT = /\bimport\("(npm:[^"]+)"\)/g;

/**
 * Writes a bundle into a folder, from which what an earlier bundle left is removed; says what it consists of.
 *
 * @param entry The module that is run, by its path from here.
 * @param name The bundle's name, without `.js`.
 */
export async function bundle(
  folder: string,
  entry = "harness/cli.ts",
  name = "bootwright",
): Promise<Metafile> {
  await Deno.remove(`${folder}/parts`, { recursive: true }).catch(() => {});
  try {
    const { metafile, outputFiles } = await build({
      absWorkingDir: import.meta.dirname,
      entryPoints: [entry],
      outdir: folder,
      entryNames: name,
      chunkNames: "parts/[name]-[hash]",
      bundle: true,
      splitting: true,
      minify: true,
      format: "esm",
      platform: "node",
      // V8 keeps a source of other characters in twice the bytes.
      charset: "ascii",
      alias: Object.fromEntries(PACKAGES.map((name) => [name, manifest.imports[name]])),
      external: ["npm:*"],
      logLevel: "warning",
      metafile: true,
      write: false,
    });
    for (const { path, text } of outputFiles) {
      await Deno.mkdir(dirname(path), { recursive: true });
      await Deno.writeTextFile(path, text.replace(PACKAGE_IMPORT, 'import(new URL("$1").href)'));
    }
    return metafile;
  } finally {
    await stop();
  }
}

if (import.meta.main) await bundle(`${import.meta.dirname}/dist`);
