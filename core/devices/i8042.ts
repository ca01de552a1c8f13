/**
 * The PC's keyboard controller with a keyboard and no mouse: enough for a kernel to find the keyboard, to
 * read keys, and to reset the machine through it.
 *
 * Registers and commands: IBM PC/AT Technical Reference, "Keyboard Controller"; keyboard commands: PS/2
 * Hardware Interface Technical Reference, "Keyboard".
 */
import type { MachineExit } from "../machine.ts";
import type { Device, InterruptLine } from "./device.ts";
import type { KeyboardPort } from "./keyboard_port.ts";

const DATA = 0;
const STATUS_COMMAND = 4;
/** Bytes of ports, from 0x60 on. */
export const I8042_PORTS = 5;

const STATUS_OUTPUT_FULL = 0x01;
const STATUS_SYSTEM = 0x04;
const STATUS_COMMAND_LAST = 0x08;
const STATUS_NOT_LOCKED = 0x10;

const CONFIG_KEYBOARD_IRQ = 0x01;
const CONFIG_SYSTEM = 0x04;
const CONFIG_KEYBOARD_OFF = 0x10;
const CONFIG_AUX_OFF = 0x20;
const CONFIG_TRANSLATE = 0x40;

const ACKNOWLEDGED = 0xfa;
const RESEND = 0xfe;
const SELF_TEST_PASSED = 0xaa;
/** Bytes waiting for the guest; of more, the newest are lost, as in a real keyboard. */
const QUEUE_BYTES = 16;

/** Everything an {@linkcode I8042} remembers, as plain data. */
export interface I8042State {
  readonly config: number;
  readonly output: number[];
  readonly command: number;
  readonly keyboardCommand: number;
  readonly scanning: boolean;
}

/** A keyboard controller and its keyboard. */
export class I8042 implements Device, KeyboardPort {
  onAccess: () => void = () => {};
  #config = 0;
  readonly #output: number[] = [];
  /** The controller command whose data byte is awaited; 0 for none. */
  #command = 0;
  /** The keyboard command whose data byte is awaited; 0 for none. */
  #keyboardCommand = 0;
  #scanning = true;
  #commandLast = 0;

  /**
   * @param irq The keyboard's interrupt.
   * @param onExit Told when the guest resets the machine.
   */
  constructor(
    private readonly irq: InterruptLine,
    private readonly onExit: (exit: MachineExit) => void,
  ) {
    this.reset();
  }

  get unread(): number {
    return this.#output.length;
  }

