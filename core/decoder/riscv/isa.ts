/** RV64GC with Zba, Zbb, Zbs, Sstc, Svadu and Svinval, as the rest of the machine sees it. */
import type { FrontEnd, Isa, MachineContext } from "../../isa.ts";
import { RiscvFrontEnd } from "./front_end.ts";
import { RiscvHart } from "./hart.ts";

/** The riscv64 guest ISA. */
export const riscv64: Isa = {
  name: "riscv64",
  createVcpu(context: MachineContext, index: number): RiscvHart {
    return new RiscvHart(context, index);
  },
  createFrontEnd(context: MachineContext): FrontEnd {
    return new RiscvFrontEnd(context.ram, context.debug);
  },
};
