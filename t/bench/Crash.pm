package Crash;

# How long until every host says that a Cassandra process was killed, and that it serves again; and how long gossip takes for
# the same: a real cluster of five hosts, each killed in its turn.

use strict;
use warnings;
use List::Util qw(max);
use Prober::Mesh;
use Prober::Test;
use Prober::Watch;
use Report;
use Time::HiRes qw(time);

use constant PHI => 8;                                         # Cassandra's own threshold
use constant { INTERVAL => 0.5, TIMEOUT => 1, SLACK => 0.2 };   # the defaults, in s, and what the rest may take
use constant { CONVICTED => 60, STARTED => 180 };

my $crashes = $ENV{PROBER_CRASHES} || 20;
my $mesh;

# What a node's failure detector says of an address.
sub opinion {
    my ($number, $of) = @_;
    my $value = $mesh->cluster->attributes($number, 'net:type=FailureDetector', 'SimpleStatesWithPort') or return '?';
    my $states = $value->{SimpleStatesWithPort};
    my ($word) = map { $states->{$_} } grep { m{/\Q$of\E:\d+$} } keys %$states;
    return $word // '?';
}

# One process a host asks its nginx for /healthz of the victim, and its node for its opinion; one asks the victim for its state.
sub watches {
    my ($round, $victim) = @_;
    my $ip = $mesh->ip($victim);
    my $watch = sub {
        my ($name, $every, $look) = @_;
        return Prober::Watch->start(name => "$name-$round", every => $every, look => sub { $_[0]->(of => $look->()) });
    };
    my %watch = (state => { $victim => $watch->('state', 0.05, sub { $mesh->cluster->state($victim) }) });
    for my $number ($mesh->numbers) {
        $watch{healthz}{$number} = $watch->("healthz$number", 0.02, sub { $mesh->http($number, "/healthz/$ip?brief")->{status} });
        $watch{gossip}{$number} = $watch->("gossip$number", 0.1, sub { opinion($number, $ip) }) if $number != $victim;
    }
    return \%watch;
}

# When all of a kind had first seen something since a time; dies when that is too late.
sub when_all {
    my ($watch, $value, $since, $limit) = @_;
    my $all = sub {
        my @at = map { $_->when(of => qr/^$value$/, $since) } values %$watch;
        return !(grep { !defined } @at) && max(@at);
    };
    return wait_for($all, "all to say $value", $limit);
}

