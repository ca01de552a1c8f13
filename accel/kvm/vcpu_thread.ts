/**
 * The thread of one vCPU (all vCPUs but the first have one), in machine code: a thread of JavaScript would cost
 * megabytes, tens of milliseconds to start, and as long as a guest's exit to look up. It runs its vCPU while it may
 * and hands every exit to the machine's thread, where the devices are:
 *
 *     machine's thread                    this thread
 *     COMMAND = RUN, wake         →       KVM_RUN …
 *     …                                   … needs a device: STATUS = EXITED, kick the machine's thread
 *     does it, STATUS = RUNNING   →       KVM_RUN …
 *     COMMAND = HOLD, kick        →       … interrupted: STATUS = HOLDING
 *
 * It stops by itself when it has not seen the machine's thread do anything for a second, and so cannot run on
 * without it, however that ended: a vCPU that runs is always under a timer.
 *
 * Registers: rbx the thread's words, r12 its `kvm_run`, r13 the machine's words, r14 the first vCPU's `kvm_run`,
 * r15d the heartbeat that was seen last, ebp how often it was the same. Errors are as the kernel gives them:
 * `-errno` in rax.
 */
import { ALU_ADD, ALU_CMP, ALU_XOR, Assembler } from "../../core/translator/host/x64/assembler.ts";
import {
  CC_E,
  CC_L,
  CC_NE,
  R10,
  R12,
  R13,
  R14,
  R15,
  RAX,
  RBP,
  RBX,
  RCX,
  RDI,
  RDX,
  RSI,
} from "../../core/translator/host/x64/registers.ts";
import { PAGE_SIZE } from "../../core/memory.ts";
import { allocateCode } from "../ffi/memory.ts";
import { KICK_SIGNAL } from "../ffi/posix.ts";
import { ERRNO, IOCTL, LIBC, STRUCTS, SYS } from "./abi/table.ts";
import {
  ATTENTION,
  COMMAND,
  COMMAND_HOLD,
  COMMAND_QUIT,
  COMMAND_RUN,
  COMPLETES,
  DESCRIPTOR,
  HEARTBEAT,
  MAIN_RUN_ADDRESS,
  MAIN_THREAD,
  PROCESS,
  RUN_ADDRESS,
  SHARED_ADDRESS,
  STATUS,
  STATUS_EXITED,
  STATUS_FAILED,
  STATUS_GONE,
  STATUS_HOLDING,
  STATUS_RUNNING,
  THREAD,
  THREAD_ERRNO,
  TIMER,
  TIMER_ARMED,
  TIMER_DISARMED,
  TIMER_EVENT,
} from "./thread_words.ts";

/** How often in a row the timer may find the machine's thread silent. */
const MOST_SILENCES = 4;

const IMMEDIATE_EXIT = STRUCTS.kvm_run.fields.immediate_exit[0];
const SAVED = [RBX, RBP, R12, R13, R14, R15];

let address: number | undefined;

/** Where the code is. It stays for as long as the process: threads may be in it. */
export function vcpuThreadCode(): number {
  if (address === undefined) {
    const { buffer, address: base } = allocateCode(PAGE_SIZE, "give the machine one vCPU on this host");
    address = base + new ThreadCode(new Assembler(new Uint8Array(buffer), base)).emit();
  }
  return address;
}

/** Emits the code. Routines are called with `call`, and keep all registers but what system calls change. */
class ThreadCode {
  constructor(private readonly asm: Assembler) {}

