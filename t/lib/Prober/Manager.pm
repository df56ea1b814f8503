package Prober::Manager;

# A running systemd of its own, for collectors that start units: a user's one, on a bus that is its alone, in the place of the
# host's. It runs as whoever runs the test, and knows the units that are written for it; polkit has no say there.
#
#   plan(skip_all => $why) if $why = Prober::Manager::missing();
#   my $manager = Prober::Manager->start(units => { 'x@.service' => "[Service]\n..." });
#   Prober::Collector->start($conf, env => $manager->environment);     # takes it for the host's
#   $manager->systemctl('is-active', 'x@y.service');                   # (exit status, what it said)

use strict;
use warnings;
use Prober::Process;
use Prober::Test qw(tempdir spew run wait_for);

my $count = 0;

my @groups = map { "/sys/fs/cgroup/$_" } qw(systemd unified .);

sub missing {
    return 'namespaces need root' if $> != 0;
    for my $tool (qw(dbus-daemon unshare systemctl setpriv)) {
        return "there is no $tool" if !grep { -x "$_/$tool" } qw(/usr/sbin /sbin /usr/bin /bin);
    }
    return 'there is no systemd' if !-x '/lib/systemd/systemd';
    return (run(qw(unshare --mount true)))[0] == 0 ? undef : 'this kernel makes no mount namespaces';
}

# A user's manager begins only where it finds that the host was booted with systemd. It takes the group that it is in for its own.
my $script = <<'SH';
mount --make-rprivate / && mount -t tmpfs run /run && mkdir -p /run/systemd/system || exit
for group; do mkdir -p "$group" && echo $$ >"$group/cgroup.procs" || exit; done
setpriv --pdeathsig KILL dbus-daemon --session --address="$DBUS_SESSION_BUS_ADDRESS" --nofork --nopidfile &
while [ ! -S "$XDG_RUNTIME_DIR/bus" ]; do sleep 0.1; done
exec setpriv --pdeathsig TERM /lib/systemd/systemd --user --log-target=console
SH

sub start {
    my ($class, %option) = @_;
    my $name = 'manager' . $count++;
    my $dir = tempdir() . "/$name";
    mkdir $_ or die "$_: $!" for $dir, "$dir/systemd", "$dir/systemd/user";
    my $self = bless { dir => $dir, groups => [ map { "$_/prober-$name-$$" } grep { -e "$_/cgroup.procs" } @groups ] }, $class;
    $self->{env} = { XDG_RUNTIME_DIR => $dir, XDG_CONFIG_HOME => $dir, HOME => $dir, DBUS_SESSION_BUS_ADDRESS => "unix:path=$dir/bus" };
    spew("$dir/systemd/user/$_", $option{units}{$_}) for keys %{ $option{units} || {} };
    $self->{process} = Prober::Process->start(
        name => $name, env => $self->{env}, command => [ qw(unshare --mount sh -c), $script, 'sh', @{ $self->{groups} } ]);
    wait_for(
        sub {
            die 'systemd ended: ' . $self->{process}->output if !$self->{process}->alive;
            return ($self->systemctl('is-active', 'basic.target'))[1] =~ /^active$/m;
        },
        'systemd to start', 60);
    return $self;
}

sub environment { return { DBUS_SYSTEM_BUS_ADDRESS => $_[0]{env}{DBUS_SESSION_BUS_ADDRESS} } }

sub systemctl {
    my ($self, @command) = @_;
    local @ENV{ keys %{ $self->{env} } } = values %{ $self->{env} };
    return run('systemctl', '--user', @command);
}

# Writes a unit, or removes it (undef), and has systemd take notice.
sub unit {
    my ($self, $name, $text) = @_;
    my $file = "$self->{dir}/systemd/user/$name";
    defined $text ? spew($file, $text) : unlink $file;
    my ($status, $said) = $self->systemctl('daemon-reload');
    die $said if $status != 0;
}

sub stop {
    my ($self) = @_;
    $self->{process}->stop;
    for my $group (@{ $self->{groups} }) {
        run('find', $group, qw(-depth -type d -exec rmdir {} ;)) if -d $group;
    }
}

1;
