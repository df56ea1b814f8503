#!/usr/bin/perl
# Every command of README.md and doc/*.md that needs no booted system is run, in a network and on file systems of its own: 10.0.0.1,
# 10.0.0.2 and 10.0.0.3 are three hosts with a prober each, of a simulated fleet, and 10.0.0.1 is this one, as it is installed.
# Blocks of configuration are given to the programs that they are for. t/docs.t tells where the other commands are run.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Prober::Collector;
use Prober::Docs;
use Prober::Etcd;
use Prober::Fleet;
use Prober::Mesh;
use Prober::Test;

BEGIN {
    my $why = $ENV{PROBER_DOCS_NET} ? undef : !Prober::Etcd::have() ? 'there is no etcd' : Prober::Mesh::no_network() // (-d '/sys/module/overlay' || slurp('/proc/filesystems') =~ /overlay/ ? undef : 'no overlay');
    plan(skip_all => $why) if $why;
    if (!$ENV{PROBER_DOCS_NET}) {
        $ENV{PROBER_DOCS_NET} = 1;
        exec 'unshare', '--net', '--mount', '--propagation', 'private', $^X, $0, @ARGV or die "unshare: $!";
    }
}

my $root = root();
my $dir = tempdir();
sub must { my ($status, $said) = run(@_); die "@_: $said" if $status != 0; return $said }

# File systems that keep nothing, and the programs as make installs them.
my @programs = map { "$root/build/$_" } qw(prober-collector proberctl ngx_http_prober_module.so);
is_deeply([ grep { !-e } @programs ], [], 'all is built');
must('sh', '-ec', <<'SH', '/mnt');
mount -t tmpfs tmpfs "$0"; mkdir "$0/over"
for top in etc usr var root; do
    mkdir "$0/over/$top" "$0/over/$top.work"
    mount -t overlay overlay -o "lowerdir=/$top,upperdir=$0/over/$top,workdir=$0/over/$top.work" "/$top"
done
mount -t tmpfs -o mode=755 tmpfs /run
ip link set lo up
for n in 1 2 3 221; do ip addr add 10.0.0.$n/24 dev lo; done
SH
must('make', '-s', '-C', $root, 'install', '-o', 'build/prober-collector', '-o', 'build/proberctl', '-o', 'build/ngx_http_prober_module.so', 'DESTDIR=');
must('sh', '-ec', 'mkdir -p /etc/cassandra /run/cassandra-prober; mkdir -p /var/log/nginx');

my $fleet = Prober::Fleet->start(network => '10.0.0', layout => 'dc1:r1=1,r2=1,r3=1', convict => 0.5, boot => 0.5);
my @ip = @{ $fleet->{nodes} };
is("@ip", '10.0.0.1 10.0.0.2 10.0.0.3', 'the nodes are those of the pages');

my $etcd = Prober::Etcd->start(members => 1, base => '10.0.0.2');
$ENV{ETCDCTL_ENDPOINTS} = "$etcd->{member}[0]{ip}:$etcd->{member}[0]{client}";

