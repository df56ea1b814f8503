package Prober::Watch;

# A child process that looks at something all the time and writes down what it sees, with the time.
#
#   my $w = Prober::Watch->start(name => 'checks', every => 0.05, look => sub {
#       my ($say) = @_;
#       $say->('a key', 'a value');              # written down when it differs from the last one of that key
#   });
#   $w->seen('a key', since => $time);           # ({ at => TIME, key => ..., value => ... }, ...), oldest first
#   $w->when('a key', qr/value/, $since);        # the time of the first such one, or undef
#   $w->looks;                                   # how often it has looked
#
# With all => 1 every value is written, changed or not.

use strict;
use warnings;
use POSIX ();
use Prober::Test ();
use Time::HiRes qw(sleep time);

sub start {
    my ($class, %option) = @_;
    my $self = bless { file => Prober::Test::tempdir() . "/$option{name}.seen", offset => 0, seen => [], %option }, $class;
    my $test = $$;
    $self->{pid} = fork() // die "fork: $!";
    return $self if $self->{pid};
    POSIX::setpgid(0, 0);
    $SIG{$_} = 'DEFAULT' for qw(INT TERM);
    open my $out, '>>', $self->{file} or POSIX::_exit(1);
    $out->autoflush(1);
    my %last;
    my $say = sub {
        my ($key, $value) = @_;
        return if !$option{all} && defined $last{$key} && $last{$key} eq $value;
        $last{$key} = $value;
        printf {$out} "%.3f\t%s\t%s\n", time, $key, $value =~ s/[\t\n]+/ /gr;
    };
    while (getppid == $test) {
        eval { $option{look}->($say); 1 } or $say->('broken', $@);
        sleep $option{every};
    }
    POSIX::_exit(0);
}

# What was seen so far. Keys are words without tabs.
sub seen {
    my ($self, $key, %option) = @_;
    $self->catch_up;
    my $since = $option{since} // 0;
    return grep { (!defined $key || $_->{key} eq $key) && $_->{at} >= $since } @{ $self->{seen} };
}

sub catch_up {
    my ($self) = @_;
    open my $in, '<', $self->{file} or return;
    seek $in, $self->{offset}, 0;
    while (my $line = readline $in) {
        last if $line !~ /\n\z/;
        $self->{offset} += length $line;
        chomp $line;
        my ($at, $name, $value) = split /\t/, $line, 3;
        push @{ $self->{seen} }, { at => $at, key => $name, value => $value };
    }
}

sub when {
    my ($self, $key, $pattern, $since) = @_;
    my ($first) = grep { $_->{value} =~ $pattern } $self->seen($key, since => $since);
    return $first && $first->{at};
}

sub last_value {
    my ($self, $key) = @_;
    my @seen = $self->seen($key);
    return @seen ? $seen[-1]{value} : '';
}

sub stop {
    my ($self) = @_;
    return if !$self->{pid};
    local $?;
    kill 'TERM', $self->{pid};
    waitpid delete $self->{pid}, 0;
    $self->catch_up;
}

1;
