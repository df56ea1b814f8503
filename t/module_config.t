#!/usr/bin/perl
# The directives: where they may stand, what they take, and what they say when it is wrong.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Prober::Test;
use Test::More;

my $nginx = Prober::Nginx->new;

# What nginx -t says of a configuration; each argument is a place to put something.
sub check {
    my (%in) = @_;
    $in{$_} //= '' for qw(main http server location other);
    return $nginx->check(<<"CONF");
%%GLOBALS%%
$in{main}
http {
    %%HTTP%%
    $in{http}
    server {
        listen 127.0.0.1:%%PORT%%;
        $in{server}
        location / {
            prober;
            $in{location}
        }
        $in{other}
    }
}
CONF
}

sub good {
    my ($what, %in) = @_;
    my ($status, $said) = check(%in);
    is($status, 0, "good: $what") or diag($said);
}

sub bad {
    my ($what, $pattern, %in) = @_;
    my ($status, $said) = check(%in);
    is($status, 1, "bad: $what") or diag($said);
    like($said, qr/\[emerg\].*$pattern.* in \S+:\d+$/m, 'the reason and the line');
}

good('nothing but prober');
my %value = (
    prober_segment => '/run/x', prober_stale => '500ms', prober_on_stale => 'last', prober_not_ready => '503', prober_control => '@control',
);
for my $directive (sort keys %value) {
    my $line = "$directive $value{$directive};";
    good("$directive in http, server and location", http => $line, server => $line, location => $line);
    bad("$directive twice", qr/"$directive" directive is duplicate/, location => "$line $line");
    bad("$directive without a value", qr/invalid number of arguments in "$directive" directive/, location => "$directive;");
    bad("$directive with two", qr/invalid number of arguments in "$directive" directive/, http => "$directive a b;");
    bad("$directive in limit_except", qr/"$directive" directive is not allowed here/, location => "limit_except GET { $line }");
}
for my $time (qw(1ms 1s 90 1m 1h 1m30s)) { good("prober_stale $time", http => "prober_stale $time;") }
bad("prober_stale $_", qr/"prober_stale" directive (invalid value|must be a time longer than 0, like "10s" or "500ms")/, http => "prober_stale $_;")
    for qw(0 0s -1 10x soon 1.5s);
for my $case ([ prober_on_stale => qw(error last) ], [ prober_not_ready => qw(404 503) ]) {
    my ($directive, @values) = @$case;
    good("$directive $_", http => "$directive $_;") for @values;
    bad("$directive $_", qr/invalid value "$_" in "$directive" directive, it must be "$values[0]" or "$values[1]"/, http => "$directive $_;")
        for qw(yes 500 Error 5030);
}
good('prober_control off', server => 'prober_control @x;', location => 'prober_control off;');
bad("prober_control $_", qr/invalid value "\Q$_\E" in "prober_control" directive, it must be a named location like "\@control", or "off"/,
    http => "prober_control $_;") for '/control', '@', 'on', 'http://x';
bad('an empty prober_segment', qr/"prober_segment" directive needs the path of a file/, http => 'prober_segment "";');

bad('prober twice', qr/"prober" directive is duplicate/, location => 'prober;');
bad('prober with a value', qr/invalid number of arguments in "prober" directive/, other => 'location /x { prober on; }');
bad("prober in $_", qr/"prober" directive is not allowed here/, $_ => 'prober;') for qw(main http server);
bad('prober in if', qr/"prober" directive is not allowed here/, location => 'if ($arg_x) { prober; }');
bad('prober in limit_except', qr/"prober" directive is not allowed here/, location => 'limit_except GET { prober; }');
good('every kind of location', other => <<'CONF');
location /a { prober; } location = /b { prober; } location ^~ /c { prober; } location ~ ^/d { prober; } location @e { prober; }
location /f/ { prober; location /f/g/ { prober; } limit_except GET { deny all; } if ($arg_x) { return 403; } }
CONF
good('variables', http => 'log_format x "$prober_ready $prober_age_ms $prober_generation"; map $prober_ready $y { 1 a; }', location => 'access_log off; add_header X $y;');

# the path: as with nginx's other files, relative to its prefix
my $segment = segment(tempdir() . '/relative');
$segment->put('/ping', 200, 'pong', type => 'text/plain');
my $running = nginx(<<'CONF');
%%GLOBALS%%
http { %%HTTP%% prober_segment relative;
    server { listen 127.0.0.1:%%PORT%%; location / { prober; } location /x/ { prober_segment %%DIR%%/relative; location /x/p/ { prober; } } } }
CONF
is(http($running->port, 'GET /ping')->{body}, 'pong', 'a relative path');
is(http($running->port, 'GET /x/p/ping')->{body}, 'pong', 'inherited from the location around');
my $maps = slurp('/proc/' . ($running->workers)[0] . '/maps');
is(scalar(() = $maps =~ m{/relative\n}g), 1, 'locations with the same file share its mapping');

done();
