/** The processes and threads of a Linux guest, from its task list. */
import type { TypedValue } from "./btf/typed_value.ts";
import { collect, type KernelTypes } from "./types.ts";

/** What a task does. */
export type TaskState =
  | "running"
  | "sleeping"
  | "disk sleep"
  | "stopped"
  | "traced"
  | "dead"
  | "zombie"
  | "parked"
  | "idle"
  | "unknown";

/** A process, or one of its threads. */
export interface GuestTask {
  /** Thread number; the process's for its first thread. */
  readonly pid: number;
  /** Process number. */
  readonly tgid: number;
  /** The parent's process number. */
  readonly parentPid: number;
  /** The program's name, up to 15 characters. */
  readonly comm: string;
  /** What it does. */
  readonly state: TaskState;
  /** Whether it is the kernel's own. */
  readonly kernel: boolean;
  /** The vCPU it runs or last ran on; undefined where the kernel does not say. */
  readonly cpu: number | undefined;
  /** Address of its `struct task_struct`. */
  readonly address: bigint;
}

// `include/linux/sched.h`: `TASK_*` and `EXIT_*`.
const TASK_INTERRUPTIBLE = 0x1;
const TASK_UNINTERRUPTIBLE = 0x2;
const TASK_STOPPED = 0x4;
const TASK_TRACED = 0x8;
const EXIT_DEAD = 0x10;
const EXIT_ZOMBIE = 0x20;
const TASK_PARKED = 0x40;
const TASK_DEAD = 0x80;
const TASK_NOLOAD = 0x400;
const TASK_IDLE = TASK_UNINTERRUPTIBLE | TASK_NOLOAD;
const PF_KTHREAD = 0x0020_0000;

/** Threads of one process that are followed. */
const MAX_TASKS = 100_000;

/** Every task but the idle ones, in the order of the kernel's list. */
export function readTasks(types: KernelTypes): GuestTask[] {
  const taskType = types.type("struct task_struct");
  const init = types.variable("init_task");
  const seen = new Set<bigint>();
  const leaders = collect(init.get("tasks").list(taskType, "tasks"), (leader) => {
    if (seen.has(leader.address) || seen.size > MAX_TASKS) return undefined;
    seen.add(leader.address);
    return leader;
  });
  const tasks: GuestTask[] = [];
  for (const leader of leaders) {
    tasks.push(readTask(leader));
    // Threads hang on the list of the process's signal struct (since 6.7 alone there).
    const signal = leader.get("signal");
    if (!signal.has("thread_head") || signal.pointer() === 0n) continue;
    for (const thread of signal.get("thread_head").list(taskType, "thread_node")) {
      if (seen.has(thread.address) || seen.size > MAX_TASKS) continue;
      seen.add(thread.address);
      tasks.push(readTask(thread));
    }
  }
  return tasks;
}

function readTask(task: TypedValue): GuestTask {
  const parent = task.get("real_parent");
  return {
    pid: task.get("pid").number(),
    tgid: task.get("tgid").number(),
    parentPid: parent.pointer() === 0n ? 0 : parent.get("tgid").number(),
    comm: task.get("comm").text(),
    state: stateOf(task),
    kernel: (task.get("flags").number() & PF_KTHREAD) !== 0,
    cpu: cpuOf(task),
    address: task.address,
  };
}

function stateOf(task: TypedValue): TaskState {
  // Called `state` before 5.14.
  const state = task.get(task.has("__state") ? "__state" : "state").number();
  const exit = task.get("exit_state").number();
  if (exit & EXIT_ZOMBIE) return "zombie";
  if (exit & EXIT_DEAD || state & TASK_DEAD) return "dead";
  if ((state & TASK_IDLE) === TASK_IDLE) return "idle";
  if (state === 0) return "running";
  if (state & TASK_INTERRUPTIBLE) return "sleeping";
  if (state & TASK_UNINTERRUPTIBLE) return "disk sleep";
  if (state & TASK_STOPPED) return "stopped";
  if (state & TASK_TRACED) return "traced";
  if (state & TASK_PARKED) return "parked";
  return "unknown";
}

/** It moved from the task to its thread info and back, by version and architecture. */
function cpuOf(task: TypedValue): number | undefined {
  if (task.has("thread_info") && task.get("thread_info").has("cpu")) {
    return task.get("thread_info").get("cpu").number();
  }
  return task.has("cpu") ? task.get("cpu").number() : undefined;
}
