#!/usr/bin/perl
# Every document of a simulated cluster, and how it follows what happens there.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Prober::Test;
use Prober::Collector;
use Prober::Fleet;

my $fleet = Prober::Fleet->start(layout => 'dc1:r1=2,r2=1;dc2:r1=2', convict => 5, boot => 1);
my @ip = @{ $fleet->{nodes} };
my $collector = Prober::Collector->start(
    fleet_conf($fleet, 'poll: { interval = "200ms"; timeout = "1s"; view_ttl = "1500ms"; };
        readiness: { settle = "500ms"; rehab = "0"; }; gates: { bootstrap_grace = "0"; stable = "500ms"; };'));
my $nginx = nginx(<<'CONF');
%%GLOBALS%%
http { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; location / { prober; prober_segment %%DIR%%/segment; } } }
CONF

sub get    { http($nginx->port, "GET $_[0]") }
sub status { get($_[0])->{status} }
sub node   { get_json($nginx->port, "/nodes/$_[0]") }

# The expected body of /healthz: all UP but what is given.
sub views {
    my (%but) = @_;
    return '{' . join(',', map { qq("/$_":") . ($but{$_} // 'UP') . '"' } sort @ip) . "}\n";
}

sub becomes {
    my ($ip, $status, $what) = @_;
    my $got;
    eval { wait_for(sub { ($got = status("/healthz/$ip")) == $status }, $what) };
    is($got, $status, $what);
}

$collector->wait_ready;
eval { wait_for(sub { $collector->status eq '5 nodes, 5 ready' }, 'all to be ready') };
is($collector->status, '5 nodes, 5 ready', 'STATUS tells the cluster in one line');

subtest 'a healthy cluster' => sub {
    for my $ip (@ip) {
        my $answer = get("/healthz/$ip");
        is($answer->{status}, 200, "$ip is ready");
        is($answer->{body}, views(), "$ip: each observer's opinion");
        is($answer->{header}{'content-type'}, 'application/json', 'as JSON');
        cmp_ok($answer->{header}{'x-prober-age-ms'}, '<', 1500, 'with its age');
    }
    is(get("/healthz/$ip[1]?brief")->{body}, "ready\n", '?brief');
    is(get('/ping')->{body}, "pong\n", '/ping');
    is(get('/ready')->{body}, "ready\n", '/ready');
    is(get('/readylocaldcs')->{body}, "true\n", '/readylocaldcs');
    is(get('/region-ready')->{body}, "true\n", 'and its alias');
    is_deeply(get_json($nginx->port, '/dcs'), [ { name => 'dc1', replicas => 3 }, { name => 'dc2', replicas => 2 } ], '/dcs');
    is_deeply(get_json($nginx->port, '/localseeds'), \@ip, '/localseeds: all of DCs that small');
    is(get('/seeds')->{body}, get('/localseeds')->{body}, 'and its alias');
    my $unknown = get('/healthz/192.0.2.99');
    is($unknown->{status}, 404, 'an unknown address');
    is($unknown->{body}, "{}\n", 'has no views');
    is(get('/healthz/192.0.2.99?brief')->{body}, "not ready\n", 'and is briefly not ready');
};

subtest 'a node in full' => sub {
    my $node = node($ip[3]);
    my $there = $fleet->node($ip[3]);
    is($node->{verdict}, 'ready', 'verdict');
    is_deeply($node->{reasons}, [], 'no reasons');
    is($node->{$_}, $there->{$_}, $_) for qw(dc rack host_id mode);
    is($node->{status}, 'NORMAL', 'gossip STATUS');
    ok($node->{native_transport} && $node->{gossip}, 'native transport and gossip run');
    is($node->{observer}, 'voter', 'its opinion counts');
    is($node->{poll}{result}, 'ok', 'its polls are well');
    ok($node->{seed} && !$node->{local} && !$node->{repair_needed}, 'a seed, not local, no repair needed');
    like($node->{since}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'since when');
    is($node->{down_since}, undef, 'not down');
    ok(node($ip[0])->{local}, 'the local one is known');
    my $all = get_json($nginx->port, '/nodes');
    is($all->{cluster}, 'Fleet', '/nodes: the name of the cluster');
    is(scalar @{ $all->{nodes} }, 5, 'and every node');
    is_deeply([ map { $_->{address} } @{ $all->{nodes} } ], \@ip, 'by address');
};

subtest '/view' => sub {
    my $answer = get('/view');
    my $view = get_json($nginx->port, '/view');
    is($answer->{header}{'cache-control'}, 'no-cache', 'may be asked for again with its tag');
    is($view->{format}, 1, 'format');
    is($view->{address}, $ip[0], 'of the local node');
    is($view->{host_id}, $fleet->node($ip[0])->{host_id}, 'its host id');
    is_deeply($view->{view}, { map { ("/$_" => 'UP') } @ip }, 'its opinions');
    my $again = http($nginx->port, 'GET /view', header => ["If-None-Match: $answer->{header}{etag}"]);
    is($again->{status}, 304, 'the same while nothing changed');
};

subtest 'a crash and the return' => sub {
    wait_for(sub { get('/state')->{body} =~ m{"seeds/dc1"} }, 'the seeds to be chosen', 20);
    $fleet->post("nodes/$ip[1]/crash");
    wait_for(sub { get("/healthz/$ip[1]")->{body} eq views($ip[1] => 'refused') }, 'its own view to be lost');
    is(status("/healthz/$ip[1]"), 200, 'others see it UP still: refused JMX alone is no verdict');
    becomes($ip[1], 404, 'not ready when the others say DOWN');
    wait_for(sub { get("/healthz/$ip[1]")->{body} eq '{' . join(',', map { qq("/$_":") . ($_ eq $ip[1] ? 'refused' : 'DOWN') . '"' } @ip) . "}\n" },
        'all others to say so');
    is(get("/healthz/$ip[1]?brief")->{body}, "not ready\n", 'briefly');
    my $node = node($ip[1]);
    is_deeply($node->{reasons}, ['DOWN by 4 of 4'], 'the reason');
    is($node->{poll}{result}, 'refused', 'the poll');
    is($node->{mode}, undef, 'its mode is not known now');
    ok($node->{down_since}, 'down since');
    is(get('/readylocaldcs')->{body}, "false\n", 'the region is not ready');
    ok(eval { wait_for(sub { $collector->status =~ /^5 nodes, 4 ready, \Q$ip[1]\E not ready: DOWN by \d of 4$/ }) },
        'STATUS tells');
    is_deeply(get_json($nginx->port, '/localseeds'), \@ip, 'the seeds stay');
    $fleet->post("nodes/$ip[1]/start");
    becomes($ip[1], 200, 'ready again');
    is(node($ip[1])->{down_since}, undef, 'not down any more');
    like($collector->log, qr/\Q$ip[1]\E: ready -> not ready: DOWN by \d of 4/, 'the log has the decision');
    like($collector->log, qr/\Q$ip[1]\E: not ready -> ready/, 'and the other');
};

# What the gates say of a path, once it says `why`.
sub says {
    my ($path, $status, $why, $what) = @_;
    my $got = {};
    eval { wait_for(sub { $got = get($path); $got->{body} =~ $why && $got->{status} == $status }, $what) };
    ok(!$@, $what) or diag("$got->{status} $got->{body}");
}

subtest 'the gates' => sub {
    says("/may-stop/$_", 200, qr/^\{"may":"yes","reasons":\[\]\}$/, "$_ may stop") for @ip;
    says('/may-start/192.0.2.99', 200, qr/"may":"yes"/, 'a new node may start');
    says('/may-stop/192.0.2.99', 404, qr/^\{\}$/, 'which nobody could stop');
    $fleet->post("nodes/$ip[1]/crash");
    says("/may-stop/$ip[0]", 409, qr/"no".*one node of dc1 at a time: \Q$ip[1]\E is down/, 'one is down: none of its data center may stop');
    says("/may-stop/$ip[3]", 200, qr/"yes"/, 'but one of another');
    says("/may-stop/$ip[1]", 200, qr/"yes"/, 'and the one that is down');
    says("/may-start/$ip[1]", 200, qr/"yes"/, 'which may start');
    says('/may-start/192.0.2.99', 409, qr/it joins, and not all others are NORMAL and UP: \Q$ip[1]\E is down/, 'a new one may not');
    $fleet->post("nodes/$ip[1]/start");
    becomes($ip[1], 200, 'ready again');
    says("/may-stop/$ip[0]", 200, qr/"yes"/, 'all may stop');
};

my %own_state = (
    drain         => [ 'mode DRAINED', 'start' ],
    'stop-gossip' => [ 'gossip off', 'start-gossip' ],
    'stop-native' => [ 'native transport off', 'start-native' ],
);
for my $what (sort keys %own_state) {
    my ($reason, $undo) = @{ $own_state{$what} };
    subtest $what => sub {
        wait_for(sub { $collector->status eq '5 nodes, 5 ready' }, 'all to be ready');
        $fleet->post("nodes/$ip[2]/$what");
        becomes($ip[2], 404, 'not ready');
        my $reasons;
        ok(eval { wait_for(sub { $reasons = node($ip[2])->{reasons}; grep { $_ eq $reason } @$reasons }) },
            "because: $reason") or diag(explain($reasons));
        is(status("/healthz/$ip[3]"), 200, 'the others are ready');
        $fleet->post("nodes/$ip[2]/crash") if $undo eq 'start';
        $fleet->post("nodes/$ip[2]/$undo");
        becomes($ip[2], 200, "ready after $undo");
    };
}

subtest 'a liar and an isolated node' => sub {
    for my $what ('lie?as=all-down', 'isolate') {
        wait_for(sub { $collector->status eq '5 nodes, 5 ready' }, 'all to be ready');
        $fleet->post("nodes/$ip[4]/$what");
        becomes($ip[4], 404, "$what: it loses its vote");
        for (1 .. 20) {
            my @ready = grep { status("/healthz/$_") == 200 } @ip[0 .. 3];
            is(scalar @ready, 4, 'the others stay ready') if @ready != 4 || $_ == 20;
        }
        my $observer;
        eval { wait_for(sub { ($observer = node($ip[4])->{observer}) eq 'lost vote' }) };
        is($observer, 'lost vote', 'and is shown as suspect');
        $fleet->post("nodes/$ip[4]/heal");
        becomes($ip[4], 200, 'ready again');
    }
};

subtest 'a hung node' => sub {
    $fleet->post("nodes/$ip[1]/hang");
    wait_for(sub { get("/healthz/$ip[0]")->{body} eq views($ip[1] => 'timeout') }, 'its view to be lost', 15);
    is(status("/healthz/$ip[1]"), 200, 'the others see it UP');
    my ($age) = sort { $a <=> $b } map { get("/healthz/$ip[2]")->{header}{'x-prober-age-ms'} } 1 .. 10;
    cmp_ok($age, '<', 1000, "and the others' data is fresh");
    $fleet->post("nodes/$ip[1]/heal");
    wait_for(sub { get("/healthz/$ip[0]")->{body} eq views() }, 'its view to be back');
};

subtest 'a node joins and leaves' => sub {
    wait_for(sub { $collector->status eq '5 nodes, 5 ready' }, 'all to be ready');
    my $new = $fleet->post('join?dc=dc2&rack=r1')->{ip};
    my ($early, $joining) = (0, 0);
    wait_for(
        sub {
            my $mode = $fleet->node($new)->{mode};
            my $status = status("/healthz/$new");
            # What was asked first may be from before.
            $early++ if $status == 200 && $mode ne 'NORMAL' && $fleet->node($new)->{mode} ne 'NORMAL';
            $joining++ if $mode eq 'JOINING';
            return $status == 200;
        },
        'the new node to be ready', 20);
    is($early, 0, 'never ready before NORMAL');
    ok(eval { wait_for(sub { $collector->status eq '6 nodes, 6 ready' }) }, 'six nodes');
    is_deeply(get_json($nginx->port, '/dcs')->[1], { name => 'dc2', replicas => 3 }, 'a member of its DC');
    $fleet->post("nodes/$new/decommission");
    becomes($new, 404, 'not ready when it leaves');
    wait_for(sub { $collector->status eq '5 nodes, 5 ready' }, 'it to have left', 20);
    is(get("/healthz/$new")->{body}, "{}\n", 'as unknown');
    is(status("/nodes/$new"), 404, 'not found in /nodes/IP');
    is_deeply(get_json($nginx->port, "/nodes/$new")->{reasons}, ['gone'], 'gone');
    is(scalar @{ get_json($nginx->port, '/nodes')->{nodes} }, 5, 'and not in /nodes');
};

is($collector->stop, 0, 'SIGTERM ends the collector well');
is(status("/healthz/$ip[0]"), 200, 'its last answers stay for the while they are fresh');
done();
