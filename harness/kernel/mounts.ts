/** The mounts of a Linux guest, as the first process's mount namespace has them. */
import { readText, type TypedValue } from "./btf/typed_value.ts";
import { collect, type KernelTypes } from "./types.ts";

/** One mount. */
export interface GuestMount {
  /** What is mounted: a device, or the file system's name for itself. */
  readonly source: string;
  /** Where, from the namespace's root. */
  readonly target: string;
  /** The file system's type: `ext4`, `proc`. */
  readonly type: string;
  /** Whether it is mounted read-only. */
  readonly readOnly: boolean;
}

// `include/linux/mount.h`, `include/linux/fs.h`.
const MNT_READONLY = 0x40;
const SB_RDONLY = 1;

const MAX_MOUNTS = 10_000;
/** Directories in a path. */
const MAX_DEPTH = 256;
const MAX_NAME = 256;

/** Every mount, the root first. */
export function readMounts(types: KernelTypes): GuestMount[] {
  const mountType = types.type("struct mount");
  const namespace = initNamespace(types);
  const root = namespace.get("root");
  if (root.pointer() === 0n) return [];
  // Children hang on their parents in every version; the namespace's own list became a tree in 6.8.
  const found: GuestMount[] = [];
  const queue = [root.deref()];
  for (let i = 0; i < queue.length && i < MAX_MOUNTS; i++) {
    const mount = queue[i];
    found.push(readMount(types, mount));
    queue.push(...collect(mount.get("mnt_mounts").list(mountType, "mnt_child"), (child) => child));
  }
  return found;
}

/** That of process 1, or before there is one, the kernel's own. */
function initNamespace(types: KernelTypes): TypedValue {
  const children = types.variable("init_task").get("children");
  const [first] = collect(children.list(types.type("struct task_struct"), "sibling"), (task) => task);
  const task = first ?? types.variable("init_task");
  return task.get("nsproxy").get("mnt_ns");
}

function readMount(types: KernelTypes, mount: TypedValue): GuestMount {
  const vfs = mount.get("mnt");
  const superBlock = vfs.get("mnt_sb");
  const name = mount.get("mnt_devname");
  return {
    source: name.pointer() === 0n ? "none" : name.text(),
    target: targetOf(types, mount),
    type: superBlock.get("s_type").get("name").text(),
    readOnly: (vfs.get("mnt_flags").number() & MNT_READONLY) !== 0 ||
      (Number(superBlock.get("s_flags").value()) & SB_RDONLY) !== 0,
  };
}

/** The path of a mount's place: up its dentries to its parent mount's root, and on from there. */
function targetOf(types: KernelTypes, mount: TypedValue): string {
  const names: string[] = [];
  let at = mount;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const parent = at.get("mnt_parent").deref();
    if (parent.address === at.address) break;
    const top = parent.get("mnt").get("mnt_root").pointer();
    let dentry = at.get("mnt_mountpoint").deref();
    while (dentry.address !== top && names.length < MAX_DEPTH) {
      const name = dentry.get("d_name").get("name").pointer();
      names.unshift(readText(types.memory, name, MAX_NAME));
      const up = dentry.get("d_parent").deref();
      if (up.address === dentry.address) break;
      dentry = up;
    }
    at = parent;
  }
  return `/${names.join("/")}`;
}
