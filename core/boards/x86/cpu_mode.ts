/** The processor modes in which a kernel can be entered. */

/** Every {@linkcode CpuMode}. */
export const CPU_MODES = ["real", "protected", "long"] as const;

/** How a kernel is entered. */
export type CpuMode = typeof CPU_MODES[number];
