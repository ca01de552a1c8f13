import { assertEquals } from "@std/assert";
import { plainWords } from "../../../harness/shell/plain_command.ts";

Deno.test("a program and its arguments are plain", () => {
  assertEquals(plainWords("true"), ["true"]);
  assertEquals(plainWords("uname -r"), ["uname", "-r"]);
  assertEquals(plainWords("mount  -t proc proc /proc"), ["mount", "-t", "proc", "proc", "/proc"]);
  assertEquals(plainWords("dd if=/dev/zero of=/tmp/x count=1"), [
    "dd",
    "if=/dev/zero",
    "of=/tmp/x",
    "count=1",
  ]);
});

Deno.test("what a shell would expand, split, redirect or assign is not", () => {
  for (
    const command of [
      ...["", " ", " true", "true ", "a;b", "a&", "a|b", "a>b", "a<b", "(a)", "echo $x", "echo `a`", "ls *"],
      ...["ls ?", "ls [a]", "echo ~", "echo a#", "echo 'a'", 'echo "a"', "echo \\a", "a\nb", "a\tb", "! a"],
      ...["A=b true", "{ a", "echo {a}", "echo ü", "echo a^b"],
    ]
  ) assertEquals(plainWords(command), undefined, JSON.stringify(command));
});

Deno.test("what belongs to a shell is not, nor what might be a path or a function of the server's", () => {
  for (
    const command of [
      ...[
        "exit 3",
        "set",
        "trap",
        "cd /tmp",
        "export",
        "if",
        "done",
        "kill -9 1",
        "type ls",
        "exec ls",
        "wait",
      ],
      ...[". script", "times", "command -v ls", "r", "m x", "w", "/bin/true", "./script", "jobs", "read x"],
      ...["pwd", "-x", "+e", "--", "%1", "@a", ",", ":", "busy:box"],
    ]
  ) assertEquals(plainWords(command), undefined, command);
});
