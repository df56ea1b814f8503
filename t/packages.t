#!/usr/bin/perl
# What `make deb` and `make rpm` make of the commit at hand: every file with its owner and mode, what the distributions' own
# critics say, how the binaries are hardened, what they depend on. t/boot.t installs them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Prober::Test;
use Test::More;

chdir root() or die root() . ": $!";
my $out = tempdir();
my ($version) = slurp('Makefile') =~ /^VERSION := (\S+)$/m;
chomp(my $commit = `git rev-parse HEAD`);
chomp(my $machine = `dpkg --print-architecture`);
chomp(my $rpm_machine = `uname -m`);

sub lines { join "\n", @_, '' }

# Runs a command that has to succeed; what it said.
sub said {
    my (@command) = @_;
    my ($status, $said) = run(@command);
    is($status, 0, join(' ', grep { defined } @command[0, 1])) or diag($said);
    return $said;
}

# "mode owner path" of everything in a package but the directories that are the distribution's.
my $theirs = qr{^d\S+ \S+ /(?!etc/cassandra-prober$|usr/share/(doc/|licenses/)?[^/]*prober[^/]*$|.*/examples)};
sub in_deb {
    my ($package) = @_;
    my @found = map { m{^(\S+) (\S+) +\d+ \S+ \S+ \.(/.*?)/?(?: -> .*)?$} ? "$1 $2 $3" : () }
        split /\n/, said('dpkg-deb', '-c', "$out/deb/${package}_${version}_$machine.deb");
    return lines(sort { (split ' ', $a)[2] cmp (split ' ', $b)[2] } grep { !/$theirs/ } @found);
}

sub rpm_file {
    my ($package) = @_;
    return "$out/rpm/$package-$version-1." . ($package =~ /selinux/ ? 'noarch' : $rpm_machine) . '.rpm';
}

