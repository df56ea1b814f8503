#!/usr/bin/perl
# The fleet simulator: its answers have the shape of recorded ones, its nodes fail and return as real ones
# do, it is fast.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use Prober::Fleet;
use Prober::Test;
use Test::More;
use Time::HiRes qw(sleep time);

my $FD = 'org.apache.cassandra.net:type=FailureDetector';
my $SS = 'org.apache.cassandra.db:type=StorageService';
my @FAST = (
    { type => 'read', mbean => $FD, attribute => 'SimpleStatesWithPort' },
    { type => 'read', mbean => $SS, attribute => [qw(OperationMode NativeTransportRunning GossipRunning LocalHostId
                                                     ClusterName ReleaseVersion)] },
);
my @DETAIL = (
    @FAST,
    { type => 'read', mbean => $FD, attribute => 'AllEndpointStatesWithPort' },
    { type => 'read', mbean => $FD, attribute => 'PhiValuesWithPort' },
    { type => 'read', mbean => 'org.apache.cassandra.db:type=StorageProxy', attribute => 'MaxHintWindow' },
);
my $QUERY = '?ignoreErrors=true&includeRequest=false&includeStackTrace=false';

# An answer without what differs from node to node and from run to run; nothing else may differ.
sub shape {
    my ($text) = @_;
    $text =~ s/\\n  LOAD:[^\\]*//g;                                # gossiped half a minute after the start only
    $text =~ s/\b127\.\d+\.\d+\.\d+\b/IP/g;
    $text =~ s{"[\w.]*/IP}{"/IP}g;                                 # some nodes know their peers' names
    $text =~ s/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/UUID/g;
    $text =~ s/"(UP|DOWN)"/"S"/g;                                  # the order of the keys is that of their hashes
    $text =~ s/(\\n  (?:DC|RACK|RELEASE_VERSION):\d+:)[^\\]*/$1/g;
    $text =~ s/("ReleaseVersion":)"[^"]*"/$1/;
    $text =~ s/(RPC_READY:\d+):\w+/$1/g;                           # a left node's own word never gets around
    $text =~ s/(?<![A-Za-z_])-?\d+(\.\d+)?(E-?\d+)?\b/N/g;
    my ($own, @others) = sort { length $b <=> length $a } $text =~ m{(/IP:N\\n  generation.*?)(?=/IP:N\\n|")}g;
    $text =~ s{("value":")/IP:N\\n  generation[^"]*}{$1 . join '', sort grep { defined } $own, @others}e;
    return $text;
}

sub recorded { my ($file, $version) = @_; shape(slurp(root() . "/t/fixtures/jolokia/@{[ $version // '5.0.4' ]}/$file.json")) }

sub alike {
    my ($fleet, $ip, $file, $version) = @_;
    my $reads = $file =~ /-fast/ ? \@FAST : \@DETAIL;
    my $what = join ' ', 'as recorded:', $file, $version // ();
    is(shape($fleet->answer($ip, $reads, $QUERY)->{body}), recorded($file, $version), $what);
}

sub value { my ($answer, $name) = @_; return $answer->{value}{$name} }

# What `observer` says of `endpoint`, through its agent.
sub opinion {
    my ($fleet, $observer, $endpoint) = @_;
    my ($answer) = $fleet->read($observer, $FAST[0]) or return '';
    my %states = %{ $answer->{value} || {} };
    my ($key) = grep { m{/\Q$endpoint\E:} } keys %states;
    return $key ? $states{$key} : '?';
}

sub own_state {
    my ($fleet, $ip) = @_;
    my (undef, $answer) = $fleet->read($ip, @FAST);
    return !$answer ? 'refused' : !$answer->{value} ? 'no MBean'
        : join ' ', value($answer, 'OperationMode'), map { value($answer, $_) ? 'yes' : 'no' }
            qw(NativeTransportRunning GossipRunning);
}

# -- the shape of answers --------------------------------------------------------------------------

my $fleet = Prober::Fleet->start(layout => 'dc1:r1=1,r2=1;dc2:r1=1', 'cluster-name' => 'prober', convict => 2,
                                 boot => 3);
my ($a, $b, $c) = @{ $fleet->{nodes} };

my $plain = $fleet->answer($a, \@FAST, $QUERY);
is($plain->{status}, 200, 'an answer');
is_deeply([ map { /^([^:]+)/ } @{ $plain->{headers} } ],
    [qw(Pragma Date Transfer-encoding Content-type Expires Cache-control)], 'its headers');
alike($fleet, $a, 'steady-node1-fast');
alike($fleet, $b, 'steady-node2-fast');

# These two have seen each other's heartbeats long enough to have a phi.
$fleet->post("nodes/$c/crash");
wait_for(sub { opinion($fleet, $a, $c) eq 'DOWN' && opinion($fleet, $b, $c) eq 'DOWN' }, 'the conviction');
alike($fleet, $a, "killed-down-node1-$_") for qw(fast detail);
$fleet->post("nodes/$c/start");
wait_for(sub { own_state($fleet, $c) eq 'NORMAL yes yes' && !grep { opinion($fleet, $_, $c) ne 'UP' } $a, $b }, 'its return');

# A start so slow that a busy machine, too, sees every state of it.
{
    my $slow = Prober::Fleet->start(layout => 'dc1:r1=1,r2=1;dc2:r1=1', 'cluster-name' => 'prober', convict => 0.5, boot => 16);
    my ($near, undef, $late) = @{ $slow->{nodes} };
    $slow->post("nodes/$late/crash");
    wait_for(sub { opinion($slow, $near, $late) eq 'DOWN' }, 'the conviction');
    $slow->post("nodes/$late/start");
    my @seen;     # what the starting node answers, as it changes
    my @views;    # how it sees another, as that changes
    my %states;   # what it says of itself, and how the other sees it
    wait_for(sub {
        my $body = $slow->answer($late, \@FAST, $QUERY)->{body} or return;
        push @seen, shape($body) if !@seen || $seen[-1] ne shape($body);
        my $now = opinion($slow, $late, $near);
        push @views, $now if $now && (!@views || $views[-1] ne $now);
        $states{ own_state($slow, $late) . ', ' . opinion($slow, $near, $late) } = 1;
        $body =~ /"NativeTransportRunning":true/;
    }, 'the start', 60);
    is($seen[0], recorded('start-01-node1-fast'), 'a starting node has no MBeans');
    is($seen[1], recorded('start-02-node1-fast'), 'then an empty view');
    is($seen[-1], recorded('steady-node3-fast'), 'at last all');
    is("@views[-2, -1]", 'DOWN UP', 'a returning node first sees the others DOWN');
    ok($states{'NORMAL no yes, UP'}, 'up for the others before it can serve') or diag(join "\n", sort keys %states);
    $slow->stop;
}

for my $request (
    [ 'an unknown attribute in a list', [ { type => 'read', mbean => $SS, attribute => [ 'OperationMode', 'Nope' ] } ],
      404, 'javax.management.AttributeNotFoundException' ],
    [ 'an unknown attribute', [ { type => 'read', mbean => $SS, attribute => 'Nope' } ],
      404, 'javax.management.AttributeNotFoundException' ],
    [ 'an unknown MBean', [ { type => 'read', mbean => 'a:b=c', attribute => 'Nope' } ],
      404, 'javax.management.InstanceNotFoundException' ],
) {
    my ($what, $body, $status, $type) = @$request;
    my $answer = $fleet->answer($a, $body);
    my ($inner) = @{ decode_json($answer->{body}) };
    is("$answer->{status} $inner->{status} $inner->{error_type}", "200 $status $type", $what);
    like($answer->{body}, qr/^\[\{"request":.*"error_type":.*"error":.*"status":404\}\]$/, '… in order');
}
is(decode_json($fleet->answer($a, '{"type":')->{body})->{status}, 400, 'no JSON: status 400 inside');
is($fleet->answer($a, '[]')->{body}, '[]', 'no reads, no answers');
my ($tolerant) = @{ decode_json($fleet->answer($a,
    [ { type => 'read', mbean => $SS, attribute => [ 'OperationMode', 'RPCServerRunning' ] } ], $QUERY)->{body}) };
is_deeply($tolerant->{value}, { OperationMode => 'NORMAL', RPCServerRunning =>
    'ERROR: No such attribute: RPCServerRunning (class javax.management.AttributeNotFoundException)' },
    'ignoreErrors: the error is the value');
is(http($fleet->{port}, 'POST /jolokia', address => $a, body => '[]')->{status}, 404, 'the path needs its slash');

# -- what happens to nodes -------------------------------------------------------------------------

sub reaches {
    my ($what, $state, $seen, $node) = @_;
    my $is;
    eval { wait_for(sub { $is = own_state($fleet, $node) . ', ' . opinion($fleet, $a, $node);
                          $is eq "$state, $seen" }, 'it') };
    is($is, "$state, $seen", $what);
}

sub status_of {
    my ($observer, $endpoint) = @_;
    my ($answer) = $fleet->read($observer, $DETAIL[2]);
    my ($entry) = $answer->{value} =~ m{^\S*/\Q$endpoint\E:7000\n((?:  .*\n)+)}m or return '';
    return $entry =~ /STATUS_WITH_PORT:\d+:(\w+)/ ? $1 : 'none';
}

my $began = time;
$fleet->post("nodes/$b/crash");
is(own_state($fleet, $b), 'refused', 'a crashed node refuses at once');
is(opinion($fleet, $a, $b), 'UP', 'the others do not know yet');
wait_for(sub { opinion($fleet, $a, $b) eq 'DOWN' }, 'DOWN');
cmp_ok(time - $began, '>=', 2, 'until the failure detector convicts');
is(status_of($a, $b), 'NORMAL', 'its gossiped status stays');
$fleet->post("nodes/$b/start");
reaches('and all is well again', 'NORMAL yes yes', 'UP', $b);

$fleet->post("nodes/$b/stop-native");
reaches('native transport off', 'NORMAL no yes', 'UP', $b);
$fleet->post("nodes/$b/start-native");
reaches('native transport on', 'NORMAL yes yes', 'UP', $b);
$fleet->post("nodes/$b/stop-gossip");
reaches('gossip off', 'NORMAL yes no', 'DOWN', $b);
is(status_of($a, $b), 'shutdown', 'announced as shutdown');
alike($fleet, $_->[0], "gossip-off-$_->[1]-detail") for [ $a, 'node1' ], [ $b, 'node2' ];
is(opinion($fleet, $b, $a), 'UP', 'its own view is frozen');
$fleet->post("nodes/$b/start-gossip");
reaches('gossip on', 'NORMAL yes yes', 'UP', $b);

my $joining = $fleet->post('join?dc=dc2&rack=r2')->{ip};
reaches('a joining node is up early', 'no MBean', 'UP', $joining);
wait_for(sub { status_of($a, $joining) eq 'BOOT' }, 'its status BOOT');
alike($fleet, $a, 'joining-node1-detail');
alike($fleet, $joining, 'joining-node4-fast');
reaches('and normal later', 'NORMAL yes yes', 'UP', $joining);
is(status_of($a, $joining), 'NORMAL', 'with status NORMAL');
$fleet->post("nodes/$joining/decommission");
is(status_of($a, $joining), 'LEAVING', 'leaving');
alike($fleet, $_->[0], "leaving-$_->[1]-detail") for [ $a, 'node1' ], [ $joining, 'node4' ];
reaches('decommissioned', 'DECOMMISSIONED no no', 'DOWN', $joining);
is(status_of($a, $joining), 'LEFT', 'with status LEFT');
alike($fleet, $_->[0], "decommissioned-$_->[1]-detail") for [ $a, 'node1' ], [ $joining, 'node4' ];

$fleet->post("nodes/$b/drain");
reaches('drained', 'DRAINED no no', 'DOWN', $b);
alike($fleet, $_->[0], "drained-$_->[1]-detail") for [ $a, 'node1' ], [ $b, 'node2' ];
$fleet->post("nodes/$joining/forget");
is(opinion($fleet, $a, $joining), '?', 'a departed node is forgotten');
my $refusal = eval { $fleet->post("nodes/$b/drain"); 1 } ? 'done' : $@;
like($refusal, qr/: 409 mode is not NORMAL/, 'what makes no sense is refused');
$fleet->post("nodes/$b/crash");
$fleet->post("nodes/$b/start");
reaches('and restarted', 'NORMAL yes yes', 'UP', $b);

$fleet->post("nodes/$b/isolate");
wait_for(sub { opinion($fleet, $a, $b) eq 'DOWN' && opinion($fleet, $b, $a) eq 'DOWN' }, 'the isolation');
is(opinion($fleet, $b, $b), 'UP', 'an isolated node sees itself UP');
$fleet->post("nodes/$b/heal");
reaches('healed', 'NORMAL yes yes', 'UP', $b);
$fleet->post("nodes/$b/partition?with=$a");
wait_for(sub { opinion($fleet, $a, $b) eq 'DOWN' && opinion($fleet, $b, $a) eq 'DOWN' }, 'the partition');
is(opinion($fleet, $c, $b), 'UP', 'others see over the partition');
$fleet->post("nodes/$b/heal");
reaches('healed', 'NORMAL yes yes', 'UP', $b);
$fleet->post("nodes/$b/lie?as=all-down");
is(opinion($fleet, $b, $a) . opinion($fleet, $b, $b), 'DOWNUP', 'a lie about all others');
$fleet->post("nodes/$b/heal");
is(opinion($fleet, $b, $a), 'UP', 'no more lies');
$fleet->post("opinion?observer=$b&endpoint=$c&state=DOWN");
is(opinion($fleet, $b, $c), 'DOWN', 'an opinion');
$fleet->post("opinion?observer=$b&endpoint=$c&state=UP");

my $body = encode_json(\@FAST);
my $hung = IO::Socket::INET->new(PeerAddr => $b, PeerPort => $fleet->{port});
$fleet->post("nodes/$b/hang");
print {$hung} "POST /jolokia/ HTTP/1.1\r\nHost: x\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
$hung->flush;
ok(!IO::Select->new($hung)->can_read(0.3), 'a hung node accepts and does not answer');
$fleet->post("nodes/$b/heal");
ok(IO::Select->new($hung)->can_read(5), 'until it is healed');
$fleet->post("nodes/$b/slow?bytes_per_s=2000");
$began = time;
my $length = length $fleet->answer($b, \@FAST)->{raw};
my $least = $length / 2000 * 0.8;
cmp_ok(time - $began, '>', $least, "a slow node takes its time for $length bytes");
$fleet->post("nodes/$b/heal");

# -- other flavours --------------------------------------------------------------------------------

for my $version (qw(4.1.9 4.0.18)) {
    my ($flavour) = $version =~ /^(\d+\.\d+)/;
    my $four = Prober::Fleet->start(
        version => $flavour, layout => 'dc1:r1=1,r2=1;dc2:r1=1', 'cluster-name' => 'prober', convict => 0.3);
    my ($one, undef, $three) = @{ $four->{nodes} };
    $four->post("nodes/$three/crash");
    wait_for(sub { opinion($four, $one, $three) eq 'DOWN' }, 'the conviction');
    alike($four, $one, "killed-down-node1-$_", $version) for qw(fast detail);
    $joining = $four->post('join?dc=dc2&rack=r1')->{ip};
    wait_for(sub { own_state($four, $joining) eq 'JOINING no yes' }, 'JOINING, which 5.0 does not show');
    $four->stop;
}
my $old = Prober::Fleet->start(version => '3.11');
my ($states, $servers) = $old->read($old->{nodes}[0], { type => 'read', mbean => $FD, attribute => 'SimpleStates' },
    { type => 'read', mbean => $SS, attribute => ['RPCServerRunning'] });
is_deeply([ sort keys %{ $states->{value} } ], [ map { "/$_" } @{ $old->{nodes} } ], '3.11: no ports');
is(ref $servers->{value}, 'HASH', '3.11: RPCServerRunning');
my ($none) = $old->read($old->{nodes}[0], $FAST[0]);
is($none->{status}, 404, '3.11: no …WithPort');
ok($old->{base} ne $fleet->{base}, 'two fleets live side by side');
$old->stop;

my $six = Prober::Fleet->start('report-ipv6' => undef);
my ($ip, $where) = $six->{static}[0] =~ m{^(.+)=jolokia\+http://([\d.]+):\d+/jolokia$};
my ($v6) = $six->read($where, $FAST[0]);
like((sort keys %{ $v6->{value} })[0], qr{^/\[fd00:0:0:0:0:[0-9a-f]+:1:1\]:7000$}, 'IPv6 as Java writes it');
like($ip, qr/^fd00::/, 'IPv6 as we write it');
is($six->stop, 0, 'ends on SIGTERM');

# -- 1,000 nodes -----------------------------------------------------------------------------------

my $large = Prober::Fleet->start(nodes => 1000, dcs => 4, racks => 3);
is(scalar @{ $large->{nodes} }, 1000, '1,000 nodes');
my %host = map { $_->{host_id} => 1 } $large->nodes;
is(scalar keys %host, 1000, 'each with a host id of its own');
my %connection;
for my $node (@{ $large->{nodes} }) {
    my $socket = IO::Socket::INET->new(PeerAddr => $node, PeerPort => $large->{port}, Timeout => 5) or die "$node: $!";
    $connection{ fileno $socket } = $socket;
}
my $request = "POST /jolokia/$QUERY HTTP/1.1\r\nHost: x\r\nContent-Length: " . length($body) . "\r\n\r\n$body";

# Asks all at once; returns the bytes of all answers.
sub poll_all {
    my $select = IO::Select->new(values %connection);
    syswrite $_, $request for values %connection;
    my ($bytes, %end) = (0);
    while ($select->count) {
        my @ready = $select->can_read(5) or die 'no answer in 5 s';
        for my $socket (@ready) {
            my $got = sysread($socket, my $data, 1 << 20) or die 'closed';
            $bytes += $got;
            my $end = substr(($end{ fileno $socket } // '') . $data, -7);
            $end{ fileno $socket } = $end;
            $select->remove($socket) if $end eq "\r\n0\r\n\r\n";
        }
    }
    return $bytes;
}

sub cpu {
    my @stat = split / /, slurp('/proc/' . $large->pid . '/stat');
    return ($stat[13] + $stat[14]) / 100;
}

poll_all();
$large->post('churn?fraction=0.1');
my $before = cpu();
my $rounds = 5;
my $bytes = 0;
for (1 .. $rounds) {
    $began = time;
    $bytes += poll_all();
    my $left = 1 - (time - $began);
    sleep $left if $left > 0;
}
my $cpu = (cpu() - $before) / $rounds;
my $kb = $bytes / $rounds / 1000 / 1000;
cmp_ok($kb, '>', 25, sprintf 'answers are %.0f kB', $kb);
cmp_ok($cpu, '<', 0.3, sprintf '1,000 answers a second, a tenth of the views changing, cost %.2f s of CPU', $cpu);
my ($rss) = slurp('/proc/' . $large->pid . '/status') =~ /VmHWM:\s+(\d+) kB/;
cmp_ok($rss, '<', 512 * 1024, sprintf 'in %.0f MiB', $rss / 1024);

done();
