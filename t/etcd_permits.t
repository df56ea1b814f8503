#!/usr/bin/perl
# At most one permit: collectors of one cluster with a real etcd, clients that ask all of them at once, while members of etcd
# and collectors are killed and started anew.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use Prober::Test;
use Prober::Collector;
use Prober::Etcd;
use Prober::Fleet;

plan(skip_all => 'there is no etcd') if !Prober::Etcd::have();

use constant SECONDS => 40;
use constant TTL     => 20;    # of a permit whose client does not know that it has it

my $dir = tempdir();
my $fleet = Prober::Fleet->start(layout => 'dc1:r1=1,r2=1,r3=1', convict => 5);
my @ip = @{ $fleet->{nodes} };

sub start_collector {
    my ($i, $coordination) = @_;
    return Prober::Collector->start(<<"CONF" . $coordination);
local: { source = "jolokia+http://$ip[$i]:$fleet->{port}/jolokia"; };
peers: { mode = "direct"; url = "jolokia+http://{address}:$fleet->{port}/jolokia"; };
readiness: { settle = "1s"; rehab = "0"; };
gates: { stable = "1s"; };
segment: { path = "$dir/segment$i"; };
state: { path = "$dir/state$i"; };
control: { socket = "$dir/control$i"; };
CONF
}

sub start_load {
    my ($clients, @collectors) = @_;
    return start(name => 'load' . time, input => 1, answers => 1,
        command => [ root() . '/t/lib/permit_load.py', $clients, TTL, (map { "$dir/control$_" } @collectors), '--', @ip ]);
}

# What it has counted, after it was told to end.
sub end_load {
    my ($load) = @_;
    print { $load->{input} } "\n";
    my $answers = $load->{answers};
    my @lines = <$answers>;
    diag(@lines > 12 ? @lines[ -12 .. -1 ] : @lines) if @lines > 1;
    return { ($lines[-1] // '') =~ /(\w+)=(\d+)/g };
}

sub may_stop {
    my ($i) = @_;
    my $answer = http("$dir/control$i", "POST /may-stop/$ip[$i]?token=first-of-all");
    return $answer->{status} == 200 && http("$dir/control$i", "DELETE /may-stop/$ip[$i]?token=first-of-all")->{status} == 200;
}

# Two that decide each for itself: the check sees that.
my @collector = map { start_collector($_, '') } 0, 1;
$_->wait_ready(40) for @collector;
for my $i (0, 1) { wait_for(sub { may_stop($i) }, 'a permit', 60) }
my $load = start_load(8, 0, 1);
my $seen = '';
vec($seen, fileno $load->{answers}, 1) = 1;
select($seen, undef, undef, 60);    # the first overlap
my $counted = end_load($load);
cmp_ok($counted->{taken}, '>', 1, 'permits were taken');
cmp_ok($counted->{overlaps}, '>', 0, 'two stores give two permits, which is seen');
$_->stop for @collector;

# One store.
my $etcd = Prober::Etcd->start(members => 3);
@collector = map { start_collector($_, $etcd->conf(ttl => '"5s"')) } 0 .. 2;
$_->wait_ready(40) for @collector;
for my $i (0 .. 2) { wait_for(sub { may_stop($i) }, 'a permit', 60) }
$load = start_load(32, 0 .. 2);
my ($end, $faults) = (time + SECONDS, 0);
while (time < $end) {
    # Whoever leads every other time: the worst of them to lose.
    my $member = $faults % 2 ? int(rand 3) : $etcd->leader // 0;
    my $how = (qw(kill pause both))[ $faults % 3 ];
    $how eq 'pause' ? $etcd->pause($member) : $etcd->kill($member);
    my $other = ($member + 1) % 3;
    $etcd->pause($other) if $how eq 'both';    # no majority
    my $host = int(rand 3);
    $collector[$host]->stop('KILL') if $faults % 4 == 1;
    sleep 1 + rand 2;
    $collector[$host] = start_collector($host, $etcd->conf(ttl => '"5s"')) if $faults % 4 == 1;
    $etcd->resume($other) if $how eq 'both';
    $how eq 'pause' ? $etcd->resume($member) : $etcd->start_member($member);
    $etcd->wait_leader;
    sleep 1 + rand 2;
    $faults++;
}
$counted = end_load($load);
note(join ' ', "$faults faults", map { "$_=$counted->{$_}" } sort keys %$counted);
is($counted->{overlaps}, 0, 'never two permits');
cmp_ok($counted->{requests}, '>', 1000, 'of many requests');
cmp_ok($counted->{taken}, '>', 50, 'some got one');
cmp_ok($counted->{refused}, '>', 500, 'most did not');
cmp_ok($counted->{unknown}, '>', 0, 'of some nobody knew');
is($counted->{returned}, $counted->{taken}, 'all were given back');
cmp_ok($faults, '>', 3, 'and all was broken several times');
ok(eval { wait_for(sub { may_stop(0) }, 'a permit', TTL + 60) }, 'at the end there is one for who asks')
    or diag($etcd->get('/cassandra-prober/Fleet/permit'));
for my $collector (@collector) {
    $collector->stop;
    is($?, 0, 'ended well') or diag($collector->log);
}
done();
