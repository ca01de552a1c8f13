/** Outputs of test suites, written by the rules of the kernel's documentation (ktap, kselftest, kunit) and of TAP. */

/** KUnit at boot: every line by printk, subtests before the result of their suite, one of them parametrized. */
export const KUNIT = `\
[    0.412345] Freeing unused kernel image
[    0.500000] KTAP version 1
[    0.500100] 1..2
[    0.500200]     KTAP version 1
[    0.500300]     # Subtest: example
[    0.500400]     # module: example_test
[    0.500500]     1..3
[    0.500600]     # adds: initializing
[    0.600000]     ok 1 adds
[    0.610000] clocksource: Switched to clocksource riscv_clocksource
[    0.620000]     # divides: EXPECTATION FAILED at lib/example_test.c:25
[    0.620000]     Expected 1 / 0 == 0, but
[    0.620000]         1 / 0 == 1 (0x1)
[    0.700000]     not ok 2 divides
[    0.700100]         KTAP version 1
[    0.700200]         # Subtest: sorts
[    0.700300]         ok 1 one
[    0.700400]         ok 2 two # SKIP unsupported
[    0.700500]     # sorts: pass:1 fail:0 skip:1 total:2
[    0.700600]     ok 3 sorts
[    0.700700] # example: pass:2 fail:1 skip:0 total:3
[    0.700800] # Totals: pass:2 fail:1 skip:1 total:4
[    0.700900] not ok 1 example
[    0.800000] ok 2 empty # SKIP no tests run
[    0.900000] Run /init as init process
`;

/** kselftest's runner: what a test prints is commented out, its nested TAP included. */
export const KSELFTEST = `\
TAP version 13
1..4
# timeout set to 45
# selftests: net: reuseport
# TAP version 13
# 1..3
# opening a socket
# ok 1 bind
# # connection refused
# not ok 2 connect
# ok 3 # SKIP listen
# # Totals: pass:1 fail:1 xfail:0 xpass:0 skip:1 error:0
not ok 1 selftests: net: reuseport # exit=1
# timeout set to 45
# selftests: net: tls.sh
# no module tls
ok 2 selftests: net: tls.sh # SKIP
# timeout set to 45
# selftests: net: slow.sh
not ok 3 selftests: net: slow.sh # TIMEOUT 45 seconds
ok 4 selftests: net: known # XFAIL not yet
`;

/** TAP 14, as of its specification: a named subtest, YAML diagnostics, escapes, directives. */
export const TAP14 = `\
TAP version 14
# Subtest: parser.tap
    1..2
    ok 1 - reads \\# and \\\\
    not ok 2 - writes
      ---
      message: "disk full"
        at: line 3
      ...
not ok 1 - parser.tap
ok 2 - later # TODO not written
not ok 3 - soon # todo
1..3
`;

/** TAP 12, as of Perl's Test::More: no version line, numbers optional, diagnostics after their result. */
export const TAP12 = `\
1..3
ok - loads
not ok 2 - adds
#   Failed test 'adds'
#   at t/add.t line 7.
ok 3 # skip no network
`;