  /** Gives the position of the beginning. */
  emit(): number {
    const report = this.#report();
    const setTimer = this.#setTimer();
    const enter = this.#enter();
    const callMain = this.#callMain();
    const serve = this.#serve(report, callMain);
    const { asm } = this;
    const start = asm.pos;
    for (const register of SAVED) asm.push(register);
    asm.movRR(1, RBX, RDI);
    asm.load(1, R12, RBX, RUN_ADDRESS);
    asm.load(1, R13, RBX, SHARED_ADDRESS);
    asm.load(1, R14, RBX, MAIN_RUN_ADDRESS);
    this.#systemCall(SYS.gettid);
    asm.store(0, RBX, 4 * THREAD, RAX);
    asm.store(0, RBX, TIMER_EVENT + STRUCTS.sigevent.fields["_sigev_un._tid"][0], RAX);
    asm.movImm(RDI, LIBC.CLOCK_MONOTONIC, 0);
    asm.lea(1, RSI, RBX, TIMER_EVENT);
    asm.lea(1, RDX, RBX, 4 * TIMER);
    this.#systemCall(SYS.timer_create);
    asm.test(1, RAX, RAX);
    const failures = [asm.jcc(CC_NE)];

    // Told to hold, or just begun. Whoever waits for it need not wait for the timer.
    const hold = asm.pos;
    asm.movImm(RCX, STATUS_HOLDING, 0);
    asm.callTo(report);
    asm.lea(1, RDX, RBX, TIMER_DISARMED);
    asm.callTo(setTimer);
    const obey = asm.pos;
    asm.load(0, RAX, RBX, 4 * COMMAND);
    asm.aluImm(ALU_CMP, 0, RAX, COMMAND_QUIT);
    const quits = asm.jcc(CC_E);
    asm.aluImm(ALU_CMP, 0, RAX, COMMAND_RUN);
    const runs = asm.jcc(CC_E);
    this.#wait(COMMAND);
    asm.jmpTo(obey);

    asm.bind(runs);
    asm.storeImm(0, RBX, 4 * STATUS, STATUS_RUNNING);
    asm.load(0, R15, R13, 4 * HEARTBEAT);
    asm.alu(ALU_XOR, 0, RBP, RBP);
    const arm = asm.pos;
    asm.lea(1, RDX, RBX, TIMER_ARMED);
    asm.callTo(setTimer);
    const run = asm.pos;
    asm.storeSizedImm(1, R12, -1, IMMEDIATE_EXIT, 0);
    // The command is read after that is seen by all: a kick at this moment would be undone otherwise.
    this.#fence();
    asm.aluMemImm(ALU_CMP, 0, RBX, 4 * COMMAND, COMMAND_RUN);
    const stops = asm.jcc(CC_NE);
    asm.callTo(enter);
    asm.test(1, RAX, RAX);
    const interrupted = asm.jcc(CC_L);
    asm.callTo(serve);
    asm.jmpTo(run);

    asm.bind(interrupted);
    failures.push(this.#unlessInterrupted());
    asm.storeImm(0, RBX, 4 * COMPLETES, 0);
    asm.aluMemImm(ALU_CMP, 0, RBX, 4 * COMMAND, COMMAND_RUN);
    asm.jccTo(CC_NE, hold);
    asm.load(0, RAX, R13, 4 * HEARTBEAT);
    asm.alu(ALU_CMP, 0, RAX, R15);
    const silent = asm.jcc(CC_E);
    asm.movRR(0, R15, RAX);
    asm.alu(ALU_XOR, 0, RBP, RBP);
    asm.jmpTo(arm);
    asm.bind(silent);
    asm.aluImm(ALU_ADD, 0, RBP, 1);
    asm.aluImm(ALU_CMP, 0, RBP, MOST_SILENCES);
    asm.jccTo(CC_L, arm);
    // Nobody is there to tell it to: it tells itself, unless somebody has said something else.
    asm.movImm(RAX, COMMAND_RUN, 0);
    asm.movImm(RCX, COMMAND_HOLD, 0);
    this.#exchangeCommand();
    asm.jmpTo(arm);

    // What an exit gave is only in the vCPU's registers once it was entered again.
    asm.bind(stops);
    const complete = asm.pos;
    asm.aluMemImm(ALU_CMP, 0, RBX, 4 * COMPLETES, 0);
    asm.jccTo(CC_E, hold);
    asm.storeSizedImm(1, R12, -1, IMMEDIATE_EXIT, 1);
    asm.callTo(enter);
    asm.test(1, RAX, RAX);
    const completed = asm.jcc(CC_L);
    asm.callTo(serve);
    asm.jmpTo(complete);
    asm.bind(completed);
    failures.push(this.#unlessInterrupted());
    asm.storeImm(0, RBX, 4 * COMPLETES, 0);
    asm.jmpTo(hold);

    for (const failure of failures) asm.bind(failure);
    asm.group3(NEGATE, 0, RAX);
    asm.store(0, RBX, 4 * THREAD_ERRNO, RAX);
    this.#deleteTimer();
    asm.movImm(RCX, STATUS_FAILED, 0);
    asm.callTo(report);
    asm.callTo(callMain);
    this.#end();

    asm.bind(quits);
    this.#deleteTimer();
    asm.movImm(RCX, STATUS_GONE, 0);
    asm.callTo(report);
    this.#end();
    return start;
  }

  /** STATUS = ecx, and who waits for it is woken. */
  #report(): number {
    const { asm } = this, at = asm.pos;
    asm.store(0, RBX, 4 * STATUS, RCX);
    asm.lea(1, RDI, RBX, 4 * STATUS);
    this.#wake();
    asm.ret();
    return at;
  }

  /** Sets the timer by the structure at rdx. */
  #setTimer(): number {
    const { asm } = this, at = asm.pos;
    asm.load(0, RDI, RBX, 4 * TIMER);
    asm.movImm(RSI, 0, 0);
    asm.movImm(R10, 0, 0);
    this.#systemCall(SYS.timer_settime);
    asm.ret();
    return at;
  }

