#!/usr/bin/perl
# proberctl over a segment written here, and over a real collector of a simulated fleet.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Time::HiRes 'time';
use Prober::Test;
use Prober::Collector;
use Prober::Fleet;

my ($ctl) = grep { -x } map { root() . "/build/$_" } 'asan/proberctl', 'proberctl';
my $dir = tempdir();
my @at;
sub ctl { return run($ctl, @at, @_) }

# A command's exit status, and what it says.
sub says {
    my ($args, $exit, $like, $what) = @_;
    my ($got, $said) = ctl(@$args);
    is($got, $exit, "@$args: $what") or diag($said);
    like($said, $like, "@$args: $_") for grep { defined } $like;
    return $said;
}

# Usage
says([], 2, qr/^Usage/, 'nothing to do');
says(['--help'], 0, qr/seeds --apply/, 'help');
says(['--version'], 0, qr/^proberctl \d/, 'version');
says(['dance'], 2, qr/no command dance.*--help/s, 'unknown command');
says([ 'why' ], 2, qr/why takes 1 argument, not 0/, 'an argument too few');
says([ 'nodes', '--ttl', '1m' ], 2, qr/--ttl is for drain/, 'an option of another command');
says([ 'nodes', '--timeout', '1s' ], 2, qr/--timeout is for wait and/, 'the same');
says([ 'nodes', '--own', '10.0.0.1' ], 2, qr/--own/, 'the same');
says([ 'nodes', '--what' ], 2, qr/--help/, 'an unknown option');
says([ 'why', 'localhost' ], 2, qr/no IP address; proberctl nodes/, 'a name');
says([ 'set', 'what', '1' ], 2, qr/these can: readylocaldcs/, 'an unknown key');

# Without a collector
@at = ('--segment', "$dir/none", '--socket', "$dir/none.sock");
says([$_], 2, qr/no such file; is prober-collector running/, 'no segment') for qw(status nodes seeds dcs plan regions);
says([ 'drain', '10.0.0.1' ], 2, qr/No such file.*is prober-collector running/, 'no socket');
says([ qw(wait ready 10.0.0.1 --timeout 200ms) ], 2, qr/not known after 200ms; proberctl why/, 'waits in vain');
spew("$dir/strange", 'x' x 8192);
says([ 'status', '--segment', "$dir/strange" ], 2, qr/strange: /, 'no segment but a file');

# A segment written here
my $segment = segment();
@at = ('--segment', $segment->path, '--socket', "$dir/none.sock");
says(['nodes'], 2, qr{has no /nodes; is the collector another version}, 'a document is missing');
sub node {
    my ($ip, $verdict, %more) = @_;
    return { address => "$ip", verdict => $verdict, reasons => [], dc => 'dc1', rack => 'r1', member => JSON::PP::true,
        local => JSON::PP::false, %more };
}
sub put_nodes {
    my @nodes = @_;
    $segment->put('/nodes', 200, encode_json({ cluster => 'c', nodes => \@nodes }));
    $segment->put("/nodes/$_->{address}", 200, encode_json($_)) for @nodes;
    for my $node (@nodes) {
        my $status = $node->{verdict} eq 'ready' ? 200 : 404;
        $segment->put("/healthz/$node->{address}", $status, '{"/10.0.0.1":"UP","/10.0.0.2":"refused"}');
        $segment->put("/healthz/$node->{address}?brief", $status, 'x');
    }
}
$segment->put('/readylocaldcs', 200, "true\n");
put_nodes(node('10.0.0.1', 'ready', local => JSON::PP::true), node('10.0.0.2', 'not ready', reasons => ["DOWN by \e[31m all", 'left']));
says(['status'], 1, qr/2, 1 ready\n.*this host\t10\.0\.0\.1 ready\n.*not ready\t10\.0\.0\.2: DOWN by/s, 'one is not ready');
my $status = decode_json((ctl('status', '--json'))[1]);
is_deeply([ @$status{qw(cluster nodes ready region)} ], [ 'c', 2, 1, 'ready' ], 'status as JSON');
my ($exit, $nodes) = ctl('nodes');
is($exit, 0, 'nodes');
is((split /\n/, $nodes)[0], join("\t", '10.0.0.1', 'ready', 'dc1', 'r1', ('-') x 6), 'a line with tabs each, and no head');
unlike($nodes, qr/\e/, 'nothing commands the terminal');
like($nodes, qr/^10\.0\.0\.2\tnot ready\t.*; left$/m, 'with the reasons');
is_deeply(decode_json((ctl('nodes', '--json'))[1])->{nodes}[1]{address}, '10.0.0.2', '--json is the document');
like((run('env', 'NO_COLOR=1', 'script', '-qec', "$ctl @at nodes", '/dev/null'))[1], qr/^ADDRESS +VERDICT +DC .*\r\n10\.0\.0\.1 +ready /,
    'a head and columns on a terminal') if !system 'command -v script >/dev/null';
