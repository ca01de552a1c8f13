/**
 * Takes large pages of memory from the host before they are used, by a thread of machine code. Where the host is
 * itself a virtual machine, the first touch of one takes milliseconds: a machine that boots touches a hundred
 * megabytes, and would wait for a quarter of its time.
 *
 * Pages are only asked for, never written to: what is at an address by the time its turn comes is as it was before.
 */
import { ALU_ADD, ALU_AND, ALU_CMP, Assembler } from "../../core/translator/host/x64/assembler.ts";
import { CC_NE, R10, RAX, RBX, RDI, RDX, RSI } from "../../core/translator/host/x64/registers.ts";
import { LARGE_PAGE_SIZE, PAGE_SIZE } from "../../core/memory.ts";
import { allocateCode } from "./memory.ts";
import { FUTEX_WAIT_PRIVATE, FutexWords, startThread, SYS_FUTEX } from "./threads.ts";

// Linux, <asm/unistd_64.h>, <linux/sched.h> and <asm-generic/mman.h>
const SYS_MADVISE = 28, SYS_SCHED_SETSCHEDULER = 144;
const SCHED_BATCH = 3;
const MADV_POPULATE_WRITE = 23, MADV_COLLAPSE = 25;

// Words by which the thread is told what to do: how many pages it was asked for and has taken, and where they are, two
// words each.
const ASKED = 0, TAKEN = 1, PLACES = 2;
/** Most pages that are asked for at a time; a power of two. */
const MOST = 64;

/** The thread and its words; undefined where the host refuses one. */
let words: FutexWords | undefined;
let isRefused = false;

/**
 * Has the large pages that lie wholly between two host addresses taken soon, the last first: whoever begins to use them
 * takes the others himself.
 */
export function takeLargePages(from: number, to: number): void {
  const first = Math.ceil(from / LARGE_PAGE_SIZE), end = Math.floor(to / LARGE_PAGE_SIZE);
  if (first >= end || isRefused) return;
  try {
    words ??= startTaker();
  } catch {
    isRefused = true; // it is a favour, not a need
    return;
  }
  const shared = words.words;
  let asked = shared[ASKED];
  for (let page = end - 1; page >= first && asked - Atomics.load(shared, TAKEN) < MOST; page--) {
    const place = PLACES + 2 * (asked & (MOST - 1)), address = page * LARGE_PAGE_SIZE;
    shared[place] = address | 0;
    shared[place + 1] = Math.floor(address / 2 ** 32);
    Atomics.store(shared, ASKED, asked = (asked + 1) | 0);
  }
  words.wake(ASKED);
}

/** Starts the thread, which stays for as long as the process. */
function startTaker(): FutexWords {
  const shared = new FutexWords();
  const { buffer, address } = allocateCode(PAGE_SIZE, "go without");
  emitTaker(new Assembler(new Uint8Array(buffer), address));
  startThread(address, shared.address);
  return shared;
}

/** Emits the thread's code. In rbx: the words' address. */
function emitTaker(asm: Assembler): void {
  asm.movRR(1, RBX, RDI);
  // When this thread wakes it shall not take the processor from one that runs a guest.
  asm.movImm(RDI, 0, 0); // itself
  asm.movImm(RSI, SCHED_BATCH, 0);
  asm.lea(1, RDX, RBX, 4 * TAKEN); // the only priority there is: 0
  systemCall(asm, SYS_SCHED_SETSCHEDULER);
  const again = asm.pos;
  asm.load(0, RAX, RBX, 4 * TAKEN);
  asm.aluMem(ALU_CMP, 0, RAX, RBX, 4 * ASKED);
  const asked = asm.jcc(CC_NE);
  asm.lea(1, RDI, RBX, 4 * ASKED);
  asm.movImm(RSI, FUTEX_WAIT_PRIVATE, 0);
  asm.movRR(0, RDX, RAX);
  asm.movImm(R10, 0, 0); // for as long as it takes
  systemCall(asm, SYS_FUTEX);
  asm.jmpTo(again);

  asm.bind(asked);
  asm.aluImm(ALU_AND, 0, RAX, MOST - 1);
  asm.leaScaled(RDI, RBX, RAX, 3);
  asm.load(1, RDI, RDI, 4 * PLACES);
  // A file in memory needs a page there before a large one is made of it; elsewhere this takes the large one.
  advise(asm, PAGE_SIZE, MADV_POPULATE_WRITE);
  advise(asm, LARGE_PAGE_SIZE, MADV_COLLAPSE);
  asm.aluMemImm(ALU_ADD, 0, RBX, 4 * TAKEN, 1);
  asm.jmpTo(again);
}

/** Emits advice to the kernel on memory at the address in rdi, which system calls keep. */
function advise(asm: Assembler, bytes: number, advice: number): void {
  asm.movImm(RSI, bytes, 0);
  asm.movImm(RDX, advice, 0);
  systemCall(asm, SYS_MADVISE);
}

function systemCall(asm: Assembler, number: number): void {
  asm.movImm(RAX, number, 0);
  asm.byte(0x0f);
  asm.byte(0x05);
}
