/**
 * Measures the harness on a Debian guest and prints its figures as JSON. Arguments: one of `HARNESS_PARTS`, so that
 * each is measured in a fresh process.
 */
import { debianGuest } from "../fixtures/debian.ts";
import { firstSymbolMs, logMs } from "./insight.ts";
import { matchingRate } from "./matching.ts";
import { shellCosts } from "./shell.ts";
import { watchingRatio } from "./watching.ts";

const debian = debianGuest("riscv64");
if (debian === undefined) throw new Error('There is no Debian guest; "deno task fixtures" fetches it.');

const [part] = Deno.args;
switch (part) {
  case "watching":
    console.log(JSON.stringify({ watching: await watchingRatio(debian) }));
    break;
  case "matching":
    console.log(JSON.stringify({ matching: await matchingRate() }));
    break;
  case "shell": {
    const { roundTripMs } = await shellCosts("riscv64", debian.kernel, debian.initrd, "console=ttyS0 quiet");
    console.log(JSON.stringify({ shell: roundTripMs }));
    break;
  }
  case "symbol":
    console.log(JSON.stringify({ symbol: await firstSymbolMs(debian) }));
    break;
  case "log":
    console.log(JSON.stringify({ log: await logMs(debian) }));
    break;
  default:
    throw new Error(`There is no part "${part}".`);
}
