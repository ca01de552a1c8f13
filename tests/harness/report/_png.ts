/** Decodes a screenshot far enough to tell whether something is on it. */

/** How many different colours the pixels of a PNG (8 bits per channel, not interlaced) have, up to `most`. */
export async function pngColours(png: Uint8Array, most: number): Promise<number> {
  const view = new DataView(png.buffer, png.byteOffset);
  const data: Uint8Array<ArrayBuffer>[] = [];
  let [width, height, channels] = [0, 0, 0];
  for (let at = 8; at < png.length;) {
    const length = view.getUint32(at);
    const type = new TextDecoder().decode(png.subarray(at + 4, at + 8));
    if (type === "IHDR") {
      [width, height] = [view.getUint32(at + 8), view.getUint32(at + 12)];
      channels = png[at + 17] === 6 ? 4 : 3;
    }
    if (type === "IDAT") data.push(png.slice(at + 8, at + 8 + length));
    at += 12 + length;
  }
  const inflated = new Blob(data).stream().pipeThrough(new DecompressionStream("deflate"));
  const raw = new Uint8Array(await new Response(inflated).arrayBuffer());
  const stride = width * channels;
  const colours = new Set<number>();
  let previous = new Uint8Array(stride);
  for (let y = 0; y < height && colours.size < most; y++) {
    const filter = raw[y * (stride + 1)];
    const row = raw.slice(y * (stride + 1) + 1, (y + 1) * (stride + 1));
    for (let x = 0; x < stride; x++) {
      const left = x < channels ? 0 : row[x - channels];
      const corner = x < channels ? 0 : previous[x - channels];
      row[x] += [0, left, previous[x], (left + previous[x]) >> 1, paeth(left, previous[x], corner)][filter];
    }
    for (let x = 0; x < stride; x += channels) colours.add(row[x] << 16 | row[x + 1] << 8 | row[x + 2]);
    previous = row;
  }
  return colours.size;
}

function paeth(left: number, up: number, corner: number): number {
  const estimate = left + up - corner;
  const [a, b, c] = [Math.abs(estimate - left), Math.abs(estimate - up), Math.abs(estimate - corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}