  /** Guests see scan code set 1 through the controller's translation of set 2. */
  sendKey(codes: readonly number[]): boolean {
    if (!this.#scanning || this.#config & CONFIG_KEYBOARD_OFF) return false;
    if (this.#output.length + codes.length > QUEUE_BYTES) return false;
    for (const code of codes) this.#put(code);
    return true;
  }

  read(offset: number, size: number): number {
    if (size !== 1) return 0xff;
    if (offset === STATUS_COMMAND) {
      return (this.#output.length > 0 ? STATUS_OUTPUT_FULL : 0) | STATUS_NOT_LOCKED |
        (this.#config & CONFIG_SYSTEM ? STATUS_SYSTEM : 0) | this.#commandLast;
    }
    if (offset !== DATA) return 0;
    const byte = this.#output.shift() ?? 0;
    // An edge for each byte: the 8259 wants to see the line fall in between.
    this.irq.set(false);
    this.#drive();
    this.onAccess();
    return byte;
  }

  write(offset: number, value: number, size: number): void {
    if (size !== 1) return;
    if (offset === STATUS_COMMAND) {
      this.#commandLast = STATUS_COMMAND_LAST;
      this.#controllerCommand(value);
    } else if (offset === DATA) {
      this.#commandLast = 0;
      this.#data(value);
    }
    this.onAccess();
  }

  reset(): void {
    this.#config = CONFIG_KEYBOARD_IRQ | CONFIG_SYSTEM | CONFIG_AUX_OFF | CONFIG_TRANSLATE;
    this.#output.length = 0;
    this.#command = this.#keyboardCommand = this.#commandLast = 0;
    this.#scanning = true;
    this.irq.set(false);
  }

  save(): I8042State {
    return {
      config: this.#config,
      output: [...this.#output],
      command: this.#command,
      keyboardCommand: this.#keyboardCommand,
      scanning: this.#scanning,
    };
  }

  restore(state: I8042State): void {
    this.#config = state.config & 0xff;
    this.#output.splice(0, Infinity, ...state.output.slice(0, QUEUE_BYTES));
    this.#command = state.command & 0xff;
    this.#keyboardCommand = state.keyboardCommand & 0xff;
    this.#scanning = state.scanning;
    this.#drive();
  }

  #controllerCommand(command: number): void {
    switch (command) {
      case 0x20: // read the configuration
        return this.#put(this.#config);
      case 0xaa: // self-test
        return this.#put(0x55);
      case 0xa9: // test of the mouse's port: there is none
        return this.#put(0x01);
      case 0xab: // test of the keyboard's port
        return this.#put(0x00);
      case 0xad:
        this.#config |= CONFIG_KEYBOARD_OFF;
        return;
      case 0xae:
        this.#config &= ~CONFIG_KEYBOARD_OFF;
        return this.#drive();
      case 0x60: // write the configuration
      case 0xd1: // write the output port (A20, reset)
      case 0xd2: // write to the keyboard's output
      case 0xd3:
      case 0xd4: // write to the mouse
        this.#command = command;
        return;
      default: // 0xf0 to 0xff pulse the output port's low bits, of which bit 0 is reset
        if (command >= 0xf0 && !(command & 1)) this.onExit({ kind: "reset" });
    }
  }

  #data(value: number): void {
    const command = this.#command;
    this.#command = 0;
    switch (command) {
      case 0:
        return this.#keyboard(value);
      case 0x60:
        this.#config = value;
        return this.#drive();
      case 0xd1:
        if (!(value & 1)) this.onExit({ kind: "reset" });
        return;
      case 0xd2:
        return this.#put(value);
    }
  }

  /** A command or data byte for the keyboard. */
  #keyboard(value: number): void {
    if (this.#keyboardCommand !== 0) {
      const command = this.#keyboardCommand;
      this.#keyboardCommand = 0;
      this.#put(ACKNOWLEDGED);
      // Asked for the scan code set: 2, which the controller translates.
      if (command === 0xf0 && value === 0) this.#put(2);
      return;
    }
    switch (value) {
      case 0xff: // reset and self-test
        this.#scanning = true;
        this.#put(ACKNOWLEDGED);
        return this.#put(SELF_TEST_PASSED);
      case 0xf2: // identify: an MF2 keyboard, as seen through translation
        this.#put(ACKNOWLEDGED);
        this.#put(0xab);
        return this.#put(this.#config & CONFIG_TRANSLATE ? 0x41 : 0x83);
      case 0xed: // LEDs
      case 0xf0: // scan code set
      case 0xf3: // typematic rate
        this.#keyboardCommand = value;
        return this.#put(ACKNOWLEDGED);
      case 0xf4:
      case 0xf6:
        this.#scanning = true;
        return this.#put(ACKNOWLEDGED);
      case 0xf5:
        this.#scanning = false;
        return this.#put(ACKNOWLEDGED);
      case 0xee: // echo
        return this.#put(0xee);
      default:
        return this.#put(RESEND);
    }
  }

  #put(byte: number): void {
    if (this.#output.length < QUEUE_BYTES) this.#output.push(byte);
    this.#drive();
  }

  #drive(): void {
    this.irq.set(this.#output.length > 0 && (this.#config & CONFIG_KEYBOARD_IRQ) !== 0);
  }
}
