package Prober::Haproxy;

# HAProxy in front of CQL, asking the module about each node in the two usual ways:
#
#   cql_options   `option httpchk /healthz/IP` as it is written in the simplest manual: OPTIONS over HTTP/1.0, one
#                 checked server a node, which the balanced ones track
#   cql_get       one line for all nodes: GET over HTTP/1.1 with the server's name in the URI
#
#   my $h = Prober::Haproxy->start($nginx->port, @ips);
#   $h->port('cql_get');  $h->stats;             # { 'cql_get/IP' => { status => 'UP', stot => 7, ... }, ... }

use strict;
use warnings;
use IO::Socket::UNIX;
use Prober::Test ();

sub binary { $ENV{PROBER_HAPROXY} || '/usr/sbin/haproxy' }

my @frontends = qw(cql_options cql_get);
sub frontends { @frontends }

sub start {
    my ($class, $check_port, @ips) = @_;
    my $dir = Prober::Test::tempdir();
    my $self = bless {
        socket => "$dir/haproxy.sock", port => { map { $_ => Prober::Test::free_port() } @frontends },
    }, $class;
    my $conf = Prober::Test::spew("$dir/haproxy.conf", $self->conf($check_port, @ips));
    $self->{process} = Prober::Test::start(name => 'haproxy', command => [ binary(), '-db', '-f', $conf ]);
    Prober::Test::wait_for(
        sub {
            die 'haproxy ended: ' . $self->{process}->output if !$self->{process}->alive;
            return -S $self->{socket} && %{ $self->stats };
        },
        'haproxy to start');
    return $self;
}

sub conf {
    my ($self, $check_port, @ips) = @_;
    my $checks = join '', map { <<"BACKEND" } @ips;
backend check_$_
    option httpchk /healthz/$_
    server node 127.0.0.1:$check_port check
BACKEND
    my $tracking = join '', map { "    server $_ $_:9042 track check_$_/node\n" } @ips;
    my $checked  = join '', map { "    server $_ $_:9042 check addr 127.0.0.1 port $check_port\n" } @ips;
    return <<"CONF";
global
    stats socket $self->{socket} mode 600 level user
    log stdout format raw local0 info
defaults
    mode tcp
    log global
    balance roundrobin
    option redispatch 1
    retries 3
    timeout connect 1s
    timeout check 2s       # else it is inter, too little for one busy moment of the machine
    timeout client 10s
    timeout server 10s
    default-server inter 200ms fall 1 rise 1
${checks}listen cql_options
    bind 127.0.0.1:$self->{port}{cql_options}
${tracking}listen cql_get
    bind 127.0.0.1:$self->{port}{cql_get}
    option httpchk
    http-check send meth GET uri-lf "/healthz/%[srv_name]" ver HTTP/1.1 hdr Host prober
$checked
CONF
}

sub port { $_[0]{port}{ $_[1] } }

# Of every server behind a frontend, what the stats socket says.
sub stats {
    my ($self) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => $self->{socket}) or return {};
    print {$socket} "show stat\n";
    $socket->flush;
    my ($head, @lines) = grep { length } split /\n/, do { local $/; readline($socket) // '' };
    my @names = split /,/, ($head // '') =~ s/^# //r;
    my %servers;
    for my $line (@lines) {
        my %value;
        @value{@names} = split /,/, $line, -1;
        next if !grep { $_ eq $value{pxname} } @frontends or $value{svname} =~ /^(FRONTEND|BACKEND)$/;
        $servers{"$value{pxname}/$value{svname}"} = \%value;
    }
    return \%servers;
}

1;
