#!/usr/bin/perl
# Cluster jobs on booted hosts with a real etcd: one node at a time whoever dies meanwhile, a node that does not come back, units
# that fail or are not there, and collectors that die while they run one. What the hosts run instead of Cassandra starts at once;
# t/cluster_jobs.t has real ones under load.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use Prober::Docs;
use Prober::Etcd;
use Prober::Hosts;
use Prober::JobCheck;
use Prober::Test;

BEGIN {
    if (!Prober::Etcd::have()) { plan(skip_all => 'there is no etcd') }
    Prober::Hosts::own_machine();
}

my $began = time;
sub say_at { my ($what) = @_; diag(sprintf '%6.1f s  %s', time - $began, $what) }

my $hosts = Prober::Hosts->new(layout => 'dc1:r1,dc1:r2,dc2:r1,dc2:r2', cassandra => 'jmx', start_ms => 1500);
Prober::Hosts::sh(map { "ip addr add 10.77.0.$_/24 dev mesh" } 221 .. 223);
my $etcd = Prober::Etcd->start(members => 3, base => '10.77.0.2');
$hosts->{conf} = $etcd->conf(ttl => '"4s"') . <<'CONF';
readiness: { settle = "500ms"; rehab = "0"; };
gates: { stable = "1s"; bootstrap_grace = "0"; };
jobs: { settle = "12s"; stable = "2s"; };
CONF
$hosts->write_conf($_) for $hosts->numbers;
my @numbers = $hosts->numbers;
$hosts->boot;
say_at('all hosts are up');
$hosts->must($_, qw(systemctl start cassandra.service)) for @numbers;
for my $on (@numbers) {
    wait_for(sub { !grep { !$hosts->is_ready($on, $_) } @numbers }, "host $on to see all nodes ready", 120);
}
say_at('all nodes are ready');

# What is asked and shown

