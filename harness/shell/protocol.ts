/**
 * How shell commands run on a second serial line, with nothing in the guest but a POSIX `sh`, `cat`, `stty` and
 * `setsid` (busybox and Debian have them): no agent, no file, no writable folder.
 *
 * Towards the guest go lines of shell code. A shell reads them from the line, which is raw, so neither length
 * nor control characters matter, and nothing is echoed. Towards the host comes what a command prints, byte for
 * byte, with marks in between (`frames.ts`): record separator, a prefix that belongs to the session, a nonce that
 * belongs to the command, a letter, a number, ";". No command can know its nonce, so none can print a mark.
 *
 * The processes in the guest:
 *
 *     guard    started by the launcher line typed on the console; starts a new keeper when one has died
 *     keeper   opens the line and makes it raw; its session has the line as controlling terminal
 *     server   reads the lines of code and never waits for a command, so that it can always be spoken to
 *     pumps    two `cat`, one from the pipe that is every command's stdout, one from that of stderr, to the line
 *     runner   one per command, leader of its process group: waits for it and reports its exit code
 *
 * Only one pump runs at a time; that tells the streams apart. To change over, the server stops the one, writes a
 * mark to the line itself and lets the other go on. Linux serializes writers of a terminal by a lock that a
 * process with a pending signal does not get (`drivers/tty/tty_io.c`, tty_write_lock), so the mark is a true
 * border. The host asks for a change when a stream has ended or been silent for a while, or has had its turn;
 * a command that writes 10 MB to each waits for its reader meanwhile, as with any pipe.
 *
 * An example. The host sends
 *
 *     r 4fe012 'echo hi; echo oh >&2'
 *
 * and receives, where <X> stands for a mark with letter (and number) X, and stdout happens to follow:
 *
 *     hi\n <x0>
 *
 * The exit code is 0, and stdout has ended. The host sends `e` and receives the rest:
 *
 *     <e> oh\n <y>
 *
 * A command of plain words comes as such, `p 4fe012 uname -r`, and the runner runs it without another shell
 * (`plain_command.ts`).
 *
 * The next command begins with stderr, which spares a change. Where other processes may have printed since the
 * last command, it begins differently: the server lets both pumps run, sends marks a and b through the pipes
 * (what comes before them is somebody else's) and then has stdout follow, <o>.
 *
 * Code longer than the guest's terminal layer surely holds goes in pieces, each of which is acknowledged; so
 * does standard input, as formats of the shell's built-in `printf`.
 *
 * What can go wrong: a command that is not over in time is killed with its process group. The server is asked
 * now and then how the runner is: that it was killed (`kill -9 $PPID`) is noticed, and that it was stopped, as
 * happens when its command reads or writes the line as its terminal. Should the server itself be killed, the
 * guard starts over. Background processes that a command leaves behind keep its pipes open; the next command
 * gets new ones, and what those processes print later is discarded.
 */
import { MARK_BYTE, NONCE_LENGTH, PREFIX_LENGTH } from "./frames.ts";
import { plainWords } from "./plain_command.ts";
import { quote } from "./quoting.ts";

/** Letters of marks. */
export const MARK = {
  /** The keeper has the line. */
  hello: "h",
  /** A pump runs; the number is its process. */
  stdoutPump: "p",
  stderrPump: "q",
  /** The server listens; the number is what it found out about the line. */
  ready: "r",
  /** A piece has been taken; the number says which. */
  piece: "i",
  /** Processes of the last command are left over: the pipes are theirs now. */
  leftover: "l",
  /** What went before in this stream is not the command's. */
  stdoutBegins: "a",
  stderrBegins: "b",
  /** From here on the line carries stdout, stderr. */
  stdoutFollows: "o",
  stderrFollows: "e",
  /** At this time the runner was not there any more, or was stopped. */
  runnerGone: "g",
  runnerStopped: "t",
  /** The command is over; the number is its exit code. */
  stdoutEnds: "x",
  stderrEnds: "y",
} as const;

/** What a server finds out: the line is its own, the kernel prints its messages there, it is another's terminal. */
export const LINE_IS = { free: 0, kernelConsole: 1, taken: 2 } as const;

/** The exit code that stands for a working folder that cannot be entered; no command has it. */
export const NO_FOLDER = 256;
/** The exit code of what SIGKILL ended. */
export const KILLED = 137;
/** What the launcher prints on the console when there is no line. */
export const NO_LINE = "bootwright: no second serial line";

/** A command's streams: none of the server's own but the pipes. */
const REDIRECTIONS = ">&4 2>&5 3>&- 4>&- 5>&-";
const PLAIN = `</dev/null ${REDIRECTIONS}`;

/** A serial line as the guest knows it. */
export interface LineDevice {
  /** The name under `/dev` and `/sys/class/tty`. */
  readonly name: string;
  /** Major and minor number, for guests without `/dev` and `/sys` (Linux `admin-guide/devices.txt`). */
  readonly numbers: readonly [major: number, minor: number];
}

