#!/usr/bin/perl
# The page over three real Cassandra nodes: one is killed, and the matrix shows it when /nodes does.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Time::HiRes 'time';
use Prober::Browser;
use Prober::Demo;
use Prober::Test;

my $demo = demo(600, '--cassandra');
my ($port) = $demo->output =~ m{^  curl -i http://127\.0\.0\.1:(\d+)/healthz/}m;
my %pid = reverse $demo->output =~ /^  \d  (127\.\S+)  pid (\d+)$/mg;
my ($victim) = $demo->output =~ /^  kill -9 (\d+)$/m;
my ($start) = $demo->output =~ m{^  (/\S+/t/lib/cassandra start .*)$}m;
my $ip = $pid{$victim};

my $w = Prober::Browser->start;
$w->go("http://127.0.0.1:$port/");
$w->wait_js('return document.querySelectorAll("td.c1").length === 9', 'all to see all UP', 60);
is($w->text('#sentence'), 'All 3 nodes are ready.', 'three real nodes');
is($w->js('return [...document.querySelectorAll("th.group.rows")].map(th => th.textContent).join()'), 'dc1 · r1,dc1 · r2,dc2 · r1',
    'by data center and rack');

# How long after /nodes the matrix shows it; the machine may pause meanwhile, so once more where that was late.
my ($tool, undef, @node) = split / /, $start;
my @late;
for my $round (1, 2) {
    last if @late && $late[-1] < 1;
    is(system("kill -9 $victim"), 0, "killed $ip");
    wait_for(sub { grep { $_->{address} eq $ip && $_->{verdict} eq 'not ready' } @{ decode_json(http($port, 'GET /nodes')->{body})->{nodes} } }, '/nodes to tell', 90);
    my $told = time;
    $w->wait_js('return document.querySelector("th.col.bad")?.title === arguments[0]', 'the matrix to show it', 30, $ip);
    push @late, time - $told;
    diag(sprintf 'shown %.2f s after /nodes', $late[-1]);
    is($w->text('#sentence'), "1 of 3 nodes is not ready: $ip", 'the verdict');
    ok($w->text('#wrong .todo'), 'and what to do: ' . $w->text('#wrong .todo'));
    $w->wait_js('return document.querySelectorAll("td.c2").length === 2 && document.querySelectorAll("td.c3").length === 3', 'gossip to agree', 90);
    pass('both others see it DOWN, and it says nothing');

    my ($status, $said) = run($tool, 'start', @node);
    is($status, 0, 'started again') or diag($said);
    $w->wait_js('return document.querySelectorAll("td.c1").length === 9 && /^All 3/.test(document.getElementById("sentence").textContent)', 'all to be well', 90);
    pass('and all is well');
    ($victim) = (run($tool, 'pid', @node[ 0, 1 ]))[1] =~ /^(\d+)$/m;
}
cmp_ok($late[-1], '<', 1, 'the matrix shows it within a second of /nodes');
is_deeply([ $w->errors ], [], 'no script failed');
$w->stop;

kill INT => -$demo->{pid};
ok($demo->ended(40), 'Ctrl-C ends the demo');
is_gone($demo, 'Ctrl-C');

done();
