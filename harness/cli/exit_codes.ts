/** Exit codes, by whose fault it was. */
export const EXIT_CODES = {
  /** Everything went as asked. */
  success: 0,
  /** The guest failed an expectation, crashed or did not power off. */
  guest: 1,
  /** Bad usage or input. */
  usage: 2,
  /** The host lacks something. */
  host: 3,
  /** The watchdog on wall time struck. */
  watchdog: 124,
} as const;
