#!/usr/bin/perl
# A series of crashes: one simulated node after the other dies without a word and comes back. Each is not ready soon, the
# others are ready all the time, and it is ready again not before it serves. PROBER_CRASHES (4), PROBER_SEED.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use Prober::Collector;
use Prober::Fleet;
use Prober::Test;

my $crashes = $ENV{PROBER_CRASHES} || 4;
my $seed    = $ENV{PROBER_SEED} // time ^ $$;
srand $seed;
note("PROBER_SEED=$seed");

my $convict = 1;
my $fleet = Prober::Fleet->start(layout => 'dc1:r1=2,r2=1;dc2:r1=3', convict => $convict, boot => 2);
my @ip = @{ $fleet->{nodes} };
my $collector = Prober::Collector->start(fleet_conf($fleet, <<'CONF'));
poll: { interval = "200ms"; timeout = "1s"; view_ttl = "2s"; };
readiness: { settle = "500ms"; rehab = "0"; };
CONF
my $nginx = nginx(<<'CONF');
%%GLOBALS%%
http { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; location / { prober; prober_segment %%DIR%%/segment; } } }
CONF

my ($answers, @others_down, @too_early) = (0);

sub status { $answers++; http($nginx->port, "GET /healthz/$_[0]?brief")->{status} }

# Asks for all nodes until the one that crashed has this status; how long that took.
sub until_status {
    my ($node, $wanted, $timeout) = @_;
    my $began = time;
    while (time < $began + $timeout) {
        push @others_down, $_ for grep { $_ ne $node && status($_) != 200 } @ip;
        my $serves = $fleet->node($node)->{native};
        my $status = status($node);
        push @too_early, $node if $wanted == 200 && $status == 200 && !$serves && !$fleet->node($node)->{native};
        return time - $began if $status == $wanted;
        sleep 0.01;
    }
    fail("$node: $wanted within $timeout s");
    diag(http($nginx->port, "GET /nodes/$node")->{body});
    return $timeout;
}

$collector->wait_ready;
wait_for(sub { !grep { status($_) != 200 } @ip }, 'all to be ready');
my (@noticed, @back);
for (1 .. $crashes) {
    my $node = $ip[ rand @ip ];
    sleep rand 0.4;
    $fleet->post("nodes/$node/crash");
    push @noticed, until_status($node, 404, $convict + 5);
    sleep rand 1;
    $fleet->post("nodes/$node/start");
    push @back, until_status($node, 200, 15);
}
my ($slowest, $longest) = map { (sort { $b <=> $a } @$_)[0] } \@noticed, \@back;
is("@others_down", '', "$crashes crashes: the other nodes were ready in all of $answers answers");
is("@too_early", '', 'none was ready before it served');
cmp_ok($slowest, '<', $convict + 4, sprintf 'each was noticed, the slowest %.1f s after it (the failure detector takes %d s)', $slowest, $convict);
is($collector->stop, 0, 'the collector ends well');
note(sprintf 'FIGURES %d crashes, %d answers, noticed after %.1f s at most, ready again after %.1f s at most, %d wrong',
    $crashes, $answers, $slowest, $longest, @others_down + @too_early);
done();
