#!/usr/bin/perl
# Five hosts in two data centers, each with a real Cassandra, a collector with next to no configuration and an nginx, find
# each other and agree; then whatever comes between hosts, and what each of them says of all then.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use List::Util qw(max min sum);
use Test::More;
use Time::HiRes qw(sleep time);
use Prober::Test;
use Prober::Mesh;
use Prober::Watch;

BEGIN { Prober::Mesh::own_network() }

# The defaults, in s, and what judging, publishing and looking may take on a busy machine.
use constant { INTERVAL => 0.5, TIMEOUT => 1, VIEW_TTL => 3, STALE => 10, SLACK => 3 };
use constant CONVICTED => 120;   # gossip takes some 12 s for a silent node to be DOWN, and as long for a half silent one
use constant STARTED   => 180;

# Node 5 changes more often here than a node may that is to be trusted at once.
my $policy = 'readiness: { rehab = "0s"; policy = "%s"; min_observers = "%s"; };';
my %policy = (
    mutual    => sprintf($policy, 'mutual', '1'),
    majority  => sprintf($policy, 'mutual', 'majority'),
    unanimous => sprintf($policy, 'unanimous', '1'),
);

# What each host says of nodes 1 to 5 once a fault has had its effect: R ready, - not ready, * either; "stale" and "none" (no
# answer) are of the host as a whole. What is the same as in a cluster in which all is well must hold all the time.
my $well = 'RRRRR RRRRR RRRRR RRRRR RRRRR';
my $lost = 'RRRR- RRRR- RRRR- RRRR- RRRR-';
my $mesh;
sub ip { $mesh->ip($_[0]) }

my @faults = (
    {   fault => 'Cassandra of host 5 killed; its collector starts anew',
        make => sub { my $at = $mesh->cluster->signal(KILL => 5); $mesh->kill_collector(5); $mesh->start_collector(5); $at },
        end  => sub { $mesh->cluster->start(5) },
        mutual => $lost, majority => $lost, unanimous => $lost,
    },
    {   fault => 'host 5 isolated',
        make => sub { $mesh->cut('ip saddr ' . ip(5), 'ip daddr ' . ip(5)) },
        # Alone, no node is its own witness; one that has a veto for itself is.
        mutual    => 'RRRR- RRRR- RRRR- RRRR- -----',
        majority  => 'RRRR- RRRR- RRRR- RRRR- -----',
        unanimous => 'RRRR- RRRR- RRRR- RRRR- ----R',
    },
    {   fault => 'the data centers split 3|2',
        make => sub {
            my ($large, $small) = map { '{' . join(',', map { ip($_) } @$_) . '}' } [ 1, 2, 3 ], [ 4, 5 ];
            $mesh->cut("ip saddr $large ip daddr $small", "ip saddr $small ip daddr $large");
        },
        mutual    => 'RRR-- RRR-- RRR-- ---RR ---RR',
        majority  => 'RRR-- RRR-- RRR-- ----- -----',
        unanimous => 'RRR-- RRR-- RRR-- ---RR ---RR',
    },
    {   # No connection between the two, but each hears of the other through the rest.
        fault => 'nothing gets from host 5 to host 1',
        make => sub { $mesh->cut('ip saddr ' . ip(5) . ' ip daddr ' . ip(1)) },
        mutual => $well, majority => $well, unanimous => $well,
    },
    {   fault => 'nothing gets from host 5 to anybody',
        make => sub { $mesh->cut('ip saddr ' . ip(5)) },
        # What host 5 hears keeps it in doubt about the others for a minute and more.
        mutual    => 'RRRR- RRRR- RRRR- RRRR- ****-',
        majority  => 'RRRR- RRRR- RRRR- RRRR- -----',
        unanimous => 'RRRR- RRRR- RRRR- RRRR- *****',
    },
    {   fault => '30 % of what host 5 sends and gets is lost',
        make => sub {
            $mesh->cut('ip saddr ' . ip(5) . ' numgen random mod 100 < 30', 'ip daddr ' . ip(5) . ' numgen random mod 100 < 30');
        },
        mutual => 'RRRR* RRRR* RRRR* RRRR* *****', majority => 'RRRR* RRRR* RRRR* RRRR* *****',
    },
    {   fault => '500 ms of round trip to host 5',
        make => sub { $mesh->delay(5, 500) },
        mutual => $well, majority => $well, unanimous => $well,
    },
    {   fault => 'Cassandra of host 5 hangs (SIGSTOP)',
        make => sub { $mesh->cluster->signal(STOP => 5) },
        end  => sub { $mesh->cluster->signal(CONT => 5) },
        within => VIEW_TTL + INTERVAL + TIMEOUT + SLACK,
        mutual => $lost, majority => $lost, unanimous => $lost,
    },
    {   fault => 'collector of host 5 killed',
        make => sub { $mesh->kill_collector(5) },
        end  => sub { $mesh->start_collector(5) },
        mutual => 'RRRRR RRRRR RRRRR RRRRR stale', unanimous => 'RRRRR RRRRR RRRRR RRRRR stale',
        majority => 'RRRRR RRRRR RRRRR RRRRR stale',
    },
    {   fault => 'nginx of host 5 killed',
        make => sub { $mesh->kill_nginx(5) },
        end  => sub { $mesh->start_nginx(5) },
        mutual => 'RRRRR RRRRR RRRRR RRRRR none', majority => 'RRRRR RRRRR RRRRR RRRRR none',
        unanimous => 'RRRRR RRRRR RRRRR RRRRR none',
    },
    {   fault => 'the clock of collector and nginx of host 5 jumps a day ahead',
        make => sub { $mesh->clock(5, 86400) },
        mutual => $well, majority => $well, unanimous => $well,
    },
);

