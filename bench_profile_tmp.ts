import { selectEngine } from "./accel/select.ts";
import { BOARDS } from "./harness/boards.ts";
import { RiscvHart } from "./core/decoder/riscv/hart.ts";
import { decode } from "./core/decoder/riscv/decode.ts";
import { expand } from "./core/decoder/riscv/compressed.ts";
import {S_MSTATUS} from "./core/decoder/riscv/state.ts";
import { INSTRUCTIONS } from "./core/decoder/riscv/encodings.ts";
const sel = await selectEngine("dbt" as any);
const board = await BOARDS.riscv64.create({ memory: sel.memory, ramBytes: 512<<20, vcpus: 1,
  kernel: Deno.readFileSync("/tmp/peers/riscv64/vmlinuz"), kernelName: "k",
  initrd: Deno.readFileSync("/tmp/peers/riscv64/initrd.cpio"), initrdName: "i", append: "console=ttyS0 earlycon=sbi" } as any);
const hist = new Map<string, number>();
const profile = Deno.args[0] === "p";
if (profile) {
  const orig = RiscvHart.prototype.interpret;
  RiscvHart.prototype.interpret = function (this: any, n: number) {
    const v = new DataView(this.state.buffer, this.state.byteOffset);
    const pa = this.translateAddress(v.getBigUint64(512, true));
    let key = "fault";
    const ram = this.machine.ram;
    if (pa !== undefined && ram.contains(pa, 4)) {
      const w = ram.view.getInt32(pa - ram.base, true);
      const insn = (w & 3) === 3 ? w : expand(w & 0xffff);
      key = INSTRUCTIONS[decode(insn)][0];
      if (key.startsWith("csr")) key += " " + (insn >>> 20).toString(16) + (((insn>>>15)&31)?" w":" r");
      if (key === "sfence.vma") key += ((insn >>> 15) & 31) ? " addr" : " all";
      if ((pa & 4095) === 4094 && (w&3)===3) key = "straddle";
      key += " " + this.mode[0];
    }
    if (n > 1) key = "budget tail";
    else if (key === "sd s" || key === "sb s" || key==="sh s") {
      const w = ram.view.getInt32(pa - ram.base, true);
      const insn = (w & 3) === 3 ? w : expand(w & 0xffff);
      const imm = (insn >> 25) << 5 | (insn >>> 7 & 31);
      const va = BigInt.asUintN(64, v.getBigUint64(8*(insn>>>15&31), true) + BigInt(imm));
      const p2 = this.translateAddress(va);
      const kind = p2 === undefined ? "unmapped" : !ram.contains(p2, 8) ? "device" : ram.codePages[(p2-ram.base)>>>12] ? "code" : (p2 & 4095) > 4088 ? "cross?" : "other";
      key += " " + kind + (kind==="code"||kind==="other" ? " pc " + v.getBigUint64(512,true).toString(16) : "");
    }
    if (n===1 && (key.startsWith("csr") || key.startsWith("sc."))) key += " @" + v.getBigUint64(512,true).toString(16) + " " + (this.state[S_MSTATUS>>2]>>>0).toString(16)+ " " + this.context() + " ops " + (ram.view.getInt32((pa as number) - ram.base, true)>>>0).toString(16);
    hist.set(key, (hist.get(key) ?? 0) + 1);
    return orig.call(this, n);
  };
}
const engine = sel.create(board.machine) as any;
const m = board.machine as any;
let out = "";
const t = performance.now();
const uart = (board as any).consoles?.[0] ?? board;
(board as any).serial[0].onOutput = (b: any) => {}; let last = 0;
for (let i = 0; i < 4000 && !m.exit; i++) { m.run(engine, m.clock.nowNs + 5e6); if (performance.now()-t > 100000) break; }
console.log(m.exit, m.clock.instructions/1e6, "M insns", m.clock.nowNs/1e9, "guest s", ((performance.now()-t)/1000).toFixed(2), "s");
console.log(engine.statistics());
if (profile) for (const [k, n] of [...hist].sort((a,b)=>b[1]-a[1]).slice(0,45)) console.log(n, k);
