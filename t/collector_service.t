#!/usr/bin/perl
# The collector as a service: options, notifications, reload, a second one, an end, a full disk.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use Prober::Test;
use Prober::Collector;
use Prober::Fleet;

my $dir = tempdir();
my $fleet = Prober::Fleet->start(layout => 'dc1:r1=3');
my @ip = @{ $fleet->{nodes} };
my $nginx = nginx(<<'CONF');
%%GLOBALS%%
http { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; location / { prober; prober_segment %%DIR%%/segment; prober_stale 2s; }
    location /full/ { prober; prober_segment %%DIR%%/full/segment; prober_stale 2s; } } }
CONF
my $fast = 'poll: { interval = "200ms"; timeout = "1s"; view_ttl = "1500ms"; };';
sub status { http($nginx->port, "GET $_[0]")->{status} }

subtest 'options' => sub {
    my ($status, $said) = run(program(), '--version');
    is($status, 0, '--version');
    like($said, qr/^prober-collector \d+\.\d+\.\d+$/, 'says it');
    ($status, $said) = run(program(), '--help');
    is($status, 0, '--help');
    like($said, qr/--check-config/, 'names the options');
    ($status, $said) = run(program(), '--nonsense');
    is($status, 1, 'an unknown option');
    ($status, $said) = run(program(), 'more');
    is($status, 1, 'an argument too many');
    spew("$dir/bad.conf", "poll: {\n  intervall = \"1s\";\n};\n");
    ($status, $said) = run(program(), '--check-config', '--config', "$dir/bad.conf");
    is($status, 1, '--check-config of a bad file');
    is($said, "prober-collector: $dir/bad.conf:2: unknown key \"intervall\" in section \"poll\"; "
        . "accepted: interval, timeout, view_ttl, membership\n", 'says file, line and what is accepted');
    spew("$dir/empty.conf", '');
    ($status, $said) = run(program(), '--check-config', '--config', "$dir/empty.conf");
    is("$status $said", '0 ', '--check-config of an empty file says nothing');
    ($status, $said) = run(program(), '--check-config', '--config', $dir);
    is($status, 1, 'a directory');
    like($said, qr/cannot read the configuration/, 'is no file');
    ($status, $said) = run(program(), '--config', "$dir/missing.conf");
    is($status, 1, 'a missing file');
    like($said, qr/missing\.conf: cannot read the configuration: No such file/, 'is named');
};

my $collector;
subtest 'notifications' => sub {
    $collector = Prober::Collector->start(fleet_conf($fleet, $fast), env => { WATCHDOG_USEC => 800000 });
    $collector->wait_ready;
    is(status('/ping'), 200, 'READY=1 comes when documents are there');
    eval { wait_for(sub { $collector->status eq '3 nodes, 3 ready' }, 'all to be ready') };
    is(status("/healthz/$ip[0]"), 200, 'and say who is ready');
    is($collector->status, '3 nodes, 3 ready', 'STATUS=');
    wait_for(sub { $collector->notified('WATCHDOG=1') >= 3 }, 'the watchdog to be fed');
    pass('WATCHDOG=1 while rounds complete');
    ok($collector->notified('WATCHDOG_USEC=4800000'), 'not to be taken for a hang between rounds');

    # A hung node makes the first round as long as a poll may take, here longer than a start may.
    $fleet->post("nodes/$ip[0]/hang");
    my $slow = Prober::Collector->start(fleet_conf($fleet, 'poll: { interval = "100ms"; timeout = "6s"; };')
            =~ s/\/segment"/\/slow"/r, env => { WATCHDOG_USEC => 60000000 });
    wait_for(sub { $slow->notified('EXTEND_TIMEOUT_USEC=24400000') > 3 }, 'time for the start to be asked for, again and again');
    is($slow->notified('READY=1'), 0, 'while there is no round');
    is($slow->status, 'waiting for the first answers', 'STATUS= says so');
    $slow->wait_ready;
    ok(!(grep { /^WATCHDOG_USEC=/ } $slow->messages), 'a watchdog that is long enough stays as it is');
    $slow->stop;
    $fleet->post("nodes/$ip[0]/heal");
    wait_for(sub { $collector->status eq '3 nodes, 3 ready' }, 'the node to be back');
};

