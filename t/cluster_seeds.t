#!/usr/bin/perl
# Seeds that nobody maintains by hand, and what operators say: six hosts in two data centers and three racks, each with a real Cassandra whose
# cassandra.yaml and whose running seeds follow what the hosts agree on; they are split and put together; then nodes are killed, drained and decommissioned, and
# a new one starts with the list that it was given.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);
use Prober::Mesh;
use Prober::Test;
use Prober::Watch;

BEGIN { Prober::Mesh::own_network() }

use constant { PATIENCE => 8, FOLLOW => 10, STARTED => 180 };

my $mesh = Prober::Mesh->new(
    layout => 'dc1:r1,dc1:r2,dc1:r3,dc1:r1,dc2:r1,dc2:r2', seeds => '1,5',
    conf => 'readiness: { rehab = "0s"; }; seeds: { patience = "' . PATIENCE . 's"; };');
my $cluster = $mesh->cluster;
my @hosts = $mesh->numbers;    # those that are to say the same
my @running = @hosts;          # whose Cassandra runs
sub ip { return $mesh->ip($_[0]) }
sub yaml { return "$cluster->{dir}/node$_[0]/cassandra.yaml" }
sub list { return JSON::PP->new->encode([ map { ip($_) } @_ ]) . "\n" }

# What is installed, with the paths of a host here.
sub setting {
    my ($unit, $name) = @_;
    my ($value) = slurp(root() . "/systemd/$unit") =~ /^$name=(.+)$/m or die "$unit has no $name=";
    return $value;
}

sub command {
    my ($number) = @_;
    my $segment = tempdir() . "/segment$number";
    my $command = setting('prober-seeds.service', 'ExecStart');
    $command =~ s{^/usr/bin/proberctl }{root() . "/build/proberctl --segment $segment --socket " . tempdir() . "/control$number "}e or die $command;
    $command =~ s{ /etc/cassandra/cassandra.yaml\b}{' ' . yaml($number)}e or die $command;
    return $command;
}

# As systemd does: runs the service when the file is there, and again 10 s after it failed, unless with 1.
sub follow_on {
    my ($number) = @_;
    my $watched = setting('prober-seeds.path', 'PathExists');
    setting('prober-seeds.service', 'ExecStartPre') eq "/bin/rm -f $watched" or die 'who takes it away?';
    $watched =~ s{^/run/cassandra-prober/segment\b}{tempdir() . "/segment$number"}e or die $watched;
    my $again = 0;
    return Prober::Watch->start(name => "seeds$number", every => 0.1, look => sub {
        my ($say) = @_;
        return if !unlink($watched) && !($again && time >= $again);
        my ($status, $said) = run(split / /, command($number));
        $again = $status > 1 ? time + 10 : 0;
        $say->(said => "$status: $said");
    });
}

