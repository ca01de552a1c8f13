/**
 * What a file is, by its magic numbers: for which architecture a kernel was built, or what else somebody
 * took for a kernel. It serves the loaders' choice and the sentence a user reads when it is the wrong file.
 */

/** ELF `e_machine` values (System V ABI, "ELF Header") by the names users choose an architecture by. */
const ELF_MACHINES: Readonly<Record<number, string>> = {
  3: "i386",
  8: "mips",
  20: "ppc",
  21: "ppc64",
  22: "s390x",
  40: "arm",
  62: "x86_64",
  183: "aarch64",
  243: "riscv64",
  258: "loongarch64",
};

/** PE/COFF `Machine` values (Microsoft PE Format, "Machine Types"). */
const PE_MACHINES: Readonly<Record<number, string>> = {
  0x014c: "i386",
  0x01c2: "arm",
  0x01c4: "arm",
  0x5032: "riscv32",
  0x5064: "riscv64",
  0x6264: "loongarch64",
  0x8664: "x86_64",
  0xaa64: "aarch64",
};

/** Files that are no kernels: offset and bytes of their magic number, and what to call and do with them. */
const OTHER_FILES: readonly {
  readonly offset: number;
  readonly magic: string;
  readonly what: string;
  readonly remedy: string;
}[] = [
  {
    offset: 0,
    magic: "!<arch>\n",
    what: "a package or archive",
    remedy: "unpack it and give the kernel inside",
  },
  { offset: 0, magic: "070701", what: "a cpio archive", remedy: "give it as the initrd, not as the kernel" },
  { offset: 0, magic: "070702", what: "a cpio archive", remedy: "give it as the initrd, not as the kernel" },
  { offset: 257, magic: "ustar", what: "a tar archive", remedy: "unpack it and give the kernel inside" },
  { offset: 0, magic: "PK\x03\x04", what: "a zip archive", remedy: "unpack it and give the kernel inside" },
  { offset: 0, magic: "QFI\xfb", what: "a qcow2 disk image", remedy: "give the kernel it holds instead" },
  { offset: 32769, magic: "CD001", what: "an ISO image", remedy: "give the kernel it holds instead" },
  {
    offset: 1080,
    magic: "\x53\xef",
    what: "an ext2/3/4 file system",
    remedy: "give the kernel it holds instead",
  },
  {
    offset: 0,
    magic: "\xd0\x0d\xfe\xed",
    what: "a device tree or FIT image",
    remedy: "give the kernel itself",
  },
  {
    offset: 0,
    magic: "\x27\x05\x19\x56",
    what: "a U-Boot image",
    remedy: "give the kernel it was made from",
  },
];

/** Whether `magic` (one byte per character) stands at `offset`. */
export function hasMagic(bytes: Uint8Array, offset: number, magic: string): boolean {
  if (offset + magic.length > bytes.length) return false;
  for (let i = 0; i < magic.length; i++) {
    if (bytes[offset + i] !== magic.charCodeAt(i)) return false;
  }
  return true;
}

/** The architecture an ELF machine number stands for. */
export function elfArchitecture(machine: number): string {
  return ELF_MACHINES[machine] ?? `unknown (ELF machine ${machine})`;
}

/** The architecture and kind of a kernel that is no ELF file; undefined when it shows no sign of either. */
export function identifyKernel(bytes: Uint8Array): { arch: string; what: string } | undefined {
  if (hasMagic(bytes, 0x38, "RSC\x05")) return { arch: "riscv64", what: "a Linux kernel" };
  if (hasMagic(bytes, 0x38, "ARM\x64")) return { arch: "aarch64", what: "a Linux kernel" };
  if (hasMagic(bytes, 0x1fe, "\x55\xaa") && hasMagic(bytes, 0x202, "HdrS")) {
    return { arch: "x86_64", what: "a Linux kernel (bzImage)" };
  }
  if (hasMagic(bytes, 0, "MZ") && bytes.length >= 0x40) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const header = view.getUint32(0x3c, true);
    if (hasMagic(bytes, header, "PE\0\0") && header + 6 <= bytes.length) {
      const machine = view.getUint16(header + 4, true);
      return { arch: PE_MACHINES[machine] ?? `unknown (PE machine ${machine})`, what: "an EFI program" };
    }
  }
  return undefined;
}

/** Why a file cannot be a kernel at all, and what to do; undefined when it could be one. */
export function identifyOther(bytes: Uint8Array): { what: string; remedy: string } | undefined {
  const other = OTHER_FILES.find(({ offset, magic }) => hasMagic(bytes, offset, magic));
  if (other) return other;
  const head = bytes.subarray(0, 4096);
  if (head.every((b) => b === 0)) {
    return { what: "all zeros at its start", remedy: "give it again; it may be damaged" };
  }
  if (head.every((b) => (b >= 0x20 && b < 0x7f) || b === 9 || b === 10 || b === 13)) {
    return { what: "a text file", remedy: "give a kernel image" };
  }
  return undefined;
}
