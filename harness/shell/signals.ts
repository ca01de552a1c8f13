/** Signals by number, as Linux has them on every architecture this project knows (signal(7)). */
const NAMES =
  ("HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU " +
    "URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS").split(" ");

/** The signal that an exit code stands for by the convention of shells (128 + n), if it is one. */
export function signalOf(code: number): string | undefined {
  const name = NAMES[code - 129];
  return name && `SIG${name}`;
}
