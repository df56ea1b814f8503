#!/usr/bin/perl
# Conditional requests: 304 while a document is the same, and never for one that is not good.
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

sub get { my ($uri, @header) = @_; http($nginx->port, "GET $uri", header => \@header) }

$segment->put('/view', 200, '{"v":1}');
$segment->put('/down', 404, '{"v":1}', flags => Prober::Segment::NOT_READY);

my $etag = get('/view')->{header}{etag};
ok($etag, 'a document has a tag');
is(get('/view')->{header}{etag}, $etag, 'the same one while it is the same');

my $a = get('/view', "If-None-Match: $etag");
is($a->{status}, 304, 'the same: 304');
is($a->{body}, '', 'without a body');
is($a->{header}{etag}, $etag, 'with the tag');
ok(!exists $a->{header}{'content-length'}, 'without a length');
ok(!exists $a->{header}{'content-type'}, 'without a type');
is($a->{header}{'cache-control'}, 'no-store', 'with Cache-Control');
like($a->{header}{'x-prober-age-ms'}, qr/^\d+$/, 'and its age, which is not a part of the document');

$segment->touch('/view', 7_000);
$a = get('/view', "If-None-Match: $etag");
is($a->{status}, 304, 'an age alone changes no tag');
cmp_ok($a->{header}{'x-prober-age-ms'}, '>=', 7_000, 'but it is told');

is(get('/view', "If-None-Match: W/$etag")->{status}, 304, 'compared weakly');
is(get('/view', "If-None-Match: \"x\", $etag")->{status}, 304, 'one of several');
is(get('/view', 'If-None-Match: *')->{status}, 304, 'any');
is(get('/view', 'If-None-Match: "0123456789abcdef"')->{status}, 200, 'another one');
is(http($nginx->port, 'HEAD /view', header => ["If-None-Match: $etag"])->{status}, 304, 'HEAD');
is(get('/view', 'If-Match: "x"')->{status}, 412, 'If-Match');
is(get('/view', "If-Match: $etag")->{status}, 200, 'If-Match with the tag: it is a strong one');
is(get('/view', 'If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT')->{status}, 200, 'there are no dates');
is(get('/view', 'Range: bytes=0-1')->{status}, 200, 'nor ranges');

$segment->put('/view', 200, '{"v":2}');
$a = get('/view', "If-None-Match: $etag");
is("$a->{status} $a->{body}", '200 {"v":2}', 'changed: the new one');
isnt($a->{header}{etag}, $etag, 'with a new tag');
$segment->put('/view', 200, '{"v":1}');
is(get('/view')->{header}{etag}, $etag, 'the old bytes, the old tag');

my $down = get('/down');
isnt($down->{header}{etag}, $etag, 'the same bytes with another status have another tag');
is(get('/down', "If-None-Match: $down->{header}{etag}")->{status}, 404, 'what is not ready is never a 304');
is(get('/down', 'If-None-Match: *')->{status}, 404, 'whatever is asked');

done();