# Without the links to debug information, whose names are hashes.
sub in_rpm {
    my ($package) = @_;
    my $found = said('rpm', '-qp', '--qf', '[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILENAMES}\n]', rpm_file($package));
    return lines(sort { (split ' ', $a)[2] cmp (split ' ', $b)[2] }
            grep { !/$theirs|\.build-id/ } split /\n/, $found =~ s/-\Q$version\E//gr);
}

# The files under a directory of the commit, where they are to be installed, as examples with their modes.
sub committed {
    my ($under, $to, $owner) = @_;
    my %directory;
    my @files;
    for (split /\n/, said('git', 'ls-tree', '-r', $commit, $under)) {
        my ($executable, $path) = /^100(755|644) .*\t\Q$under\E(.*)$/ or die "git: $_";
        push @files, ($executable == 755 ? '-rwxr-xr-x' : '-rw-r--r--') . " $owner $to$path";
        $directory{$path} = 1 while $path =~ s{/[^/]+$}{} && $path ne '';
    }
    return @files, map { "drwxr-xr-x $owner $to$_" } '', keys %directory;
}

sub listed {
    my ($list, @more) = @_;
    return lines(sort { (split ' ', $a)[2] cmp (split ' ', $b)[2] } (split /\n/, $list), @more);
}

my $examples = '/usr/share/doc/cassandra-prober/examples';
my @images = grep { !/^d/ } committed('doc/images', '/usr/share/doc/cassandra-prober/images', 'root/root');

said('make', 'deb', "OUT=$out", "TREE=$commit");
is(in_deb('cassandra-prober'), listed(<<'LIST', committed('packaging/examples', $examples, 'root/root'), @images), 'cassandra-prober.deb');
drwxr-xr-x root/root /etc/cassandra-prober
-rw-r--r-- root/root /etc/cassandra-prober/collector.conf
-rw-r--r-- root/root /lib/systemd/system/cassandra-prober-job@.service
-rw-r--r-- root/root /lib/systemd/system/cassandra-prober-job@cleanup.service.d/exec.conf
-rw-r--r-- root/root /lib/systemd/system/cassandra-prober-job@repair.service.d/exec.conf
-rw-r--r-- root/root /lib/systemd/system/cassandra-prober-job@restart.service.d/exec.conf
-rw-r--r-- root/root /lib/systemd/system/prober-collector.service
-rw-r--r-- root/root /lib/systemd/system/prober-seeds.path
-rw-r--r-- root/root /lib/systemd/system/prober-seeds.service
-rwxr-xr-x root/root /usr/bin/proberctl
-rw-r--r-- root/root /usr/lib/systemd/catalog/cassandra-prober.catalog
-rw-r--r-- root/root /usr/lib/sysusers.d/cassandra-prober.conf
-rw-r--r-- root/root /usr/lib/tmpfiles.d/cassandra-prober.conf
-rwxr-xr-x root/root /usr/sbin/prober-collector
-rw-r--r-- root/root /usr/share/bash-completion/completions/prober-collector
-rw-r--r-- root/root /usr/share/bash-completion/completions/proberctl
drwxr-xr-x root/root /usr/share/doc/cassandra-prober
-rw-r--r-- root/root /usr/share/doc/cassandra-prober/ARCHITECTURE.md
-rw-r--r-- root/root /usr/share/doc/cassandra-prober/README.md
-rw-r--r-- root/root /usr/share/doc/cassandra-prober/changelog.gz
-rw-r--r-- root/root /usr/share/doc/cassandra-prober/copyright
-rw-r--r-- root/root /usr/share/doc/cassandra-prober/glossary.md
-rw-r--r-- root/root /usr/share/doc/cassandra-prober/incident.md
-rw-r--r-- root/root /usr/share/doc/cassandra-prober/load-balancers.md
-rw-r--r-- root/root /usr/share/doc/cassandra-prober/operators-guide.md
-rw-r--r-- root/root /usr/share/doc/cassandra-prober/rolling-operations.md
-rw-r--r-- root/root /usr/share/doc/cassandra-prober/security.md
-rw-r--r-- root/root /usr/share/doc/cassandra-prober/troubleshooting.md
-rw-r--r-- root/root /usr/share/doc/cassandra-prober/upgrade.md
-rw-r--r-- root/root /usr/share/lintian/overrides/cassandra-prober
-rw-r--r-- root/root /usr/share/man/man1/proberctl.1.gz
-rw-r--r-- root/root /usr/share/man/man5/collector.conf.5.gz
-rw-r--r-- root/root /usr/share/man/man8/prober-collector.8.gz
-rw-r--r-- root/root /usr/share/polkit-1/rules.d/50-cassandra-prober.rules
LIST
is(in_deb('libnginx-mod-http-prober'), listed(<<'LIST'), 'libnginx-mod-http-prober.deb');
-rw-r--r-- root/root /usr/lib/nginx/modules/ngx_http_prober_module.so
drwxr-xr-x root/root /usr/share/cassandra-prober
-rwxr-xr-x root/root /usr/share/cassandra-prober/nginx-reexec
-rw-r--r-- root/root /usr/share/cassandra-prober/nginx-site.conf
drwxr-xr-x root/root /usr/share/doc/libnginx-mod-http-prober
-rw-r--r-- root/root /usr/share/doc/libnginx-mod-http-prober/changelog.gz
-rw-r--r-- root/root /usr/share/doc/libnginx-mod-http-prober/copyright
-rw-r--r-- root/root /usr/share/man/man5/ngx_http_prober_module.5.gz
-rw-r--r-- root/root /usr/share/nginx/modules-available/mod-http-prober.conf
LIST
is(said('lintian', '--allow-root', '--fail-on', 'error,warning', glob "$out/deb/*.changes"), '', 'lintian has nothing to say');

said('dpkg-deb', '-e', "$out/deb/cassandra-prober_${version}_$machine.deb", "$out/collector-control");
said('dpkg-deb', '-e', "$out/deb/libnginx-mod-http-prober_${version}_$machine.deb", "$out/module-control");
is(slurp("$out/collector-control/conffiles"), "/etc/cassandra-prober/collector.conf\n", 'the configuration is the administrator\'s');
my $postinst = slurp("$out/collector-control/postinst");
like($postinst, qr/deb-systemd-helper enable 'prober-collector\.service'/, 'the collector is enabled');
like($postinst, qr/deb-systemd-invoke \$_dh_action 'prober-collector\.service'/, 'and started');
unlike($postinst, qr/deb-systemd-invoke [^\n]*prober-seeds/, 'what writes to Cassandra is not');
my ($abi) = `dpkg-query -W -f '\${Provides}' nginx` =~ /(nginx-abi-[^,\s]+)/;
my ($depends) = slurp("$out/module-control/control") =~ /^Depends: (.*)/m;
like($depends, qr/(^|, )\Q$abi\E(,|$)/, "the module is for $abi alone");
like($depends, qr/(^|, )cassandra-prober \(= \Q$version\E\)(,|$)/, 'and for the collector of its build');

said('make', 'rpm', "OUT=$out", "TREE=$commit");
is(in_rpm('cassandra-prober'), listed(<<'LIST', committed('packaging/examples', $examples, 'root/root'), @images), 'cassandra-prober.rpm');
drwxr-xr-x root/root /etc/cassandra-prober
-rw-r--r-- root/root /etc/cassandra-prober/collector.conf
-rwxr-xr-x root/root /usr/bin/proberctl
-rw-r--r-- root/root /usr/lib/systemd/catalog/cassandra-prober.catalog
-rw-r--r-- root/root /usr/lib/systemd/system/cassandra-prober-job@.service
-rw-r--r-- root/root /usr/lib/systemd/system/cassandra-prober-job@cleanup.service.d/exec.conf
-rw-r--r-- root/root /usr/lib/systemd/system/cassandra-prober-job@repair.service.d/exec.conf
-rw-r--r-- root/root /usr/lib/systemd/system/cassandra-prober-job@restart.service.d/exec.conf
-rw-r--r-- root/root /usr/lib/systemd/system/prober-collector.service
-rw-r--r-- root/root /usr/lib/systemd/system/prober-seeds.path
-rw-r--r-- root/root /usr/lib/systemd/system/prober-seeds.service
-rw-r--r-- root/root /usr/lib/sysusers.d/cassandra-prober.conf
-rw-r--r-- root/root /usr/lib/tmpfiles.d/cassandra-prober.conf
-rwxr-xr-x root/root /usr/sbin/prober-collector
-rw-r--r-- root/root /usr/share/bash-completion/completions/prober-collector
-rw-r--r-- root/root /usr/share/bash-completion/completions/proberctl
drwxr-xr-x root/root /usr/share/doc/cassandra-prober
-rw-r--r-- root/root /usr/share/doc/cassandra-prober/ARCHITECTURE.md
-rw-r--r-- root/root /usr/share/doc/cassandra-prober/README.md
-rw-r--r-- root/root /usr/share/doc/cassandra-prober/glossary.md
-rw-r--r-- root/root /usr/share/doc/cassandra-prober/incident.md
-rw-r--r-- root/root /usr/share/doc/cassandra-prober/load-balancers.md
-rw-r--r-- root/root /usr/share/doc/cassandra-prober/operators-guide.md
-rw-r--r-- root/root /usr/share/doc/cassandra-prober/rolling-operations.md
-rw-r--r-- root/root /usr/share/doc/cassandra-prober/security.md
-rw-r--r-- root/root /usr/share/doc/cassandra-prober/troubleshooting.md
-rw-r--r-- root/root /usr/share/doc/cassandra-prober/upgrade.md
drwxr-xr-x root/root /usr/share/licenses/cassandra-prober
-rw-r--r-- root/root /usr/share/licenses/cassandra-prober/LICENSE
-rw-r--r-- root/root /usr/share/man/man1/proberctl.1.gz
-rw-r--r-- root/root /usr/share/man/man5/collector.conf.5.gz
-rw-r--r-- root/root /usr/share/man/man8/prober-collector.8.gz
-rw-r--r-- root/root /usr/share/polkit-1/rules.d/50-cassandra-prober.rules
LIST
is(in_rpm('nginx-mod-http-prober'), listed(<<'LIST'), 'nginx-mod-http-prober.rpm');
-rwxr-xr-x root/root /usr/lib64/nginx/modules/ngx_http_prober_module.so
drwxr-xr-x root/root /usr/share/cassandra-prober
-rwxr-xr-x root/root /usr/share/cassandra-prober/nginx-reexec
-rw-r--r-- root/root /usr/share/cassandra-prober/nginx-site.conf
drwxr-xr-x root/root /usr/share/licenses/nginx-mod-http-prober
-rw-r--r-- root/root /usr/share/licenses/nginx-mod-http-prober/LICENSE
-rw-r--r-- root/root /usr/share/man/man5/ngx_http_prober_module.5.gz
-rw-r--r-- root/root /usr/share/nginx/modules/mod-http-prober.conf
LIST
is(in_rpm('cassandra-prober-selinux'), listed(<<'LIST'), 'cassandra-prober-selinux.rpm');
drwxr-xr-x root/root /usr/share/licenses/cassandra-prober-selinux
-rw-r--r-- root/root /usr/share/licenses/cassandra-prober-selinux/LICENSE
-rw-r--r-- root/root /usr/share/selinux/packages/targeted/cassandra_prober.pp
LIST
is(said('rpm', '-qpc', rpm_file('cassandra-prober')), "/etc/cassandra-prober/collector.conf\n", 'the configuration is the administrator\'s');
like(said('rpm', '-qp', '--requires', rpm_file('nginx-mod-http-prober')), qr/^nginx\(abi\) = \S+$/m, 'the module is for one nginx alone');

# The spec file is understood with EL's macros only.
symlink root() . '/packaging/rpm/ci.macros', "$out/.rpmmacros" or die "$out/.rpmmacros: $!";
my @rpms = map { rpm_file($_) } qw(cassandra-prober nginx-mod-http-prober cassandra-prober-selinux);
like(said('env', "HOME=$out", 'rpmlint', '-c', 'packaging/rpm/rpmlint.toml', @rpms, 'packaging/rpm/cassandra-prober.spec'),
    qr/ 3 packages and 1 specfiles checked; 0 errors, 0 warnings,/, 'rpmlint has nothing to say');

# Unpacks both kinds, to look into the binaries.
said('dpkg-deb', '-x', "$out/deb/${_}_${version}_$machine.deb", "$out/from-deb") for qw(cassandra-prober libnginx-mod-http-prober);
mkdir "$out/from-rpm";
said('sh', '-c', 'cd "$0" && rpm2cpio "$1" | cpio -id --quiet', "$out/from-rpm", $_) for @rpms;
my %binary = (
    'from-deb' => [qw(usr/sbin/prober-collector usr/bin/proberctl usr/lib/nginx/modules/ngx_http_prober_module.so)],
    'from-rpm' => [qw(usr/sbin/prober-collector usr/bin/proberctl usr/lib64/nginx/modules/ngx_http_prober_module.so)],
);
for my $kind (sort keys %binary) {
    for my $file (@{ $binary{$kind} }) {
        my $elf = said('readelf', '-W', '-h', '-l', '-d', '--dyn-syms', "$out/$kind/$file");
        my $what = "$kind: $file";
        like($elf, qr/^\s*Type:\s+DYN /m, "$what is at no fixed address");
        like($elf, qr/\(FLAGS_1\).*\bPIE\b/, "$what is PIE") if $file !~ /\.so$/;
        like($elf, qr/^\s*GNU_RELRO /m, "$what: RELRO");
        like($elf, qr/\(FLAGS\).*\bBIND_NOW\b/, "$what: all of it");
        like($elf, qr/^\s*GNU_STACK .* RW  /m, "$what: a stack that is no code");
        like($elf, qr/ UND __stack_chk_fail\b/, "$what: stack protected");
        like($elf, qr/ UND __(?!stack)\w+_chk\b/, "$what: fortified");
        unlike($elf, qr/\((RPATH|RUNPATH)\)/, "$what: looks for libraries nowhere else");
    }
    like(said("$out/$kind/usr/sbin/prober-collector", '--version'), qr/\b\Q$version\E\b/, "$kind: the version is the Makefile's");
}

# The policy, from nothing, and what of it arrived in the package.
said('checkmodule', '-M', '-m', '-o', "$out/cassandra_prober.mod", 'packaging/selinux/cassandra_prober.te');
said('semodule_package', '-o', "$out/cassandra_prober.pp", '-m', "$out/cassandra_prober.mod", '-f', 'packaging/selinux/cassandra_prober.fc');
is(slurp("$out/from-rpm/usr/share/selinux/packages/targeted/cassandra_prober.pp"),
    slurp("$out/cassandra_prober.pp"), 'the policy module is the one that its source makes');
my $policy = said('/usr/libexec/selinux/hll/pp', "$out/cassandra_prober.pp");
like($policy, $_, "policy: $_") for
    qr/\(typetransition init_t prober_exec_t process prober_t\)/,
    qr/\(allow httpd_t prober_run_t \(file \(getattr map open read\)\)\)/,
    qr/\(allow httpd_t prober_t \(unix_stream_socket \(connectto\)\)\)/;
unlike($policy, qr/\(allow httpd_t prober_run_t \(file \([^)]*(write|append|unlink)/, 'policy: nginx does not write to the segment');

done();
