package Prober::Scenario;

# What happens to a real cluster in its life, seen through collector, nginx and HAProxy: run_scenario('5.0.4').
#
# Three nodes in two data centers start from nothing, a fourth one joins, and then two at a time are down in one way or
# another, so that the other two remain each other's witnesses. All the while one child process asks for every /healthz,
# one asks HAProxy for its servers, and one is a CQL client behind it.

use strict;
use warnings;
use Exporter 'import';
use Test::More;
use Time::HiRes qw(sleep time);

use Prober::Cluster;
use Prober::Collector;
use Prober::Cql;
use Prober::Haproxy;
use Prober::Test;
use Prober::Watch;

our @EXPORT = qw(run_scenario);

# The default poll settings of the collector, in s, and what judging and publishing may take on a busy machine.
use constant { INTERVAL => 0.5, TIMEOUT => 1, VIEW_TTL => 3, SLACK => 3 };
use constant OPERATION => 10;    # Cassandra's own time for an operation, such as announcing that it leaves gossip
use constant CONVICTED => 30;    # gossip needs some 18 s to take a silent node for DOWN
use constant STARTED   => 180;

my ($version, $cluster, $collector, $nginx, $haproxy);
my ($checks, $servers, $clients);    # the watches
my $steady;                          # when the first three nodes were all ready

sub get     { http($nginx->port, "GET $_[0]") }
sub healthz { get('/healthz/' . $cluster->ip($_[0])) }
sub node    { get_json($nginx->port, '/nodes/' . $cluster->ip($_[0])) }

