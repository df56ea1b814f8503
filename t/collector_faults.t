#!/usr/bin/perl
# Every fault of a source has a name in /nodes and /metrics, costs bounded memory, and delays nobody else's data.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use Prober::Test;
use Prober::Collector;
use Prober::Faults;
use Prober::Fleet;

# Memory is measured, so without AddressSanitizer here.
$ENV{PROBER_COLLECTOR} //= root() . '/build/prober-collector';

# What each path of Prober::Faults is called.
my %result = (
    blackhole => 'timeout',  drip      => 'timeout',  enormous => 'too_large', rst      => 'reset',
    closed    => 'reset',    truncated => 'reset',    html     => 'bad_json',  deep     => 'too_large',
    duplicate => 'bad_json', utf8      => 'bad_json', redirect => 'redirect',  login    => 'auth',
    broken    => 'http',     types     => 'bad_shape', object  => 'http',     garbage  => 'http',
);
# The word that stands in bodies for the view.
my %word = (login => '401', broken => '500', redirect => '302');

my $fleet = Prober::Fleet->start(layout => 'dc1:r1=3');
my @ip = @{ $fleet->{nodes} };
my $faults = Prober::Faults->start;
my @names = Prober::Faults::names();
is_deeply([ sort keys %result ], \@names, 'every fault has an expected result');

my $refused = free_port();
my (%address, @static);
for my $i (0 .. $#names) {
    $address{ $names[$i] } = '192.0.2.' . ($i + 1);
    push @static, "\"192.0.2." . ($i + 1) . "=jolokia+http://127.0.0.1:$faults->{port}/$names[$i]\"";
}
$address{refused} = '192.0.2.100';
push @static, "\"192.0.2.100=jolokia+http://127.0.0.1:$refused/\"";
($result{refused}, $word{refused}) = ('refused', 'refused');

my $static = join ', ', @static;
my $collector = Prober::Collector->start(fleet_conf($fleet) =~ s/mode = "direct";/mode = "direct"; static = [ $static ];/r
        . 'poll: { interval = "250ms"; timeout = "800ms"; view_ttl = "1200ms"; };');
my $nginx = nginx(<<'CONF');
%%GLOBALS%%
http { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; location / { prober; prober_segment %%DIR%%/segment; } } }
CONF
$collector->wait_ready;
eval { wait_for(sub { $collector->status =~ /^20 nodes, 3 ready, / }, 'the healthy ones to be ready') };
like($collector->status, qr/^20 nodes, 3 ready, /, 'the healthy ones are ready');

for my $name (sort keys %result) {
    my $ip = $address{$name};
    my $node;
    eval {
        wait_for(sub { $node = get_json($nginx->port, "/nodes/$ip"); $node->{poll}{result} eq $result{$name} }, 'it');
    };
    is($node->{poll}{result}, $result{$name}, "$name: /nodes") or diag(explain($node->{poll}));
    isnt($node->{verdict}, 'ready', "$name: not ready");
    my ($expected, $shown) = ($word{$name} // $result{$name}, '');
    eval { wait_for(sub { $shown = get_json($nginx->port, "/healthz/$ip[0]")->{"/$ip"} // ''; $shown eq $expected }, 'it') };
    is($shown, $expected, "$name: in the bodies");
    my $metric = qr/^cassandra_prober_poll_failing\{node="\Q$ip\E",reason="$result{$name}"\} 1$/m;
    ok(eval { wait_for(sub { http($nginx->port, 'GET /metrics')->{body} =~ $metric }) }, "$name: /metrics");
}
is(get_json($nginx->port, "/nodes/$address{broken}")->{poll}{http_status}, 500, 'with the status');
like(get_json($nginx->port, "/nodes/$address{types}")->{poll}{detail}, qr/\w \w/, 'with what was wrong');

subtest 'bounded memory, and nobody is delayed' => sub {
    my ($worst, $most, $answers, $late) = (0, 0, 0, 0);
    my $end = time + 8;
    my $before = $collector->rss;
    while (time < $end) {
        my $answer = http($nginx->port, "GET /healthz/$ip[1]");
        my $age = $answer->{header}{'x-prober-age-ms'};
        $worst = $age if $age > $worst;
        $answers++;
        $late++ if $age >= 2 * 250 + 400;
        is($answer->{status}, 200, 'ready') if $answer->{status} != 200;
        my $rss = $collector->rss;
        $most = $rss if $rss > $most;
        sleep 0.02;
    }
    note("oldest data $worst ms, RSS $before -> $most kB");
    # A pause of the machine makes some of them late, a source that delays others makes most of them so.
    cmp_ok($late, '<', $answers / 5, "data of the healthy nodes is no older than two intervals and a bit, in all but $late of $answers answers");
    cmp_ok($most, '<', 64 * 1024, 'memory is bounded');
    cmp_ok($most - $before, '<', 16 * 1024, 'and does not grow on');
};

is($collector->stop, 0, 'and it ends well');
done();
