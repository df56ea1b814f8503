#!/usr/bin/perl
# Jobs as they are asked for, shown and ended: by a collector that has no node of its own, so that none of them runs.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use Prober::Collector;
use Prober::Fleet;
use Prober::Test;

my $fleet = Prober::Fleet->start(layout => 'dc1:r1=2,r2=1;dc2:r1=2', convict => 1, boot => 1);
my @ip = @{ $fleet->{nodes} };
my $dir = tempdir();
my $static = join ', ', map { qq("$_") } @ip;
my $conf = <<"CONF";
local: { source = ""; };
peers: { mode = "direct"; url = "jolokia+http://{address}:$fleet->{port}/jolokia"; static = [ $static ]; };
poll: { interval = "200ms"; timeout = "1s"; view_ttl = "3s"; };
readiness: { settle = "500ms"; rehab = "0"; };
control: { socket = "$dir/control.sock"; };
segment: { path = "$dir/segment"; };
jobs: { settle = "8s"; units = [ "compact=my-compact.service" ]; };
CONF
my $collector = Prober::Collector->start($conf);
$collector->wait_ready;
my $site = slurp(root() . '/packaging/nginx/prober.conf');
$site =~ s/^\s*listen.*\n//mg;
$site =~ s/server \{/server { listen 127.0.0.1:%%PORT%%;/;
$site =~ s/deny all;/allow all;/;
$site =~ s{/run/cassandra-prober/control.sock}{$dir/control.sock};
my $nginx = nginx("%%GLOBALS%%\nhttp { %%HTTP%%\nprober_segment %%DIR%%/segment;\n$site}\n");

sub ask { my ($line) = @_; my $a = http($nginx->port, $line); return "$a->{status} $a->{body}" }
sub shown { return get_json($nginx->port, '/jobs' . ($_[0] // '')) }
sub ctl { my ($status, $said) = run(root() . '/build/proberctl', '--segment', "$dir/segment", '--socket', "$dir/control.sock", @_); return ($status, $said) }

wait_for(sub { (shown()->{store} // '') eq 'ok' && shown()->{leader} }, 'a leader');
is_deeply([ @{ shown() }{qw(active last suspended)} ], [ undef, {}, JSON::PP::false ], 'nothing yet');
is_deeply(shown("/$_"), { active => undef, last => undef }, "/jobs/$_ is there") for qw(restart cleanup repair compact);
is(http($nginx->port, 'GET /jobs/dance')->{status}, 404, 'another type is not');

# What is wrong with a request is said, and nothing begins.
for my $case (
    [ 'POST /jobs/re.start', 404, 'no type of a job' ],
    [ 'POST /jobs/restart?on_failure=pray', 400, 'on_failure is stop or continue' ],
    [ 'POST /jobs/restart?nodes=here', 400, 'nodes are addresses with commas between them' ],
    [ 'POST /jobs/restart?nodes=192.0.2.1', 404, '192.0.2.1 is no member of the cluster' ],
    [ "POST /jobs/restart?nodes=$ip[0]&dc=dc2", 404, "$ip[0] is no member of the cluster, data center and rack" ],
    [ 'POST /jobs/restart?dc=dc3', 404, 'there is no such node' ],
    [ 'POST /jobs/restart?force=true', 400, 'POST takes on_failure, dc, rack and nodes, DELETE takes force' ],
    [ 'POST /jobs/restart?color=red', 400, 'there is no such argument' ],
    [ 'PUT /jobs/restart', 405, 'no such method here' ],
    [ 'DELETE /jobs/restart', 404, 'no job of type restart is active' ],
    [ 'DELETE /jobs/restart?force=maybe', 400, 'force is true or false' ],
    [ 'DELETE /drain/10.0.0.1?on_failure=stop', 400, 'that argument is for another path' ],
) {
    my ($line, $status, $said) = @$case;
    is(ask($line), "$status $said\n", $line);
}
is(shown()->{active}, undef, 'nothing has begun');

# One at a time.
my $answer = ask('POST /jobs/restart?dc=dc1');
like($answer, qr/^200 [0-9a-f]{16}\n$/, 'a job begins');
my ($id) = $answer =~ /^200 (\w+)/;
is(ask('POST /jobs/cleanup'), "409 another job is active: restart $id, running\n", 'another one does not meanwhile');
is(ask('DELETE /jobs/cleanup'), "404 no job of type cleanup is active\n", 'nor can that be ended');
wait_for(sub { my $job = shown()->{active}; $job && $job->{nodes}[0]{state} eq 'granted' }, 'the first node to have its turn', 20);
my $job = shown()->{active};
is_deeply([ map { $_->{node} } @{ $job->{nodes} } ], [ @ip[ 0 .. 2 ] ], 'of the nodes that were asked for, in order');
is_deeply([ map { $_->{state} } @{ $job->{nodes} } ], [ qw(granted waiting waiting) ], 'one has its turn');
is_deeply([ @$job{qw(id type state on_failure ended)} ], [ $id, 'restart', 'running', 'stop', undef ], 'what it is');
is_deeply(shown('/restart'), { active => $job, last => undef }, '/jobs/restart says the same');
is_deeply(shown('/cleanup'), { active => undef, last => undef }, '/jobs/cleanup does not');
my ($status, $said) = ctl('job', 'status');
is($status, 1, 'proberctl job status: not ended') or diag($said);
like($said, qr/^$ip[0]\tdc1\tr1\tgranted\t/m, 'and its nodes');
is(shown()->{active}{nodes}[1]{began}, undef, 'nobody else began');

# Suspended: what has not begun does not.
http($nginx->port, 'POST /admin/cluster/observer/suspend?value=true');
wait_for(sub { my $job = shown()->{active}; $job->{nodes}[0]{state} eq 'waiting' && $job->{why} eq 'suspended' }, 'it to be suspended', 20);
is(shown()->{suspended}, JSON::PP::true, 'and shown so');
http($nginx->port, 'POST /admin/cluster/observer/suspend?value=false');
wait_for(sub { shown()->{active}{nodes}[0]{state} eq 'granted' }, 'it to go on', 20);

# A node that is not live when it is its turn is waited for, said, and skipped.
is((ctl('job', 'abort', 'restart'))[0], 0, 'proberctl job abort');
wait_for(sub { !shown()->{active} && shown()->{last}{restart} }, 'it to be put away', 20);
my $last = shown()->{last}{restart};
is_deeply([ @$last{qw(id state)} ], [ $id, 'aborted' ], 'it was aborted');
like($last->{why}, qr/^aborted by /, 'by whom');
is_deeply([ map { $_->{state} } @{ $last->{nodes} } ], [ ('skipped') x 3 ], 'nothing ran');
is(scalar(grep { $_->{why} =~ /^aborted by / && $_->{ended} } @{ $last->{nodes} }), 3, 'and why is said') or diag(explain($last));
($status, $said) = ctl('job', 'last', 'restart');
is($status, 1, 'proberctl job last: not done');
like($said, qr/aborted/, 'says so');

$fleet->post("nodes/$ip[3]/crash");
wait_for(sub { my $node = get_json($nginx->port, "/nodes/$ip[3]"); $node->{verdict} eq 'not ready' }, 'a node to be down', 20);
($status, $said) = ctl('job', 'start', 'cleanup', '--dc', 'dc2', '--on-failure', 'continue');
is($status, 0, 'proberctl job start') or diag($said);
wait_for(sub { my $job = shown()->{active}; $job && $job->{why} =~ /^\Q$ip[3]\E waits to be live: / }, 'it to wait', 20);
wait_for(sub { shown()->{active}{nodes}[0]{state} eq 'skipped' }, 'the node to be skipped', 20);
like(shown()->{active}{nodes}[0]{why}, qr/^it was not live when it was its turn: /, 'with its reason');
# Its data center is short of a node: the gate does not let the other one stop, and the job waits.
wait_for(sub { shown()->{active}{why} =~ /^\Q$ip[4]\E waits: / }, 'the gate to hold the next', 20);
diag(shown()->{active}{why});
is(shown()->{active}{on_failure}, 'continue', 'as it was asked for');
($status, $said) = ctl('job', 'abort', 'cleanup');
is("$status", 0, 'ended');
wait_for(sub { shown()->{last}{cleanup} }, 'it to be put away', 20);
is_deeply([ sort keys %{ shown()->{last} } ], [ qw(cleanup restart) ], 'the last one of each type');

my @entries = $collector->log =~ /job (\w+ \w+: \S+ is \w+|\w+ \w+ by .*? is \w+)/g;
cmp_ok(scalar(@entries), '>', 8, 'every step is in the journal') or diag($collector->log);
is($collector->stop, 0, 'the collector ends well');
done();
