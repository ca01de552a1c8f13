/** A stand-in for the context of a Deno test. */
import type { StepContext } from "../../../harness/ktap/steps.ts";

/** A test context that writes down what its steps did. */
export class Notes implements StepContext {
  /** Every step with what became of it, indented by its depth. */
  readonly lines: string[] = [];
  /** What failed steps said. */
  readonly errors: string[] = [];

  constructor(private readonly depth = 0) {}

  async step(definition: Parameters<StepContext["step"]>[0]): Promise<boolean> {
    const { name, ignore, fn } = definition;
    const inner = new Notes(this.depth + 1);
    const line = this.lines.push("") - 1;
    let outcome = "ignored";
    if (!ignore) {
      outcome = await Promise.resolve(fn(inner)).then(() => "ok", (error) => {
        this.errors.push(error.message);
        return "FAILED";
      });
    }
    this.lines[line] = `${"  ".repeat(this.depth)}${name} ... ${outcome}`;
    this.lines.push(...inner.lines);
    this.errors.push(...inner.errors);
    return outcome === "ok";
  }
}
