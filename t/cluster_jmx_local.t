#!/usr/bin/perl
# A real Cassandra with JMX as it is installed (LOCAL_JMX): on 127.0.0.1 alone. And one poll in two minutes: longer than
# the server remembers a connection object that is not used.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes 'time';
use Prober::Test;
use Prober::Cluster;

my $cluster = Prober::Cluster->new(version => '5.0.4', layout => 'dc1:r1', jmx => 'local');
$cluster->start(1);
$cluster->wait_for_start(1);
my ($port) = $cluster->jmx(1) =~ /:(\d+)$/;
my @pollctl = (root() . '/build/tools/pollctl', '--timeout', 5000);

sub polled {
    my (undef, $output) = run(@pollctl, @_);
    return ($output, { $output =~ /^end .*/m ? $& =~ /(\w+)=(\S+)/g : () });
}

my $idle = start(name => 'idle', log => tempdir() . '/idle.log',
    command => [ @pollctl, '--local', "jmx://127.0.0.1:$port", '--interval', 125_000, '--rounds', 2 ]);
my $began = time;
my ($output, $end) = polled('--local', "jmx://127.0.0.1:$port", '--interval', 200, '--rounds', 5);
# A round in which the poll before it still runs has none.
is($end->{ok}, $end->{polls}, 'polled on 127.0.0.1');
cmp_ok($end->{polls}, '>=', 2, 'again and again');
like($output, qr/mode=NORMAL/, 'what it says of itself');
my $ip = $cluster->ip(1);
like($output, qr/opinions=\Q$ip\E:UP/, 'and of the cluster');
($output, $end) = polled('--local', "jmx://$ip:$port", '--interval', 200, '--rounds', 2);
is($end->{refused}, $end->{polls}, 'elsewhere it is refused');
cmp_ok($end->{polls}, '>=', 1, 'whoever asks');

$cluster->signal(STOP => 1);
($output, $end) = polled('--local', "jmx://127.0.0.1:$port", '--interval', 200, '--timeout', 700, '--rounds', 12);
cmp_ok($end->{timeout} // 0, '>=', 1, 'a stopped Cassandra: timeout');
$cluster->signal(CONT => 1);
($output, $end) = polled('--local', "jmx://127.0.0.1:$port", '--interval', 500, '--rounds', 8);
cmp_ok($end->{ok} // 0, '>=', 3, 'and back');

ok($idle->ended(180), 'two polls, two minutes between them');
cmp_ok(time - $began, '>', 120, 'it took longer than the server remembers');
($end) = map { +{ /(\w+)=(\S+)/g } } $idle->output =~ /^(end .*)/m;
is("$end->{ok} of $end->{polls}", '2 of 2', 'both were answered');
is(scalar($cluster->end), 0, 'the node has ended');
done();
