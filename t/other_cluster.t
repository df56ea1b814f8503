#!/usr/bin/perl
# A host that has been moved from another cluster, with its state file: what operators said there must not become what they have
# said here, on no host and not for a moment.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);
use Prober::Test;
use Prober::Collector;
use Prober::Fleet;
use Prober::Watch;

my $fleet = Prober::Fleet->start(layout => 'dc1:r1=3', convict => 20);
my @ip = @{ $fleet->{nodes} };
my $port = free_port($ip[0]);
my $nowhere = free_port($ip[0]);
my $dir = tempdir();

my @nginx = map { nginx(<<"CONF") } 0 .. 2;
%%GLOBALS%%
http { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; listen $ip[$_]:$port; prober_segment $dir/segment$_; location / { prober; } } }
CONF

sub conf_of {
    my ($i) = @_;
    return <<"CONF";
local: { source = "jolokia+http://$ip[$i]:$fleet->{port}/jolokia"; };
peers: { url = "http://{address}:$port"; };
segment: { path = "$dir/segment$i"; };
state: { path = "$dir/state$i"; };
control: { socket = "$dir/control$i"; };
region: { name = "eu"; };
regions = ( { name = "us"; url = "http://127.0.0.1:$nowhere"; } );
poll: { interval = "250ms"; timeout = "500ms"; view_ttl = "2s"; };
readiness: { settle = "1s"; rehab = "60s"; };
CONF
}
sub body { my ($host, $path) = @_; return http($nginx[$host]->port, "GET $path")->{body} }
sub put { my ($host, $path, $body) = @_; return http("$dir/control$host", "PUT $path", body => $body) }
sub state_of { my ($file) = @_; return eval { decode_json(slurp($file)) } // {} }

# Versions later than any of this cluster, in the present generation and in the one before.
my $at = int(time * 1000) + 1_000_000;
sub foreign {
    my ($last) = @_;
    my @rest = (counter => $at + $last, host => '11111111-1111-1111-1111-111111111111', user => 'ops', at_ms => $at, ttl_ms => 0, until_ms => 0);
    return JSON::PP->new->canonical->encode({ format => 1, cluster => 'Some Other Cluster', local => { address => '192.0.2.200', host_id => $rest[3], native_port => 0 },
        nodes => [ { address => '192.0.2.201', dc => 'dc1', rack => 'r1' } ],
        values => [ map { { key => $_, value => ["192.0.2.$last"], @rest } } 'region/eu/localseeds', 'seeds/dc1' ] });
}
spew("$dir/state2", foreign(200));
spew("$dir/state2.1", foreign(199));
spew("$dir/state2.regions", '{"format":1,"regions":[]}');

my @collector = map { Prober::Collector->start(conf_of($_))->wait_ready } 0, 1;
wait_for(sub { !grep { my $host = $_; grep { (eval { get_json($nginx[$host]->port, "/nodes/$ip[$_]")->{observer} } // '') ne 'voter' } 0, 1 } 0, 1 },
    'both to vote');
my $seeds = body(0, '/localseeds');
unlike($seeds, qr/192\.0\.2/, 'seeds of their own');

my @watch = map { my $host = $_; Prober::Watch->start(name => "seen$host", every => 0.01, all => 1, look => sub {
    my ($say) = @_;
    $say->(seen => body($host, $_)) for '/localseeds', '/allseeds', '/state';
}) } 0 .. 2;
$collector[2] = Prober::Collector->start(conf_of(2))->wait_ready;
is(put(2, '/region-ips', '["192.0.3.1"]')->{status}, 200, 'something is said on the host that has come');
wait_for(sub { !grep { body($_, '/region-ips') ne qq(["192.0.3.1"]\n) } 0 .. 2 }, 'all to have heard of it');
wait_for(sub { body(0, '/state') eq body(1, '/state') && body(0, '/state') eq body(2, '/state') }, 'all to hold the same');
sleep 1;
$_->stop for @watch;
for my $host (0 .. 2) {
    my @seen = map { $_->{value} } $watch[$host]->seen('seen');
    cmp_ok(scalar @seen, '>', 50, "host $host was looked at");
    is(join('', grep { /192\.0\.2\.|Other/ } @seen), '', 'nothing of the other cluster was ever seen');
}
is(body($_, '/localseeds'), $seeds, "host $_: the seeds are what they were") for 0 .. 2;

wait_for(sub { body(2, '/nodes') !~ /192\.0\.2\./ }, 'its nodes to be forgotten');

like($collector[2]->log, qr{\Q$dir/state2\E is of the cluster "Some Other Cluster", and this host's node of "Fleet": kept as \Q$dir/state2.other\E},
    'the journal says so');
is(slurp("$dir/state2.other"), foreign(200), 'the file is set aside');
like(slurp("$dir/state2$_"), qr/^(?!.*192\.0\.2\.)/s, "state$_ has nothing of it") for '', '.1';
is(state_of("$dir/state2")->{cluster}, 'Fleet', 'the file is of this cluster now');
unlike(slurp("$dir/state2.regions"), qr/^\{"format":1,"regions":\[\]\}$/, 'what other regions said there is gone');
$collector[2]->stop('KILL');
$collector[2] = Prober::Collector->start(conf_of(2))->wait_ready;
is(body(2, '/region-ips'), qq(["192.0.3.1"]\n), 'it is at home after the next start');
unlike($collector[2]->log, qr/Other/, 'and nothing is said any more');

$_->stop for @collector;
done();
