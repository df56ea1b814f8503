package Prober::Cql;

# As much of CQL's native protocol (version 4) as it takes to learn which node one is connected to.
#
#   my ($ip, $error) = who_answers($address, $port, $timeout);   # a new connection, one query
#   my ($done, $error) = cql($address, $port, $timeout, $query);  # likewise; what it returns is not looked at

use strict;
use warnings;
use Exporter 'import';
use IO::Socket::INET;
use Socket qw(inet_ntoa);
use Time::HiRes 'time';

our @EXPORT = qw(cql who_answers);

my %OPCODE = (ERROR => 0, STARTUP => 1, READY => 2, QUERY => 7, RESULT => 8);
my $ONE = 1;     # the consistency

# The body of the answer to one query.
sub query {
    my ($address, $port, $timeout, $query) = @_;
    my $until = time + $timeout;
    my $socket = IO::Socket::INET->new(PeerAddr => $address, PeerPort => $port, Timeout => $timeout)
        or die "connect: $!\n";
    ask($socket, STARTUP => pack('n n/a* n/a*', 1, 'CQL_VERSION', '3.0.0'), READY => $until);
    return ask($socket, QUERY => pack('N/a* n C', $query, $ONE, 0), RESULT => $until);
}

sub cql {
    my ($address, $port, $timeout, $query) = @_;
    return eval { query($address, $port, $timeout, $query); 1 } // (undef, $@ =~ s/\n.*//sr);
}

sub who_answers {
    my ($address, $port, $timeout) = @_;
    my $ip = eval {
        my $rows = query($address, $port, $timeout, 'SELECT rpc_address FROM system.local');
        # One row of one column, an inet: the last thing in the frame, after its length.
        my ($length, $inet) = unpack 'N a4', substr $rows, -8;
        $length == 4 or die "no inet in the answer\n";
        inet_ntoa($inet);
    };
    return $ip // (undef, $@ =~ s/\n.*//sr);
}

# Sends a frame and returns the body of the one that answers it.
sub ask {
    my ($socket, $opcode, $body, $expected, $until) = @_;
    local $SIG{PIPE} = 'IGNORE';
    syswrite $socket, pack('C C n C N/a*', 4, 0, 0, $OPCODE{$opcode}, $body) or die "send: $!\n";
    my ($version, $flags, $stream, $answer, $length) = unpack 'C C n C N', receive($socket, 9, $until);
    die "answer of $length bytes\n" if $length > 65536;
    $body = receive($socket, $length, $until);
    die 'error ', unpack('x4 n/a*', $body), "\n" if $answer == $OPCODE{ERROR};
    die "opcode $answer instead of $expected\n" if $answer != $OPCODE{$expected};
    return $body;
}

sub receive {
    my ($socket, $length, $until) = @_;
    my $got = '';
    while (length $got < $length) {
        my ($ready, $left) = ('', $until - time);
        vec($ready, fileno $socket, 1) = 1;
        die "no answer in time\n" if $left <= 0 || select($ready, undef, undef, $left) <= 0;
        my $n = sysread($socket, $got, $length - length $got, length $got);
        die 'closed', ($n // $! . ''), "\n" if !$n;
    }
    return $got;
}

1;
