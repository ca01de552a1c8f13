/**
 * Tells commands for which a shell of their own would change nothing: a program's name and arguments, all of them
 * plain words. The shell that would start that shell runs them itself, which takes half the time. (GNU make does the
 * same with its recipes, by the same two rules: no character that means something to a shell, and no word that does.)
 *
 * Who looks for a difference finds: in busybox, that SHLVL is less by one, that SIGQUIT is not ignored, and that programs
 * which are part of its shell have the terminal of the server among their files; in bash, that it calls itself "main"
 * where it complains of a file that it cannot execute.
 */

/** No shell expands, splits or redirects anything in these, nor takes the first for an option of its own. */
const PLAIN = /^\w[\w+.-]*(?: +[\w@%+=:,./-]+)*$/;

/**
 * What a shell has built in, or reserves, and what would tell or change something of the shell it runs in, or
 * complain in its name. POSIX, 2.4 and 2.14, and what ash, dash and bash have beside it; but not `true`, `false` and
 * `echo`, which do nothing of the kind.
 */
const SHELL_WORDS = new Set(
  (". : alias bg bind break builtin caller case cd chdir command compgen complete compopt continue coproc declare " +
    "dirs disown do done elif else enable esac eval exec exit export fc fg fi for function getopts hash help " +
    "history if in jobs kill let local logout mapfile popd printf pushd pwd read readarray readonly return select set " +
    "shift shopt source suspend test then time times trap type typeset ulimit umask unalias unset until wait while")
    .split(" "),
);

/**
 * The words of a command that is plain; undefined where it takes a shell. Names of one letter are left to a shell:
 * so short are the names of the server's own functions.
 */
export function plainWords(command: string): readonly string[] | undefined {
  if (!PLAIN.test(command)) return undefined;
  const words = command.split(/ +/);
  const [name] = words;
  return name.length > 1 && !SHELL_WORDS.has(name) ? words : undefined;
}
