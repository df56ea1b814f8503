#!/usr/bin/perl
# What does not read: 405, or prober_control and from there wherever nginx sends it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::UNIX;
use Prober::Test;
use Test::More;

my $dir = tempdir();

# A server behind a unix socket that answers with the request it got.
my $echo = IO::Socket::UNIX->new(Local => "$dir/control.sock", Listen => 16) or die "socket: $!";
chmod 0666, "$dir/control.sock";
my $server = fork() // die "fork: $!";
if ($server == 0) {
    while (my $peer = $echo->accept) {
        my $request = '';
        1 while $request !~ /\r\n\r\n/ && sysread($peer, $request, 65536, length $request);
        my ($len) = $request =~ /^content-length: (\d+)/im;
        my $all = index($request, "\r\n\r\n") + 4 + ($len // 0);
        1 while length $request < $all && sysread($peer, $request, 65536, length $request);
        print {$peer} "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n$request";
        close $peer;
    }
    POSIX::_exit(0);
}
close $echo;
END { kill 'KILL', $server if $server }

my $segment = segment();
spew("$dir/htpasswd", "ops:{PLAIN}secret\n");
my $conf = <<'CONF';
%%GLOBALS%%
http {
    %%HTTP%%
    prober_segment %%DIR%%/segment;
    client_body_buffer_size 1k;
    server {
        listen 127.0.0.1:%%PORT%%;
        prober_control @control;
        location /p/ {
            prober;
            limit_except GET HEAD OPTIONS {
                auth_basic prober;
                auth_basic_user_file %%DIR%%/htpasswd;
            }
        }
        location /open/ { prober; }
        location /bare { prober; limit_except GET HEAD OPTIONS { allow all; } }
        location /none/ { prober; prober_control off; }
        location /denied/ { prober; limit_except GET HEAD OPTIONS { deny all; } }
        location ~ ^/regex { prober; limit_except GET HEAD OPTIONS { allow all; } }
        location /if/ { prober; if ($arg_deny) { return 403; } }
        location /missing/ { prober; prober_control @nowhere; }
        location @control {
            proxy_pass http://unix:%%DIR%%/control.sock;
            proxy_set_header X-User $remote_user;
            client_max_body_size 1m;
        }
    }
}
CONF
my $nginx = nginx($conf);

$segment->put('/drain/10.0.0.1', 200, 'document', type => 'text/plain');
$segment->put('/', 200, 'root', type => 'text/plain');

sub ask { my ($line, %option) = @_; http($nginx->port, $line, %option) }
my @as_ops = (header => [ 'Authorization: Basic ' . 'b3BzOnNlY3JldA==' ]);

# without control
for my $method (qw(PUT POST DELETE PATCH MKCOL UNHEARD)) {
    my $a = ask("$method /none/drain/10.0.0.1", body => 'x');
    is($a->{status}, 405, "$method without control");
    is($a->{header}{allow}, 'GET, HEAD, OPTIONS', 'what is allowed');
}
is(ask('GET /none/drain/10.0.0.1')->{body}, 'document', 'reads are answered');

# with
my $a = ask('PUT /open/drain/10.0.0.1?ttl=3', body => 'true');
is($a->{status}, 200, 'PUT goes on');
like($a->{body}, qr{^PUT /drain/10\.0\.0\.1\?ttl=3 HTTP/1\.}, 'without the prefix, with the arguments');
like($a->{body}, qr{\r\n\r\ntrue$}, 'with its body');
for my $method (qw(POST DELETE PATCH)) {
    like(ask("$method /open/x")->{body}, qr{^$method /x HTTP}, "$method too");
}
is(ask('GET /open/drain/10.0.0.1')->{body}, 'document', 'GET does not');
is(ask('HEAD /open/drain/10.0.0.1')->{status}, 200, 'nor HEAD');

my $big = join '', map { "$_," } 1 .. 100_000;
$a = ask('PUT /open/big', body => $big);
ok($a->{body} =~ /\r\n\r\n(.*)$/s && $1 eq $big, 'a body that is buffered in a file is whole');
is(ask('PUT /open/big', body => 'x' x 1_100_000)->{status}, 413, 'one over the limit is refused');
$a = ask('PUT /open/chunked', header => ['Transfer-Encoding: chunked'], body => "4\r\ntrue\r\n0\r\n\r\n");
like($a->{body}, qr{\r\n\r\ntrue$}, 'a chunked one');
$a = ask('PUT /open/expect', header => ['Expect: 100-continue'], body => 'true');
like($a->{raw}, qr{^HTTP/1\.1 100 .*\r\n\r\nHTTP/1\.1 200 .*\r\n\r\ntrue\r\n}s, 'one that waits to be asked for');

# the path below the location
my %path = (
    '/open/' => '/', '/open//a///b/' => '/a/b', '/open/a%20b' => '/a%20b', '/open/%3fx' => '/%3Fx', '/bare' => '/', '/bare/' => '/',
    '/bare/a' => '/a', '/open/2001%3adb8%3A%3A1' => '/2001:db8::1', '/regex/a' => '/regex/a', '/if/x' => '/x',
);
for my $from (sort keys %path) {
    my ($got) = ask("PUT $from")->{body} =~ m{^PUT (\S+) };
    is($got, $path{$from}, "$from is $path{$from}");
}
is(ask('PUT /if/x?deny=1')->{status}, 403, 'if');

# limit_except
is(ask('GET /p/drain/10.0.0.1')->{body}, 'document', 'limit_except lets reads pass');
$a = ask('PUT /p/drain/10.0.0.1', body => 'true');
is($a->{status}, 401, 'and asks others for a password');
like($a->{header}{'www-authenticate'}, qr/prober/, 'in words');
is(ask('PUT /p/x', header => [ 'Authorization: Basic ' . 'b3BzOndyb25n' ])->{status}, 401, 'the right one');
$a = ask('PUT /p/drain/10.0.0.1?ttl=1', @as_ops, body => 'true');
is($a->{status}, 200, 'then it goes on');
like($a->{body}, qr{^PUT /drain/10\.0\.0\.1\?ttl=1 HTTP}, 'as it should');
like($a->{body}, qr{^X-User: ops\r$}m, 'with the name of who asked');
like($a->{body}, qr{\r\n\r\ntrue$}, 'and its body');
is(ask('PUT /denied/x')->{status}, 403, 'or refuses');

# writes do not need a segment
$segment->stop;
unlink $segment->path;
like(ask('PUT /open/x')->{body}, qr{^PUT /x }, 'without a segment');

is(ask('PUT /missing/x')->{status}, 500, 'a named location that is not there');
is(scalar $nginx->logged(qr/could not find named location "\@nowhere"/), 1, 'is told');

done();
