#!/usr/bin/perl
# Documents as a part of other answers: auth_request, SSI, mirror, add_after_body.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Prober::Test;
use Test::More;

my $segment = segment();
my $dir     = tempdir();
mkdir "$dir/html";
spew("$dir/html/page.html", '<!--# block name="none" -->?<!--# endblock -->[<!--# include virtual="/p/healthz/10.0.0.1" -->]'
        . '[<!--# include virtual="/p/healthz/10.0.0.2?brief" -->][<!--# include virtual="/p/empty" -->]'
        . '[<!--# include virtual="/p/big" -->][<!--# include virtual="/p/nothing" stub="none" -->]');
spew("$dir/html/secret.html", 'secret');
my $nginx = nginx(<<'CONF');
%%GLOBALS%%
http {
    %%HTTP%%
    prober_segment %%DIR%%/segment;
    root %%DIR%%/html;
    server {
        listen 127.0.0.1:%%PORT%%;
        location /p/ { prober; }
        location /page.html { ssi on; ssi_types *; }
        location /mirror/ { mirror /p/healthz/10.0.0.2; mirror_request_body off; return 200 mirrored; }
        location /after/ { prober; add_after_body /p/healthz/10.0.0.2; addition_types *; }

        # one node's readiness opens a door
        location /1/ { auth_request /auth/healthz/10.0.0.1; auth_request_set $age $prober_age_ms; add_header X-Age $age always; alias %%DIR%%/html/; }
        location /2/ { auth_request /auth/healthz/10.0.0.2; alias %%DIR%%/html/; }
        location /3/ { auth_request /auth/healthz/10.0.0.3; alias %%DIR%%/html/; }
        location /auth/ { internal; prober; error_page 404 503 =403 @closed; }
        location @closed { return 403; }
        location /plain/ { auth_request /p/healthz/10.0.0.2; alias %%DIR%%/html/; }
        location /control/ { auth_request /auth/healthz/10.0.0.1; proxy_pass http://127.0.0.1:%%PORT%%/echo/; }
        location /echo/ { return 200 echo; }
    }
}
CONF

$segment->put('/healthz/10.0.0.1', 200, '{"/10.0.0.1":"UP"}');
$segment->put('/healthz/10.0.0.2', 404, 'full', flags => Prober::Segment::NOT_READY);
$segment->put('/healthz/10.0.0.2?brief', 200, 'brief', type => 'text/plain');
$segment->put('/healthz/*', 404, '{}');
$segment->put('/empty', 200, '', type => 'text/plain');
$segment->put('/big', 200, 'b' x 300_000, type => 'text/plain');

sub get { http($nginx->port, "GET $_[0]") }
sub body { my $a = get(@_); "$a->{status} $a->{body}" }

my $a = get('/1/secret.html');
is("$a->{status} $a->{body}", '200 secret', 'auth_request: a ready node lets in');
like($a->{header}{'x-age'}, qr/^\d+$/, 'with the age of what is known of it');
is(get('/2/secret.html')->{status}, 403, 'one that is not ready does not');
is(get('/3/secret.html')->{status}, 403, 'nor does an unknown one');
is(http($nginx->port, 'POST /control/x', body => 'x' x 100_000)->{body}, 'echo', 'a request with a body');
is(get('/auth/healthz/10.0.0.1')->{body}, get('/2/secret.html')->{body}, 'an internal location is internal');
is(get('/plain/secret.html')->{status}, 500, 'nginx knows only 401 and 403 as refusals: others need an error_page');

$a = get('/page.html');
is($a->{body} =~ s/\[(?:b{3000}){100}\]/[big]/r, '[{"/10.0.0.1":"UP"}][brief][][big][?]', 'SSI');
is(body('/mirror/x'), '200 mirrored', 'mirror');
is(body('/after/healthz/10.0.0.1'), '200 {"/10.0.0.1":"UP"}full', 'added to an answer');

$segment->heartbeat(60_000);
is(get('/1/secret.html')->{status}, 403, 'stale: nobody is let in');
like(get('/page.html')->{body}, qr/^\[\{"error":"stale","age_ms":6\d{4}\}\]/, 'stale within SSI');

done();
