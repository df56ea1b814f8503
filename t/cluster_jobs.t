#!/usr/bin/perl
# Six real Cassandra nodes in two data centers on six booted hosts, under two applications that ask for LOCAL_QUORUM at a low fixed
# rate and know HAProxy alone. One node is restarted by hand, as README.md has it; then all of them by a job. Meanwhile the collector that leads is killed at random moments,
# etcd loses its leader, and one node does not come back until somebody mends it. No failure surfaces in the applications, and
# the journals of all hosts say: never two nodes at once, none twice, none left out silently.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);
use Prober::Docs;
use Prober::Etcd;
use Prober::Haproxy;
use Prober::Hosts;
use Prober::JobCheck;
use Prober::Test;

BEGIN {
    plan(skip_all => 'there is no etcd') if !Prober::Etcd::have();
    plan(skip_all => 'there is no HAProxy') if !-x Prober::Haproxy::binary();
    Prober::Hosts::own_machine('driver');
}

use constant RATE   => 15;          # requests a second of each application
use constant BROKEN => 4;           # the node that does not come back
use constant WALKED => 3;           # the node that is restarted by hand first
use constant LIMIT  => 1500;        # s for the job; it takes a fifth of that on a machine that does nothing else

my $began = time;
sub say_at { my ($what, @values) = @_; diag(sprintf "%6.1f s  $what", time - $began, @values) }

my $hosts = Prober::Hosts->new(layout => join(',', map { my $dc = $_; map { "$dc:r$_" } 1 .. 3 } qw(dc1 dc2)), seeds => '1,4');
my @numbers = $hosts->numbers;
my %center = (dc1 => [ 1 .. 3 ], dc2 => [ 4 .. 6 ]);
Prober::Hosts::sh(map { "ip addr add 10.77.0.$_/24 dev mesh" } 221 .. 223);
my $etcd = Prober::Etcd->start(members => 3, base => '10.77.0.2');
$hosts->{conf} = $etcd->conf(ttl => '"5s"') . <<'CONF';
poll: { timeout = "2s"; view_ttl = "5s"; };
readiness: { rehab = "0"; };
gates: { stable = "2s"; bootstrap_grace = "0"; };
jobs: { settle = "75s"; stable = "3s"; };
CONF
$hosts->write_conf($_) for @numbers;
$hosts->boot;
say_at('all hosts are up');

$hosts->start_cassandra(@numbers);
say_at('all nodes are ready');

# The applications, each in its data center.

my @ports = map { my $dc = $_; map { "$dc$_" } 1 .. 4 } sort keys %center;
my $conf = '';
for my $dc (sort keys %center) {
    $conf .= "listen $dc\n" . join('', map { "    bind 127.0.0.1:%%$dc$_%%\n" } 1 .. 4) . <<"CONF" . join('', map { my $ip = $hosts->ip($_); "    server $ip $ip:9042 check port 8888\n" } @{ $center{$dc} });
    balance leastconn
    option httpchk
    http-check send meth GET uri-lf "/healthz/%[srv_name]" ver HTTP/1.1 hdr Host prober
    default-server inter 500ms fall 2 rise 2 on-marked-down shutdown-sessions
CONF
}
my $haproxy = Prober::Haproxy->start_with({ ports => \@ports, timeout => '1h' }, $conf);
wait_for(sub { my $stats = $haproxy->stats; !grep { $stats->{$_}{status} !~ /^(UP|OPEN)/ } grep { m{/10\.} } keys %$stats }, 'HAProxy to see all nodes', 60);

sub application {
    my ($dc) = @_;
    my $out = tempdir() . "/$dc.requests";
    my $process = start(
        name => "application-$dc",
        command => [ root() . '/t/lib/cql_workload.py', '--proxy', '127.0.0.1', '--rate', RATE, '--out', $out, '--replicas', "'dc1': 3, 'dc2': 3",
            '--ports', join(',', map { $haproxy->port("$dc$_") } 1 .. 4) ]);
    wait_for(
        sub {
            die 'the application has ended: ' . $process->output if !$process->alive;
            return slurp($out) =~ tr/\n// >= 2 * RATE;
        },
        "the application in $dc to work", 180);
    say_at("the application in $dc works");
    return { process => $process, out => $out, dc => $dc };
}

