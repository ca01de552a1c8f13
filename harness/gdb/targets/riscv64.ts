/**
 * RV64GC as gdb sees it (gdb manual, appendix G.5, "RISC-V Features"). Control and status registers are those the
 * vCPU shows; gdb knows the usual ones by name.
 */
import type { Vcpu } from "../../../core/isa.ts";
import type { TargetFeature, TargetRegister, TargetRow } from "./target.ts";

const INTEGER =
  "zero ra sp gp tp t0 t1 t2 fp s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6"
    .split(" ");
const FLOAT =
  ("ft0 ft1 ft2 ft3 ft4 ft5 ft6 ft7 fs0 fs1 fa0 fa1 fa2 fa3 fa4 fa5 fa6 fa7 fs2 fs3 fs4 fs5 fs6 fs7 " +
    "fs8 fs9 fs10 fs11 ft8 ft9 ft10 ft11").split(" ");
const FLOAT_CONTROL = ["fflags", "frm", "fcsr"];
const DATA_POINTERS = ["sp", "gp", "tp", "fp"];

const FLOAT_TYPE = `<union id="riscv_double"><field name="float" type="ieee_single"/>` +
  `<field name="double" type="ieee_double"/></union>`;

/** The row. */
export const RISCV64: TargetRow = {
  architecture: "riscv:rv64",
  watchpointsStopBefore: true,
  expedited: ["pc", "sp", "fp"],
  features(vcpu: Vcpu): TargetFeature[] {
    // s0 is fp in gdb.
    const taken = new Set([...INTEGER, "s0", ...FLOAT, ...FLOAT_CONTROL, "pc"]);
    const system = vcpu.registers().filter(({ name }) => !taken.has(name));
    return [
      {
        name: "org.gnu.gdb.riscv.cpu",
        general: true,
        registers: [...INTEGER.map(integer), { name: "pc", bits: 64, type: "code_ptr" }],
      },
      {
        name: "org.gnu.gdb.riscv.fpu",
        types: FLOAT_TYPE,
        registers: [
          ...FLOAT.map((name): TargetRegister => ({ name, bits: 64, type: "riscv_double" })),
          ...FLOAT_CONTROL.map((name): TargetRegister => ({ name, bits: 32, group: "float", keep: true })),
        ],
      },
      {
        name: "org.gnu.gdb.riscv.csr",
        registers: system.map(({ name, bits }): TargetRegister => ({ name, bits, keep: true })),
      },
    ];
  },
};

function integer(name: string): TargetRegister {
  const type = name === "ra" ? "code_ptr" : DATA_POINTERS.includes(name) ? "data_ptr" : "int";
  return { name, bits: 64, type };
}
