#!/usr/bin/perl
# What may be once in the cluster, decided by a real etcd: sessions, who leads, permits; members that die, hang or are cut off,
# passwords, TLS, and two clusters in one etcd.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Handle;
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);
use Prober::Test;
use Prober::Collector;
use Prober::Etcd;
use Prober::Fleet;

plan(skip_all => 'there is no etcd') if !Prober::Etcd::have();

my $dir = tempdir();
my $prefix = '/cassandra-prober/Fleet/';
my $tools = 0;

# A program that drives the store (t/lib/storectl.c): ask it, get its line.
package Tool {
    sub new {
        my ($class, $conf, $cluster) = @_;
        my $name = 'tool' . $tools++;
        my $process = Prober::Test::start(name => $name, input => 1, answers => 1,
            command => [ Prober::Test::root() . '/build/tools/storectl', Prober::Test::spew("$dir/$name.conf", $conf), $cluster // 'Fleet' ]);
        return bless { process => $process }, $class;
    }
    sub say { my ($self, $line) = @_; print { $self->{process}{input} } "$line\n" }
    sub line { my ($self) = @_; my $line = readline $self->{process}{answers}; chomp $line if defined $line; return $line // 'it has ended' }
    sub ask { my ($self, $line) = @_; $self->say($line); return $self->line }
    # The number of its session, and until when that lasts at most.
    sub session { my ($self) = @_; my $asked = main::time(); my ($n, $left) = $self->ask('session') =~ /^session (\d+) (\d+)$/; return ($n, $asked + $left / 1000) }
    sub wait_session { my ($self) = @_; main::wait_for(sub { ($self->session)[0] > 0 }, 'a session', 20); return $self }
}

my $etcd = Prober::Etcd->start(members => 3);

# Compare and set.
{
    my $tool = Tool->new($etcd->conf(ttl => '"3s"'))->wait_session;
    is($tool->ask('get a'), 'get a ok 0 - ', 'a key that is not there');
    my ($revision) = (my $said = $tool->ask('put a 0 one two')) =~ /^put a ok (\d+) one two $/;
    ok($revision, 'it is put') or diag($said);
    like($tool->ask('put a 0 other'), qr/^put a changed meanwhile $revision one two a has changed/, 'not twice');
    like($tool->ask('put a 1 other'), qr/^put a changed meanwhile $revision one two /, 'nor over what was not seen');
    like($tool->ask("put a $revision three"), qr/^put a ok \d+ three $/, 'but over what was');
    is($etcd->get("${prefix}a"), 'three', 'which is in etcd');
    like($tool->ask("delete a $revision"), qr/^delete a changed meanwhile \d+ three /, 'nothing is deleted that was not seen');
    my ($now) = $tool->ask('get a') =~ /^get a ok (\d+) three $/;
    is($tool->ask("delete a $now"), 'delete a ok 0 - ', 'what was seen is');
    is($etcd->get("${prefix}a"), undef, 'and gone from etcd');
    like($tool->ask('session-put s 0 mine'), qr/^session-put s ok \d+ mine $/, 'what belongs to the session');
    close delete $tool->{process}{input};
    ok($tool->{process}->ended(10), 'it ends');
    # Its session is revoked, which is sooner than that it ends by itself.
    eval { wait_for(sub { !defined $etcd->get("${prefix}s") }, 'its key to be gone', 1.5) };
    is($etcd->get("${prefix}s"), undef, 'and with it what belongs to its session');
}

# A session is over for its owner before it is for anybody else.
for my $how ('killed', 'stopped') {
    my $tool = Tool->new($etcd->conf(ttl => '"3s"'))->wait_session;
    my $other = Tool->new($etcd->conf(ttl => '"3s"'))->wait_session;
    $tool->ask('session-put s 0 mine');
    my ($number, $until) = $tool->session;
    $tool->{process}->signal($how eq 'killed' ? 'KILL' : 'STOP');
    my $gone;
    wait_for(sub { $other->ask('get s') eq 'get s ok 0 - ' && ($gone = time) }, "the session of one that was $how to be over", 30);
    cmp_ok($gone, '>', $until - 0.05, "$how: not before it thinks so itself");
    next if $how eq 'killed';
    # What it says first, it says before it can have asked anybody: the question was there before it went on.
    $tool->say('session');
    $tool->{process}->signal('CONT');
    like($tool->line, qr/^session 0 0$/, 'it knows that at once');
    wait_for(sub { ($tool->session)[0] > $number }, 'another session', 20);
    is($tool->ask('get s'), 'get s ok 0 - ', 'to which the key does not belong');
}

# Collectors, each beside its own node.
my $fleet = Prober::Fleet->start(layout => 'dc1:r1=1,r2=1,r3=1', convict => 1);
my @ip = @{ $fleet->{nodes} };

sub conf_of {
    my ($i, $coordination, $of) = @_;
    $of //= $fleet;
    return <<"CONF" . $coordination;
local: { source = "jolokia+http://$of->{nodes}[$i]:$of->{port}/jolokia"; };
peers: { mode = "direct"; url = "jolokia+http://{address}:$of->{port}/jolokia"; };
poll: { interval = "250ms"; timeout = "500ms"; view_ttl = "2s"; };
gates: { stable = "1s"; };
readiness: { settle = "1s"; rehab = "0"; };
segment: { path = "%%DIR%%/%%NAME%%.segment"; };
CONF
}

sub started { my $collector = Prober::Collector->start(@_); return $collector->wait_ready(40) }

sub ask_for {
    my ($collector, $line) = @_;
    return http("$dir/$collector->{name}.control", $line, header => ['X-Prober-User: ops'], timeout => 20);
}

# Host ids to numbers of collectors.
my %host;
sub leads {
    my ($value) = ($etcd->get("${prefix}leader") // '') =~ /^(\S+)/;
    return defined $value ? $host{$value} : undef;
}
sub times_led { my ($collector) = @_; return scalar(() = $collector->log =~ /this host leads the cluster's collectors now/g) }
sub logged { my ($collector, $line, $what) = @_; eval { wait_for(sub { $collector->log =~ $line }, $what, 30) };
    like($collector->log, $line, $what) }

my @collector = map { started(conf_of($_, $etcd->conf(ttl => '"3s"'))) } 0 .. 2;
$host{ $fleet->node($ip[$_])->{host_id} } = $_ for 0 .. 2;
wait_for(sub { defined leads() }, 'one to lead', 30);
my $leader = leads();
logged($collector[$leader], qr/this host leads the cluster's collectors now/, 'it says so');
sleep 2;
is(scalar(grep { times_led($_) } @collector), 1, 'the others do not');

sub next_leader { my ($than, $what) = @_; my $now; wait_for(sub { defined($now = leads()) && $now != $than }, $what, 30); return $now }

# Killed: another one leads. Started anew, it follows.
$collector[$leader]->stop('KILL');
my $next = next_leader($leader, 'another one to lead');
isnt($next, $leader, 'after kill -9 another one leads');
$collector[$leader] = started(conf_of($leader, $etcd->conf(ttl => '"3s"')));
# Ended: at once.
$collector[$next]->stop;
is($?, 0, 'it ends well') or diag($collector[$next]->log);
my $third = next_leader($next, 'another one to lead');
$collector[$next] = started(conf_of($next, $etcd->conf(ttl => '"3s"')));

# Stopped: it has lost it, and knows so when it goes on.
logged($collector[$third], qr/this host leads/, 'the next one says so');
$collector[$third]->signal('STOP');
my $fourth = next_leader($third, 'another one to lead while it is stopped');
logged($collector[$fourth], qr/this host leads/, 'and knows it');
my $before = times_led($collector[$third]);
$collector[$third]->signal('CONT');
logged($collector[$third], qr/this host leads no more/, 'it leads no more');
sleep 2;
is(times_led($collector[$third]), $before, 'and did not think so again');
is(leads(), $fourth, 'the other one does still');

# Permits.
sub token_of { my ($answer) = @_; return (eval { decode_json($answer->{body}) } || {})->{token} }
sub take {
    my ($i, $ip, $query) = @_;
    my $answer;
    eval { wait_for(sub { ($answer = ask_for($collector[$i], "POST /may-stop/$ip" . ($query // '')))->{status} == 200 }, 'a permit', 60) };
    is($answer->{status}, 200, "host $i: $ip may stop") or diag("$answer->{body}\n" . $collector[$i]->log);
    return token_of($answer);
}
my $token = take(0, $ip[0]);
like($token, qr/^[0-9a-f]{32}$/, 'there is a token');
is(decode_json($etcd->get("${prefix}permit"))->{who}, 'ops', 'the store has by whom');
my $answer = ask_for($collector[1], "POST /may-stop/$ip[1]");
is($answer->{status}, 409, 'on another host another node may not');
like($answer->{body}, qr/^\{"may":"no","reasons":\[.*\Q$ip[0]\E is to stop \(ops\)/, 'with the reason');
is(ask_for($collector[2], "POST /may-stop/$ip[0]")->{status}, 409, 'nor may somebody else the same one');
is(ask_for($collector[2], "POST /may-stop/$ip[0]?token=$token")->{status}, 200, 'who holds it may again, on any host');
$answer = ask_for($collector[1], 'POST /may-start/192.0.2.1');
like("$answer->{status} $answer->{body}", qr/^409 .*\Q$ip[0]\E is to stop \(ops\)/, 'nor may a new node join: there is one permit for all');
is(ask_for($collector[1], "DELETE /may-stop/$ip[0]?token=0123456789")->{status}, 409, 'nobody else gives it back');
is(ask_for($collector[1], "DELETE /may-stop/$ip[0]")->{status}, 400, 'without a token it is not known whose');
is(ask_for($collector[1], "DELETE /may-stop/$ip[0]?token=$token")->{status}, 200, 'it is given back');
is($etcd->get("${prefix}permit"), undef, 'the store has none');
is(ask_for($collector[1], "DELETE /may-stop/$ip[0]?token=$token")->{status}, 200, 'which may be said twice');
is(ask_for($collector[0], 'POST /may-stop/nonsense')->{status}, 404, 'no address');
is(ask_for($collector[0], 'POST /may-stop/192.0.2.1')->{status}, 404, 'no node');
is(ask_for($collector[0], "POST /may-stop/$ip[0]?ttl=soon")->{status}, 400, 'no time');
is(ask_for($collector[0], "POST /may-stop/$ip[0]?token=x")->{status}, 400, 'no token');
is(ask_for($collector[0], "POST /may-stop/$ip[0]?force=true")->{status}, 400, 'by force nobody gets one');
my $put = ask_for($collector[0], "PUT /may-stop/$ip[0]");
is("$put->{status} $put->{header}{allow}", '405 GET, HEAD, OPTIONS, POST, DELETE', 'what may be done');
is(ask_for($collector[0], "PUT /drain/$ip[0]?token=12345678")->{status}, 400, 'a token is for permits');

# The node goes down, which one of the hosts writes, and comes back: the permit is over, and whoever leads removes it.
$token = take(1, $ip[1], '?token=my-own-token&ttl=1h');
is($token, 'my-own-token', 'a token of one\'s choice');
is(take(2, $ip[1], '?token=my-own-token'), 'my-own-token', 'which may be asked for twice');
$fleet->post("nodes/$ip[1]/crash");
wait_for(sub { ($etcd->get("${prefix}permit") // '') =~ /"seen_down":true/ }, 'somebody to see it', 30);
$answer = ask_for($collector[0], "POST /may-stop/$ip[0]");
like("$answer->{status} $answer->{body}", qr/^409 /, 'nobody else may meanwhile');
$fleet->post("nodes/$ip[1]/start");
wait_for(sub { !defined $etcd->get("${prefix}permit") }, 'it to be ready and the permit to be gone', 60);
pass('a restart ends the permit');
logged($collector[leads()], qr/the permit of ops is over: \Q$ip[1]\E was down and is ready again/, 'who leads says why');

# Something in its place that nobody understands is no permit, and not overwritten.
$etcd->put("${prefix}permit", 'rubbish');
$answer = ask_for($collector[0], "POST /may-stop/$ip[0]");
like("$answer->{status} $answer->{body}", qr/^503 .*none that this version knows/, 'rubbish is not overwritten');
is(ask_for($collector[0], "DELETE /may-stop/$ip[0]?force=true")->{status}, 200, 'a person clears it away');
is($etcd->get("${prefix}permit"), undef, 'it is gone');

# etcd's leader dies: it goes on.
my $member = $etcd->wait_leader;
$etcd->kill($member);
$token = take(0, $ip[0]);
my $given = eval { wait_for(sub { ask_for($collector[1], "DELETE /may-stop/$ip[0]?token=$token")->{status} == 200 }, 'it', 30) };
ok($given, 'with two of three members all works');

# One more: nobody can decide. Refused, and not late.
my ($second) = grep { $etcd->alive($_) } 0 .. 2;
my $leading; # who led may have lost it with a member of etcd
wait_for(sub { defined($leading = leads()) }, 'one to lead', 60);
$etcd->pause($second);
my $early = 0;    # it was granted before
wait_for(
    sub {
        my $status = ask_for($collector[0], "POST /may-stop/$ip[0]?token=no-majority")->{status};
        $early ||= $status == 200;
        return $status == 503;
    },
    'a refusal', 60);
my $began = time;
$answer = ask_for($collector[0], "POST /may-stop/$ip[0]?token=no-majority");
like("$answer->{status} $answer->{body}", qr/^503 \{"may":"unknown","reasons":\["the coordination store: /, 'without a majority: cannot tell');
cmp_ok(time - $began, '<', 15, 'said in time');
logged($collector[$leading], qr{this host leads no more: etcd: }, "nobody leads");
logged($_, qr/no permits and no jobs for now: etcd: /, 'the journal says so') for @collector;
is($_->alive, 1, 'they run on') for @collector;
$etcd->resume($second);
$etcd->start_member($member);
wait_for(sub { defined leads() }, 'one to lead again', 60);
note('it was granted before the majority was lost') if $early;
ask_for($collector[0], "DELETE /may-stop/$ip[0]?token=no-majority") if $early;
# What nobody was told of may have been done later: who has asked for it removes it.
ok(eval { wait_for(sub { !defined $etcd->get("${prefix}permit") }, 'no permit', 60) }, 'what was refused is not held')
    or diag($etcd->get("${prefix}permit"));
$token = take(2, $ip[2]);
is(ask_for($collector[2], "DELETE /may-stop/$ip[2]?token=$token")->{status}, 200, 'a majority again: all works');
logged($_, qr/the coordination store answers again/, 'the journal says so') for @collector;

# A configuration that names another store counts with a restart.
$collector[0]->configure(conf_of(0, ''));
$collector[0]->signal('HUP');
logged($collector[0], qr/coordination changes with a restart only/, 'a reload with another store says so');

# Another cluster in the same etcd has its own leader and its own permit.
my $second_fleet = Prober::Fleet->start(layout => 'dc1:r1=2', convict => 1, 'cluster-name' => 'Other/ Fleet%');
my $stranger = started(conf_of(0, $etcd->conf(ttl => '"3s"'), $second_fleet));
logged($stranger, qr/this host leads the cluster's collectors now/, 'another cluster has its own leader');
$token = take(1, $ip[1]);
wait_for(sub { ask_for($stranger, "POST /may-stop/$second_fleet->{nodes}[0]")->{status} == 200 }, 'its own permit', 60);
is_deeply([ grep { /permit|leader/ } $etcd->keys ], [ sort map { ("$_/leader", "$_/permit") } '/cassandra-prober/Fleet', '/cassandra-prober/Other%2F%20Fleet%25' ],
    'each by its name');
is(ask_for($collector[1], "DELETE /may-stop/$ip[1]?token=$token")->{status}, 200, 'given back');
for my $collector (@collector, $stranger) {
    $collector->stop;
    is($?, 0, 'ended well') or diag($collector->log);
}
eval { wait_for(sub { !grep { /leader/ } $etcd->keys }, 'nobody to lead', 1.5) };
is_deeply([ grep { /leader/ } $etcd->keys ], [], 'who ends leaves nobody leading');
$etcd->stop_all;

# Passwords and TLS.
{
    my $secure = Prober::Etcd->start(members => 1, tls => 1, auth => 1);
    my $tool = Tool->new($secure->conf(ttl => '"3s"'))->wait_session;
    like($tool->ask('put a 0 x'), qr/^put a ok \d+ x $/, 'with the right password, by TLS');
    # What it knows who we are by is lost with a restart.
    $secure->kill(0);
    $secure->start_member(0);
    $secure->wait_leader;
    my $said;
    wait_for(sub { ($said = $tool->ask('get a')) =~ / ok / }, 'the store after a restart', 30);
    like($said, qr/^get a ok \d+ x $/, 'an old token is replaced');

    my $wrong = Tool->new($secure->conf(password_file => '"' . $secure->wrong_password_file . '"'));
    like($wrong->ask('get a'), qr/^get a refused 0 - .*authentication failed/, 'a wrong password is refused');
    like($wrong->ask('get a'), qr/^get a refused 0 - .*authentication failed/, 'which is remembered for a while');
    like($wrong->ask('problem'), qr/^problem etcd: .*authentication failed/, 'and told');
    my $nobody = Tool->new(qq(coordination: { store = "@{[ $secure->store ]}"; ca_file = "@{[ $secure->ca ]}"; };));
    like($nobody->ask('get a'), qr/^get a refused 0 - .*user name is empty/, 'without a login, too');
    my $elsewhere = Tool->new($secure->conf(prefix => '"/elsewhere/"'));
    like($elsewhere->ask('get a'), qr/^get a refused 0 - .*permission denied/, 'other keys are not for it');

    my $strange = Tool->new($secure->conf(ca_file => '"' . $secure->strange_ca . '"'));
    like($strange->ask('get a'), qr/^get a unreachable 0 - .*tls/, 'a certificate that somebody else has signed');
    my $plain = Tool->new($secure->conf(store => '"' . $secure->store =~ s/https/http/r . '"'));
    like($plain->ask('get a'), qr/^get a (?:refused|unreachable|no answer) 0 - /, 'without TLS');
    my $unknown = Tool->new($secure->conf, '');
    like($unknown->ask('get a'), qr/^get a no store 0 - the cluster's name is not known yet/, 'no name of the cluster, no keys');

    my $collector = started(conf_of(0, $secure->conf(ttl => '"3s"', password_file => '"' . $secure->wrong_password_file . '"')));
    @collector = ($collector);
    logged($collector, qr/no permits and no jobs for now: etcd: .*authentication failed/, 'the journal has the reason');
    unlike($collector->log, qr/guess/, 'and not the password');
    my $refused = ask_for($collector, "POST /may-stop/$ip[0]");
    like("$refused->{status} $refused->{body}", qr/^503 .*authentication failed/, 'who asks has it, too');
    $collector->stop;
    is($?, 0, 'ended well') or diag($collector->log);
    $secure->stop_all;
}

done();
