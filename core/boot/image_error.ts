/** A kernel, initrd or firmware image cannot be used. */

/** An image cannot be used; the message is one sentence that says what is wrong and what to do. */
export class ImageError extends Error {
  /** "ImageError". */
  override name = "ImageError";

  /**
   * @param file The image's name as the user knows it.
   * @param problem What is wrong, as the rest of a sentence that begins with the file.
   * @param remedy What to do about it.
   */
  constructor(
    readonly file: string,
    readonly problem: string,
    readonly remedy: string,
    options?: ErrorOptions,
  ) {
    super(`${file} ${problem}; ${remedy}.`, options);
  }
}

/** A number of bytes as people write it: "512 MiB", "1.5 KiB". */
export function formatBytes(bytes: number): string {
  let value = bytes, unit = 0;
  while (value >= 1024 && unit < 4) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toFixed(1))} ${["bytes", "KiB", "MiB", "GiB", "TiB"][unit]}`;
}
