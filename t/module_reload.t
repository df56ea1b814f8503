#!/usr/bin/perl
# nginx -s reload, a reload that fails, one process: no answer missed, nothing leaked.
# PROBER_RELOADS (30) is how many reloads are watched.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Prober::Test;
use Test::More;

my $reloads = $ENV{PROBER_RELOADS} || 30;
my $segment = segment();
my $second  = segment(tempdir() . '/second');
my $conf    = <<'CONF';
%%GLOBALS%%
http {
    %%HTTP%%
    prober_segment %%DIR%%/segment;
    server {
        listen 127.0.0.1:%%PORT%%;
        location / { prober; }
        location /second/ { prober; prober_segment %%DIR%%/second; }
        location /none/ { prober; prober_segment %%DIR%%/none; }
    }
}
CONF
$_->put('/ping', 200, 'pong', type => 'text/plain') for $segment, $second;

my $nginx = nginx($conf);
my ($asked, $missed) = (0, 0);

sub get { my $a = http($nginx->port, "GET $_[0]"); "$a->{status} $a->{body}" }

sub ask {
    for ([ '/ping', '200 pong' ], [ '/second/ping', '200 pong' ]) {
        $asked++;
        $missed++ if get($_->[0]) ne $_->[1];
    }
    get('/none/ping');
}

# What a process holds: mappings (of segments, in all) and descriptors.
sub holds {
    my ($pid) = @_;
    my @maps = split /\n/, slurp("/proc/$pid/maps");
    my @fds  = glob "/proc/$pid/fd/*";
    # with sanitizers memory is mapped as they like
    my $maps = $ENV{ASAN_OPTIONS} ? 0 : @maps;
    return { segments => scalar(grep { m{/(segment|second|none)( |$)} } @maps), maps => $maps, fds => scalar @fds };
}
sub worker { my @workers = $nginx->workers; @workers == 1 or die 'workers'; $workers[0] }

ask();
is(holds(worker())->{segments}, 2, 'a worker maps what is asked for, once');
is(holds($nginx->pid)->{segments}, 0, 'the master nothing');

# The first reloads settle nginx's own memory; then nothing may grow.
for (1 .. 3) { $nginx->reload; ask() }
my %before = (master => holds($nginx->pid), worker => holds(worker()));
for (1 .. $reloads) {
    $nginx->reload;
    ask();
}
my %after = (master => holds($nginx->pid), worker => holds(worker()));
for my $who (qw(master worker)) {
    is($after{$who}{segments}, $before{$who}{segments}, "$who: as many mappings of segments after $reloads reloads");
    is($after{$who}{fds}, $before{$who}{fds}, "$who: as many descriptors");
    cmp_ok($after{$who}{maps}, '<=', $before{$who}{maps} + 3, "$who: no more mappings than nginx's own memory needs");
}
is($missed, 0, "none of $asked answers was wrong");

# Within one worker: remapping, again and again, leaks nothing either.
my $body = 'p';
my $worker = worker();
ask();
my $held = holds($worker);
my $inode = (stat $segment->path)[1];
my $new = 0;
for (1 .. 100) {
    $segment->put('/grows', 200, $body x= 1.2 * length $body > 100_000 ? 1 : 2, type => 'text/plain') if length $body < 1_000_000;
    my $now = (stat $segment->path)[1];
    $new++ if $now != $inode;
    $inode = $now;
    ask();
}
cmp_ok($new, '>', 3, "$new new files");
is_deeply(holds($worker), $held, 'nothing is left of the old ones');

# A failed reload changes nothing.
for my $bad ('prober_stale never;', 'prober_segment;', 'prober_nonsense on;', 'location /second/ { prober; }', 'location /x { prober; prober; }') {
    my $told = $nginx->logged(qr/\[emerg\]/);
    (my $broken = $conf) =~ s/(listen .*;)/$1 $bad/;
    $broken =~ s{/segment}{/elsewhere};
    $nginx->configure($broken);
    $nginx->{process}->signal('HUP');
    wait_for(sub { $nginx->logged(qr/\[emerg\]/) > $told }, 'the refusal');
    is(worker(), $worker, "'$bad': the worker stays");
    is_deeply(holds($worker), $held, 'and what it holds');
    is(holds($nginx->pid)->{segments}, 0, 'and the master');
    is(get('/ping'), '200 pong', 'and what it answers');
}
$nginx->expect(qr/\[emerg\].* (in \S+nginx\.conf:\d+|unknown directive)/);

# A reload to another file leaves the first.
(my $other = $conf) =~ s{%%DIR%%/segment}{%%DIR%%/second}g;
$nginx->reload($other);
ask();
is(holds(worker())->{segments}, 1, 'the new configuration maps its own');
$nginx->reload($conf);
ask();

is($missed, 0, "none of $asked answers was wrong through all this");
$nginx->stop;

# One process (which nginx itself cannot reload): it maps what a worker would.
$nginx = nginx($conf, one_process => 1);
wait_for(sub { get('/ping') eq '200 pong' }, 'one process to answer');
ask();
is(holds($nginx->pid)->{segments}, 2, 'one process: it maps what a worker would');

done();
