#!/usr/bin/perl
# t/demo --cassandra: three real nodes are ready; what it prints to kill one and to start it again does so.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Prober::Demo;
use Prober::Test;
use Test::More;

my $demo = demo(600, '--cassandra');
my ($port) = $demo->output =~ m{^  curl -i http://127\.0\.0\.1:(\d+)/healthz/}m;
my %pid = reverse $demo->output =~ /^  \d  (127\.\S+)  pid (\d+)$/mg;
is(scalar keys %pid, 3, 'three nodes');

sub healthz { http($port, "GET /healthz/$_[0]") }

for my $ip (sort values %pid) {
    my $answer = healthz($ip);
    is($answer->{status}, 200, "$ip is ready");
    is_deeply(decode_json($answer->{body}), { map { ("/$_" => 'UP') } values %pid }, 'all see it UP');
}

my ($victim)  = $demo->output =~ /^  kill -9 (\d+)$/m;
my ($command) = $demo->output =~ m{^  (/\S+/t/lib/cassandra start .*)$}m;
my $ip = $pid{$victim};
is(system("kill -9 $victim"), 0, "killed $ip");
wait_for(sub { healthz($ip)->{status} == 404 }, 'its verdict', 120);
pass('it is not ready');
wait_for(sub { grep({ $_ eq 'DOWN' } values %{ decode_json(healthz($ip)->{body}) }) == 2 }, 'the opinions', 120);
pass('both others see it DOWN');
is(healthz($_)->{status}, 200, "$_ stays ready") for grep { $_ ne $ip } sort values %pid;
my ($status, $said) = run(split / /, $command);
is($status, 0, 'started again') or diag($said);
wait_for(sub { healthz($ip)->{status} == 200 }, 'its verdict', 120);
pass('it is ready again');

kill INT => -$demo->{pid};
ok($demo->ended(40), 'Ctrl-C: ends');
is_gone($demo, 'Ctrl-C');

done();
