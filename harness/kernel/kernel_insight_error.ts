/** What prevents a look inside the guest's kernel. */
import { BootwrightError } from "../errors.ts";

/** The kernel, or what of it was asked for, cannot be read; the message says what is missing and what still works. */
export class KernelInsightError extends BootwrightError {
  /** The name of the class. */
  override name = "KernelInsightError";
  /** The guest's matter. */
  readonly verdict = "guest";
}
