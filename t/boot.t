#!/usr/bin/perl
# A really booted Debian 12 (systemd-nspawn): the packages are installed, upgraded, removed there, and the service, with all its
# confinement, is hit in many ways; t/lib/boot_inside.pl says how. Nothing of this host is touched.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cwd ();
use Test::More;
use Prober::Hosts;
use Prober::JmxNode;
use Prober::Test;

use constant SECONDS => 400; # before it is ended by force

sub no_boot {
    return 'a container needs root' if $> != 0;
    for my $tool (qw(systemd-nspawn debootstrap dpkg-buildpackage dpkg-deb)) {
        return "there is no $tool" if !grep { -x "$_/$tool" } qw(/usr/sbin /usr/bin);
    }
    return (run(qw(unshare --mount --pid --net --uts --ipc --fork true)))[0] == 0 ? undef : 'this kernel makes no namespaces';
}
my $why = no_boot();
plan(skip_all => $why) if $why;

sub must { my ($status, $said) = run(@_); die "@_\n$said" if $status != 0; return $said }

# The same packages with a higher version.
sub next_version {
    my ($from, $to, $old) = @_;
    my $new = "$old+next";
    my $dir = tempdir() . '/unpacked';
    must('dpkg-deb', '-R', $from, $dir);
    spew("$dir/DEBIAN/control", slurp("$dir/DEBIAN/control") =~ s/^Version: \Q$old\E$/Version: $new/mr =~ s/\(= \Q$old\E\)/(= $new)/gr);
    must('dpkg-deb', '--root-owner-group', '-b', $dir, "$to/" . $from =~ s{.*/}{}r =~ s/_\Q$old\E_/_${new}_/r);
    must('rm', '-rf', $dir);
}

sub packages {
    my ($out) = @_;
    for my $package (grep { !/-dbgsym_/ } glob "$out/deb/*.deb") {
        my ($old) = $package =~ /_([^_]+)_[^_]+\.deb$/;
        must('cp', $package, "$out/old/");
        next_version($package, "$out/new", $old);
    }
}

my $out = tempdir();
mkdir "$out/$_" or die for qw(deb old new);
my $debian = Prober::Hosts::make_common("$out/deb");
packages($out);
spew("$out/inside.service", <<'UNIT');
[Unit]
Description=What a test does
SuccessAction=exit
FailureAction=exit
[Service]
ExecStart=/usr/bin/perl /checkout/t/lib/boot_inside.pl
StandardOutput=append:/out/log
StandardError=append:/out/log
UNIT

# The JVM of this host, a Debian like that one, is lent to it.
sub java {
    my ($java) = map { Cwd::abs_path($_) // () } grep { -x "${_}c" } '/usr/bin/java';
    return if !$java || $java !~ m{^/usr/lib/jvm/};
    Prober::JmxNode::classes(); # into $out/classes
    spew("$out/java", $java);
    return map { "--bind-ro=$_" } '/usr/lib/jvm', glob '/etc/java-*-openjdk';
}

# A control group of its own: the service manager inside takes what is in its group for its own services, also those of another
# such machine.
my @groups = map { "$_/prober-boot-$$" } grep { -e "$_/cgroup.procs" } '/sys/fs/cgroup', glob '/sys/fs/cgroup/{systemd,unified}';
my $enter = 'for group; do [ "$group" != -- ] || break; mkdir "$group" && echo $$ >"$group/cgroup.procs" || exit; shift; done; shift; exec "$@"';
my $machine;
END { my $was = $?; $machine->stop if $machine; run('find', $_, qw(-depth -type d -exec rmdir {} ;)) for grep { -d } @groups; $? = $was }

$machine = start(
    name => 'nspawn',
    command => [ 'sh', '-c', $enter, 'sh', @groups, '--', qw(systemd-nspawn -q -b --register=no --keep-unit --private-network --console=read-only --volatile=overlay),
        '-D', $debian, '-M', "prober-$$", "--bind=$out:/out", '--bind-ro=' . root() . '/t:/checkout/t',
        "--bind-ro=$out/inside.service:/etc/systemd/system/inside.service", java(), 'systemd.wants=inside.service' ]);

# Its steps are ours.
my ($read, $planned) = (0, 0);
sub pass_on {
    my @lines = split /^/, slurp("$out/log");
    pop @lines if @lines && $lines[-1] !~ /\n\z/;
    for my $line (@lines[ $read .. $#lines ]) {
        chomp $line;
        if    ($line =~ /^(not )?ok \d+(?: - (.*))?$/) { ok(!$1, $2) }
        elsif ($line =~ /^1\.\.(\d+)$/)               { $planned = $1 }
        elsif ($line =~ /^\s*not ok|^\s+#   |^# (?!Subtest)/) { diag($line) }
        else                                            { note($line) }
    }
    $read = @lines;
}
my $end = time + SECONDS;
while ($machine->alive && time < $end) {
    pass_on();
    select undef, undef, undef, 0.2;
}
my $ended = !$machine->alive;
pass_on();
ok($ended, 'the machine ended by itself') or $machine->stop('KILL');
is($machine->{status}, 0, 'and well') or diag($machine->output);
is(Test::More->builder->current_test - 2, $planned, 'all steps were done');
done();