subtest 'a second collector' => sub {
    my ($status, $said) = run(program(), '--config', $collector->{conf});
    is($status, 1, 'is refused');
    like($said, qr/another collector is running \(it holds \S+segment\.lock\)/, 'and told why');
    is(status('/ping'), 200, 'the first one goes on');
};

subtest 'reload' => sub {
    $collector->configure(fleet_conf($fleet, $fast . "readiness: { min_observers = 3; };\n"));
    $collector->signal('HUP');
    wait_for(sub { $collector->notified('READY=1') == 2 }, 'the reload');
    ok((grep { /^MONOTONIC_USEC=\d+$/ } $collector->messages), 'RELOADING=1 with its time');
    wait_for(sub { status("/healthz/$ip[0]") == 404 }, 'the new settings to be in force');
    is_deeply(get_json($nginx->port, "/nodes/$ip[0]")->{reasons}, ['2 of 3 needed observers count'], 'as they say');

    $collector->configure("poll: { interval = 7x; };\n");
    $collector->signal('HUP');
    wait_for(sub { $collector->notified('READY=1') == 3 }, 'the refused reload');
    like($collector->log, qr/collector\.conf:1: syntax error/, 'what is wrong');
    like($collector->log, qr/reload refused; keeping the old configuration/, 'and what becomes of it');
    wait_for(sub { http($nginx->port, 'GET /metrics')->{body} =~ /^cassandra_prober_reload_failures_total 1$/m },
        'it to be counted');
    is(status("/healthz/$ip[0]"), 404, 'the old configuration is in force');

    $collector->configure(fleet_conf($fleet, $fast) =~ s/\/segment"/\/other"/r);
    $collector->signal('HUP');
    wait_for(sub { status("/healthz/$ip[0]") == 200 }, 'the third reload');
    like($collector->log, qr/segment\.path changes with a restart only; keeping/, 'a new segment path waits');
    is(status('/ping'), 200, 'and the old one goes on');
};

subtest 'a pause of the collector' => sub {
    wait_for(sub { $collector->status eq '3 nodes, 3 ready' }, 'all to be ready');
    my $changes = () = $collector->log =~ /->/g;
    $collector->signal('STOP');
    sleep 2; # longer than a view counts, shorter than stale: it is time itself that is tested
    $collector->signal('CONT');
    wait_for(sub { $collector->log =~ /did not run for \d+ ms; asking everybody anew/ }, 'it to notice');
    my $end = time + 3;
    while (time < $end) {
        my @lost = grep { status("/healthz/$_") == 404 } @ip;
        is("@lost", '', 'nobody loses its readiness by that') if @lost;
        last if @lost;
    }
    is(scalar(() = $collector->log =~ /->/g), $changes, 'no verdict changed');
};

subtest 'reload of whom to poll' => sub {
    my $peers = join ', ', map { "\"$_\"" } @ip, '127.0.0.9';
    my $conf = fleet_conf($fleet, $fast) =~ s/mode = "direct";/mode = "direct"; static = [ $peers ];/r;
    my $lonely = Prober::Collector->start($conf =~ s/\/segment"/\/peers"/r);
    my $get = sub { (run(root() . '/build/tools/segmentctl', "$dir/peers", 'get', $_[0]))[1] };
    $lonely->wait_ready;
    wait_for(sub { $get->('/ready') =~ /\nready/ }, 'the local node to be ready');
    like($get->("/healthz/$ip[0]"), qr/127\.0\.0\.9/, 'a static peer is shown');
    $peers = join ', ', map { "\"$_\"" } @ip;
    $lonely->configure(fleet_conf($fleet, $fast) =~ s/\/segment"/\/peers"/r
            =~ s/mode = "direct";/mode = "direct"; static = [ $peers ];/r =~ s/source = "[^"]+"/source = ""/r);
    $lonely->signal('HUP');
    ok(eval { wait_for(sub { $get->('/ready') =~ /no local node/ }) }, 'no local node any more');
    ok(eval { wait_for(sub { $get->("/healthz/$ip[0]") !~ /127\.0\.0\.9/ }) }, 'nor that peer');
    is($lonely->stop, 0, 'ends well');
};

