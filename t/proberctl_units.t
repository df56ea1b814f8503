#!/usr/bin/perl
# The units that put the seeds into cassandra.yaml, and the drop-in of the operator's guide, as systemd reads them.
use strict;
use warnings;
use File::Path 'make_path';
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Prober::Test;

plan skip_all => 'there is no systemd-analyze' if system 'command -v systemd-analyze >/dev/null';

# A system with nothing in it but these.
my $dir = tempdir() . '/system';
my $units = "$dir/etc/systemd/system";
make_path("$dir/usr/bin", "$dir/usr/sbin", "$dir/bin", "$units/cassandra.service.d");
chmod 0755, spew("$dir$_", '') for qw(/usr/bin/proberctl /usr/sbin/prober-collector /bin/kill /bin/rm /bin/true);
spew("$units/$_", slurp(root() . "/systemd/$_")) for qw(prober-seeds.path prober-seeds.service prober-collector.service);
spew("$units/$_.target", "[Unit]\n") for qw(sysinit basic shutdown network paths multi-user umount);
spew("$units/cassandra.service", "[Service]\nExecStart=/bin/true\n");
my ($drop_in) = slurp(root() . '/doc/operators-guide.md') =~ m{^ +\# /etc/systemd/system/cassandra\.service\.d/seeds\.conf.*\n((?: {4}\S.*\n)+)}m;
spew("$units/cassandra.service.d/seeds.conf", ($drop_in // die 'no drop-in') =~ s/^ {4}//gmr);

sub verify { return run('systemd-analyze', 'verify', '--man=no', "--root=$dir", @_) }
my ($status, $said) = verify('prober-seeds.path', 'prober-seeds.service', 'cassandra.service');
is($said, '', 'systemd has nothing to say of them');
is($status, 0, 'and takes them');
like((run('systemd-analyze', 'cat-config', "--root=$dir", 'systemd/system/cassandra.service'))[1],
    qr/^Wants=prober-collector\.service\nAfter=prober-collector\.service\n.*--timeout 30s$/ms, 'Cassandra starts with a list that the collector has');
like(slurp("$units/prober-seeds.path"), qr/^\[Unit\]\n(?:(?!\[).*\n)*Wants=prober-seeds\.service\n/m, 'to watch begins with a first run');

done();
