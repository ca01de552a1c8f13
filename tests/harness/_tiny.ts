/** Boots the tiny guests of `fixtures/kernels` for the harness's tests. */
import { kernelPath } from "../../fixtures/kernels.ts";
import type { KernelName } from "../../fixtures/kernels.ts";
import { boot, type BootOptions, type Vm } from "../../mod.ts";

/** A small machine with one of the tiny guests. */
export function tiny(name: KernelName, options: Partial<BootOptions> = {}): Promise<Vm> {
  return boot({
    arch: "riscv64",
    kernel: kernelPath(name),
    memory: "16M",
    engine: "interpreter",
    ...options,
  });
}
