/** x86-64 as the rest of the machine sees it. There is no front end yet: its vCPUs need an engine like KVM. */
import type { Isa, MachineContext } from "../../isa.ts";
import { X86Vcpu } from "./vcpu.ts";

/** The x86_64 guest ISA. */
export const x86_64: Isa = {
  name: "x86_64",
  createVcpu(context: MachineContext, index: number): X86Vcpu {
    return new X86Vcpu(context, index);
  },
};
