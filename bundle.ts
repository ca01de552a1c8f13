/**
 * Bundles the command line: `dist/bootwright.js`, and beside it the parts that it loads as it needs them.
 *
 * @module
 */
import { build, type Metafile, stop } from "esbuild";
import manifest from "./deno.json" with { type: "json" };

/** Packages are not part of the bundle: Deno gets them where an image needs them. */
const PACKAGES = ["lz4js", "lzma1", "seek-bzip", "xz-decompress"] as const;

/** Writes the bundle into a folder, from which what an earlier bundle left is removed; says what it consists of. */
export async function bundle(folder: string): Promise<Metafile> {
  await Deno.remove(`${folder}/parts`, { recursive: true }).catch(() => {});
  try {
    const { metafile } = await build({
      absWorkingDir: import.meta.dirname,
      entryPoints: ["harness/cli.ts"],
      outdir: folder,
      entryNames: "bootwright",
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
    });
    return metafile;
  } finally {
    await stop();
  }
}

if (import.meta.main) await bundle(`${import.meta.dirname}/dist`);
