#!/usr/bin/perl
# The observer's records: decisions with their cause and evidence, kept over restarts and whatever becomes of the disk;
# histories and reports of nodes; suspend and resume, and what two hosts of a mesh have of each other's.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Prober::Test;
use Prober::Collector;
use Prober::Fleet;

use constant DECISIONS => '/admin/cluster/observer/decisions';

my $fleet = Prober::Fleet->start(layout => 'dc1:r1=4', convict => 0.5, boot => 0.5);
my @ip = @{ $fleet->{nodes} };
my $dir = tempdir();
my $disk = "$dir/disk";
mkdir $disk or die "$disk: $!";
my $mounted = $> == 0 && (run('mount', '-t', 'tmpfs', '-o', 'size=256k', 'none', $disk))[0] == 0;
END { my $was = $?; run('umount', '-l', $disk) if $mounted; $? = $was }

my $conf = fleet_conf($fleet, qq(poll: { interval = "200ms"; timeout = "1s"; view_ttl = "3s"; };
readiness: { settle = "500ms"; rehab = "60s"; };
control: { socket = "$dir/control.sock"; };
state: { path = "$disk/state.json"; };));
my $nginx = nginx("%%GLOBALS%%\nhttp { %%HTTP%%\nserver { listen 127.0.0.1:%%PORT%%; prober_segment $dir/segment; location / { prober; } } }\n");
my ($ctl) = grep { -x } map { root() . "/build/$_" } 'asan/proberctl', 'proberctl';

