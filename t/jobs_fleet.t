#!/usr/bin/perl
# Cluster jobs by collectors of four hosts with a real etcd, each with a systemd of its own that runs the units; simulated nodes.
# One node at a time whoever is killed meanwhile, a node that does not come back, units that fail or are not there, collectors
# that are away while a unit runs. t/jobs.t has it on booted hosts, t/cluster_jobs.t with real nodes under load.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);
use Prober::Collector;
use Prober::Etcd;
use Prober::Fleet;
use Prober::Manager;
use Prober::Test;

for my $why (Prober::Manager::missing(), Prober::Etcd::have() ? undef : 'there is no etcd') {
    plan(skip_all => $why) if $why;
}

my $began = time;
sub say_at { my ($what) = @_; diag(sprintf '%6.1f s  %s', time - $began, $what) }

my $dir = tempdir();
my $fleet = Prober::Fleet->start(layout => 'dc1:r1=1,r2=1;dc2:r1=1,r2=1', convict => 1, boot => 1);
my @ip = @{ $fleet->{nodes} };
my $etcd = Prober::Etcd->start(members => 3);
my $log = "$dir/units";

# What the units do: say when they begin and end, and restart the node; it stays down where there is a file "broken".
spew("$dir/work", <<"SH");
#!/bin/sh
now() { date +%s.%N; }
echo "begin \$1 \$2 \$(now)" >>$log
case \$1 in
restart)
    curl -sSf -X POST $fleet->{control}/nodes/\$2/crash >/dev/null
    sleep 1
    [ -e $dir/broken-\$2 ] || curl -sSf -X POST $fleet->{control}/nodes/\$2/start >/dev/null ;;
repair)
    i=0; while [ ! -e $dir/go ] && [ \$i -lt 300 ]; do sleep 0.2; i=\$((i + 1)); done ;;
*)
    sleep 4 ;;
esac
echo "end \$1 \$2 \$(now)" >>$log
[ ! -e $dir/fails-\$2 ] || exit 3
SH
chmod 0755, "$dir/work";

my @hosts = map { { ip => $ip[$_], n => $_, manager => Prober::Manager->start(
    units => { 'cassandra-prober-job@.service' => "[Service]\nType=oneshot\nExecStart=$dir/work %i $ip[$_]\n" }) } } 0 .. $#ip;

# systemd forgets a unit that has ended well, unless another one names it, as the packaged prober-collector.service does.
sub name_unit {
    my ($host, $type) = @_;
    $host->{manager}->unit("names-$type.service", "[Unit]\nBefore=cassandra-prober-job\@$type.service\n[Service]\nExecStart=/bin/sleep infinity\n");
    is(($host->{manager}->systemctl('start', "names-$type.service"))[0], 0, "a service that names the unit of $type");
}

name_unit($_, 'restart') for @hosts;

sub start_collector {
    my ($host) = @_;
    $host->{collector} = Prober::Collector->start($etcd->conf(ttl => '"3s"') . <<"CONF", env => $host->{manager}->environment);
local: { source = "jolokia+http://$host->{ip}:$fleet->{port}/jolokia"; };
peers: { mode = "direct"; url = "jolokia+http://{address}:$fleet->{port}/jolokia"; };
poll: { interval = "250ms"; timeout = "1s"; view_ttl = "2s"; };
readiness: { settle = "500ms"; rehab = "0"; };
gates: { stable = "500ms"; bootstrap_grace = "0"; };
jobs: { settle = "8s"; stable = "1s"; };
segment: { path = "$dir/segment$host->{n}"; };
control: { socket = "$dir/control$host->{n}"; };
state: { path = "$dir/state$host->{n}"; };
CONF
}

start_collector($_) for @hosts;
$_->{collector}->wait_ready(60) for @hosts;

# What is asked and shown

