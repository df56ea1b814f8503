package Prober::JmxNode;

# JMX servers of a real JVM with Cassandra's MBeans but without Cassandra (t/lib/JmxNode.java), on 127.0.A.1 and so on.
#
#   my $node = Prober::JmxNode->start(options => [ '--release=3.11.19' ], java => [ '-Dx=y' ], count => 3);
#   $node->url;  $node->url('jmx+ssl');           # jmx://127.0.A.1:PORT
#   $node->{pid};  $node->signal('STOP');  $node->stop;  $node->again;
#   $node->invoke('gc');                          # an operation of its Control MBean: the number it returns

use strict;
use warnings;
use IO::Socket::INET;
use Prober::Test ();

my $classes;
my $networks = 0;

# Compiles it, once a test.
sub classes {
    return $classes if $classes;
    my $dir = Prober::Test::tempdir() . '/classes';
    my ($status, $said) =
        Prober::Test::run('javac', '-encoding', 'UTF-8', '-d', $dir, Prober::Test::root() . '/t/lib/JmxNode.java');
    die "javac: $said" if $status != 0;
    return $classes = $dir;
}

# A network 127.0.A. of which nobody uses the first address.
sub network {
    for my $third (map { 100 + ($$ + $_) % 100 } 0 .. 99) {
        my $socket = IO::Socket::INET->new(LocalAddr => "127.0.$third.1", LocalPort => 7199, Listen => 1);
        return "127.0.$third." if $socket;
    }
    die 'no free network';
}

sub start {
    my ($class, %option) = @_;
    my $self = bless { port => 7199, base => network(), %option }, $class;
    $self->{base} = network() unless $option{base};
    return $self->again;
}

# Starts it, also after it ended.
sub again {
    my ($self) = @_;
    my $log = Prober::Test::tempdir() . '/jmx-node-' . ++$networks . '.log';
    $self->{process} = Prober::Test::start(
        name => 'jmx-node', log => $log, input => 1,
        command => [ 'java', '-Xmx' . ($self->{heap} // '64m'), '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1',
            @{ $self->{java} || [] }, '-cp', classes(), 'JmxNode', "--base=$self->{base}", "--port=$self->{port}",
            '--count=' . ($self->{count} // 1), @{ $self->{options} || [] } ]);
    Prober::Test::wait_for(sub { $self->{process}->output =~ /^ready/m || !$self->{process}->alive }, 'the JVM', 60);
    die "the JVM: " . $self->{process}->output unless $self->{process}->alive;
    return $self;
}

sub ip  { "$_[0]{base}" . ($_[1] // 1) }
sub url { ($_[1] // 'jmx') . '://' . $_[0]->ip . ":$_[0]{port}" }

sub signal { my ($self, $signal) = @_; $self->{process}->signal($signal) }
sub stop   { my ($self, $signal) = @_; $self->{process}->stop($signal) }

sub invoke {
    my ($self, @words) = @_;
    my ($status, $said) =
        Prober::Test::run(Prober::Test::root() . '/build/tools/invokectl', @{ $self->{login} || [] }, $self->url,
            'prober:type=Control', @words);
    die "invokectl @words: $said" unless $said =~ /^result=ok .* number=(\d+)/;
    return $1;
}

1;
