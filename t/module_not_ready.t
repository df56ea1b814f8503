#!/usr/bin/perl
# prober_not_ready, and OPTIONS: the status a load balancer sees.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Prober::Test;
use Test::More;

my $segment = segment();
my $nginx   = nginx(<<'CONF');
%%GLOBALS%%
http {
    %%HTTP%%
    prober_segment %%DIR%%/segment;
    server {
        listen 127.0.0.1:%%PORT%%;
        location /default/ { prober; }
        location /404/ { prober; prober_not_ready 404; }
        location /503/ { prober; prober_not_ready 503; }
        location /control/ { prober; prober_control @control; }
        location @control { return 204; }
    }
    server {
        listen 127.0.0.1:%%PORT2%%;
        prober_not_ready 503;
        location / { prober; }
        location /404/ { prober; prober_not_ready 404; }
    }
}
CONF

$segment->put('/healthz/10.0.0.1', 200, '{"/10.0.0.1":"UP"}');
$segment->put('/healthz/10.0.0.2', 404, '{"/10.0.0.1":"DOWN"}', flags => Prober::Segment::NOT_READY);
$segment->put('/healthz/*', 404, '{}');
$segment->put('/ready', 503, 'no local node', type => 'text/plain');

sub status { my ($port, $line, %option) = @_; http($nginx->port($port), $line, %option)->{status} }

for ([ PORT => '/default', 404 ], [ PORT => '/404', 404 ], [ PORT => '/503', 503 ], [ PORT2 => '', 503 ], [ PORT2 => '/404', 404 ]) {
    my ($port, $at, $expected) = @$_;
    my $where = "$port$at";
    for my $method (qw(GET HEAD OPTIONS)) {
        is(status($port, "$method $at/healthz/10.0.0.1"), 200, "$where: $method of a ready node");
        is(status($port, "$method $at/healthz/10.0.0.2"), $expected, "$where: $method of one that is not");
        is(status($port, "$method $at/healthz/10.0.0.3"), 404, "$where: $method of an unknown one is 404 everywhere");
        is(status($port, "$method $at/ready"), 503, "$where: $method of another document keeps its status");
        is(status($port, "$method $at/nothing"), 404, "$where: $method of nothing");
    }
}
is(http($nginx->port, 'GET /503/healthz/10.0.0.2')->{body}, '{"/10.0.0.1":"DOWN"}', 'the body is the same');

# as HAProxy asks: HTTP/1.0, no Host
my $a = http($nginx->port, 'OPTIONS /default/healthz/10.0.0.2 HTTP/1.0', host => undef);
is($a->{status}, 404, 'OPTIONS over HTTP/1.0');
is($a->{header}{allow}, 'GET, HEAD, OPTIONS', 'what may be asked');
is($a->{header}{'content-length'}, 0, 'no body');
is($a->{body}, '', 'none');
ok(!exists $a->{header}{'content-type'}, 'and no type of it');
is($a->{header}{'cache-control'}, 'no-store', 'nobody keeps it');
$a = http($nginx->port, 'OPTIONS /control/healthz/10.0.0.1');
is($a->{status}, 200, 'OPTIONS is answered here, not by the control');
is($a->{header}{allow}, 'GET, HEAD, OPTIONS, PUT, POST, DELETE', 'with more that may be asked');
is(http($nginx->port, 'OPTIONS /default/nothing')->{header}{allow}, 'GET, HEAD, OPTIONS', 'OPTIONS of nothing');

$segment->heartbeat(60_000);
is(status('PORT', "OPTIONS /default/healthz/10.0.0.1"), 503, 'OPTIONS of a stale segment');
is(http($nginx->port, 'OPTIONS /default/ready')->{header}{'content-length'}, 0, 'without a body');

done();
