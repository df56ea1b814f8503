package Prober::Hosts;

# Hosts as they are: really booted Debians (systemd-nspawn) with this tree's packages, each with a network namespace of its
# own on one bridge, a cassandra.service (packaging/examples), collector and nginx as installed. All in namespaces of the test
# itself, which starts itself again in them, so nothing of this machine is touched.
#
#   BEGIN { Prober::Hosts::own_machine() }               # before anything is started; skips the test where that cannot be
#   my $h = Prober::Hosts->new(layout => 'dc1:r1,dc1:r2,dc2:r1', seeds => '1,3', cassandra => 'jmx', conf => '...');
#   $h->boot;                                            # all of them, until systemd is up; Cassandra is not started
#   $h->numbers;  $h->ip(2);                             # 1, 2, 3; 10.77.0.2; the test is 10.77.0.254
#   my ($status, $said) = $h->ask(3, @command);          # as root on host 3
#   $h->must(3, @command);                               # what it said; dies when it fails
#   $h->background(3, @command);                         # a Prober::Process
#   $h->http(2, 'GET /healthz/10.77.0.1', %more);        # what nginx of host 2 answers
#   $h->node(2);                                         # { 10.77.0.1 => {...}, ... }: /nodes of host 2
#   $h->start_cassandra(1, 2);                           # one after the other, each until all hosts see it ready
#   $h->configure($conf);                                # collectors anew with this besides what they have
#   $h->journal(3, 'cassandra.service', @more);          # lines, oldest first
#   $h->power_off(3);  $h->boot(3);                      # pulls the plug; disks stay
#   $h->cut(3);  $h->heal(3);                            # its network
#
# cassandra: 'real' (384m heaps: start them one after the other), or 'jmx' (t/lib/JmxNode.java: no Cassandra, but it takes
# some time to start, and nodes see whether the others are there).

use strict;
use warnings;
use Cwd ();
use Fcntl qw(LOCK_EX);
use File::Temp ();
use JSON::PP ();
use Test::More;
use Prober::Cluster;
use Prober::Http ();
use Prober::JmxNode;
use Prober::Process;
use Prober::Test qw(root tempdir slurp spew run wait_for);

use constant NET  => '10.77.0';
use constant PORT => 8888;
use constant UID  => 700; # of the user cassandra