# What each host says of a path: one answer, with its tag, when all say the same.
sub said {
    my ($path) = @_;
    my %said;
    for my $host (@hosts) {
        my $answer = $mesh->http($host, $path);
        push @{ $said{"$answer->{status} " . ($answer->{header}{etag} // '') . " $answer->{body}"} }, $host;
    }
    my @different = keys %said;
    return @different == 1 ? $different[0] =~ s/^\d+ \S* //r : join '', map { "host @{ $said{$_} }: $_" } @different;
}

sub seeds_of_cassandra {
    my ($number) = @_;
    my $value = $cluster->attributes($number, 'net:type=Gossiper', 'Seeds') or return 'no answer';
    return join ' ', sort map { /(\d+\.\d+\.\d+\.\d+)/ ? $1 : $_ } @{ $value->{Seeds} };
}

# Waits until all hosts have this list, and then until every running Cassandra has it: its own address it leaves out.
sub becomes {
    my ($what, $limit, @seeds) = @_;
    my $began = time;
    eval { wait_for(sub { said('/localseeds') eq list(@seeds) && said('/allseeds') eq list(@seeds) }, $what, $limit) };
    my $agreed = time;
    is(said($_), list(@seeds), "$what: $_ on all hosts") for qw(/localseeds /allseeds);
    my %wanted = map { my $own = $_; $own => join ' ', sort map { ip($_) } grep { $_ != $own } @seeds } @running;
    eval { wait_for(sub { !grep { seeds_of_cassandra($_) ne $wanted{$_} } @running }, 'Cassandra to follow', FOLLOW) };
    my $followed = time;
    is_deeply({ map { $_ => seeds_of_cassandra($_) } @running }, \%wanted, "$what: Seeds of every running Cassandra")
        or diag(map { "host $_: " . slurp(tempdir() . "/seeds$_.seen") } @running);
    diag(sprintf '%s: all hosts agreed after %.1f s, every Cassandra had it %.1f s later', $what, $agreed - $began, $followed - $agreed);
}

sub all_ready {
    my (@numbers) = @_;
    @numbers = @running if !@numbers;
    wait_for(sub {
        for my $host (@hosts) {
            my $nodes = $mesh->node($host);
            return 0 if grep { ($nodes->{ ip($_) }{verdict} // '') ne 'ready' } @numbers;
        }
        return 1;
    }, "nodes @numbers to be ready everywhere", STARTED);
}

sub start_again {
    my ($number) = @_;
    $cluster->start($number);
    $cluster->wait_for_start($number);
    @running = sort { $a <=> $b } @running, $number;
    all_ready();
}

sub stop_running { my ($number) = @_; @running = grep { $_ != $number } @running }

# The first list
$mesh->start(@hosts);
my %follower = map { $_ => follow_on($_) } @hosts;
all_ready();
$cluster->wait_for_start($_) for @hosts;
my $first;
# Who was ready first may have a place that is another rack's; it gives way when that one has been ready for long enough.
wait_for(sub {
    $first = said('/localseeds');
    my %has = map { $_ => 1 } $first =~ /"([\d.]+)"/g;
    my @lists = grep { $_->{key} =~ m{^seeds/} } @{ JSON::PP::decode_json($mesh->http(6, '/state')->{body})->{values} };
    return $first !~ /host/ && @lists == 2 && 5 == keys %has && !grep { !$has{ ip($_) } } 2, 3;
}, 'five seeds that were chosen, of each rack one', 60);
my ($seed, $other) = $first =~ /"\Q@{[ ip(1) ]}\E"/ ? (1, 4) : (4, 1);
my @all = sort { $a <=> $b } $seed, 2, 3, 5, 6;
becomes('three of four, one of each rack, and both of two', 20, @all);
my @rest = sort { $a <=> $b } $other, 2, 3, 5, 6;

# What operators say: on both sides of a split, and on a host that is lost afterwards
sub operator_says {
    my ($host, $line, $body) = @_;
    my $answer = http(tempdir() . "/control$host", $line, header => ['X-Prober-User: ops'], defined $body ? (body => $body) : ());
    is("$answer->{status}:$answer->{body}", '200:', "$line on host $host");
}
sub holds {
    my ($path, $expected, $what) = @_;
    my $began = time;
    eval { wait_for(sub { said($path) eq "$expected\n" }, $what, 10) };
    is(said($path), "$expected\n", sprintf '%s (%.1f s)', $what, time - $began);
}
operator_says(1, 'PUT /region-ips', '["192.0.2.1"]');
holds('/region-ips', '["192.0.2.1"]', 'said on one host, it holds on all');
$mesh->cut('ip saddr ' . ip(5), 'ip daddr ' . ip(5));
operator_says(5, 'PUT /reaper-ips', '["192.0.2.5"]');
operator_says(1, 'PUT /region-ips', '["192.0.2.2"]') for 1 .. 3;
operator_says(1, 'PUT /reaper-ips', '["192.0.2.11"]');
operator_says(5, 'PUT /region-ips', '["192.0.2.55"]');
sleep 2;
sub alone { my (undef, $said) = $mesh->ask(5, 'curl', '-s', 'http://127.0.0.1:' . Prober::Mesh::PORT . $_[0]); return $said }
is(alone('/region-ips'), qq(["192.0.2.55"]\n), 'cut off, the smaller side has its own word');
is($mesh->http(2, '/region-ips')->{body}, qq(["192.0.2.2"]\n), 'and the larger side its own');
is($mesh->http(2, '/reaper-ips')->{body}, qq(["192.0.2.11"]\n), 'in both cases');
$mesh->heal;
holds('/region-ips', '["192.0.2.55"]', 'together again: what was said last holds on all, however often the others spoke');
holds('/reaper-ips', '["192.0.2.11"]', 'also where the larger side was the last');
operator_says(6, 'PUT /region-ips', '["192.0.2.66"]');
wait_for(sub { $mesh->http(2, '/region-ips')->{body} =~ /66/ }, 'one exchange', 10);
$mesh->kill_collector(6);
$mesh->kill_nginx(6);
@hosts = grep { $_ != 6 } @hosts;
holds('/region-ips', '["192.0.2.66"]', 'it survives the loss of its host');
unlink glob tempdir() . '/{state6.json,segment6}*';
$mesh->start_collector(6);
$mesh->start_nginx(6);
@hosts = sort { $a <=> $b } @hosts, 6;
holds('/region-ips', '["192.0.2.66"]', 'which has it back, although it has lost all its files');
operator_says(6, 'DELETE /region-ips');
operator_says(6, 'DELETE /reaper-ips');
holds($_, '[]', "$_ is automatic again") for qw(/region-ips /reaper-ips);
all_ready();

# A seed dies
$cluster->signal(KILL => $seed);
stop_running($seed);
my $killed = time;
becomes('a killed seed', PATIENCE + 15, @rest);
cmp_ok(time - $killed, '>', PATIENCE - 1, 'not at once');
my $rest = join ',', map { ip($_) } @rest;
eval { wait_for(sub { index(slurp(yaml($seed)), "seeds: '$rest'") > 0 }, 'its file', FOLLOW) };
like(slurp(yaml($seed)), qr/seeds: '\Q$rest\E'/, 'the file of the one that does not run has the list, too');
like($follower{$seed}->last_value('said'), qr/^0: .*Cassandra does not run; it reads its file when it starts/, 'and it is said why nobody was asked');
start_again($seed);
becomes('it is back, and nothing changes', 10, @rest);

# A seed is drained
$cluster->execute($other, 'drain');
stop_running($other);
becomes('a drained seed', PATIENCE + 15, @all);
$cluster->stop($other);
start_again($other);

# A seed leaves: three nodes are left in its data center
$cluster->execute($seed, 'decommission', 'false');    # it is not to be forced
stop_running($seed);
@rest = sort { $a <=> $b } $other, 2, 3, 5, 6;
becomes('a decommissioned seed', 30, @rest);
$follower{$seed}->stop;
$cluster->stop($seed);
$mesh->kill_collector($seed);
$mesh->kill_nginx($seed);
@hosts = grep { $_ != $seed } @hosts;

# A new host, whose file names nobody who is there
my $new = $mesh->add('dc1:r1');
my $file = yaml($new);
spew($file, slurp($file) =~ s/seeds: '[^']*'/seeds: '10.77.0.99'/r);
my $before = slurp($file);
spew(tempdir() . '/allseeds', $mesh->http(5, '/allseeds')->{body});
my ($status, $what) = run(root() . '/build/proberctl', 'seeds', '--apply', $file, '--from-file', tempdir() . '/allseeds', '--own', ip($new));
is($status, 0, 'seeds --apply for a new host') or diag($what);
my $applied = join ',', map { ip($_) } @rest;
is(slurp($file), $before =~ s/10\.77\.0\.99/$applied/r, 'its file has the seeds, and is otherwise what it was');
$mesh->start($new);
$cluster->wait_for_start($new);
is($cluster->state($new), 'NORMAL on', 'it has joined');
push @hosts, $new;
push @running, $new;
$follower{$new} = follow_on($new);
all_ready();
becomes('the new one changes nothing', 10, @rest);
is(scalar(() = slurp("$cluster->{dir}/node$new/system.log") =~ /\Q10.77.0.99\E/g), 0, 'it never asked whom its file named before');

$_->stop for values %follower;
if ($ENV{PROBER_SEEDS_TOLD}) { diag("host $_\n" . slurp(tempdir() . "/seeds$_.seen")) for sort keys %follower }
is(scalar($cluster->end), 0, 'all nodes have ended');
done();
