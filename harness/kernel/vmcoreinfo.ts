/**
 * VMCOREINFO: what a kernel tells those who look at its memory from outside: offsets and sizes of a few structs,
 * addresses of a few symbols. Linux `kernel/vmcore_info.c` and
 * `Documentation/admin-guide/kdump/vmcoreinfo.rst`: lines of text such as `OFFSET(prb_desc.state_var)=0`.
 */

const MAX_LINES = 4096;

/** What its lines say. */
export class VmcoreInfo {
  readonly #entries = new Map<string, string>();

  /** Reads the text; lines that are none of its are passed over. */
  constructor(text: string) {
    for (const line of text.split("\n", MAX_LINES)) {
      const equals = line.indexOf("=");
      if (equals > 0) this.#entries.set(line.slice(0, equals), line.slice(equals + 1));
    }
  }

  /** Bytes from the beginning of a struct to a member: `printk_info.ts_nsec`. */
  offset(member: string): number | undefined {
    return this.#decimal(`OFFSET(${member})`);
  }

  /** Bytes of a struct. */
  size(struct: string): number | undefined {
    return this.#decimal(`SIZE(${struct})`);
  }

  /** The address of a symbol. */
  symbol(name: string): bigint | undefined {
    const value = this.#entries.get(`SYMBOL(${name})`);
    return value !== undefined && /^[0-9a-f]{1,16}$/.test(value) ? BigInt(`0x${value}`) : undefined;
  }

  #decimal(key: string): number | undefined {
    const value = this.#entries.get(key);
    return value !== undefined && /^\d{1,6}$/.test(value) ? Number(value) : undefined;
  }
}
