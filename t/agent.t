#!/usr/bin/perl
# HAProxy's agent checks, by a real HAProxy: what a verdict does to a server, and what nobody's answer does not.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use Test::More;
use Prober::Test;
use Prober::Collector;
use Prober::Fleet;
use Prober::Haproxy;

my $dir = tempdir();
my ($port, $other) = (free_port(), free_port());
my $fleet = Prober::Fleet->start(layout => 'dc1:r1=3', convict => 0.5, boot => 0.5);
my @ip = @{ $fleet->{nodes} };
my $conf = fleet_conf($fleet, <<'CONF');
control: { socket = "%%DIR%%/control"; };
poll: { interval = "200ms"; timeout = "500ms"; view_ttl = "5s"; };
readiness: { settle = "500ms"; rehab = "0"; };
CONF
sub agent { my ($port, $node) = @_; return qq(agent: { listen = "127.0.0.1:$port"; node = "$node"; };\n) }

# What one connection gets that says this first, and whether it ended by itself.
sub ask {
    my ($line, %option) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $option{port} // $port, Timeout => 5) or return 'nobody';
    print {$socket} $line if length $line;
    $socket->flush;
    return Prober::Http::receive($socket, 5);
}
sub drain { my ($method, $ip) = @_; return http("$dir/control", "$method /drain/$ip")->{status} }

# Of this host's own node
my $collector = Prober::Collector->start($conf . agent($port, 'local'))->wait_ready;
wait_for(sub { ask('') eq "up ready\n" }, 'the own node to be ready', 20);
pass('up, at once');
is(ask("$ip[1]\n"), "up ready\n", 'whatever is sent');
is(drain(PUT => $ip[0]), 200, 'it is drained');
wait_for(sub { ask('') eq "drain\n" }, 'the drain');
is(drain(DELETE => $ip[0]), 200, 'and not any more');
$fleet->post("nodes/$ip[0]/stop-native");
wait_for(sub { ask('') eq "down #native transport off\n" }, 'what is wrong with it');
pass('down, with the reason');
$fleet->post("nodes/$ip[0]/start-native");
wait_for(sub { ask('') eq "up ready\n" }, 'its return');

# Of whom HAProxy asks about; taken over by a reload.
my $loads = $collector->notified('READY=1');
$collector->configure($conf . agent($port, 'asked'));
$collector->signal('HUP');
wait_for(sub { $collector->notified('READY=1') > $loads }, 'the reload', 20);
is(ask("$ip[1]\n"), "up ready\n", 'another node');
is(ask("[::ffff:$ip[2]]\r\n"), "up ready\n", 'in another spelling');
is(ask("10.9.9.9\n"), "down #no node of this cluster\n", 'none');
is(ask("nonsense\n"), '', 'no address: no answer');
is(ask('x' x 4096), '', 'no line: no answer');
is(ask($ip[1]), '', 'half a line, for a second');
is(ask(''), '', 'nothing: no answer of any other node');

# More than wait at a time, none of which says anything.
{
    my @idle = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 5) } 1 .. 80;
    is(scalar(grep { !$_ } @idle), 0, 'many connections');
    is(ask("$ip[1]\n"), "up ready\n", 'one more is answered');
}
$collector->configure($conf . agent($other, 'asked'));
$loads = $collector->notified('READY=1');
$collector->signal('HUP');
wait_for(sub { $collector->notified('READY=1') > $loads }, 'the reload', 20);
is(ask("$ip[1]\n"), 'nobody', 'another port');
is(ask("$ip[1]\n", port => $other), "up ready\n", 'is another port');

SKIP: {
    skip 'no haproxy', 8 unless -x Prober::Haproxy::binary();
    my $servers = join '', map { qq(    server $_ $_:9042 agent-check agent-addr 127.0.0.1 agent-port $other agent-inter 200ms agent-send "$_\\n"\n) } @ip;
    my $haproxy = Prober::Haproxy->start_with({ ports => ['cql'], timeout => '1h' }, "listen cql\n    bind 127.0.0.1:%%cql%%\n$servers");
    my $is = sub {
        my ($server, $status, $what) = @_;
        my $got = '';
        ok(eval { wait_for(sub { ($got = $haproxy->stats->{"cql/$server"}{status} // '') =~ $status }, $what, 20) }, $what) or diag($got);
    };
    $is->($_, qr/^UP|^no check/, "$_ is up") for @ip;
    $fleet->post("nodes/$ip[1]/crash");
    $is->($ip[1], qr/^DOWN/, 'a crash: DOWN');
    like($haproxy->stats->{"cql/$ip[1]"}{last_agt} . $haproxy->{process}->output, qr/DOWN by \d of \d|lost its vote/, 'with the reason');
    $fleet->post("nodes/$ip[1]/start");
    $is->($ip[1], qr/^UP|^no check/, 'and UP again');
    is(drain(PUT => $ip[2]), 200, 'an operator drains a node');
    $is->($ip[2], qr/^DRAIN/, 'DRAIN');
    is(drain(DELETE => $ip[2]), 200, 'and undrains it');
    $is->($ip[2], qr/^UP|^no check/, 'UP');
    # Who does not answer says nothing.
    $collector->signal('STOP');
    my $failed = sub { ($haproxy->stats->{"cql/$ip[0]"}{agent_status} // '') =~ /TOUT/ };
    wait_for($failed, 'a check to fail', 20);
    $is->($_, qr/^UP|^no check/, "a collector that hangs takes $_ not out") for @ip;
    $collector->signal('CONT');
}

# A port that is taken costs nobody the documents.
my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1) or die;
$loads = $collector->notified('READY=1');
$collector->configure($conf . agent($taken->sockport, 'asked'));
$collector->signal('HUP');
wait_for(sub { $collector->notified('READY=1') > $loads }, 'the reload', 20);
like($collector->log, qr/agent\.listen: cannot listen on port \d+: Address already in use/, 'a port that is taken is told');
$port = $taken->sockport;
sleep 3;    # longer than until it tries again
close $taken;
wait_for(sub { ask("$ip[1]\n") eq "up ready\n" }, 'it to listen once the port is free', 20);
is(scalar(() = $collector->log =~ /cannot listen on port/g), 1, 'told once');
like($collector->log, qr/agent\.listen: listening on port $port/, 'and that it listens');

# The own node is another one now, and has not said yet who it is: nothing is said of it.
my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 64) or die;
$loads = $collector->notified('READY=1');
$collector->configure(($conf =~ s{source = "[^"]+"}{'source = "jolokia+http://127.0.0.1:' . $silent->sockport . '/jolokia"'}er
        =~ s/timeout = "500ms"; view_ttl = "5s"/timeout = "30s"; view_ttl = "60s"/r) . agent($port, 'local'));
$collector->signal('HUP');
wait_for(sub { $collector->notified('READY=1') > $loads }, 'the reload', 20);
is(ask(''), '', 'another source that has not answered yet: no answer');
close $silent;
wait_for(sub { ask('') eq "down #no node of this cluster\n" }, 'it to be asked in vain', 20);
pass('one that is not there: down');
is($collector->stop, 0, 'the collector ends well') or diag($collector->log);

done();