# One process a host looks at what its nginx answers: /nodes as a word, and /healthz of node 5.
my @watch;

sub word {
    my ($answer) = @_;
    return $answer->{status} == 0 ? 'none' : $answer->{body} =~ /"error":"(\w+)"/ ? $1 : $answer->{status} if $answer->{status} != 200;
    my %verdict = map { $_ => '?' } $mesh->numbers;
    $verdict{$1} = $2 eq 'ready' ? 'R' : $2 eq 'not ready' ? '-' : '?'
        while $answer->{body} =~ /"address":"10\.77\.0\.(\d+)","verdict":"([^"]+)"/g;
    return join '', map { $verdict{$_} } sort keys %verdict;
}

sub watch {
    my ($number) = @_;
    return Prober::Watch->start(
        name => "host$number", every => 0.05,
        look => sub {
            my ($say) = @_;
            my $nodes = $mesh->http($number, '/nodes');
            $say->(nodes => word($nodes));
            my $healthz = $mesh->http($number, '/healthz/' . ip(5));
            $say->(healthz => "$healthz->{status} $healthz->{body}");
            $say->("reasons $1", "$2: $3")
                while $nodes->{body} =~ /"address":"([^"]+)","verdict":"([^"]+)","reasons":\[(.*?)\]/g;
        });
}

sub words { return map { $watch[$_]->last_value('nodes') } $mesh->numbers }

sub pattern {
    my ($expected) = @_;
    return join ' ', map { my $word = s/\*/./gr; $word eq '.....' ? '\S+' : $word } split ' ', $expected;
}

# What the hosts give as the reasons for what was not expected.
sub reasons_of {
    my ($expected) = @_;
    my @expected = split ' ', $expected;
    my $text = '';
    for my $number ($mesh->numbers) {
        my ($is, $want) = ($watch[$number]->last_value('nodes'), $expected[ $number - 1 ]);
        next if $is eq $want;
        $text .= "host $number says $is, not $want\n";
        $text .= join '', map { "    $_: " . $watch[$number]->last_value('reasons ' . ip($_)) . "\n" } $mesh->numbers;
    }
    return $text;
}

# Waits until all hosts say what is expected and go on saying it for so long; returns when they began to, or undef.
sub settles {
    my ($expected, $what, $limit, $hold) = @_;
    my $pattern = pattern($expected);
    my ($since, $end, $last) = (undef, time + $limit + $hold, '');
    while (time < $end) {
        my $now = join ' ', words();
        $since = undef if $now !~ /^$pattern$/ || ($expected !~ /\*/ && $now ne $last);
        $since //= time if $now =~ /^$pattern$/;
        $last = $now;
        last if defined $since && time - $since >= $hold;
        sleep 0.05;
    }
    ok(defined $since && time - $since >= $hold, $what) or diag("$what: is $last, not $expected\n" . reasons_of($expected));
    return $since;
}

