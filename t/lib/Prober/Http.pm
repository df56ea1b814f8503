package Prober::Http;

# Raw HTTP/1.x over a socket: nothing is added that the test did not ask for, but Host and Connection: close.
#
#   my $a = http($port, 'GET /p/healthz/10.0.0.1');             # HTTP/1.1
#   my $a = http($port, 'OPTIONS /x HTTP/1.0', host => undef);  # the request line as it is
#   http('/run/x.sock', 'PUT /x', header => ['If-Match: *'], body => 'true');   # a unix socket; Content-Length added
#
# Returns { status, reason, header => { lower case name => value, ... }, headers => [ 'Name: value' ], body, raw }.
# Options: address (127.0.0.1), host (localhost), timeout (10), raw (the bytes to send instead). No answer: status 0.

use strict;
use warnings;
use Exporter 'import';
use IO::Socket::INET;
use IO::Socket::UNIX;
use Time::HiRes 'time';

our @EXPORT = qw(http);

sub http {
    my ($where, $line, %option) = @_;
    my $raw = '';
    if (my $socket = connect_to($where, %option)) {
        print {$socket} $option{raw} // request($line, %option);
        $socket->flush;
        $raw = receive($socket, $option{timeout} // 10);
    }
    return parse($raw);
}

sub connect_to {
    my ($where, %option) = @_;
    return IO::Socket::UNIX->new(Peer => $where) if $where =~ m{^/};
    return IO::Socket::INET->new(PeerAddr => $option{address} // '127.0.0.1', PeerPort => $where, Timeout => 5);
}

sub request {
    my ($line, %option) = @_;
    $line .= ' HTTP/1.1' if $line !~ m{ HTTP/\S+$};
    my @header = @{ $option{header} || [] };
    my $host = exists $option{host} ? $option{host} : 'localhost';
    unshift @header, "Host: $host" if defined $host;
    push @header, 'Connection: close' if !grep { /^connection:/i } @header;
    push @header, 'Content-Length: ' . length $option{body}
        if defined $option{body} && !grep { /^(content-length|transfer-encoding):/i } @header;
    return join("\r\n", $line, @header, '', '') . ($option{body} // '');
}

# Everything until the peer closes, or the time is up.
sub receive {
    my ($socket, $timeout) = @_;
    my $raw = '';
    my $end = time + $timeout;
    while ((my $left = $end - time) > 0) {
        my $ready = '';
        vec($ready, fileno $socket, 1) = 1;
        next if select($ready, undef, undef, $left) <= 0;
        last if !sysread($socket, $raw, 65536, length $raw);
    }
    return $raw;
}

sub parse {
    my ($raw) = @_;
    my ($head, $body) = split /\r\n\r\n/, $raw, 2;
    my ($line, @headers) = split /\r\n/, $head // '';
    my ($status, $reason) = ($line // '') =~ m{^HTTP/1\.[01] (\d{3}) ?(.*)$};
    my %header;
    for (@headers) {
        my ($name, $value) = /^([^:]+):\s*(.*)$/ or next;
        $name = lc $name;
        $header{$name} = exists $header{$name} ? "$header{$name}, $value" : $value;
    }
    $body = dechunk($body) if ($header{'transfer-encoding'} // '') eq 'chunked';
    return {
        status => $status // 0, reason => $reason // '',
        header => \%header, headers => \@headers,
        body => $body // '', raw => $raw,
    };
}

sub dechunk {
    my ($in) = @_;
    my $out = '';
    while ($in =~ s/^([0-9a-fA-F]+)[^\r\n]*\r\n//) {
        my $len = hex $1 or last;
        $out .= substr $in, 0, $len + 2, '';
        substr $out, -2, 2, '';
    }
    return $out;
}

1;
