/** A file of the host as an image: read when a machine is made, and again whenever it is reset. */
import type { ImageFile } from "../core/boot/image_file.ts";
import { InputError } from "./errors.ts";

/** Bytes read at a time. */
const PIECE_BYTES = 1 << 20;

/** A regular file that must stay as it is while a machine may read it. */
export class HostFile implements ImageFile {
  readonly length: number;
  readonly #modifiedMs: number | undefined;

  /**
   * @param name What errors call it, as the beginning of a sentence.
   * @throws when the file cannot be opened.
   */
  constructor(private readonly path: string | URL, private readonly name: string) {
    using file = Deno.openSync(path);
    const { size, mtime } = file.statSync();
    this.length = size;
    this.#modifiedMs = mtime?.getTime();
  }

  /** @throws {InputError} when the file is no longer what it was. */
  read(end: number, take: (piece: Uint8Array) => void): void {
    using file = this.#openSame();
    const buffer = new Uint8Array(Math.min(PIECE_BYTES, end));
    for (let at = 0; at < end;) {
      const read = file.readSync(buffer.subarray(0, Math.min(buffer.length, end - at)));
      if (read === null) throw this.#changed();
      take(buffer.subarray(0, read));
      at += read;
    }
  }

  /** A copy of `length` bytes from `offset` on. @throws {InputError} when the file is no longer what it was. */
  bytes(offset: number, length: number): Uint8Array {
    using file = this.#openSame();
    file.seekSync(offset, Deno.SeekMode.Start);
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const read = file.readSync(bytes.subarray(at));
      if (read === null) throw this.#changed();
      at += read;
    }
    return bytes;
  }

  #openSame(): Deno.FsFile {
    const file = this.#open();
    const { size, mtime } = file.statSync();
    if (size === this.length && mtime?.getTime() === this.#modifiedMs) return file;
    file.close();
    throw this.#changed();
  }

  #open(): Deno.FsFile {
    try {
      return Deno.openSync(this.path);
    } catch (cause) {
      throw this.#changed(cause);
    }
  }

  #changed(cause?: unknown): InputError {
    const problem = "has changed since the machine was made; make another machine";
    return new InputError(`${this.name} ${problem}.`, { cause });
  }
}