# What a host said of a node that was not as expected, since a time: it must have been so all the time.
sub never_else {
    my ($expected, $since, $what) = @_;
    my @expected = split ' ', pattern($expected);
    my @wrong;
    for my $number ($mesh->numbers) {
        my $want = $expected[ $number - 1 ];
        push @wrong, map { sprintf 'host %d said %s after %.2f s', $number, $_->{value}, $_->{at} - $since }
            grep { $_->{value} !~ /^$want$/ } $watch[$number]->seen('nodes', since => $since);
    }
    is(join("\n", @wrong), '', "$what: nobody said anything else meanwhile") or diag(reasons_of($expected));
}

# How long after a time each host changed its mind for the last time: 0 for one that has not.
sub last_changes {
    my ($since) = @_;
    return map {
        my @seen = $watch[$_]->seen('nodes', since => $since);
        @seen ? sprintf('%.1f', $seen[-1]{at} - $since) : 0;
    } $mesh->numbers;
}

# When each host's /healthz of node 5 had a status first, from a time on.
sub first_times {
    my ($status, $since) = @_;
    return map { my $at = $watch[$_]->when('healthz', qr/^$status /, $since); defined $at ? $at - $since : undef } $mesh->numbers;
}

sub times_within {
    my ($status, $since, $limit, $what, @hosts) = @_;
    @hosts = $mesh->numbers if !@hosts;
    my @took;
    eval { wait_for(sub { @took = (undef, first_times($status, $since)); !grep { !defined $took[$_] } @hosts }, $what, $limit + 2) };
    diag(sprintf '%s: %d after %s s', $what, $status, join ' ', map { defined $took[$_] ? sprintf '%.2f', $took[$_] : 'never' } @hosts);
    return ok(!(grep { !defined $took[$_] || $took[$_] > $limit } @hosts), "$what: every host says $status within $limit s");
}

# 1. The fleet finds itself

# What the node itself knows, by its Jolokia agent, which no collector here asks.
sub sees_all {
    my ($number) = @_;
    my $value = $mesh->cluster->attributes($number, 'net:type=FailureDetector', qw(SimpleStatesWithPort AllEndpointStatesWithPort))
        or return 'nothing';
    my $up = grep { $_ eq 'UP' } values %{ $value->{SimpleStatesWithPort} };
    my $normal = () = $value->{AllEndpointStatesWithPort} =~ /STATUS_WITH_PORT:\d+:NORMAL/g;
    my $n = () = $mesh->numbers;
    return $up == $n && $normal == $n ? 'all' : "$up UP, $normal NORMAL";
}