sub collector {
    my $collector = Prober::Collector->start($conf)->wait_ready;
    wait_for(sub { http($nginx->port, 'GET /ping')->{status} == 200 }, 'documents');
    return $collector;
}
sub ctl { return run($ctl, '--segment', "$dir/segment", '--socket', "$dir/control.sock", @_) }
sub say_so { is((ctl(@_))[0], 0, "proberctl @_") }
sub decisions { my ($port) = @_; return @{ get_json($port // $nginx->port, DECISIONS)->{decisions} } }

# Those that have these fields, a pattern each; newest first.
sub found {
    my (%field) = @_;
    my $port = delete $field{port};
    return grep { my $entry = $_; !grep { $entry->{$_} !~ /^(?:$field{$_})\z/ } keys %field } decisions($port);
}
sub decided {
    my ($what, %field) = @_;
    my ($entry) = eval { wait_for(sub { (found(%field))[0] }, $what, 20) };
    ok($entry, "decided: $what") or diag($@, explain([ decisions() ]));
    return $entry // {};
}

my $collector = collector();
my $id = wait_for(sub { get_json($nginx->port, "/nodes/$ip[0]")->{host_id} }, 'the own host id');

# At the start that the collector did, and nothing of those that are well.
my $start = decided('the start', kind => 'collector', what => 'started');
is_deeply([ @$start{qw(node by times)} ], [ '', 'automatic', 1 ], 'by itself, once');
is($start->{at}, $start->{last}, 'at that time');
like($start->{at}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'which is one');
is(scalar(found(kind => 'verdict')), 0, 'nothing of those that are ready');

# A crash: what, and who says so.
wait_for(sub { http($nginx->port, 'GET /nodes')->{body} !~ /settling/ }, 'all to have settled');
$fleet->post("nodes/$ip[2]/crash");
my $fell = decided('the crash', kind => 'verdict', node => $ip[2], what => 'not ready');
like($fell->{why}, qr/^(?:process gone|DOWN by \d of \d)/, 'why');
wait_for(sub { http($nginx->port, "GET /healthz/$ip[2]")->{body} =~ /(?:"DOWN".*){3}/ }, 'all to see it') if $fell->{why} !~ /DOWN by/;
like($fell->{why}, qr/DOWN say (?:\Q$ip[0]\E|\Q$ip[1]\E|\Q$ip[3]\E)/, 'who says so') if $fell->{why} =~ /DOWN by/;
is($fell->{host}, $id, 'on which host');
decided('its opinion counts no more', kind => 'observer', node => $ip[2], what => 'its opinion does not count', why => '.*poll: refused.*');

# Its history, and the reports.
my $history = wait_for(sub { my $h = get_json($nginx->port, "/history/$ip[2]"); $h->{history}[0]{verdict} eq 'not ready' && $h }, 'its history');
is($history->{node}, $ip[2], '/history/IP');
is($history->{history}[-1]{checks} =~ /^\d+$/ && $history->{history}[0]{from} ge $history->{history}[-1]{to}, 1, 'newest first');
# After that its own word is missing first, then the others' word for it.
my ($well) = grep { $_->{verdict} eq 'ready' && defined $_->{mode} } @{ $history->{history} };
is_deeply([ @$well{qw(mode status reasons)} ], [ 'NORMAL', 'NORMAL', [] ], 'it was well before');
is(http($nginx->port, 'GET /history/192.0.2.1')->{status}, 404, 'no node, no history');
my $report = wait_for(
    sub { my ($r) = grep { $_->{observer} eq $ip[2] && $_->{failures}{refused} } @{ get_json($nginx->port, '/admin/cluster/maintenance-stats')->{observers} }; $r },
    'its reports', 20);
is($report->{result}, 'refused', 'how its last poll ended');
cmp_ok($report->{polls_ok}, '>', 0, 'and how many went well before');
my ($other) = grep { $_->{observer} eq $ip[1] } @{ get_json($nginx->port, '/admin/cluster/maintenance-stats')->{observers} };
is_deeply([ $other->{result}, $other->{polls_failed}, $other->{failures} ], [ 'ok', 0, {} ], 'another one had no failures');
cmp_ok($other->{bytes}, '>', 100, 'the size of its answer');
like($other->{reported}, qr/^20\d\d-.*Z$/, 'and when');

# What people say: who.
my $user = (getpwuid $>)[0];
say_so('drain', $ip[1], '--ttl', '10m');
is(decided('a drain', kind => 'drain', node => $ip[1], what => 'drained for 600 s')->{by}, $user, 'who drained it');
like(decided('not ready by that', kind => 'verdict', node => $ip[1])->{why}, qr/^drained by $user until /, 'the verdict says so, too');
say_so('undrain', $ip[1]);
decided('the end of the drain', kind => 'drain', node => $ip[1], what => 'drained no more', by => $user);
decided('ready again', kind => 'verdict', node => $ip[1], what => 'ready', why => 'UP by \d of \d.*');
say_so('set', 'reaper-ready', 'true');
like(decided('a value', kind => 'value', what => 'reaper-ready of region local: set to true', by => $user)->{why}, qr/^said on \Q$ip[0]\E$/, 'and where');

# Suspended: says so everywhere, and goes on to watch.
my $suspended = sub { (http($nginx->port, 'GET /metrics')->{body} =~ /^cassandra_prober_suspended (\d)$/m)[0] };
is($suspended->(), 0, 'not suspended');
say_so('suspend');
decided('suspended', kind => 'suspend', what => 'suspended', by => $user);
wait_for(sub { $collector->status =~ /; suspended$/ }, 'STATUS to say so');
is($suspended->(), 1, '/metrics, too');
like($collector->log, qr/the observer is suspended by $user on \Q$ip[0]\E$/m, 'and the journal');
$fleet->post("nodes/$ip[2]/start");
decided('it watches on', kind => 'verdict', node => $ip[2], what => 'ready');
say_so('resume');
decided('resumed', kind => 'suspend', what => 'resumed', by => $user);
wait_for(sub { $collector->status !~ /suspended/ && $suspended->() == 0 }, 'all to say that it acts');
pass('STATUS and /metrics say so');
for my $bad ([ 'POST', '?value=perhaps', 400 ], [ 'POST', '', 400 ], [ 'PUT', '?value=true', 405 ], [ 'POST', '?ttl=1s', 400 ]) {
    is(http("$dir/control.sock", "$bad->[0] /admin/cluster/observer/suspend$bad->[1]")->{status}, $bad->[2], "$bad->[0] $bad->[1]: $bad->[2]");
}
is(http("$dir/control.sock", 'PUT /reaper-ready?value=true', body => 'true')->{status}, 400, 'the argument is for that alone');
is(http("$dir/control.sock", "PUT /nodes/$ip[0]/repaired")->{status}, 200, 'repaired');
is(http("$dir/control.sock", "PUT /nodes/192.0.2.1/repaired")->{status}, 404, 'no node');
is(http("$dir/control.sock", "DELETE /nodes/$ip[0]/repaired")->{status}, 405, 'nobody breaks it again');
decided('a repair', kind => 'repair', node => $ip[0], what => 'repaired');

# A reload, and one that is refused.
$collector->signal('HUP');
decided('a reload', kind => 'collector', what => 'configuration read again', by => 'SIGHUP');
$collector->configure("nonsense\n");
$collector->signal('HUP');
decided('a refused one', kind => 'collector', what => 'configuration refused.*');
$collector->configure($conf);

# proberctl.
like((ctl('decisions'))[1], qr/^20\S+Z\t20\S+Z\t1\tdrain\t\Q$ip[1]\E\tdrained for 600 s\t$user\tsaid on \Q$ip[0]\E$/m, 'proberctl decisions');
is_deeply([ grep { (split /\t/)[4] ne $ip[1] } split /\n/, (ctl('decisions', '--node', $ip[1]))[1] ], [], '--node: only those about that node');
is_deeply([ grep { $_->{node} ne $ip[1] } @{ decode_json((ctl('--json', 'decisions', '--node', "::ffff:$ip[1]"))[1])->{decisions} } ], [], '--json');
like((ctl('history', $ip[2]))[1], qr/^20\S+Z\t20\S+Z\t\d+\tnot ready\t\d\t\d\t/m, 'proberctl history');
is_deeply([ ctl('history', '192.0.2.1') ], [ 2, "proberctl: 192.0.2.1 is no node of this cluster; proberctl nodes lists them\n" ], 'of no node');
is((ctl('nodes', '--node', $ip[1]))[0], 2, '--node is for decisions');

# Killed: what is on disk is there again, and what changed meanwhile is told.
$fleet->post("nodes/$ip[3]/crash");
decided('another crash', kind => 'verdict', node => $ip[3], what => 'not ready');
wait_for(sub { slurp("$disk/state.json.decisions") =~ /"verdict","node":"\Q$ip[3]\E","what":"not ready"/ }, 'it to be on disk', 20);
my @before = decisions();
$collector->stop('KILL');
$fleet->post("nodes/$ip[3]/start");
wait_for(sub { $fleet->node($ip[3])->{mode} eq 'NORMAL' }, 'its return');
$collector = collector();
decided('ready, as it came back meanwhile', kind => 'verdict', node => $ip[3], what => 'ready');
is(scalar(found(kind => 'collector', what => 'started')), 2, 'another start');
my @after = decisions();
is_deeply([ @after[ -@before .. -1 ] ], \@before, 'killed: all decisions are there again');
is_deeply([ map { $_->{last} } @after ], [ reverse sort map { $_->{last} } @after ], 'newest first');

SKIP: {
    skip 'mounts need root', 4 unless $mounted;
    spew("$disk/full", '');
    open my $full, '>', "$disk/full" or die "full: $!";
    $full->autoflush(1);
    1 while syswrite $full, 'x' x 4096;
    say_so_refused('PUT /reaper-ready', 'false');
    $fleet->post("nodes/$ip[2]/crash");
    wait_for(sub { $collector->log =~ /cannot write \S+\.decisions: No space left on device/ }, 'the full disk to be told', 30);
    wait_for(sub { found(kind => 'verdict', node => $ip[2], what => 'not ready') > 1 }, 'the decision to show', 20);
    pass('a full disk: decisions are made and shown');
    unlink "$disk/full";
    close $full;
    wait_for(sub { $collector->log =~ /writing \S+\.decisions again/ }, 'it to be written again', 30);
    my $kept = decode_json(slurp("$disk/state.json.decisions"));
    ok((grep { $_->{kind} eq 'verdict' && $_->{node} eq $ip[2] && $_->{what} eq 'not ready' } @{ $kept->{decisions} }) > 1, 'and then all of them are on disk');
    is(() = $collector->log =~ /cannot write \S+\.decisions/g, 1, 'that was told once');
}
sub say_so_refused { my ($line, $body) = @_; is(http("$dir/control.sock", $line, body => $body)->{status}, 503, "$line: refused") }

# An end saves what is not saved yet.
say_so('set', 'reaper-ready', 'false');
decided('a last value', kind => 'value', what => '.*set to false');
is($collector->stop, 0, 'the collector ends well');
like(slurp("$disk/state.json.decisions"), qr/reaper-ready of region local: set to false/, 'an end saves what is not saved yet');

# A file that is none.
spew("$disk/state.json.decisions", "{ broken");
$collector = collector();
like($collector->log, qr{cannot read \S+/state\.json\.decisions: .*it is set aside as \.bad; going on with the decisions of the generation before}, 'a broken file: told');
is(slurp("$disk/state.json.decisions.bad"), '{ broken', 'and set aside');
ok(found(kind => 'collector', what => 'started') > 1, 'the generation before it is there');
$collector->stop;
spew("$disk/state.json.decisions$_", "{ broken") for '', '.1';
$collector = collector();
like($collector->log, qr/the decisions until now are forgotten/, 'both broken: told');
is(scalar(found(kind => 'collector', what => 'started')), 1, 'a log that begins anew');
$collector->stop;

# A state that is no file has no decisions beside it.
$collector = Prober::Collector->start($conf =~ s{\Q$disk\E/state\.json}{/dev/null}r)->wait_ready;
wait_for(sub { found(kind => 'collector', what => 'started') == 1 }, 'its log');
$collector->stop;
ok(!-e '/dev/null.decisions', 'no state, no file of decisions');

# Two hosts of a mesh: each has its own log, and both have what was said on one of them.
{
    my $pair = Prober::Fleet->start(layout => 'dc1:r1=2', convict => 20);
    my @node = @{ $pair->{nodes} };
    my $port = free_port($node[0]);
    my (@web, @host);
    for my $i (0, 1) {
        push @web, nginx("%%GLOBALS%%\nhttp { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; listen $node[$i]:$port; prober_segment $dir/segment$i; location / { prober; } } }\n");
        push @host, Prober::Collector->start(<<"CONF");
local: { source = "jolokia+http://$node[$i]:$pair->{port}/jolokia"; };
peers: { url = "http://{address}:$port"; };
segment: { path = "$dir/segment$i"; };
state: { path = "$dir/state$i"; };
control: { socket = "$dir/control$i"; };
poll: { interval = "250ms"; timeout = "500ms"; view_ttl = "2s"; };
readiness: { settle = "1s"; rehab = "0"; };
CONF
    }
    $_->wait_ready for @host;
    wait_for(sub { !grep { (get_json($_->port, '/nodes')->{nodes}[1]{verdict} // '') ne 'ready' || get_json($_->port, '/nodes')->{nodes}[0]{verdict} ne 'ready' } @web },
        'both hosts to see both nodes', 30);
    is(http("$dir/control0", 'POST /admin/cluster/observer/suspend?value=1', header => ['X-Prober-User: ops'])->{status}, 200, 'suspended on one host');
    for my $i (0, 1) {
        my $entry = eval { wait_for(sub { (found(port => $web[$i]->port, kind => 'suspend', what => 'suspended'))[0] }, 'it there', 20) } // {};
        is_deeply([ @$entry{qw(by why host)} ], [ 'ops', "said on $node[0]", get_json($web[$i]->port, "/nodes/$node[$i]")->{host_id} ], "host $i has it: who and where");
        wait_for(sub { $host[$i]->status =~ /suspended/ }, 'its STATUS');
    }
    is(http("$dir/control1", 'POST /admin/cluster/observer/suspend?value=false')->{status}, 200, 'resumed on the other');
    wait_for(sub { !grep { $_->status =~ /suspended/ } @host }, 'both to act again', 20);
    pass('both act again');
    is($_->stop, 0, 'ends well') for @host;
}

done();
