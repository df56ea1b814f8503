#!/usr/bin/perl
# The module built into nginx (--add-module), with AddressSanitizer and UndefinedBehaviorSanitizer, nginx's memory pools
# turned into single allocations: every other module test once more with that nginx.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Prober::Test;
use Test::More;

chdir root() or die;
plan skip_all => 'this is such a run' if $ENV{PROBER_NGINX};
chomp(my $source = `t/lib/nginx-source 2>build/nginx-source.log`);
plan skip_all => "nginx's source is not to be had: see build/nginx-source.log" if $? || !-d $source;

my $build = root() . '/build/nginx-static';
my $cc    = '-g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -DNGX_DEBUG_PALLOC=1 -Wshadow';
my @configure = ('./configure', "--with-cc-opt=$cc", '--with-ld-opt=-fsanitize=address,undefined', '--with-debug',
    '--with-http_auth_request_module', '--with-http_addition_module',
    (map { "--without-http_${_}_module" } qw(grpc memcached autoindex geo split_clients userid empty_gif
        browser limit_conn limit_req referer upstream_hash upstream_ip_hash upstream_least_conn upstream_random)),
    '--add-module=' . root(), "--builddir=$build");
my $key = join ' ', @configure, map { slurp($_) } 'config';
if (slurp("$build/key") ne $key) {
    my ($status, $said) = run('sh', '-c', 'cd "$0" && "$@"', $source, @configure);
    is($status, 0, 'configure --add-module') or diag($said), done_testing, exit;
    spew("$build/key", $key);
}
my ($status, $said) = run('make', '-s', '-j2', '-C', $source, '-f', "$build/Makefile", 'binary');
is($status, 0, 'make') or diag(substr $said, -3000), done_testing, exit;

my ($test) = (run("$build/nginx", '-V'))[1];
like($test, qr/--add-module=/, 'nginx with the module inside');

$ENV{PROBER_NGINX}  = "$build/nginx";
$ENV{PROBER_MODULE} = '';
$ENV{ASAN_OPTIONS}  = 'detect_leaks=0:abort_on_error=0';
$ENV{UBSAN_OPTIONS} = 'print_stacktrace=1';
for my $file (grep { !/module_static\.t$/ } glob 't/module_*.t') {
    my ($failed, $output) = run('prove', '-v', $file);
    is($failed, 0, "$file with sanitizers") or diag(substr $output, -3000);
}
done();
