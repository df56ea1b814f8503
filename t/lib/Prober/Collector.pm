package Prober::Collector;

# A running collector, and what it tells a service manager.
#
#   my $c = Prober::Collector->start(<<'CONF', NAME => value);     # %%DIR%% and %%NAME%% are replaced
#   local: { source = "…"; };            # a state file of its own unless it names one
#   segment: { path = "%%DIR%%/segment"; };
#   CONF
#   $c->wait_ready; $c->log; $c->status;        # READY=1 seen; stderr; the last STATUS= line
#   $c->notified('WATCHDOG=1');                  # how often that line was sent so far
#   $c->configure($conf); $c->signal('HUP'); $c->stop;   # stop: its exit status as $?
#   Options: env (a hash), program (another one), within (a command before it, such as nsenter).
#   fleet_conf($fleet, "more;")                  # a configuration for a Prober::Fleet, direct mode
#   get_json($nginx->port, '/nodes')             # decoded body; dies when it is no JSON
#
# The build with AddressSanitizer is used when there is one, so that a leak or a bad access fails the test at its stop;
# PROBER_COLLECTOR names another program.

use strict;
use warnings;
use Exporter 'import';
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();
use Socket qw(SOCK_DGRAM);
use Prober::Test ();
use Prober::Http;

our @EXPORT = qw(fleet_conf get_json program);

my $count = 0;

sub program {
    my $root = Prober::Test::root();
    my ($found) = grep { $_ && -x } $ENV{PROBER_COLLECTOR}, "$root/build/asan/prober-collector",
        "$root/build/prober-collector";
    return $found;
}

sub start {
    my ($class, $conf, %option) = @_;
    my $dir = Prober::Test::tempdir();
    my $name = 'collector' . ($count++ || '');
    my $self = bless { name => $name, conf => "$dir/$name.conf", notified => "$dir/$name.notified", replace => {%option} }, $class;
    $self->configure($conf);
    my $manager = take_notifications("$dir/$name.notify", $self->{notified});
    $self->{process} = Prober::Test::start(
        name => $name,
        env => { NOTIFY_SOCKET => "$dir/$name.notify", ASAN_OPTIONS => 'detect_leaks=1',
            LSAN_OPTIONS => 'suppressions=' . Prober::Test::root() . '/t/lib/lsan.supp:print_suppressions=0', %{ $option{env} || {} } },
        command => [ @{ $option{within} || [] }, $option{program} || program(), '--config', $self->{conf} ]);
    $self->{process}{manager} = $manager;
    return $self;
}

sub configure {
    my ($self, $conf) = @_;
    my %replace = (DIR => Prober::Test::tempdir(), NAME => $self->{name}, %{ $self->{replace} });
    $conf .= qq(state: { path = "%%DIR%%/%%NAME%%.state"; };\n) if $conf !~ /^\s*state\b/m;
    $conf =~ s/%%(\w+)%%/$replace{$1} \/\/ die "no $1 for the configuration"/ge;
    Prober::Test::spew($self->{conf}, $conf);
}

# As a service manager does, takes every message as it comes: a full queue would hold the collector up.
sub take_notifications {
    my ($path, $into) = @_;
    my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $path) or die "notify: $!";
    my $test = $$;
    defined(my $pid = fork) or die "fork: $!";
    return $pid if $pid;
    POSIX::setpgid(0, 0);
    $SIG{$_} = 'DEFAULT' for qw(INT TERM);
    $SIG{ALRM} = sub { POSIX::_exit(0) if getppid != $test; alarm 1 };
    alarm 1;
    open my $out, '>>', $into or POSIX::_exit(1);
    $out->autoflush(1);
    while (1) {
        my $message;
        print {$out} "$message\n" if defined $socket->recv($message, 65536);
    }
}

# Every line that was sent so far.
sub messages { return split /\n/, Prober::Test::slurp($_[0]{notified}) }

sub notified { my ($self, $line) = @_; return scalar grep { $_ eq $line } $self->messages }

sub status {
    my ($self) = @_;
    my ($last) = reverse map { /^STATUS=(.*)/ ? $1 : () } $self->messages;
    return $last // '';
}

sub wait_ready {
    my ($self, $timeout) = @_;
    Prober::Test::wait_for(
        sub {
            die "the collector ended:\n" . $self->log if !$self->alive;
            return $self->notified('READY=1');
        },
        'the collector to be ready', $timeout // 20);
    return $self;
}

sub log    { $_[0]{process}->output }
sub alive  { $_[0]{process}->alive }
sub pid    { $_[0]{process}{pid} }
sub signal { $_[0]{process}->signal($_[1]) }
sub stop   { my ($self, @how) = @_; $self->{process}->stop(@how) }

# Resident memory in kB.
sub rss {
    my ($self) = @_;
    return Prober::Test::slurp('/proc/' . $self->pid . '/status') =~ /^VmRSS:\s+(\d+)/m ? $1 : 0;
}

sub fleet_conf {
    my ($fleet, $more) = @_;
    return <<"CONF" . ($more // '');
local: { source = "jolokia+http://$fleet->{nodes}[0]:$fleet->{port}/jolokia"; };
peers: { mode = "direct"; url = "jolokia+http://{address}:$fleet->{port}/jolokia"; };
segment: { path = "%%DIR%%/segment"; };
CONF
}

sub get_json {
    my ($port, $path, %option) = @_;
    my $answer = http($port, "GET $path", %option);
    my $value = eval { JSON::PP->new->utf8->allow_nonref->decode($answer->{body}) };
    die "$path: $answer->{status}, not JSON: $@\n$answer->{body}" if !defined $value;
    return $value;
}

1;
