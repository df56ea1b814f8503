#!/usr/bin/perl
# Every fuzz target, briefly, over a copy of its corpus. PROBER_FUZZ_SECONDS (6) per target; `make soak` runs 600.
use strict;
use warnings;
use File::Temp 'tempdir';
use Test::More;

my $seconds = $ENV{PROBER_FUZZ_SECONDS} || 6;
my @targets = map { m{/fuzz_(\w+)\.c$} } sort glob('t/fuzz/fuzz_*.c');
ok(@targets > 1, 'there are fuzz targets');

for my $target (@targets) {
    my $found = tempdir(CLEANUP => 1);
    my $command = "build/fuzz/fuzz_$target -max_total_time=$seconds -rss_limit_mb=2048 -timeout=10"
        . " -artifact_prefix=$found/ $found t/fuzz/corpus/$target 2>&1";
    ok(-d "t/fuzz/corpus/$target", "$target has a corpus");
    my @output = `$command`;
    my $passed = $? == 0;
    my ($runs) = map { /^Done (\d+) runs/ ? $1 : () } @output;
    ok($passed && ($runs // 0) > 100, "$target: " . ($runs // 'no') . " runs in $seconds s")
        or diag(join '', @output > 60 ? @output[-60 .. -1] : @output);
}
done_testing();