sub outcome {
    my ($application) = @_;
    my $what = "the application in $application->{dc}";
    is($application->{process}->stop('TERM', 90), 0, "$what ended well") or diag($application->{process}->output);
    my @lines = map { JSON::PP::decode_json($_) } split /\n/, slurp($application->{out});
    my $end = pop @lines;
    my @failed = grep { defined $_->{error} } @lines;
    my ($slowest) = sort { $b <=> $a } map { $_->{ms} } grep { !defined $_->{error} } @lines;
    diag(sprintf 'FIGURES %s: %d requests in %.0f s, %d tried more than once, slowest success %d ms, %d failed',
        $what, scalar @lines, $lines[-1]{at} - $lines[0]{at}, scalar(grep { $_->{tries} > 1 } @lines), $slowest, scalar @failed);
    is(scalar @lines, $end->{begun}, "$what: every request has an outcome");
    my %errors;
    $errors{ $_->{error} }++ for @failed;
    is_deeply(\%errors, {}, "$what: no failure surfaced")
        or diag(sprintf 'between %.1f and %.1f s', $failed[0]{at} - $began, $failed[-1]{at} - $began);
}

my @applications = map { application($_) } sort keys %center;

# A stranger's walk: what README.md says, as it stands there but for the address, on the host of a node. t/boot.t runs the
# installation before it.

{
    my $of = $hosts->ip(WALKED);
    my @commands = Prober::Docs::commands();
    my @walk = grep { $_->{place} eq 'walk' } @commands;
    my @install = grep { $_->{file} eq 'README.md' && $_->{section} eq 'Install it' } @commands;
    cmp_ok(@walk + @install, '<', 10, 'under ten commands: ' . (@install + @walk));
    my @others = grep { $_ != WALKED } @numbers;
    my $seen = sub { my ($ready) = @_; return !grep { $hosts->is_ready($_, WALKED) != $ready } @others };
    my $began = sub { $hosts->must(WALKED, qw(systemctl show -P ExecMainStartTimestampMonotonic cassandra)) };
    my $before = $began->();
    for my $command (@walk) {
        say_at($command->{command});
        my ($status, $said) = $hosts->ask(WALKED, 'sh', '-c', $command->{command} =~ s/10\.0\.0\.3/$of/r);
        my $missing = Prober::Docs::says({ says => [ map { s/10\.0\.0\.3/$of/r } @{ $command->{says} } ] }, $said);
        ok($status == 0 && !defined $missing, Prober::Docs::name($command)) or diag("status $status", defined $missing ? ", missing: $missing" : '', "\n$said");
        if ($command->{command} =~ /^proberctl drain/) {
            ok(eval { wait_for(sub { $seen->(0) }, 'the drain', 20) }, 'drained: load balancers leave it');
            wait_for(sub { $haproxy->stats->{"dc1/$of"}{status} =~ /^DOWN/ }, 'HAProxy to leave it', 20);
            sleep 2;
        }
        ok($seen->(0), 'restarted, and drained still') if $command->{command} =~ /^systemctl restart/;
        is_deeply([ grep { !$hosts->is_ready(1, $_) } @others ], [], 'the others serve');
    }
    isnt($began->(), $before, 'its process is a new one');
    ok(eval { wait_for(sub { $seen->(1) }, 'it to be back', 60) }, 'it is back, on all hosts');
    is_deeply([ sort { $a <=> $b } map { $hosts->is_ready(WALKED, $_) ? $_ : () } @numbers ], \@numbers, 'and all are ready');
}

# Load balancers leave first, as the packaged drop-in has it.
for my $number (@numbers) {
    my $drain = slurp(root() . '/packaging/examples/cassandra.service.d/drain.conf');
    my $ip = $hosts->ip($number);
    $drain =~ s/10\.0\.0\.7/$ip/g;
    $drain =~ s/sleep 10/sleep 4/ or die 'drain.conf has changed';
    $hosts->must($number, 'sh', '-ec', "mkdir -p /run/systemd/system/cassandra.service.d; printf '%s' '" . ($drain =~ s/'/'\\''/gr)
        . "' >/run/systemd/system/cassandra.service.d/drain.conf; systemctl daemon-reload");
}
# The job, and what goes wrong meanwhile.

sub jobs { for my $on (@_ ? @_ : @numbers) { my $jobs = $hosts->document($on, '/jobs'); return $jobs if $jobs && exists $jobs->{active} } return {} }
sub active { return jobs()->{active} }

