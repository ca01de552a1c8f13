/**
 * The device tree of the `virt-riscv64` board. Bindings: Linux `Documentation/devicetree/bindings/`
 * (riscv/cpus.yaml, riscv/extensions.yaml, interrupt-controller/sifive,plic-1.0.0.yaml,
 * timer/sifive,clint.yaml, serial/8250.yaml, rtc/google,goldfish-rtc.yaml, power/reset/syscon-*.yaml).
 */
import { cells64, FdtNode, writeFdt } from "../../boot/fdt.ts";
import { FINISHER_PASS, FINISHER_RESET } from "../../devices/test_finisher.ts";
import { PLIC_SOURCES } from "../../devices/plic.ts";
import {
  IRQ_RTC,
  IRQ_UART0,
  IRQ_UART1,
  RAM_BASE,
  type Region,
  REGIONS,
  TIMEBASE_HZ,
  UART_HZ,
} from "./address_map.ts";
import { ISA_BASE, ISA_EXTENSIONS, ISA_STRING } from "./isa_string.ts";

// Interrupt numbers of a hart's own controller (privileged architecture, mcause).
const SUPERVISOR_SOFTWARE = 1;
const MACHINE_SOFTWARE = 3;
const MACHINE_TIMER = 7;
const SUPERVISOR_EXTERNAL = 9;
const MACHINE_EXTERNAL = 11;

const PHANDLE_PLIC = 1;
const PHANDLE_TEST = 2;
const PHANDLE_CPU = 0x10; // + hart
const PHANDLE_INTC = 0x20; // + hart

/** Given to the guest's random number generator: the same at every boot, so that runs repeat. */
const RNG_SEED = Uint8Array.from({ length: 32 }, (_, i) => (i * 0x9d + 0x3b) & 0xff);

/** What the device tree depends on. */
export interface DeviceTreeOptions {
  readonly harts: number;
  readonly ramBytes: number;
  /** The kernel's command line. */
  readonly bootargs: string;
  /** Where the initrd is, if there is one. */
  readonly initrd?: { readonly start: number; readonly end: number };
}

/** Writes the board's device tree. */
export function virtRiscv64DeviceTree(options: DeviceTreeOptions): Uint8Array {
  const root = new FdtNode("")
    .set("#address-cells", 2)
    .set("#size-cells", 2)
    .set("compatible", "riscv-virtio")
    .set("model", "bootwright,virt-riscv64");
  root.child("aliases")
    .set("serial0", `/soc/${unit("serial", REGIONS.uart0)}`)
    .set("serial1", `/soc/${unit("serial", REGIONS.uart1)}`);
  chosen(root, options);
  cpus(root, options.harts);
  root.child(`memory@${RAM_BASE.toString(16)}`)
    .set("device_type", "memory")
    .set("reg", [...cells64(RAM_BASE), ...cells64(options.ramBytes)]);
  devices(root.child("soc"), options.harts);
  for (const [name, value] of [["poweroff", FINISHER_PASS], ["reboot", FINISHER_RESET]] as const) {
    root.child(name)
      .set("compatible", `syscon-${name}`)
      .set("regmap", PHANDLE_TEST)
      .set("offset", 0)
      .set("value", value);
  }
  return writeFdt(root);
}

function chosen(root: FdtNode, { bootargs, initrd }: DeviceTreeOptions): void {
  const node = root.child("chosen")
    .set("bootargs", bootargs)
    .set("stdout-path", `/soc/${unit("serial", REGIONS.uart0)}`)
    .set("rng-seed", RNG_SEED);
  if (initrd) {
    node.set("linux,initrd-start", cells64(initrd.start)).set("linux,initrd-end", cells64(initrd.end));
  }
}

function cpus(root: FdtNode, harts: number): void {
  const node = root.child("cpus")
    .set("#address-cells", 1)
    .set("#size-cells", 0)
    .set("timebase-frequency", TIMEBASE_HZ);
  for (let hart = 0; hart < harts; hart++) {
    node.child(`cpu@${hart}`)
      .set("device_type", "cpu")
      .set("reg", hart)
      .set("status", "okay")
      .set("compatible", "riscv")
      .set("riscv,isa", ISA_STRING)
      .set("riscv,isa-base", ISA_BASE)
      .set("riscv,isa-extensions", ISA_EXTENSIONS)
      .set("mmu-type", "riscv,sv57")
      .set("phandle", PHANDLE_CPU + hart)
      .child("interrupt-controller")
      .set("#address-cells", 0)
      .set("#interrupt-cells", 1)
      .set("interrupt-controller", true)
      .set("compatible", "riscv,cpu-intc")
      .set("phandle", PHANDLE_INTC + hart);
  }
}

function devices(soc: FdtNode, harts: number): void {
  soc.set("#address-cells", 2).set("#size-cells", 2).set("compatible", "simple-bus").set("ranges", true);
  const device = (name: string, region: Region, ...compatible: string[]): FdtNode =>
    soc.child(unit(name, region))
      .set("compatible", compatible)
      .set("reg", [...cells64(region.base), ...cells64(region.size)]);
  const wired = (node: FdtNode, irq: number): FdtNode =>
    node.set("interrupts", irq).set("interrupt-parent", PHANDLE_PLIC);
  const toHarts = (...interrupts: number[]): number[] =>
    Array.from({ length: harts }, (_, hart) => interrupts.flatMap((i) => [PHANDLE_INTC + hart, i])).flat();

  device("test", REGIONS.test, "sifive,test1", "sifive,test0", "syscon").set("phandle", PHANDLE_TEST);
  wired(device("rtc", REGIONS.rtc, "google,goldfish-rtc"), IRQ_RTC);
  device("clint", REGIONS.clint, "sifive,clint0", "riscv,clint0")
    .set("interrupts-extended", toHarts(MACHINE_SOFTWARE, MACHINE_TIMER));
  device("sswi", REGIONS.sswi, "riscv,aclint-sswi")
    .set("#address-cells", 0)
    .set("#interrupt-cells", 0)
    .set("interrupt-controller", true)
    .set("interrupts-extended", toHarts(SUPERVISOR_SOFTWARE));
  device("interrupt-controller", REGIONS.plic, "sifive,plic-1.0.0", "riscv,plic0")
    .set("#address-cells", 0)
    .set("#interrupt-cells", 1)
    .set("interrupt-controller", true)
    .set("interrupts-extended", toHarts(MACHINE_EXTERNAL, SUPERVISOR_EXTERNAL))
    .set("riscv,ndev", PLIC_SOURCES)
    .set("phandle", PHANDLE_PLIC);
  const uarts = [[REGIONS.uart0, IRQ_UART0], [REGIONS.uart1, IRQ_UART1]] as const;
  for (const [region, irq] of uarts) {
    wired(device("serial", region, "ns16550a"), irq).set("clock-frequency", UART_HZ);
  }
}

function unit(name: string, region: Region): string {
  return `${name}@${region.base.toString(16)}`;
}
