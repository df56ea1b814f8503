package Prober::Process;

# A child process: started in a process group of its own, its output in a file, stopped by its pid. Whatever ends the
# test (done, die, Ctrl-C) ends it.
#
#   my $p = Prober::Process->start(name => 'fleet', command => [ 't/fleet', '--nodes', 3 ]);
#   $p->{pid}; $p->output; $p->alive; $p->signal('HUP'); $p->stop; $p->stop('KILL');
#
# Options: log (a file; default NAME.log in the test's directory), input (true: $p->{input} is a pipe to its stdin),
# answers (true: $p->{answers} is a pipe from its stdout), env (a hash).

use strict;
use warnings;
use POSIX ();
use Time::HiRes qw(sleep time);

my %running;

sub start {
    my ($class, %option) = @_;
    my $self = bless {%option}, $class;
    delete @$self{qw(input answers)};
    $self->{log} //= Prober::Test::tempdir() . "/$self->{name}.log";

    my ($child_in, $child_out);
    if ($option{input})   { pipe($child_in, $self->{input})    or die "pipe: $!" }
    if ($option{answers}) { pipe($self->{answers}, $child_out) or die "pipe: $!" }

    $self->{pid} = fork() // die "fork: $!";
    if ($self->{pid} == 0) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
        POSIX::setpgid(0, 0);
        $ENV{$_} = $option{env}{$_} for keys %{ $option{env} || {} };
        open STDERR, '>>', $self->{log} or POSIX::_exit(126);
        open STDOUT, '>&', $child_out // \*STDERR or POSIX::_exit(126);
        open STDIN, '<' . ($child_in ? '&' : ''), $child_in // '/dev/null' or POSIX::_exit(126);
        { no warnings; exec { $option{command}[0] } @{ $option{command} } }
        print STDERR "$option{command}[0]: $!\n";
        POSIX::_exit(127);
    }
    $self->{input}->autoflush(1) if $option{input};
    $running{ $self->{pid} } = $self;
    return $self;
}

# True while it runs; once it ended, $p->{status} is as $?.
sub alive {
    my ($self) = @_;
    return 0 unless $running{ $self->{pid} };
    local $?;
    return 1 if waitpid($self->{pid}, POSIX::WNOHANG) == 0;
    $self->{status} = $?;
    delete $running{ $self->{pid} };
    return 0;
}

sub signal {
    my ($self, $signal) = @_;
    kill $signal, $self->{pid} if $self->alive;
}

# Waits until it ended by itself; false if it did not.
sub ended {
    my ($self, $timeout) = @_;
    my $end = time + ($timeout // 30);
    while ($self->alive) {
        return 0 if time > $end;
        sleep 0.02;
    }
    return 1;
}

# Ends it and waits for that; after a while by force. Returns its status, as $?.
sub stop {
    my ($self, $signal, $timeout) = @_;
    close delete $self->{input} if $self->{input};
    $self->signal($signal // 'TERM');
    if (!$self->ended($timeout)) {
        kill 'KILL', -$self->{pid};
        $self->{killed} = 1;
        $self->ended;
    }
    return $self->{status};
}

sub output { Prober::Test::slurp($_[0]{log}) }

sub stop_all {
    $_->signal('TERM') for values %running;
    $_->stop for sort { $a->{pid} <=> $b->{pid} } values %running;
}

# A forked child of the test that exits must stop nobody's processes.
my $owner = $$;
END {
    if ($$ == $owner) {
        local $?;
        stop_all();
    }
}

1;