sub leader {
    my %ids = map { my $on = $_; my $node = $hosts->node($on)->{ $hosts->ip($on) } || {}; (($node->{host_id} // '') => $on) } @numbers;
    for my $on (@numbers) {
        my $leader = (jobs($on)->{leader}) // '';
        return $ids{$leader} if $ids{$leader};
    }
    return;
}

my $check = Prober::JobCheck->new($hosts);
$hosts->must(BROKEN, 'sh', '-ec', 'printf "[Service]\nExecStartPre=/bin/false\n" >/run/systemd/system/cassandra.service.d/broken.conf; systemctl daemon-reload');
my $id;
wait_for(sub { my ($status, $said) = $hosts->ask(2, qw(proberctl job start restart)); ($id) = $said =~ /^([0-9a-f]{16})$/m; diag($said) if !$id; return $id }, 'the job to begin', 90);
say_at("job $id");

my ($kills, $next_kill, $member, $etcd_at, $paused, $mended_at) = (0, time + 5 + rand 30, undef, time + 60 + rand 60);
my $shown = '';
my %seen_states;
my $job = eval {
    wait_for(
        sub {
            my $jobs = jobs();
            my $now = $jobs->{active};
            if ($now) {
                my $text = join(' ', map { $_->{state} } @{ $now->{nodes} }) . " $now->{state} $now->{why}";
                say_at($text) if $text ne $shown;
                $shown = $text;
                my @acting = grep { $_->{state} =~ /^(granted|running|settling)$/ } @{ $now->{nodes} };
                $seen_states{ scalar @acting }++;
            }
            if (time > $next_kill && $kills < 4) {
                if (my $leader = leader()) {
                    $hosts->ask($leader, qw(systemctl kill -s KILL prober-collector));
                    say_at('the collector that leads is killed, on host %d', $leader);
                    $kills++;
                }
                $next_kill = time + 15 + rand 45;
            }
            if (!defined $member && time > $etcd_at && defined($member = $etcd->leader)) {
                $etcd->kill($member);
                say_at("etcd's leader is killed");
            }
            if ($now && $now->{state} eq 'paused' && !$mended_at && $now->{why} =~ /^\Q@{[ $hosts->ip(BROKEN) ]}\E /) {
                $paused = $now;
                $mended_at = time;
                $hosts->must(BROKEN, 'sh', '-ec', 'rm /run/systemd/system/cassandra.service.d/broken.conf; systemctl daemon-reload; systemctl start cassandra');
                say_at('node %d is mended', BROKEN);
            }
            my $last = ($jobs->{last} || {})->{restart};
            sleep 0.3;
            return $last && $last->{id} eq $id && $last;
        },
        'the job to end', LIMIT);
};
if (!$job) {
    my $error = $@;
    diag(join "\n", map {; "host $_", (grep { !/voter|opinion/ } $hosts->journal($_, 'prober-collector'))[ -30 .. -1 ] } @numbers);
    die $error;
}
say_at('the job has ended: %s', $job->{state});
sleep 5;
outcome($_) for @applications;

my $expected = join ' ', map { $_ == BROKEN ? 'failed' : 'done' } @numbers;
is(join(' ', map { $_->{state} } @{ $job->{nodes} }), $expected, 'all nodes had their turn') or diag(explain($job));
is_deeply([ map { $_->{node} } @{ $job->{nodes} } ], [ map { $hosts->ip($_) } @numbers ], 'in order');
ok($paused, 'the job was paused for the node that did not come back');
like($paused->{why} // '', qr/ has not come back: /, 'and said why');
is_deeply([ grep { $_ > 1 } keys %seen_states ], [], 'documents never showed two nodes at once');
cmp_ok($kills, '>', 1, 'leaders were killed');
ok(defined $member, "etcd lost its leader, too");
for my $on (@numbers) {
    wait_for(sub { my $last = (jobs($on)->{last} || {})->{restart}; $last && $last->{id} eq $id }, "host $on to show the job", 30);
    is_deeply(jobs($on)->{last}{restart}, $job, "host $on shows the same");
}
$check->check($job, 'rolling restart');
is_deeply([ map { my $on = $_; $hosts->is_ready($on, $on) ? () : $on } @numbers ], [], 'all nodes are ready');
$hosts->end;
done();
