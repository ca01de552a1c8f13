/** `virt-x86` as ACPI describes it. */
import {
  device,
  eisaId,
  integer,
  irq,
  name,
  packageOf,
  ports,
  resources,
  scope,
  string,
} from "../../boot/acpi/aml.ts";
import { facs, fadt, madt, rsdp, systemTable, xsdt } from "../../boot/acpi/tables.ts";
import { CONTROL_OFFSET, SLEEP_TYPE_S5 } from "../../devices/acpi_pm.ts";
import { CENTURY } from "../../devices/cmos_rtc.ts";
import { RESET_NOW } from "../../devices/exit_ports.ts";
import { ACPI_TABLES, IO_APIC, IRQS, LOCAL_APIC, PORTS } from "./address_map.ts";

const ALIGNMENT = 64;

/** The tables as one span of memory that begins with the RSDP at {@linkcode ACPI_TABLES}. */
export function acpiTables(vcpus: number): Uint8Array {
  const placed: { at: number; bytes: Uint8Array }[] = [];
  let next = ACPI_TABLES + ALIGNMENT; // the RSDP comes first, and is known last
  const place = (bytes: Uint8Array): number => {
    const at = next;
    placed.push({ at, bytes });
    next = Math.ceil((at + bytes.length) / ALIGNMENT) * ALIGNMENT;
    return at;
  };
  const tables = [
    place(fadt({
      facs: place(facs()),
      dsdt: place(systemTable("DSDT", 2, description())),
      sci: IRQS.sci,
      eventBlock: PORTS.acpiPm[0],
      controlBlock: PORTS.acpiPm[0] + CONTROL_OFFSET,
      resetPort: PORTS.resetControl[0],
      resetValue: RESET_NOW,
      century: CENTURY,
    })),
    place(madt({ vcpus, localApic: LOCAL_APIC, ioApic: IO_APIC, sci: IRQS.sci })),
  ];
  placed.push({ at: ACPI_TABLES, bytes: rsdp(place(xsdt(tables))) });
  const image = new Uint8Array(next - ACPI_TABLES);
  for (const { at, bytes } of placed) image.set(bytes, at - ACPI_TABLES);
  return image;
}

/** The DSDT's body: how to sleep, and which devices are on the ISA bus. */
function description(): Uint8Array {
  const isa = (at: string, id: string, ...descriptors: Uint8Array[]) =>
    device(at, name("_HID", eisaId(id)), name("_CRS", resources(...descriptors)));
  const serial = (at: string, unit: number, [base, count]: readonly [number, number], line: number) =>
    device(
      at,
      name("_HID", eisaId("PNP0501")),
      name("_UID", integer(unit)),
      name("_CRS", resources(ports(base, count), irq(line))),
    );
  const sleep = integer(SLEEP_TYPE_S5);
  return Uint8Array.from([
    ...name("\\_S5", packageOf(sleep, sleep, integer(0), integer(0))),
    ...scope(
      "\\_SB",
      isa("KBD", "PNP0303", ports(PORTS.i8042[0], 1), ports(PORTS.i8042[0] + 4, 1), irq(IRQS.keyboard)),
      isa("RTC", "PNP0B00", ports(...PORTS.cmos), irq(IRQS.rtc)),
      serial("COM1", 1, PORTS.com1, IRQS.com1),
      serial("COM2", 2, PORTS.com2, IRQS.com2),
      device(
        "PEVT",
        name("_HID", string("QEMU0001")),
        name("_CRS", resources(ports(...PORTS.pvpanic))),
      ),
    ),
  ]);
}