sub no_machine {
    return 'containers need root' if $> != 0;
    for my $tool (qw(systemd-nspawn debootstrap dpkg-buildpackage ip nft nsenter setpriv javac)) {
        return "there is no $tool" if !grep { -x "$_/$tool" } qw(/usr/sbin /sbin /usr/bin /bin);
    }
    my ($java) = map { Cwd::abs_path($_) // () } grep { -x } '/usr/bin/java';
    return 'there is no JDK in /usr/lib/jvm' if !$java || $java !~ m{^/usr/lib/jvm/};
    return (run(qw(unshare --mount --pid --net --uts --ipc --fork true)))[0] == 0 ? undef : 'this kernel makes no namespaces';
}

# What is fetched or built is so before: nothing can be reached from there.
sub own_machine {
    my (@fetch) = @_;
    if ($ENV{PROBER_HOSTS_ROOT}) {
        sh('ip link set lo up', 'mount --make-rprivate /');
        take_copy();
        return;
    }
    my $why = no_machine();
    plan(skip_all => $why) if $why;
    must_run(root() . '/t/lib/cassandra', 'fetch', '5.0.4', @fetch);
    # PROBER_DEB: packages that are made already.
    my $copy = $ENV{PROBER_DEB} ? undef : File::Temp::tempdir('prober-deb-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    $ENV{PROBER_HOSTS_ROOT} = make_common($copy);
    $ENV{PROBER_HOSTS_COPY} = $copy if $copy;
    exec 'unshare', '--net', '--mount', $^X, $0, @ARGV or die "unshare: $!";
}

# What tests that run side by side have in common: the Debian to boot, which is returned, and this tree's packages. The next one
# makes those anew, so there is a lock, and each has a copy of its own.
sub make_common {
    my ($copy) = @_;
    my $boot = root() . '/build/boot';
    must_run('mkdir', '-p', $boot);
    open my $lock, '>>', "$boot/.lock" or die "$boot/.lock: $!";
    flock $lock, LOCK_EX or die "$boot/.lock: $!";
    chomp(my $debian = must_run(root() . '/t/lib/boot_root'));
    if ($copy) {
        must_run('make', '-s', '-C', root(), 'deb', "OUT=$boot");
        must_run('cp', glob("$boot/deb/*.deb"), "$copy/");
    }
    return $debian;
}

# Those that were copied before the exec go with the test's directory.
sub take_copy {
    my $copy = delete $ENV{PROBER_HOSTS_COPY} or return;
    $ENV{PROBER_DEB} = tempdir() . '/deb';
    rename $copy, $ENV{PROBER_DEB} or die "$copy: $!";
}

sub must_run { my ($status, $said) = run(@_); die "@_\n$said" if $status != 0; return $said }

# Runs each line to its end, and dies of the first that fails.
sub sh { my @lines = @_; return must_run('sh', '-ec', join "\n", @lines) }

my @all;

sub new {
    my ($class, %option) = @_;
    my $self = bless { conf => '', cassandra => 'real', %option, dir => tempdir() . '/hosts', host => [undef] }, $class;
    push @all, $self;
    sh('ip link add mesh type bridge', 'ip addr add ' . NET . '.254/24 dev mesh', 'ip link set mesh up');
    $self->{cluster} = Prober::Cluster->new(
        version => '5.0.4', layout => $option{layout}, seeds => $option{seeds} // '1', base => NET . '.', jmx => 'local',
        phi => $option{phi} // 5);
    $self->make_root;
    $self->add_host($_) for $self->numbers;
    return $self;
}

sub cluster { $_[0]{cluster} }
sub numbers { $_[0]{cluster}->numbers }
sub ip      { $_[0]{cluster}->ip($_[1]) }

# The Debian that all of them boot, with what is installed; each has a layer of its own above it.
sub make_root {
    my ($self) = @_;
    my ($dir, $debian) = ($self->{dir}, $ENV{PROBER_HOSTS_ROOT});
    my $root = $self->{root} = "$dir/root";
    my ($java) = Cwd::abs_path('/usr/bin/java');
    sh("mkdir -p $root $dir/layer", "mount -t tmpfs -o size=400m,mode=0755 layer $dir/layer", "mkdir $dir/layer/up $dir/layer/work",
        "mount -t overlay -o lowerdir=$debian,upperdir=$dir/layer/up,workdir=$dir/layer/work root $root",
        "cp $ENV{PROBER_DEB}/*.deb $root/tmp/", "rm -f $root/tmp/*-dbgsym_*",
        "chroot $root sh -ec 'DEBIAN_FRONTEND=noninteractive dpkg -i /tmp/*.deb' 2>&1", "rm -f $root/tmp/*.deb",
        "chroot $root groupadd -g " . UID . ' cassandra', "chroot $root useradd -u " . UID . ' -g cassandra -d /var/lib/cassandra cassandra',
        "chroot $root useradd -m somebody",
        "chroot $root usermod -aG cassandra-prober www-data",
        "mkdir -p $root/usr/lib/jvm $root/etc/java-17-openjdk", "ln -s $java $root/usr/bin/java",
        "sed 's/# allow 10/allow 10/' $root/usr/share/cassandra-prober/nginx-site.conf >$root/etc/nginx/sites-enabled/prober", "rm -f $root/etc/nginx/sites-enabled/default",
        'cp ' . root() . "/packaging/examples/cassandra.service $root/etc/systemd/system/",
        "chroot $root systemctl enable -q prober-collector nginx", "chroot $root systemctl mask -q systemd-networkd-wait-online systemd-machine-id-commit apt-daily.timer "
            . 'apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer');
    spew("$root/usr/sbin/cassandra", "#!/bin/sh\n. /etc/cassandra-command\n");
    chmod 0755, "$root/usr/sbin/cassandra";
}

# A process that does nothing keeps the network until the test ends.
sub add_host {
    my ($self, $number) = @_;
    my $dir = "$self->{dir}/host$number";
    my $keeper = Prober::Process->start(name => "keeper$number", command => [qw(setpriv --pdeathsig KILL unshare --net sleep infinity)]);
    my $netns = "/proc/$keeper->{pid}/ns/net";
    my $ours = readlink '/proc/self/ns/net';
    wait_for(sub { (readlink $netns // $ours) ne $ours }, "the namespace of host $number");
    my $inside = "nsenter --net=$netns";
    sh("ip link add host$number type veth peer name eth0 netns $keeper->{pid}", "ip link set host$number master mesh up",
        "$inside ip link set lo up", "$inside ip addr add " . $self->ip($number) . '/24 dev eth0',
        "$inside ip link set eth0 up");
    sh("mkdir -p $dir/state $dir/journal", 'chown -R ' . UID . ':' . UID . " $self->{cluster}{dir}/node$number");
    my $command = $self->{cassandra} eq 'real' ? $self->real_command($number) : $self->jmx_command($number);
    spew("$dir/command", $command);
    spew("$dir/machine-id", sprintf "%032x\n", 0xabc000 + $number);
    spew("$dir/hostname", "host$number\n");
    spew("$dir/hosts", "127.0.0.1 localhost\n" . join '', map { $self->ip($_) . " host$_\n" } $self->numbers);
    $self->{host}[$number] = { dir => $dir, netns => $netns };
    $self->write_conf($number);
}

sub quoted { return join ' ', map { "'" . s/'/'\\''/gr . "'" } @_ }

sub real_command {
    my ($self, $number) = @_;
    my $said = $self->{cluster}->tool('command', $self->{cluster}{dir}, $number);
    return "cd $self->{cluster}{dir}/node$number && exec " . quoted(split /\n/, $said) . "\n";
}

sub jmx_command {
    my ($self, $number) = @_;
    return 'exec ' . quoted(qw(java -Xmx48m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -cp), Prober::JmxNode::classes(), 'JmxNode',
        '--host=' . $self->ip($number), '--hosts=' . join(',', map { $self->ip($_) } $self->numbers),
        '--start-ms=' . ($self->{start_ms} // 1000)) . "\n";
}

sub write_conf {
    my ($self, $number) = @_;
    my $conf = $self->{host}[$number]{dir} . '/collector.conf';
    spew($conf, ref $self->{conf} ? $self->{conf}->($number) : $self->{conf});
    chmod 0644, $conf;
}

# A control group of its own: the service manager inside takes what is in its group for its own services.
my $enter = 'for group; do [ "$group" != -- ] || break; mkdir -p "$group" && echo $$ >"$group/cgroup.procs" || exit; shift; done; shift; exec "$@"';
sub groups { my ($number) = @_; return map { "$_/prober-host$number-$$" } grep { -e "$_/cgroup.procs" } '/sys/fs/cgroup', glob '/sys/fs/cgroup/{systemd,unified}' }

sub begin_boot {
    my ($self, $number) = @_;
    my $host = $self->{host}[$number];
    my $dir = $host->{dir};
    $host->{boots}++;
    $host->{machine} = Prober::Process->start(
        name => "host$number-boot$host->{boots}",
        command => [ 'sh', '-c', $enter, 'sh', groups($number), '--', 'setpriv', '--pdeathsig', 'TERM',
            qw(systemd-nspawn -q -b --register=no --keep-unit --console=read-only --volatile=overlay --read-only),
            '-D', $self->{root}, '-M', "host$number-$$", "--network-namespace-path=$host->{netns}",
            "--bind=$self->{cluster}{dir}/node$number", "--bind=$dir/state:/var/lib/cassandra-prober", "--bind=$dir/journal:/var/log/journal",
            (map { "--bind-ro=$dir/$_:/etc/$_" } qw(machine-id hostname hosts)), "--bind-ro=$dir/command:/etc/cassandra-command",
            "--bind=$dir/collector.conf:/etc/cassandra-prober/collector.conf",
            '--bind-ro=' . Cwd::abs_path(root() . '/build/cassandra') . ':' . root() . '/build/cassandra',
            '--bind-ro=' . root() . '/build/tools:/usr/local/lib/tools',
            ($self->{cassandra} eq 'real' ? () : '--bind-ro=' . Prober::JmxNode::classes()),
            (map { "--bind-ro=$_" } '/usr/lib/jvm', glob '/etc/java-*-openjdk') ]);
}

# Its init, as seen from here.
sub init {
    my ($self, $number) = @_;
    my $pid = $self->{host}[$number]{machine}{pid};
    for my $child (split ' ', slurp("/proc/$pid/task/$pid/children")) {
        return $child if slurp("/proc/$child/status") =~ /^NSpid:.*\t1$/m;
    }
    return;
}

sub is_up {
    my ($self, $number) = @_;
    my $host = $self->{host}[$number];
    die "host $number ended: " . $host->{machine}->output if !$host->{machine}->alive;
    $self->init($number) or return;
    my ($status, $said) = $self->ask($number, qw(systemctl is-system-running));
    return $said =~ /^(running|degraded)$/m;
}

sub boot {
    my ($self, @numbers) = @_;
    @numbers = $self->numbers if !@numbers;
    $self->begin_boot($_) for @numbers;
    for my $number (@numbers) {
        wait_for(sub { $self->is_up($number) }, "host $number to be up", 90);
        my ($status, $said) = $self->ask($number, qw(systemctl --failed --plain --no-legend));
        diag("host $number: $said") if $said =~ /\S/;
    }
}

sub within {
    my ($self, $number) = @_;
    my $init = $self->init($number) or die "host $number is off";
    return (qw(nsenter -a --wd=/ -t), $init, qw(env -i HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin));
}

sub ask { my ($self, $number, @command) = @_; return run($self->within($number), @command) }

sub must {
    my ($self, $number, @command) = @_;
    my ($status, $said) = $self->ask($number, @command);
    die "host $number: @command: $status\n$said" if $status != 0;
    return $said;
}

my $background = 0;

sub background {
    my ($self, $number, @command) = @_;
    return Prober::Process->start(name => "host$number-" . ++$background, command => [ 'setpriv', '--pdeathsig', 'KILL', $self->within($number), @command ]);
}

sub http {
    my ($self, $number, $request, %option) = @_;
    $request = "GET $request" if $request =~ m{^/};
    return Prober::Http::http(PORT, $request, address => $self->ip($number), timeout => 5, %option);
}

sub document {
    my ($self, $number, $path) = @_;
    my $answer = $self->http($number, $path);
    return eval { JSON::PP::decode_json($answer->{body}) };
}

sub node { my ($self, $number) = @_; return { map { $_->{address} => $_ } @{ ($self->document($number, '/nodes') || {})->{nodes} || [] } } }

sub is_ready { my ($self, $number, $of) = @_; return $self->http($number, '/healthz/' . $self->ip($of))->{status} == 200 }

sub start_cassandra {
    my ($self, @numbers) = @_;
    my @on = grep { $self->init($_) } grep { $self->{host}[$_]{machine} } $self->numbers;
    for my $number (@numbers) {
        $self->must($number, qw(systemctl start cassandra.service));
        wait_for(sub { $self->is_ready($number, $number) }, "node $number to be ready", 240);
    }
    for my $on (@on) {
        for my $number (@numbers) {
            wait_for(sub { $self->is_ready($on, $number) }, "host $on to see node $number ready", 60);
        }
    }
}

# By a restart, in which no request is lost.
sub configure {
    my ($self, $conf, @numbers) = @_;
    $self->{conf} = $conf;
    for my $number (@numbers ? @numbers : $self->numbers) {
        $self->write_conf($number);
        $self->must($number, qw(systemctl restart prober-collector));
    }
}

sub journal {
    my ($self, $number, $unit, @more) = @_;
    return split /\n/, $self->must($number, qw(journalctl -q --no-pager -o short-unix -u), $unit, @more);
}

sub power_off {
    my ($self, $number) = @_;
    my $machine = $self->{host}[$number]{machine};
    my $init = $self->init($number);
    kill 'KILL', $init if $init;
    $machine->ended(20) or $machine->stop('KILL');
}

# Puts a unit's file or drop-in (below /run/systemd/system) and has systemd read it.
sub unit_file {
    my ($self, $number, $file, $text) = @_;
    my $held = "$self->{host}[$number]{dir}/state/unit-file"; # is bound there
    spew($held, $text);
    $self->must($number, 'sh', '-ec', 'install -D -m 644 /var/lib/cassandra-prober/unit-file "/run/systemd/system/$1"; rm /var/lib/cassandra-prober/unit-file; systemctl daemon-reload',
        'sh', $file);
}

sub cut  { sh("ip link set host$_[1] down") }
sub heal { sh("ip link set host$_[1] up") }

# Ends all of them; nobody waits for a shutdown.
sub end {
    my ($self) = @_;
    $self->{ended} = 1;
    for my $number (grep { $self->{host}[$_] && $self->{host}[$_]{machine} } $self->numbers) {
        $self->power_off($number);
        run('find', $_, qw(-depth -type d -exec rmdir {} ;)) for grep { -d } groups($number);
    }
    run('umount', '-l', "$self->{dir}/$_") for qw(root layer);
    rmdir for glob "/run/systemd/nspawn/*/host*-$$";
}

my $owner = $$;
END {
    if ($$ == $owner) {
        local $?;
        for my $hosts (grep { !$_->{ended} } @all) {
            eval { $hosts->end; 1 } or warn $@;
        }
    }
}

1;
