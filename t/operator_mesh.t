#!/usr/bin/perl
# What operators say on one host holds on all: three simulated hosts, each with a collector, an nginx, a control socket and
# a state file of its own.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);
use Prober::Test;
use Prober::Collector;
use Prober::Fleet;

my $fleet = Prober::Fleet->start(layout => 'dc1:r1=3', convict => 20);
my @ip = @{ $fleet->{nodes} };
my $port = free_port($ip[0]);
my $nowhere = free_port($ip[0]);
my $dir = tempdir();

# What is for people and what is for the other hosts, so that the latter can be cut off alone.
sub nginx_of {
    my ($listen, $i, $more) = @_;
    return nginx(<<"CONF");
%%GLOBALS%%
http { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; listen $listen; prober_segment $dir/segment$i;
    location / { prober; } @{[ $more // '' ]} } }
CONF
}
sub people { my ($i) = @_; return nginx_of("$ip[$i]:" . free_port($ip[$i]), $i) }
sub hosts { my ($i, $more) = @_; return nginx_of("$ip[$i]:$port", $i, $more) }

sub conf_of {
    my ($i, $peers) = @_;
    $peers //= qq(url = "http://{address}:$port";);
    return <<"CONF";
local: { source = "jolokia+http://$ip[$i]:$fleet->{port}/jolokia"; };
peers: { $peers };
segment: { path = "$dir/segment$i"; };
state: { path = "$dir/state$i"; };
control: { socket = "$dir/control$i"; };
region: { name = "eu"; };
poll: { interval = "250ms"; timeout = "500ms"; view_ttl = "2s"; };
readiness: { settle = "1s"; rehab = "60s"; };
CONF
}

my @people = map { people($_) } 0 .. 2;
my @hosts = map { hosts($_) } 0 .. 2;
my @collector = map { Prober::Collector->start(conf_of($_)) } 0 .. 2;
$_->wait_ready for @collector;

sub say_on {
    my ($host, $line, $body) = @_;
    my $answer = http("$dir/control$host", $line, header => ['X-Prober-User: ops'], defined $body ? (body => $body) : ());
    is("$answer->{status} $answer->{body}", '200 ', "$line on host $host");
}

sub body { my ($host, $path) = @_; return http($people[$host]->port, "GET $path")->{body} }
sub node { my ($host, $i) = @_; return eval { get_json($people[$host]->port, "/nodes/$ip[$i]") } // {} }

# Waits until all of those hosts answer that; how long it took.
sub agree {
    my ($path, $expected, $what, @on) = @_;
    my $began = time;
    @on = 0 .. 2 if !@on;
    eval { wait_for(sub { !grep { body($_, $path) ne $expected } @on }, $what, 15) };
    my $took = time - $began;
    is_deeply([ map { body($_, $path) } @on ], [ ($expected) x @on ], sprintf "%s (%.2f s)", $what, $took)
        or diag(join "", map { "host $_: " . body($_, $path) . body($_, "/state") . $collector[$_]->log . "\n" } @on);
    return $took;
}

# The versions that a host has, by key.
sub versions { my ($host) = @_; return { map { $_->{key} => $_ } @{ get_json($people[$host]->port, '/state')->{values} } } }

sub logged { my ($host, $line, $what) = @_; eval { wait_for(sub { $collector[$host]->log =~ $line }, $what, 20) };
    like($collector[$host]->log, $line, $what) }

wait_for(sub { !grep { my $host = $_; grep { (node($host, $_)->{observer} // '') ne 'voter' } 0 .. 2 } 0 .. 2 }, 'all to vote');
my $automatic = body(0, '/localseeds');
is(body(0, '/region-ips'), "[]\n", 'nobody has said anything: no addresses');
is(body(0, '/reaper-ready'), "false\n", 'and not ready');

# A value set on one host is on all three at once.
say_on(0, 'PUT /reaper-ips', qq(["192.0.2.1",  "192.0.2.2"]\n));
cmp_ok(agree('/reaper-ips', qq(["192.0.2.1","192.0.2.2"]\n), 'everywhere'), '<', 5, 'within 5 s');
say_on(1, 'PUT /region-ips', '["2001:DB8::1"]');
say_on(1, 'PUT /reaper-ready', 'T');
say_on(2, 'PUT /localseeds', '["192.0.2.9"]');
say_on(2, 'PUT /readylocaldcs', 'false');
say_on(0, 'PUT /dcs', '[{"name":"dc9","replicas":5}]');
agree('/region-ips', qq(["2001:db8::1"]\n), '/region-ips');
agree('/reaper-ready', "true\n", '/reaper-ready');
agree($_, qq(["192.0.2.9"]\n), $_) for qw(/localseeds /seeds);
agree($_, "false\n", $_) for qw(/readylocaldcs /region-ready);
agree($_, qq([{"name":"dc9","replicas":5}]\n), $_) for qw(/dcs /dcs?local);

# At rest they hold the same, say who said it where.
my $state = body(0, '/state');
agree('/state', $state, 'the same values in the same bytes');
my $version = versions(1)->{'region/eu/localseeds'};
is($version->{user}, 'ops', 'by whom');
is($version->{host}, node(0, 2)->{host_id}, 'on which host');
cmp_ok(abs($version->{at_ms} / 1000 - time), '<', 60, 'and when');
like(body(0, '/view'), qr/"values":"[0-9a-f]{16}"/, '/view has their digest');
is(scalar(keys %{ { map { body($_, '/view') =~ /"values":"(\w+)"/ ? ($1 => 1) : () } 0 .. 2 } }), 1, 'one and the same');
logged(0, qr/localseeds of region eu: set to \["192\.0\.2\.9"\] by ops on \Q$ip[2]\E/, 'the journal of another host says so');

# Back to automatic.
say_on(1, 'DELETE /localseeds');
agree('/localseeds', $automatic, 'back to automatic');
logged(2, qr/localseeds of region eu: back to automatic by ops on \Q$ip[1]\E/, 'the journal says so');
say_on(1, "DELETE $_") for qw(/readylocaldcs /dcs);
agree('/readylocaldcs', "true\n", '/readylocaldcs');
agree('/dcs', qq([{"name":"dc1","replicas":3}]\n), '/dcs');

# A drain: not ready on every host, with the reason, its opinion counts on; it ends by itself.
my $began = time;
say_on(1, "PUT /drain/$ip[2]?ttl=8s");
agree("/healthz/$ip[2]?brief", "not ready\n", 'a drained node is not ready');
cmp_ok(time - $began, '<', 5, 'within 5 s');
for my $host (0 .. 2) {
    my $node = node($host, 2);
    like("@{$node->{reasons}}", qr/^drained by ops until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, "host $host: the reason");
    is($node->{observer}, 'voter', "host $host: its opinion counts");
    is($node->{drain}{user}, 'ops', "host $host: by whom");
    is($node->{drain}{host}, node($host, 1)->{host_id}, "host $host: where");
    is($node->{status}, 'NORMAL', "host $host: Cassandra goes on");
}
my $ready = http($people[2]->port, 'GET /ready');
is($ready->{status}, 503, '/ready says so to its load balancer');
like($ready->{body}, qr/^not ready: drained by ops until/, 'with the reason');
agree("/healthz/$ip[2]?brief", "ready\n", 'it ends by itself');
my $took = time - $began;
ok($took > 7.5 && $took < 14, sprintf 'in its time (%.2f s)', $took);
is(node(0, 2)->{drain}, undef, 'and is shown no more');
say_on(0, "PUT /drain/$ip[0]");
agree("/healthz/$ip[0]?brief", "not ready\n", 'without an end');
is_deeply(node(1, 0)->{reasons}, ['drained by ops'], 'the reason says none');
say_on(2, "DELETE /drain/$ip[0]");
agree("/healthz/$ip[0]?brief", "ready\n", 'ended on another host');
for my $round (1 .. 2) {
    say_on(0, "PUT /drain/$ip[0]");
    agree("/healthz/$ip[0]?brief", "not ready\n", "drained again ($round)");
    say_on(0, "DELETE /drain/$ip[0]");
    cmp_ok(agree("/healthz/$ip[0]?brief", "ready\n", 'and ready'), '<', 10, 'what operators do is no flapping');
}

# A host that dies, and all it had: what was said there is on the others, and it has it back.
say_on(0, 'PUT /region-ips', '["192.0.2.33"]');
agree('/region-ips', qq(["192.0.2.33"]\n), 'the last word of host 0', 1, 2);
$collector[0]->stop('KILL');
unlink glob "$dir/segment0* $dir/state0*";
is(body($_, '/region-ips'), qq(["192.0.2.33"]\n), "on host $_ without host 0") for 1, 2;
$collector[0] = Prober::Collector->start(conf_of(0));
$collector[0]->wait_ready;
# An nginx that has not seen the segment of before: the old one has those values, too.
$people[0]->stop;
$people[0] = people(0);
cmp_ok(agree('/region-ips', qq(["192.0.2.33"]\n), 'host 0 has it back'), '<', 10, 'soon');
eval { wait_for(sub { slurp("$dir/state0") =~ /192\.0\.2\.33/ }, 'its file', 20) };
like(slurp("$dir/state0"), qr/192\.0\.2\.33/, 'in its file, too');
agree('/state', body(1, '/state'), 'all of it');
$collector[0]->stop('KILL');
$collector[0] = Prober::Collector->start(conf_of(0));
$collector[0]->wait_ready;
is(body(0, '/region-ips'), qq(["192.0.2.33"]\n), 'from its own file, too');
say_on(0, 'PUT /region-ips', '["192.0.2.34"]');
agree('/region-ips', qq(["192.0.2.34"]\n), 'what it says then is newer than all');

# Two sides that do not hear of each other.
sub cut {
    $hosts[2]->stop;
    $collector[2]->configure(conf_of(2, qq(url = "http://{address}:$nowhere";)));
    $collector[2]->signal('HUP');
    eval { wait_for(sub { (node(2, 0)->{observer} // '') eq 'no view' && (node(0, 2)->{observer} // '') ne 'voter' }, 'it', 10) };
    is(node(2, 0)->{observer}, 'no view', 'host 2 is cut off');
}
cut();
say_on(0, 'PUT /reaper-ips', '["192.0.2.101"]');
say_on(2, 'PUT /reaper-ips', '["192.0.2.102"]');
say_on(2, 'PUT /region-ips', '["192.0.2.103"]');
say_on(1, 'PUT /region-ips', '["192.0.2.104"]');
say_on(2, 'PUT /region-ips', '["192.0.2.105"]');
say_on(2, 'DELETE /reaper-ready');
say_on(0, 'PUT /localseeds', '["192.0.2.106"]');
agree('/reaper-ips', qq(["192.0.2.101"]\n), 'one side says this', 0, 1);
agree('/reaper-ips', qq(["192.0.2.102"]\n), 'the other side that', 2);
agree('/localseeds', qq(["192.0.2.106"]\n), 'and has heard of that', 0, 1);
my @side = map { versions($_) } 0, 2;
my %wins;
for my $key (map { keys %$_ } @side) {
    my ($best) = sort { $b->{counter} <=> $a->{counter} || $b->{host} cmp $a->{host} } map { $_->{$key} // () } @side;
    $wins{$key} = $best;
}
is($wins{'region/eu/region-ips'}{value}[0], '192.0.2.105', 'who has said more may win') or diag(explain(\@side));
$hosts[2] = hosts(2);
$collector[2]->configure(conf_of(2));
$collector[2]->signal('HUP');
$began = time;
agree('/region-ips', qq(["192.0.2.105"]\n), 'together again');
eval { wait_for(sub { !grep { body($_, '/state') ne body(0, '/state') } 1, 2 }, 'the same', 10) };
is_deeply(versions($_), \%wins, "host $_: of each key the highest counter, then the highest host") for 0 .. 2;
cmp_ok(time - $began, '<', 10, sprintf 'soon (%.2f s)', time - $began);
agree('/reaper-ips', encode_json($wins{'region/eu/reaper-ips'}{value}) . "\n", 'one of both, the same everywhere');
agree('/localseeds', qq(["192.0.2.106"]\n), 'what one side alone said holds');
agree('/reaper-ready', "false\n", 'a deletion, too');

# A host that does not let the others read its values, and one that has no such thing: said once, and asked again later.
$hosts[2]->stop;
$hosts[2] = hosts(2, 'location = /state { deny all; }');
wait_for(sub { (node(0, 2)->{observer} // '') eq 'voter' }, 'its vote');
say_on(2, 'PUT /reaper-ips', '["192.0.2.120"]');
logged($_, qr/cannot get the values of \Q$ip[2]\E: auth/, "host $_ says that it may not") for 0, 1;
isnt(body(0, '/reaper-ips'), body(2, '/reaper-ips'), 'so it cannot know');
is(node(0, 2)->{verdict}, 'ready', 'which is nothing against the node');
$hosts[2]->stop;
$hosts[2] = hosts(2);
agree('/reaper-ips', qq(["192.0.2.120"]\n), 'it may again');
my $said = () = $collector[0]->log =~ /cannot get the values of \Q$ip[2]\E/g;
is($said, 1, 'it was said once');

# Values that are none, of another cluster, or without end.
my $view = body(2, '/view') =~ s/"values":"\w+"/"values":"0123456789abcdef"/r;
$state = body(2, '/state');
my %strange = (garbage => substr($state, 0, 60), other => $state =~ s/"cluster":"[^"]*"/"cluster":"another"/r,
    format => $state =~ s/"format":1/"format":2/r, host => $state,
    shape => $state =~ s/"values":\[.*/"values":[{"key":"region\/eu\/dcs","value":"<script>","counter":9,"host":"h","user":"x\\ny","at_ms":1,"ttl_ms":0,"until_ms":0}]}/sr,
    large => "[" . '"",' x 6_000_000 . '""]');
my %reason = (garbage => qr/cannot use the values of \Q$ip[2]\E: /, other => qr/of another cluster/,
    format => qr/not values of format 1/, host => qr/it is not the host of that node/,
    shape => qr/values of \Q$ip[2]\E: 1 values left out, the first \(region.eu.dcs\): this version knows no such key or value/, large => qr/too_large/);
spew("$dir/view.json", $view);
my $before = body(0, '/state');
for my $name (sort keys %strange) {
    spew("$dir/$name.json", $strange{$name});
    spew("$dir/view.json", $name eq 'host' ? $view =~ s/"host_id":"[0-9a-f]{8}/"host_id":"01234567/r : $view);
    my $server = nginx(<<"CONF");
%%GLOBALS%%
http { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; location = /view { add_header X-Prober-Age-Ms 5; alias $dir/view.json; }
    location = /state { alias $dir/$name.json; } } }
CONF
    $collector[0]->configure(conf_of(0, qq(url = "http://{address}:$port"; static = [ "$ip[2]=http://127.0.0.1:@{[ $server->port ]}" ];)));
    $collector[0]->signal('HUP');
    logged(0, $reason{$name}, "$name: refused, with the reason");
    is(body(0, '/state'), $before, "$name: nothing has changed");
}
$collector[0]->configure(conf_of(0));
$collector[0]->signal('HUP');
say_on(0, 'PUT /reaper-ips', '["192.0.2.130"]');
agree('/reaper-ips', qq(["192.0.2.130"]\n), 'all is well at the end');

# A host that has forgotten everything, and says something before it has heard from anybody.
say_on(1, 'PUT /region-ips', qq(["192.0.2.14$_"])) for 1 .. 3;
agree('/region-ips', qq(["192.0.2.143"]\n), 'all have it');
$collector[0]->stop('KILL');
unlink glob "$dir/segment0* $dir/state0*";
$collector[0] = Prober::Collector->start(conf_of(0, qq(url = "http://{address}:$nowhere";)));
$collector[0]->wait_ready;
wait_for(sub { body(0, '/region-ips') eq "[]\n" }, 'the new segment');
say_on(0, 'PUT /region-ips', '["192.0.2.144"]');
is(body(1, '/region-ips'), qq(["192.0.2.143"]\n), 'the others have not heard of it');
$collector[0]->configure(conf_of(0));
$collector[0]->signal('HUP');
agree('/region-ips', qq(["192.0.2.144"]\n), 'it was acknowledged last, and holds');

for my $collector (@collector) {
    $collector->stop;
    is($?, 0, 'ended well') or diag($collector->log);
}
done();
