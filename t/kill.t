#!/usr/bin/perl
# The collector is killed at random moments and started again at once, while the opinions of a simulated cluster change and
# nginx is asked as fast as it can be. Every answer is checked against what the nodes really said:
#
#   - its body is JSON, and the same ETag always means the same status and bytes;
#   - no observer's opinion in it is older than its X-Prober-Age-Ms says;
#   - the status goes with the opinions: under `unanimous` 200 means that nobody says DOWN.
#
# PROBER_KILLS (15) is how often it is killed, PROBER_SEED repeats a run's choices.
use strict;
use warnings;
use Digest::MD5 'md5';
use FindBin;
use IO::Socket::INET;
use JSON::PP;
use Test::More;
use Time::HiRes qw(clock_gettime sleep CLOCK_BOOTTIME);
use lib "$FindBin::Bin/lib";
# A segment is in memory, as below /run: no killed collector waits for a busy disk before it is gone.
BEGIN { $ENV{TMPDIR} = '/dev/shm' if -w '/dev/shm' }
use Prober::Collector;
use Prober::Fleet;
use Prober::Test;

my $kills = $ENV{PROBER_KILLS} || 15;
my $seed  = $ENV{PROBER_SEED} // time ^ $$;
my $life  = 0.8;     # seconds at most
my $down  = 8;       # so many opinions are DOWN at a time
my $slack = 0.002;   # times are in ms
srand $seed;
note("PROBER_SEED=$seed");

sub now { clock_gettime(CLOCK_BOOTTIME) }

