/** Prints how much memory a process with one machine takes, as `bench/kvm.ts` wants it of a fresh one. */
import { BareMachine } from "../tests/support/x86_machine.ts";

const GUEST_BYTES = 512 << 20;
/** out 0xe9, al; 1: jmp 1b */
const CODE = [0xe6, 0xe9, 0xeb, 0xfe];

/** Resident MiB of this process with one machine that runs, without the guest's memory. */
function residentMib(): number {
  using guest = new BareMachine({ code: CODE, ramBytes: GUEST_BYTES });
  guest.run(100e6);
  const { hostAddress } = guest.machine.ram;
  const smaps = Deno.readTextFileSync("/proc/self/smaps").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const own = smaps.find((map) => {
    const [from, to] = map.split(" ", 1)[0].split("-").map((word) => parseInt(word, 16));
    return from <= hostAddress && hostAddress < to;
  });
  const guestKib = Number(/^Rss:\s+(\d+)/m.exec(own ?? "")?.[1] ?? 0);
  return Deno.memoryUsage().rss / 2 ** 20 - guestKib / 1024;
}

console.log(residentMib());
