/** The loaded modules of a Linux guest. */
import type { TypedValue } from "./btf/typed_value.ts";
import { collect, type KernelTypes } from "./types.ts";

/** What a module is doing. */
export type ModuleState = "live" | "coming" | "going" | "unformed";

/** One module. */
export interface GuestModule {
  /** As `lsmod` names it. */
  readonly name: string;
  /** Bytes it takes in memory. */
  readonly size: number;
  /** What it is doing. */
  readonly state: ModuleState;
  /** Users, itself not counted. */
  readonly refs: number;
  /** Address of its code. */
  readonly address: bigint;
}

const STATES: Readonly<Record<string, ModuleState>> = {
  MODULE_STATE_LIVE: "live",
  MODULE_STATE_COMING: "coming",
  MODULE_STATE_GOING: "going",
  MODULE_STATE_UNFORMED: "unformed",
};
/** References that a loaded module has by itself (`kernel/module/main.c`, MODULE_REF_BASE). */
const REF_BASE = 1;

/** Every module, the latest first, as `lsmod` lists them. */
export function readModules(types: KernelTypes): GuestModule[] {
  return collect(types.list("modules", "struct module", "list"), (module) => {
    const [address, size] = layoutOf(module);
    return {
      name: module.get("name").text(),
      size,
      state: STATES[String(module.get("state").value())] ?? "unformed",
      refs: Math.max(0, module.get("refcnt").get("counter").number() - REF_BASE),
      address,
    };
  });
}

/** Address and size: of parts by kind of memory since 6.4, of core and init layouts before. */
function layoutOf(module: TypedValue): [bigint, number] {
  if (!module.has("mem")) {
    const core = module.get("core_layout");
    return [core.get("base").pointer(), core.get("size").number()];
  }
  const parts = module.get("mem");
  let size = 0;
  // Those of initialisation come last and are freed after it.
  const count = parts.size / parts.index(0).size;
  for (let i = 0; i < count; i++) size += parts.index(i).get("size").number();
  return [parts.index(0).get("base").pointer(), size];
}
