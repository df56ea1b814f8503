#!/usr/bin/perl
# The first argument's name chooses a variant of a document, where there is one.
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
    prober_not_ready 503;
    server { listen 127.0.0.1:%%PORT%%; location / { prober; } }
}
CONF

sub get { http($nginx->port, "GET $_[0]") }

$segment->put('/healthz/10.0.0.1', 200, '{"/10.0.0.1":"UP"}');
$segment->put('/healthz/10.0.0.1?brief', 200, 'ready', type => 'text/plain');
$segment->put('/healthz/10.0.0.2', 404, '{"/10.0.0.1":"DOWN"}', flags => Prober::Segment::NOT_READY);
$segment->put('/healthz/10.0.0.2?brief', 404, 'not ready', type => 'text/plain', flags => Prober::Segment::NOT_READY);
$segment->put('/?brief', 200, 'root', type => 'text/plain');

for my $query ('brief', 'brief=1', 'brief=', 'brief&x=2', 'brief=1&x', 'brief&', 'brief=a=b') {
    my $a = get("/healthz/10.0.0.1?$query");
    is("$a->{status} $a->{body} $a->{header}{'content-type'}", '200 ready text/plain', "?$query");
}
is(get('/healthz/::ffff:10.0.0.1?brief')->{body}, 'ready', 'in any spelling of the address');
my $a = get('/healthz/10.0.0.2?brief');
is("$a->{status} $a->{body}", '503 not ready', 'not ready, as this location says it');
is(http($nginx->port, 'HEAD /healthz/10.0.0.1?brief')->{header}{'content-length'}, 5, 'HEAD');
is(get('/?brief')->{body}, 'root', 'at the root');

for my $query ('', 'x', 'x&brief', '&brief', '=brief', 'briefly', 'Brief', 'x' x 200) {
    is(get("/healthz/10.0.0.1?$query")->{body}, '{"/10.0.0.1":"UP"}', 'otherwise the document itself: ?' . substr $query, 0, 9);
}
$segment->remove('/healthz/10.0.0.1?brief');
is(get('/healthz/10.0.0.1?brief')->{body}, '{"/10.0.0.1":"UP"}', 'and where there is no variant (any more)');
$segment->remove('/healthz/10.0.0.1');
is(get('/healthz/10.0.0.1?brief')->{status}, 404, 'a removed document is not known');

done();
