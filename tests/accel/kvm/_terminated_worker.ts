/**
 * Terminates a worker whose machine spins, and says "ended" once its vCPUs' threads use no more processor time:
 * a program for `ends_test.ts`.
 */

/** Processor time of the process in clock ticks (proc(5): the 14th and 15th field of `stat`). */
function ticks(): number {
  const fields = Deno.readTextFileSync("/proc/self/stat").replace(/^.*\) /, "").split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const worker = new Worker(new URL("./_spinning_machine.ts", import.meta.url), { type: "module" });
await new Promise((resolve) => worker.onmessage = resolve);
console.log("spinning");
await sleep(100);
worker.terminate();
const deadline = performance.now() + 10_000;
let idle = false;
while (!idle && performance.now() < deadline) {
  const before = ticks();
  await sleep(300);
  // Two vCPUs that spun on would use 30 ticks each.
  idle = ticks() - before < 6;
}
console.log(idle ? "ended" : "still running");
Deno.exit(0);
