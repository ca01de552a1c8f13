/**
 * Firmware and boot loaders: U-Boot, OpenSBI, Trusted Firmware-A, EDK II, GRUB, SeaBIOS. Their banners count
 * only when the machine was up before and nobody has reset it; their own crashes count always.
 */
import { type CrashRule, family, LINE, type ReportEnd } from "../rule.ts";

/** Register dumps of firmware have no end mark: silence, or the banner of the next boot. */
const DUMP: ReportEnd = { kind: "mark", mark: /^(?:resetting \.\.\.|### ERROR ### |U-Boot )/ };

/** Firmware. */
export const FIRMWARE_RULES: readonly CrashRule[] = family("firmware", [
  {
    id: "firmware-reboot",
    class: "fatal",
    summary: "Firmware starts again although nobody has reset the machine.",
    source: "console",
    begins: ["U-Boot ", "OpenSBI v", "SeaBIOS (version ", "NOTICE:  BL", "UEFI firmware (version "],
    expression:
      /^(?:(U-Boot(?: [ST]PL)?) \d{4}\.|(OpenSBI) v\d|(SeaBIOS) \(version |NOTICE: {2}(BL\d+): v\d|(UEFI firmware) \(version )/,
    title: "unexpected reboot: $1$2$3$4$5",
    end: LINE,
    reboot: true,
    example: "U-Boot SPL 2024.01 (Jan 08 2024 - 15:37:48 +0000)",
    lookalikes: [
      { line: "U-Boot tools were installed", why: "no version" },
      { line: "[    0.000000] SBI implementation ID=0x1 Version=0x10003", why: "Linux about its firmware" },
    ],
  },
  {
    id: "loader-exception",
    class: "fatal",
    summary: "Firmware or a boot loader has crashed.",
    source: "console",
    begins: [
      "Unhandled exception: ",
      '"Synchronous Abort" handler',
      '"Error" handler',
      "### ERROR ### Please RESET the board",
      "sbi_trap_error: ",
      "PANIC at PC : ",
      "PANIC in EL3",
      "!!!! ",
      "Synchronous Exception at 0x",
      "Unhandled Exception in EL3",
    ],
    expression:
      /^(?:Unhandled exception: [A-Z]|"(?:Synchronous Abort|Error)" handler, |### ERROR ### Please RESET the board|sbi_trap_error: hart\d+: |PANIC at PC : 0x|PANIC in EL3|!!!! (?:X64|IA32|AARCH64|RISCV64) Exception Type|Synchronous Exception at 0x|Unhandled Exception in EL3)/,
    title: "firmware crashed",
    end: DUMP,
    partOf: ["loader-exception"],
    example: "Unhandled exception: Load access fault",
    lookalikes: [
      { line: "Unhandled exception: in thread main", why: "a user program's exception" },
    ],
  },
  {
    id: "nothing-to-boot",
    class: "fatal",
    summary: "Firmware found nothing to boot, or a boot loader not its files.",
    source: "console",
    begins: [
      "No bootable device.",
      "BdsDxe: No bootable option",
      "grub rescue>",
      "Entering rescue mode...",
      "-- System halted",
      " -- System halted",
    ],
    expression:
      /^(?:No bootable device\.|BdsDxe: No bootable option|grub rescue>|Entering rescue mode\.\.\.| ?-- System halted)/,
    title: "nothing to boot",
    end: LINE,
    partOf: ["nothing-to-boot"],
    example: "No bootable device.",
    lookalikes: [
      { line: "[    9.900000] reboot: System halted", why: "an orderly halt" },
      { line: 'BdsDxe: failed to load Boot0001 "UEFI PXEv4"', why: "the next entry is tried" },
    ],
  },
]);
