/**
 * x86-64 as gdb sees it (gdb manual, appendix G.5, "i386 Features"). What the vCPU does not show is reported as
 * unavailable.
 */
import type { Vcpu } from "../../../core/isa.ts";
import type { TargetFeature, TargetRegister, TargetRow } from "./target.ts";

const GENERAL = "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15".split(" ");
const SEGMENTS = "cs ss ds es fs gs".split(" ");
const FLOAT_CONTROL = "fctrl fstat ftag fiseg fioff foseg fooff fop".split(" ");
const numbered = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

const VECTOR_TYPES =
  `<vector id="v4f" type="ieee_single" count="4"/><vector id="v2d" type="ieee_double" count="2"/>` +
  `<vector id="v16i8" type="int8" count="16"/><vector id="v8i16" type="int16" count="8"/>` +
  `<vector id="v4i32" type="int32" count="4"/><vector id="v2i64" type="int64" count="2"/>` +
  `<union id="vec128"><field name="v4_float" type="v4f"/><field name="v2_double" type="v2d"/>` +
  `<field name="v16_int8" type="v16i8"/><field name="v8_int16" type="v8i16"/>` +
  `<field name="v4_int32" type="v4i32"/><field name="v2_int64" type="v2i64"/>` +
  `<field name="uint128" type="uint128"/></union>`;

/** The row. */
export const X86_64: TargetRow = {
  architecture: "i386:x86-64",
  watchpointsStopBefore: false,
  expedited: ["rip", "rsp", "rbp"],
  features(vcpu: Vcpu): TargetFeature[] {
    const taken = new Set([...GENERAL, "rip", "rflags", "pc", ...SEGMENTS, "fs_base", "gs_base"]);
    const isFloat = (name: string) => /^(st|xmm)\d+$|^mxcsr$/.test(name) || FLOAT_CONTROL.includes(name);
    const system = vcpu.registers().filter(({ name }) => !taken.has(name) && !isFloat(name));
    return [
      {
        name: "org.gnu.gdb.i386.core",
        general: true,
        registers: [
          ...GENERAL.map(general),
          // Where gdb looks for the next instruction is an address with the segment's base.
          { name: "rip", vcpu: "pc", bits: 64, type: "code_ptr" },
          { name: "eflags", vcpu: "rflags", bits: 32, type: "int32" },
          ...SEGMENTS.map((name): TargetRegister => ({ name, bits: 32, type: "int32" })),
          ...numbered("st", 8).map((name): TargetRegister => ({ name, bits: 80, type: "i387_ext" })),
          ...FLOAT_CONTROL.map((name): TargetRegister => ({ name, bits: 32, type: "int", group: "float" })),
        ],
      },
      {
        name: "org.gnu.gdb.i386.sse",
        types: VECTOR_TYPES,
        registers: [
          ...numbered("xmm", 16).map((name): TargetRegister => ({ name, bits: 128, type: "vec128" })),
          { name: "mxcsr", bits: 32, type: "int", group: "vector" },
        ],
      },
      {
        name: "org.gnu.gdb.i386.segments",
        registers: ["fs_base", "gs_base"].map((name): TargetRegister => ({ name, bits: 64, type: "int" })),
      },
      {
        name: "org.bootwright.x86.system",
        registers: system.map(({ name, bits }): TargetRegister => ({ name, bits, keep: true })),
      },
    ];
  },
};

function general(name: string): TargetRegister {
  const type = name === "rsp" || name === "rbp" ? "data_ptr" : "int64";
  return { name, bits: 64, type };
}
