/**
 * Boots a guest in a fresh process, where nothing is warm yet, and prints the engine's counters as JSON.
 * Arguments: architecture, kernel, initrd, kernel command line, the text that says it has booted.
 */
import { type Arch, boot, guest } from "../mod.ts";

const [arch, kernel, initrd, append, booted] = Deno.args;
await using vm = await boot({ arch: arch as Arch, kernel, initrd, append, memory: "512M" });
await vm.console.waitFor(booted, { within: guest("1h") });
console.log(JSON.stringify({ instructions: vm.instructions, ...vm.statistics }));
