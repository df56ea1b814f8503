#!/usr/bin/perl
# An address in any spelling finds its node; one that nobody knows finds the document for those.
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
    server { listen 127.0.0.1:%%PORT%%; location / { prober; } }
}
CONF

sub get { http($nginx->port, "GET $_[0]") }

$segment->put('/healthz/10.0.0.1', 200, 'v4');
$segment->put('/healthz/2001:db8::a:1', 200, 'v6');
$segment->put('/healthz/::1', 200, 'loopback');
$segment->put('/healthz/*', 404, '{}');
$segment->put('/healthz/*?brief', 404, 'unknown', type => 'text/plain');
$segment->put('/nodes/10.0.0.1', 200, 'node');
$segment->put('/nodes', 200, 'nodes');

my %same = (
    v4 => [ '10.0.0.1', '::ffff:10.0.0.1', '::FFFF:10.0.0.1', '[::ffff:10.0.0.1]', '::ffff:a00:1', '0:0:0:0:0:ffff:0a00:0001',
        '10.0.0%2e1', '%31%30.0.0.1', '10.0.0.1/', '10.0.0.1//' ],
    v6 => [ '2001:db8::a:1', '2001:DB8::A:1', '2001:0db8:0000:0000:0000:0000:000a:0001', '2001:db8:0:0:0:0:a:1',
        '[2001:db8::a:1]', '%5b2001:db8::a:1%5D', '2001%3adb8%3A%3Aa%3A1', '2001:db8::a:1/', '2001:db8::0.10.0.1' ],
    loopback => [ '::1', '[::1]', '0:0:0:0:0:0:0:1', '%3A%3A1' ],
);
for my $body (sort keys %same) {
    is(get("/healthz/$_")->{body}, $body, "$_ is $body") for @{ $same{$body} };
}

for my $other (qw(10.0.0.2 10.0.0.10 2001:db8::a:2 [::2] 0.0.0.0 255.255.255.255)) {
    my $a = get("/healthz/$other");
    is("$a->{status} $a->{body}", '404 {}', "nobody knows $other");
    is($a->{header}{'content-type'}, 'application/json', 'which is said in JSON');
    is(get("/healthz/$other?brief")->{body}, 'unknown', 'or briefly');
}

# what is no address finds nothing, or what is called so
for my $word (qw(10.0.0 10.0.0.1.2 10.0.0.256 010.0.0.1 10.0.0.1%20 [10.0.0.1 2001:db8::a::1 fe80::1%25eth0 localhost x 10.0.0.1%00)) {
    my $a = get("/healthz/$word");
    like($a->{status}, $word =~ /%00/ ? qr/^4/ : qr/^404$/, "$word is no address");
    isnt($a->{body}, '{}', 'and not an unknown node');
}
is(get('/nodes/10.0.0.1')->{body}, 'node', 'addresses elsewhere');
is(get('/nodes/::ffff:10.0.0.1')->{body}, 'node', 'in any spelling');
is(get('/nodes/10.0.0.9')->{status}, 404, 'with no document for the unknown: 404');
is(get('/nodes')->{body}, 'nodes', 'a path without an address');
is(get('/nodes/')->{body}, 'nodes', 'a slash at its end');
is(get('/10.0.0.1')->{status}, 404, 'an address alone');
is(get('/healthz/10.0.0.1/x')->{status}, 404, 'a path below an address');

# keys have a length
is(get('/healthz/' . 'x' x $_)->{status}, 404, "a path of $_ more bytes") for 118, 119, 2000;
is(get('/' . 'x/' x 100 . '10.0.0.1')->{status}, 404, 'an address below a long path');
my $long = '/' . 'k' x 126;
$segment->put($long, 200, 'long');
is(get($long)->{body}, 'long', 'the longest key');
is(get("$long?brief")->{body}, 'long', 'with an argument');
is(get("${long}k")->{status}, 404, 'one byte more');

done();
