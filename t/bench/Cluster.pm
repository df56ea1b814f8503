package Cluster;

# What the collector costs with 1,000 simulated nodes: polled by itself every second, or as one of 1,000 hosts of a mesh.

use strict;
use warnings;
use List::Util qw(max);
use Time::HiRes qw(sleep time);
use Prober::Collector;
use Prober::Fleet;
use Prober::Test;
use Report;

my $nodes = 1000;
my $seconds = 22;

sub ticks { my @stat = split ' ', slurp("/proc/$_[0]/stat") =~ s/^.*\)//sr; $stat[11] + $stat[12] }

sub status_kb { slurp("/proc/$_[0]/status") =~ /^$_[1]:\s+(\d+)/m ? $1 : die "no $_[1]" }

# name{labels} => value, without the prefix
sub metrics {
    my (undef, $text) = Prober::Segment::once(tempdir() . '/segment', 'get', '/metrics');
    return { $text =~ /^cassandra_prober_(\S+) ([-\d.]+)$/mg };
}

# How long the round took at whose end this was published: the age of the oldest view, of the polls that succeed.
sub round_ms {
    my ($metrics) = @_;
    my %failing = map { /^poll_failing\{node="([^"]+)"/ ? ($1 => 1) : () } keys %$metrics;
    return 1000 * max(0, map { /^view_age_seconds\{node="([^"]+)"/ && !$failing{$1} ? $metrics->{$_} : () } keys %$metrics);
}

sub polls { my ($metrics) = @_; my $sum = 0; /^polls_total/ and $sum += $metrics->{$_} for keys %$metrics; return $sum }

sub measure {
    my ($key, $what, $pid, $goal) = @_;
    my $before = metrics();
    my ($ticks, $began) = (ticks($pid), time);
    my @rounds;
    while (time < $began + $seconds) {
        sleep 1;
        push @rounds, round_ms(metrics());
    }
    my $took = time - $began;
    my $share = 100 * (ticks($pid) - $ticks) / POSIX::sysconf(POSIX::_SC_CLK_TCK()) / $took;
    my $after = metrics();
    figure("collector_cpu_$key", sprintf('%.1f', $share), $what . ': CPU', unit => '%', goal => $goal // '<= 25');
    figure("collector_round_ms_$key", int max(@rounds), '    longest round, first poll to last answer', unit => 'ms',
        goal => '<= 1000');
    figure("collector_rss_mib_$key", sprintf('%.1f', status_kb($pid, 'VmRSS') / 1024), '    resident, mapped segment included',
        unit => 'MiB', goal => '<= 96');
    figure("collector_polls_$key", sprintf('%.0f', (polls($after) - polls($before)) / $took), '    polls a second', unit => '/s',
        more => sprintf('%d without an answer; %.0f ms a second to judge and publish',
            (map { $_->{'polls_total{result="timeout"}'} // 0 } $after)[0] - ($before->{'polls_total{result="timeout"}'} // 0),
            1000 * ($after->{round_seconds_total} - $before->{round_seconds_total}) / $took));
}

sub collector {
    heading("Collector, $nodes simulated nodes polled every second, share of one core over $seconds s");
    local $ENV{PROBER_COLLECTOR} //= root() . '/build/prober-collector';
    my $fleet = Prober::Fleet->start(nodes => $nodes, dcs => 4, racks => 3);
    my $collector = Prober::Collector->start(
        fleet_conf($fleet, 'poll: { interval = "1s"; timeout = "1s"; view_ttl = "3s"; }; readiness: { rehab = "0"; };'));
    $collector->wait_ready(60);
    my $all_ready = sub { $collector->status eq "$nodes nodes, $nodes ready" };
    wait_for($all_ready, 'all to be ready', 60);
    my $pid = $collector->pid;

    measure('quiet', 'nothing changes', $pid);
    $fleet->post('churn?fraction=0.1');
    measure('churn', '10 % of the views change an entry every second', $pid);
    $fleet->post('churn?fraction=0');
    wait_for($all_ready, 'all to be ready', 60);
    $fleet->post("nodes/$fleet->{nodes}[0]/crash");
    measure('crash', 'a node crashes: every view changes', $pid);
    figure('collector_peak_mib', sprintf('%.1f', status_kb($pid, 'VmHWM') / 1024), 'most resident memory ever', unit => 'MiB',
        goal => '<= 96');
    figure('collector_segment_mib', sprintf('%.1f', metrics()->{segment_bytes} / 1048576), 'segment', unit => 'MiB');
    for my $document ([ 'matrix', '/matrix' ], [ 'page', '/' ]) {
        my (undef, $said) = Prober::Segment::once(tempdir() . '/segment', 'get', $document->[1]);
        figure("document_kib_$document->[0]", sprintf('%.0f', ($said =~ / len=(\d+)/)[0] / 1024), "$document->[1]", unit => 'KiB');
    }
    $collector->stop;
    $fleet->stop;
}

# One of 1,000 hosts: its own node by Jolokia, the others' /view, twice a second. And what its nginx answers meanwhile.
sub mesh {
    heading("Mesh: one real collector and nginx among $nodes simulated hosts, twice a second, share of one core over $seconds s");
    local $ENV{PROBER_COLLECTOR} //= root() . '/build/prober-collector';
    my $fleet = Prober::Fleet->start(nodes => $nodes, dcs => 4, racks => 3);
    my $collector = Prober::Collector->start(<<"CONF");
local: { source = "jolokia+http://$fleet->{nodes}[0]:$fleet->{port}/jolokia"; };
peers: { url = "http://{address}:$fleet->{port}"; };
readiness: { rehab = "0"; };
segment: { path = "%%DIR%%/segment"; };
CONF
    my $nginx = nginx(<<'CONF');
%%GLOBALS%%
http { %%HTTP%% keepalive_requests 1000000000;
    server { listen 127.0.0.1:%%PORT%%; location / { prober; prober_segment %%DIR%%/segment; } } }
CONF
    $collector->wait_ready(60);
    wait_for(sub { $collector->status eq "$nodes nodes, $nodes ready" }, 'all to be ready', 60);
    measure('mesh_quiet', 'nothing changes', $collector->pid, '<= 20');
    my $idle = p99($nginx->port, $fleet->{nodes}[1]);
    $fleet->post('churn?fraction=0.1');
    measure('mesh_churn', '10 % of the views change an entry every second', $collector->pid, '<= 20');
    my $churn = p99($nginx->port, $fleet->{nodes}[1]);
    figure('mesh_p99_ratio', sprintf('%.2f', $churn / $idle), '/healthz/IP?brief, p99 while views change : while nothing does',
        goal => '<= 1.2', more => sprintf('%.0f us : %.0f us at 2,000/s', $churn, $idle));
    figure('mesh_peak_mib', sprintf('%.1f', status_kb($collector->pid, 'VmHWM') / 1024), 'most resident memory ever', unit => 'MiB',
        goal => '<= 96');
    $collector->stop;
    $fleet->stop;
}

# Microseconds: the median of five runs.
sub p99 {
    my ($port, $address) = @_;
    return median(map {
        my ($status, $said) = run(root() . '/build/tools/paced', $port, 'GET', "/healthz/$address?brief", 6000, 2000, 8);
        $said =~ /p99 ([\d.]+)/ or die "paced: $said";
        $1;
    } 1 .. 5);
}

1;
