/** The instruction set as devices trees state it: exactly what `core/decoder/riscv` executes. */

/** Extensions, in the canonical order of the ISA string (unprivileged manual, "ISA Extension Naming"). */
export const ISA_EXTENSIONS: readonly string[] = [
  ...["i", "m", "a", "f", "d", "c"],
  ...["zicntr", "zicsr", "zifencei", "zihintpause"],
  ...["zba", "zbb", "zbs"],
  ...["sstc", "svadu", "svinval"],
  "svvptc", // the hart never caches an invalid PTE
];

/** The base ISA. */
export const ISA_BASE = "rv64i";

/** The same as one string: "rv64imafdc_zicntr_…". */
export const ISA_STRING: string = "rv64" + ISA_EXTENSIONS.filter((e) => e.length === 1).join("") +
  ISA_EXTENSIONS.filter((e) => e.length > 1).map((e) => `_${e}`).join("");
