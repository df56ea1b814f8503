#!/usr/bin/perl
# /metrics as Prometheus has it: its form, the rules, and a real Prometheus that scrapes a real prober of a simulated fleet,
# in which each of the alerts fires that are to. The dashboard asks for what is there.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Prober::Test;
use Prober::Collector;
use Prober::Fleet;

my $root = root();
my $dir = tempdir();
my $examples = "$root/packaging/examples";
for my $tool (qw(prometheus promtool)) {
    plan(skip_all => "there is no $tool") if !grep { -x "$_/$tool" } split(/:/, $ENV{PATH}), '/usr/bin';
}

sub ok_run {
    my ($what, @command) = @_;
    my ($status, $said) = run(@command);
    is($status, 0, $what) or diag($said);
    return $said;
}

# The rules by themselves
ok_run('promtool takes the rules', qw(promtool check rules), "$examples/prometheus/alerts.yml");
ok_run('and they do what they are to', qw(promtool test rules), "$root/t/prometheus_rules.yml");
my $rules = slurp("$examples/prometheus/alerts.yml");
my @alerts = $rules =~ /- alert: (\w+)$/gm;
my $tested = slurp("$root/t/prometheus_rules.yml");
is_deeply([ grep { $tested !~ /alertname="\Q$_\E", alertstate="firing"\}\n +eval_time: \w+\n +exp_samples: \[\{/ } @alerts ], [],
    'each is seen to fire');
{
    my $help = slurp("$root/doc/troubleshooting.md");
    my %anchor = map { lc $_ => 1 } $help =~ /^#+ (\w+)$/gm;
    my @runbooks = $rules =~ m{runbook: "/usr/share/doc/cassandra-prober/troubleshooting\.md#(\w+)"}g;
    is_deeply(\@runbooks, [ map { lc } @alerts ], 'each has its runbook');
    is_deeply([ grep { !$anchor{$_} } @runbooks ], [], 'which is there');
    my %alert = map { $_ => 1 } @alerts;
    is_deeply([ grep { !$alert{$_} } $help =~ /^#+ (Cassandra[A-Z]\w+)$/gm ], [], 'and none is of an alert that is no more');
}
{
    my $scrape = slurp("$examples/prometheus/scrape.yml");
    spew("$dir/cassandra-prober-alerts.yml", $rules);
    spew("$dir/example.yml", $scrape);
    ok_run('promtool takes the configuration', qw(promtool check config), "$dir/example.yml");
    $scrape =~ s/^    # (?=metric_relabel|  - )/    /mg == 4 or die 'no relabelling in the example';
    spew("$dir/example.yml", $scrape);
    ok_run('and with what is for many hosts', qw(promtool check config), "$dir/example.yml");
}

# A prober of four nodes of which there are to be six, in four racks.
my $fleet = Prober::Fleet->start(layout => 'dc1:r1=2,r2=2', convict => 0.5, boot => 0.5, 'hint-window' => 2);
my @ip = @{ $fleet->{nodes} };
my $conf = <<'CONF';
poll: { interval = "200ms"; timeout = "500ms"; view_ttl = "2s"; };
readiness: { settle = "500ms"; rehab = "0"; };
datacenters = ( { name = "dc1"; size = 6; racks = [ "r1", "r2", "r3", "r4" ]; } );
metrics: { opinions = true; };
CONF
my $collector = Prober::Collector->start(fleet_conf($fleet, $conf))->wait_ready;
my $nginx = nginx(<<'CONF');
%%GLOBALS%%
http { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; location / { prober; prober_segment %%DIR%%/segment; prober_stale 3s; } } }
CONF
my $port = $nginx->port;
sub metrics { my $answer = http($port, 'GET /metrics'); return $answer->{status} == 200 ? $answer->{body} : '' }
wait_for(sub { metrics() =~ /^cassandra_prober_nodes_ready 4$/m }, 'all to be ready', 60);
wait_for(sub { metrics() =~ /^cassandra_prober_leader 1$/m }, 'the one that there is to lead', 60);

# Their form
my $text = metrics();
spew("$dir/metrics", $text);
is(ok_run('promtool check metrics', 'sh', '-c', 'promtool check metrics <"$0" 2>&1', "$dir/metrics"), '', 'has nothing to say');
is(http($port, 'GET /metrics')->{header}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8', 'the type of the format');
my %family = $text =~ /^# TYPE (\S+) (\w+)$/gm;
my @names = $text =~ /^([a-z]\w*)(?:\{| )/gm;
is_deeply([ grep { !$family{$_} && !$family{ s/_(?:bucket|sum|count)$//r } } @names ], [], 'every series is of a family');
is_deeply([ grep { !/^cassandra_prober_/ } keys %family ], [], 'each with the name of the program');
is($family{cassandra_prober_poll_duration_seconds}, 'histogram', 'durations of polls are a histogram');
{
    my @buckets = $text =~ /^cassandra_prober_poll_duration_seconds_bucket\{le="[^"]+"\} (\d+)$/gm;
    is_deeply(\@buckets, [ sort { $a <=> $b } @buckets ], 'whose buckets have what the smaller ones have');
    my ($polls) = $text =~ /^cassandra_prober_poll_duration_seconds_count (\d+)$/m;
    is($buckets[-1], $polls, 'and the last one all');
    cmp_ok($buckets[-2], '>', 0, 'most of them in a bucket');
}
my ($version) = slurp("$root/Makefile") =~ /^VERSION := (\S+)$/m;
like($text, qr/^cassandra_prober_build_info\{version="\Q$version\E"\} 1$/m, 'the version');
my ($beat) = $text =~ /^cassandra_prober_heartbeat_timestamp_seconds (\d+)/m;
cmp_ok(abs(time - $beat), '<', 30, 'the heartbeat is a time of day');
like($text, qr/^cassandra_prober_seeds_wanted\{dc="dc1"\} 4$/m, 'seeds wanted');
like($text, qr/^cassandra_prober_node_ready\{node="\Q$ip[0]\E",dc="dc1",rack="r1"\} 1$/m, 'a node');

# Who sees whom grows by the square, so it is asked for.
is(scalar(() = $text =~ /^cassandra_prober_opinion_up\{/gm), @ip * @ip, 'opinions, as they are configured');
my $reloads = $collector->notified('READY=1');
$collector->configure(fleet_conf($fleet, $conf =~ s/opinions = true/opinions = false/r));
$collector->signal('HUP');
wait_for(sub { $collector->notified('READY=1') > $reloads && metrics() !~ /opinion_up/ }, 'the opinions to go', 20);
my $series = () = metrics() =~ /^\w/gm;
my $new = $fleet->post('join?dc=dc1&rack=r1')->{ip};
wait_for(sub { metrics() =~ /^cassandra_prober_nodes_ready 5$/m }, 'one more node', 30);
my $more = (() = metrics() =~ /^\w/gm) - $series;
cmp_ok($more, '<=', 12, "a node more is $more series more");
$fleet->post("nodes/$new/decommission");
wait_for(sub { metrics() =~ /^cassandra_prober_nodes 4$/m }, 'it to have left', 30);

# A real Prometheus, which is as patient as a test.
my %for = map { $_ => 1 } $rules =~ /^ +for: (\w+)$/gm;
cmp_ok(scalar keys %for, '>', 2, 'the rules are patient');
spew("$dir/rules.yml", $rules =~ s/^( +for:) \w+$/$1 1s/gmr);
spew("$dir/prometheus.yml", <<"CONF");
global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}
rule_files: [rules.yml]
scrape_configs:
  - job_name: cassandra-prober
    static_configs: [{targets: ["127.0.0.1:$port"]}]
CONF
my $web = free_port();
my $prometheus = start(name => 'prometheus', command => [ 'prometheus', "--config.file=$dir/prometheus.yml", "--storage.tsdb.path=$dir/tsdb",
    "--web.listen-address=127.0.0.1:$web", '--log.level=warn' ]);
sub api {
    my ($path) = @_;
    my $answer = http($web, "GET $path");
    return { status => "HTTP $answer->{status}: $answer->{body}" } if $answer->{status} !~ /^[24]/;
    return eval { decode_json($answer->{body}) } // { status => $answer->{body} };
}
sub query { my ($expr) = @_; return api('/api/v1/query?query=' . $expr =~ s/([^A-Za-z0-9_.])/sprintf '%%%02X', ord $1/ger) }
sub firing {
    my %firing;
    push @{ $firing{ $_->{labels}{alertname} } }, $_->{labels} for grep { $_->{state} eq 'firing' } @{ api('/api/v1/alerts')->{data}{alerts} || [] };
    return \%firing;
}
wait_for(sub { @{ query("up == 1")->{data}{result} || [] } }, 'Prometheus to scrape', 60);
pass('Prometheus scrapes');

# What the dashboard asks for is there, and Prometheus understands it.
{
    my $board = decode_json(slurp("$examples/grafana/cassandra-prober.json"));
    my %id;
    $id{ $_->{id} }++ for @{ $board->{panels} };
    is_deeply([ grep { $id{$_} > 1 } keys %id ], [], 'panels have numbers of their own');
    my @asked = map { $_->{expr} } map { @{ $_->{targets} || [] } } @{ $board->{panels} };
    push @asked, map { $_->{expr} } @{ $board->{annotations}{list} };
    cmp_ok(scalar(@asked), '>', 20, 'the dashboard asks for much');
    my @metrics = map { /\b(cassandra_prober_\w+)/g } @asked, map { $_->{definition} // () } @{ $board->{templating}{list} };
    my %known = %family;
    $known{"cassandra_prober_poll_duration_seconds_$_"} = 1 for qw(bucket sum count);
    is_deeply([ grep { !$known{$_} } @metrics ], [], 'all of it is there');
    my %on_it = map { s/_(?:bucket|sum|count)$//r => 1, $_ => 1 } @metrics;
    my @left_out = grep { !$on_it{$_} } sort keys %family;
    is_deeply(\@left_out, [ map { "cassandra_prober_$_" } qw(nodes_ready opinion_up poll_bytes_total reloads_total round_seconds_max segment_documents) ],
        'and what is there is on it, but for these');
    my @wrong = grep { query($_)->{status} ne 'success' }
        map { s/\$__rate_interval/1m/gr =~ s/\$(?:job|instance)/.*/gr } @asked;
    is_deeply(\@wrong, [], 'Prometheus understands each question');
}

# Each of them fires.
my $fired = sub {
    my ($alert, $labels, $what) = @_;
    my $found;
    my $there = eval {
        wait_for(sub {
            ($found) = grep { my $got = $_; !grep { ($got->{$_} // '') ne $labels->{$_} } keys %$labels } @{ firing()->{$alert} || [] };
        }, $alert, 60);
    };
    ok($there, "$alert: $what") or diag(explain(firing()), metrics());
};
$fired->('CassandraSeedsBelowWanted', { dc => 'dc1' }, 'four are wanted');
$fleet->post("nodes/$ip[1]/crash");
$fired->('CassandraNodeNotReady', { node => $ip[1], dc => 'dc1', rack => 'r1', severity => 'critical' }, 'it has crashed');
$fired->('CassandraRepairNeeded', { node => $ip[1] }, 'it is away for longer than hints are kept');
$fired->('CassandraProberPollFails', { node => $ip[1], reason => 'refused' }, 'it cannot be asked');
$fleet->post("nodes/$ip[1]/start");
wait_for(sub { !grep { $_->{node} eq $ip[1] } @{ firing()->{CassandraNodeNotReady} || [] } }, 'the end of that alert', 60);
pass('it ends when the node is back');
$fleet->post("nodes/$ip[3]/lie?as=all-down");
$fired->('CassandraViewsDisagree', { node => $ip[3] }, 'it lies');
$fleet->post("nodes/$ip[3]/heal");
$collector->signal('STOP');
$fired->('CassandraProberStale', { instance => "127.0.0.1:$port" }, 'the collector hangs');
$collector->signal('CONT');
wait_for(sub { !firing()->{CassandraProberStale} }, 'the end of that one', 60);
$nginx->configure("%%GLOBALS%%\nhttp { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; location / { prober; prober_on_stale last; prober_segment %%DIR%%/segment; } } }\n");
$nginx->reload;
$collector->signal('KILL');
my $stale = sub { return @{ query('time() - cassandra_prober_heartbeat_timestamp_seconds > 5')->{data}{result} || [] } };
wait_for($stale, 'old data to be seen as old', 60);
pass('where stale data is served, its age is seen');

$prometheus->stop;
done();