my $fleet = Prober::Fleet->start(layout => 'dc1:r1=8,r2=7;dc2:r1=8,r2=7');
my @ip = @{ $fleet->{nodes} };
my $conf = fleet_conf($fleet, <<'CONF');
poll: { interval = "200ms"; timeout = "1s"; view_ttl = "3s"; };
readiness: { policy = "unanimous"; settle = "0"; rehab = "0"; };
CONF
$conf =~ s/%%DIR%%/tempdir()/ge;
my @command = ($ENV{PROBER_COLLECTOR} // root() . '/build/prober-collector', '--config', spew(tempdir() . '/conf', $conf));
my $collector = start(name => 'collector', command => \@command);
# Before nginx: a worker that finds no segment looks again a second later.
wait_for(sub { (Prober::Segment::once(tempdir() . '/segment', 'get', "/healthz/$ip[-1]"))[1] =~ /status=200/ }, 'the first documents');
my $nginx = nginx(<<'CONF', workers => 2);
%%GLOBALS%%
http {
    %%HTTP%%
    keepalive_requests 1000000000;
    server { listen 127.0.0.1:%%PORT%%; location / { prober; prober_segment %%DIR%%/segment; } }
}
CONF
my @workers = sort $nginx->workers;

# --- The nodes change their opinions; each change is written down when it is about to begin and when it is done.

my $history = spew(tempdir() . '/history', '');

sub write_down {
    open my $out, '>>', $history or die "$history: $!";
    syswrite $out, join("\t", @_) . "\n";
}

sub change {
    my ($observer, $endpoint, $state) = @_;
    write_down(now(), 'begin', $observer, $endpoint, $state);
    $fleet->post("opinion?observer=$observer&endpoint=$endpoint&state=$state");
    write_down(now(), 'done', $observer, $endpoint, $state);
}

sub change_opinions {
    my ($stop) = @_;
    my @held;
    while (!$$stop) {
        my ($observer, $endpoint) = @ip[ rand @ip, rand @ip ];
        next if $observer eq $endpoint || grep { $_->[0] eq $observer && $_->[1] eq $endpoint } @held;
        change($observer, $endpoint, 'DOWN');
        push @held, [ $observer, $endpoint ];
        change(@{ shift @held }, 'UP') if @held > $down;
        sleep rand 0.1;
    }
    change(@$_, 'UP') for @held;
    return {};
}

# --- What a reader knows of that, and how it judges an answer.

my (%changes, $known);    # "observer endpoint" => [ [ begin, done, state ], ... ]

sub read_history {
    if (!$known) { open $known, '<', $history or die "$history: $!" }
    else         { seek $known, 0, 1 }
    while (my $line = <$known>) {
        if ($line !~ /\n$/) { seek $known, -length $line, 1; last }
        chomp $line;
        my ($at, $what, $observer, $endpoint, $state) = split /\t/, $line;
        my $list = $changes{"$observer $endpoint"} //= [ [ 0, 0, 'UP' ] ];
        if ($what eq 'begin') { push @$list, [ $at, undef, $state ] }
        else                  { $list->[-1][1] = $at }
    }
}

# Could the observer have said so at some time from $from to $to?
sub could_say {
    my ($observer, $endpoint, $state, $from, $to) = @_;
    my $list = $changes{"$observer $endpoint"} or return $state eq 'UP';
    for my $change (reverse @$list) {
        return 1 if $change->[2] eq $state && $change->[0] <= $to;
        last if defined $change->[1] && $change->[1] < $from;
    }
    return 0;
}

# What is wrong with an answer; '' if nothing is.
sub fault {
    my ($endpoint, $brief, $status, $age, $body, $from, $to) = @_;
    if ($brief) {
        return 'brief' if $body ne ($status == 200 ? "ready\n" : "not ready\n");
        return $status == 200
            ? (grep({ !could_say($_, $endpoint, 'UP', $from, $to) } @ip) ? 'ready too long' : '')
            : (grep({ could_say($_, $endpoint, 'DOWN', $from, $to) } @ip) ? '' : 'not ready for nothing');
    }
    my $said = eval { decode_json($body) } or return "not JSON: $@";
    return 'observers' if join(' ', sort keys %$said) ne join ' ', sort map { "/$_" } @ip;
    my ($downs, $missing) = (0, 0);
    for my $observer (@ip) {
        my $word = $said->{"/$observer"};
        if ($word !~ /^(UP|DOWN)$/) { $missing++; next }
        $downs++ if $word eq 'DOWN';
        return "$observer says $word no more" if !could_say($observer, $endpoint, $word, $from, $to);
    }
    return 'ready in spite of DOWN' if $status == 200 && $downs;
    return 'not ready for nothing' if $status != 200 && !$downs && !$missing;
    return '';
}

my ($socket, $buffer);

# One request on a connection that is kept: (status, headers, body)
sub ask {
    my ($path, @header) = @_;
    $socket //= IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $nginx->port) // die "connect: $@";
    syswrite $socket, join("\r\n", "GET $path HTTP/1.1", 'Host: x', @header, '', '');
    $buffer = '';
    my ($head, $length);
    while (1) {
        my $got = sysread($socket, $buffer, 65536, length $buffer);
        next if !defined $got && $!{EINTR};    # told to stop
        if (!$got) { undef $socket; return (0, '', '') }
        if (!defined $head && $buffer =~ s/^(.*?\r\n)\r\n//s) {
            $head = $1;
            $length = $head =~ m{^HTTP/1.1 304} ? 0 : $head =~ /^Content-Length: (\d+)/mi ? $1 : die "no length: $head";
        }
        last if defined $head && length $buffer >= $length;
    }
    my ($status) = $head =~ m{^HTTP/1.1 (\d+)};
    return ($status, $head, $buffer);
}

sub read_answers {
    my ($stop) = @_;
    my %count = map { $_ => 0 } qw(answers documents brief kept stale wrong oldest_ms different);
    my (%means, %last);
    while (!$$stop) {
        my $endpoint = $ip[ rand @ip ];
        my $brief = rand() < 0.3;
        my $path = "/healthz/$endpoint" . ($brief ? '?brief' : '');
        my $conditional = $last{$path} && rand() < 0.2;
        my $sent = now();
        my ($status, $head, $body) = ask($path, $conditional ? "If-None-Match: $last{$path}" : ());
        my $received = now();
        my ($age) = $head =~ /^X-Prober-Age-Ms: (\d+)/mi;
        my ($etag) = $head =~ /^ETag: (\S+)/mi;
        my $fault = '';
        $count{answers}++;
        if ($status == 503 && $body =~ /^\{"error":"stale","age_ms":\d{5,}\}$/) {
            $count{stale}++;
        } elsif ($status == 304 && $conditional && $etag eq $last{$path}) {
            $count{kept}++;
            ($status, $body) = @{ $means{$path}{$etag} };
        } elsif ($status == 200 || $status == 404) {
            $count{different}++ if !$means{$path}{$etag};
            my $meant = $means{$path}{$etag} //= [ $status, $body ];
            $fault = "$etag means two things" if $meant->[0] != $status || $meant->[1] ne $body;
            $last{$path} = $etag if $status == 200;
        } else {
            $fault = 'status';
        }
        if (!$fault && $status != 503) {
            $count{documents}++;
            $count{brief} += $brief;
            read_history();
            $fault = defined $age ? fault($endpoint, $brief, $status, $age, $body, $sent - $age / 1000 - $slack, $received)
                : 'no age';
            $count{oldest_ms} = $age if $age > $count{oldest_ms};
        }
        next if !$fault;
        $count{wrong}++;
        $count{example} //= sprintf "%s at %.4f: %s\n%s\n%s", $path, $received, $fault, $head, $body;
    }
    return \%count;
}

# --- Processes that do one thing until they are told to stop, and then say what came of it.

my @children;

sub child {
    my ($what, $number) = @_;
    pipe(my $from, my $to) or die "pipe: $!";
    my $pid = fork() // die "fork: $!";
    if ($pid) {
        push @children, { pid => $pid, from => $from };
        return;
    }
    my $stop = 0;
    $SIG{TERM} = sub { $stop = 1 };
    srand $seed + $number;
    my $result = eval { $what->(\$stop) } // { example => "it ended: $@", wrong => 1 };
    print {$to} encode_json($result);
    close $to;
    POSIX::_exit(0);
}

sub results {
    kill 'TERM', map { $_->{pid} } @children;
    my @results;
    for my $child (splice @children) {
        my $from = $child->{from};
        push @results, decode_json(do { local $/; <$from> } || '{"wrong":1,"example":"nothing"}');
        waitpid $child->{pid}, 0;
    }
    return @results;
}

my $parent = $$;
END { kill 'KILL', map { $_->{pid} } @children if $$ == $parent }

# --- The test itself.

child(\&change_opinions, 1);
child(\&read_answers, $_) for 2, 3;
my ($early, $by_itself) = (0, 0);
for my $n (1 .. $kills) {
    sleep rand $life;
    $by_itself++ if !$collector->alive;
    my $heartbeat = (Prober::Segment::once(tempdir() . '/segment', 'info'))[1];
    $early++ if $heartbeat =~ /heartbeat_age_ms=(\d+)/ && $1 > 1000 * $life;
    $collector->stop('KILL');
    $collector = start(name => 'collector', command => \@command);
}
my @results = results();
is($by_itself, 0, "killed $kills times; it never ended by itself");

my %sum = map { my $what = $_; $what => eval { my $sum = 0; $sum += $_->{$what} // 0 for @results; $sum } }
    qw(answers documents brief kept stale different wrong);
$sum{oldest_ms} = (sort { $b <=> $a } map { $_->{oldest_ms} // 0 } @results)[0];
diag($_) for map { $_->{example} // () } @results;
is($sum{wrong}, 0, "none of $sum{answers} answers was wrong");
cmp_ok($sum{documents}, '>', 50 * $kills, "$sum{documents} documents were checked, $sum{brief} of them ?brief, $sum{kept} by 304");
cmp_ok($sum{different}, '>', $kills, "of $sum{different} contents");
cmp_ok($early, '<', $kills / 2, "before $early kills no round was complete");
is_deeply([ sort $nginx->workers ], \@workers, 'no worker crashed');
is(scalar $nginx->logged(qr/cannot be read|corrupt/), scalar $nginx->logged(qr/cannot be read: no such file/),
    'none met anything odd');

wait_for(sub { !grep { http($nginx->port, "GET /healthz/$_?brief")->{body} ne "ready\n" } @ip }, 'all to be ready in the end');
is($collector->stop, 0, 'the last collector ends well');
note("FIGURES $kills kills, $sum{answers} answers ($sum{documents} documents checked, $sum{stale} stale), "
    . "oldest $sum{oldest_ms} ms, $sum{wrong} wrong");
done();
