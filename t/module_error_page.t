#!/usr/bin/perl
# error_page: one in the location itself replaces answers of its status; an inherited one does not touch documents.
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
    error_page 404 405 503 /inherited;
    server {
        listen 127.0.0.1:%%PORT%%;
        location = /inherited { internal; return 200 inherited; }
        location = /own { internal; return 200 own; }
        location / { prober; prober_on_stale error; }
        location /own/ { prober; error_page 404 503 /own; }
        location /own200/ { prober; error_page 404 =200 /own; }
        location /own204/ { prober; error_page 404 =204 @empty; }
        location /503/ { prober; prober_not_ready 503; error_page 503 =429 /own; }
        location /other/ { prober; error_page 500 /own; }
        location /redirect/ { prober; error_page 404 https://elsewhere.example/; }
        location /other-prober/ { prober; error_page 404 = @second; }
        location /nosegment/ { prober; prober_segment %%DIR%%/none; }
        location /nosegment/own/ { prober; prober_segment %%DIR%%/none; error_page 503 = @second; }
        location /if/ { prober; error_page 404 /own; if ($arg_x) { set $x 1; } }
        location /limit/ { prober; error_page 405 /own; limit_except GET { allow all; } }
        location @empty { return 204; }
        location @second { prober; prober_segment %%DIR%%/second; }
    }
}
CONF
my $second = segment("$nginx->{dir}/second");

my $views = '{"/10.0.0.1":"DOWN"}';
$segment->put('/healthz/10.0.0.1', 200, '{}');
$segment->put('/healthz/10.0.0.2', 404, $views, flags => Prober::Segment::NOT_READY);
$segment->put('/ready', 503, 'no local node', type => 'text/plain');
$second->put('/other-prober/healthz/10.0.0.2', 200, 'second', type => 'text/plain');
$second->put('/nosegment/own/ping', 404, 'second not ready', type => 'text/plain');

sub get { http($nginx->port, "GET $_[0]") }
sub body { my $a = get(@_); "$a->{status} $a->{body}" }

is(body('/healthz/10.0.0.2'), "404 $views", 'an inherited error_page leaves the views in the body');
is(body('/ready'), '503 no local node', 'and reasons');
my $a = get('/nothing');
is("$a->{status} $a->{body}", '404 inherited', 'but is there for what is not');
ok(!exists $a->{header}{'cache-control'}, 'with its own headers');
is(body('/other/healthz/10.0.0.2'), "404 $views", 'one in the location for another status changes nothing');
is(http($nginx->port, 'POST /ready')->{body}, 'inherited', 'also for other methods');
is(body('/nosegment/ping'), '503 {"error":"segment","reason":"no such file"}', 'nor does it hide why there is no answer');

$a = get('/own/healthz/10.0.0.2');
is("$a->{status} $a->{body}", '404 own', 'one in the location itself replaces it');
ok(!exists $a->{header}{etag} && !exists $a->{header}{'cache-control'} && !exists $a->{header}{'x-prober-age-ms'}, 'with all its headers');
is($a->{header}{'content-length'}, 3, 'but the length is right');
is(body('/own/ready'), '503 own', 'another status');
is(body('/own/healthz/10.0.0.1'), '200 {}', 'a good answer stays');
is(body('/own200/healthz/10.0.0.2'), '200 own', 'error_page 404 =200');
is(body('/own200/ready'), '503 no local node', 'others stay');
is(body('/own204/healthz/10.0.0.2'), '204 ', 'error_page to a named location');
is(body('/503/healthz/10.0.0.2'), '429 own', 'of the status that prober_not_ready gave');
is(get('/redirect/healthz/10.0.0.2')->{status}, 302, 'a redirect');
is(body('/other-prober/healthz/10.0.0.2'), '200 second', 'to another segment');
is(body('/nosegment/own/ping'), '404 second not ready', 'when there is none: its answer stands');
is(body('/if/healthz/10.0.0.2'), '404 own', 'if, false');
is(body('/if/healthz/10.0.0.2?x=1'), '404 own', 'if, true');
is(http($nginx->port, 'POST /limit/ready')->{body}, 'own', 'limit_except');
$a = http($nginx->port, 'HEAD /own/healthz/10.0.0.2');
is("$a->{status} $a->{body}", '404 ', 'HEAD');
$a = http($nginx->port, 'OPTIONS /own/healthz/10.0.0.2');
is("$a->{status} $a->{header}{allow}", '404 GET, HEAD, OPTIONS', 'OPTIONS is answered as it is');

$segment->heartbeat(60_000);
like(body('/healthz/10.0.0.1'), qr/^503 \{"error":"stale"/, 'stale: inherited');
is(body('/own/healthz/10.0.0.1'), '503 own', 'stale: its own');

done();
