/**
 * A PC keyboard in a test author's hands. A key's codes are handed over as the guest makes room for them, so that
 * none is lost, and a press is over when the guest has read them all.
 */
import type { KeyboardPort } from "../core/devices/keyboard_port.ts";
import type { Driver, WaitOptions } from "./driver.ts";
import { type BootwrightError, InputError } from "./errors.ts";
import type { VmExit } from "./exit.ts";
import { shorten } from "./format.ts";
import { keyMovements } from "./scan_codes.ts";

/** What a keyboard needs of its machine. */
export interface KeyboardHost {
  readonly driver: Driver;
  /** The error of a wait that ended as `exit` says. */
  failure(wanted: string, exit: VmExit): Promise<BootwrightError>;
  /** Told of what is typed. */
  typed(text: string): void;
  /** Told of each wait that found what it wanted. @throws when the guest has failed meanwhile all the same. */
  passed(wanted: string): void;
}

/** The keyboard of one machine. */
export class Keyboard {
  readonly #host: KeyboardHost;
  readonly #port: KeyboardPort;
  /** Movements of keys that were not sent yet; undefined while nobody types. */
  #pending: (readonly number[])[] | undefined;

  /** Made with the machine. */
  constructor(host: KeyboardHost, port: KeyboardPort) {
    this.#host = host;
    this.#port = port;
    port.onAccess = () => this.#deliver();
  }

  /**
   * Presses a key and lets it go: `"a"`, `"A"`, `"enter"`, `"f5"`, `"ctrl-alt-delete"`. Returns when the guest has
   * read it.
   *
   * @throws {InputError} for a key that is none.
   * @throws {WaitError} when the guest does not read it within the budget.
   */
  async press(key: string, options: WaitOptions = {}): Promise<void> {
    this.#host.driver.assertIdle(options);
    await this.#send(key, keyMovements(key), options);
  }

  /**
   * Types text on a keyboard of the US layout, key after key. `"\n"` is Enter.
   *
   * @throws {InputError} for characters that the layout has no key for.
   * @throws {WaitError} when the guest does not read it all within the budget.
   */
  async type(text: string, options: WaitOptions = {}): Promise<void> {
    this.#host.driver.assertIdle(options);
    if (typeof text !== "string") throw new InputError("type() wants a string.");
    await this.#send(text, [...text].flatMap((character) => keyMovements(character)), options);
  }

  async #send(text: string, movements: (readonly number[])[], options: WaitOptions): Promise<void> {
    const { driver } = this.#host;
    this.#host.typed(text);
    if (movements.length === 0) return;
    driver.revive();
    this.#pending = movements;
    this.#deliver();
    const exit = await driver.advance(() => this.#allRead, options);
    const unread = this.#pending.length;
    this.#pending = undefined;
    const wanted = `the guest to read ${JSON.stringify(shorten(text, 80))} from the keyboard`;
    if (exit) {
      throw await this.#host.failure(
        unread > 0 ? `${wanted} (${unread} movements of keys are left)` : wanted,
        exit,
      );
    }
    this.#host.passed(wanted);
  }

  get #allRead(): boolean {
    return this.#pending?.length === 0 && this.#port.unread === 0;
  }

  #deliver(): void {
    const pending = this.#pending;
    if (!pending) return;
    while (pending.length > 0 && this.#port.sendKey(pending[0])) pending.shift();
    if (this.#allRead) this.#host.driver.stop();
  }
}
