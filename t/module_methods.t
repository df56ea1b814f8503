#!/usr/bin/perl
# GET, HEAD, HTTP/1.0 and the headers of an answer.
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
        location / { prober; }
        location /charset/ { prober; charset utf-8; charset_types *; }
        location /gzip/ { prober; gzip on; gzip_types application/json; gzip_min_length 1; }
    }
}
CONF

my $views = '{"/10.0.0.1":"UP","/10.0.0.2":"DOWN","/10.0.0.3":"?"}';
$segment->put('/healthz/10.0.0.1', 200, $views);
$segment->put('/healthz/10.0.0.2', 404, $views, flags => Prober::Segment::NOT_READY);
$segment->put('/ping', 200, 'pong', type => 'text/plain');
$segment->put('/view', 200, '{"v":1}', flags => Prober::Segment::NO_CACHE);
$segment->put('/', 200, '<p>hello', type => 'text/html; charset=utf-8');
$segment->put('/empty', 200, '', type => 'text/plain');
$segment->put('/big', 200, my $big = join('', map { "$_\n" } 1 .. 100_000), type => 'text/plain');

sub get { http($nginx->port, "GET $_[0]", @_[1 .. $#_]) }

my $a = get('/healthz/10.0.0.1');
is($a->{status}, 200, 'ready is 200');
is($a->{body}, $views, 'its body');
is($a->{header}{'content-type'}, 'application/json', 'its type');
is($a->{header}{'content-length'}, length $views, 'its length');
is($a->{header}{'cache-control'}, 'no-store', 'nobody keeps it');
like($a->{header}{etag}, qr/^"[0-9a-f]{16}"$/, 'a strong tag');
like($a->{header}{'x-prober-age-ms'}, qr/^\d+$/, 'its age');
cmp_ok($a->{header}{'x-prober-age-ms'}, '<', 5000, 'which is small');
ok(!exists $a->{header}{'transfer-encoding'}, 'not chunked');

$segment->touch('/healthz/10.0.0.1', 3_600_000);
cmp_ok(get('/healthz/10.0.0.1')->{header}{'x-prober-age-ms'}, '>=', 3_600_000, 'the age is that of the data');
$segment->touch('/healthz/10.0.0.1', -500);
is(get('/healthz/10.0.0.1')->{header}{'x-prober-age-ms'}, 0, 'an age is never negative');

$a = get('/healthz/10.0.0.2');
is($a->{status}, 404, 'not ready is 404');
is($a->{body}, $views, 'with the views in the body');
is($a->{header}{'content-length'}, length $views, 'and their length');

my $head = http($nginx->port, 'HEAD /healthz/10.0.0.1');
is($head->{status}, 200, 'HEAD');
is($head->{body}, '', 'without a body');
is($head->{header}{'content-length'}, length $views, 'with the length of the body');
is($head->{header}{etag}, get('/healthz/10.0.0.1')->{header}{etag}, 'and its tag');
is(http($nginx->port, 'HEAD /healthz/10.0.0.2')->{status}, 404, 'HEAD of one that is not ready');

$a = http($nginx->port, 'GET /ping HTTP/1.0', host => undef);
is($a->{status}, 200, 'HTTP/1.0 without Host');
is($a->{body}, 'pong', 'its body');
is($a->{header}{'content-type'}, 'text/plain', 'its type');

is(get('/view')->{header}{'cache-control'}, 'no-cache', 'a document that may be kept and asked about');
is(get('/')->{body}, '<p>hello', 'the root');
is(get('/')->{header}{'content-type'}, 'text/html; charset=utf-8', 'a type with a parameter');

$a = get('/empty');
is("$a->{status} $a->{header}{'content-length'} [$a->{body}]", '200 0 []', 'an empty document');
$segment->put('/untyped', 200, 'no type', type => '');
$a = get('/untyped');
is("$a->{status} $a->{body}", '200 no type', 'a document without a type');
ok(!exists $a->{header}{'content-type'}, 'has none');
$segment->put('/early', 101, 'early', type => 'text/plain');
is(get('/early')->{status}, 503, 'a status that ends no answer is nonsense');
$a = get('/big');
is(length $a->{body}, length $big, 'a large document is whole');
ok($a->{body} eq $big, 'and right');
is(http($nginx->port, 'GET /ping', body => 'x' x 10000)->{body}, 'pong', 'the body of a GET is thrown away');

# keep-alive: an answer ends where it says
my @two = map { "GET /ping HTTP/1.1\r\nHost: x\r\n" . ($_ ? '' : "Connection: close\r\n") . "\r\n" } 1, 0;
$a = http($nginx->port, '', raw => join '', @two);
is(() = $a->{raw} =~ /\r\n\r\npong(?=HTTP|$)/g, 2, 'two answers on one connection');

# nginx's filters
like(get('/charset/ping')->{header}{'content-type'}, qr{^text/plain; charset=utf-8$}, 'charset');
is(get('/charset/')->{header}{'content-type'}, 'text/html; charset=utf-8', 'charset adds no second one');
$a = get('/gzip/view', header => ['Accept-Encoding: gzip']);
is($a->{header}{'content-encoding'}, 'gzip', 'gzip');
like($a->{header}{etag}, qr/^W\//, 'which makes the tag a weak one');

done();
