#!/usr/bin/perl
# The disk below the state file: full, read-only, slow. And the control socket's own file: whose it is, and what a reload and an
# end do to those who are connected.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes 'time';
use Prober::Test;
use Prober::Collector;
use Prober::Fleet;

my $fleet = Prober::Fleet->start(layout => 'dc1:r1=3');
my $dir = tempdir();
my $socket = "$dir/control.sock";
my $nginx = nginx(<<'CONF');
%%GLOBALS%%
http { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; prober_stale 2s;
    location / { prober; prober_segment %%DIR%%/segment; } location /full/ { prober; prober_segment %%DIR%%/full/segment; } } }
CONF

sub conf {
    my ($state) = @_;
    return fleet_conf($fleet, qq(poll: { interval = "100ms"; timeout = "500ms"; view_ttl = "700ms"; };
readiness: { settle = "0"; rehab = "0"; };
control: { socket = "$socket"; };
state: { path = "$state"; };));
}

sub collector {
    my ($state, %option) = @_;
    my $collector = Prober::Collector->start(conf($state), %option)->wait_ready;
    wait_for(sub { get("/ping")->{status} == 200 }, 'documents');
    return $collector;
}
sub get { http($nginx->port, "GET $_[0]") }
sub put { http($socket, "PUT $_[0]", body => $_[1]) }

# The answers of a disk that cannot be written, and afterwards.
sub is_refused {
    my ($disk, $why) = @_;
    my $before = get('/reaper-ips')->{body};
    for (1 .. 2) {
        my $answer = put('/reaper-ips', '["192.0.2.77"]');
        is($answer->{status}, 503, "$disk: refused");
        like($answer->{body}, qr/^nothing has changed: cannot write the state file: $why\n\z/, 'says why');
    }
    is(get('/reaper-ips')->{body}, $before, 'nothing has changed');
    is(put('/drain/192.0.2.1')->{status}, 404, 'it goes on to answer');
    $fleet->post("opinion?observer=$fleet->{nodes}[1]&endpoint=$fleet->{nodes}[2]&state=DOWN");
    wait_for(sub { get("/healthz/$fleet->{nodes}[2]")->{body} =~ /DOWN/ }, 'a change of mind');
    pass('polls go on');
    $fleet->post("opinion?observer=$fleet->{nodes}[1]&endpoint=$fleet->{nodes}[2]&state=UP");
    is(get('/ping')->{status}, 200, 'all else goes on');
}

my @mounted;
END { my $was = $?; run('umount', '-l', $_) for @mounted; $? = $was }
sub mount {
    my ($disk, $size) = @_;
    mkdir $disk or die $!;
    return 0 if $> != 0 || (run('mount', '-t', 'tmpfs', '-o', "size=$size", 'tmpfs', $disk))[0] != 0;
    push @mounted, $disk;
    return 1;
}
sub fill { run('sh', '-c', "head -c 10000000 /dev/zero > $_[0]/filler 2>/dev/null") }

SKIP: {
    my $disk = "$dir/disk";
    skip 'no right to mount a disk', 23 if !mount($disk, '256k');
    my $collector = collector("$disk/state.json");
    is(put('/reaper-ips', '["192.0.2.1"]')->{status}, 200, 'a disk with room');

    fill($disk);
    is_refused('a full disk', qr/No space left on device/);
    ok(!-e "$disk/state.json.new", 'nothing is left of the attempt');
    unlink "$disk/filler";
    is(put('/reaper-ips', '["192.0.2.2"]')->{status}, 200, 'it is back by itself');

    run('mount', '-o', 'remount,ro', $disk);
    is_refused('a read-only disk', qr/Read-only file system/);
    run('mount', '-o', 'remount,rw', $disk);
    is(put('/reaper-ips', '["192.0.2.3"]')->{status}, 200, 'it is back by itself');
    $collector->stop('KILL');
    $collector = collector("$disk/state.json");
    is(get('/reaper-ips')->{body}, qq(["192.0.2.3"]\n), 'and holds what was acknowledged');

    my @told = $collector->log =~ /cannot write/g;
    is(scalar @told, 0, 'no complaints then');
    $collector->stop;
    is($?, 0, 'ended well');
}

