#!/usr/bin/perl
# proberctl at 1,000 nodes answers at once: 50 ms are meant, and a busy machine is given ten times that.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use List::Util 'min';
use Test::More;
use Time::HiRes 'time';
use Prober::Test;

use constant { NODES => 1000, RUNS => 10, LIMIT_MS => 500, MEANT_MS => 50 };

my $ctl = root() . '/build/proberctl';
my $segment = segment();
my @ip = map { sprintf '10.0.%d.%d', $_ / 250, $_ % 250 + 1 } 0 .. NODES - 1;
my @nodes = map { {
    address => $_, verdict => 'ready', reasons => [], since => '2026-11-28T20:00:00Z', dc => 'dc1', rack => 'r1', member => JSON::PP::true,
    host_id => '44063d56-0a97-5d73-8f18-5d5c492c4da3', status => 'NORMAL', mode => 'NORMAL', native_transport => JSON::PP::true,
    gossip => JSON::PP::true, release => '5.0.4', phi => 0.5, down_since => undef, repair_needed => JSON::PP::false, seed => JSON::PP::false,
    observer => 'voter', up => 999, counted => 999, poll => { result => 'ok', at => '2026-11-28T21:00:00Z', ok => 12345, failed => 0 },
} } @ip;
@{ $nodes[7] }{qw(verdict reasons)} = ('not ready', ['DOWN by 999 of 999']);
$segment->put('/nodes', 200, encode_json({ cluster => 'large', nodes => \@nodes }));
$segment->put('/readylocaldcs', 200, "false\n");
$segment->put("/nodes/$ip[7]", 200, encode_json($nodes[7]));
$segment->put("/healthz/$ip[7]", 404, '{' . join(',', map { qq("/$_":"DOWN") } @ip) . '}');

for my $command ([ 0, 'nodes' ], [ 1, 'status' ], [ 1, 'why', $ip[7] ]) {
    my ($exit, @args) = @$command;
    my (@took, $status, $said);
    for (1 .. RUNS) {
        my $began = time;
        ($status, $said) = run($ctl, '--segment', $segment->path, @args);
        push @took, (time - $began) * 1000;
    }
    is($status, $exit, "@args");
    cmp_ok(min(@took), '<', LIMIT_MS, sprintf '%s: %.1f ms at %d nodes (%s than %d)', $args[0], min(@took), NODES,
        min(@took) < MEANT_MS ? 'less' : 'MORE', MEANT_MS);
    like($said, qr/10\.0\.0\.8\b/, 'with the node that is not ready');
}
like((run($ctl, '--segment', $segment->path, 'why', $ip[7]))[1], qr/DOWN by 999 of 999\. (?:10\.0\.0\.\d+, ){4}10\.0\.0\.\d+ and 995 more see it DOWN\./, 'a sentence stays one');

done();
