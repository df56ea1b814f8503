#!/usr/bin/perl
# Two regions of one cluster, each with its own nodes, collector and nginx, that know nothing of each other but what the
# other's prober answers: they begin one after the other, and what a region has said holds while it cannot be reached.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Prober::Test;
use Prober::Collector;
use Prober::Faults;
use Prober::Fleet;

my $dir = tempdir();
my %dc = (ap => 'dc1', eu => 'dc2');
my %fleet = map { $_ => Prober::Fleet->start(layout => "$dc{$_}:r1=1,r2=1,r3=1", convict => 0.3, boot => 0.3) } sort keys %dc;

# What a region answers the other one goes through a door that can be closed.
my %door = map { $_ => free_port() } keys %dc;
my %nginx;
for my $name (sort keys %dc) {
    spew("$dir/$name.door", '');
    spew("$dir/$name.users", "other:{PLAIN}secret\n");
    $nginx{$name} = nginx(<<"CONF");
%%GLOBALS%%
http { %%HTTP%%
    server { listen 127.0.0.1:%%PORT%%; location / { prober; prober_segment $dir/$name.segment; } }
    server {
        listen 127.0.0.1:$door{$name};
        include $dir/$name.door;
        auth_basic prober;
        auth_basic_user_file $dir/$name.users;
        location /p/ { prober; prober_segment $dir/$name.segment; }
    }
}
CONF
}
spew("$dir/password", "secret\n");