sub start_fleet {
    $mesh = Prober::Mesh->new(layout => 'dc1:r1,dc1:r2,dc1:r3,dc2:r1,dc2:r2', seeds => '1,4');
    my @numbers = $mesh->numbers;
    my $began = time;
    $mesh->start(@numbers);
    $watch[$_] = watch($_) for @numbers;
    my %normal;
    wait_for(
        sub {
            $normal{$_} //= $mesh->cluster->state($_) eq 'NORMAL on' ? time : undef for @numbers;
            return !grep { !defined $normal{$_} } @numbers;
        }, 'all nodes to be NORMAL', STARTED);
    my $last = max values %normal;
    # Gossip may take longer than that to tell one of them of another.
    my $watching = Prober::Watch->start(name => 'gossip', every => 0.1, look => sub {
        my ($say) = @_;
        $say->("sees $_" => sees_all($_)) for @numbers;
    });
    my $agreed = settles($well, 'all hosts say that all nodes are ready', 20, 1);
    diag(sprintf 'the last node was NORMAL after %.1f s, all hosts agreed %.2f s later', $last - $began, ($agreed // 0) - $last);
    if (!defined $agreed || $agreed > $last + 5) {
        for my $number (@numbers) {
            diag(sprintf '    node %d NORMAL after %.2f s', $number, $normal{$number} - $began);
            diag(sprintf '    host %d: %.2f s: %s %s', $number, $_->{at} - $began, @$_{qw(key value)})
                for grep { $_->{key} =~ /^(nodes|reasons)/ } $watch[$number]->seen;
        }
    }
    wait_for(sub { !grep { !$watching->when("sees $_", qr/^all/) } @numbers }, 'gossip to agree', 30);
    my $gossip = max map { $watching->when("sees $_", qr/^all/) } @numbers;
    $watching->stop;
    diag(sprintf 'by gossip alone every node saw all others UP and NORMAL %.2f s after the last was NORMAL', $gossip - $last);
    cmp_ok($agreed // 1e12, '<=', max($last + 5, $gossip + INTERVAL + TIMEOUT + SLACK),
        'within 5 s of the last one being NORMAL, or as soon as gossip knows');
    $mesh->cluster->wait_for_start($_) for @numbers;
    for my $number (@numbers) {
        my (undef, $said) = $mesh->ask($number, root() . '/build/tools/pollctl', '--local', 'jmx://127.0.0.1:7199',
            '--interval', 3000, '--timeout', 2500, '--rounds', 1);
        my ($opinions) = $said =~ / opinions=(\S+)/;
        is($opinions // $said, join(',', map { ip($_) . ':UP' } @numbers), "node $number sees all UP, says its JMX");
        is($mesh->http($_, '/healthz/' . ip($number))->{status}, 200, "host $_: /healthz of node $number") for @numbers;
    }
}

# 2. A crash, and the way back

sub crash {
    my $killed = $mesh->cluster->signal(KILL => 5);
    times_within(404, $killed, INTERVAL + TIMEOUT + 0.2 + SLACK, 'Cassandra of host 5 killed');
    settles($lost, 'the others stay ready', 10, 1);
    $mesh->cluster->start(5);
    my $normal = wait_for(sub { $mesh->cluster->state(5) eq 'NORMAL on' && time }, 'node 5 to be NORMAL again', STARTED);
    times_within(200, $normal, 5 + SLACK, 'node 5 is NORMAL again');
    settles($well, 'all is well again', 20, 1);
    $mesh->cluster->wait_for_start(5);
}

# 3. The matrix

sub fault {
    my ($row) = @_;
    my $what = $row->{fault};
    my $begins = time;
    my $at = $row->{make}->();
    $at = $begins if !defined $at || $at !~ /^\d{9,}\./;
    my ($took, @told);
    for my $name (grep { $row->{$_} } qw(mutual majority unanimous)) {
        my $expected = $row->{$name};
        my $from = time;
        $mesh->reload($policy{$name}) if $name ne 'mutual';
        my $hold = $name eq 'mutual' && $expected =~ /\*|^$well$|(RRRRR ){4}/ ? STALE + SLACK : 2;
        my $since = settles($expected, "$what: $name", $row->{within} // CONVICTED, $hold);
        push @told, "$name " . (defined $since ? join ' ', last_changes($name eq 'mutual' ? $at : $from) : 'never');
        # What had no reason to change did not; the host itself may have something else to say.
        never_else($expected =~ s/\S+$/*****/r, $at, "$what: $name") if $expected =~ /^(RRRR[R*] ){4}/;
    }
    $row->{also}->($at) if $row->{also};
    diag("$what; s until hosts 1 to 5 had made up their minds: " . join ', ', @told);
    my $ends = time;
    $row->{end} ? $row->{end}->() : $mesh->heal;
    $mesh->reload($policy{mutual});
    my $since = settles($well, "$what, ended: all is well", CONVICTED, 1);
    diag('    ended: ' . (defined $since ? join ' ', last_changes($ends) : 'never well'));
}

start_fleet();
crash();
$mesh->reload($policy{mutual});
my $only = $ENV{PROBER_MESH_FAULTS};
for my $row (@faults) {
    next if defined $only && $row->{fault} !~ /$only/;
    eval { fault($row); 1 } or fail("$row->{fault}: $@");
}
$_->stop for grep { $_ } @watch;
is(scalar($mesh->cluster->end), 0, 'all nodes have ended');
done();
