package Prober::Faults;

# A server whose every path fails in a way of its own: what a collector may meet where a Jolokia agent should be.
#
#   my $faults = Prober::Faults->start;      # $faults->{port}; ends with the test
#   POST or GET http://127.0.0.1:PORT/NAME/…        # NAME of %fault below; "none" answers well for nobody

use strict;
use warnings;
use IO::Socket::INET;
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER SOMAXCONN);
use Time::HiRes 'sleep';

sub json { my ($body) = @_; return "HTTP/1.1 200 OK\r\nContent-Length: " . length($body) . "\r\n\r\n$body" }
sub head { my ($status, @header) = @_; return join("\r\n", "HTTP/1.1 $status", @header, 'Content-Length: 0', '', '') }

my $states = '{"value":{"/10.0.0.1:7000":"UP"},"status":200,"timestamp":1}';

my %fault = (
    blackhole => sub { sleep 60 },
    drip      => sub {
        print { $_[0] } "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
        for (1 .. 600) { print { $_[0] } ' '; sleep 0.1 }
    },
    # 10 GB announced, and sent for as long as anybody listens.
    enormous => sub {
        print { $_[0] } "HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n[";
        my $block = ' ' x 65536;
        for (1 .. 160000) { print { $_[0] } $block or return }
    },
    rst => sub {
        print { $_[0] } "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[{";
        setsockopt($_[0], SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
    },
    closed    => sub { },
    truncated => sub { print { $_[0] } "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[$states," },
    html      => sub { print { $_[0] } json('<html><body>It works!</body></html>') },
    deep      => sub { print { $_[0] } json('[' x 100000) },
    duplicate => sub { print { $_[0] } json('[{"value":{"/10.0.0.1:7000":"UP","/10.0.0.1:7000":"DOWN"},"status":200}]') },
    utf8      => sub { print { $_[0] } json("[{\"value\":{\"/10.0.0.1:7000\":\"\xff\xfe\"},\"status\":200}]") },
    redirect  => sub { print { $_[0] } head('302 Found', 'Location: http://127.0.0.1/') },
    login     => sub { print { $_[0] } head('401 Unauthorized', 'WWW-Authenticate: Basic realm="x"') },
    broken    => sub { print { $_[0] } head('500 Internal Server Error') },
    types     => sub { print { $_[0] } json('[{"value":[1,2,3],"status":200},{"value":"x","status":200}]') },
    object    => sub { print { $_[0] } json('{"error":"no","status":400}') },
    garbage   => sub { print { $_[0] } "\0\1\2\3 this is no HTTP\r\n\r\n" },
);

sub names { return sort keys %fault }

sub start {
    my ($class) = @_;
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => SOMAXCONN) or die "listen: $!";
    my $self = bless { port => $listen->sockport }, $class;
    my $process = Prober::Test::start(name => 'faults', command => [ $^X, "-I" . Prober::Test::root() . '/t/lib',
            '-MProber::Faults', '-e', 'Prober::Faults::serve(shift)', $self->{port} ]);
    # The port is handed over: closed here, bound there.
    close $listen;
    Prober::Test::wait_for(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}) }, 'the faults');
    return $self;
}

# One child per connection; the children end with their connection.
sub serve {
    my ($port) = @_;
    $SIG{CHLD} = 'IGNORE';
    $SIG{PIPE} = 'IGNORE';
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => SOMAXCONN, ReuseAddr => 1)
        or die "port $port: $!";
    while (1) {
        my $client = $listen->accept or next;
        my $pid = fork // next;
        if ($pid == 0) {
            alarm 30;
            answer($client);
            POSIX::_exit(0) if !close $client;
            POSIX::_exit(0);
        }
        close $client;
    }
}

sub answer {
    my ($client) = @_;
    my $request = '';
    $client->autoflush(1);
    while ($request !~ /\r\n\r\n/) { sysread($client, $request, 65536, length $request) or return }
    my ($name) = $request =~ m{^(?:GET|POST) /(\w+)};
    my ($length) = $request =~ /^Content-Length: (\d+)/mi;
    my $body = index($request, "\r\n\r\n") + 4;
    while (length($request) - $body < ($length // 0)) { sysread($client, $request, 65536, length $request) or return }
    ($fault{ $name // '' } || $fault{broken})->($client);
}

1;
