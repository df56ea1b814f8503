#!/usr/bin/perl
# Two regions, each a network of its own with its nodes (simulated), collector and nginx; between the two only the port of
# the regional prober is open. In each an automation that does what /regions and /plan say. They begin one after the other;
# the second one waits while the first is cut off, and goes on by itself afterwards.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);
use Prober::Test;
use Prober::Collector;
use Prober::Fleet;

use constant { PORT => 8888, CLOSED => 8889 };

# The test starts itself again in a network of its own, so that nothing of this host's is touched and nothing is left.
if (!$ENV{PROBER_REGIONS_NET}) {
    my ($why) = $> != 0 ? 'namespaces need root' : ();
    for my $tool (qw(ip nft nsenter setpriv unshare)) {
        $why //= "there is no $tool" if !grep { -x "$_/$tool" } qw(/usr/sbin /sbin /usr/bin /bin);
    }
    $why //= 'this kernel makes no network namespaces' if (run('unshare', '--net', 'true'))[0] != 0;
    plan(skip_all => $why) if $why;
    $ENV{PROBER_REGIONS_NET} = 1;
    exec 'unshare', '--net', $^X, $0, @ARGV or die "unshare: $!";
}

sub sh {
    my @lines = @_;
    my ($status, $said) = run('sh', '-ec', join "\n", @lines);
    die join("\n", @lines, $said) if $status != 0;
}

my $dir = tempdir();
my %ip = (ap => '10.78.0.1', eu => '10.78.0.2');
my %dc = (ap => 'dc1',       eu => 'dc2');
my (%within, %fleet, %collector, %nginx, %beginner);

# Only the port of the prober gets through, and ARP.
sh('ip link set lo up', 'ip link add mesh type bridge', 'ip addr add 10.78.0.254/24 dev mesh', 'ip link set mesh up',
    'nft add table bridge regions', 'nft add chain bridge regions cut "{ type filter hook forward priority -1; }"',
    'nft add chain bridge regions door "{ type filter hook forward priority 0; policy drop; }"',
    'nft add rule bridge regions door ether type arp accept',
    'nft add rule bridge regions door tcp dport ' . PORT . ' accept',
    'nft add rule bridge regions door tcp sport ' . PORT . ' accept');

