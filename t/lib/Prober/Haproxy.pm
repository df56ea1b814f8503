package Prober::Haproxy;

# HAProxy in front of CQL, asking the module about each node in the two usual ways:
#
#   cql_options   `option httpchk /healthz/IP` as it is written in the simplest manual: OPTIONS over HTTP/1.0, one
#                 checked server a node, which the balanced ones track
#   cql_get       one line for all nodes: GET over HTTP/1.1 with the server's name in the URI
#
#   my $h = Prober::Haproxy->start($nginx->port, @ips);
#   $h->port('cql_get');  $h->stats;             # { 'cql_get/IP' => { status => 'UP', stot => 7, ... }, ... }
#
# or as it is told to:
#
#   my $h = Prober::Haproxy->start_with({ ports => [ 'a', 'b' ], timeout => '1h' }, <<'CONF');   # %%a%% is a port
#   listen cql
#       bind 127.0.0.1:%%a%%
#   ...
#   CONF
#   $h->runtime('set server cql/IP state drain');   # of its runtime API: what it said, or the test dies

use strict;
use warnings;
use IO::Socket::UNIX;
use Prober::Test ();

sub binary { $ENV{PROBER_HAPROXY} || '/usr/sbin/haproxy' }

my @frontends = qw(cql_options cql_get);
sub frontends { @frontends }

sub start {
    my ($class, $check_port, @ips) = @_;
    return $class->start_with({ ports => \@frontends, timeout => '10s' }, conf($check_port, @ips));
}

sub start_with {
    my ($class, $option, $conf) = @_;
    my $dir = Prober::Test::tempdir();
    my $self = bless {
        socket => "$dir/haproxy.sock", port => { map { $_ => Prober::Test::free_port() } @{ $option->{ports} } },
    }, $class;
    $conf =~ s/%%(\w+)%%/$self->{port}{$1} \/\/ die "no port $1"/ge;
    $conf = Prober::Test::spew("$dir/haproxy.conf", $self->common($option->{timeout}) . $conf);
    $self->{process} = Prober::Test::start(name => 'haproxy', command => [ binary(), '-db', '-f', $conf ]);
    Prober::Test::wait_for(
        sub {
            die 'haproxy ended: ' . $self->{process}->output if !$self->{process}->alive;
            return -S $self->{socket} && %{ $self->stats };
        },
        'haproxy to start');
    return $self;
}

sub common {
    my ($self, $timeout) = @_;
    return <<"CONF";
global
    stats socket $self->{socket} mode 600 level admin
    log stdout format raw local0 info
defaults
    mode tcp
    log global
    option redispatch 1
    retries 3
    timeout connect 1s
    timeout check 2s       # else it is inter, too little for one busy moment of the machine
    timeout client $timeout
    timeout server $timeout
CONF
}

sub conf {
    my ($check_port, @ips) = @_;
    my $checks = join '', map { <<"BACKEND" } @ips;
backend check_$_
    option httpchk /healthz/$_
    server node 127.0.0.1:$check_port check
BACKEND
    my $tracking = join '', map { "    server $_ $_:9042 track check_$_/node\n" } @ips;
    my $checked  = join '', map { "    server $_ $_:9042 check addr 127.0.0.1 port $check_port\n" } @ips;
    return <<"CONF";
    balance roundrobin
    default-server inter 200ms fall 1 rise 1
${checks}listen cql_options
    bind 127.0.0.1:%%cql_options%%
${tracking}listen cql_get
    bind 127.0.0.1:%%cql_get%%
    option httpchk
    http-check send meth GET uri-lf "/healthz/%[srv_name]" ver HTTP/1.1 hdr Host prober
$checked
CONF
}

sub port { $_[0]{port}{ $_[1] } }

sub ask {
    my ($self, $command) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => $self->{socket}) or return '';
    print {$socket} "$command\n";
    $socket->flush;
    local $/;
    return readline($socket) // '';
}

# Commands that change something say nothing when they have.
sub runtime {
    my ($self, $command) = @_;
    my $said = $self->ask($command);
    die "haproxy: $command: $said" if $said =~ /\S/;
}

# Of every server behind a "listen", what the stats socket says.
sub stats {
    my ($self) = @_;
    my ($head, @lines) = grep { length } split /\n/, $self->ask('show stat');
    my @names = split /,/, ($head // '') =~ s/^# //r;
    my %servers;
    for my $line (@lines) {
        my %value;
        @value{@names} = split /,/, $line, -1;
        next if $value{pxname} =~ /^check_/ or $value{svname} =~ /^(FRONTEND|BACKEND)$/;
        $servers{"$value{pxname}/$value{svname}"} = \%value;
    }
    return \%servers;
}

1;
