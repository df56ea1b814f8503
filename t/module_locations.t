#!/usr/bin/perl
# The key is the path below the location, whatever the location and however the request came to it.
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
        location /slash/ { prober; }
        location /bare { prober; }
        location ^~ /noregex/ { prober; }
        location = /healthz/exact { prober; }
        location = /healthz/10.0.0.9 { prober; prober_not_ready 503; }
        location ~ ^/re(gex)?/ { prober; }
        location ~* \.prober$ { rewrite ^(.*)\.prober$ $1 break; prober; }
        location /rewrite/ { rewrite ^/rewrite/(.*)$ /healthz/$1 break; prober; }
        location /last/ { rewrite ^/last/(.*)$ /slash/healthz/$1 last; }
        location /again/ { rewrite ^/again/(.*)$ /again/$1 break; prober; }
        location /named/ { try_files /nonexistent @named; }
        location @named { prober; }
        location /inner/ {
            prober;
            location /inner/deep/ { prober; }
            location /inner/static/ { return 200 static; }
        }
        location /if/ {
            prober;
            if ($arg_if) { set $x 1; }
            if ($arg_return) { return 403; }
            if ($arg_503) { add_header X-If yes always; }
        }
        location /unmerged/ { prober; }
        location /fallback/ { error_page 418 = @named; return 418; }
        location /limit/ { prober; limit_except GET { deny all; } }
    }
    server { listen 127.0.0.1:%%PORT2%%; merge_slashes off; location /p { prober; } location /q/ { prober; } }
}
CONF

$segment->put('/healthz/10.0.0.1', 200, 'one', type => 'text/plain');
$segment->put('/healthz/10.0.0.9', 404, 'nine', type => 'text/plain', flags => Prober::Segment::NOT_READY);
$segment->put('/healthz/exact', 200, 'exact', type => 'text/plain');
$segment->put('/', 200, 'root', type => 'text/plain');
$segment->put('/regex/x', 200, 'regex x', type => 'text/plain');
$segment->put('/re/10.0.0.1', 200, 're address', type => 'text/plain');
$segment->put('/again/x', 200, 'whole', type => 'text/plain');
$segment->put('/named/x', 200, 'named x', type => 'text/plain');
$segment->put('/fallback/x', 200, 'fallback x', type => 'text/plain');

sub get { http($nginx->port, "GET $_[0]", @_[1 .. $#_]) }
sub body { my $a = get(@_); "$a->{status} $a->{body}" }

is(body('/healthz/10.0.0.1'), '200 one', 'location /');
is(body('/'), '200 root', 'its root');
is(body('//healthz///10.0.0.1'), '200 one', 'merged slashes');
is(body('/x/../healthz/./10.0.0.1'), '200 one', 'dots');
is(body('http://elsewhere/healthz/10.0.0.1'), '200 one', 'an absolute URI');
is(body('/slash/healthz/10.0.0.1'), '200 one', 'location /slash/');
is(body('/slash/'), '200 root', 'its root');
my $a = get('/slash');
is($a->{status}, 301, 'without the slash: there it is');
like($a->{header}{location}, qr{/slash/$}, 'namely here');
is(body('/bare/healthz/10.0.0.1'), '200 one', 'location /bare');
is(body($_), '200 root', "its root as $_") for '/bare', '/bare/';
is(body('/noregex/healthz/10.0.0.1'), '200 one', 'location ^~');
is(body('/healthz/exact'), '200 exact', 'an exact location: the whole URI');
is(body('/healthz/10.0.0.9'), '503 nine', 'which is good for a rule for one node');
is(body('/regex/x'), '200 regex x', 'a regex location: the whole URI');
is(body('/re/::ffff:10.0.0.1'), '200 re address', 'with an address');
is(body('/healthz/10.0.0.1.prober'), '200 one', 'rewritten in a regex location');
is(body('/rewrite/10.0.0.1'), '200 one', 'rewritten: the whole new URI');
is(body('/again/x'), '200 whole', 'also one that begins as the location does');
is(body('/last/10.0.0.1'), '200 one', 'rewritten to another location');
is(body('/named/x'), '200 named x', 'a named location: the whole URI');
is(body('/fallback/x'), '200 fallback x', 'by error_page');
is(body('/inner/healthz/10.0.0.1'), '200 one', 'around nested ones');
is(body('/inner/deep/healthz/10.0.0.1'), '200 one', 'nested');
is(body('/inner/static/x'), '200 static', 'not inherited by nested ones');
is(body('/if/healthz/10.0.0.1'), '200 one', 'if, false');
is(body('/if/healthz/10.0.0.1?if=1'), '200 one', 'if, true');
is(get('/if/healthz/10.0.0.1?return=1')->{status}, 403, 'if, return');
$a = get('/if/healthz/10.0.0.9?503=1');
is("$a->{status} $a->{header}{'x-if'} $a->{body}", '404 yes nine', 'if, with a header');
is(body('/limit/healthz/10.0.0.1'), '200 one', 'limit_except');
is(http($nginx->port, 'POST /limit/healthz/10.0.0.1')->{status}, 403, 'which limits');
is(get("/slash/healthz/$_")->{status}, 404, "nothing at $_") for 'x', '10.0.0.1x', '10.0.0.1/x', '%2e%2e/x';

$a = get('/healthz/x');
like($a->{body}, qr/404 Not Found.*nginx/s, 'nginx says so');
is($a->{header}{'cache-control'}, 'no-store', 'for nobody to keep');
is(http($nginx->port, 'HEAD /healthz/x')->{header}{'cache-control'}, 'no-store', 'HEAD');

sub other { my $a = http($nginx->port('PORT2'), "GET $_[0]"); "$a->{status} $a->{body}" }
is(other('/p//healthz/10.0.0.1'), '200 one', 'slashes in front, not merged');
is(other('/q//healthz/10.0.0.1//'), '200 one', 'and behind');
is(other('/q//'), '200 root', 'slashes alone');
like(other('/q/healthz//10.0.0.1'), qr/^404 /, 'but not within');

done();
