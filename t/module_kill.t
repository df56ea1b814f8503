#!/usr/bin/perl
# The writer is killed at random moments while it publishes as fast as it can and nginx is asked as fast as it can:
# every answer is one that was published, whole, or a 503. PROBER_KILLS (25) is how often.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Prober::Test;
use Test::More;
use Time::HiRes qw(sleep time);

my $kills = $ENV{PROBER_KILLS} || 25;
my $seed  = $ENV{PROBER_SEED} // time ^ $$;
srand $seed;
note("PROBER_SEED=$seed");

# Documents from which anything mixed can be told: number, length, status and type go together.
sub body { my ($n) = @_; join ':', ($n) x (1 + $n * 7919 % 300) }

sub is_whole {
    my ($a) = @_;
    my ($n) = $a->{body} =~ /^(\d+)/ or return 0;
    return $a->{body} eq body($n)
        && $a->{status} == ($n % 2 ? 404 : 200)
        && $a->{header}{'content-type'} eq ($n % 2 ? 'text/odd' : 'text/even')
        && $a->{header}{'content-length'} == length $a->{body};
}

# What the writer does: three documents in turn, and now and then one that makes it build a new file.
my $dir = tempdir();
my $commands = '';
for my $n (1 .. 20_000) {
    $commands .= sprintf "put /healthz/10.0.0.%d %d 0 %s %s\n", 1 + $n % 3, $n % 2 ? (404, 'text/odd') : (200, 'text/even'), body($n);
    $commands .= sprintf "put /grows/%d 200 0 text/plain %s\n", $n, 'g' x ($n / 2) if $n % 500 == 0;
}
spew("$dir/commands", $commands);

sub writer {
    return start(name => 'writer',
        command => [ 'sh', '-c', 'exec "$0" "$1" hold <"$2" >/dev/null', Prober::Segment::tool(), "$dir/segment", "$dir/commands" ]);
}

# The segment is there first: a worker that found none looks again a second later.
my $writer = writer();
wait_for(sub { -e "$dir/segment" }, 'the segment');
my $nginx = nginx(<<'CONF', workers => 2);
%%GLOBALS%%
http {
    %%HTTP%%
    prober_segment %%DIR%%/segment;
    prober_stale 300ms;
    server { listen 127.0.0.1:%%PORT%%; location / { prober; } }
}
CONF
my @workers = $nginx->workers;
my @uris = map { "/healthz/10.0.0.$_" } 1 .. 3;
wait_for(sub { !grep { http($nginx->port, "GET $_")->{status} !~ /^(200|404)$/ || http($nginx->port, "GET $_")->{body} !~ /^\d/ } @uris },
    'the documents');

# Readers: each tells at the end how many answers were whole, refused (503) and wrong.
my @readers = map {
    pipe(my $from, my $to) or die "pipe: $!";
    my $pid = fork() // die "fork: $!";
    if ($pid == 0) {
        my ($stop, $whole, $refused, $wrong, $example, %seen) = (0, 0, 0, 0, '');
        $SIG{TERM} = sub { $stop = 1 };
        while (!$stop) {
            my $a = http($nginx->port, "GET $uris[ rand 3 ]");
            last if $stop; # a request that the signal cut short says nothing
            if ($a->{status} == 503 && $a->{body} =~ /^\{"error":("stale","age_ms":\d+|"segment","reason":"busy")\}$/) { $refused++ }
            elsif (is_whole($a)) { $whole++; $seen{ $a->{header}{etag} }++ }
            else                 { $wrong++; $example ||= substr $a->{raw}, 0, 300 }
        }
        print {$to} join ' ', $whole, scalar keys %seen, $refused, $wrong, $example;
        close $to;
        POSIX::_exit(0);
    }
    { pid => $pid, from => $from };
} 1 .. 2;
END { kill 'KILL', map { $_->{pid} } @readers }

my $late = 0;
for my $n (1 .. $kills) {
    sleep rand 0.3;
    $writer->stop('KILL');
    if ($n % 10 == 0) {
        # nobody is there for a while: what was published last is not taken for fresh
        my $killed = time;
        wait_for(sub { http($nginx->port, "GET $uris[0]")->{status} == 503 }, 'a stale segment');
        $late++ if time - $killed > 3;
    }
    $writer = writer();
}
kill 'TERM', map { $_->{pid} } @readers;
my ($whole, $different, $refused, $wrong) = (0, 0, 0, 0);
for my $reader (@readers) {
    my $from = $reader->{from};
    my ($w, $d, $r, $bad, $example) = split ' ', do { local $/; <$from> }, 5;
    waitpid $reader->{pid}, 0;
    $whole += $w; $different += $d; $refused += $r; $wrong += $bad;
    diag($example) if $bad;
}
@readers = ();
cmp_ok($whole, '>', 20 * $kills, "$whole answers were whole");
is($wrong, 0, 'and none was not');
cmp_ok($different, '>', $kills, "$different of them were different ones");
note("$refused were refused as stale");
is($late, 0, 'a dead writer is noticed in time');
is_deeply([ sort $nginx->workers ], [ sort @workers ], 'no worker crashed');
is(scalar $nginx->logged(qr/cannot be read|corrupt/), scalar $nginx->logged(qr/cannot be read: no such file/), 'none met anything odd');
$writer->stop;

done();
