/**
 * File systems that found themselves damaged or had to stop: fs/ext4/super.c, fs/xfs/xfs_fsops.c and
 * xfs_error.c, fs/btrfs/messages.c, fs/dcache.c, block/blk-core.c.
 *
 * One that shuts down or turns read-only is fatal: the guest's work cannot be done any more. An error that it
 * survives is collected.
 */
import { type CrashRule, family, LINE, TRACE } from "../rule.ts";

/** File system errors. */
export const FILESYSTEM_RULES: readonly CrashRule[] = family("filesystem", [
  {
    id: "fs-shutdown",
    class: "fatal",
    summary: "A file system has shut down or turned itself read-only.",
    begins: ["EXT4-fs (", "XFS (", "BTRFS"],
    expression:
      /^(?:(EXT4-fs) \([^)]{1,64}\): Remounting filesystem read-only|(XFS) \([^)]{1,64}\): (?:Filesystem has been shut down|[A-Z].{0,200}Shutting down filesystem)|(BTRFS)[^:]{0,20} \(device [^)]{1,64}\)[^:]{0,40}: forced readonly)/,
    title: "$1$2$3: file system shut down",
    end: LINE,
    example: "[   88.201140] EXT4-fs (vda1): Remounting filesystem read-only",
    lookalikes: [
      {
        line: "[   88.200000] EXT4-fs (vda1): re-mounted 0a1b2c3d-0000-4000-8000-000000000001 ro.",
        why: "asked for by mount -o remount,ro",
      },
      { line: "[   88.200000] XFS (vda1): Unmounting Filesystem", why: "asked for" },
    ],
  },
  {
    id: "fs-error",
    class: "collect",
    summary: "A file system found its metadata damaged, or could not write it.",
    begins: ["EXT4-fs error", "EXT4-fs (", "XFS (", "BTRFS"],
    expression:
      /^(?:(EXT4-fs) error \(device |(EXT4-fs) \([^)]{1,64}\): (?:Delayed block allocation failed|failed to convert)|(XFS) \([^)]{1,64}\): (?:Internal error|Metadata corruption detected|Metadata CRC error)|(BTRFS)(?: critical|:? error) \(device [^)]{1,64}\))/,
    title: "$1$2$3$4: file system error",
    end: LINE,
    partOf: ["fs-error"],
    example:
      "[   88.201140] EXT4-fs error (device vda1): ext4_lookup:1858: inode #2: comm ls: deleted inode referenced: 12",
    lookalikes: [
      { line: "[   88.200000] EXT4-fs (vda1): error count since last fsck: 1", why: "of an earlier boot" },
      {
        line:
          "[   88.200000] EXT4-fs (vda1): mounted filesystem with ordered data mode. Opts: errors=remount-ro",
        why: "a mount option",
      },
      { line: "[   88.200000] XFS (vda1): Mounting V5 Filesystem", why: "an announcement" },
    ],
  },
  {
    id: "fs-busy",
    class: "collect",
    summary: "A file system was unmounted while some of it was in use.",
    begins: ["VFS: Busy inodes after unmount", "BUG: Dentry "],
    expression: /^(?:VFS: (Busy inodes) after unmount|BUG: (Dentry) .{1,200} still in use)/,
    title: "VFS: $1$2 still in use after unmount",
    end: TRACE,
    example:
      "[   88.201140] VFS: Busy inodes after unmount of vda1. Self-destruct in 5 seconds.  Have a nice day...",
    lookalikes: [
      { line: "umount: /mnt: target is busy.", why: "a program's message" },
    ],
  },
  {
    id: "io-error",
    class: "note",
    summary: "A disk refused a request; what that means is for those who asked to say, so noted.",
    begins: ["I/O error, dev ", "blk_update_request: ", "Buffer I/O error on dev"],
    expression:
      /^(?:(?:blk_update_request: )?(?:I\/O|critical \w+) error, dev (\w+)|Buffer I\/O error on dev(?:ice)? (\w+))/,
    title: "I/O error on $1$2",
    end: LINE,
    example: "[   88.201140] I/O error, dev vda, sector 2048 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2",
    lookalikes: [
      { line: "dd: error reading '/dev/vda': I/O error, dev vda", why: "a program's message" },
    ],
  },
]);
