#!/usr/bin/perl
# The examples for administrators, with the programs that they are for.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Find ();
use JSON::PP;
use Test::More;
use Prober::Test;
use Prober::Collector;
use Prober::Fleet;
use Prober::Haproxy;
use Prober::Manager;

my $root = root();
my $examples = "$root/packaging/examples";
my $dir = tempdir();
sub tool { my ($tool) = @_; return (grep { -x } map { "$_/$tool" } split(/:/, $ENV{PATH}), '/usr/sbin', '/sbin')[0] }

# Each is told about in the list, and there is nothing else there.
{
    my @files;
    File::Find::find({ no_chdir => 1, wanted => sub { push @files, substr $_, length("$examples/") if -f } }, $examples);
    my @listed = slurp("$examples/README") =~ m{^(\S+)  +\w}gm;
    is_deeply([ grep { my $file = $_; $file ne 'README' && !grep { $file eq $_ || m{/$} && index($file, $_) == 0 } @listed } @files ],
        [], 'every example is in the list');
    is_deeply([ grep { !-e "$examples/$_" } @listed ], [], 'and all of the list is there');
}

# Units and drop-ins, beside those of the system; programs that are not installed here are stood in for.
SKIP: {
    skip 'no systemd-analyze', 1 unless tool('systemd-analyze') && -d '/lib/systemd/system';
    my $there = "$dir/root";
    run('sh', '-ec', 'mkdir -p "$0/etc/systemd/system" "$0/lib/systemd" "$0/usr/bin" "$0/usr/sbin" "$0/bin"
        cp -r /lib/systemd/system "$0/lib/systemd/"; cp -r "$1"/systemd/*.service* "$1"/systemd/*.path "$0/lib/systemd/system/"
        cp -r "$1"/packaging/examples/*.service* "$0/etc/systemd/system/"', $there, $root);
    my @jobs = map { m{/([^/]+)\.d$} } glob "$root/systemd/*.d"; # a template is verified by what is made of it
    my @units = (grep({ !/@\.service$/ } map { s{.*/}{}r } glob "$examples/*.service $root/systemd/*.service $root/systemd/*.path"), @jobs);
    for my $unit (glob "$there/etc/systemd/system/*.service $there/etc/systemd/system/*/*.conf $there/lib/systemd/system/prober-* $there/lib/systemd/system/cassandra-*/*.conf") {
        for my $program (slurp($unit) =~ m{^Exec(?:Start|Stop|Reload)\w*=[-+@!:]*(/\S+)}gm) {
            spew("$there$program", "#!/bin/sh\n");
            chmod 0755, "$there$program";
        }
    }
    cmp_ok(scalar(@units), '>', 2, 'the units are found');
    my ($status, $said) = run('systemd-analyze', 'verify', '--man=no', "--root=$there", @units);
    is("$status:$said", "0:", "systemd-analyze verify: @units, with drop-ins");
}