sub all_well {
    my @numbers = $mesh->numbers;
    my $well = sub {
        my @nodes = map { values %{ $mesh->node($_) } } @numbers;
        return @nodes == @numbers**2 && !grep { $_->{verdict} ne 'ready' || ($_->{observer} // '') ne 'voter' } @nodes;
    };
    return if eval { wait_for($well, 'all to be ready and to count', STARTED) };
    for my $host (@numbers) {
        my $nodes = $mesh->node($host);
        print STDERR "host $host: $_ $nodes->{$_}{verdict}: @{ $nodes->{$_}{reasons} }; $nodes->{$_}{observer}\n" for sort keys %$nodes;
        print STDERR "    its node says: ", join(' ', map { opinion($host, $mesh->ip($_)) } @numbers), "\n";
    }
    die $@;
}

# One crash and the way back; seconds.
sub round {
    my ($round, $victim) = @_;
    my $watch = watches($round, $victim);
    wait_for(sub { !grep { $_->last_value('of') ne 'UP' } values %{ $watch->{gossip} } }, 'gossip to see it', 60);
    wait_for(sub { !grep { $_->last_value('of') ne '200' } values %{ $watch->{healthz} } }, 'it to be ready', 60);
    my $killed = $mesh->cluster->signal(KILL => $victim);
    my %took = (
        crash => when_all($watch->{healthz}, '404', $killed, CONVICTED) - $killed,
        crash_gossip => when_all($watch->{gossip}, 'DOWN', $killed, CONVICTED) - $killed,
    );
    my $started = $mesh->cluster->start($victim);
    my $serves = when_all($watch->{state}, 'NORMAL on', $started, STARTED);
    my $ready = when_all($watch->{healthz}, '200', $started, STARTED);
    $took{recovery} = $ready - $serves;
    $took{recovery_gossip} = when_all($watch->{gossip}, 'UP', $started, STARTED) - $serves;
    $took{recovery_lag} = $took{recovery} - max(0, $took{recovery_gossip});
    $took{early} = grep { $_->when(of => qr/^200$/, $started) < $serves } values %{ $watch->{healthz} };
    $mesh->cluster->wait_for_start($victim);
    all_well();
    $took{again} = grep { $_->when(of => qr/^404$/, $ready) } values %{ $watch->{healthz} };
    $_->stop for map { values %$_ } values %$watch;
    return \%took;
}

sub figures {
    my ($name, $what, @rounds) = @_;
    my $goal = '<= ' . (INTERVAL + TIMEOUT + SLACK);
    my ($ours, $gossip) = map { my $key = $_; [ sort { $a <=> $b } map { $_->{$key} } @rounds ] } $name, "${name}_gossip";
    note("$what: s until all hosts say so: " . join ' ', map { sprintf '%.2f', $_ } @$ours);
    note('    until gossip does on all the other nodes: ' . join ' ', map { sprintf '%.1f', $_ } @$gossip);
    figure("${name}_median_s", sprintf('%.2f', median(@$ours)), "$what: /healthz on all hosts, median", unit => 's', goal => $goal,
        more => sprintf('gossip %.1f', median(@$gossip)));
    figure("${name}_worst_s", sprintf('%.2f', $ours->[-1]), '    worst of ' . @rounds, unit => 's', goal => $goal,
        more => sprintf('gossip %.1f', $gossip->[-1]));
    figure("${name}_gossip_median_s", sprintf('%.2f', median(@$gossip)), '    gossip of the others, median', unit => 's');
    figure("${name}_gossip_worst_s", sprintf('%.2f', $gossip->[-1]), '    gossip of the others, worst', unit => 's');
    return median(@$gossip) / median(@$ours);
}

sub crash {
    if (!$ENV{PROBER_MESH_NET}) {
        heading('Crashes of a real cluster: not measured, ' . (Prober::Mesh::no_network() // 'not in a network of its own'));
        return;
    }
    heading("$crashes crashes (kill -9) in a real Cassandra 5.0.4 cluster of five hosts, two data centers");
    local $ENV{PROBER_COLLECTOR} //= root() . '/build/prober-collector';
    $mesh = Prober::Mesh->new(layout => 'dc1:r1,dc1:r2,dc1:r3,dc2:r1,dc2:r2', seeds => '1,4', phi => PHI);
    my @numbers = $mesh->numbers;
    $mesh->start(@numbers);
    $mesh->cluster->wait_for_start($_) for @numbers;
    # A node changes more often here than one may that is to be trusted at once.
    $mesh->reload('readiness: { rehab = "0s"; };');
    all_well();
    my @rounds = map { round($_, $numbers[ $_ % @numbers ]) } 1 .. $crashes;
    note(sprintf 'goal: interval + timeout + %.0f ms, as by default: %.1f s', 1000 * SLACK, INTERVAL + TIMEOUT + SLACK);
    my $ratio = figures('crash', 'killed', @rounds);
    figure('crash_gossip_ratio', sprintf('%.0f', $ratio), 'killed: gossip takes so many times as long');
    figures('recovery', 'NORMAL and CQL served again', @rounds);
    my @lag = sort { $a <=> $b } map { $_->{recovery_lag} } @rounds;
    figure('recovery_lag_median_s', sprintf('%.2f', median(@lag)), '    after it served and all others saw it UP, median', unit => 's');
    figure('recovery_lag_worst_s', sprintf('%.2f', $lag[-1]), '    after it served and all others saw it UP, worst', unit => 's',
        goal => '<= ' . (INTERVAL + TIMEOUT + SLACK));
    note('    below 0: before the node could serve; these nodes, unlike installed ones, do not wait some 8 s for gossip to settle');
    my ($early, $again) = map { my $key = $_; scalar grep { $_->{$key} } @rounds } 'early', 'again';
    figure('recovery_early', $early, 'rounds in which a host said 200 before the node served', goal => '<= 0');
    figure('recovery_again', $again, 'rounds in which a host said 404 once more after all had said 200', goal => '<= 0');
    $mesh->cluster->end;
}

1;