# No room for documents: what is on disk holds, and is not called done.
SKIP: {
    my $full = "$dir/full";
    skip 'no right to mount a disk', 8 if !mount($full, '1m');
    my $collector = Prober::Collector->start(conf("$dir/full.json") =~ s/\%\%DIR\%\%\/segment/$full\/segment/r)->wait_ready;
    wait_for(sub { get('/full/ping')->{status} == 200 }, 'documents');
    my $before = get('/full/reaper-ips')->{body};
    my $long = '[' . join(',', map { sprintf '"10.0.%d.%d"', $_ >> 8, $_ & 255 } 1 .. 5000) . ']';
    fill($full);
    my $answer = put('/reaper-ips', $long);
    is($answer->{status}, 503, 'what cannot be published is not called done');
    is($answer->{body}, "kept on disk, but cannot be published: No space left on device; it shows once that works again\n", 'says so');
    is(get('/full/reaper-ips')->{body}, $before, 'it does not show');
    like(slurp("$dir/full.json"), qr/10\.0\.0\.1"/, 'it is on disk');
    unlink "$full/filler";
    wait_for(sub { get('/full/reaper-ips')->{body} eq "$long\n" }, 'the list to show');
    pass('it shows by itself once there is room');
    is(put('/reaper-ips', '["192.0.2.1"]')->{status}, 200, 'another one');
    is(get('/full/reaper-ips')->{body}, qq(["192.0.2.1"]\n), 'shows at once');
    $collector->stop;
    is($?, 0, 'ended well');
}

# A directory that cannot be synced: what was refused is neither in force nor there after a restart, with or without a power cut.
{
    my ($state, $kept, $fails) = map { "$dir/$_" } qw(unsynced kept fails);
    mkdir $_ or die $! for $state, $kept;
    my $start = sub {
        collector("$state/state.json", program => root() . '/build/prober-collector',
            env => { LD_PRELOAD => root() . '/build/preload/power_cut.so', POWER_CUT => $kept, POWER_CUT_OF => $state, POWER_CUT_FAILS => $fails });
    };
    my $cut = sub { unlink glob "$state/*"; run('sh', '-c', "cp $kept/now/* $state/ 2>/dev/null") };
    my $refused = sub {
        my ($what, $shown) = @_;
        my $answer = put('/reaper-ips', '["192.0.2.77"]');
        is($answer->{status}, 503, "$what: refused");
        is($answer->{body}, "nothing has changed: cannot write the state file: Input/output error\n", 'says why');
        is(get('/reaper-ips')->{body}, $shown, 'nothing has changed');
    };
    spew($fails, '');
    my $collector = $start->();
    $refused->('the first one', "[]\n");
    is(join(' ', glob "$state/*"), '', 'nothing is left of it');
    unlink $fails;
    is(put('/reaper-ips', '["192.0.2.1"]')->{status}, 200, 'it is back by itself');
    for my $how ('a kill', 'a power cut') {
        spew($fails, '');
        $refused->("before $how", qq(["192.0.2.1"]\n));
        $collector->stop('KILL');
        unlink $fails;
        $cut->() if $how eq 'a power cut';
        $collector = $start->();
        is(get('/reaper-ips')->{body}, qq(["192.0.2.1"]\n), "after $how: what was acknowledged, and nothing else");
    }
    $collector->stop;
}

# A slow disk holds up those that wait for it, and nobody else.
my $state = "$dir/slow.json";
my $collector = collector($state, program => root() . '/build/prober-collector',
    env => { LD_PRELOAD => root() . '/build/preload/power_cut.so', POWER_CUT_SLOW => 2500 });
my $began = time;
my @waiting = map { Prober::Http::connect_to($socket) } 1 .. 5;
print {$_} Prober::Http::request('PUT /reaper-ready', body => 'true') for @waiting;
$_->flush for @waiting;
my $others = 0;
while (time - $began < 1 || $others <= 20 && time - $began < 2.4) {
    is(get('/ping')->{status}, 200, 'meanwhile: /ping') if $others++ == 10;
    my $answer = put('/dcs', 'x');
    is($answer->{status}, 400, 'meanwhile: requests that need no disk') if $others == 20;
}
cmp_ok($others, '>', 20, 'others are not held up');
is(Prober::Http::parse(Prober::Http::receive($_, 20))->{status}, 200, 'who waits for it gets his answer') for @waiting;
cmp_ok(time - $began, '>', 4.5, 'when it is on disk');
cmp_ok(time - $began, '<', 18, 'many with one write');

# Who is connected stays so over a reload, and is told at the end.
my $kept = Prober::Http::connect_to($socket);
sub on_kept {
    print {$kept} Prober::Http::request($_[0], body => $_[1], header => ['Connection: keep-alive']);
    $kept->flush;
}
on_kept('PUT /dcs', 'x');
sysread $kept, my $first, 65536;
like($first, qr/^HTTP\S+ 400/, 'a connection that stays');
my $inode = (stat $socket)[1];
$collector->signal('HUP');
wait_for(sub { $collector->log =~ /configuration read again/ }, 'the reload');
on_kept('PUT /dcs', 'x');
sysread $kept, my $second, 65536;
like($second, qr/^HTTP\S+ 400/, 'it outlives a reload');
is((stat $socket)[1], $inode, 'so does the socket');
on_kept('PUT /reaper-ready', 'false');
wait_for(sub { slurp("$state.new") =~ /reaper-ready","value":false/ }, 'the write of it to begin');
$collector->signal('TERM');
sysread $kept, my $last, 65536;
like($last // '', qr/^HTTP\S+ 503.*\r\n\r\nthe collector ends; whether this holds is not known\n\z/s, 'who waits at the end is told');
$collector->stop;
is($?, 0, 'ended well');
ok(!-e $socket, 'the socket is gone');

# Before the first round: what is said then is kept, and answered when it shows with that.
my $mute = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 5) or die "no port: $@";
my $late = Prober::Collector->start(conf("$dir/late.json") =~ s/local: \{ source = "[^"]*"/'local: { source = "jolokia+http:\/\/127.0.0.1:' . $mute->sockport . '\/jolokia"'/er
        =~ s/timeout = "500ms"/timeout = "3s"/r);
wait_for(sub { Prober::Http::connect_to($socket) }, 'the socket');
is(put('/reaper-ips', '["192.0.2.7"]')->{status}, 200, 'before the first round');
is(get('/reaper-ips')->{body}, qq(["192.0.2.7"]\n), 'it shows when it is answered');
like(slurp("$dir/late.json"), qr/192\.0\.2\.7/, 'and is on disk');
$late->wait_ready;
is(() = $late->log =~ /reaper-ips of region local: set to \["192\.0\.2\.7"\] by /g, 1, 'which tells of it');
$late->stop;

# The socket's file: a stale one is replaced, a living one is not, and what is no socket is not ours.
$collector = collector($state);
$collector->stop('KILL');
ok(-S $socket, 'a killed collector leaves its socket');
$collector = collector($state);
is(put('/reaper-ready', 'true')->{status}, 200, 'which the next one replaces');
my $second_one = Prober::Collector->start(conf("$dir/other.json") =~ s/\%\%DIR\%\%\/segment/\%\%DIR\%\%\/other/r)->wait_ready;
like($second_one->log, qr/somebody else listens there/, 'a living one is left alone');
is(put('/reaper-ready', 'false')->{status}, 200, 'and goes on to answer');
$collector->stop;
wait_for(sub { $second_one->log =~ /listening on \Q$socket\E now/ }, 'the second one to take its place');
is(put('/reaper-ready', 'true')->{status}, 200, 'who waited for it has it');
is(scalar(() = $second_one->log =~ /somebody else listens/g), 1, 'and has complained once');

# One that ends because another has taken its segment leaves the other's socket alone.
unlink $socket, "$dir/other.lock", "$dir/other";
$collector = Prober::Collector->start(conf("$dir/third.json") =~ s/\%\%DIR\%\%\/segment/\%\%DIR\%\%\/other/r)->wait_ready;
wait_for(sub { !$second_one->alive }, 'the second one to end');
is(put('/reaper-ready', 'false')->{status}, 200, 'a socket is there');
$second_one->stop;
$collector->stop;
spew($socket, 'precious');
$collector = collector($state);
like($collector->log, qr/or it is no socket; nothing can be set/, 'a file that is no socket');
is(slurp($socket), 'precious', 'is left alone');
$collector->stop;
unlink $socket;

# A start whose file is wrong, on a disk that takes nothing: the good generation before stays what it is.
my $bad = "$dir/bad.json";
$collector = collector($bad);
is(put('/reaper-ips', qq(["192.0.2.4$_"]))->{status}, 200, "generation $_") for 1, 2;
$collector->stop('KILL');
spew($bad, '{ "format": 1, "va');
my $good = slurp("$bad.1");
spew("$dir/broken", '');
$collector = collector($bad, program => root() . '/build/prober-collector',
    env => { LD_PRELOAD => root() . '/build/preload/power_cut.so', POWER_CUT_FAILS => "$dir/broken" });
is(get('/reaper-ips')->{body}, qq(["192.0.2.41"]\n), 'a wrong file: the generation before');
is(put('/reaper-ips', '["192.0.2.43"]')->{status}, 503, 'a change is refused') for 1, 2;
is(slurp("$bad.1"), $good, 'the generation before is there');
ok(!-e $bad, 'and nothing of what was refused');
unlink "$dir/broken";
is(put('/reaper-ips', '["192.0.2.44"]')->{status}, 200, 'the disk is well again');
is(slurp("$bad.1"), $good, 'there is still a generation before');
spew("$dir/broken", '');
is(put('/reaper-ips', '["192.0.2.45"]')->{status}, 503, 'refused');
$collector->stop('KILL');
$collector = collector($bad);
is(get('/reaper-ips')->{body}, qq(["192.0.2.44"]\n), 'and what was refused does not come up');
$collector->stop;
is(slurp("$bad.bad"), '{ "format": 1, "va', 'the wrong one is for a person to look at');

# A file that was put back as another user's. As root without any right of root's.
SKIP: {
    my @plain = ('setpriv', '--bounding-set=-all', '--inh-caps=-all');
    skip 'no files of other users here', 11
        if $> != 0 || slurp('/proc/sys/fs/protected_hardlinks') != 1 || (run(@plain, 'true'))[0] != 0;
    my $restored = "$dir/restored.json";
    my $text = slurp($bad);
    spew($restored, $text);
    chown 65534, 65534, $restored;
    isnt((run(@plain, 'ln', $restored, "$restored.x"))[0], 0, 'it can have no second name');
    $collector = collector($restored, within => \@plain);
    is(get('/reaper-ips')->{body}, qq(["192.0.2.44"]\n), 'it is read');
    is(put('/reaper-ips', '["192.0.2.51"]')->{status}, 200, 'and replaced');
    like(slurp("$restored.1"), qr/192\.0\.2\.44/, 'it is the generation before');
    is(put('/reaper-ips', '["192.0.2.52"]')->{status}, 200, 'so is the next one');
    $collector->stop;

    unlink glob "$restored*";
    spew($restored, $text);
    chown 65534, 65534, $restored;
    chmod 0600, $restored;
    $collector = collector($restored, within => \@plain);
    my $answer = put('/reaper-ips', '["192.0.2.53"]');
    is($answer->{status}, 503, 'where it cannot be read nothing is written over it');
    like($answer->{body}, qr/Permission denied/, 'says why');
    like($collector->log, qr/restored\.json may have what operators have said: it is left as it is/, 'the journal says so');
    is(slurp($restored), $text, 'it is what it was');
    $collector->stop;
    chmod 0644, $restored;
    $collector = collector($restored, within => \@plain);
    is(get('/reaper-ips')->{body}, qq(["192.0.2.44"]\n), 'a start that can read it takes it');
    is(put('/reaper-ips', '["192.0.2.54"]')->{status}, 200, 'and changes are taken');
    $collector->stop;
}

# What is no file is not taken for one.
is((run('mkfifo', "$dir/pipe"))[0], 0, 'a pipe');
$collector = collector("$dir/pipe");
is(put('/reaper-ips', '["192.0.2.60"]')->{status}, 503, 'nothing is written in its place');
ok(-p "$dir/pipe" && !glob("$dir/pipe.*"), 'it stays where it is');
$collector->stop;

# What an earlier collector has written is read.
spew("$dir/old.json", <<"OLD");
{ "format": 1, "cluster": "Fleet", "local": { "address": "$fleet->{nodes}[0]", "host_id": "x", "native_port": 0 },
  "nodes": [ { "address": "$fleet->{nodes}[1]", "dc": "dc1", "rack": "r1" } ] }
OLD
$collector = collector("$dir/old.json");
unlike($collector->log, qr/left out/, 'nothing is left out');
unlike($collector->log, qr/cannot read/, 'a state file without values');
is(put('/reaper-ready', 'true')->{status}, 200, 'and then with');
like(slurp("$dir/old.json"), qr/reaper-ready/, 'in the same file');
$collector->stop;

# What a later one has written as well, as far as it is understood; a person is told of the rest.
my $version = '"value": ["192.0.2.5"], "counter": 7, "host": "h", "user": "ops", "at_ms": 1, "ttl_ms": 0, "until_ms": 0';
spew("$dir/new.json", qq({ "format": 1, "cluster": "Fleet", "nodes": [], "values": [
  { "key": "region/eu\\u000a/later", $version }, { "key": "region/local/reaper-ips", $version }, { "of": "another form" } ] }\n));
$collector = collector("$dir/new.json");
my @told = $collector->log =~ /(new\.json: .*)/g;
is_deeply(\@told, ['new.json: 2 values left out, the first (region/eu?/later): this version knows no such key or value'], 'what is left out is told');
is(get('/reaper-ips')->{body}, qq(["192.0.2.5"]\n), 'all else is taken');
$collector->stop;
done();