says([ 'why', '10.0.0.1' ], 0, qr/^10\.0\.0\.1 is ready\. 10\.0\.0\.1 sees it UP; 10\.0\.0\.2: no view to be had \(refused\)\.\n.*seen by\t10\.0\.0\.2: refused/s, 'ready');
says([ 'why', '::ffff:10.0.0.2' ], 1, qr/reason\tleft\n/, 'not ready, in another spelling');
$segment->put('/nodes/10.0.0.2', 200, encode_json(node('10.0.0.2', 'not ready', reasons => ['run state STOP by ops'], run_state => 'STOP', run_state_waits => 'the permit is held')));
says([ 'why', '10.0.0.2' ], 1, qr/^next\tproberctl run-state 10\.0\.0\.2 RUN.*^run state\tSTOP waits: the permit is held\n/ms, 'a run state, and what it waits for');
# Names from the sources command no terminal, neither by ASCII's control characters nor by those beyond.
{
    my $evil = "a\e[31m\x{9b}31m\x{85}b\x{e4}";
    my $node = node('10.0.0.2', 'not ready', reasons => ["mode $evil"], dc => $evil, mode => $evil, poll => { result => 'http', detail => $evil },
        run_state => 'STOP', run_state_waits => $evil);
    $segment->put('/nodes', 200, encode_json({ cluster => $evil, nodes => [$node] }));
    $segment->put('/nodes/10.0.0.2', 200, encode_json($node));
    for my $command (['status'], ['nodes'], [ 'why', '10.0.0.2' ]) {
        my $said = (ctl(@$command))[1];
        utf8::decode($said);
        unlike($said, qr/[^\n\t\x20-\x7e\x{a0}-\x{ff}]/, "@$command: nothing commands the terminal");
        like($said, qr/a\?\[31m\?\??31m\?\??b\x{e4}/, 'and all else is there');
    }
    put_nodes(node('10.0.0.1', 'ready', local => JSON::PP::true), node('10.0.0.2', 'not ready', reasons => ["DOWN by \e[31m all", 'left']));
}
says([ 'why', '10.0.0.7' ], 2, qr/no node of this cluster; proberctl nodes/, 'no node');
says([ qw(wait ready 10.0.0.1) ], 0, qr/^$/, 'is there already');
says([ qw(wait ready 10.0.0.2 --timeout 200ms) ], 1, qr/not ready after 200ms; proberctl why 10\.0\.0\.2/, 'not in time');
says([ qw(wait ready 10.0.0.2 --timeout soon) ], 2, qr/no duration/, 'no time');
says([ qw(wait long 10.0.0.2) ], 2, qr/wait ready IP/, 'not for that');
$segment->put('/localseeds', 200, '["10.0.0.1"]');
says(['seeds'], 0, qr{no /allseeds.*\n10\.0\.0\.1\n$}, 'only the region');
$segment->put('/allseeds', 200, '[]');
says(['seeds'], 2, qr/^proberctl: no seeds are known; .*proberctl nodes\n$/, 'none');
says([ 'seeds', '--json' ], 2, qr/^\[\]$/m, 'the document all the same');
$segment->put('/allseeds', 200, '["10.0.0.1","2001:db8::2"]');
says(['seeds'], 0, qr/^10\.0\.0\.1\n2001:db8::2\n$/, 'of all regions');
$segment->put('/dcs', 200, '[{"name":"dc1","replicas":3}]');
says(['dcs'], 0, qr/^dc1\t3\n$/, 'lists them');
$segment->put('/regions', 200, '{"region":"b","next":"a","waits":"region a has its turn first","regions":[{"name":"a","own":false,'
    . '"state":"unreachable","last_seen":null,"poll":{"result":"refused"},"seeds":["10.1.0.1"]},{"name":"b","own":true,"state":"not ready"}]}');
says(['regions'], 0, qr/^a\tunreachable\tnext\t-\t10\.1\.0\.1\trefused\nb\tnot ready\t-\tthis one\t-\tregion a has its turn first\n$/, 'who waits');
$segment->put('/dcs', 200, '{');
says(['dcs'], 2, qr/no JSON/, 'half a document');

# On a terminal (script is one): colours, unless somebody does not want them; a watch that follows.
SKIP: {
    skip 'no script', 12 if system 'command -v script >/dev/null';
    local $ENV{TERM} = 'xterm';
    delete local $ENV{NO_COLOR};
    my $on_terminal = sub { return (run('script', '-qec', "$ctl @at @_", '/dev/null'))[1] };
    like($on_terminal->('nodes'), qr/^\e\[1mADDRESS\e\[0m .*10\.0\.0\.1 +\e\[32mready\e\[0m +dc1.*\e\[31mnot ready\e\[0m +dc1/s, 'colours on a terminal');
    like($on_terminal->('status'), qr/\e\[31mnot ready\e\[0m\t10\.0\.0\.2/, 'of the cluster, too');
    like($on_terminal->('why 10.0.0.2'), qr/10\.0\.0\.2 is \e\[31mnot ready\e\[0m/, 'and of a node');
    { local $ENV{NO_COLOR} = '1'; unlike($on_terminal->('nodes'), qr/\e/, 'NO_COLOR') }
    { local $ENV{TERM} = 'dumb'; unlike($on_terminal->('nodes'), qr/\e/, 'a terminal without') }
    unlike((ctl('nodes'))[1], qr/\e/, 'none in a pipe');
    says(['watch'], 2, qr/watch is for a terminal; proberctl nodes --json/, 'not in a pipe');

    my $watch = sub {
        my ($env, $end) = @_;
        my $screen = start(name => 'watch-' . time, input => 1, env => $env, command => [ 'script', '-qefc', "$ctl @at watch", '/dev/null' ]);
        wait_for(sub { $screen->output =~ /2 nodes, 1 ready/ }, 'the first picture', 20);
        put_nodes(node('10.0.0.1', 'ready', local => JSON::PP::true), node('10.0.0.2', 'ready'));
        wait_for(sub { $screen->output =~ /2 nodes, 2 ready/ }, 'it to follow', 20);
        put_nodes(node('10.0.0.1', 'ready', local => JSON::PP::true), node('10.0.0.2', 'not ready', reasons => ["DOWN by \e[31m all", 'left']));
        wait_for(sub { $screen->output =~ /1 ready.*2 ready.*1 ready/s }, 'and again', 20);
        print { $screen->{input} } $end;
        ok(wait_for(sub { !$screen->alive }, 'its end', 20), "watch: ends");
        return $screen;
    };
    my $screen = $watch->({ TERM => 'xterm' }, "\x1a\x1cq");
    is($screen->{status}, 0, 'q: well; Ctrl-Z and Ctrl-\\ are keys as others');
    my ($last) = $screen->output =~ /.*\e\[H(.*)/s;
    like($last, qr/10\.0\.0\.2 .*10\.0\.0\.1 /s, 'first what is not ready');
    unlike($last, qr/DOWN by \e/, 'nothing commands the terminal');
    like($screen->output, qr/\e\[\?1049h\e\[\?25l.*\e\[\?25h\e\[\?1049l\s*$/s, 'and leaves the screen as it was');
    $screen = $watch->({ TERM => 'dumb' }, "\x03");
    unlike($screen->output, qr/\e/, 'Ctrl-C, on a plain terminal: one picture below the other');
}

# Where they are, the configuration says.
spew("$dir/ctl.conf", 'segment: { path = "' . $segment->path . qq("; };\ncontrol: { socket = "$dir/its.sock"; };\n));
is((run($ctl, '--config', "$dir/ctl.conf", 'seeds'))[1], "10.0.0.1\n2001:db8::2\n", 'segment.path');
like((run($ctl, '--config', "$dir/ctl.conf", 'drain', '10.0.0.1'))[1], qr{\Q$dir/its.sock}, 'control.socket');
like((ctl('--config', "$dir/ctl.conf", 'drain', '10.0.0.1'))[1], qr{\Q$dir/none.sock}, 'and the options go before');
says([ '--config', "$dir/none.conf", 'seeds' ], 2, qr/none\.conf: .*No such file/, 'a configuration that was named and is not there');

# The own address comes from the nodes.
spew("$dir/c.yaml", "seed_provider:\n  - parameters:\n    - seeds: 1.1.1.1\n");
says([ 'seeds', '--apply', "$dir/c.yaml" ], 0, qr/line 3: the seeds are now: 2001:db8::2\n$/, 'without the local node');
says([ 'seeds', '--apply', "$dir/c.yaml", '--first-node', '10.0.0.1' ], 0, qr/now: 10\.0\.0\.1,2001:db8::2\n$/, 'unless it is the first');

# A list that is not there yet is waited for: one that is late, and one that comes too late.
$segment->put('/allseeds', 200, '[]');
my @waits = ('seeds', '--apply', "$dir/c.yaml", '--own', '10.0.0.1', '--timeout');
my $began = time;
says([ @waits, '300ms' ], 2, qr/no seeds are known, nothing is changed/, 'waits in vain');
cmp_ok(time - $began, '>=', 0.3, 'as long as it was told');
says([ @waits, 'soon' ], 2, qr/--timeout soon is no duration/, 'no time');
open my $late, '-|', $ctl, @at, @waits, '20s' or die $!;
my $until = time + 0.3;
wait_for(sub { time > $until }, 'it to have looked', 5);
$segment->put('/allseeds', 200, '["2001:db8::3"]');
like(join('', <$late>), qr/now: 2001:db8::3$/, 'and not in vain');
close $late;
is($?, 0, 'its exit status');
$segment->put('/allseeds', 200, '["10.0.0.1","2001:db8::2"]');

# Stale
$segment->heartbeat(30_000);
says(['nodes'], 2, qr/stale: .* sign of life is 3\d\.\d s old; systemctl status/, 'shown, and how old');
says(['status'], 2, qr/stale/, 'cannot tell');
says([ 'why', '10.0.0.1' ], 2, qr/^proberctl: stale: .*^3\d s ago, when the collector was last heard of, 10\.0\.0\.1 was ready\./ms, 'what was, and that it was');
says([ qw(wait ready 10.0.0.1 --timeout 200ms) ], 2, qr/not known/, 'does not take it for ready');
says([ 'seeds', '--apply', "$dir/c.yaml" ], 0, qr/stale.*now: 2001:db8::2\n$/s, 'an old list still leads into the cluster');
$segment->stop;

# A real collector
my $fleet = Prober::Fleet->start(layout => 'dc1:r1=2,r2=1', convict => 0.5, boot => 0.5);
my @ip = @{ $fleet->{nodes} };
my $collector = Prober::Collector->start(fleet_conf($fleet, <<"CONF") =~ s{%%DIR%%/segment}{%%DIR%%/live}r);
control: { socket = "$dir/live.sock"; };
poll: { interval = "200ms"; timeout = "1s"; view_ttl = "5s"; };
readiness: { settle = "200ms"; rehab = "0"; };
datacenters = ( { name = "dc1"; size = 4; racks = [ "r1", "r2" ]; } );
CONF
@at = ('--segment', "$dir/live", '--socket', "$dir/live.sock");
says([ qw(wait ready), $_, '--timeout', '20s' ], 0, qr/^$/, 'a node of the fleet') for @ip;
wait_for(sub { (ctl('status'))[0] == 0 }, 'all ready', 10);
says(['status'], 0, qr/3, 3 ready\n/, 'all are ready');
says(['plan'], 0, qr/^dc1\t-\t3\/4\t3\/3\t.*\nadd a node\t-\tdc1\tr2\n/s, 'what to do next');
says(['regions'], 0, qr/^$/, 'there are no others');
says(['dcs'], 0, qr/^dc1\t3\n$/, 'as found');
says([ 'drain', $ip[1], '--ttl', '1h' ], 0, qr/drained for 1h/, 'drains');
wait_for(sub { (ctl('why', $ip[1]))[0] == 1 }, 'the drain', 20);
says([ 'why', $ip[1] ], 1, qr/reason\tdrained by \w+ until /, 'with its reason and by whom');
says([ 'drain', '10.9.9.9' ], 1, qr/refused \(404\): 10\.9\.9\.9 is no node.*proberctl nodes/, 'no node');
says([ 'drain', $ip[1], '--ttl', 'soon' ], 1, qr/refused \(400\): ttl is no duration/, 'no duration');
says([ 'drain', $ip[1], '--ttl', 'x' x 300 ], 2, qr/--ttl is no duration/, 'nor anything like it');
says([ 'undrain', $ip[1] ], 0, qr/drained no more/, 'ends it');
says([ qw(wait ready), $ip[1], '--timeout', '10s' ], 0, qr/^$/, 'ready again');
says([ 'set', 'localseeds', '["10.5.0.1"]' ], 0, qr/is set/, 'operators say');
wait_for(sub { (ctl('seeds'))[1] =~ /^10\.5\.0\.1\n/m }, 'the seeds', 20);
says([ 'set', 'localseeds', '[]' ], 1, qr/refused \(400\): no seeds at all/, 'says why not');
says([ 'unset', 'localseeds' ], 0, qr/automatic again/, 'back');
wait_for(sub { (ctl('seeds'))[1] !~ /10\.5\.0\.1/ }, 'the seeds found out', 20);
like((ctl('seeds'))[1], qr/^\Q$ip[0]\E$/m, 'are nodes again');
$fleet->post("nodes/$ip[2]/crash");
wait_for(sub { (ctl('status'))[0] == 1 }, 'the crash', 10);
wait_for(sub { (ctl('why', $ip[2]))[1] =~ /DOWN by 2 of 2.*\(refused\)/ }, 'all to see it', 20);
says([ 'why', $ip[2] ], 1, qr/^\Q$ip[2]\E is not ready since \S+Z \(\d+ s\): DOWN by 2 of 2\. \Q$ip[0]\E and \Q$ip[1]\E see it DOWN; \Q$ip[2]\E: no view to be had \(refused\)\.
next\ton its host: systemctl status cassandra; .*seen by\t\Q$ip[0]\E: DOWN/s, 'who sees it how, and what to do');
$collector->stop;
is($?, 0, 'the collector ended well') or diag($collector->log);
says([ 'why', $ip[2] ], 1, qr/^\Q$ip[2]\E is not ready/, 'a moment later it still tells');
says([ 'undrain', $ip[1] ], 2, qr/systemctl status prober-collector/, 'nobody listens any more');

done();
