#!/usr/bin/perl
# An upgrade of the nginx binary on the fly (USR2), as packages do it: no answer missed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Prober::Test;
use Test::More;

my $segment = segment();
$segment->put('/ping', 200, 'pong', type => 'text/plain');

# nginx takes USR2 only as a daemon, which is nobody's child.
my $nginx = Prober::Nginx->new(daemon => 1);
$nginx->configure(<<'CONF');
%%GLOBALS%%
http { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; location / { prober; prober_segment %%DIR%%/segment; } } }
CONF
my $pid_file = "$nginx->{dir}/nginx.pid";
my @masters;
END { kill 'KILL', map { -$_, $_ } grep { kill 0, $_ } @masters }

sub master { (slurp($pid_file) =~ /^(\d+)\n/)[0] }
my ($asked, $missed) = (0, 0);

sub ask {
    $asked++;
    $missed++ if http($nginx->port, 'GET /ping')->{body} ne 'pong';
}

my ($status, $said) = run(Prober::Nginx::binary(), '-p', $nginx->{dir}, '-e', $nginx->{log}, '-c', $nginx->{conf});
is($status, 0, 'a daemon') or BAIL_OUT($said);
push @masters, wait_for(\&master, 'its pid');
ask();

kill 'USR2', $masters[0];
push @masters, wait_for(sub { -e "$pid_file.oldbin" && (master() // $masters[0]) != $masters[0] && master() }, 'the new one');
ask() for 1 .. 50;
kill 'WINCH', $masters[0];
ask() for 1 .. 50;
kill 'QUIT', $masters[0];
wait_for(sub { ask(); !kill 0, $masters[0] }, 'the old one to leave');
ask() for 1 .. 50;
is($missed, 0, "none of $asked answers was missed");
kill 'QUIT', $masters[1];
wait_for(sub { !kill 0, $masters[1] }, 'the new one to leave');
is(join("\n", $nginx->logged(qr/\[(emerg|alert|crit|error)\]/)), '', 'nothing alarming in the log');

done();
