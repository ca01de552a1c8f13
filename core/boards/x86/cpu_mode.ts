/** The processor modes in which a kernel can be entered. */

/** How a kernel is entered. */
export type CpuMode = "real" | "protected" | "long";

/** Every {@linkcode CpuMode}. */
export const CPU_MODES: readonly CpuMode[] = ["real", "protected", "long"];
