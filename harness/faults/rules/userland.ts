/**
 * The way to user space ends in an emergency shell: systemd's emergency mode and sulogin, dracut,
 * initramfs-tools, or an init that freezes. Nobody is there to type, so the wait would only spend its budget.
 */
import { type CrashRule, family, LINE } from "../rule.ts";

/** Emergency shells. */
export const USERLAND_RULES: readonly CrashRule[] = family("userland", [
  {
    id: "emergency-mode",
    class: "fatal",
    summary: "systemd could not reach its target and offers an emergency shell.",
    source: "console",
    begins: ["You are in emergency mode", "Welcome to emergency mode", "Cannot open access to console"],
    expression:
      /^(?:You are in emergency mode\.|Welcome to emergency mode!|Cannot open access to console, the root account is locked)/,
    title: "systemd: emergency mode",
    end: LINE,
    example:
      `You are in emergency mode. After logging in, type "journalctl -xb" to view system logs, "systemctl reboot" to reboot, or "exit" to continue bootup.`,
    lookalikes: [
      { line: "[    2.100000] systemd[1]: Created slice emergency.slice.", why: "a unit's name" },
      { line: "If You are in emergency mode, read this", why: "words within a line" },
    ],
  },
  {
    id: "root-login",
    class: "fatal",
    summary: "sulogin asks for the root password: maintenance mode.",
    source: "console",
    begins: ["Give root password for maintenance", "Press Enter for maintenance"],
    expression: /^(?:Give root password for maintenance|Press Enter for maintenance)/,
    title: "sulogin: maintenance mode",
    end: LINE,
    partOf: ["emergency-mode"],
    example: "Give root password for maintenance",
    lookalikes: [
      { line: "sulogin(8): Give root password for maintenance", why: "words within a line" },
    ],
  },
  {
    id: "dracut-shell",
    class: "fatal",
    summary: "dracut could not find what it needs to boot.",
    source: "console",
    begins: [
      "Entering emergency mode. Exit the shell",
      "dracut-initqueue",
      "dracut Warning: ",
      'Generating "/run/initramfs',
    ],
    expression:
      /^(?:Entering emergency mode\. Exit the shell to continue|dracut(?:-initqueue\[\d+\])?:? Warning: (?:Could not boot|Not all disks have been found)|Generating "\/run\/initramfs\/rdsosreport)/,
    title: "dracut: emergency shell",
    end: LINE,
    partOf: ["dracut-shell", "emergency-mode"],
    example: "Entering emergency mode. Exit the shell to continue.",
    lookalikes: [
      {
        line:
          "[    3.200000] dracut-initqueue[312]: Warning: dracut-initqueue: timeout, still waiting for following initqueue hooks:",
        why: "it still tries",
      },
    ],
  },
  {
    id: "initramfs-shell",
    class: "fatal",
    summary: "initramfs-tools' scripts gave up on the root file system.",
    source: "console",
    begins: ["ALERT!", "Gave up waiting for ", "(initramfs)"],
    expression:
      /^(?:ALERT! .{1,200} does not exist\.\s+Dropping to a shell!|Gave up waiting for (?:root|suspend\/resume|root file system) device|\(initramfs\))/,
    title: "initramfs: no root file system",
    end: LINE,
    partOf: ["initramfs-shell"],
    example: "ALERT!  UUID=0a1b2c3d-0000-4000-8000-000000000001 does not exist.  Dropping to a shell!",
    except: [{
      expression: /^Gave up waiting for suspend/,
      why: "a missing swap device does not stop the boot",
    }],
    lookalikes: [
      { line: "Gave up waiting for suspend/resume device", why: "the boot goes on" },
      { line: "update-initramfs: Generating /boot/initrd.img (initramfs)", why: "words within a line" },
    ],
  },
  {
    id: "init-frozen",
    class: "fatal",
    summary: "systemd as init has crashed or cannot go on, and freezes.",
    source: "console",
    begins: ["systemd[1]: ", "[!!!!!!] "],
    expression: /^(?:systemd\[1\]: (?:Freezing execution|Caught <[A-Z]+>)|\[!{6}\] .{1,200}, freezing)/,
    title: "systemd: init froze",
    end: LINE,
    partOf: ["init-frozen"],
    example: "[    4.901102] systemd[1]: Freezing execution.",
    lookalikes: [
      { line: "[    4.900000] systemd[1]: Freezing unit foo.service.", why: "a unit is frozen on purpose" },
    ],
  },
]);
