#!/usr/bin/perl
# Collectors that poll each other: three simulated hosts, each with a collector and an nginx of its own, and what a host
# is told that is not one of them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use Prober::Test;
use Prober::Collector;
use Prober::Faults;
use Prober::Fleet;

my $fleet = Prober::Fleet->start(layout => 'dc1:r1=2;dc2:r1=1', convict => 20);
my @ip = @{ $fleet->{nodes} };
my $port = free_port($ip[0]);
my $dir = tempdir();

sub nginx_of {
    my ($i) = @_;
    return nginx(<<"CONF");
%%GLOBALS%%
http { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; listen $ip[$i]:$port;
    location / { prober; prober_segment $dir/segment$i; } } }
CONF
}

sub conf_of {
    my ($i, $more) = @_;
    return <<"CONF" . ($more // '');
local: { source = "jolokia+http://$ip[$i]:$fleet->{port}/jolokia"; };
peers: { url = "http://{address}:$port"; };
segment: { path = "$dir/segment$i"; };
state: { path = "$dir/state$i"; };
poll: { interval = "250ms"; timeout = "500ms"; view_ttl = "2s"; };
readiness: { settle = "1s"; rehab = "0"; };
CONF
}

my @nginx = map { nginx_of($_) } 0 .. 2;
my @collector = map { Prober::Collector->start(conf_of($_)) } 0 .. 2;
$_->wait_ready for @collector;

sub node { my ($host, $i) = @_; return eval { get_json($nginx[$host]->port, "/nodes/$ip[$i]") } // {} }

sub verdicts { my ($host) = @_; return join ' ', map { node($host, $_)->{verdict} // '-' } 0 .. 2 }

# Waits until every host of those says the same of node $i: how long it took.
sub agree {
    my ($i, $verdict, $what, @hosts) = @_;
    my $began = time;
    @hosts = 0 .. 2 if !@hosts;
    eval { wait_for(sub { !grep { (node($_, $i)->{verdict} // '') ne $verdict } @hosts }, $what, 15) };
    my $took = time - $began;
    my @said = map { node($_, $i) } @hosts;
    is_deeply([ map { $_->{verdict} } @said ], [ ($verdict) x @hosts ], sprintf '%s (%.2f s)', $what, $took)
        or diag(explain(\@said));
    return $took;
}

agree($_, 'ready', "node $_ is ready everywhere") for 0 .. 2;
for my $host (0 .. 2) {
    eval { wait_for(sub { !grep { (node($host, $_)->{observer} // '') ne 'voter' } 0 .. 2 }, 'votes', 10) };
    is_deeply([ map { node($host, $_)->{observer} } 0 .. 2 ], [ ('voter') x 3 ], "host $host: all three vote");
    is_deeply([ map { node($host, $_)->{dc} } 0 .. 2 ], [qw(dc1 dc1 dc2)], "host $host: the data centers");
}

# Only the own node is asked for its opinion.
my $view = http($nginx[1]->port, 'GET /view');
is($view->{status}, 200, '/view');
my $again = http($nginx[1]->port, 'GET /view', header => ["If-None-Match: $view->{header}{etag}"]);
is($again->{status}, 304, '/view is the same bytes while nothing changes');
like($again->{header}{'x-prober-age-ms'}, qr/^\d+$/, 'its age is told with it');
my $metrics = http($nginx[0]->port, 'GET /metrics')->{body};
like($metrics, qr/polls_total\{result="ok"\}/, 'polls are good');

# A process that is gone: nobody waits for gossip, which takes 20 s here.
$fleet->post("nodes/$ip[2]/crash");
my $took = agree(2, 'not ready', 'a process that ended');
cmp_ok($took, '<', 10, 'long before gossip');
my $said = node(0, 2);
is($said->{poll}{result}, 'refused', 'host 0: as its host says') or diag(explain($said));
like("@{$said->{reasons}}", qr/process/, 'host 0: the reason') or diag(explain($said));
$fleet->post("nodes/$ip[2]/start");
agree(2, 'ready', 'it is back');

# One that hangs: its own host finds out, and the others believe it.
$fleet->post("nodes/$ip[2]/hang");
$took = agree(2, 'not ready', 'a node that hangs');
cmp_ok($took, '<', 10, 'long before gossip');
like("@{node(0, 2)->{reasons}}", qr/hung/, 'host 0: the reason') or diag(explain(node(0, 2)));
$fleet->post("nodes/$ip[2]/heal");
agree(2, 'ready', 'it goes on');

# A collector that ends: its host's view ages, the node does not lose the others' votes for it.
$collector[1]->stop('KILL');
wait_for(sub { (node(0, 1)->{observer} // '') eq 'stale' }, 'the view to be too old');
is(node(0, 1)->{verdict}, 'ready', 'a node without a collector is judged by the others');
$collector[1] = Prober::Collector->start(conf_of(1));
$collector[1]->wait_ready;
wait_for(sub { (node(0, 1)->{observer} // '') eq 'voter' }, 'its vote');
pass('its vote counts again');

# A host whose Cassandra is down knows the others after a boot (no segment), too, and says so of its own.
$fleet->post("nodes/$ip[1]/crash");
agree(1, 'not ready', 'the second one ends');
$collector[1]->stop;
unlink glob "$dir/segment1*";
$collector[1] = Prober::Collector->start(conf_of(1));
$collector[1]->wait_ready;
agree(0, 'ready', 'a host without Cassandra answers for the others', 1);
is_deeply([ map { node(1, $_)->{dc} } 0 .. 2 ], [qw(dc1 dc1 dc2)], 'and knows where they are');
is(http($nginx[1]->port, 'GET /view')->{body} =~ /"process":"gone"/ ? 1 : 0, 1, 'and says that its own is gone');
agree(1, 'not ready', 'which all know', 0 .. 2);
$fleet->post("nodes/$ip[1]/start");
agree(1, 'ready', 'back again');

# What is no prober of this cluster counts for nothing, and has a reason.
my $faults = Prober::Faults->start;
my %reply = (
    newer   => [ qr/bad_shape/, qr/format 2/ ],
    other   => [ qr/wrong_cluster/, qr/^$/ ],
    garbage => [ qr/bad_json/, qr/./ ],
    ageless => [ qr/bad_shape/, qr/X-Prober-Age-Ms/ ],
    stray   => [ qr/bad_shape/, qr/it says it is/ ],
);
my $body = $view->{body};
my %document = (
    newer => $body =~ s/"format":1/"format":2/r, other => $body =~ s/"cluster":"[^"]*"/"cluster":"another"/r,
    garbage => substr($body, 0, 40), ageless => $body, stray => $body =~ s/"address":"[^"]*"/"address":"192.0.2.9"/r);
my %strange;
for my $name (sort keys %document) {
    spew("$dir/$name.json", $document{$name});
    my $age = $name eq 'ageless' ? '' : 'add_header X-Prober-Age-Ms 5;';
    $strange{$name} = nginx(<<"CONF");
%%GLOBALS%%
http { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; location = /view { $age alias $dir/$name.json; } } }
CONF
}
for my $name (sort keys %reply) {
    $collector[0]->configure(conf_of(0) =~ s/peers: \{/peers: { static = [ "$ip[1]=http:\/\/127.0.0.1:@{[ $strange{$name}->port ]}" ];/r);
    $collector[0]->signal('HUP');
    my $seen;
    eval { wait_for(sub { $seen = node(0, 1); $seen->{poll}{result} =~ $reply{$name}[0] }, $name, 10) };
    like($seen->{poll}{result}, $reply{$name}[0], "$name: ignored");
    like($seen->{poll}{detail} // '', $reply{$name}[1], "$name: the reason") or diag(explain($seen));
    wait_for(sub { node(0, 1)->{observer} ne 'voter' }, 'no vote');
    is(node(0, 1)->{verdict}, 'ready', "$name: the node has the others' word");
}
$collector[0]->configure(conf_of(0) =~ s/peers: \{/peers: { static = [ "$ip[1]=http:\/\/127.0.0.1:$faults->{port}\/enormous" ];/r);
$collector[0]->signal('HUP');
eval { wait_for(sub { node(0, 1)->{poll}{result} eq 'too_large' }, 'it', 10) };
is(node(0, 1)->{poll}{result}, 'too_large', 'an answer without end is refused');
$collector[0]->configure(conf_of(0));
$collector[0]->signal('HUP');
wait_for(sub { (node(0, 1)->{observer} // '') eq 'voter' }, 'its vote');
agree($_, 'ready', "at the end node $_ is ready everywhere") for 0 .. 2;

# A node that the own Cassandra hears of later than the others: what they have said of it all the time counts then.
my $new = $fleet->post('join?dc=dc1&rack=r1')->{ip};
wait_for(sub { ((eval { get_json($nginx[0]->port, "/nodes/$new") } // {})->{status} // '') eq 'NORMAL' }, 'all to know it', 60);
$fleet->post("opinion?observer=$ip[0]&endpoint=$new&state=UNKNOWN");
$collector[0]->stop;
unlink glob "$dir/segment0* $dir/state0*";
$collector[0] = Prober::Collector->start(conf_of(0));
$collector[0]->wait_ready;
eval { wait_for(sub { http($nginx[0]->port, "GET /healthz/$new")->{body} eq "{}\n" }, 'nginx to have the new segment', 20) };
wait_for(sub { (node(0, 1)->{observer} // '') eq 'voter' }, 'the others to be heard');
is(http($nginx[0]->port, "GET /healthz/$new")->{body}, "{}\n", 'nobody else makes nodes');
$fleet->post("opinion?observer=$ip[0]&endpoint=$new&state=UP");
my $heard = {};
eval { wait_for(sub { $heard = eval { get_json($nginx[0]->port, "/healthz/$new") } // {}; !grep { ($heard->{"/$_"} // '') ne 'UP' } @ip }, 'it', 20) };
is_deeply([ @$heard{ map { "/$_" } @ip } ], [ ('UP') x 3 ], 'a node heard of late: what the others say counts')
    or diag(explain($heard));

for my $collector (@collector) {
    $collector->stop;
    is($?, 0, 'ended well') or diag($collector->log);
}
done();
