#!/usr/bin/perl
# Segments that are not there, not readable or not segments: 503, one line in the log per change and worker, and back.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Prober::Test;
use Test::More;
use Time::HiRes qw(time);

my $dir = tempdir();

sub get  { my ($nginx, $at) = @_; http($nginx->port, "GET $at/ping") }
sub body { my $a = get(@_); "$a->{status} $a->{body}" }

# A good segment's bytes, and what to do to them.
my $made = segment("$dir/made");
$made->put('/ping', 200, 'pong', type => 'text/plain');
$made->put('/other', 200, 'x' x 100, type => 'text/plain');
$made->stop;
my $good = slurp("$dir/made");

sub with_u64 { my ($bytes, $offset, $value) = @_; substr $bytes, $offset, 8, pack 'Q<', $value; $bytes }

srand($ENV{PROBER_SEED} // 1);
my @bad = (
    [ 'empty',             '',                                              qr/size/ ],
    [ 'short',             substr($good, 0, 100),                           qr/size/ ],
    [ 'truncated',         substr($good, 0, length($good) - 4096),          qr/size/ ],
    [ 'grown',             $good . "\0" x 4096,                             qr/size/ ],
    [ 'text',              "this is no segment\n" x 1000,                   qr/not a segment/ ],
    [ 'random',            join('', map { chr int rand 256 } 1 .. 100_000), qr/not a segment/ ],
    [ 'zeros',             "\0" x 65536,                                    qr/not a segment/ ],
    [ 'older_abi',         with_u64($good, 8, 0),                           qr/older/ ],
    [ 'newer_abi',         with_u64($good, 8, 2),                           qr/newer/ ],
    [ 'large_index',  with_u64($good, 24, 1 << 40),                    qr/corrupt/ ],
    [ 'odd_index',     with_u64($good, 24, 3),                          qr/corrupt/ ],
    [ 'many_entries',  with_u64($good, 32, 1 << 40),                    qr/corrupt/ ],
);

# An nginx with a location and a segment for each name; below /NAME/short/ and /NAME/last/ what is older than
# 2 s is stale.
sub nginx_for {
    my ($workers, @names) = @_;
    my $locations = join '', map { "location /$_/ { prober; prober_segment $dir/$_; prober_stale 1h; }\n"
            . "location /$_/short/ { prober; prober_segment $dir/$_; prober_stale 2s; }\n"
            . "location /$_/last/ { prober; prober_segment $dir/$_; prober_stale 2s; prober_on_stale last; }\n" } @names;
    return nginx(<<"CONF", workers => $workers);
%%GLOBALS%%
http {
    %%HTTP%%
    add_header X-Worker \$pid always;
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        $locations
    }
}
CONF
}

# Files are replaced as a writer does it.
sub replace { my ($path, $bytes) = @_; spew("$path.new", $bytes); rename "$path.new", $path or die "rename: $!" }

# Asks until each of two workers has answered five times; returns the answers that are not as they should be.
sub wrong_answers {
    my ($nginx, $at, $right) = @_;
    my (%seen, @wrong);
    wait_for(
        sub {
            my $a = get($nginx, $at);
            push @wrong, $a->{raw} if !$right->($a);
            $seen{ $a->{header}{'x-worker'} }++;
            return keys %seen == 2 && !grep { $_ < 5 } values %seen;
        },
        'every worker to answer');
    return @wrong;
}

