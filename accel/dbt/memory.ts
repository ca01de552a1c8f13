/** The memory that the translator works in: where it is taken from the host. */
import type { CodeMemory } from "../../core/translator/backend.ts";
import { allocateCode } from "../ffi/memory.ts";

const CODE_BYTES = 96 << 20;
const DATA_BYTES = 16 << 20;

/**
 * Takes addresses; the host gives memory as it is used.
 *
 * @param codeBytes Bytes for generated code.
 * @throws {MemoryError} where the host refuses them.
 */
export function allocateCodeMemory(codeBytes = CODE_BYTES): CodeMemory {
  const code = allocateCode(codeBytes);
  try {
    return { code, data: allocateCode(DATA_BYTES) };
  } catch (error) {
    code.free();
    throw error;
  }
}

/** Gives it back. */
export function freeCodeMemory({ code, data }: CodeMemory): void {
  code.free();
  data.free();
}