sub ctl { my ($n, @command) = @_; return run(root() . '/build/proberctl', '--segment', "$dir/segment$n", '--socket', "$dir/control$n", @command) }
sub jobs { my ($n) = @_; my ($status, $said) = ctl($n // 1, '--json', 'job', 'status'); return eval { JSON::PP::decode_json($said =~ s/^proberctl: .*\n//mgr) } || {} }
sub active { return jobs($_[0])->{active} }
sub last_of { my ($type, $n) = @_; return (jobs($n)->{last} || {})->{$type} }
sub states { my ($job) = @_; return join ' ', map { $_->{state} } @{ $job->{nodes} } }

sub verdict_of { my ($n, $ip) = @_; my ($status, $said) = ctl($n, '--json', 'why', $ip); return $said =~ /"verdict":"([^"]*)"/ ? $1 : '' }

# Any that live.
sub shown { for my $host (@hosts) { my $jobs = jobs($host->{n}); return $jobs if exists $jobs->{active} } return {} }

sub leader {
    my $id = '';
    wait_for(sub { return $id = (grep { defined && length } map { jobs($_->{n})->{leader} } @hosts)[0] }, 'somebody to lead', 60);
    my ($host) = grep { my ($status, $said) = ctl($_->{n}, '--json', 'nodes'); $said =~ /"address":"\Q$_->{ip}\E"[^{}]*?"host_id":"\Q$id\E"/ } @hosts;
    return $host;
}

sub begin {
    my ($type, @more) = @_;
    my $id;
    wait_for(
        sub {
            my ($status, $said) = ctl(1, qw(job start), $type, @more);
            ($id) = $said =~ /^([0-9a-f]{16})$/m;
            diag($said) if !$id;
            return $id || (sleep(0.5), 0)[1];
        },
        "a job $type to begin", 60);
    return $id;
}

sub ended {
    my ($type, $id, $limit) = @_;
    my $seen = '';
    my $ended = eval {
        wait_for(
            sub {
                my $job = shown()->{active};
                my $now = $job ? states($job) . " $job->{state} $job->{why}" : '';
                say_at($now) if $now ne $seen && length $now;
                $seen = $now;
                sleep 0.1;
                return !grep { my $last = last_of($type, $_->{n}); !$last || $last->{id} ne $id } @hosts;
            },
            "the job $type to end", $limit // 120);
    };
    if (!$ended) {
        my $error = $@;
        diag(explain(shown()), slurp($log));
        diag("host $_->{n}", $_->{collector}->log) for @hosts;
        die $error;
    }
    my @jobs = map { last_of($type, $_->{n}) } @hosts;
    is_deeply($jobs[$_], $jobs[0], "$type: host $_ shows the same") for 1 .. $#jobs;
    check($jobs[0], $type);
    return $jobs[0];
}

# Never two at once, none twice, none left out silently: by what the units themselves have written.
sub check {
    my ($job, $what) = @_;
    my (%ran, @wrong, $open);
    for my $line (split /\n/, slurp($log)) {
        my ($event, $type, $ip) = split ' ', $line;
        push @wrong, "$line while $open" if $event eq 'begin' && $open;
        $open = $event eq 'begin' ? $ip : undef;
        $ran{$ip}++ if $event eq 'begin';
    }
    for my $node (@{ $job->{nodes} }) {
        my $ran = $ran{ $node->{node} } // 0;
        push @wrong, "$node->{node} is $node->{state} and ran $ran times"
            if $ran > 1 || $node->{state} eq 'done' && $ran != 1 || $node->{state} eq 'skipped' && $ran != 0;
        push @wrong, "$node->{node} is $node->{state} silently"
            if $node->{state} !~ /^(done|failed|skipped)$/ || $node->{state} ne 'done' && !length $node->{why};
    }
    is_deeply(\@wrong, [], "$what: one at a time, none twice, none left out silently") or diag(explain($job), slurp($log));
    unlink $log;
}

sub kill_collector {
    my ($host, $why) = @_;
    $host->{collector}->stop('KILL');
    say_at("the collector $why is killed: $host->{ip}");
}

leader();

# A rolling restart, with whoever leads killed at random moments, and etcd's leader, too.
{
    my $id = begin('restart');
    is((ctl(2, qw(job start cleanup)))[0], 1, 'another one does not begin meanwhile');
    for my $round (1 .. 3) {
        sleep 0.5 + rand 4;
        last if !shown()->{active};
        my $host = leader();
        kill_collector($host, 'that leads');
        sleep rand 2;
        start_collector($host);
        if ($round == 1) {
            my $member = $etcd->wait_leader;
            $etcd->kill($member);
            say_at("etcd's leader is killed");
            sleep 1;
            $etcd->start_member($member);
        }
    }
    my $job = ended('restart', $id);
    is(states($job), 'done done done done', 'all are done') or diag(explain($job));
    is($job->{state}, 'done', 'and the job is');
    is_deeply([ map { $_->{node} } @{ $job->{nodes} } ], \@ip, 'in order');
}

# A node that does not come back: the job is paused, says why, and goes on when somebody has mended the node.
{
    spew("$dir/broken-$ip[1]", '');
    my $id = begin('restart');
    wait_for(sub { my $job = shown()->{active}; $job && $job->{state} eq 'paused' }, 'the job to be paused', 90);
    my $job = shown()->{active};
    like($job->{why}, qr/^\Q$ip[1]\E has not come back: /, 'it says why');
    say_at($job->{why});
    is(states($job), 'done settling waiting waiting', 'nobody else has a turn');
    wait_for(sub { my ($status, $said) = ctl(3, qw(job status)); return $status == 1 && $said =~ /paused.*has not come back/ },
        'proberctl job status to say so on every host', 30);
    my $permit = sub { $etcd->get('/cassandra-prober/Fleet/permit') // '' };
    wait_for(sub { $permit->() =~ /"ttl_ms":1200000/ }, 'the permit to last, as something has run', 30);
    like($permit->(), qr/"node":"\Q$ip[1]\E"/, 'it stays that of the node');
    # Meanwhile another one goes down by itself: it may start, and the permit stays.
    my $ask = sub { http("$dir/control3", $_[0], header => ['X-Prober-User: ops'], timeout => 20) };
    $fleet->post("nodes/$ip[3]/crash");
    wait_for(sub { verdict_of(3, $ip[3]) eq 'not ready' }, 'another node to be down', 30);
    my $token = JSON::PP::decode_json($permit->())->{token};
    my $answer = $ask->("POST /may-start/$ip[3]");
    is($answer->{status}, 200, 'another node that is down may start') or diag($answer->{body});
    unlike($answer->{body}, qr/\Q$token\E/, 'but does not get the permit');
    like($permit->(), qr/\Q$token\E/, 'which stays whose it is');
    is($ask->('POST /may-start/192.0.2.1')->{status}, 409, 'who joins may not');
    $fleet->post("nodes/$ip[3]/start");
    wait_for(sub { verdict_of(3, $ip[3]) eq 'ready' }, 'it to be back', 30);
    my $host = leader();
    kill_collector($host, 'that leads');
    start_collector($host);
    $fleet->post("nodes/$ip[1]/start");
    say_at('the node is mended');
    $job = ended('restart', $id);
    is(states($job), 'done done done done', 'it goes on by itself');
    unlink "$dir/broken-$ip[1]";
}

# A unit that fails on a node that is well.
{
    spew("$dir/fails-$ip[2]", '');
    my $job = ended('cleanup', begin('cleanup', '--dc', 'dc2'));
    is(states($job), 'failed skipped', 'a unit that fails ends the job');
    is($job->{state}, 'failed', 'which has failed');
    like($job->{nodes}[0]{why}, qr/3|exit/, 'how') or diag(explain($job));
    like($job->{nodes}[1]{why}, qr/^\Q$ip[2]\E failed: /, 'who is left out is told why');
    $job = ended('cleanup', begin('cleanup', '--on-failure', 'continue', '--nodes', "$ip[3],$ip[2]"));
    is(states($job), 'failed done', 'unless it is to continue');
    is($job->{why}, '1 of 2 failed, 0 skipped', 'and says how it ended');
    unlink "$dir/fails-$ip[2]";
}

# A host without the unit.
{
    $hosts[0]{manager}->unit('cassandra-prober-job@.service', undef);
    my $job = ended('cleanup', begin('cleanup', '--dc', 'dc1'));
    is(states($job), 'skipped done', 'a host without the unit is left out');
    like($job->{nodes}[0]{why}, qr/no unit cassandra-prober-job\@cleanup\.service/, 'and why is said');
    is((ctl(0, qw(job start cleanup)))[0], 1, 'there it cannot be asked for');
    $hosts[0]{manager}->unit('cassandra-prober-job@.service', "[Service]\nType=oneshot\nExecStart=$dir/work %i $ip[0]\n");
}

# The collector dies while its node's unit runs.
{
    my $host = $hosts[2];
    # By what the unit itself writes: a host that is idle looks at the store only every 3 s.
    my $runs = sub { -e $log && slurp($log) =~ /^begin/m };
    my $id = begin('repair', '--nodes', $ip[2]);
    wait_for($runs, 'it to run', 30);
    kill_collector($host, 'of the node');
    start_collector($host);
    $host->{collector}->wait_ready(60);
    wait_for(sub { my $job = active(2); $job && $job->{id} eq $id && $job->{nodes}[0]{state} eq 'running' }, 'it to know of the job', 60);
    sleep 2; # it looks at the unit meanwhile
    spew("$dir/go", '');
    my $job = ended('repair', $id);
    is(states($job), 'done', 'who comes back while the unit runs sees how it ends') or diag(explain($job), $host->{collector}->log);

    # Nothing names the unit of this type yet.
    $id = begin('cleanup', '--nodes', $ip[2]);
    wait_for($runs, 'it to run', 30);
    kill_collector($host, 'of the node');
    wait_for(sub { slurp($log) =~ /^end cleanup/m && ($host->{manager}->systemctl('is-active', 'cassandra-prober-job@cleanup.service'))[1] =~ /^inactive/m }, 'the unit to end', 30);
    start_collector($host);
    $job = ended('cleanup', $id);
    is(states($job), 'failed', 'what nobody can tell is not run again');
    like($job->{nodes}[0]{why}, qr/^cannot tell whether it ran/, 'and said');

    name_unit($host, 'cleanup');
    $id = begin('cleanup', '--nodes', $ip[2]);
    wait_for($runs, 'it to run', 30);
    kill_collector($host, 'of the node');
    wait_for(sub { slurp($log) =~ /^end cleanup/m && ($host->{manager}->systemctl('is-active', 'cassandra-prober-job@cleanup.service'))[1] =~ /^inactive/m }, 'the unit to end', 30);
    start_collector($host);
    $job = ended('cleanup', $id);
    is(states($job), 'done', 'with it systemd remembers');
}

# Ended by a person.
{
    unlink "$dir/go";
    my $id = begin('repair', '--dc', 'dc2');
    wait_for(sub { my $job = active(0); $job && $job->{nodes}[0]{state} eq 'running' }, 'it to run', 30);
    is((ctl(0, qw(job abort repair)))[0], 0, 'aborted');
    spew("$dir/go", '');
    my $job = ended('repair', $id);
    is(states($job), 'done skipped', 'the current node ends well, the next is left out');
    is($job->{state}, 'aborted', 'the job is aborted');
    like($job->{nodes}[1]{why}, qr/^aborted by /, 'by whom');
}

# etcd away: what is read stays, and says so; nothing can be asked for.
{
    $etcd->pause($_) for 0, 1;
    wait_for(sub { (jobs(0)->{store} // 'ok') ne 'ok' }, 'the store to be missed', 60);
    my ($status, $said) = ctl(0, qw(job start restart));
    is($status, 2, 'without the store nothing begins');
    like($said, qr/coordination store/, 'and that is said') or diag($said);
    $etcd->resume($_) for 0, 1;
    wait_for(sub { (jobs(0)->{store} // '') eq 'ok' }, 'the store to be back', 60);
}

my $said = join '', map { (ctl($_->{n}, 'decisions'))[1] } @hosts;
like($said, qr/\tjob\t\Q$ip[2]\E\tcleanup: failed\t/, 'decisions tell of jobs');
like($said, qr/\trepair\t\Q$ip[2]\E\trepaired\t/, 'and a repair job says so of its nodes');
is($_->{collector}->stop, 0, "the collector of $_->{ip} ends well") or diag($_->{collector}->log) for @hosts;
$_->{manager}->stop for @hosts;
done();
