#!/usr/bin/perl
# A rolling restart of a real cluster, three hosts and as many replicas, under an application that knows HAProxy alone.
# With the prober, a host at a time is drained, restarted and awaited on all hosts, and the application notices nothing.
# Without, as it is often done: HAProxy tries the port, and the next node is restarted once the last one's port is open.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use JSON::PP ();
use List::Util qw(sum);
use Test::More;
use Time::HiRes qw(sleep time);
use Prober::Haproxy;
use Prober::Mesh;
use Prober::Test;

BEGIN { Prober::Mesh::own_network('driver') }

use constant RATE    => 50;     # requests a second
use constant DRAIN   => 3;      # s in which sessions may end by themselves
use constant STARTED => 180;
use constant ROUNDS  => 5;      # without the prober, at most: until one has failed. PROBER_ROLLING_ALL: so many of each

my @connections = 1 .. 4;       # of the application, each to a port of its own
my $mesh = Prober::Mesh->new(layout => 'dc1:r1,dc1:r2,dc1:r3');
my @numbers = $mesh->numbers;
my ($haproxy, $began);

sub say_at { my ($what, @values) = @_; diag(sprintf "%6.1f s  $what", time - $began, @values) }

# The statuses of a node's /healthz on all hosts, each given once.
sub statuses {
    my ($number) = @_;
    my %seen = map { $mesh->http($_, '/healthz/' . $mesh->ip($number))->{status} => 1 } @numbers;
    return join ' ', sort keys %seen;
}

sub becomes {
    my ($number, $status, $limit) = @_;
    wait_for(sub { statuses($number) eq $status }, "all to say $status of node $number", $limit);
}

sub pid { return $mesh->cluster->tool('pid', $mesh->cluster->{dir}, $_[0]) }

sub server_is {
    my ($listen, $number, $status) = @_;
    my $server = "$listen/" . $mesh->ip($number);
    wait_for(sub { $haproxy->stats->{$server}{status} eq $status }, "$server to be $status", 20);
}

sub all_well {
    for my $number (@numbers) {
        becomes($number, '200', STARTED);
        server_is($_, $number, 'UP') for 'prober', 'plain';
    }
}

sub start_haproxy {
    my %bind;
    for my $listen ('prober', 'plain') {
        $bind{$listen} = join '', map { "    bind 127.0.0.1:%%$listen$_%%\n" } @connections;
    }
    my $servers = sub { my ($more) = @_; join '', map { my $ip = $mesh->ip($_); "    server $ip $ip:9042 check $more\n" } @numbers };
    $haproxy = Prober::Haproxy->start_with(
        { ports => [ map { ("prober$_", "plain$_") } @connections ], timeout => '1h' }, <<"CONF");
    balance leastconn
listen prober
$bind{prober}
    option httpchk
    http-check send meth GET uri-lf "/healthz/%[srv_name]" ver HTTP/1.1 hdr Host prober
    default-server inter 500ms
@{[ $servers->('port ' . Prober::Mesh::PORT) ]}
listen plain
$bind{plain}
@{[ $servers->('') ]}
CONF
}

# The application

my $runs = 0;

sub application {
    my ($listen) = @_;
    my $name = 'application' . ++$runs;
    my $out = tempdir() . "/$name.requests";
    my $process = start(
        name => $name,
        command => [ root() . '/t/lib/cql_workload.py', '--proxy', '127.0.0.1', '--rate', RATE, '--out', $out,
            '--ports', join(',', map { $haproxy->port("$listen$_") } @connections) ]);
    wait_for(
        sub {
            die 'the application has ended: ' . $process->output if !$process->alive;
            return slurp($out) =~ tr/\n// >= 2 * RATE;
        },
        'the application to work', 120);
    return { process => $process, out => $out, listen => $listen, before => $haproxy->stats };
}