# This host's paths are the default ones.
sub paths {
    my ($n) = @_;
    my ($run, $state) = $n == 1 ? ('/run/cassandra-prober', '/run/cassandra-prober/state.json') : ("$dir/host$n", "$dir/host$n/state.json");
    mkdir $run;
    return ($run, $state);
}
my @collectors;
for my $n (1 .. 3) {
    my ($run, $state) = paths($n);
    my $conf = <<"CONF";
local: { source = "jolokia+http://10.0.0.$n:$fleet->{port}/jolokia"; };
poll: { interval = "200ms"; timeout = "1s"; };
readiness: { settle = "500ms"; rehab = "0"; };
gates: { stable = "500ms"; bootstrap_grace = "0"; };
segment: { path = "$run/segment"; };
control: { socket = "$run/control.sock"; };
state: { path = "$state"; };
@{[ $etcd->conf ]}
CONF
    spew('/etc/cassandra-prober/collector.conf', $conf) if $n == 1;
    push @collectors, Prober::Collector->start($conf, program => "$root/build/prober-collector");
}
spew('/etc/cassandra-prober/users', 'ops:' . crypt('secret', '$6$salt') . "\n");
spew('/root/.netrc', "machine 10.0.0.1 login ops password secret\n");
$ENV{HOME} = '/root';
spew('/etc/cassandra/cassandra.yaml', "seed_provider:\n  - parameters:\n      - seeds: \"10.9.9.9\"\nlisten_address: 10.0.0.1\n");
my $site = slurp('/usr/share/cassandra-prober/nginx-site.conf');
$site =~ s/^(\s*limit_except[^\n]*\n)\s*deny all;\n/$1/m or die 'no deny';
$site =~ s/^(\s*)# (allow all;|auth_basic)/$1$2/mg;
$site =~ s/# allow 10\.0\.0\.0/allow 10.0.0.0/ or die 'no network of the others';
$site =~ s/^\s*listen \[::\][^\n]*\n//m;
my $servers = join '', map {
    my ($run) = paths($_);
    $site =~ s/listen 8888;/listen 10.0.0.$_:8888; prober_segment $run\/segment;/r =~ s{/run/cassandra-prober/control}{$run/control}r;
} 1 .. 3;
nginx("%%GLOBALS%%\nhttp { %%HTTP%% $servers }\n");
$_->wait_ready for @collectors;
my $all_ready = sub {
    for my $at (@ip) {
        my $answer = http(8888, 'GET /nodes', address => $at);
        return 0 if (() = $answer->{body} =~ /"verdict":"ready"/g) != 3;
        # Each host has its own part of what the others say.
        return 0 if http(8888, "GET /healthz/$ip[2]", address => $at)->{body} ne "{\"/10.0.0.1\":\"UP\",\"/10.0.0.2\":\"UP\",\"/10.0.0.3\":\"UP\"}\n";
    }
    return 1;
};
wait_for($all_ready, 'three ready nodes on three hosts', 60);
wait_for(sub { http(8888, 'GET /allseeds', address => $ip[0])->{body} =~ /10\.0\.0\.3/ }, 'seeds', 60);

sub given {
    for (@_) {
        my ($what, $ip) = /^(crash|start) (\S+)$/ or die "given: $_";
        $fleet->post("nodes/$ip/$what");
        wait_for($all_ready, "$ip to be back", 60) if $what eq 'start';
    }
}

# What shows something is asked until it shows that: the pages tell of a cluster at rest.
sub check {
    my ($command) = @_;
    my ($status, $said, $missing);
    my $shows = @{ $command->{says} } && $command->{command} =~ /^(?:proberctl (?:status|nodes|why|seeds$|dcs|plan|regions|wait)|curl)/;
    my $once = sub {
        ($status, $said) = run('sh', '-c', "cd $dir && $command->{command}");
        $missing = Prober::Docs::says($command, $said);
        return Prober::Docs::is_answer($command, $status) && !defined $missing;
    };
    my $good = $shows ? eval { wait_for($once, 'it', 20) } : $once->();
    ok($good, Prober::Docs::name($command)) or diag("status $status\n", defined $missing ? "missing: $missing\n" : '', $said);
}

for my $command (grep { $_->{place} eq 'scratch' } Prober::Docs::commands()) {
    given(@{ $command->{given} });
    check($command);
    given(@{ $command->{after} || [] });
}
wait_for($all_ready, 'all is as before', 60);
like(slurp('/etc/cassandra/cassandra.yaml'), qr/seeds: "10\.0\.0\.2,10\.0\.0\.3"/, 'the seeds went into the file');

# The blocks of configuration
SKIP: {
    skip 'no haproxy', 1 if !grep { -x "$_/haproxy" } '/usr/sbin', '/usr/bin';
    for my $block (Prober::Docs::blocks('haproxy')) {
        my $file = spew("$dir/block.cfg", "defaults\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n$block->{text}\nfrontend f\n mode tcp\n bind 127.0.0.1:1\n default_backend cql\n");
        my ($status, $said) = run('haproxy', '-c', '-f', $file);
        is($status, 0, "haproxy takes $block->{file}:$block->{line}" =~ s{\Q$root/\E}{}r) or diag($said);
    }
}
for my $block (Prober::Docs::blocks('conf')) {
    my $file = spew("$dir/block.conf", $block->{text});
    is_deeply([ run('prober-collector', '--check-config', '--config', $file) ], [ 0, '' ], "the collector takes $block->{file}:$block->{line}" =~ s{\Q$root/\E}{}r);
}
for my $block (Prober::Docs::blocks('nginx')) {
    my $n = Prober::Nginx->new;
    my ($status, $said) = $n->check("%%GLOBALS%%\nhttp { %%HTTP%% $block->{text} }\n");
    is($status, 0, "nginx takes $block->{file}:$block->{line}" =~ s{\Q$root/\E}{}r) or diag($said);
}

$fleet->stop;
$etcd->stop_all;
done();
