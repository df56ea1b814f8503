#!/usr/bin/perl
# A stranger's walk: the commands of README.md, as they stand there, drain a node of a real cluster, restart it and have it back, on
# three hosts with a real Cassandra each. The commands of the installation before are run by t/boot.t.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Prober::Docs;
use Prober::Mesh;
use Prober::Test;

BEGIN { Prober::Mesh::own_network() }

my $root = root();
my $dir = tempdir();
my @walk = grep { $_->{place} eq 'walk' } Prober::Docs::commands();
my @install = grep { $_->{file} eq 'README.md' && $_->{section} eq 'Install it' } Prober::Docs::commands();
cmp_ok(@walk + @install, '<', 10, 'under ten commands: ' . (@install + @walk));

my $mesh = Prober::Mesh->new(net => '10.0.0', layout => 'dc1:r1,dc1:r2,dc1:r3', conf => 'readiness: { rehab = "0s"; };');
$mesh->start(1);
$mesh->cluster->wait_for_start(1);
$mesh->start($_) for 2, 3;
$mesh->cluster->wait_for_start($_) for 2, 3;
my $verdicts = sub { my ($at) = @_; my $nodes = $mesh->node($at); return join ' ', map { $nodes->{ $mesh->ip($_) }{verdict} // '?' } 1 .. 3 };
for my $at (1 .. 3) {
    wait_for(sub { $verdicts->($at) eq 'ready ready ready' }, "host $at to see three ready nodes", 120);
}
pass('three hosts, three ready nodes');

# On host 3: proberctl as it is installed but for its paths, and a service manager that knows one unit.
mkdir "$dir/bin";
my $tool = sub { my ($name, $script) = @_; chmod 0755, spew("$dir/bin/$name", "#!/bin/sh\n$script\n") };
$tool->('proberctl', qq(exec $root/build/proberctl --segment $dir/segment3 --socket $dir/control3 "\$@"));
# A node runs on without the command that has started it, and ends with the test.
$tool->('systemctl', qq([ "\$*" = "restart cassandra" ] || { echo "what is that: \$*"; exit 5; }
$root/t/lib/cassandra stop $dir/cassandra 3 && exec $root/t/lib/cassandra start $dir/cassandra 3 --die-with $$));
$ENV{PATH} = "$dir/bin:$ENV{PATH}";

my $healthz = sub { my ($at, $of) = @_; return $mesh->http($at, '/healthz/' . $mesh->ip($of))->{status} };
for my $command (@walk) {
    my ($status, $said) = $mesh->ask(3, 'sh', '-c', $command->{command});
    my $missing = Prober::Docs::says($command, $said);
    ok($status == 0 && !defined $missing, Prober::Docs::name($command)) or diag("status $status", defined $missing ? ", missing: $missing" : '', "\n$said");
    if ($command->{command} =~ /^proberctl drain/) {
        ok(eval { wait_for(sub { $healthz->(1, 3) == 404 && $healthz->(2, 3) == 404 }, 'the drain', 20) }, 'drained: load balancers leave it');
    }
    if ($command->{command} =~ /^systemctl/) {
        is($healthz->(1, 3), 404, 'restarted, and drained still');
    }
    is(join(' ', map { $healthz->(1, $_) } 1, 2), '200 200', 'the others serve');
}
for my $at (1, 2) {
    ok(eval { wait_for(sub { $healthz->($at, 3) == 200 }, 'it to be back', 60) }, "host $at: it is back");
}

done();
