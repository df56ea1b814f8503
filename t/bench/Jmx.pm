package Jmx;

# A poll by JMX and one by Jolokia, of the same real Cassandra node in turns; and the collector with 100 JMX servers.

use strict;
use warnings;
use POSIX ();
use Prober::Cluster;
use Prober::Collector;
use Prober::JmxNode;
use Prober::Test;
use Report;
use Time::HiRes qw(sleep time);

my $batches = 8;
my $polls = 150;
my $hertz = POSIX::sysconf(POSIX::_SC_CLK_TCK());
my %kind = (fast => 'a poll of every round', detail => 'a poll with gossip states');

sub ticks { my @stat = split ' ', slurp("/proc/$_[0]/stat") =~ s/^.*\)//sr; $stat[11] + $stat[12] }

sub command {
    my ($url, $kind, $rounds) = @_;
    return (root() . '/build/tools/pollctl', '--quiet', '--local', $url, '--interval', 20, '--timeout', 2000,
        '--membership', $kind eq 'detail' ? 0 : 3600_000, '--rounds', $rounds);
}

# One batch: microseconds, bytes, CPU microseconds of the poller and of the JVM, of one poll.
sub batch {
    my ($url, $kind, $jvm) = @_;
    my $before = ticks($jvm);
    my ($user, $system) = (times)[ 2, 3 ];
    my ($status, $said) = run(command($url, $kind, $polls));
    my ($user2, $system2) = (times)[ 2, 3 ];
    my %end = $said =~ /(\w+)=(\d+)/g;
    die "$url: $said" if $status != 0 || $end{ok} != $end{polls};
    return {
        us => $end{mean_us}, bytes => $end{bytes} / $end{polls},
        cpu => 1e6 * ($user2 + $system2 - $user - $system) / $end{polls}, jvm => 1e6 * (ticks($jvm) - $before) / $hertz / $end{polls},
    };
}

# Requests that were sent for a poll, once the connection is there: the difference between few polls and more.
sub round_trips {
    my ($url, $kind) = @_;
    my @sent;
    for my $rounds (5, 25) {
        my $log = tempdir() . '/strace';
        my ($status) = run('strace', '-f', '-e', 'trace=sendto,sendmsg,write,writev', '-o', $log, command($url, $kind, $rounds));
        return if $status != 0;
        push @sent, scalar grep { /(sendto|sendmsg)\(\d+, "(?!\\0|\\x01)/ } split /\n/, slurp($log);
    }
    return ($sent[1] - $sent[0]) / 20;
}

sub compare {
    my ($cluster) = @_;
    my ($jvm) = $cluster->tool('pid', $cluster->{dir}, 1) =~ /^(\d+)/;
    my $ip = $cluster->ip(1);
    my %url = (jmx => "jmx://$ip:7199", jolokia => "jolokia+http://$ip:8778/jolokia");
    batch($url{$_}, 'fast', $jvm) for ('jmx', 'jolokia') x 4; # the JVM compiles what is used
    for my $kind ('fast', 'detail') {
        my %sum;
        for my $n (1 .. $batches) {
            for my $source ($n % 2 ? ('jmx', 'jolokia') : ('jolokia', 'jmx')) {
                my $one = batch($url{$source}, $kind, $jvm);
                push @{ $sum{$_}{$source} }, $one->{$_} for keys %$one;
            }
        }
        note("$kind{$kind}, medians of $batches batches of $polls:");
        for my $what ([ us => 'time to the answer', 'us', 1 ], [ bytes => 'bytes of the answers', '' ],
            [ cpu => 'CPU of the poller', 'us' ], [ jvm => 'CPU of the JVM', 'us' ]) {
            my ($key, $name, $unit, $goal) = @$what;
            my ($jmx, $jolokia) = map { median(@{ $sum{$key}{$_} }) } 'jmx', 'jolokia';
            figure("jmx_${kind}_${key}_ratio", sprintf('%.2f', $jmx / ($jolokia || 1)), "$kind: $name, jmx : jolokia",
                $goal ? (goal => '<= 1.0') : (), more => sprintf("%.0f : %.0f $unit", $jmx, $jolokia));
        }
        my @trips = map { round_trips($url{$_}, $kind) } 'jmx', 'jolokia';
        note(@trips == 2 ? sprintf('%s: requests sent per poll: jmx %.1f, jolokia %.1f', $kind, @trips)
            : 'requests sent per poll: there is no strace');
    }
}

sub hundred {
    heading('Collector, 100 JMX servers in one JVM, polled directly every second, over 20 s');
    local $ENV{PROBER_COLLECTOR} //= root() . '/build/prober-collector';
    my $node = Prober::JmxNode->start(count => 100, heap => '256m');
    my $collector = Prober::Collector->start(<<'CONF', URL => $node->url);
local: { source = "%%URL%%"; };
peers: { mode = "direct"; };
poll: { interval = "1s"; timeout = "900ms"; };
segment: { path = "%%DIR%%/segment-jmx"; };
CONF
    $collector->wait_ready(60);
    wait_for(sub { $collector->status eq '100 nodes, 100 ready' }, 'all to be ready', 60);
    my ($before, $began, $good) = (ticks($collector->pid), time, 0);
    my $polls = sub {
        my (undef, $text) = Prober::Segment::once(tempdir() . '/segment-jmx', 'get', '/metrics');
        return { $text =~ /^cassandra_prober_polls_total\{result="(\w+)"\} (\d+)$/mg };
    };
    my $then = $polls->();
    sleep 20;
    my $now = $polls->();
    my %more = map { $_ => $now->{$_} - ($then->{$_} // 0) } keys %$now;
    my $all = 0;
    $all += $_ for values %more;
    figure('jmx_100_cpu', sprintf('%.1f', 100 * (ticks($collector->pid) - $before) / $hertz / (time - $began)), 'CPU of one core',
        unit => '%');
    figure('jmx_100_good', sprintf('%.2f', 100 * $more{ok} / $all), 'polls with an answer', unit => '%', goal => '>= 99',
        more => "$more{ok} of $all");
    figure('jmx_100_rss_mib', sprintf('%.1f', $collector->rss / 1024), 'resident', unit => 'MiB');
    $collector->stop;
    $node->stop;
}

sub jmx {
    heading('One poll of a real Cassandra 5.0.4, three nodes: by JMX and by Jolokia in turns');
    my $cluster = Prober::Cluster->new(version => '5.0.4', layout => 'dc1:r1,dc1:r2,dc1:r3');
    $cluster->start($cluster->numbers);
    $cluster->wait_for_start($_) for $cluster->numbers;
    compare($cluster);
    $cluster->end;
    hundred();
}

1;
