#!/usr/bin/perl
# What the journal gets: one entry with fields per decision, nothing per poll; on a terminal the same as plain lines. A
# socket of the test's stands where journald's is, in a mount namespace of the collector's.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();
use Socket qw(SOCK_DGRAM);
use Test::More;
use Prober::Test;
use Prober::Collector;
use Prober::Fleet;

my @unshare = ('unshare', $> == 0 ? '-m' : '-Urm');
plan(skip_all => 'this kernel makes no mount namespaces') if (run(@unshare, 'mount', '-t', 'tmpfs', 'none', '/run'))[0] != 0;

my $dir = tempdir();

# A datagram of journald's protocol: KEY=VALUE lines, or KEY, a line end, the length in 8 bytes, VALUE.
sub parse {
    my ($bytes) = @_;
    my %entry;
    while (length $bytes) {
        if    ($bytes =~ s/\A([A-Z0-9_]+)=([^\n]*)\n//) { $entry{$1} = $2 }
        elsif ($bytes =~ s/\A([A-Z0-9_]+)\n(.{8})//s)   { my $n = unpack 'Q<', $2; $entry{$1} = substr $bytes, 0, $n + 1, ''; chop $entry{$1} }
        else                                            { die "no entry of the journal: $bytes" }
    }
    return \%entry;
}

# Takes entries as journald does, each into a line of a file.
sub journal {
    my ($path, $into) = @_;
    my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $path) or die "journal: $!";
    my $test = $$;
    defined(my $pid = fork) or die "fork: $!";
    return $pid if $pid;
    POSIX::setpgid(0, 0);
    $SIG{ALRM} = sub { POSIX::_exit(0) if getppid != $test; alarm 1 };
    alarm 1;
    open my $out, '>>', $into or POSIX::_exit(1);
    $out->autoflush(1);
    while (1) {
        my $message;
        print {$out} JSON::PP->new->canonical->encode(parse($message)), "\n" if defined $socket->recv($message, 65536);
    }
}

my $journald = journal("$dir/journald", "$dir/entries");

# All entries sent so far: they are taken in order, so that those before a mark are in the file once the mark is.
my $marks = 0;
sub entries {
    IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => "$dir/journald")->send('MARK=' . ++$marks . "\n") or die "journal: $!";
    wait_for(sub { slurp("$dir/entries") =~ /^\{"MARK":"$marks"\}$/m }, 'the entries');
    return grep { !exists $_->{MARK} } map { JSON::PP::decode_json($_) } split /\n/, slurp("$dir/entries");
}

