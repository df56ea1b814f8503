#!/usr/bin/perl
# $prober_ready, $prober_age_ms and $prober_generation.
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
    log_format prober '$uri $status ready=$prober_ready age=$prober_age_ms generation=$prober_generation';
    map $prober_ready $word { 1 yes; 0 no; default none; }
    server {
        listen 127.0.0.1:%%PORT%%;
        add_header X-Ready $word always;
        add_header X-Age $prober_age_ms always;
        add_header X-Generation $prober_generation always;
        access_log %%DIR%%/access prober;
        location / { prober; }
        location /own/ { prober; error_page 404 = @own; }
        location @own { return 200 own; }
        location /generation { return 200 "$prober_generation"; }
        location /age { return 200 "$prober_age_ms"; }
        location /ready { return 200 "[$prober_ready]"; }
        location /none/ { prober_segment %%DIR%%/none;
            location /none/p/ { prober; }
            location /none/values { return 200 "[$prober_ready][$prober_age_ms][$prober_generation]"; } }
        location /conditional { if ($prober_age_ms = "") { return 500; } return 204; }
    }
}
CONF

$segment->put('/healthz/10.0.0.1', 200, '{}');
$segment->put('/healthz/10.0.0.2', 404, '{}', flags => Prober::Segment::NOT_READY);
$segment->put('/ping', 200, 'pong', type => 'text/plain');
$segment->touch('/healthz/10.0.0.1', 5_000);

sub get { http($nginx->port, "GET $_[0]", @_[1 .. $#_]) }
sub generation { (Prober::Segment::once($segment->path, 'info'))[1] =~ /generation=(\d+)/; $1 }

my $a = get('/healthz/10.0.0.1');
is($a->{header}{'x-ready'}, 'yes', 'ready');
is($a->{header}{'x-age'}, $a->{header}{'x-prober-age-ms'}, 'the age is that of the answer');
cmp_ok($a->{header}{'x-age'}, '>=', 5_000, 'and of the document');
is($a->{header}{'x-generation'}, generation(), 'the generation');
is(get('/healthz/10.0.0.2')->{header}{'x-ready'}, 'no', 'not ready');
is(get('/nothing')->{header}{'x-ready'}, 'no', 'nothing is not ready');
$a = get('/healthz/10.0.0.1', header => [ "If-None-Match: " . get('/healthz/10.0.0.1')->{header}{etag} ]);
is("$a->{status} $a->{header}{'x-ready'}", '304 yes', 'not modified is ready');
is(http($nginx->port, 'HEAD /healthz/10.0.0.1')->{header}{'x-ready'}, 'yes', 'HEAD');
is(http($nginx->port, 'OPTIONS /healthz/10.0.0.2')->{header}{'x-ready'}, 'no', 'OPTIONS');

# where no document is answered
$a = get('/ready');
is("$a->{body} $a->{header}{'x-ready'}", '[] none', 'elsewhere nothing is ready or not');
is(get('/generation')->{body}, generation(), 'the generation elsewhere');
my $before = generation();
$segment->put('/ping', 200, 'ping', type => 'text/plain');
cmp_ok(generation(), '>', $before, 'a publish counts');
is(get('/generation')->{body}, generation(), 'and is seen');
cmp_ok(get('/age')->{body}, '<', 5_000, 'the age elsewhere is that of the heartbeat');
is(get('/none/values')->{body}, '[][][]', 'without a segment there is nothing');
is(get('/conditional')->{status}, 204, 'in a condition');
is(get('/own/healthz/10.0.0.2')->{header}{'x-ready'}, 'none', 'an error_page is no answer of ours');

$a = get('/none/p/ping');
is("$a->{status} $a->{header}{'x-ready'}", '503 no', 'no segment');
ok(!exists $a->{header}{'x-age'}, 'no age');

$segment->touch('/ping', -60_000);
$a = get('/ping');
is("$a->{status} $a->{header}{'x-ready'}", '200 yes', 'data of the future');
ok(!exists $a->{header}{'x-age'}, 'no age');

$segment->heartbeat(60_000);
$a = get('/healthz/10.0.0.1');
is("$a->{status} $a->{header}{'x-ready'}", '503 no', 'stale');
cmp_ok($a->{header}{'x-age'}, '>=', 60_000, 'the age is that of the heartbeat');
cmp_ok(get('/age')->{body}, '>=', 60_000, 'everywhere');

$nginx->stop;
my $log = slurp("$nginx->{dir}/access");
like($log, qr{^/healthz/10\.0\.0\.1 200 ready=1 age=5\d\d\d generation=$before$}m, 'log_format: ready');
like($log, qr{^/healthz/10\.0\.0\.2 404 ready=0 age=\d+ generation=$before$}m, 'not ready');
like($log, qr{^/healthz/10\.0\.0\.1 304 ready=1 }m, 'not modified');
like($log, qr{^/ready 200 ready=- age=\d+ generation=$before$}m, 'elsewhere');
like($log, qr{^/none/p/ping 503 ready=0 age=- generation=-$}m, 'no segment');

done();