# Ends it and returns what failed. It must have done what it was to do.
sub outcome {
    my ($application, $what) = @_;
    is($application->{process}->stop('TERM', 60), 0, "$what: the application ended well") or diag($application->{process}->output);
    my @lines = map { JSON::PP::decode_json($_) } split /\n/, slurp($application->{out});
    my $end = pop @lines;
    my @failed = grep { defined $_->{error} } @lines;
    my $seconds = $lines[-1]{at} - $lines[0]{at};
    my $again = grep { !defined $_->{error} && $_->{tries} > 1 } @lines;
    my ($slowest) = sort { $b <=> $a } map { $_->{ms} } grep { !defined $_->{error} } @lines;
    diag(sprintf '%s: %d requests in %.0f s, %d tried more than once, slowest success %d ms, %d failed',
        $what, scalar @lines, $seconds, $again, $slowest, scalar @failed);
    is(scalar @lines, $end->{begun}, "$what: every request has an outcome");
    cmp_ok(scalar @lines, '>', 0.95 * RATE * $seconds, "$what: requests at the rate");
    cmp_ok($seconds, '>', 30, "$what: over the whole restart");
    is(join(' ', keys %{ $end->{to} }), '127.0.0.1', "$what: connected to the proxy alone");
    my %errors;
    $errors{ $_->{error} }++ for @failed;
    diag("    $errors{$_} times: $_") for sort keys %errors;
    diag(sprintf '    between %.1f and %.1f s', $failed[0]{at} - $began, $failed[-1]{at} - $began) if @failed;
    my $now = $haproxy->stats;
    for my $number (@numbers) {
        my $server = "$application->{listen}/" . $mesh->ip($number);
        $application->{sessions} += $now->{$server}{stot} - $application->{before}{$server}{stot};
    }
    diag("    $application->{sessions} connections made anew");
    cmp_ok($application->{sessions}, '>', 0, "$what: connections were lost and made anew");
    return scalar @failed;
}

# The two ways

# SIGTERM and a start, which nobody waits for.
sub restart {
    my ($number) = @_;
    my $before = pid($number);
    $mesh->cluster->stop($number);
    say_at('node %d has ended', $number);
    $mesh->cluster->start($number);
    isnt(wait_for(sub { pid($number) =~ /^(\d+)/ && "$1\n" }, "node $number to start"), $before, "node $number is another process");
}

sub restart_with_prober {
    my ($number) = @_;
    my $server = 'prober/' . $mesh->ip($number);
    say_at('node %d: drained of %d sessions', $number, $haproxy->stats->{$server}{scur});
    $haproxy->runtime("set server $server state drain");
    if (!eval { wait_for(sub { $haproxy->stats->{$server}{scur} == 0 }, 'sessions', DRAIN) }) {
        say_at('node %d: %d sessions are shut down', $number, $haproxy->stats->{$server}{scur});
        $haproxy->runtime("shutdown sessions server $server");
    }
    restart($number);
    becomes($number, '404', 15);
    becomes($number, '200', STARTED);
    say_at('node %d: all hosts say 200', $number);
    $haproxy->runtime("set server $server state ready");
    server_is('prober', $number, 'UP');
}

sub restart_naively {
    my ($number) = @_;
    say_at('node %d: restarted', $number);
    restart($number);
    wait_for(sub { IO::Socket::INET->new(PeerAddr => $mesh->ip($number), PeerPort => 9042, Timeout => 1) },
        "node $number to listen", STARTED);
    say_at('node %d: its port is open', $number);
}

sub round {
    my ($listen, $way, $what) = @_;
    $began = time;
    my $application = application($listen);
    eval { $way->($_) for @numbers; 1 } or fail("$what: $@");
    my $lines = slurp($application->{out}) =~ tr/\n//;
    wait_for(sub { slurp($application->{out}) =~ tr/\n// > $lines + 10 * RATE }, 'ten more seconds of requests', 60);
    $mesh->cluster->wait_for_start($_) for @numbers;
    return outcome($application, $what);
}

$began = time;
$mesh->start(@numbers);
$mesh->cluster->wait_for_start($_) for @numbers;
start_haproxy();

my %counts = (with => [], without => []);

sub restart_all {
    my ($how, $listen, $way) = @_;
    all_well();
    my $what = "$how the prober, round " . (1 + @{ $counts{$how} });
    push @{ $counts{$how} }, round($listen, $way, $what);
}

do {
    restart_all('with', 'prober', \&restart_with_prober);
    # From now on nodes change more often than they may that are to be trusted at once.
    $mesh->reload('readiness: { rehab = "0s"; };');
} while ($ENV{PROBER_ROLLING_ALL} && @{ $counts{with} } < ROUNDS);
is(sum(@{ $counts{with} }), 0, 'with the prober no failure surfaces');

while (@{ $counts{without} } < ROUNDS && ($ENV{PROBER_ROLLING_ALL} || !sum(0, @{ $counts{without} }))) {
    restart_all('without', 'plain', \&restart_naively);
}
cmp_ok(sum(@{ $counts{without} }), '>', 0, 'without the prober some do');
diag("FIGURES failures that surfaced, by rounds: with the prober @{ $counts{with} }; without @{ $counts{without} }");
is(scalar $mesh->cluster->end, 0, 'all nodes have ended');
done();
