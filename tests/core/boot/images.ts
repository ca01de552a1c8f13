/** Small images of every format, built byte by byte, for loader tests. */

/** A span of an ELF file under construction. */
export interface TestSegment {
  readonly physAddr: bigint;
  readonly virtAddr?: bigint;
  readonly bytes: Uint8Array;
  readonly memoryBytes?: bigint;
  readonly type?: number;
}

/** What an ELF file shall say. */
export interface TestElf {
  readonly machine?: number;
  readonly class?: number;
  readonly data?: number;
  readonly type?: number;
  readonly entry: bigint;
  readonly segments: readonly TestSegment[];
  readonly symbols?: readonly { readonly name: string; readonly value: bigint; readonly size?: bigint }[];
}

/** Builds an ELF64 file: header, program headers, contents, then symbol and string tables. */
export function buildElf(elf: TestElf): Uint8Array {
  const out = new Uint8Array(65536);
  const view = new DataView(out.buffer);
  out.set([0x7f, 0x45, 0x4c, 0x46, elf.class ?? 2, elf.data ?? 1, 1]);
  view.setUint16(16, elf.type ?? 2, true);
  view.setUint16(18, elf.machine ?? 243, true);
  view.setBigUint64(24, elf.entry, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, elf.segments.length, true);
  let end = 64 + 56 * elf.segments.length;
  elf.segments.forEach((segment, i) => {
    const at = 64 + 56 * i;
    view.setUint32(at, segment.type ?? 1, true);
    view.setBigUint64(at + 8, BigInt(end), true);
    view.setBigUint64(at + 16, segment.virtAddr ?? segment.physAddr, true);
    view.setBigUint64(at + 24, segment.physAddr, true);
    view.setBigUint64(at + 32, BigInt(segment.bytes.length), true);
    view.setBigUint64(at + 40, segment.memoryBytes ?? BigInt(segment.bytes.length), true);
    out.set(segment.bytes, end);
    end += segment.bytes.length;
  });
  if (elf.symbols) {
    const strings = new TextEncoder().encode("\0" + elf.symbols.map((s) => `${s.name}\0`).join(""));
    const stringsAt = end, symbolsAt = end + strings.length;
    out.set(strings, stringsAt);
    let name = 1;
    elf.symbols.forEach((symbol, i) => {
      const at = symbolsAt + 24 * (i + 1);
      view.setUint32(at, name, true);
      view.setBigUint64(at + 8, symbol.value, true);
      view.setBigUint64(at + 16, symbol.size ?? 0n, true);
      name += symbol.name.length + 1;
    });
    const symbolBytes = 24 * (elf.symbols.length + 1);
    const sectionsAt = symbolsAt + symbolBytes;
    view.setBigUint64(40, BigInt(sectionsAt), true);
    view.setUint16(58, 64, true);
    view.setUint16(60, 2, true);
    const section = (index: number, type: number, offset: number, size: number, link: number) => {
      const at = sectionsAt + 64 * index;
      view.setUint32(at + 4, type, true);
      view.setBigUint64(at + 24, BigInt(offset), true);
      view.setBigUint64(at + 32, BigInt(size), true);
      view.setUint32(at + 40, link, true);
    };
    section(0, 2, symbolsAt, symbolBytes, 1);
    section(1, 3, stringsAt, strings.length, 0);
    end = sectionsAt + 128;
  }
  return out.slice(0, end);
}

/** Builds a Linux `Image`: header and, on request, a PE section that says how long the file must be. */
export function buildLinuxImage(options: {
  magic2?: string;
  textOffset?: bigint;
  imageSize?: bigint;
  bytes?: number;
  peMachine?: number;
}): Uint8Array {
  const out = new Uint8Array(options.bytes ?? 4096);
  const view = new DataView(out.buffer);
  view.setBigUint64(8, options.textOffset ?? 0x200000n, true);
  view.setBigUint64(16, options.imageSize ?? BigInt(out.length), true);
  out.set(bytesOf(options.magic2 ?? "RSC\x05"), 0x38);
  if (options.peMachine !== undefined) {
    out.set(bytesOf("MZ"), 0);
    view.setUint32(0x3c, 0x40, true);
    out.set(bytesOf("PE\0\0"), 0x40);
    view.setUint16(0x44, options.peMachine, true);
    view.setUint16(0x46, 1, true); // sections
    view.setUint16(0x54, 0, true); // optional header
    view.setUint32(0x58 + 16, out.length - 512, true);
    view.setUint32(0x58 + 20, 512, true);
  }
  return out;
}

/** One byte per character. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

/** Bytes that do not compress, the same ones every time. */
export function noise(length: number): Uint8Array {
  let x = 1;
  return Uint8Array.from({ length }, () => (x = (Math.imul(x, 1103515245) + 12345) >>> 0) >>> 16 & 0xff);
}
