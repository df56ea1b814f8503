#!/usr/bin/perl
# /may-start and /may-stop about real nodes of each release: how the keyspaces are replicated is read by JMX and by Jolokia,
# and followed when it changes; nodes are killed and started again, one after the other and all at once.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Prober::Cluster;
use Prober::Collector;
use Prober::Cql;
use Prober::Test;

use constant { SAID => 60, DOWN => 90, STARTED => 240 };

sub source { my ($kind, $ip) = @_; $kind eq 'jmx' ? "jmx://$ip:7199" : "jolokia+http://$ip:8778/jolokia" }

for my $version (split ' ', $ENV{PROBER_GATES_RELEASES} // '5.0.4') {
    my $cluster = Prober::Cluster->new(version => $version, layout => 'dc1:r1,dc1:r2,dc1:r3');
    my @ip = $cluster->ips;
    my (%collector, %nginx);

    for my $number ($cluster->numbers) {
        $cluster->start($number);
        $cluster->wait_for_start($number);
    }
    for my $kind (qw(jmx jolokia)) {
        $collector{$kind} = Prober::Collector->start(<<"CONF", KIND => "$kind-$version");
local: { source = "@{[ source($kind, $ip[0]) ]}"; };
peers: { mode = "direct"; url = "@{[ source($kind, '{address}') ]}"; };
poll: { timeout = "3s"; view_ttl = "10s"; membership = "1s"; };
readiness: { rehab = "0"; };
gates: { bootstrap_grace = "1s"; stable = "1s"; };
segment: { path = "%%DIR%%/%%KIND%%.segment"; };
CONF
        $nginx{$kind} = nginx(<<'CONF', KIND => "$kind-$version");
%%GLOBALS%%
http { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; location / { prober; prober_segment %%DIR%%/%%KIND%%.segment; } } }
CONF
        $collector{$kind}->wait_ready;
    }

    # Both say it in the end; `why` is in the body.
    my $becomes = sub {
        my ($path, $status, $why, $within, $what) = @_;
        for my $kind (qw(jmx jolokia)) {
            my $got = {};
            eval {
                wait_for(sub {
                    $got = http($nginx{$kind}->port, "GET $path");
                    ($got->{status} // 0) == $status && $got->{body} =~ $why;
                }, $what, $within);
            };
            ok(!$@, "$version, $kind: $what") or diag(($got->{status} // '') . ' ' . ($got->{body} // ''));
        }
    };

    my ($made, $error) = cql($ip[0], 9042, 30, "CREATE KEYSPACE app WITH replication = "
            . "{'class': 'NetworkTopologyStrategy', 'dc1': 3}");
    ok($made, "$version: a keyspace with three replicas") or diag($error);
    $becomes->("/may-stop/$ip[1]", 200, qr/"reasons":\[\]/, SAID, 'each of three may stop');
    $becomes->('/may-start/192.0.2.1', 200, qr/"yes"/, SAID, 'a new node may start');
    $becomes->('/may-stop/192.0.2.1', 404, qr/^\{\}$/, SAID, 'and cannot stop');
    ($made, $error) = cql($ip[0], 9042, 30, "CREATE KEYSPACE old WITH replication = "
            . "{'class': 'SimpleStrategy', 'replication_factor': 2}");
    ok($made, "$version: another one with two") or diag($error);
    $becomes->("/may-stop/$ip[1]", 200, qr/keyspace old has 2 replicas in the cluster/, SAID, 'its loss is said');

    $cluster->signal(KILL => 3);
    $becomes->("/may-stop/$ip[1]", 409, qr/keyspace app would keep 1 of 3 replicas in dc1: \Q$ip[2]\E is down/, DOWN,
        'one is dead: no other one may stop');
    $becomes->("/may-stop/$ip[2]", 200, qr/"yes"/, SAID, 'but the dead one');
    $becomes->("/may-start/$ip[2]", 200, qr/"yes"/, SAID, 'which may start');
    $becomes->('/may-start/192.0.2.1', 409, qr/it joins, and not all others are NORMAL and UP: \Q$ip[2]\E is down/, SAID,
        'a new one may not');

    # A full stop: all are seeds here as long as there are no more of them.
    $cluster->signal(KILL => $_) for 1, 2;
    $becomes->("/may-start/$ip[0]", 200, qr/"yes"/, DOWN, 'nobody runs: a seed may start');
    $becomes->("/may-stop/$ip[1]", 409, qr/"unknown".*nobody's opinion counts/, SAID, 'whether another one may stop cannot be told');
    $cluster->start(1);
    $cluster->wait_for_start(1);
    for my $number (2, 3) {
        $becomes->("/may-start/" . $ip[ $number - 1 ], 200, qr/"yes"/, STARTED, "node $number may start");
        $cluster->start($number);
        $cluster->wait_for_start($number);
    }
    $becomes->("/may-stop/$ip[1]", 200, qr/keyspace old has 2 replicas/, STARTED, 'all is as before');

    for my $kind (qw(jmx jolokia)) {
        like($collector{$kind}->log, qr/replication of \d+ keyspaces read/, "$version, $kind: the journal says that it was read");
        $nginx{$kind}->stop;
        $collector{$kind}->stop;
        is($?, 0, "$version, $kind: the collector ends");
    }
    $cluster->end;
}
done();