# YAML, and what it means where its programs are there.
SKIP: {
    my @files = glob "$examples/*/*.yml";
    cmp_ok(scalar(@files), '>', 3, 'the plays and rules are found');
    skip 'no YAML here', 1 if (run('python3', '-c', 'import yaml'))[0] != 0;
    is_deeply([ run('python3', '-c', 'import sys, yaml; [yaml.safe_load(open(f)) for f in sys.argv[1:]]', @files) ], [ 0, '' ], 'all are YAML');
}
# JSON: the dashboard (t/prometheus.t looks into it), and what Consul is told: a service, and how it is checked.
{
    my %json = map { $_ => eval { decode_json(slurp($_)) } } glob "$examples/*/*.json";
    is_deeply([ grep { !$json{$_} } sort keys %json ], [], 'all is JSON');
    my $service = $json{"$examples/consul/cassandra.json"}{service};
    my ($check) = @{ $service->{checks} };
    my %key = map { $_ => 1 } qw(id name http method interval timeout success_before_passing failures_before_critical);
    is_deeply([ grep { !$key{$_} } sort keys %$check ], [], "consul: the check's keys are Consul's");
    like($check->{http}, qr{^http://[\d.]+:8888/ready$}, 'it asks /ready');
    like($check->{$_}, qr/^\d+s$/, "$_ is a duration") for qw(interval timeout);
}
SKIP: {
    skip 'no promtool', 1 unless tool('promtool');
    is((run('promtool', 'check', 'rules', "$examples/prometheus/alerts.yml"))[0], 0, 'promtool takes the alerts');
}
SKIP: {
    skip 'no ansible', 2 unless tool('ansible-playbook');
    is((run('ansible-playbook', '-i', 'localhost,', '--syntax-check', $_))[0], 0, "ansible takes $_") for glob "$examples/ansible/*.yml";
}

# A cluster, and two hosts' probers of three.
my $fleet = Prober::Fleet->start(layout => 'dc1:r1=3', convict => 0.5, boot => 0.5);
my @ip = @{ $fleet->{nodes} };
my $collector = Prober::Collector->start(fleet_conf($fleet, qq(poll: { interval = "200ms"; timeout = "500ms"; view_ttl = "700ms"; };
readiness: { settle = "500ms"; rehab = "0"; };)));
$collector->wait_ready;
my $site = sub { "%%GLOBALS%%\nhttp { %%HTTP%%\nprober_segment $dir/segment;\n    server { listen 127.0.0.1:%%PORT%%; $_[0] } }\n" };
my @nginx = map { nginx($site->('location / { prober; }')) } 1, 2;

# keepalived's script.
my $check = sub { (run("$examples/keepalived/check-ready", 'http://127.0.0.1:' . $nginx[0]->port . '/ready'))[0] };
is($check->(), 0, 'check-ready: ready');

# HAProxy, with what is made up replaced.
SKIP: {
    skip 'no haproxy', 6 unless -x Prober::Haproxy::binary();
    my $conf = slurp("$examples/haproxy.cfg");
    my @port = ((map { $_->port } @nginx), free_port());
    $conf =~ s/bind :9042/bind 127.0.0.1:%%cql%%/        or die 'no CQL';
    $conf =~ s/(port|127\.0\.0\.1:)( ?)8889/$1$2%%prober%%/g == 2 or die 'no prober';
    for my $i (0 .. 2) {
        my $n = $i + 1;
        $conf =~ s/10\.0\.0\.$n:8888/127.0.0.1:$port[$i]/ or die "no prober of host $n";
        $conf =~ s/10\.0\.0\.$n(?=[: ])/$ip[$i]/g == 2    or die "no node $n";
    }
    my $haproxy = Prober::Haproxy->start_with({ ports => [ 'cql', 'prober' ], timeout => '1h' }, $conf);
    my $status = sub { my $stats = $haproxy->stats; join ' ', map { ($stats->{$_}{status} // 'none') =~ /^(\w+)/ } map { "cql/$_" } @ip };
    my $prober = sub { $haproxy->stats->{"probers/$_[0]"}{status} // '' };
    wait_for(sub { $prober->('host3') eq 'DOWN' && $prober->('host1') eq 'UP' && $prober->('host2') eq 'UP' }, 'the probers to be told apart', 20);
    is($status->(), 'UP UP UP', 'haproxy: all nodes are UP, one prober is dead');
    # A host that is cut off from the others: its node is not ready, and it sees nobody who is.
    $nginx[1]->reload($site->("location = /ready { return 503; } location / { return 404 '{}'; }"));
    my $until = time + 5;
    my %seen;
    while (time < $until) { $seen{ $status->() }++; select undef, undef, undef, 0.1 }
    is_deeply([ keys %seen ], ['UP UP UP'], 'a prober that is cut off takes no node out');
    is($prober->('host2'), 'DOWN', 'and is not asked');
    $nginx[1]->reload($site->('location / { prober; }'));
    wait_for(sub { $prober->('host2') eq 'UP' }, 'it to be back', 20);
    $nginx[1]->stop;
    wait_for(sub { $prober->('host2') eq 'DOWN' }, 'the death of a prober to be seen', 20);
    is($status->(), 'UP UP UP', 'the death of a prober takes no node out');
    $fleet->post("nodes/$ip[1]/crash");
    wait_for(sub { $status->() eq 'UP DOWN UP' }, 'the crash to get to haproxy', 20);
    pass('a node that is not ready is DOWN');
    $fleet->post("nodes/$ip[1]/start");
    wait_for(sub { $status->() eq 'UP UP UP' }, 'its return to get there', 20);
    pass('and UP when it is back');
}

$fleet->post("nodes/$ip[0]/crash");
wait_for(sub { $check->() != 0 }, 'check-ready to see it');
pass('check-ready: not ready');

# drain.conf drains when somebody stops Cassandra, not when it has ended by itself.
SKIP: {
    my $missing = Prober::Manager::missing();
    skip $missing, 5 if $missing;
    my $drain = slurp("$examples/cassandra.service.d/drain.conf") =~ s/^After=.*$//mr;
    # As root there, which a user's systemd is already.
    $drain =~ s{^(\w+)=-\+?(.*)$}{$1=-$2}mg;
    $drain =~ s{/usr/bin/proberctl}{$dir/proberctl}g == 2 or die 'drain.conf has changed';
    $drain =~ s/sleep 10/sleep 1/ or die 'drain.conf has changed';
    chmod 0755, spew("$dir/proberctl", "#!/bin/sh\n# The collector is away the first time.\n[ -e $dir/away ] || { : >$dir/away; exit 2; }\necho \"\$1\" >>$dir/asked\n");
    my $manager = Prober::Manager->start(units => { 'cassandra.service' => "[Service]\nType=exec\nExecStart=/bin/sleep infinity\n$drain" });
    my $state = sub { ($manager->systemctl('is-active', 'cassandra.service'))[1] };
    my $asked = sub { join ' ', split ' ', -e "$dir/asked" ? slurp("$dir/asked") : '' };
    is(($manager->systemctl('start', 'cassandra.service'))[0], 0, 'drain.conf: it starts');
    is($asked->(), 'undrain', 'and serves');
    # Of one that ended well systemd runs what is to stop it, and not of one that was killed.
    for my $signal (qw(TERM KILL)) {
        $manager->systemctl('kill', '--kill-who=main', "--signal=$signal", 'cassandra.service');
        wait_for(sub { $state->() =~ /^(?:inactive|failed)/m }, 'it to be seen as dead', 30);
        is($asked->(), 'undrain', "an end by itself ($signal) is no drain");
        unlink "$dir/asked";
        $manager->systemctl('start', 'cassandra.service');
    }
    $manager->systemctl('stop', 'cassandra.service');
    is($asked->(), 'undrain drain', 'a stop is one');
    $manager->stop;
}

done();