# From the start: 503, and back once a collector made a good one of it.
my @cases = ([ 'missing', undef, qr/no such file/ ], [ 'directory', \1, qr/not a regular file/ ], @bad);
my $nginx = nginx_for(2, map { $_->[0] } @cases);
my %segment;
for my $case (@cases) {
    my ($name, $bytes, $reason) = @$case;
    my $path = "$dir/$name";
    if    (ref $bytes)     { mkdir $path }
    elsif (defined $bytes) { replace($path, $bytes) }

    my @wrong = wrong_answers($nginx, "/$name",
        sub { $_[0]{status} == 503 && $_[0]{body} =~ /^\{"error":"segment","reason":"([^"]*)"\}$/ && $1 =~ $reason });
    is("@wrong", '', "$name: 503 with the reason");
    my @lines = $nginx->logged(qr/prober segment "\Q$path\E"/);
    is((grep { /\[error\].* cannot be read: / && $_ =~ $reason } @lines), 2, "$name: one line in the log per worker");
    is(scalar @lines, 2, "$name: and nothing else");

    rmdir $path if ref $bytes;
    $segment{$name} = segment($path);
    $segment{$name}->put('/ping', 200, 'pong', type => 'text/plain');
}
for my $case (@cases) {
    my $name = $case->[0];
    my %back;
    wait_for(sub { my $a = get($nginx, "/$name"); $back{ $a->{header}{'x-worker'} }++ if $a->{status} == 200; keys %back == 2 },
        "$name to be answered again");
    my @lines = $nginx->logged(qr/prober segment "\Q$dir\E\/$name"/);
    is((grep { /\[notice\].* can be read again/ } @lines), 2, "$name: its end is logged once per worker");
    is(scalar @lines, 4, "$name: and nothing else");
}
$nginx->stop;

# While one is mapped, and its writer lives: most of what may be at the path instead is 503 as soon as it is seen, ...
@cases = ([ 'directory', \1, qr/not a regular file/ ], @bad);
$nginx = nginx_for(1, 'away', 'missing', map { $_->[0] } @cases);
$segment{away} = segment("$dir/away");
$segment{away}->put('/ping', 200, 'pong', type => 'text/plain');
for my $case (@cases) {
    my ($name, $bytes) = @$case;
    is(body($nginx, $_), '200 pong', "$name: before, at $_") for "/$name", "/$name/short";
    ref $bytes ? (unlink("$dir/$name"), mkdir("$dir/$name")) : replace("$dir/$name", $bytes);
}
for my $case (@cases) {
    my ($name, undef, $reason) = @$case;
    my $log = qr/prober segment "\Q$dir\E\/$name"/;
    wait_for(sub { get($nginx, "/$name"); $nginx->logged($log) }, "$name to be seen");
    my ($line, @more) = $nginx->logged($log);
    like($line, qr/\[error\].* cannot be read: /, "$name: a line in the log");
    like($line, $reason, "$name: which says why");
    is("@more", '', "$name: and nothing else");
    if ($name ne 'newer_abi') {
        for my $at ("/$name", "/$name/short", "/$name/last") {
            my $a = get($nginx, $at);
            ok($a->{status} == 503 && $a->{body} =~ /^\{"error":"segment","reason":"[^"]+"\}$/ && $a->{body} =~ $reason, "$name: 503 at $at")
                or diag($a->{raw});
        }
        unlike($line, qr/kept/, "$name: the old one is not kept");
        next;
    }

    # ... but a newer collector's is none of this nginx's business while the old one is fresh.
    like($line, qr/, the previous one is kept for the time being/, "$name: the old one is kept");
    is(body($nginx, $_), '200 pong', "$name: and good while it is fresh, at $_") for "/$name", "/$name/short", "/$name/last";
    $segment{$name}->put('/strict', 200, 'strict', type => 'text/plain', flags => 4);
    $segment{$name}->heartbeat(5_000);
    is(body($nginx, "/$name/short"), '503 {"error":"segment","reason":"newer segment ABI"}', "$name: and no longer");
    is(body($nginx, "/$name/last"), '200 pong', "$name: but where the last answer is good enough");
    is(http($nginx->port, "GET /$name/last/strict")->{body}, '{"error":"segment","reason":"newer segment ABI"}',
        "$name: unless the document is good only while it is fresh");
    is(scalar $nginx->logged($log), 1, "$name: still one line");
}
for my $case (@cases) {
    my ($name, $bytes) = @$case;
    rmdir "$dir/$name" if ref $bytes;
    $segment{$name}->restart;
    $segment{$name}->put('/ping', 200, 'pong again', type => 'text/plain');
}
for my $case (@cases) {
    my $name = $case->[0];
    wait_for(sub { body($nginx, "/$name/short") eq '200 pong again' }, "$name: the new one");
    is(scalar $nginx->logged(qr/prober segment "\Q$dir\E\/$name" can be read again/), 1, "$name: its end is logged");
}

# A file that is gone, and comes back: nobody notices.
my $log = qr/prober segment "\Q$dir\E\/away"/;
my @wrong;
sub away { my $said = body($nginx, '/away'); push @wrong, $said if $said ne '200 pong'; $nginx->logged($log) }
away();
rename "$dir/away", "$dir/away.kept" or die "rename: $!";
wait_for(sub { away() == 1 }, 'the missing file to be seen');
rename "$dir/away.kept", "$dir/away" or die "rename: $!";
wait_for(sub { away() == 2 }, 'the file that is back to be seen');
is("@wrong", '', 'a file that was away for a moment is not missed');
like(join("\n", $nginx->logged($log)), qr/no such file, the previous one is kept.*\n.*can be read again/, 'two lines in the log');

# One that stays away: 503 after two seconds.
$log = qr/prober segment "\Q$dir\E\/missing"/;
is(body($nginx, $_), '200 pong', "before, at $_") for '/missing', '/missing/last';
unlink "$dir/missing";
wait_for(sub { get($nginx, '/missing'); $nginx->logged($log) }, 'the missing file to be seen');
my $seen = time;
is(body($nginx, $_), '200 pong', "served on for a moment, at $_") for '/missing', '/missing/short', '/missing/last';
$segment{missing}->heartbeat(5_000);
is(body($nginx, '/missing/short'), '503 {"error":"segment","reason":"no such file"}', 'while it is fresh');
is(body($nginx, '/missing/last'), '200 pong', 'or the last answer is good enough');
$segment{missing}->heartbeat('auto');
wait_for(sub { get($nginx, '/missing')->{status} == 503 }, 'the missing file to be missed');
my $after = time - $seen;
ok($after > 1 && $after < 8, 'but not for long') or diag("$after s");
is(body($nginx, $_), '503 {"error":"segment","reason":"no such file"}', "503 at $_") for '/missing', '/missing/short', '/missing/last';
is(scalar $nginx->logged($log), 1, 'one line in the log');
$nginx->stop;
$_->stop for values %segment;

# Nonsense within a file that looks right: the documents it touches are 503, the others are not.
my $entry = index($good, '/ping') - 49;
replace("$dir/broken", with_u64(with_u64($good, $entry + 24, 1 << 50), $entry + 32, 1 << 50));
$nginx = nginx_for(1, 'broken', 'grows');
for (1 .. 3) {
    is(body($nginx, '/broken'), '503 {"error":"segment","reason":"corrupt segment"}', 'a broken entry: 503');
    is(http($nginx->port, 'GET /broken/other')->{status}, 200, 'others are answered');
}
is(scalar $nginx->logged(qr/\[error\].*prober segment "\Q$dir\E\/broken" is corrupt/), 1, 'one line in the log');
is(scalar $nginx->logged(qr/\[error\]|again/), 1, 'and nothing else');

# Replaced by its writer, because it outgrew the file: the next request has the new one
my $path    = "$dir/grows";
my $segment = segment($path);
$segment->put('/ping', 200, 'pong', type => 'text/plain');
is(body($nginx, '/grows'), '200 pong', 'a writer with much to say');
my $inode = (stat $path)[1];
my $right = 0;
for my $n (1 .. 60) {
    $segment->put('/ping', 200, my $text = 'p' x (100 * $n ** 2), type => 'text/plain');
    $right++ if get($nginx, '/grows')->{body} eq $text;
}
isnt((stat $path)[1], $inode, 'made new files');
is($right, 60, 'every answer is the newest');
is(scalar $nginx->logged(qr/grows/), 0, 'without a word in the log');

# Another collector's file, renamed over the path: seen within about a second
my $other = segment("$dir/other");
$other->put('/ping', 200, 'other', type => 'text/plain');
rename "$dir/other", $path or die "rename: $!";
wait_for(sub { body($nginx, '/grows') eq '200 other' }, 'the other file', 20);
pass('another file at the path is taken');

# A file that says it is retired, and is all there is
my $retired = slurp($path);
$_->stop for $other, $segment;
substr $retired, 64 + 24, 8, pack 'Q<', 1;
replace($path, $retired);
wait_for(sub { get($nginx, '/grows')->{status} == 200 }, 'the retired file');
is(body($nginx, '/grows'), '200 other', 'it is served while it is fresh') for 1 .. 3;
is(scalar $nginx->logged(qr/grows/), 0, 'without a word in the log');

# A worker that may not read it.
SKIP: {
    skip 'only root can start workers of another user', 3 if $> != 0;
    my $secret = segment("$dir/secret");
    $secret->put('/ping', 200, 'pong', type => 'text/plain');
    chmod 0600, "$dir/secret" or die "chmod: $!";
    $nginx = nginx(<<'CONF', user => 'nobody nogroup');
%%GLOBALS%%
http { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; location / { prober; prober_segment %%DIR%%/secret; } } }
CONF
    is(body($nginx, ''), '503 {"error":"segment","reason":"permission denied"}', 'a segment of somebody else: 503');
    chmod 0644, "$dir/secret" or die "chmod: $!";
    wait_for(sub { body($nginx, '') eq '200 pong' }, 'the permission');
    is(scalar $nginx->logged(qr/\[error\].*cannot be read: permission denied/), 1, 'one line in the log');

    my $replaced = qr/cannot be read: permission denied, the previous one is kept/;
    replace("$dir/secret", $good);
    chmod 0600, "$dir/secret" or die "chmod: $!";
    my @wrong;
    wait_for(sub { my $said = body($nginx, ''); push @wrong, $said if $said ne '200 pong'; $nginx->logged($replaced) }, 'another to be seen');
    is("@wrong " . body($nginx, ''), ' 200 pong', 'one that may not be read does not end the one that was');
}

done();
