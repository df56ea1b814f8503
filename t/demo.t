#!/usr/bin/perl
# t/demo over the simulated fleet: what it prints is true, and however it ends, nothing is left.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Prober::Demo;
use Prober::Test;
use Test::More;
use Time::HiRes 'time';

my $demo = demo(120, '--for', 25, '--layout', 'dc1:r1=2;dc2:r1=1');
my $began = time;
my ($url, $ip) = $demo->output =~ m{^  curl -i (http://127\.0\.0\.1:\d+)/healthz/([\d.]+)$}m;
my ($port) = $url =~ /:(\d+)$/;
my $healthz = http($port, "GET /healthz/$ip");
is($healthz->{status}, 200, 'it prints where to ask for a node');
is(scalar keys %{ decode_json($healthz->{body}) }, 3, 'that three others see');
for my $path ($demo->output =~ m{^  curl -s http://127\.0\.0\.1:\d+(\S+)}mg) {
    is(http($port, "GET $path")->{status}, 200, "it prints that there is $path");
}
my ($list) = $demo->output =~ m{^  \(and (.*)\)$}m;
is(http($port, "GET $_")->{status}, 200, "… and $_") for split /, /, $list;
ok(-f $_, "there is $_") for $demo->output =~ m{^Configurations: (\S+) (\S+)$}m;

my ($control, $crash) = $demo->output =~ m{^  curl -X POST http://127\.0\.0\.1:(\d+)(/nodes/\S+/crash)$}m;
is(http($control, "POST $crash")->{status}, 200, 'it prints how to crash a node');
wait_for(sub { http($port, "GET /healthz/$ip")->{status} == 404 }, 'the verdict');
pass('and it is not ready');
ok($demo->ended(40), '--for: ends');
is($demo->{status}, 0, 'well');
cmp_ok(time - $began, '>', 15, 'not at once');
like($demo->output, qr/^collector \| .*\Q$ip\E.*not ready/m, 'the collector is heard');
like($demo->output, qr{^nginx     \| GET /healthz/\Q$ip\E}m, 'so is nginx');
is_gone($demo, '--for');

# A terminal sends SIGINT to the whole foreground process group.
$demo = demo(120);
is(() = $demo->output =~ /: unknown -> ready$/mg, 9, 'a fleet of nine');
kill INT => -$demo->{pid};
ok($demo->ended(20), 'Ctrl-C: ends');
is($demo->{status} >> 8, 130, 'as interrupted');
is_gone($demo, 'Ctrl-C');

# Ctrl-C at any moment of the start.
for my $moment (qr/^/, qr/^collector/m, qr/^nginx/m) {
    $demo = begin_demo();
    wait_for(sub { files() && $demo->output =~ $moment }, 'the moment');
    kill INT => -$demo->{pid};
    ok($demo->ended(20), "Ctrl-C after $moment: ends");
    is_gone($demo, "Ctrl-C after $moment");
}

# What it started does not outlive it even when it is killed, and it does not go on without a part.
$demo = demo(120);
$demo->signal('KILL');
ok($demo->ended, 'killed');
ok(wait_for(sub { !left_over($demo) }, 'its processes to end'), 'killed: no process is left');
run('rm', '-r', files());

$demo = demo(120);
my ($nginx) = files("/nginx.pid");
kill KILL => slurp($nginx);
ok($demo->ended(20), 'ends when nginx does');
is($demo->{status} >> 8, 1, 'badly');
like($demo->output, qr/^nginx has ended$/m, 'and says so');
is_gone($demo, 'without nginx');

my ($status, $said) = run(root() . '/t/demo', '--nonsense');
is($status, 2, 'an unknown option');
like($said, qr/--cassandra .*--for SECONDS/s, 'is answered by the options there are');

done();
