package Prober::Cluster;

# A real Cassandra cluster (t/lib/cassandra) in the test's directory. Whatever ends the test ends its nodes.
#
#   my $c = Prober::Cluster->new(version => '5.0.4', layout => 'dc1:r1,dc1:r2,dc2:r1');   # and what "new" takes
#   $c->ip(3);  $c->ips;  $c->numbers;            # broadcast addresses, of nodes 1, 2, ...
#   $c->start(1, 2, 3);                           # these begin to start; nobody waits
#   $c->wait_for_start(3);                        # until it serves, or the test dies with what it said
#   $c->add('dc2:r2');                            # one more, which will bootstrap: its number
#   $c->signal(KILL => 3);                        # KILL, STOP, CONT; returns the time at which it was done
#   $c->stop(3);                                  # SIGTERM
#   $c->execute(2, 'drain');                      # an operation of StorageService; likewise
#   $c->state(3);                                 # 'NORMAL on', 'JOINING off', ...: mode and native transport, by
#                                                 # the node itself; '' while it does not say
#   $c->attributes(3, 'net:type=FailureDetector', 'SimpleStates', ...);   # by name, as its agent gives them; undef: nothing
#   $c->jmx(1);                                   # ADDRESS:PORT; option jmx => 'local': on 127.0.0.1, as installed
#   $c->end;                                      # ends all nodes; what is left of them, as a list

use strict;
use warnings;
use JSON::PP ();
use Prober::Test ();
use Prober::Http;
use Time::HiRes 'time';

use constant JOLOKIA => 8778;

my @all;

sub new {
    my ($class, %option) = @_;
    my $self = bless { dir => Prober::Test::tempdir() . '/cassandra', ip => [undef], starting => {} }, $class;
    push @all, $self;
    my $said = $self->tool('new', $self->{dir}, map { ("--$_", $option{$_}) } sort keys %option);
    $self->{ip}[$1] = $2 while $said =~ /^(\d+) ([\d.]+) /mg;
    return $self;
}

# 127.0.A.N:PORT where the node's JMX is.
sub jmx { my ($self, $number) = @_; return $self->tool('jmx', $self->{dir}, $number) =~ s/\s+$//r }

# Runs t/lib/cassandra to its end and returns what it said.
sub tool {
    my ($self, @words) = @_;
    my ($status, $said) = Prober::Test::run(Prober::Test::root() . '/t/lib/cassandra', @words);
    die "cassandra @words: $said" if $status != 0;
    return $said;
}

# Also of one that is still to be added.
sub ip { $_[0]{ip}[1] =~ s/\d+$/$_[1]/r }


sub numbers { return 1 .. $#{ $_[0]{ip} } }
sub ips     { my ($self) = @_; return map { $self->ip($_) } $self->numbers }

sub add {
    my ($self, $place) = @_;
    my ($number, $ip) = split ' ', $self->tool('add', $self->{dir}, $place);
    $self->{ip}[$number] = $ip;
    return $number;
}

sub start {
    my ($self, @numbers) = @_;
    my $began = time;
    for my $number (@numbers) {
        $self->{starting}{$number} = Prober::Test::start(
            name => "start-node$number",
            log => "$self->{dir}/start-node$number",
            command => [ Prober::Test::root() . '/t/lib/cassandra', 'start', $self->{dir}, $number, '--die-with', $$ ]);
    }
    return $began;
}

sub wait_for_start {
    my ($self, $number) = @_;
    my $process = delete $self->{starting}{$number} or die "node $number was not started";
    $process->ended(200) or die "node $number does not start";
    die "node $number: " . Prober::Test::slurp($process->{log}) if $process->{status} != 0;
}

sub signal {
    my ($self, $signal, $number) = @_;
    my ($pid) = $self->tool('pid', $self->{dir}, $number) =~ /^(\d+)$/ or die "node $number does not run";
    my $at = time;
    kill $signal, $pid or die "node $number: $!";
    $self->tool('wait', $self->{dir}, $number, 'gone') if $signal eq 'KILL';
    return $at;
}

sub stop {
    my ($self, $number) = @_;
    my $began = time;
    $self->tool('stop', $self->{dir}, $number);
    return $began;
}

sub execute {
    my ($self, $number, $operation, @arguments) = @_;
    my $began = time;
    $self->tool('exec', $self->{dir}, $number, 'StorageService', $operation, @arguments);
    return $began;
}

sub attributes {
    my ($self, $number, $mbean, @names) = @_;
    my $body = JSON::PP::encode_json({ type => 'read', mbean => "org.apache.cassandra.$mbean", attribute => \@names });
    my $answer = http(JOLOKIA, 'POST /jolokia/', address => $self->ip($number), timeout => 5, body => $body);
    return eval { JSON::PP::decode_json($answer->{body})->{value} };
}

sub state {
    my ($self, $number) = @_;
    my $value = $self->attributes($number, 'db:type=StorageService', qw(OperationMode NativeTransportRunning)) or return '';
    return $value->{OperationMode} . ($value->{NativeTransportRunning} ? ' on' : ' off');
}

# Processes that have the cluster's directory on their command line.
sub processes {
    my ($self) = @_;
    my @found;
    for my $file (glob '/proc/[0-9]*/cmdline') {
        my $line = Prober::Test::slurp($file) =~ tr/\0/ /r;
        push @found, $line if index($line, $self->{dir}) >= 0;
    }
    return @found;
}

sub end {
    my ($self) = @_;
    $_->stop for values %{ $self->{starting} };
    $self->tool('stop-all', '--now', $self->{dir}) if -e "$self->{dir}/cluster.json";
    $self->{ended} = 1;
    return $self->processes;
}

my $owner = $$;
END {
    if ($$ == $owner) {
        local $?;
        for my $cluster (grep { !$_->{ended} } @all) {
            eval { $cluster->end; 1 } or warn $@;
        }
    }
}

1;
