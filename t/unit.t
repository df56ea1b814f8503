#!/usr/bin/perl
# The unit tests (cmocka), plain and under the sanitizers. Each program is one test; what it prints is shown when it fails.
use strict;
use warnings;
use Test::More;

my @sources = map { m{([^/]+)\.c$} } sort glob('t/unit/test_*.c');
ok(@sources > 5, 'there are unit tests');

$ENV{ASAN_OPTIONS} = 'detect_leaks=1:abort_on_error=0';
$ENV{LSAN_OPTIONS} = 'suppressions=t/lib/lsan.supp:print_suppressions=0';
$ENV{TSAN_OPTIONS} = 'halt_on_error=1';
for my $build ('build', 'build/asan', 'build/tsan') {
    for my $name (@sources) {
        my $program = "$build/unit/$name";
        my $output = -x $program ? `timeout 300 $program 2>&1` : "$program is not built: run make tools\n";
        my $passed = -x $program && $? == 0;
        ok($passed, $program) or diag($output);
    }
}
done_testing();