for my $name (sort keys %ip) {
    my $keeper = Prober::Process->start(name => "keeper-$name", command => [qw(setpriv --pdeathsig KILL unshare --net sleep infinity)]);
    my $netns = "/proc/$keeper->{pid}/ns/net";
    my $ours = readlink '/proc/self/ns/net';
    wait_for(sub { (readlink $netns // $ours) ne $ours }, "the network of $name");
    my $inside = "nsenter --net=$netns";
    sh("ip link add $name type veth peer name eth0 netns $keeper->{pid}", "ip link set $name master mesh up",
        "$inside ip link set lo up", "$inside ip addr add $ip{$name}/24 dev eth0", "$inside ip link set eth0 up");
    $within{$name} = [ qw(setpriv --pdeathsig TERM nsenter), "--net=$netns" ];
}

sub conf_of {
    my ($name) = @_;
    my $f = $fleet{$name};
    return <<"CONF";
local: { source = "jolokia+http://$f->{nodes}[0]:$f->{port}/jolokia"; };
peers: { mode = "direct"; url = "jolokia+http://{address}:$f->{port}/jolokia"; };
segment: { path = "$dir/$name.segment"; };
state: { path = "$dir/$name.state"; };
poll: { interval = "200ms"; timeout = "1s"; view_ttl = "2s"; };
readiness: { settle = "200ms"; rehab = "0"; };
region: { name = "$name"; datacenters = [ "$dc{$name}" ]; };
datacenters = ( { name = "$dc{$name}"; size = 3; racks = [ "r1", "r2", "r3" ]; } );
regions = ( @{[ join ', ', map { qq({ name = "$_"; url = "http://$ip{$_}:8888"; }) } sort keys %ip ]} );
CONF
}

sub start_region {
    my ($name) = @_;
    my $f = $fleet{$name} = Prober::Fleet->start(layout => "$dc{$name}:r1=1", convict => 0.5, boot => 1, within => $within{$name});
    my @first = (@{ $within{$name} }, 'curl', '-sf', '-X', 'POST', "$f->{control}/nodes/$f->{nodes}[0]/crash");
    is((run(@first))[0], 0, "$name: its first node does not run yet");
    $collector{$name} = Prober::Collector->start(conf_of($name), within => $within{$name});
    wait_for(sub { -e "$dir/$name.segment" }, 'the segment');
    $nginx{$name} = nginx(<<"CONF", within => $within{$name});
%%GLOBALS%%
http { %%HTTP%% server { listen @{[ PORT ]}; listen @{[ CLOSED ]}; location / { prober; prober_segment $dir/$name.segment; } } }
CONF
    $collector{$name}->wait_ready;
    $beginner{$name} = Prober::Process->start(
        name => "beginner-$name",
        command => [ @{ $within{$name} }, $^X, root() . '/t/lib/beginner.pl', 'http://127.0.0.1:' . PORT, $f->{control}, $f->{nodes}[0] ]);
}

# As the test, which is on neither side, sees them.
sub get {
    my ($name, $path) = @_;
    my $answer = http(PORT, "GET $path", address => $ip{$name}, timeout => 3);
    return $answer->{status} == 200 ? eval { JSON::PP->new->allow_nonref->decode($answer->{body}) } : undef;
}
sub ready { my $ready = get($_[0], '/readylocaldcs'); return $ready ? 1 : 0 }
sub waits { my $regions = get($_[0], '/regions'); return $regions ? $regions->{waits} // '' : undef }

sub until_ok {
    my ($condition, $what, $timeout) = @_;
    my $began = time;
    my $got = eval { wait_for($condition, $what, $timeout // 45) };
    ok($got, sprintf '%s (%.1f s)', $what, time - $began)
        or diag(explain({ map { $_ => [ get($_, '/regions'), get($_, '/plan'), $beginner{$_} && $beginner{$_}->output ] } keys %ip }));
}

sub cut  { sh('nft add rule bridge regions cut drop') }
sub heal { sh('nft flush chain bridge regions cut') }

# The first one is cut off from the beginning.
cut();
start_region('eu');
until_ok(sub { (waits('eu') // '') =~ /^region ap cannot be reached/ }, 'eu waits: it cannot reach ap');
start_region('ap');
until_ok(sub { ready('ap') }, 'ap begins, cut off as it is: nobody comes before it');
is(get('ap', '/plan')->{dcs}[0]{present}, 3, 'with as many nodes as it is to have');
like(waits('eu'), qr/^region ap cannot be reached/, 'eu still waits');
my ($plan) = grep { $_->{name} eq 'dc2' } @{ get('eu', '/plan')->{dcs} };
like($plan->{add}, qr/^region ap cannot be reached/, 'its plan says why') or diag(explain($plan));
is($plan->{present}, 0, 'and has not begun');
unlike($beginner{eu}->output, qr/start|join/, 'nobody has started anything there');

# Afterwards it goes on by itself.
heal();
until_ok(sub { ready('eu') }, 'eu goes on by itself');
is(get('eu', '/plan')->{dcs}[0]{present}, 3, 'with as many nodes as it is to have') or diag(explain(get('eu', '/plan')));
my ($began) = $beginner{eu}->output =~ /^(\S+) nodes\/\S+start: 200$/m;
ok($began, 'its first node was started') or diag($beginner{eu}->output);
is(scalar(() = $beginner{eu}->output =~ /^\S+ join\?/mg), 2, 'the others joined one after the other');
until_ok(sub { my $r = get('ap', '/regions'); $r && !grep { $_->{state} ne 'ready' } @{ $r->{regions} } }, 'ap knows that eu is ready');
for my $name (sort keys %ip) {
    until_ok(sub { join(' ', map { $_->{name} } @{ get($name, '/dcs') || [] }) eq 'dc1 dc2' }, "$name knows the data centers of both");
}

# Nothing but the port of the prober is open between the two.
sub asked { my ($from, $port) = @_; return (run(@{ $within{$from} }, 'curl', '-sf', '-m', 4, "http://$ip{ap}:$port/ping"))[0] }
is(asked('eu', PORT),   0, 'eu: the prober of ap answers');
isnt(asked('eu', CLOSED), 0, 'eu: nothing else of ap does');
is(asked('ap', CLOSED), 0, 'which is there');

# A cut between regions that have begun takes nothing away.
my ($there) = map { $_->{seeds} } grep { $_->{name} eq 'ap' } @{ get('eu', '/regions')->{regions} };
is(scalar @$there, 3, 'eu knows the seeds of ap');
cut();
until_ok(sub { my ($ap) = grep { $_->{name} eq 'ap' } @{ (get('eu', '/regions') || {})->{regions} }; $ap->{state} eq 'unreachable' }, 'cut off again');
is(ready('eu'), 1, 'eu is as ready as before');
is(waits('eu'), '', 'and waits for nobody');
my ($still) = map { $_->{seeds} } grep { $_->{name} eq 'ap' } @{ get('eu', '/regions')->{regions} };
is_deeply($still, $there, 'the seeds of ap are the same');
heal();
until_ok(sub { my ($ap) = grep { $_->{name} eq 'ap' } @{ (get('eu', '/regions') || {})->{regions} }; $ap->{state} eq 'ready' }, 'ap is back');

$beginner{$_}->stop for sort keys %beginner;
for my $name (sort keys %ip) {
    $collector{$name}->stop;
    is($?, 0, 'ended well') or diag($collector{$name}->log);
}
done();