  /** KVM_RUN. */
  #enter(): number {
    const { asm } = this, at = asm.pos;
    asm.load(0, RDI, RBX, 4 * DESCRIPTOR);
    asm.movImm(RSI, IOCTL.RUN, 0);
    asm.movImm(RDX, 0, 0);
    this.#systemCall(SYS.ioctl);
    asm.ret();
    return at;
  }

  /** Has the machine's thread look up, whether it runs its vCPU or waits. An error in rax when it is gone. */
  #callMain(): number {
    const { asm } = this, at = asm.pos;
    this.#lock();
    asm.aluMemImm(ALU_ADD, 0, R13, 4 * ATTENTION, 1);
    asm.lea(1, RDI, R13, 4 * ATTENTION);
    this.#wake();
    asm.storeSizedImm(1, R14, -1, IMMEDIATE_EXIT, 1);
    asm.load(0, RDI, RBX, 4 * PROCESS);
    asm.load(0, RSI, RBX, 4 * MAIN_THREAD);
    asm.movImm(RDX, KICK_SIGNAL, 0);
    this.#systemCall(SYS.tgkill);
    asm.ret();
    return at;
  }

  /** Has an exit served by the machine's thread; ends the thread when that is gone. */
  #serve(report: number, callMain: number): number {
    const { asm } = this, at = asm.pos;
    asm.storeImm(0, RBX, 4 * COMPLETES, 1);
    asm.movImm(RCX, STATUS_EXITED, 0);
    asm.callTo(report);
    asm.callTo(callMain);
    asm.test(1, RAX, RAX);
    const gone = asm.jcc(CC_L);
    const wait = asm.pos;
    asm.load(0, RAX, RBX, 4 * STATUS);
    asm.aluImm(ALU_CMP, 0, RAX, STATUS_EXITED);
    const served = asm.jcc(CC_NE);
    this.#wait(STATUS);
    asm.jmpTo(wait);
    asm.bind(served);
    asm.ret();
    asm.bind(gone);
    asm.pop(RAX); // the return address
    this.#deleteTimer();
    this.#end();
    return at;
  }

  /** Jumps, to be bound, where rax is another error than an interruption. (EAGAIN: a vCPU that waited was woken.) */
  #unlessInterrupted(): number {
    const { asm } = this;
    asm.aluImm(ALU_CMP, 1, RAX, -ERRNO.EINTR);
    const isSignal = asm.jcc(CC_E);
    asm.aluImm(ALU_CMP, 1, RAX, -ERRNO.EAGAIN);
    const other = asm.jcc(CC_NE);
    asm.bind(isSignal);
    return other;
  }

  /** Waits while one of the thread's words is eax. */
  #wait(word: number): void {
    const { asm } = this;
    asm.lea(1, RDI, RBX, 4 * word);
    asm.movImm(RSI, LIBC.FUTEX_WAIT_PRIVATE, 0);
    asm.movRR(0, RDX, RAX);
    asm.movImm(R10, 0, 0);
    this.#systemCall(SYS.futex);
  }

  /** Wakes who waits for the word at rdi. */
  #wake(): void {
    this.asm.movImm(RSI, LIBC.FUTEX_WAKE_PRIVATE, 0);
    this.asm.movImm(RDX, 1, 0);
    this.#systemCall(SYS.futex);
  }

  #deleteTimer(): void {
    this.asm.load(0, RDI, RBX, 4 * TIMER);
    this.#systemCall(SYS.timer_delete);
  }

  /** Returns from the thread. */
  #end(): void {
    for (const register of SAVED.toReversed()) this.asm.pop(register);
    this.asm.ret();
  }

  /** A system call by the kernel's convention: arguments in rdi, rsi, rdx, r10; rcx and r11 are lost. */
  #systemCall(number: number): void {
    this.asm.movImm(RAX, number, 0);
    this.asm.byte(0x0f);
    this.asm.byte(0x05);
  }

  /** mfence */
  #fence(): void {
    for (const byte of [0x0f, 0xae, 0xf0]) this.asm.byte(byte);
  }

  /** Makes the next instruction's access to memory atomic. */
  #lock(): void {
    this.asm.byte(0xf0);
  }

  /** lock cmpxchg [rbx + COMMAND], ecx */
  #exchangeCommand(): void {
    this.#lock();
    for (const byte of [0x0f, 0xb1, 0x4b, 4 * COMMAND]) this.asm.byte(byte);
  }
}

/** The third group's operation. */
const NEGATE = 3;
