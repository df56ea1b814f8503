#!/usr/bin/perl
# 10,000 changes by 50 clients, while the collector is killed again and again and the power is cut each time: what was
# acknowledged is there afterwards, and nothing is ever seen by halves.
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
use Prober::Process;
use Prober::Watch;

use constant { CLIENTS => 50, COUNT => 200, KILLS => 20 };

my $shim = root() . '/build/preload/power_cut.so';
my $fleet = Prober::Fleet->start(layout => 'dc1:r1=25,r2=25');
my @ip = @{ $fleet->{nodes} };
my $dir = tempdir();
mkdir "$dir/$_" or die $! for qw(state disk);
my $conf = fleet_conf($fleet, qq(poll: { interval = "500ms"; timeout = "2s"; view_ttl = "5s"; };
control: { socket = "$dir/control.sock"; };
state: { path = "$dir/state/state.json"; };));
my $nginx = nginx(<<'CONF');
%%GLOBALS%%
http { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; location / { prober; prober_segment %%DIR%%/segment; } } }
CONF

sub collector {
    my (%env) = @_;
    return Prober::Collector->start($conf, program => root() . '/build/prober-collector',
        env => { LD_PRELOAD => $shim, POWER_CUT => "$dir/disk", POWER_CUT_OF => "$dir/state", %env });
}

# What is left of the state directory by a power cut.
sub cut {
    unlink glob "$dir/state/*";
    run('sh', '-c', "cp $dir/disk/now/* $dir/state/ 2>/dev/null");
}

# TTLs by address, as /state has them.
sub held {
    my $state = eval { get_json($nginx->port, '/state') } or return {};
    return { map { $_->{key} =~ m{^drain/(.*)} ? ($1 => $_->{ttl_ms} / 1000) : () } @{ $state->{values} } };
}

# The last TTL that each client has sent, or got a 200 for.
sub last_of {
    my ($word, $load) = @_;
    my %last;
    my $said = $load->output;
    $last{ $ip[$1] } = $2 while $said =~ /^$word (\d+) (\d+)$/mg;
    return \%last;
}

sub missing {
    my ($acked, $held) = @_;
    return map { "$_: " . ($held->{$_} // 'nothing') . ", not $acked->{$_}" } grep { ($held->{$_} // 0) < $acked->{$_} } sort keys %$acked;
}

sub load {
    my ($count) = @_;
    return Prober::Process->start(name => "load$count", input => 1,
        command => [ root() . '/t/lib/put_load.py', "$dir/control.sock", CLIENTS, $count, @ip[ 0 .. CLIENTS - 1 ] ]);
}

# The sieve has no holes: a collector that does not wait for its disk is caught.
my $collector;
for my $what ('files', 'names') {
    $collector = collector(POWER_CUT_LAZY => $what);
    $collector->wait_ready;
    my $lazy = load(3);
    $lazy->{input}->print("end\n");
    wait_for(sub { !$lazy->alive }, 'some changes', 30);
    $collector->stop('KILL');
    cut();
    $collector = collector();
    $collector->wait_ready;
    isnt(join("\n", missing(last_of(acked => $lazy), held())), '', "where $what are not synced a power cut loses something");
    $collector->stop('KILL');
    run('rm', '-rf', map { "$dir/$_" } 'state', 'disk');
    mkdir "$dir/$_" or die $! for qw(state disk);
}
$collector = collector();
$collector->wait_ready;

# /dcs is whole whenever it is looked at.
my $watch = Prober::Watch->start(name => 'dcs', every => 0.002, look => sub {
    my ($say) = @_;
    my $answer = http($nginx->port, 'GET /dcs');
    return if $answer->{status} == 503;
    $say->(looked => $answer->{body});
    my $dcs = eval { JSON::PP::decode_json($answer->{body}) };
    my $whole = $dcs && !grep { $_->{name} =~ /^d+$/ && length $_->{name} != $_->{replicas} } @$dcs;
    $say->(half => "$answer->{status} $answer->{body}") if !$whole;
});
my $began = time;
my $load = load(COUNT);
my ($kills, @lost) = (0);
while ($kills < KILLS && time - $began < 240) {
    sleep rand 0.4;
    $collector->stop('KILL');
    my $acked = last_of(acked => $load);
    cut() if $kills % 4;    # else the power stays: all that was written is there
    $collector = collector();
    $collector->wait_ready;
    push @lost, missing($acked, held());
    $kills++;
}
$load->{input}->print("end\n");
wait_for(sub { !$load->alive }, 'the clients', 120);
my $took = time - $began;
my ($sent, $acked) = (last_of(sent => $load), last_of(acked => $load));
my $answers = () = $load->output =~ /^acked /mg;
cmp_ok($answers, '>=', CLIENTS * COUNT, 'as many changes were acknowledged as were wanted');
is(join("\n", @lost), '', "none of them was lost by $kills kills and power cuts");
is($kills, KILLS, 'as many as were meant');
$collector->stop('KILL');
cut();
$collector = collector();
$collector->wait_ready;
my $held = held();
is(join("\n", missing($acked, $held)), '', 'nor at the end');
is(join(' ', grep { ($held->{$_} // 0) > $sent->{$_} } sort keys %$sent), '', 'and nothing is there that nobody sent');
is(join("\n", map { $_->{value} } $watch->seen('half')), '', 'nothing was ever seen by halves');
cmp_ok($watch->seen('looked'), '>', 100, 'by somebody who looked');
$watch->stop;
diag(sprintf '%d changes acknowledged in %.1f s, with %d kills', $answers, $took, $kills);
$collector->stop;
done();
