#!/usr/bin/perl
# jmx:// and jolokia+http:// see the same in real nodes of each release, while one of them is killed, paused and started
# again: a jmx poll between two equal jolokia polls says what they say, and so does a poller that has been asking by
# jmx all the while.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use Prober::Test;
use Prober::Cluster;

my ($pollctl, $invokectl) = map { root() . "/build/tools/$_" } qw(pollctl invokectl);
my @own = qw(cluster host_id mode release native gossip);

sub parse {
    my ($line) = @_;
    return { map { s/^"|"$//gr } $line =~ /(\w+)=("[^"]*"|\S*)/g };
}

sub url { my ($source, $ip) = @_; $source eq 'jmx' ? "jmx://$ip:7199" : "jolokia+http://$ip:8778/jolokia" }

# One detail poll.
sub observe {
    my ($source, $ip) = @_;
    my (undef, $output) = run($pollctl, '--local', url($source, $ip), '--interval', 3000, '--timeout', 2500, '--rounds', 1);
    return parse((grep { /^observation/ } split /\n/, $output)[0] // 'result=none');
}

# What cannot differ; the number of phi values of a node that starts grows in a moment.
sub whole { my ($seen) = @_; join ' ', map { "$_=" . ($seen->{$_} // '') } 'result', @own, qw(opinions states phis hints) }
sub fast  { my ($seen) = @_; join ' ', map { "$_=" . ($seen->{$_} // '') } @own, 'opinions' }

for my $version (split ' ', $ENV{PROBER_JMX_RELEASES} // '5.0.4 4.1.9 4.0.18') {
    my $cluster = Prober::Cluster->new(version => $version, layout => 'dc1:r1,dc2:r1');
    my @ip = $cluster->ips;
    my $poller = start(name => 'pollctl', log => tempdir() . "/pollctl-$version.log",
        command => [ $pollctl, '--interval', 250, '--timeout', 2000, map { ("$_=" . url('jmx', $_)) } @ip ]);
    my (%compared, %stable, %views, @wrong);

    # The last view of each node that the poller printed.
    my $last = sub {
        for my $line (grep { /^observation .* opinions=/ } split /\n/, $poller->output) {
            my $seen = parse($line);
            $views{ $seen->{observer} } = $seen;
        }
        return \%views;
    };
    my $compare = sub {
        my ($phase) = @_;
        for my $ip (@ip) {
            my $before = observe('jolokia', $ip);
            my $jmx = observe('jmx', $ip);
            my $kept = $last->()->{$ip};
            my $after = observe('jolokia', $ip);
            my $same = $before->{result} eq 'ok' && whole($before) eq whole($after);

            if ($same) {
                $compared{$phase}++;
                push @wrong, "$phase: " . whole($jmx) . "\n   not: " . whole($before) if whole($jmx) ne whole($before);
                push @wrong, "$phase: the poller has " . fast($kept) . "\n   not: " . fast($before)
                    if ($stable{$ip} // '') eq fast($before) && fast($kept) ne fast($before);
            }
            $stable{$ip} = $same ? fast($before) : '';
        }
    };
    # Compares for so long, or until something is seen.
    my $while = sub {
        my ($phase, $seconds, $until) = @_;
        my $end = time + $seconds;
        while (time < $end && !($until && $until->())) { $compare->($phase); sleep 0.3 }
        ok($compared{$phase}, "$version: $phase: " . ($compared{$phase} // 0) . ' comparisons');
    };
    my $says = sub {
        my ($ip, $of, $what) = @_;
        return sub { my $seen = $views{$ip}; $seen && $seen->{opinions} =~ /\Q$of\E:$what/ };
    };

    $cluster->start(1, 2);
    $while->('starting', 40, sub { -e "$cluster->{dir}/start-node1" && $compared{starting} && ($compared{starting} > 6) });
    $cluster->wait_for_start($_) for 1, 2;
    $while->('steady', 4);
    $cluster->signal(KILL => 2);
    $while->('killed', 60, $says->($ip[0], $ip[1], 'DOWN'));
    $while->('down', 3);
    like(observe('jmx', $ip[1])->{result}, qr/^refused$/, "$version: the killed one refuses");
    my (undef, $said) = run($invokectl, url('jmx', $ip[0]), 'Gossiper', 'getEndpointDowntime', $ip[1]);
    like($said, qr/^result=ok .* number=[1-9]\d*/, "$version: how long it has been down");
    my (undef, $other) = run($invokectl, url('jolokia', $ip[0]), 'Gossiper', 'getEndpointDowntime', $ip[1]);
    like($other, qr/^result=ok .* number=[1-9]\d*/, "$version: and by jolokia");
    $cluster->start(2);
    $while->('restarting', 60, $says->($ip[0], $ip[1], 'UP'));
    $cluster->wait_for_start(2);
    $while->('restarted', 4);
    for my $source ('jmx', 'jolokia') {
        (undef, $said) = run($invokectl, '--timeout', 5000, url($source, $ip[1]), 'Gossiper', 'reloadSeeds');
        like($said, qr/^result=ok .*texts=\S*\Q$ip[0]\E/, "$version: reloadSeeds by $source");
    }
    is(scalar(@wrong), 0, "$version: the same by jmx and by jolokia") or diag(join "\n", @wrong[ 0 .. ($#wrong < 9 ? $#wrong : 9) ]);
    $poller->stop;
    my ($end) = map { parse($_) } grep { /^end/ } split /\n/, $poller->output;
    is($end->{bad_stream} // 0, 0, "$version: no answer was unreadable");
    is($end->{exception} // 0, 0, "$version: nor an exception of another kind") or diag($poller->output =~ /(.*result=exception.*)/);
    is(scalar($cluster->end), 0, "$version: all nodes have ended");
    run('rm', '-rf', $cluster->{dir}); # the next one is made at the same place
}
done();
