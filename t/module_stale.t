#!/usr/bin/perl
# A collector that stopped, and one that has not begun.
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
        location /last/ { prober; prober_on_stale last; }
        location /error/ { prober; prober_on_stale error; }
        location /hour/ { prober; prober_stale 1h; }
        location /never/ { prober; prober_stale 2s; }
        location /young/ { prober; prober_segment %%DIR%%/young; }
        location /future/ { prober; prober_segment %%DIR%%/future; }
        location /late/ { prober; prober_segment %%DIR%%/late; prober_stale 2s; }
    }
}
CONF

sub get { http($nginx->port, "GET $_[0]") }
sub body { my $a = get(@_); "$a->{status} $a->{body}" }

$segment->put('/healthz/10.0.0.1', 200, '{"/10.0.0.1":"UP"}');
$segment->put('/ping', 200, 'pong', type => 'text/plain');
is(body('/ping'), '200 pong', 'fresh');
is(body('/never/ping'), '200 pong', 'fresh within two seconds');

$segment->heartbeat(6_000);
is(body('/ping'), '200 pong', '6 s old: fresh by default');
is(get('/never/ping')->{status}, 503, 'but not where two seconds are the limit');

$segment->heartbeat(11_000);
for my $uri ('/ping', '/healthz/10.0.0.1', '/nothing', '/', '/error/ping', '/healthz/10.0.0.1?brief') {
    my $a = get($uri);
    is($a->{status}, 503, "$uri of a stale segment is 503");
    like($a->{body}, qr/^\{"error":"stale","age_ms":1[1-9]\d\d\d\}$/, 'and says so');
    is($a->{header}{'content-type'}, 'application/json', 'in JSON');
    is($a->{header}{'content-length'}, length $a->{body}, 'its length');
    is($a->{header}{'cache-control'}, 'no-store', 'nobody keeps it');
    ok(!exists $a->{header}{etag}, 'it has no tag');
}
my $a = http($nginx->port, 'HEAD /ping');
is("$a->{status} $a->{body}", '503 ', 'HEAD');
cmp_ok($a->{header}{'content-length'}, '>', 30, 'with the length');

$segment->put('/page', 200, 'what is no data', type => 'text/html', flags => 8);
is(body('/page'), '200 what is no data', 'what is no data is there');
is(body('/last/page'), '200 what is no data', 'everywhere');
is(http($nginx->port, 'HEAD /page')->{status}, 200, 'HEAD');

$segment->touch('/healthz/10.0.0.1', 12_000);
$a = get('/last/healthz/10.0.0.1');
is("$a->{status} $a->{body}", '200 {"/10.0.0.1":"UP"}', 'prober_on_stale last');
cmp_ok($a->{header}{'x-prober-age-ms'}, '>=', 12_000, 'with its age');
is(get('/last/nothing')->{status}, 404, 'which knows what it does not know');
is(body('/hour/ping'), '200 pong', 'fresh for an hour');
is(body('/last/ping'), '200 pong', 'a document like any other');
$segment->put('/ping', 200, 'pong', type => 'text/plain', flags => 4);
like(body('/last/ping'), qr/^503 \{"error":"stale","age_ms":1[1-9]\d\d\d\}$/, 'one that is good only while it is fresh');
is(get('/last/ping')->{header}{'x-prober-age-ms'}, undef, 'without an age: it is no document');
is(http($nginx->port, 'HEAD /last/ping')->{status}, 503, 'HEAD');
is(body('/hour/ping'), '200 pong', 'which it is for an hour');

is(scalar $nginx->logged(qr/\[error\].* prober segment ".*" is stale: last heartbeat \d{4,5} ms ago/), 1, 'logged once, by the shorter limit');
is(scalar $nginx->logged(qr/\[error\]/), 1, 'and nothing else');
is(scalar $nginx->logged(qr/fresh again/), 0, 'though it is fresh by the longer ones');

$segment->heartbeat('auto');
is(body('/ping'), '200 pong', 'alive again') for 1 .. 3;
is(scalar $nginx->logged(qr/\[notice\].* prober segment ".*" is fresh again/), 1, 'logged once');

# clocks
$segment->heartbeat(-500);
is(body('/ping'), '200 pong', 'half a second in the future is now');
$segment->heartbeat(-5_000);
is(body('/ping'), '503 {"error":"stale","age_ms":null}', 'more is no time to go by');
$segment->heartbeat('auto');
$segment->touch('/ping', -950);
is(get('/ping')->{header}{'x-prober-age-ms'}, 0, 'data of the near future are new');
$segment->touch('/ping', -5_000);
$a = get('/ping');
is("$a->{status} $a->{body}", '200 pong', 'data of the future');
ok(!exists $a->{header}{'x-prober-age-ms'}, 'have no age');

my $future = segment("$nginx->{dir}/future");
$future->heartbeat(-5_000);
is(get('/future/ping')->{status}, 503, 'another heartbeat of the future') for 1 .. 2;
is(scalar $nginx->logged(qr/\[error\].* prober segment ".*future" is stale: its heartbeat is in the future/), 1, 'is logged as such');

# the collector is killed: no help from it
$segment->stop('KILL');
wait_for(sub { get('/never/ping')->{status} == 503 }, 'the death to be seen');
is(body('/ping'), '200 pong', 'the others still trust it');
$segment->restart;
is(body('/never/ping'), '200 pong', 'its successor takes over, with the documents');

# late at every round: no flood
my $late = segment("$nginx->{dir}/late");
$late->put('/ping', 200, 'pong', type => 'text/plain');
for (1 .. 20) {
    $late->heartbeat(3_000);
    is(get('/late/ping')->{status}, 503, 'late');
    $late->heartbeat('auto');
    is(body('/late/ping'), '200 pong', 'and there');
}
my $told = qr/prober segment ".*late" is (stale|fresh)/;
like(join("\n", $nginx->logged($told)), qr/^.*is stale.*\n.*is fresh again.*$/, 'told once');
$late->heartbeat(3_000);
wait_for(sub { get('/late/ping'); $nginx->logged($told) == 3 }, 'the next line', 12);
like(($nginx->logged($told))[2], qr/\[error\].*is stale/, 'and again when it stays away');
$late->heartbeat('auto');
get('/late/ping') for 1 .. 3;
is(scalar $nginx->logged($told), 4, 'with its end');

# no round yet
my ($status, $said) = Prober::Segment::once("$nginx->{dir}/young", 'put', '/ping', 200, 0, 'text/plain', 'pong');
is($status, 0, 'a segment without a heartbeat') or diag($said);
$a = get('/young/ping');
is("$a->{status} $a->{body} $a->{header}{'content-type'}", '503 starting text/plain', 'is starting');
is(get('/young/healthz/10.0.0.1')->{body}, 'starting', 'whatever is asked');
is(http($nginx->port, 'OPTIONS /young/ping')->{status}, 503, 'OPTIONS');
my $young = segment("$nginx->{dir}/young");
is(body('/young/ping'), '200 pong', 'and then it is not any more');

done();