/** Names that nothing in a guest prints by chance, the same in every run of the same test. */
export function sessionName(seed: string, length: number): string {
  let name = "";
  for (let round = 0; name.length < length; round++) name += hash(`${round} bootwright shell ${seed}`);
  return name.slice(0, length);
}

/** FNV-1a of 64 bits, in hexadecimal: spread, not secret. */
function hash(text: string): string {
  let value = 0xcbf29ce484222325n;
  for (let i = 0; i < text.length; i++) {
    value = BigInt.asUintN(64, (value ^ BigInt(text.charCodeAt(i))) * 0x100000001b3n);
  }
  return value.toString(16).padStart(16, "0");
}

/** A session's prefix. */
export function prefixOf(seed: string): string {
  return sessionName(seed, PREFIX_LENGTH);
}

/** A command's nonce. */
export function nonceOf(seed: string): string {
  return sessionName(seed, NONCE_LENGTH);
}

// Variables of the shells in the guest begin with "bw": of what the console's shell has exported, commands get what it
// is worth there, and a nonce in a variable of such a name would be told to all.

const MARK_ESCAPE = `\\0${MARK_BYTE.toString(8)}`;

/** The line to type at a prompt of the console. */
export function launcher(device: LineDevice, prefix: string, nonce: string): string {
  const { name, numbers: [major, minor] } = device;
  const keeper = [
    `[ -c $0 ]||{ IFS=: read bwa bwb </sys/class/tty/${name}/dev||{ bwa=${major};bwb=${minor};};`,
    `mknod $0 c $bwa $bwb;};`,
    `[ -c $0 ]&&exec <>$0&&stty raw -echo tostop 115200&&`,
    `printf "${MARK_ESCAPE}${prefix}${nonce}${MARK.hello};" >&0&&exec sh 3>&0 >/dev/null 2>&1;`,
    // In two halves, so that the echo of this line is not mistaken for it.
    `echo "${NO_LINE.slice(0, 10)}""${NO_LINE.slice(10)}" >&2;exit 9`,
  ].join("");
  const guard = `while setsid sh -c "$0" /dev/${name};bwc=$?;[ $bwc = 0 ]||[ $bwc -gt 128 ];do :;done`;
  // Run in the foreground by a shell with job control, setsid forks and is over at once. In the background of one
  // without, which waits otherwise, it and all it starts ignore SIGINT and SIGQUIT, and nothing in a shell undoes
  // that (POSIX, 2.12 and trap).
  return `bw(){ setsid sh -c '${guard}' '${keeper}' </dev/null >/dev/null;}` +
    `;case $- in *m*)bw;;*)(bw&);;esac;unset -f bw`;
}

/** Makes the pipes, the pumps and the server; for the keeper. */
export function pumpCode(prefix: string, nonce: string): string {
  return [
    // A pump outlives its cat, so that processes left over from a command may go on printing.
    `w(){ trap "" HUP INT QUIT TSTP TTIN TTOU;cat <&7 >&3 7>&- &`,
    ` printf "${MARK_ESCAPE}${prefix}${nonce}$1%d;" $! >&3;wait $!;exec cat <&7 >/dev/null 3>&- 7>&-;}\n`,
    `u(){ { w $1& } 7<&0;}\n`,
    `{ { sh 4>&1 5>&6 6>&- >/dev/null 2>&1|u ${MARK.stdoutPump} 6>&- >/dev/null;} 6>&1|`,
    `u ${MARK.stderrPump} >/dev/null;};exit\n`,
  ].join("");
}