# The body of /healthz: UP by all nodes of the cluster, but by those that are given.
sub views {
    my (%but) = @_;
    my @numbers = grep { ($but{$_} // '') ne 'gone' } $cluster->numbers;
    return '{' . join(',', map { '"/' . $cluster->ip($_) . '":"' . ($but{$_} // 'UP') . '"' } @numbers) . "}\n";
}

# Waits until a value is as expected, a text or a pattern, and says what it was if it never is.
sub becomes {
    my ($get, $expected, $what, $timeout) = @_;
    my $pattern = ref $expected ? $expected : qr/\A\Q$expected\E\z/;
    my $got = '';
    eval { wait_for(sub { ($got = $get->()) =~ $pattern }, $what, $timeout) };
    return ref $expected ? like($got, $expected, $what) : is($got, $expected, $what);
}

sub body_becomes {
    my ($number, $status, $body, $what, $timeout) = @_;
    my $both = sub { my $answer = healthz($number); "$answer->{status} $answer->{body}" };
    return becomes($both, ref $body ? qr/^$status $body$/ : "$status $body", $what, $timeout);
}

sub reasons_become {
    my ($number, $reasons, $what, $timeout) = @_;
    return becomes(sub { join '; ', @{ node($number)->{reasons} || [] } }, $reasons, $what, $timeout);
}

# The first answer with a status since an event, as the watch saw it; how long it took is told.
sub turns {
    my ($number, $status, $since, $limit, $what) = @_;
    my $at;
    eval { wait_for(sub { $at = $checks->when($cluster->ip($number), qr/^$status /, $since) }, $what, $limit + 1) };
    return fail("$what: never in $limit s; " . $checks->last_value($cluster->ip($number))) if !defined $at;
    my $took = $at - $since;
    diag(sprintf '%s: %d after %.2f s', $what, $status, $took);
    return cmp_ok($took, '<=', $limit, "$what: $status");
}

# Everybody is ready and counts as an observer: the state in which the next thing may happen.
sub all_well {
    my @numbers = @_;
    my $words = sub {
        return join ' ', map { my $node = node($_); join ':', $_, map { $_ // '-' } @$node{qw(verdict observer)} } @numbers;
    };
    return becomes($words, join(' ', map { "$_:ready:voter" } @numbers), "@numbers are ready and count", STARTED);
}

# The collector's decisions since the last call are these, and no others: number => a pattern of + (ready now) and - (not
# ready now). A node that comes back may be seen DOWN by somebody once more: that is no fault of ours, and "back" below.
my $told = 0;
my $back = qr/\+(-\+)*/;

sub decided {
    my ($what, %pattern) = @_;
    my $log = substr $collector->log, $told;
    $told += length $log;
    my %decided;
    for my $number ($cluster->numbers) {
        my $ip = $cluster->ip($number);
        my $changes = join '', map { /not/ ? '-' : '+' } $log =~ /^prober-collector: \Q$ip\E: \S.*? -> (not ready|ready)/mg;
        $decided{$number} = $changes if length $changes;
    }
    is(join(' ', sort keys %decided), join(' ', sort keys %pattern), "$what: no other verdict changed");
    like($decided{$_} // '', qr/^$pattern{$_}$/, "$what: the verdicts of node $_") for sort keys %pattern;
}

sub start_watches {
    # A 200 after anything else is compared at once with what the node says of itself: never ready before NORMAL.
    my %status;
    $checks = Prober::Watch->start(
        name => 'checks', every => 0.03,
        look => sub {
            my ($say) = @_;
            for my $number (1 .. 4) {
                my $ip = $cluster->ip($number);
                my $answer = http($nginx->port, "GET /healthz/$ip");
                $say->($ip, "$answer->{status} $answer->{body}");
                $say->("risen $ip", time . ' ' . $cluster->state($number))
                    if $answer->{status} == 200 && ($status{$number} // 0) != 200;
                $status{$number} = $answer->{status};
            }
            my $nodes = get('/nodes')->{body};
            $say->("reasons $1", "$2: $3") while $nodes =~ /"address":"([^"]+)","verdict":"([^"]+)","reasons":\[(.*?)\]/g;
        });
    $servers = Prober::Watch->start(
        name => 'servers', every => 0.03,
        look => sub {
            my ($say) = @_;
            my $stats = $haproxy->stats;
            $say->($_, $stats->{$_}{status}) for sort keys %$stats;
        });
    $clients = Prober::Watch->start(
        name => 'clients', every => 0.02, all => 1,
        look => sub {
            my ($say) = @_;
            for my $frontend ($haproxy->frontends) {
                my $began = time;
                my ($ip, $error) = who_answers('127.0.0.1', $haproxy->port($frontend), 3);
                $say->($frontend, sprintf '%.3f %s', $began, $ip // "error: $error");
            }
        });
}

# Between two times no connection that was begun behind a frontend reached the node.
sub no_traffic {
    my ($number, $from, $to, $what) = @_;
    my $ip = $cluster->ip($number);
    for my $frontend ($haproxy->frontends) {
        my @begun = grep { my ($began) = split ' ', $_->{value}; $began >= $from && $began < $to } $clients->seen($frontend);
        cmp_ok(scalar @begun, '>', 0, "$frontend: there were clients while $what");
        is((grep { $_->{value} =~ / \Q$ip\E$/ } @begun), 0, "$frontend: none of " . @begun . " reached node $number while $what");
    }
}

# Clients may fail between an event and the moment at which the node's checks have gone down, and never else.
my @troubles;

sub no_other_errors {
    my ($since) = @_;
    my @errors = grep {
        my ($began, $what) = split ' ', $_->{value};
        $what eq 'error:' && !grep { $began >= $_->[0] - 0.1 && $began <= $_->[1] + 0.1 } @troubles;
    } $clients->seen(undef, since => $since);
    is_deeply(\@errors, [], 'no client failed but for those that were connected to a node that went down');
    my $all = $clients->seen(undef, since => $since);
    diag(sprintf 'clients: %d, errors: %d', $all, scalar grep { $_->{value} =~ /error/ } $clients->seen(undef, since => $since));
}

# Waits until both frontends have taken the node off and have served clients without it for some seconds.
sub clients_go_on {
    my ($number, $since) = @_;
    my $ip = $cluster->ip($number);
    for my $frontend ($haproxy->frontends) {
        my $enough = sub {
            my $down = $servers->when("$frontend/$ip", qr/^DOWN/, $since) or return 0;
            return $clients->seen($frontend, since => $down + 3) >= 5;
        };
        ok(eval { wait_for($enough, 'clients', 10) }, "$frontend: clients go on without node $number");
    }
}

# Takes a node through an outage as HAProxy sees it: when its check went down, when it came back, who was served between.
sub outage {
    my ($number, $since, $what) = @_;
    my $ip = $cluster->ip($number);
    my ($last_down, $first_up) = (0, 9e9);
    for my $frontend ($haproxy->frontends) {
        my ($down, $up);
        eval {
            $down = wait_for(sub { $servers->when("$frontend/$ip", qr/^DOWN/, $since) }, 'DOWN', 10);
            $up = wait_for(sub { $servers->when("$frontend/$ip", qr/^UP/, $down) }, 'UP', 10);
        };
        ok($down, "$frontend: node $number is taken off when $what");
        ok($up, "$frontend: and put back");
        my $cut = $checks->when($ip, qr/^404 /, $since);
        diag(sprintf '%s: off %.2f s after the 404', $frontend, $down - $cut) if $down && $cut;
        $last_down = $down if ($down // 9e9) > $last_down;
        $first_up = $up if ($up // 0) < $first_up;
        my $served = sub {
            return scalar grep { my ($began, $who) = split ' ', $_->{value}; $began >= ($up // 9e9) && $who eq $ip }
                $clients->seen($frontend);
        };
        ok(eval { wait_for($served, 'traffic', 10) }, "$frontend: it has clients again");
    }
    push @troubles, [ $since, $last_down ];
    # What the watch has not seen yet at the first moment, or sees too late at the end, is no fault.
    no_traffic($number, $last_down + 0.1, $first_up - 1.5, $what);
}

# After a start: the first 200 is no earlier than NORMAL with native transport, by the node's own word.
sub never_early {
    my ($number, $since) = @_;
    my $ip = $cluster->ip($number);
    my @risen = $checks->seen("risen $ip", since => $since);
    ok(scalar @risen, "node $number turned ready");
    like($_->{value}, qr/ NORMAL on$/, 'and was NORMAL and serving by then') for @risen;
}

sub from_nothing {
    becomes(sub { healthz(1)->{status} }, 404, 'nobody is ready while no Cassandra runs', 5);
    is(get('/ready')->{body}, "not ready: local node: refused\n", '/ready says why');
    my $began = $cluster->start(1, 2, 3);
    $cluster->wait_for_start($_) for 1 .. 3;
    diag(sprintf 'three nodes serve after %.1f s', time - $began);
    all_well(1 .. 3);
    like($_->{value}, qr/ NORMAL on$/, "$_->{key}: NORMAL and serving by then") for grep { $_->{key} =~ /^risen/ } $checks->seen;
    $steady = time;
    is($collector->status, '3 nodes, 3 ready', 'STATUS tells the cluster in one line');
    decided('the start', map { ($_ => qr/-?$back/) } 1 .. 3);
}

sub documents {
    my @place = (undef, [qw(dc1 r1)], [qw(dc1 r2)], [qw(dc2 r1)]);
    my %host_id;
    for my $number (1 .. 3) {
        my $ip = $cluster->ip($number);
        my $answer = healthz($number);
        is("$answer->{status} $answer->{body}", '200 ' . views(), "/healthz/$ip");
        cmp_ok($answer->{header}{'x-prober-age-ms'}, '<=', 1000 * (INTERVAL + TIMEOUT), 'with a fresh age');
        my $node = node($number);
        is_deeply(
            { map { $_ => $node->{$_} } qw(address verdict reasons dc rack status mode observer) },
            { address => $ip, verdict => 'ready', reasons => [], dc => $place[$number][0], rack => $place[$number][1],
                status => 'NORMAL', mode => 'NORMAL', observer => 'voter' },
            "/nodes/$ip");
        ok($node->{$_}, "node $number: $_") for qw(native_transport gossip seed member);
        is($node->{local} ? 1 : 0, $number == 1 ? 1 : 0, "node $number: local?");
        ok(!$node->{repair_needed}, "node $number needs no repair");
        like($node->{host_id}, qr/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, "node $number: its host id");
        $host_id{ $node->{host_id} } = 1;
    }
    is(scalar keys %host_id, 3, 'host ids differ');
    my $ip = $cluster->ip(1);
    my ($a, $b) = $ip =~ /^127\.0\.(\d+)\.(\d+)$/;
    for my $spelling ("::ffff:$ip", "[::ffff:$ip]", $ip =~ s/\./%2e/r, sprintf '::FFFF:7f00:%02x%02x', $a, $b) {
        is(get("/healthz/$spelling")->{body}, views(), "as $spelling");
    }
    my $unknown = get('/healthz/192.0.2.1');
    is("$unknown->{status} $unknown->{body}", "404 {}\n", 'an unknown address');
    is(get('/nodes/192.0.2.1')->{status}, 404, 'as a node too');
    is_deeply([ map { $_->{address} } @{ get_json($nginx->port, '/nodes')->{nodes} } ], [ $cluster->ips ], '/nodes');
    is(get_json($nginx->port, '/nodes')->{cluster}, 'prober', "the cluster's name");
    is(get($_)->{body}, "true\n", $_) for qw(/readylocaldcs /region-ready);
    is_deeply(get_json($nginx->port, $_), [ $cluster->ips ], $_) for qw(/localseeds /seeds);
    is_deeply(get_json($nginx->port, '/dcs'), [ { name => 'dc1', replicas => 2 }, { name => 'dc2', replicas => 1 } ], '/dcs');
    is(get('/ready')->{body}, "ready\n", '/ready');
    is(get('/ping')->{body}, "pong\n", '/ping');
    my $view = get_json($nginx->port, '/view');
    is_deeply($view->{view}, { map { ("/$_" => 'UP') } $cluster->ips }, '/view: what the local node says');
    is("$view->{address} $view->{cluster} $view->{mode}", "$ip prober NORMAL", 'and who it is');
    my $metrics = get('/metrics')->{body};
    like($metrics, qr/^cassandra_prober_node_ready\{node="\Q@{[ $cluster->ip($_) ]}\E",dc="$place[$_][0]",rack="$place[$_][1]"\} 1$/m,
        "/metrics: node $_") for 1 .. 3;
    like($metrics, qr/^cassandra_prober_nodes_ready 3$/m, '/metrics: all');
    unlike($metrics, qr/^cassandra_prober_poll_failing\{/m, '/metrics: no poll fails');
}

sub joining {
    my $number = $cluster->add('dc2:r2');
    is($number, 4, 'a fourth node');
    is(healthz(4)->{body}, "{}\n", 'is unknown before it starts');
    my $began = $cluster->start(4);
    becomes(sub { (node(4)->{dc} // '') . healthz(4)->{status} }, 'dc2404', 'it is seen, and not ready', STARTED);
    is_deeply(get_json($nginx->port, '/dcs')->[1], { name => 'dc2', replicas => 1 }, 'no member of its data center yet');
    # 4.x has StorageService while it joins and speaks for itself; 5.0 has not, and gossip tells.
    reasons_become(4, $version =~ /^4/ ? qr/^(status BOOT; )?mode JOINING; native transport off$/
        : 'status BOOT; starting or stopping: no MBeans', 'while it joins, its reasons say so', 30);
    is_deeply(get_json($nginx->port, '/dcs')->[1], { name => 'dc2', replicas => 1 }, 'still no member');
    $cluster->wait_for_start(4);
    turns(4, 200, $began, STARTED, 'joined');
    all_well(1 .. 4);
    never_early(4, $began);
    is(healthz($_)->{body}, views(), "node $_: seen UP by all four") for 1 .. 4;
    is_deeply(get_json($nginx->port, '/dcs')->[1], { name => 'dc2', replicas => 2 }, 'a member of its data center now');
    decided('joining', 4 => qr/-$back/);
}

# Node 3 gets a SIGKILL; while gossip has not noticed, node 2 has its services turned off and on.
sub killed_and_services_off {
    my $killed = $cluster->signal(KILL => 3);
    body_becomes(3, 200, views(3 => 'refused'), 'killed, and not noticed: its own view is missing', VIEW_TTL + 7);

    my $off = $cluster->execute(2, 'stopNativeTransport');
    turns(2, 404, $off, OPERATION, 'native transport off');
    reasons_become(2, 'native transport off', 'and why');
    is(node(2)->{native_transport}, JSON::PP::false, 'as its own member says');
    is(healthz(2)->{body}, views(3 => 'refused'), 'though all see it UP');
    clients_go_on(2, $off);
    my $on = $cluster->execute(2, 'startNativeTransport');
    turns(2, 200, $on, OPERATION, 'native transport on');
    outage(2, $off, 'native transport was off');

    $off = $cluster->execute(2, 'stopGossiping');
    turns(2, 404, $off, OPERATION, 'gossip off');
    # Gossip that was under way makes the others take it for UP again now and then.
    reasons_become(2, qr/^(DOWN by [12] of 2; )?status shutdown; gossip off$/, 'and why', 10);
    $on = $cluster->execute(2, 'startGossiping');
    turns(2, 200, $on, 20, 'gossip on');

    turns(3, 404, $killed, CONVICTED, 'killed');
    body_becomes(3, 404, views(map({ $_ => 'DOWN' } 1, 2, 4), 3 => 'refused'), 'the views are in the body', 15);
    reasons_become(3, 'DOWN by 3 of 3', 'and why', 10);
    my $node = node(3);
    is($node->{poll}{result} // '', 'refused', 'the poll says why');
    ok($node->{down_since}, 'down since');
    is(get('/readylocaldcs')->{body}, "false\n", '/readylocaldcs');
    is(get('/ready')->{body}, "ready\n", '/ready of this host');
    decided('services off, a kill', 2 => qr/-\+-$back/, 3 => qr/-/);
    return $killed;
}

# Node 3 starts again while node 2 is drained, ended and started.
sub restarted_and_drained {
    my ($killed) = @_;
    all_well(1, 2, 4);
    my $restarted = $cluster->start(3);
    my $drained = $cluster->execute(2, 'drain');
    turns(2, 404, $drained, OPERATION, 'drained');
    reasons_become(2, qr/^DOWN by (\d) of \1; status shutdown; mode DRAINED; gossip off; native transport off$/, 'and why', 20);
    my $ended = $cluster->stop(2);
    reasons_become(2, qr/^DOWN by (\d) of \1; status shutdown; native transport off$/, 'ended, and why', 10);
    my $started = $cluster->start(2);
    $cluster->wait_for_start($_) for 2, 3;
    all_well(1 .. 4);
    turns(3, 200, $restarted, STARTED, 'restarted after the kill');
    turns(2, 200, $started, STARTED, 'restarted after the drain');
    never_early(2, $started);
    never_early(3, $restarted);
    is(healthz($_)->{body}, views(), "node $_: seen UP by all four") for 1 .. 4;
    outage(2, $drained, 'it was drained');
    outage(3, $killed, 'it was killed');
    decided('drain and restart', 2 => qr/-$back/, 3 => $back);
}

# The local node gets a SIGKILL, node 4 a SIGSTOP, node 3 has ended cleanly before.
sub local_killed_and_paused {
    my $killed = $cluster->signal(KILL => 1);
    turns(1, 404, $killed, INTERVAL + TIMEOUT + SLACK, 'local node killed');
    is(get('/ready')->{status}, 503, '/ready turns with it');
    like(get('/ready')->{body}, qr/^not ready: process gone: JMX and native transport refused/, 'and says why');
    is(healthz(1)->{body}, views(1 => 'refused'), 'though all the others see it UP');
    is(healthz($_)->{status}, 200, "node $_ is ready") for 2 .. 4;

    my $paused = $cluster->signal(STOP => 4);
    body_becomes(2, 200, views(1 => 'refused', 4 => 'timeout'), 'a stopped JVM: its view expires', VIEW_TTL + TIMEOUT + 7);
    diag(sprintf 'stopped: its view is out of the bodies after %.2f s', time - $paused);
    my ($answers, $old) = (0, 0);
    my $until = time + 3;
    while (time < $until) {
        my $age = healthz(2)->{header}{'x-prober-age-ms'};
        $answers++;
        $old++ if $age > 1000 * (INTERVAL + TIMEOUT);
        sleep 0.02;
    }
    cmp_ok($old, '<=', $answers / 5, "data about the others stay fresh ($old of $answers answers were older)");
    turns(4, 404, $paused, CONVICTED, 'stopped');
    # A node that has just started, as both have, takes its time to be sure: one of them is enough.
    reasons_become(4, qr/^DOWN by [12] of 2$/, 'and why');
    my $someone = quotemeta(views(1 => 'refused', 2 => 'word', 3 => 'word', 4 => 'timeout')) =~ s/word/(?:UP|DOWN)/gr;
    body_becomes(4, 404, qr/$someone/, 'the views are in the body', 10);

    my $continued = $cluster->signal(CONT => 4);
    turns(4, 200, $continued, 20, 'continued');
    my $started = $cluster->start(1);
    $cluster->wait_for_start(1);
    all_well(1 .. 4);
    turns(1, 200, $started, STARTED, 'local node restarted');
    never_early(1, $started);
    outage(1, $killed, 'it was killed');
    is(get('/ready')->{body}, "ready\n", '/ready');
    decided('the local node, a stopped one', 1 => qr/-$back/, 4 => qr/-$back/);
}

# Node 4 leaves while node 3 is shut down in the ordinary way.
sub decommissioned_and_shut_down {
    my $began = $cluster->execute(4, 'decommission(boolean)', 'false');
    turns(4, 404, $began, 60, 'decommissioned');
    becomes(sub { join ' ', map { $_->{address} } @{ get_json($nginx->port, '/nodes')->{nodes} } },
        join(' ', map { $cluster->ip($_) } 1 .. 3), 'it leaves /nodes', 30);
    body_becomes(4, 404, "{}\n", 'its /healthz has no views any more', 5);
    my $gone = get('/nodes/' . $cluster->ip(4));
    is($gone->{status}, 404, '/nodes/IP too');
    is_deeply(JSON::PP::decode_json($gone->{body})->{reasons}, ['gone'], 'and says that it is gone');
    is(healthz(1)->{body}, views(4 => 'gone'), "nobody's body has its view");
    is_deeply(get_json($nginx->port, '/dcs')->[1], { name => 'dc2', replicas => 1 }, 'no member any more');
    is_deeply(get_json($nginx->port, '/localseeds'), [ map { $cluster->ip($_) } 1 .. 3 ], 'and no seed');
    like($collector->log, qr/^prober-collector: \Q@{[ $cluster->ip(4) ]}\E: has left the cluster: status LEFT$/m, 'the log says so');
    $cluster->stop(4);
    decided('decommission', 4 => qr/-/);

    my $ended = $cluster->stop(3);
    turns(3, 404, $ended, OPERATION, 'shut down');
    body_becomes(3, 404, views(1 => 'DOWN', 2 => 'DOWN', 3 => 'refused', 4 => 'gone'), 'the views are in the body', 5);
    reasons_become(3, 'DOWN by 2 of 2; status shutdown; native transport off', 'and why', 10);
    is(healthz(4)->{body}, "{}\n", 'the one that left stays gone');
    my $started = $cluster->start(3);
    $cluster->wait_for_start(3);
    all_well(1 .. 3);
    never_early(3, $started);
    outage(3, $ended, 'it was shut down');
    decided('shutdown', 3 => qr/-$back/);
}

# Node 2 crashes and starts again at once, as under a service manager: gossip never notices.
sub crashed_and_started_at_once {
    my $killed = $cluster->signal(KILL => 2);
    my $started = $cluster->start(2);
    $cluster->wait_for_start(2);
    my $serves = time;
    my $cut = $checks->when($cluster->ip(2), qr/^404 /, $killed);
    ok($cut, 'a node that starts is not ready, though all see it UP all the while')
        and diag(sprintf 'crashed and started at once: 404 after %.2f s, serving after %.2f s', $cut - $killed, $serves - $killed);
    all_well(1 .. 3);
    never_early(2, $started);
    outage(2, $killed, 'it started again');
    decided('crash and start', 2 => qr/-$back/);
}

sub nothing_left {
    $_->stop for $checks, $servers, $clients;
    is_deeply([ $_->seen('broken') ], [], 'the watch went on') for $checks, $servers, $clients;
    no_other_errors($steady);
    is($collector->stop, 0, 'the collector ends well');
    unlike($collector->log, qr/Sanitizer|runtime error|crash/, 'and never complained');
    diag($collector->log);
    is_deeply([ $cluster->end ], [], 'no Cassandra is left');
    $haproxy->{process}->stop('USR1');
    $nginx->stop;
}

sub run_scenario {
    ($version) = @_;
    my $began = time;
    $cluster = Prober::Cluster->new(version => $version, layout => 'dc1:r1,dc1:r2,dc2:r1');
    $nginx = nginx(<<'CONF');
%%GLOBALS%%
http { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; location / { prober; prober_segment %%DIR%%/segment; } } }
CONF
    $haproxy = Prober::Haproxy->start($nginx->port, $cluster->ips);
    $collector = Prober::Collector->start(<<'CONF', IP => $cluster->ip(1), PORT => Prober::Cluster::JOLOKIA);
local: { source = "jolokia+http://%%IP%%:%%PORT%%/jolokia"; };
peers: { mode = "direct"; url = "jolokia+http://{address}:%%PORT%%/jolokia"; };
readiness: { rehab = "0"; };
segment: { path = "%%DIR%%/segment"; };
CONF
    $collector->wait_ready;
    start_watches();
    my $killed;
    my @story = (
        [ 'three nodes start'                                    => \&from_nothing ],
        [ 'every document'                                       => \&documents ],
        [ 'a node joins'                                         => \&joining ],
        [ 'kill -9; native transport and gossip off'             => sub { $killed = killed_and_services_off() } ],
        [ 'a restart; drain'                                     => sub { restarted_and_drained($killed) } ],
        [ 'kill -9 of the local node; SIGSTOP'                   => \&local_killed_and_paused ],
        [ 'decommission; shutdown'                               => \&decommissioned_and_shut_down ],
        [ 'a crash and a start at once'                          => \&crashed_and_started_at_once ],
        [ 'the end'                                              => \&nothing_left ],
    );
    for my $chapter (@story) {
        my ($name, $code) = @$chapter;
        my $from = time;
        subtest $name => sub {
            eval { $code->(); 1 } or fail("died: $@");
        };
        diag(sprintf '%s: %.1f s', $name, time - $from);
    }
    diag(sprintf 'all: %.1f s', time - $began);
    done();
}

1;