sub jobs  { my ($on) = @_; return $hosts->document($on // 1, '/jobs') || {} }
sub active { my ($on) = @_; return jobs($on)->{active} }
sub last_of { my ($type, $on) = @_; return (jobs($on)->{last} || {})->{$type} }

# The host whose collector leads.
sub leader {
    my ($id, $leader);
    wait_for(
        sub {
            my %ids = map { my $on = $_; my $node = $hosts->node($on)->{ $hosts->ip($on) } || {}; (($node->{host_id} // '') => $on) } @numbers;
            $id = (grep { defined } map { jobs($_)->{leader} } @numbers)[0] // '';
            return $leader = $ids{$id};
        },
        'somebody to lead', 60);
    return $leader;
}

my @order = @numbers; # of hosts, as jobs have their nodes

# Its id. The one before may be about to be put away, and who leads may have been killed.
sub begin {
    my ($type, @more) = @_;
    my $id;
    wait_for(
        sub {
            my ($status, $said) = $hosts->ask($order[3], qw(proberctl job start), $type, @more);
            ($id) = $said =~ /^([0-9a-f]{16})$/m;
            diag($said) if !$id;
            return $id || (sleep(1), 0)[1];
        },
        "a job $type to begin", 60);
    return $id;
}

# Waits for its end; the job as each host shows it.
sub ended {
    my ($type, $id, $limit) = @_;
    my $shown = '';
    my %said;
    eval {
        wait_for(
            sub {
                my $job = active() || {};
                my $now = join ' ', map { substr $_->{state}, 0, 1 } @{ $job->{nodes} || [] };
                $now .= " $job->{state} $job->{why}" if $job->{state};
                say_at($now) if $now ne $shown && length $now;
                $shown = $now;
                return !grep { my $last = last_of($type, $_); !$last || $last->{id} ne $id } @numbers;
            },
            "the job $type to end on all hosts", $limit // 180);
        1;
    } or do { diag($@, explain(jobs())); diag(join "\n", map {; "host $_", (grep { !/voter|opinion/ } $hosts->journal($_, 'prober-collector'))[ -25 .. -1 ] } @numbers); die $@ };
    my @jobs = map { last_of($type, $_) } @numbers;
    is_deeply($jobs[$_], $jobs[0], "$type: host $numbers[$_] shows the same") for 1 .. $#jobs;
    return $jobs[0];
}

sub nodes { return join ',', map { $hosts->ip($order[$_]) } @_ }
sub states { my ($job) = @_; return join ' ', map { $_->{state} } @{ $job->{nodes} } }

# By what its systemd says: a host that is idle looks at the store only every 3 s.
sub wait_running {
    my ($type, $on) = @_;
    wait_for(sub { ($hosts->ask($on, 'systemctl', 'is-active', "cassandra-prober-job\@$type.service"))[1] =~ /^activating/m }, "$type to run", 30);
}

sub kill_collector { my ($on) = @_; $hosts->ask($on, qw(systemctl kill -s KILL prober-collector)) }
sub collector_is { my ($on) = @_; return $hosts->must($on, qw(systemctl show -p MainPID -p ActiveState prober-collector)) }
sub hold { my ($on) = @_; $hosts->must($on, qw(touch /run/hold)) }
sub let_go { my ($on) = @_; $hosts->must($on, qw(rm /run/hold)) }

# A rolling restart, with whoever leads killed at random moments, and etcd's leader, too.
{
    my $check = Prober::JobCheck->new($hosts);
    my $id = begin('restart');
    is(($hosts->ask(3, qw(proberctl job start cleanup)))[0], 1, 'another one does not begin meanwhile');
    for my $round (1 .. 2) {
        sleep 1 + rand 6;
        last if !active();
        my $leader = leader();
        kill_collector($leader);
        say_at("the collector that leads is killed, on host $leader");
    }
    my $member = $etcd->leader;
    if (defined $member) {
        $etcd->kill($member);
        say_at("etcd's leader is killed");
    }
    my $job = ended('restart', $id);
    is(states($job), 'done done done done', 'all are done') or diag(explain($job));
    is($job->{state}, 'done', 'the job as well');
    my @nodes = @{ $job->{nodes} };
    is_deeply([ map { "$_->{rack} $_->{node}" } @nodes ], [ sort map { "$_->{rack} $_->{node}" } @nodes ], 'in order');
    @order = map { my $ip = $_->{node}; grep { $hosts->ip($_) eq $ip } @numbers } @nodes;
    $check->check($job, 'restart');
    $etcd->start_member($member) if defined $member;
    $etcd->wait_leader;
}

# A node that does not come back: the job is paused, says why, and goes on when somebody has mended the node.
{
    my $check = Prober::JobCheck->new($hosts);
    $hosts->must($order[1], 'sh', '-ec', 'mkdir -p /run/systemd/system/cassandra.service.d
        printf "[Service]\nExecStartPre=/bin/false\n" >/run/systemd/system/cassandra.service.d/broken.conf; systemctl daemon-reload');
    my $id = begin('restart');
    wait_for(sub { my $job = active(); $job && $job->{state} eq 'paused' }, 'the job to be paused', 90);
    my $job = active();
    like($job->{why}, qr/^\Q@{[ $hosts->ip($order[1]) ]}\E has not come back: /, 'and it says why');
    say_at($job->{why});
    is(states($job), 'done settling waiting waiting', 'nobody else has a turn');
    wait_for(sub { my ($status, $said) = $hosts->ask($order[3], qw(proberctl job status)); return $status == 1 && $said =~ /paused.*has not come back/ },
        'proberctl job status to say so on every host', 30);
    my $leader = leader();
    kill_collector($leader);
    say_at("the collector that leads is killed, on host $leader");
    $hosts->must($order[1], 'sh', '-ec', 'rm /run/systemd/system/cassandra.service.d/broken.conf; systemctl daemon-reload; systemctl start cassandra');
    say_at('the node is mended');
    $job = ended('restart', $id);
    is(states($job), 'done failed done done', 'it goes on by itself');
    is($job->{why}, '1 of 4 failed, 0 skipped', 'and says how it ended');
    $check->check($job, 'a node that does not come back');
}

# A unit that fails on a node that is well ends the job; what is left is told so. Where there is /run/hold it runs on.
$hosts->must($_, 'sh', '-ec', 'mkdir -p /run/systemd/system/cassandra-prober-job@own.service.d
    printf "[Service]\nExecStart=/bin/sh -c \"sleep 4; while [ -e /run/hold ]; do sleep 0.2; done; exit \$\$(cat /run/own)\"\n" >/run/systemd/system/cassandra-prober-job@own.service.d/exec.conf
    echo 0 >/run/own; systemctl daemon-reload') for @numbers;
{
    my $check = Prober::JobCheck->new($hosts);
    $hosts->must($order[2], 'sh', '-c', 'echo 3 >/run/own');
    my $job = ended('own', begin('own', '--nodes', nodes(2, 3)));
    is(states($job), 'failed skipped', 'a unit that fails');
    is($job->{state}, 'failed', 'ends the job');
    like($job->{nodes}[0]{why}, qr/status 3|exit/i, 'how') or diag(explain($job));
    like($job->{nodes}[1]{why}, qr/^\Q@{[ $hosts->ip($order[2]) ]}\E failed: /, 'who is left out is told why');
    $check->check($job, 'a unit that fails');

    $check = Prober::JobCheck->new($hosts);
    $job = ended('own', begin('own', '--on-failure', 'continue', '--nodes', nodes(3, 2)));
    is(states($job), 'failed done', 'unless it is to continue');
    $check->check($job, 'a unit that fails, to be continued');
    $hosts->must($order[2], 'sh', '-c', 'echo 0 >/run/own');
}

# A host without the unit.
{
    $hosts->must($order[0], 'sh', '-ec', 'rm -r /run/systemd/system/cassandra-prober-job@own.service.d; systemctl daemon-reload');
    my $job = ended('own', begin('own', '--nodes', nodes(0, 1)));
    is(states($job), 'skipped done', 'a host without the unit is skipped');
    like($job->{nodes}[0]{why}, qr/no unit cassandra-prober-job\@own\.service/, 'and why is said');
    is(($hosts->ask($order[0], qw(proberctl job start own)))[0], 1, 'there, it cannot be asked for');
}

# The collector dies while its node's unit runs: it looks what became of it, and does not run it again.
{
    my $check = Prober::JobCheck->new($hosts);
    hold($order[2]);
    my $id = begin('own', '--nodes', nodes(2));
    wait_running('own', $order[2]);
    my ($before) = collector_is($order[2]) =~ /^MainPID=(\d+)$/m;
    kill_collector($order[2]);
    wait_for(sub { my $now = collector_is($order[2]); $now =~ /^ActiveState=active$/m && $now =~ /^MainPID=(\d+)$/m && $1 != $before }, 'another collector', 60);
    wait_for(sub { my $job = active($order[2]); $job && $job->{id} eq $id && $job->{nodes}[0]{state} eq 'running' }, 'it to know of the job', 60);
    sleep 2; # it looks at the unit meanwhile
    let_go($order[2]);
    my $job = ended('own', $id);
    is(states($job), 'done', 'a collector that comes back while the unit runs');
    $check->check($job, 'a collector killed meanwhile');

    # Longer away than the unit runs. Of the shipped types systemd remembers.
    $check = Prober::JobCheck->new($hosts);
    $hosts->must($order[2], 'sh', '-ec', 'mkdir -p /run/systemd/system/cassandra-prober-job@cleanup.service.d
        printf "[Service]\nExecStart=\nExecStart=/bin/sleep 4\n" >/run/systemd/system/cassandra-prober-job@cleanup.service.d/zz.conf; systemctl daemon-reload');
    $id = begin('cleanup', '--nodes', nodes(2));
    wait_running('cleanup', $order[2]);
    $hosts->must($order[2], qw(systemctl stop prober-collector));
    wait_for(sub { ($hosts->ask($order[2], qw(systemctl is-active cassandra-prober-job@cleanup.service)))[1] =~ /^inactive/m }, 'the unit to end', 30);
    $hosts->must($order[2], qw(systemctl start prober-collector));
    $job = ended('cleanup', $id);
    is(states($job), 'done', 'a collector that comes back later') or diag(explain($job));
    $check->check($job, 'a collector away meanwhile');
}

# Ended by a person: after the current node.
{
    my $check = Prober::JobCheck->new($hosts);
    hold($order[2]);
    my $id = begin('own', '--nodes', nodes(2, 3));
    wait_running('own', $order[2]);
    is(($hosts->ask(1, qw(proberctl job abort own)))[0], 0, 'aborted');
    let_go($order[2]);
    my $job = ended('own', $id);
    is(states($job), 'done skipped', 'the current node ends well, the next is left out');
    is($job->{state}, 'aborted', 'the job is aborted');
    like($job->{nodes}[1]{why}, qr/^aborted by root/, 'by whom');
    $check->check($job, 'an aborted job');
}

# What the pages say, its addresses being those of these hosts.
for my $command (grep { $_->{place} eq 'hosts' } Prober::Docs::commands()) {
    my $line = $command->{command} =~ s/\b10\.0\.0\.(?=\d)/Prober::Hosts::NET . "."/ger;
    my $shows = $command->{command} =~ /^proberctl job (?:status|last)/;
    my ($status, $said, $missing);
    my $once = sub {
        ($status, $said) = $hosts->ask(1, 'sh', '-c', $line);
        $missing = Prober::Docs::says($command, $said);
        return Prober::Docs::is_answer($command, $status) && !defined $missing;
    };
    my $good = $shows ? eval { wait_for($once, 'it', 120) } : $once->();
    ok($good, Prober::Docs::name($command)) or diag("status $status\n", defined $missing ? "missing: $missing\n" : '', $said);
}

# What others can read in the log of decisions.
{
    my $said = join '', map { ($hosts->ask($_, qw(proberctl decisions)))[1] } @numbers;
    like($said, qr/\tjob\t\Q@{[ $hosts->ip($order[1]) ]}\E\trestart: failed\t/, 'decisions tell of jobs');
}
$hosts->end;
done();