subtest 'metrics' => sub {
    my $metrics;
    wait_for(sub { ($metrics = http($nginx->port, 'GET /metrics'))->{body} =~ /^cassandra_prober_nodes_ready 3$/m },
        'a round');
    is($metrics->{header}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8', 'content type');
    like($metrics->{body}, qr/^cassandra_prober_node_ready\{node="\Q$_\E",dc="dc1",rack="r1"\} 1$/m, "$_ is ready") for @ip;
    like($metrics->{body}, qr/^cassandra_prober_nodes_ready 3$/m, 'how many are');
    like($metrics->{body}, qr/^cassandra_prober_polls_total\{result="ok"\} [1-9]\d*$/m, 'polls by result');
    like($metrics->{body}, qr/^cassandra_prober_build_info\{version="[\d.]+"\} 1$/m, 'build info');
    my %family;
    for my $line (split /\n/, $metrics->{body}) {
        if ($line =~ /^# (HELP|TYPE) (\S+)/) { $family{$2}{$1}++; next }
        my ($name) = $line =~ /^(\w+)(?:\{(?:\w+="(?:[^"\\]|\\.)*",?)+\})? -?[\d.]+$/;
        ok($name, "well formed: $line") or next;
        my $known = $family{$name} || $family{ $name =~ s/_(sum|count|bucket)$//r } || {};
        ok($known->{HELP} && $known->{TYPE}, "$name has HELP and TYPE") if !($known->{HELP} && $known->{TYPE});
    }
};

subtest 'nobody answers at the start' => sub {
    my $port = free_port();
    my $lonely = Prober::Collector->start(<<"CONF");
local: { source = "jolokia+http://127.0.0.1:$port/jolokia"; };
segment: { path = "%%DIR%%/lonely"; };
$fast
CONF
    $lonely->wait_ready;
    is($lonely->status, '0 nodes, 0 ready, local node: refused', 'STATUS tells why');
    my ($status, $said) = run(root() . '/build/tools/segmentctl', "$dir/lonely", 'get', '/ready');
    like($said, qr/not ready: local node: refused/, '/ready too');
    is($lonely->stop, 0, 'ends well');
};

subtest 'the end' => sub {
    is($collector->stop, 0, 'SIGTERM');
    ok((grep { $_ eq 'STOPPING=1' } $collector->messages), 'STOPPING=1');
    is(status("/healthz/$ip[0]"), 200, 'the segment stays');
    wait_for(sub { status("/healthz/$ip[0]") == 503 }, 'it to be stale');
    my $answer = http($nginx->port, "GET /healthz/$ip[0]");
    like($answer->{body}, qr/^\{"error":"stale","age_ms":\d+\}/, 'and says so');
    $collector = Prober::Collector->start(fleet_conf($fleet, $fast));
    $collector->wait_ready;
    like($collector->log, qr/segment: taken over with \d+ documents/, 'the next one takes it over');
    is(status("/healthz/$ip[0]"), 200, 'and it is fresh');
    is($collector->stop('INT'), 0, 'SIGINT');

    my $seeds = http($nginx->port, 'GET /localseeds')->{body};
    $fleet->post("nodes/$_/crash") for @ip;
    $collector = Prober::Collector->start(fleet_conf($fleet, $fast));
    $collector->wait_ready;
    is(http($nginx->port, 'GET /localseeds')->{body}, $seeds, 'the seeds outlive a start with nobody there');
    is(status("/healthz/$ip[0]"), 404, 'readiness does not');
    $collector->stop;
    $fleet->post("nodes/$_/start") for @ip;
    wait_for(sub { 3 == grep { $_->{mode} eq 'NORMAL' && $_->{native} } $fleet->nodes }, 'the fleet to be back', 30);
};

subtest 'what happened while no collector ran' => sub {
    $collector = Prober::Collector->start(fleet_conf($fleet, $fast));
    $collector->wait_ready;
    my $left = $fleet->post('join?dc=dc1&rack=r1')->{ip};
    wait_for(sub { status("/healthz/$left") == 200 }, 'a node to join', 20);
    $collector->stop('KILL');
    $fleet->post("nodes/$left/decommission");
    wait_for(sub { $fleet->node($left)->{mode} eq 'DECOMMISSIONED' }, 'it to leave', 20);
    $fleet->post("nodes/$left/crash");
    $fleet->post("nodes/$left/forget");
    $collector = Prober::Collector->start(fleet_conf($fleet, $fast));
    $collector->wait_ready;
    wait_for(sub { $collector->status eq '3 nodes, 3 ready' }, 'three nodes');
    is(status("/healthz/$left"), 404, 'a node that left meanwhile is not answered for');
    is(http($nginx->port, "GET /healthz/$left")->{body}, "{}\n", 'it is unknown');
    is(status("/nodes/$left"), 404, 'in /nodes too');

    $collector->stop('KILL');
    $fleet->post("nodes/$ip[0]/crash");
    $collector = Prober::Collector->start(fleet_conf($fleet, $fast));
    $collector->wait_ready;
    is(status("/healthz/$ip[1]"), 200, 'with the local node down the others are known from the segment');
    wait_for(sub { $collector->status =~ /^3 nodes, 2 ready/ }, 'gossip to notice', 20);
    $fleet->post("nodes/$ip[0]/start");
    wait_for(sub { $collector->status eq '3 nodes, 3 ready' }, 'all to be back', 20);
};

subtest 'the segment or its lock is deleted' => sub {
    unlink "$dir/segment";
    wait_for(sub { -e "$dir/segment" }, 'the segment to be put back', 20);
    $nginx->reload;
    is(status("/healthz/$ip[0]"), 200, 'and new workers read it');
    unlink "$dir/segment", "$dir/segment.lock";
    wait_for(sub { -e "$dir/segment" && -e "$dir/segment.lock" }, 'both to be put back', 20);
    my ($status, $said) = run(program(), '--config', $collector->{conf});
    is($status, 1, 'a second collector is refused still');
    # Somebody else is quicker with a new lock.
    my $holder = start(name => 'holder', command => [ $^X, '-e',
        'use Fcntl ":flock"; my $l = shift; unlink $l; open my $f, ">", $l; flock $f, LOCK_EX; $| = 1; print "1\n"; sleep 60', "$dir/segment.lock" ]);
    wait_for(sub { !$collector->alive }, 'the collector that lost its lock to end', 20);
    like($collector->log, qr/another collector has the segment now; ending/, 'and it says why');
    $holder->stop;
};

subtest 'a full disk' => sub {
    plan skip_all => 'needs root to mount a small tmpfs' if $>;
    mkdir "$dir/full" or die;
    is(system('mount', '-t', 'tmpfs', '-o', 'size=800k,mode=0755', 'tmpfs', "$dir/full"), 0, 'a small tmpfs');
    my $full = Prober::Collector->start(
        fleet_conf($fleet, $fast) =~ s/\/segment"/\/full\/segment"/r, env => { WATCHDOG_USEC => 400000 });
    my $passed = eval {
        $full->wait_ready;
        is(status("/full/healthz/$ip[0]"), 200, 'there is room for three nodes');
        # Room for no new file: the documents of a node that joins have nowhere to go.
        system("head -c 2000k /dev/zero > $dir/full/ballast 2>/dev/null");
        $fleet->post('join?dc=dc1&rack=r1') for 1 .. 30;
        wait_for(sub { $full->log =~ /cannot publish to \S+: No space left on device; what was published ages/ },
            'the failure to be told', 30);
        wait_for(sub { $full->status =~ /; cannot publish: No space left on device$/ }, 'STATUS to tell too');
        my $fed = $full->notified('WATCHDOG=1');
        wait_for(sub { $full->notified('WATCHDOG=1') > $fed + 2 }, 'the watchdog to be fed all the same');
        wait_for(sub { status("/full/healthz/$ip[0]") == 503 }, 'what was published to be stale');
        unlink "$dir/full/ballast";
        is(system('mount', '-o', 'remount,size=20m', "$dir/full"), 0, 'room again');
        wait_for(sub { status("/full/healthz/$ip[0]") == 200 }, 'it to be published again');
        like($full->log, qr/publishing to \S+ again/, 'and told');
        1;
    };
    diag($@) if !$passed;
    ok($passed, 'through it all');
    $full->stop;
    $nginx->stop;
    system('umount', "$dir/full");
};

done();