sub conf_of {
    my ($name, $password, $more) = @_;
    $password //= "$dir/password";
    my $f = $fleet{$name};
    return <<"CONF";
local: { source = "jolokia+http://$f->{nodes}[0]:$f->{port}/jolokia"; };
peers: { mode = "direct"; url = "jolokia+http://{address}:$f->{port}/jolokia"; };
segment: { path = "$dir/$name.segment"; };
state: { path = "$dir/$name.state"; };
poll: { interval = "100ms"; timeout = "2s"; view_ttl = "5s"; };
readiness: { settle = "100ms"; rehab = "0"; };
region: { name = "$name"; datacenters = [ "$dc{$name}" ]; };
datacenters = ( { name = "$dc{$name}"; size = 3; racks = [ "r1", "r2", "r3" ]; } );
regions = ( @{[ join ', ', map { qq({ name = "$_"; url = "http://127.0.0.1:$door{$_}/p/"; user = "other"; password_file = "$password"; }) } sort keys %dc ]}@{[ $more // '' ]} );
CONF
}

sub get     { my ($name, $path) = @_; return eval { get_json($nginx{$name}->port, $path) } }
sub regions { return get($_[0], '/regions') // {} }
sub region  { my ($at, $of) = @_; my ($found) = grep { $_->{name} eq $of } @{ regions($at)->{regions} || [] }; return $found // {} }
sub waits   { return regions($_[0])->{waits} // '' }

sub until_ok {
    my ($condition, $what) = @_;
    my $got = eval { wait_for($condition, $what, 40) };
    ok($got, $what) or diag(explain({ map { $_ => regions($_) } keys %dc }));
}

sub door {
    my ($name, $open) = @_;
    spew("$dir/$name.door", $open ? '' : "return 444;\n");
    $nginx{$name}->reload;
}

# Nobody has begun: the nodes are there, and none of them runs.
for my $name (sort keys %dc) {
    $fleet{$name}->post("nodes/$_/crash") for @{ $fleet{$name}{nodes} }[1, 2];
    $fleet{$name}->post("nodes/$fleet{$name}{nodes}[0]/stop-native");
}
my %collector = map { $_ => Prober::Collector->start(conf_of($_)) } sort keys %dc;
$_->wait_ready for values %collector;

until_ok(sub { (regions('ap')->{next} // '') eq 'ap' }, 'ap: it is its turn');
is(waits('ap'), '', 'ap waits for nobody');
until_ok(sub { waits('eu') eq 'region ap has its turn first' }, 'eu waits for ap');
is_deeply([ map { $_->{name} } @{ regions('eu')->{regions} } ], [qw(ap eu)], 'the list may have the own region in it');
until_ok(sub { (region('eu', 'ap')->{state} // '') eq 'not ready' }, 'eu has heard that ap is not ready');

# The first one is cut off, and becomes ready: the second one cannot know.
door('ap', 0);
until_ok(sub { waits('eu') =~ /^region ap cannot be reached/ }, 'eu: ap cannot be reached');
is(regions('eu')->{next}, undef, 'eu: it is nobody\'s turn');
like(region('eu', 'ap')->{poll}{result}, qr/^(reset|refused)$/, 'the reason');
is(region('eu', 'ap')->{poll}{path}, '/readylocaldcs', 'of which document');
$fleet{ap}->post("nodes/$_/start") for @{ $fleet{ap}{nodes} }[1, 2];
$fleet{ap}->post("nodes/$fleet{ap}{nodes}[0]/start-native");
until_ok(sub { http($nginx{ap}->port, 'GET /readylocaldcs')->{body} eq "true\n" }, 'ap is ready');
until_ok(sub { (regions('ap')->{next} // '') eq 'eu' }, 'ap: it is the turn of eu');
like(waits('eu'), qr/^region ap cannot be reached/, 'eu still waits');

# And goes on by itself.
door('ap', 1);
until_ok(sub { (regions('eu')->{next} // '') eq 'eu' && waits('eu') eq '' }, 'eu: its turn, once it can ask again');
like(region('eu', 'ap')->{last_seen}, qr/^20\d\d-.*Z$/, 'when it was seen last');
my @ap = sort @{ $fleet{ap}{nodes} };
until_ok(sub { join(' ', sort @{ region('eu', 'ap')->{seeds} }) eq "@ap" }, 'the seeds of ap are known in eu');
is_deeply(region('eu', 'ap')->{dcs}, [ { name => 'dc1', replicas => 3 } ], 'and its data centers');
$fleet{eu}->post("nodes/$_/start") for @{ $fleet{eu}{nodes} }[1, 2];
$fleet{eu}->post("nodes/$fleet{eu}{nodes}[0]/start-native");
until_ok(sub { (region('ap', 'eu')->{state} // '') eq 'ready' && !defined regions('ap')->{next} }, 'both are ready');
is(waits('ap'), '', 'nobody waits');

# What is told of all regions, and of one.
until_ok(sub { join(' ', map { $_->{name} } @{ get('ap', '/dcs') || [] }) eq 'dc1 dc2' }, '/dcs has both');
is_deeply(get('ap', '/dcs?local'), [ { name => 'dc1', replicas => 3 } ], '/dcs?local has the own one');

# A region that was ready and cannot be reached blocks nobody who has begun; its seeds stay, also after a boot.
door('ap', 0);
until_ok(sub { (region('eu', 'ap')->{state} // '') eq 'unreachable' }, 'ap is cut off again');
is(region('eu', 'ap')->{was_ready} ? 1 : 0, 1, 'it was ready');
is(waits('eu'), '', 'eu has begun: it waits for nobody');
is(http($nginx{eu}->port, 'GET /readylocaldcs')->{body}, "true\n", 'and is as ready as before');
$collector{eu}->stop;
is($?, 0, 'ended well') or diag($collector{eu}->log);
unlink "$dir/eu.segment";
$collector{eu} = Prober::Collector->start(conf_of('eu'));
$collector{eu}->wait_ready;
until_ok(sub { (region('eu', 'ap')->{state} // '') eq 'unreachable' }, 'after a boot');
is(join(' ', sort @{ region('eu', 'ap')->{seeds} }), "@ap", 'its seeds are known');
is(waits('eu'), '', 'and that eu has begun');
until_ok(sub { join(' ', map { $_->{name} } @{ get('eu', '/dcs') || [] }) eq 'dc1 dc2' }, '/dcs has both');
door('ap', 1);
until_ok(sub { (region('eu', 'ap')->{state} // '') eq 'ready' }, 'ap is back');

# A wrong password, by a reload.
spew("$dir/wrong", "wrong\n");
$collector{eu}->configure(conf_of('eu', "$dir/wrong"));
$collector{eu}->signal('HUP');
until_ok(sub { (region('eu', 'ap')->{poll}{result} // '') eq 'auth' }, 'a wrong password has its reason');
is(region('eu', 'ap')->{poll}{http_status}, 401, 'and status');
is(join(' ', sort @{ region('eu', 'ap')->{seeds} }), "@ap", 'a reload forgets nothing');

# What is no prober, or half of one, has its reason and does no harm.
my $faults = Prober::Faults->start;
my $strange = nginx(<<'CONF');
%%GLOBALS%%
http { %%HTTP%%
    server {
        listen 127.0.0.1:%%PORT%%;
        add_header X-Prober-Age-Ms 5;
        location /ageless/ { add_header X-Other 1; return 200 "true"; }
        location /old/ { add_header X-Prober-Age-Ms 99999; return 200 "true"; }
        location = /seedless/readylocaldcs { return 200 "true"; }
        location = /seedless/localseeds { return 200 "<html>"; }
        location = /seedless/dcs { return 200 '[{"name":"dc9","replicas":7}]'; }
        location /word/ { return 200 "yes"; }
        location /missing/ { return 404; }
    }
}
CONF
my %reply = (
    ageless  => [ 'unreachable', 'bad_shape', '/readylocaldcs', qr/no X-Prober-Age-Ms/ ],
    old      => [ 'unreachable', 'bad_json',  '/localseeds',    qr/./ ],
    seedless => [ 'ready',       'bad_json',  '/localseeds',    qr/./ ],
    word     => [ 'unreachable', 'bad_shape', '/readylocaldcs', qr/neither true nor false/ ],
    missing  => [ 'unreachable', 'http',      '/readylocaldcs', qr/^$/ ],
    enormous => [ 'unreachable', 'too_large', '/readylocaldcs', qr/^$/ ],
    refused  => [ 'unreachable', 'refused',   '/readylocaldcs', qr/^$/ ],
);
my %url = map { $_ => 'http://127.0.0.1:' . $strange->port . "/$_" } keys %reply;
$url{enormous} = "http://127.0.0.1:$faults->{port}/enormous";
$url{refused} = 'http://127.0.0.1:' . free_port();
$collector{eu}->configure(conf_of('eu', undef, join '', map { qq(, { name = "$_"; url = "$url{$_}"; }) } sort keys %reply));
$collector{eu}->signal('HUP');
for my $name (sort keys %reply) {
    my ($state, $result, $path, $detail) = @{ $reply{$name} };
    until_ok(sub { (region('eu', $name)->{poll}{result} // '') eq $result }, "$name: $result");
    my $region = region('eu', $name);
    is($region->{poll}{path}, $path, "$name: of which document");
    like($region->{poll}{detail} // '', $detail, "$name: the reason") or diag(explain($region));
    until_ok(sub { region('eu', $name)->{state} eq $state }, "$name: $state");
    is_deeply($region->{seeds}, [], "$name: no seeds");
}
is_deeply(region('eu', 'seedless')->{dcs}, [ { name => 'dc9', replicas => 7 } ], 'what is good of it counts');
until_ok(sub { (region('eu', 'ap')->{state} // '') eq 'ready' }, 'ap is ready among them');

# The plan follows the turn.
my ($dc) = grep { $_->{name} eq 'dc2' } @{ get('eu', '/plan')->{dcs} };
is_deeply([ @$dc{qw(wanted present ready)} ], [ 3, 3, 3 ], '/plan');
is(ref get('eu', '/plan')->{next}, 'ARRAY', 'what is next');

# The journal tells the story.
my @told = grep { !/unreachable|not asked/ } map { /regions: (.*)/ ? $1 : () } split /\n/, $collector{ap}->log;
my %seen;
is_deeply(
    [ grep { !$seen{$_}++ } @told ],
    [ 'ap not ready, eu not ready; it is the turn of ap', 'ap ready, eu not ready; it is the turn of eu', 'ap ready, eu ready' ],
    'the journal of ap') or diag(explain(\@told));

like($collector{ap}->log, qr/seeds of region eu are now \["127\..*"\]$/m, 'and what the seeds of the other one are');

for my $name (sort keys %dc) {
    $collector{$name}->stop;
    is($?, 0, 'ended well') or diag($collector{$name}->log);
}
done();