# The entries that have these fields.
sub with {
    my (%field) = @_;
    return grep { my $entry = $_; !grep { ($entry->{$_} // '') ne $field{$_} } keys %field } entries();
}

my %id = slurp(root() . '/collector/messages.h') =~ /#define MESSAGE_(\w+)\s+"([0-9a-f]{32})"/g;
cmp_ok(scalar(keys %id), '>', 5, 'the ids are found');

my $fleet = Prober::Fleet->start(layout => 'dc1:r1=4', convict => 0.5, boot => 0.5);
my @ip = @{ $fleet->{nodes} };
my $conf = fleet_conf($fleet, qq(poll: { interval = "200ms"; timeout = "1s"; view_ttl = "3s"; };
readiness: { settle = "500ms"; rehab = "0"; };
control: { socket = "$dir/control.sock"; };));
my $here = 'mount -t tmpfs none /run; mkdir -p /run/systemd/journal; ln -s "$0" /run/systemd/journal/socket; ';
my @within = (@unshare, 'sh', '-ec', $here . 'JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2) exec "$@"', "$dir/journald");
my $collector = Prober::Collector->start($conf, within => \@within);
$collector->wait_ready;
is(scalar(with(MESSAGE_ID => $id{NODE_READY}, NODE => $_, VERDICT => 'ready')), 1, "$_ is ready: one entry") for @ip;
my ($first) = with(NODE => $ip[0], MESSAGE_ID => $id{NODE_READY});
is_deeply([ @$first{qw(MESSAGE PRIORITY SYSLOG_IDENTIFIER OBSERVERS)} ],
    [ "$ip[0]: unknown -> ready", 5, 'prober-collector', 'UP by 3, DOWN by 0, not seen by 0 of 3' ], 'its fields');
ok(!exists $first->{REASON} && !grep({ /^CODE_/ } keys %$first), 'no reason, no place in the source');
ok(!exists $first->{''} && $first->{MESSAGE} !~ /\A</, 'the priority is a field, no part of the text');
like($collector->log, qr/^<6>ready: 4 nodes, 4 ready$/m, 'what has no fields is a line with a priority');
unlike($collector->log, qr/->/, 'no decision is told twice');

# Nothing per poll.
my $rounds = sub { (http($_[0]->port, 'GET /metrics')->{body} =~ /^cassandra_prober_rounds_total (\d+)/m)[0] // 0 };
my $nginx = nginx("%%GLOBALS%%\nhttp { %%HTTP%%\nprober_segment $dir/segment;
    server { listen 127.0.0.1:%%PORT%%; location / { prober; } } }\n");
wait_for(sub { with(MESSAGE_ID => $id{OPINION_COUNTS}) >= 4 || http($nginx->port, 'GET /nodes')->{body} !~ /settling/ }, 'all to have settled');
wait_for(sub { scalar with(MESSAGE_ID => $id{LEADS}) }, 'the only collector to lead');
my ($before, $log, $round) = (scalar(entries()), $collector->log, $rounds->($nginx));
wait_for(sub { $rounds->($nginx) >= $round + 10 }, 'ten more rounds');
is(scalar(entries()), $before, 'ten rounds in which nothing changes: no entry');
is($collector->log, $log, 'and no line');

# A node falls and comes back.
$fleet->post("nodes/$ip[2]/crash");
wait_for(sub { with(MESSAGE_ID => $id{NODE_NOT_READY}, NODE => $ip[2]) }, 'the crash to be told');
my ($fell) = with(MESSAGE_ID => $id{NODE_NOT_READY}, NODE => $ip[2]);
is("$fell->{VERDICT}, $fell->{PRIORITY}", 'not ready, 4', 'not ready: a warning');
like($fell->{REASON}, qr/^(process gone|DOWN by)/, 'with the reason');
like($fell->{OBSERVERS}, qr/^UP by \d, DOWN by \d, not seen by \d of \d$/, 'and how many see it how');
is($fell->{MESSAGE}, "$ip[2]: ready -> not ready: $fell->{REASON}", 'the text has all of it');
wait_for(sub { with(MESSAGE_ID => $id{OPINION_COUNTS_NOT}, NODE => $ip[2]) }, 'its opinion to be told to count no more');
$fleet->post("nodes/$ip[2]/start");
wait_for(sub { with(MESSAGE_ID => $id{NODE_READY}, NODE => $ip[2]) == 2 }, 'its return to be told');
wait_for(sub { with(MESSAGE_ID => $id{OPINION_COUNTS}, NODE => $ip[2]) }, 'and that its opinion counts');
pass('a crash and the return: told');

# What operators say.
my @proberctl = (root() . '/build/proberctl', '--socket', "$dir/control.sock");
is((run(@proberctl, 'drain', $ip[1], '--ttl', '10m'))[0], 0, 'a drain');
wait_for(sub { with(MESSAGE_ID => $id{NODE_NOT_READY}, NODE => $ip[1]) }, 'the drained node to be told');
my ($drained) = with(MESSAGE_ID => $id{NODE_NOT_READY}, NODE => $ip[1]);
like("$drained->{PRIORITY} $drained->{REASON}", qr/^5 drained by \w+ until /, 'asked for: no warning');
like((with(MESSAGE_ID => $id{NODE_DRAINED}, NODE => $ip[1]))[0]{MESSAGE}, qr/^\Q$ip[1]\E: drained for 600 s by \w+ on /, 'who drained it');
run(@proberctl, 'undrain', $ip[1]);
run(@proberctl, 'set', 'reaper-ready', 'true');
wait_for(sub { with(MESSAGE_ID => $id{NODE_UNDRAINED}, NODE => $ip[1]) && with(MESSAGE_ID => $id{VALUE_SET}) }, 'both to be told');
like((with(MESSAGE_ID => $id{VALUE_SET}))[0]{MESSAGE}, qr/^reaper-ready of region local: set to true by \w+ on /, 'who set what');
is_deeply([ grep { my $entry = $_; !grep { $entry->{MESSAGE_ID} eq $_ } values %id } entries() ], [], 'every entry has an id that is known');
is($collector->stop, 0, 'the collector ends well');

# The variable is inherited by whoever sends stderr elsewhere: plain lines there, and no entry.
my $entries = () = entries();
my $other = Prober::Collector->start($conf, within => [ @unshare, 'sh', '-ec', $here . 'JOURNAL_STREAM=1:1 exec "$@"', "$dir/journald" ]);
$other->wait_ready;
like($other->log, qr/^prober-collector: \Q$ip[0]\E: unknown -> ready$/m, 'stderr is not the journal: plain lines');
unlike($other->log, qr/^</m, 'without priorities');
is(scalar(entries()), $entries, 'and no entry');
$other->stop;

# No journald: nothing is lost for who reads stderr alone… and nothing keeps the collector from its work.
kill 'KILL', $journald;
waitpid $journald, 0;
my $alone = Prober::Collector->start($conf, within => \@within);
$alone->wait_ready;
like($alone->log, qr/^<5>\Q$ip[0]\E: unknown -> ready$/m, 'a journald that takes nothing: lines with priorities');
$alone->stop;

done();
