#!/usr/bin/perl
# An incident on real Cassandra nodes, and what the decisions of one host tell of it afterwards: cause and evidence.
# PROBER_RECORD=FILE keeps that document; doc/incident.md has one of such a run.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Prober::Test;
use Prober::Mesh;

BEGIN { Prober::Mesh::own_network() }

use constant LONG => 240;   # gossip takes its time, and a node to start more

my $mesh = Prober::Mesh->new(layout => 'dc1:r1,dc1:r2,dc1:r3,dc1:r1', conf => 'readiness: { rehab = "0s"; };');
my ($one, $two, $three, $four) = map { $mesh->ip($_) } 1 .. 4;
$mesh->start(1 .. 4);
my $ready = sub { my $node = eval { $mesh->node($_[0]) } // {}; 4 == grep { ($_->{verdict} // '') eq 'ready' } values %$node };
wait_for(sub { !grep { !$ready->($_) } 1 .. 4 }, 'all hosts to see all nodes as ready', LONG);

sub decisions { decode_json($mesh->http($_[0], '/admin/cluster/observer/decisions')->{body})->{decisions} }

# When something is about to be done.
my $since = '';
sub now { my @t = gmtime; return sprintf '%d-%02d-%02dT%02d:%02d:%02dZ', $t[5] + 1900, $t[4] + 1, @t[ 3, 2, 1, 0 ] }

# The newest on a host that has these fields, a pattern each, and was made since then.
sub decided {
    my ($host, %field) = @_;
    my $found = eval {
        wait_for(sub {
            (grep { my $entry = $_; $entry->{last} ge $since && !grep { $entry->{$_} !~ /^(?:$field{$_})\z/ } keys %field } @{ decisions($host) })[0]
        }, 'it', LONG);
    };
    ok($found, "host $host: " . join ', ', map { "$_: $field{$_}" } sort keys %field) or diag(explain(decisions($host)));
    return $found // { at => '', why => '' };
}

# Somebody takes node 2 out of service, and forgets to say so to the others.
$since = now();
is(($mesh->ask(2, root() . '/build/proberctl', '--socket', tempdir() . '/control2', 'drain', $two, '--ttl', '20s'))[0], 0, 'a drain on host 2');
my $drained = decided(1, kind => 'drain', node => $two, what => 'drained for 20 s');
like($drained->{why}, qr/^said on \Q$two\E$/, 'where it was said');

# Host 4 is cut off, then back.
$since = now();
$mesh->cut("ip saddr $four", "ip daddr $four");
my $cut = decided(1, kind => 'verdict', node => $four, what => 'not ready');
like($cut->{why}, qr/^(?:DOWN by|not seen by|lost its vote)/, 'the others do not see it');
like($cut->{why}, qr/DOWN say .*\Q$one\E|DOWN say .*\Q$two\E|DOWN say .*\Q$three\E/, 'and who says so');
my $heals = now();
$mesh->heal;
decided(4, kind => 'verdict', node => $four, what => 'not ready');
$since = $heals;
my $healed = decided(1, kind => 'verdict', node => $four, what => 'ready');
cmp_ok($healed->{at}, 'ge', $cut->{at}, 'in that order');
wait_for(sub { !grep { !$ready->($_) } 1 .. 4 }, 'all to agree again', LONG);

# The Cassandra of host 3 is killed.
$since = now();
$mesh->cluster->signal(KILL => 3);
my $gone = decided(1, kind => 'verdict', node => $three, what => 'not ready');
like($gone->{why}, qr/^process gone/, 'what its own host found');
$since = now();
$mesh->cluster->start(3);
decided(1, kind => 'verdict', node => $three, what => 'ready');
wait_for(sub { !grep { !$ready->($_) } 1 .. 4 }, 'all to agree at the end', LONG);
spew($ENV{PROBER_RECORD}, $mesh->http(1, '/admin/cluster/observer/decisions')->{body}) if $ENV{PROBER_RECORD};

# The story in order, as host 1 has it.
my @story = reverse map { "$_->{node} $_->{what}" } grep { $_->{kind} eq 'verdict' } @{ decisions(1) };
my $order = join '.*', map { quotemeta } "$two not ready", "$two ready", "$three not ready", "$three ready";
like(join("\n", @story), qr/$order/s, 'one after the other');

done();
