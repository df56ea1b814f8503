#!/usr/bin/perl
# The same seeds on all hosts: three simulated ones, each with a collector and an nginx of its own, of a cluster of five.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);
use Prober::Test;
use Prober::Collector;
use Prober::Fleet;

my $fleet = Prober::Fleet->start(layout => 'dc1:r1=2,r2=2;dc2:r1=1', convict => 1, boot => 1);
my @ip = @{ $fleet->{nodes} };
my @host = (0, 2, 4);    # the nodes on hosts with a collector
my $port = free_port($ip[0]);
my $dir = tempdir();

sub nginx_of {
    my ($i) = @_;
    return nginx(<<"CONF");
%%GLOBALS%%
http { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; listen $ip[$i]:$port;
    location / { prober; prober_segment $dir/segment$i; } } }
CONF
}

sub collector_of {
    my ($i) = @_;
    return Prober::Collector->start(<<"CONF");
local: { source = "jolokia+http://$ip[$i]:$fleet->{port}/jolokia"; };
peers: { url = "http://{address}:$port"; };
segment: { path = "$dir/segment$i"; };
state: { path = "$dir/state$i"; };
control: { socket = "$dir/control$i"; };
poll: { interval = "250ms"; timeout = "500ms"; view_ttl = "2s"; };
readiness: { settle = "1s"; rehab = "0"; };
CONF
}

my %nginx = map { $_ => nginx_of($_) } @host;
my %collector = map { $_ => collector_of($_) } @host;
$_->wait_ready for values %collector;

sub get { my ($i, $path) = @_; return http($nginx{$i}->port, "GET $path") }
sub json { return JSON::PP->new->canonical->encode($_[0]) . "\n" }

# The versions of the lists that a host has.
sub versions {
    my ($i) = @_;
    my $state = eval { get_json($nginx{$i}->port, '/state') } // {};
    return { map { $_->{key} => "$_->{counter} $_->{host} $_->{user}" } grep { $_->{key} =~ m{^seeds/} } @{ $state->{values} // [] } };
}

# All hosts serve the same, of the same version.
sub is_one {
    my ($what, $expected) = @_;
    for my $path (qw(/localseeds /seeds /allseeds)) {
        my @answer = map { get($_, $path) } @host;
        is_deeply([ map { $_->{body} } @answer ], [ ($expected) x @host ], "$what: $path");
        is_deeply([ map { $_->{header}{etag} } @answer ], [ ($answer[0]{header}{etag}) x @host ], 'with the same tag');
    }
    is_deeply(versions($_), versions($host[0]), "of the same version on host $_") for @host;
    for my $host (@host) { # which is written after the segment
        eval { wait_for(sub { slurp("$dir/segment$host.seeds") eq $expected }, 'the file') };
        is(slurp("$dir/segment$host.seeds"), $expected, "in the file of host $host");
    }
}

# The service of each host has something to do, and does it.
sub is_told {
    for my $host (@host) {
        ok(eval { wait_for(sub { unlink "$dir/segment$host.seeds.changed" }, 'that') }, "the change is told on host $host");
    }
}

# Waits until all hosts have these nodes as seeds: how long it took.
sub agree {
    my ($what, @seeds) = @_;
    my $expected = json([ map { $ip[$_] } @seeds ]);
    my $began = time;
    eval {
        wait_for(sub {
            !grep { get($_, '/localseeds')->{body} ne $expected || json(versions($_)) ne json(versions($host[0])) } @host;
        }, $what, 20);
    };
    my $took = time - $began;
    is_one(sprintf('%s (%.2f s)', $what, $took), $expected);
    return $took;
}

# The first list: whoever was ready first is in it.
wait_for(sub { !grep { !versions($_)->{'seeds/dc1'} } @host }, 'lists on all hosts', 20);
wait_for(sub { 1 == keys %{ { map { $_ => 1 } map { json(versions($_)) } @host } } }, 'one version of them', 20);
my $first = get(0, '/localseeds')->{body};
is_one('the first list', $first);
is_told();
my %seed = map { $_ => 1 } @{ JSON::PP->new->decode($first) };
is(scalar(grep { $seed{$_} } @ip[ 0 .. 3 ]), 3, 'three of a data center of four');
ok((grep { $seed{$_} } @ip[ 0, 1 ]) && (grep { $seed{$_} } @ip[ 2, 3 ]), 'in both racks');
ok($seed{ $ip[4] }, 'all of one that is small');
my $before = versions(0);
is_deeply([ sort keys %$before ], [qw(seeds/dc1 seeds/dc2)], 'a list for each data center');
like($before->{'seeds/dc1'}, qr/^\d+ \Q@{[ $fleet->node($ip[0])->{host_id} ]}\E automatic$/, 'chosen where the first node is');
like($collector{4}->log, qr/seeds of dc1: \["127\..*\], chosen on \Q$ip[0]\E$/m, 'the journal of another host tells so');

# A decommissioned seed; one on a host without a collector.
my ($left, $other) = $seed{ $ip[1] } ? (1, 3) : (3, 1);
my @stay = sort { $a <=> $b } 0, 2, $other, 4;
$fleet->post("nodes/$ip[$left]/decommission");
my $took = agree('the next of its data center in its place', @stay);
cmp_ok($took, '<', 10, 'soon');
is_told();
is(versions(0)->{'seeds/dc2'}, $before->{'seeds/dc2'}, 'the other list is what it was');
isnt(versions(0)->{'seeds/dc1'}, $before->{'seeds/dc1'}, 'this one is another version');

# A host that has forgotten everything takes the list over, even one that is the first.
$before = versions(2);
for my $i (4, 0) {
    $collector{$i}->stop('KILL');
    unlink glob "$dir/segment$i* $dir/state$i*";
    $collector{$i} = collector_of($i);
    $collector{$i}->wait_ready;
    agree("host $i anew", @stay);
    is_deeply(versions($i), $before, 'nobody has chosen anew');
    is(join(' ', grep { unlink "$dir/segment$_.seeds.changed" } @host), $i, 'and nobody else is told');
}

# The first one leaves: the next one chooses.
$fleet->post("nodes/$ip[0]/decommission");
agree('without the first', grep { $_ != 0 } @stay);
like(versions(4)->{'seeds/dc1'}, qr/ \Q@{[ $fleet->node($ip[2])->{host_id} ]}\E automatic$/, 'chosen by the next one');

# Too few hosts for anybody to choose.
$collector{4}->stop;
is($?, 0, 'ended well') or diag($collector{4}->log);
my $told = qr/nobody chooses the seeds: 1 of 3 nodes of the region vote$/m;
ok(eval { wait_for(sub { $collector{2}->log =~ $told }, 'the journal', 60) }, 'the journal says that nobody chooses');
is(get(2, '/localseeds')->{body}, json([ @ip[ grep { $_ != 0 } @stay ] ]), 'the list stays');
$collector{4} = collector_of(4);
ok(eval { wait_for(sub { $collector{2}->log =~ /the seeds are chosen again: 2 of 3/ }, 'the journal', 20) }, 'and that somebody does again');

for my $i (@host) {
    $collector{$i}->stop;
    is($?, 0, 'ended well') or diag($collector{$i}->log);
}
done();
