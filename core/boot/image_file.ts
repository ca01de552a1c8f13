/**
 * An image that stays where it is: its bytes are read when they go into RAM, and again when the machine is
 * reset. So a large kernel is not in the host's memory twice for as long as the machine lives.
 */

/** A file that is read a piece at a time. */
export interface ImageFile {
  /** Bytes it has. */
  readonly length: number;
  /** Hands out the first `end` bytes, in order and in pieces, each of which is good only during the call. */
  read(end: number, take: (piece: Uint8Array) => void): void;
}

/** An image: in memory, or a file. */
export type ImageBytes = Uint8Array | ImageFile;

/** Hands out all of an image, in order and in pieces, each of which is good only during the call. */
export function readImage(image: ImageBytes, take: (piece: Uint8Array) => void): void {
  if (image instanceof Uint8Array) take(image);
  else image.read(image.length, take);
}

/** At least the first `count` bytes of an image, or all there are. */
export function imageHead(image: ImageBytes, count: number): Uint8Array {
  if (image instanceof Uint8Array) return image;
  const head = new Uint8Array(Math.min(count, image.length));
  let at = 0;
  image.read(head.length, (piece) => {
    head.set(piece, at);
    at += piece.length;
  });
  return head;
}
