#!/usr/bin/perl
# What is said, and what ends, while it is not the time to judge: before the first pass of polls, and after the collector has
# not run for a while. A 200 still means that it shows.
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
my $dir = tempdir();
my ($socket, $state) = ("$dir/control.sock", "$dir/state.json");
my $nginx = nginx(<<'CONF');
%%GLOBALS%%
http { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; prober_stale 60s; location / { prober; prober_segment %%DIR%%/segment; } } }
CONF

sub conf {
    my ($timeout) = @_;
    return fleet_conf($fleet, qq(poll: { interval = "200ms"; timeout = "$timeout"; view_ttl = "3s"; };
readiness: { settle = "0"; rehab = "0"; };
control: { socket = "$socket"; };
state: { path = "$state"; };
region: { name = "eu"; };));
}
sub get { http($nginx->port, "GET $_[0]") }
sub put { http($socket, "PUT $_[0]", body => $_[1], timeout => 20) }
sub started { my $collector = Prober::Collector->start(conf($_[0])); wait_for(sub { $collector->log =~ /taken over/ && Prober::Http::connect_to($socket) }, 'it'); return $collector }

my $collector = Prober::Collector->start(conf('1s'))->wait_ready;
is(put('/reaper-ips', '["192.0.2.1"]')->{status}, 200, 'a value');
is(get('/reaper-ips')->{body}, qq(["192.0.2.1"]\n), 'shows');
$collector->stop('KILL');

# The own Cassandra hangs: the first round comes late.
$fleet->post("nodes/$ip[0]/hang");
$collector = started('5s');
my $began = time;
is(put('/reaper-ips', '["192.0.2.2"]')->{status}, 200, 'another one, before the first round');
my $took = time - $began;
is(get('/reaper-ips')->{body}, qq(["192.0.2.2"]\n), 'shows when it is answered');
cmp_ok($took, '>', 1, sprintf 'that was with the first round (%.2f s)', $took);
ok($collector->notified('READY=1') || eval { $collector->wait_ready(10) }, 'which made the collector ready');
$collector->stop('KILL');

# It comes too late, or not at all.
$collector = started('60s');
$began = time;
my $answer = put('/reaper-ips', '["192.0.2.3"]');
$took = time - $began;
is("$answer->{status} $answer->{body}", "503 kept on disk; it shows once the nodes have been asked\n", 'there is an answer at last');
ok($took > 8 && $took < 16, sprintf 'after so long (%.2f s)', $took);
like(slurp($state), qr/192\.0\.2\.3/, 'it is on disk');
is(get('/reaper-ips')->{body}, qq(["192.0.2.2"]\n), 'and does not show');
$fleet->post("nodes/$ip[0]/heal");
$collector->wait_ready;
is(get('/reaper-ips')->{body}, qq(["192.0.2.3"]\n), 'it shows with the first round');
$collector->stop;
is($?, 0, 'ended well');

# Said before the own node has answered, on a host that turns out to be of another cluster than its file: not lost with the rest.
my $text = slurp($state);
spew($state, $text =~ s/"Fleet"/"Other"/r);
$fleet->post("nodes/$ip[0]/hang");
$collector = started('60s');
my $waiting = Prober::Http::connect_to($socket);
print {$waiting} Prober::Http::request('PUT /region-ips', body => '["192.0.2.4"]');
$waiting->flush;
wait_for(sub { slurp($state) =~ /192\.0\.2\.4/ }, 'it to be on disk');
like(slurp($state), qr/Other/, 'in the file of the other cluster');
$fleet->post("nodes/$ip[0]/heal");
is(Prober::Http::parse(Prober::Http::receive($waiting, 20))->{status}, 200, 'it is answered');
is(get('/region-ips')->{body}, qq(["192.0.2.4"]\n), 'it shows');
is(get('/reaper-ips')->{body}, "[]\n", 'what was said in the other cluster does not');
wait_for(sub { slurp($state) =~ /Fleet/ }, 'the file of this one');
like(slurp($state), qr/^(?!.*192\.0\.2\.3).*192\.0\.2\.4/s, 'has it alone');
$collector->stop;

# A process that was stopped has old views: nobody is judged by them because a drain ends, or somebody says something.
$collector = Prober::Collector->start(conf('2s'))->wait_ready;
sub sleeps {
    my ($what) = @_;
    wait_for(sub { get('/ready')->{status} == 200 && get("/healthz/$ip[2]?brief")->{body} eq "ready\n" }, 'all to be ready');
    is(put("/drain/$ip[2]?ttl=2s")->{status}, 200, "$what: a drain");
    my $before = length $collector->log;
    kill STOP => $collector->pid;
    sleep 3.5;
    my $said = Prober::Http::connect_to($socket);
    if ($what ne 'nothing') {
        print {$said} Prober::Http::request('PUT /reaper-ips', body => qq(["192.0.2.5"]));
        $said->flush;
    }
    kill CONT => $collector->pid;
    if ($what ne 'nothing') {
        is(Prober::Http::parse(Prober::Http::receive($said, 20))->{status}, 200, 'it is answered');
        is(get('/reaper-ips')->{body}, qq(["192.0.2.5"]\n), 'and shows');
    }
    wait_for(sub { substr($collector->log, $before) =~ /did not run for/ }, 'it to take notice');
    wait_for(sub { get("/healthz/$ip[2]?brief")->{body} eq "ready\n" }, 'the drain to end');
    sleep 0.5;
    my $log = substr $collector->log, $before;
    unlike($log, qr/-> not ready: (?!drained)/, 'nobody is found not ready') or diag($log);
    unlike($log, qr/does not count/, 'nobody loses its vote');
}
sleeps($_) for 'nothing', 'a change';
$collector->stop;
is($?, 0, 'ended well');
done();
