#!/usr/bin/perl
# The write half of the contract, as a client sees it through nginx as it is packaged: what can be set, by whom, what is
# refused, and what becomes of it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Prober::Test;
use Prober::Collector;
use Prober::Fleet;

my $fleet = Prober::Fleet->start(layout => 'dc1:r1=2,r2=1;dc2:r1=2', convict => 1, boot => 1);
my @ip = @{ $fleet->{nodes} };
my $dir = tempdir();
my $conf = fleet_conf($fleet, qq(poll: { interval = "200ms"; timeout = "1s"; view_ttl = "3s"; };
readiness: { settle = "500ms"; rehab = "0"; };
control: { socket = "$dir/control.sock"; };
state: { path = "$dir/state.json"; };
region: { name = "eu"; };));
my $collector = Prober::Collector->start($conf);
spew("$dir/users", "ops:{PLAIN}secret\n");

# The packaged site, with users.
my $site = slurp(root() . '/packaging/nginx/prober.conf');
$site =~ s/^\s*listen.*\n//mg;
$site =~ s/server \{/server { listen 127.0.0.1:%%PORT%%;/;
$site =~ s/deny all;\n(\s*)# allow all;.*\n\s*# (auth_basic .*)\n\s*# (auth_basic_user_file) .*;/$2\n$1$3 $dir\/users;/ or die 'no users in the packaged site';
$site =~ s{/run/cassandra-prober/control.sock}{$dir/control.sock};
my $nginx = nginx("%%GLOBALS%%\nhttp { %%HTTP%%\nprober_segment %%DIR%%/segment;\n$site}\n");
$collector->wait_ready;
wait_for(sub { $collector->status eq '5 nodes, 5 ready' }, 'all to be ready');

my @ops = ('Authorization: Basic b3BzOnNlY3JldA==');
sub get { http($nginx->port, "GET $_[0]") }
sub ask { my ($line, $body, @header) = @_; http($nginx->port, $line, header => [ @header ? @header : @ops ], body => $body) }

# Automatic until somebody says something else, and automatic again.
my %automatic = map { $_ => get($_)->{body} } qw(/readylocaldcs /localseeds /dcs /region-ips /reaper-ips /reaper-ready);
is($automatic{'/readylocaldcs'}, "true\n", '/readylocaldcs: automatic');
is($automatic{'/region-ips'}, "[]\n", '/region-ips: nobody has said anything');
is($automatic{'/reaper-ready'}, "false\n", '/reaper-ready');
my @settable = (
    [ '/readylocaldcs', 'false', "false\n", '/region-ready' ],
    [ '/localseeds', qq(["$ip[4]", "$ip[0]"]), qq(["$ip[4]","$ip[0]"]\n), '/seeds' ],
    [ '/dcs', '[ {"name":"dc1","replicas":5} ]', qq([{"name":"dc1","replicas":5}]\n) ],
    [ '/region-ips', '["192.0.2.1","2001:DB8::1"]', qq(["192.0.2.1","2001:db8::1"]\n) ],
    [ '/reaper-ips', '["192.0.2.9"]', qq(["192.0.2.9"]\n) ],
    [ '/reaper-ready', " T\r\n", "true\n" ],
);
for my $case (@settable) {
    my ($path, $body, $shown, $alias) = @$case;
    my $answer = ask("PUT $path", $body);
    is("$answer->{status}:$answer->{body}", '200:', "PUT $path: an empty 200");
    is(get($path)->{body}, $shown, "$path: is that, at once");
    is(get($alias)->{body}, $shown, "and its alias $alias") if $alias;
}
like(get('/state')->{body}, qr{"key":"region/eu/dcs".*"user":"ops"}, '/state: by whom');
is_deeply([ $collector->log =~ /: (.*reaper-ips.*)/g ], [ qq(reaper-ips of region eu: set to ["192.0.2.9"] by ops on $ip[0]) ],
    'the journal says once who said what and where');
$collector->stop('KILL');
$collector = Prober::Collector->start($conf);
$collector->wait_ready;
wait_for(sub { get('/ping')->{status} == 200 }, 'the new collector');
is(get($_->[0])->{body}, $_->[2], "$_->[0]: outlives the collector") for @settable;
for my $case (@settable) {
    my $answer = ask("DELETE $case->[0]");
    is("$answer->{status}:$answer->{body}", '200:', "DELETE $case->[0]: an empty 200");
    is(get($case->[0])->{body}, $automatic{ $case->[0] }, "$case->[0]: automatic again");
}
for my $word (qw(true 1 t T TRUE True)) {
    is(ask('PUT /reaper-ready', $word)->{status}, 200, "$word is a boolean");
    is(get('/reaper-ready')->{body}, "true\n", 'true');
    is(ask('PUT /reaper-ready', $word =~ tr/tT1/fF0/r =~ s/rue/alse/r =~ s/RUE/ALSE/r)->{status}, 200, 'and its contrary');
    is(get('/reaper-ready')->{body}, "false\n", 'false');
}

# What is refused changes nothing, and says why in one line.
my @bad = (
    [ 'PUT /readylocaldcs', 'yes', 400, qr/boolean/ ], [ 'PUT /readylocaldcs', '', 400, qr/boolean/ ],
    [ 'PUT /localseeds', '["10.0.0.1"', 400, qr/JSON/ ], [ 'PUT /localseeds', '{"a":1}', 400, qr/array/ ],
    [ 'PUT /localseeds', '["host"]', 400, qr/item 1/ ], [ 'PUT /localseeds', '[]', 400, qr/no seeds/ ],
    [ 'PUT /localseeds', '["10.0.0.1","::ffff:10.0.0.1"]', 400, qr/twice/ ], [ 'PUT /seeds', '[1]', 400, qr/item 1/ ],
    [ 'PUT /dcs', '[{"name":"dc1"}]', 400, qr/item 1/ ], [ 'PUT /dcs', '[{"name":"dc1","replicas":-1}]', 400, qr/item 1/ ],
    [ 'PUT /dcs', '[{"name":"dc1","replicas":1,"x":1}]', 400, qr/item 1/ ],
    [ 'PUT /dcs', '[{"name":"dc1","replicas":1},{"name":"dc1","replicas":2}]', 400, qr/dc1 is there twice/ ], [ 'PUT /dcs', '1', 400, qr/array/ ],
    [ 'PUT /reaper-ips', "[\"10.0.0.1\"]\0", 400, qr/JSON/ ], [ 'PUT /nodes', 'x', 405, qr/set/ ],
    [ 'POST /localseeds', '[]', 405, qr/method/ ], [ 'PATCH /dcs', '[]', 405, qr/method/ ], [ 'DELETE /ping', undef, 405, qr/set/ ],
    [ 'PUT /drain/192.0.2.1', '', 404, qr/no node/ ], [ 'PUT /drain/x', '', 404, qr/address/ ],
    [ 'DELETE /drain/192.0.2.1', undef, 404, qr/no node/ ], [ "PUT /drain/$ip[0]?ttl", '', 400, qr/ttl/ ],
    [ "PUT /drain/$ip[0]?tl=10m", '', 400, qr/no such argument/ ], [ 'PUT /reaper-ready?ttl=10m', 'true', 400, qr/ttl is for/ ],
    [ 'PUT /localseeds', '[' . join(',', map { "\"10.0.@{[ $_ >> 8 ]}.@{[ $_ & 255 ]}\"" } 1 .. 1001) . ']', 400, qr/more than 1000/ ],
    [ "PUT /drain/$ip[0]?ttl=soon", '', 400, qr/ttl/ ], [ "PUT /drain/$ip[0]?ttl=0", '', 400, qr/ttl/ ],
    [ 'PUT /localseeds', 'x' x 1_100_000, 413, qr/./ ],
);
for my $case (@bad) {
    my ($line, $body, $status, $says) = @$case;
    my $answer = ask($line, $body);
    my $what = $line . ' ' . substr($body // '', 0, 30) =~ s/[^ -~]/?/gr;
    is($answer->{status}, $status, "$what: $status");
    like($answer->{body}, $says, 'says why');
    is(($answer->{body} =~ tr/\n//), 1, 'in one line') if $status != 413;
    ok($answer->{header}{allow}, 'and what is allowed') if $status == 405;
}
is(get($_)->{body}, $automatic{$_}, "$_: as it was") for qw(/readylocaldcs /localseeds /dcs /reaper-ips);

# Who may not.
my $strict = nginx("%%GLOBALS%%\nhttp { %%HTTP%%\nprober_segment %%DIR%%/segment;\n" . ($site =~ s/allow 127[^;]*;//r) . "}\n");
is(http($strict->port, "GET $_")->{status}, 403, "$_ is for the other hosts") for qw(/state /state/ /state// /%73tate /./state /state/?x);
is(http($strict->port, 'GET /nodes')->{status}, 200, 'all else is for everybody');
is(ask('PUT /dcs', '[]', 'X: y')->{status}, 401, 'without a password');
is(ask('PUT /dcs', '[]', 'Authorization: Basic b3BzOndyb25n')->{status}, 401, 'with a wrong one');
for my $header ('Origin: http://evil.example', 'Sec-Fetch-Site: cross-site', 'Sec-Fetch-Site: same-site', 'Origin: null') {
    is(ask('PUT /dcs', '[]', @ops, $header)->{status}, 403, "$header: the page of another site");
}
is(ask('PUT /dcs', '[]', @ops, 'Origin: http://localhost', 'Sec-Fetch-Site: same-origin')->{status}, 200, 'the own one');
is(ask('DELETE /dcs')->{status}, 200, 'and back');
is(http("$dir/control.sock", 'PUT /dcs', body => '[]')->{status}, 200, 'who may open the socket needs no nginx');
like(get('/state')->{body}, qr/"user":"uid $>"/, 'and has a name all the same');
is((stat "$dir/control.sock")[2] & 07777, 0660, 'which its group may');

# A user's name in some other encoding is no reason to refuse.
is(http("$dir/control.sock", 'PUT /reaper-ready', header => [ "X-Prober-User: J\xf6rg" ], body => 'false')->{status}, 200, 'a name in Latin-1');
like(get('/state')->{body}, qr/"user":"J\?rg"/, 'is shown as far as it can be');
is(ask('DELETE /reaper-ready')->{status}, 200, 'and back');

# As long a list as may be: it holds nobody up.
my $long = '[' . join(',', map { sprintf '"10.%d.%d.%d"', $_ >> 16, $_ >> 8 & 255, $_ & 255 } 1 .. 70_000) . ']';
my $before = time;
is(ask('PUT /reaper-ips', $long)->{status}, 200, 'a list of 70,000 addresses');
cmp_ok(time - $before, '<', 20, 'takes no time');
is(get('/ping')->{status}, 200, 'all else goes on');
is(ask('DELETE /reaper-ips')->{status}, 200, 'and back');

# A drain: the node leaves the load balancer while it serves, and comes back by itself.
sub becomes {
    my ($ip, $status, $what) = @_;
    my $is;
    eval { wait_for(sub { ($is = get("/healthz/$ip")->{status}) == $status }, $what, 20) };
    is($is, $status, $what);
}
is(ask("PUT /drain/$ip[1]?ttl=5s")->{status}, 200, 'PUT /drain');
is(get("/healthz/$ip[1]")->{status}, 404, 'not ready, at once');
my $node = get_json($nginx->port, "/nodes/$ip[1]");
like("@{$node->{reasons}}", qr/drained by ops until /, 'says why') or diag(explain($node));
is(get("/healthz/$ip[0]")->{status}, 200, 'no other');
becomes($ip[1], 200, 'the drain has ended by itself');
is(ask("PUT /drain/$ip[1]")->{status}, 200, 'one without an end');
$collector->stop('KILL');
$collector = Prober::Collector->start($conf);
$collector->wait_ready;
becomes($ip[1], 404, 'outlives the collector');
is(ask("DELETE /drain/$ip[1]")->{status}, 200, 'DELETE /drain');
is(get("/healthz/$ip[1]")->{status}, 200, 'ready, at once');
is(ask("PUT /drain/$ip[1]?ttl=1s")->{status}, 200, 'and once more');
becomes($ip[1], 200, 'for a second');
is_deeply([ $collector->log =~ /: \Q$ip[1]\E: (drained.*|the time.*)/g ],
    [ "drained no more by ops on $ip[0]", "drained for 1 s by ops on $ip[0]", 'the time of its drain is over' ],
    'the journal says who said what, where, and when its time is over');

# Cassandra is to read its seeds again.
my @reload = (
    [ 'GET', undef, 405, qr/method/ ], [ 'POST', '{}', 400, qr/array/ ], [ 'POST', '[]', 400, qr/array/ ],
    [ 'POST', '["a"]', 400, qr/array/ ], [ 'POST', qq(["$ip[0]"]), 501, qr/Exception.*reloadSeeds is there from 4\.0 on/ ],
);
for my $case (@reload) {
    my ($method, $body, $status, $says) = @$case;
    my $answer = http("$dir/control.sock", "$method /reload-seeds", defined $body ? (body => $body) : ());
    is($answer->{status}, $status, "$method /reload-seeds " . ($body // ''));
    like($answer->{body}, $says, 'says why');
}

# Full disks: nothing is set, everything else goes on, and comes back by itself.
mkdir "$dir/state.json.new" or die $!;
my $refused = ask('PUT /reaper-ready', 'true');
is($refused->{status}, 503, 'a disk that cannot be written');
like($refused->{body}, qr/^nothing has changed: cannot write the state file: /, 'says so');
is(get('/reaper-ready')->{body}, "false\n", 'nothing is set');
is(get('/ping')->{status}, 200, 'all else goes on');
rmdir "$dir/state.json.new";
is(ask('PUT /reaper-ready', 'true')->{status}, 200, 'it is back');
is(get('/reaper-ready')->{body}, "true\n", 'and set');

# Who is told to end has an answer for who waits.
kill 'STOP', $fleet->pid;
my $waiting = Prober::Http::connect_to("$dir/control.sock");
print {$waiting} Prober::Http::request('POST /reload-seeds', body => qq(["$ip[0]"]));
$waiting->flush;
sleep 1; # until it asks; that lasts 5 s
$collector->stop;
is($?, 0, 'told to end while Cassandra is being asked') or diag($collector->log);
like(Prober::Http::receive($waiting, 20), qr/^the collector ends$/m, 'who asked is told');
kill 'CONT', $fleet->pid;
$collector = Prober::Collector->start($conf);
$collector->wait_ready;
wait_for(sub { get('/ping')->{status} == 200 }, 'the new collector');

# A state file that is wrong: the generation before it, and a person is told.
ask('PUT /reaper-ready', 'true');
$collector->stop;
spew("$dir/state.json", '{"format":1,"values":[');
$collector = Prober::Collector->start($conf);
$collector->wait_ready;
like($collector->log, qr/cannot read .*state\.json: .*; starting with the generation before it/, 'a broken state file is told');
wait_for(sub { get('/ping')->{status} == 200 }, 'the new collector');
is(get('/reaper-ready')->{body}, "true\n", 'what it held is there');
ok(-e "$dir/state.json.bad", 'and the broken one too');
$collector->stop;
is($?, 0, 'ended well');
ok(!-e "$dir/control.sock", 'the socket is gone');
done();