/** Teaches the server its functions. */
export function serverCode(
  device: LineDevice,
  prefix: string,
  nonce: string,
  stdoutPump: number,
  stderrPump: number,
): string {
  const { name } = device;
  return [
    // Plain words: without a shell of their own, unless it is to say that there is no such command. Where one cannot be
    // executed after all, shells tell the line of the function, which is 1 as in a shell that runs nothing else.
    `w(){ (if command -v $1;then "$@" ${PLAIN};else sh -c "$*" ${PLAIN};fi;f $?)& bwy=$!;}`,
    `set -m;bwt=${nonce} bwy= bwo=${stdoutPump} bwe=${stderrPump}`,
    `m(){ printf "${MARK_ESCAPE}${prefix}%s%s;" $bwt $1;}`,
    // The end of a command: its code, through both pipes.
    `f(){ m ${MARK.stdoutEnds}$1 >&4;m ${MARK.stderrEnds} >&5;}`,
    // The beginning. Processes that the last command left behind have the pipes.
    `b(){ bwt=$1;if [ "$bwy" ];then wait $bwy;if kill -0 -$bwy;then m ${MARK.leftover} >&3;return 1;fi;bwy=;fi;}`,
    // Marks through both pipes while both pumps run, so that it cannot block.
    `n(){ kill -CONT $bwo $bwe;m ${MARK.stdoutBegins} >&4;m ${MARK.stderrBegins} >&5`,
    `kill -STOP $bwe;m ${MARK.stdoutFollows} >&3;}`,
    `r(){ b $1&&{ (sh -c -- "$2" ${PLAIN};f $?)& bwy=$!;};}`,
    `p(){ b $1&&{ shift;w "$@";};}`,
    `o(){ kill -STOP $bwe;m ${MARK.stdoutFollows} >&3;kill -CONT $bwo;}`,
    `e(){ kill -STOP $bwo;m ${MARK.stderrFollows} >&3;kill -CONT $bwe;}`,
    // How the runner is: gone (jobs lets the shell notice that), or stopped.
    `q(){ jobs;if kill -0 $bwy;then read -r bwn bwn bwx bwn </proc/$bwy/stat`,
    `[ $bwx = T ]&&m ${MARK.runnerStopped} >&3`,
    `else m ${MARK.runnerGone} >&3;fi;}`,
    `k(){ bwt=$1;kill -9 -$bwy;wait $bwy;bwy=;f ${KILLED}& }`,
    `i(){ bwj=0;while [ $bwj -lt $1 ];do bwj=$((bwj+1));eval "printf \\"\\$bwd$bwj\\"";done;}`,
    `u(){ bwj=0;while [ $bwj -lt $1 ];do bwj=$((bwj+1));unset bwd$bwj;done;}`,
    `z(){ kill -9 $bwo $bwe;exit;}`,
    // Without a controlling terminal there are no process groups.
    `bwn=${LINE_IS.free};case $- in *m*);;*)bwn=${LINE_IS.taken};;esac`,
    `if [ -r /proc/consoles ];then`,
    `while read -r bwx bwj;do [ $bwx = ${name} ]&&bwn=${LINE_IS.kernelConsole};done </proc/consoles`,
    `else read -r bwx </sys/class/tty/console/active`,
    `case " $bwx " in *" ${name} "*)bwn=${LINE_IS.kernelConsole};;esac;fi`,
    `m ${MARK.ready}$bwn >&3\n`,
  ].join("\n");
}

/** A command and its surroundings. */
export interface Job {
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | undefined;
  /** Pieces of standard input that the server holds; 0 for none. */
  readonly stdinPieces: number;
}

/**
 * Runs a command. With `anew`, what came through the pipes before is told apart, and stdout follows; without,
 * the same stream follows as before.
 */
export function jobCode(nonce: string, anew: boolean, { command, env, cwd, stdinPieces }: Job): string {
  const script = quote(command, "A command");
  const names = Object.entries(env);
  if (names.length === 0 && cwd === undefined && stdinPieces === 0) {
    const words = plainWords(command)?.join(" ");
    if (words !== undefined) return anew ? `b ${nonce}&&{ n;w ${words};}\n` : `p ${nonce} ${words}\n`;
    if (!anew) return `r ${nonce} ${script}\n`;
  }
  const settings = names.map(([name, value]) => `${name}=${quote(value, `The variable ${name}`)} `).join("");
  const run = stdinPieces > 0
    ? `i ${stdinPieces}|${settings}sh -c -- ${script} ${REDIRECTIONS};f $?`
    : `${settings}sh -c -- ${script} ${PLAIN};f $?`;
  const inFolder = cwd === undefined
    ? run
    : `if cd -- ${quote(cwd, "A working folder")};then ${run};else f ${NO_FOLDER};fi`;
  const forget = stdinPieces > 0 ? `u ${stdinPieces};` : "";
  return `b ${nonce}&&{ ${anew ? "n;" : ""}(${inFolder})& bwy=$!;${forget}}\n`;
}

/** Lets the other stream follow; with `check`, looks whether the runner still lives. */
export function switchCode(stream: "stdout" | "stderr", check: boolean): string {
  return `${stream === "stdout" ? "o" : "e"}${check ? ";q" : ""}\n`;
}

/** Kills the command under way, if any; what it has printed still comes. */
export function killCode(nonce: string): string {
  return `k ${nonce}\n`;
}

/** Leaves the pipes to those that hold them; the guard starts over. */
export const RETIRE_CODE = "z\n";

/** Takes a piece of code; {@linkcode PIECES_CODE} runs them all. */
export function codePiece(nonce: string, index: number, first: boolean, text: string): string {
  return `${first ? "bwc=" : "bwc=${bwc}"}${quote(text, "A command")};${acknowledge(nonce, index)}`;
}

/** Runs the code that came in pieces. */
export const PIECES_CODE = 'eval "$bwc";bwc=\n';

/** What goes before and after a piece of standard input. */
export function stdinPiece(nonce: string, index: number): [string, string] {
  return [`bwd${index}=`, `;${acknowledge(nonce, index)}`];
}

function acknowledge(nonce: string, index: number): string {
  return `bwt=${nonce};m ${MARK.piece}${index} >&3\n`;
}
