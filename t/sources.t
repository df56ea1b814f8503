#!/usr/bin/perl
# The poller against simulated nodes of every release: what it learns, whom it asks for details, what faults cost.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep);
use Prober::Test;
use Prober::Fleet;

my $pollctl = root() . '/build/tools/pollctl';

# One line of pollctl.
sub parse {
    my ($line) = @_;
    my ($kind) = $line =~ /^(\w+)/;
    return { kind => $kind, map { s/^"|"$//gr } $line =~ /(\w+)=("[^"]*"|\S*)/g };
}

sub lines { my ($kind, $output) = @_; grep { $_->{kind} eq $kind } map { parse($_) } split /\n/, $output }

my @common = ('--interval', 200, '--timeout', 900);

sub direct {
    my ($fleet) = @_;
    my $url = "jolokia+http://%s:$fleet->{port}/jolokia";
    return ('--local', sprintf($url, $fleet->{nodes}[0]), '--peer', sprintf($url, '{address}'), '--discover');
}

sub polled { my $output = run($pollctl, @common, @_); lines('observation', $output), lines('end', $output) }

for my $version ('3.11', '4.0', '4.1', '5.0') {
    my $fleet = Prober::Fleet->start(layout => 'dc1:r1=2;dc2:r1=1', version => $version);
    my @ip = @{ $fleet->{nodes} };
    my ($end, @seen) = reverse polled(direct($fleet), '--rounds', 8);
    is($end->{ok}, $end->{polls}, "$version: every poll is good");
    cmp_ok($end->{unchanged}, '>=', $end->{polls} - 6, "$version: what did not change is not parsed");
    for my $ip (@ip) {
        my ($detail) = grep { $_->{observer} eq $ip && $_->{states} } @seen;
        is($detail->{states}, "$ip[0]:NORMAL:dc1:r1,$ip[1]:NORMAL:dc1:r1,$ip[2]:NORMAL:dc2:r1", "$version: states of $ip");
        is($detail->{opinions}, join(',', map { "$_:UP" } @ip), "$version: opinions of $ip");
        like($detail->{release}, qr/^\Q$version\E\./, "$version: release of $ip");
    }
    my ($local) = grep { $_->{local} && $_->{states} } @seen;
    is($local->{observer}, $ip[0], "$version: the local node knows itself");
    is("$local->{phis} $local->{hints}", '2 10800000', "$version: phi and hint window of the local node");
    is(scalar(grep { !$_->{local} && $_->{observer} eq $ip[0] } @seen), 0, "$version: nobody is asked twice");
    $fleet->stop;
}

{
    my $fleet = Prober::Fleet->start(nodes => 2, 'report-ipv6' => undef);
    my ($end, @seen) = reverse polled(@{ $fleet->{static} }, '--rounds', 4);
    is($end->{ok}, $end->{polls}, 'IPv6: every poll is good');
    my ($detail) = grep { $_->{states} } @seen;
    is($detail->{opinions}, join(',', map { "$_:UP" } @{ $fleet->{nodes} }), 'IPv6: opinions');
    $fleet->stop;
}

# https: a certificate that nobody vouches for is refused, before any credentials are sent.
SKIP: {
    my $dir = tempdir();
    my ($status) = run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', 2, '-subj', '/CN=127.0.0.1',
        '-keyout', "$dir/key.pem", '-out', "$dir/cert.pem");
    skip 'no openssl', 2 if $status;
    my $nginx = nginx(<<'CONF');
%%GLOBALS%%
http { %%HTTP%% server {
    listen 127.0.0.1:%%PORT%% ssl;
    ssl_certificate %%DIR%%/cert.pem;
    ssl_certificate_key %%DIR%%/key.pem;
    location / { return 200 "[]"; }
} }
CONF
    my ($end, @seen) = reverse polled('--user', 'u', '--password', 'secret', '--rounds', 4,
        '10.0.0.1=jolokia+https://127.0.0.1:' . $nginx->port);
    is($end->{tls}, $end->{polls}, 'https: every poll ends in tls');
    like($seen[0]{detail}, qr/certificate/, 'https: the reason');
    $nginx->stop;
}

# Many nodes: details from a few, the cheap poll from all.
{
    my $fleet = Prober::Fleet->start(nodes => 80);
    my ($end, @seen) = reverse polled(direct($fleet), '--interval', 500, '--rounds', 6);
    my %asked = map { $_->{observer} => 1 } @seen;
    my %detailed = map { $_->{observer} => 1 } grep { $_->{states} } @seen;
    is(keys %asked, 80, 'many: all are asked');
    cmp_ok(scalar(keys %detailed), '<=', 7, 'many: few are asked for details');
    cmp_ok(scalar(keys %detailed), '>=', 2, 'many: some are');
    cmp_ok($end->{fds}, '<', 80 + 25, 'many: one connection each');
    $fleet->stop;
}

# Nodes that fail and come back, beside one that does not.
{
    my $fleet = Prober::Fleet->start(layout => 'dc1:r1=4', boot => 0.5, convict => 0.5);
    my @ip = @{ $fleet->{nodes} };
    my $process = start(name => 'pollctl', command => [ $pollctl, @common, '--interval', 400, direct($fleet) ]);
    my $last = sub { my ($ip) = @_; (grep { $_->{observer} eq $ip } lines('observation', $process->output))[-1] // {} };
    my $result = sub { $last->($_[0])->{result} // '' };
    wait_for(sub { $result->($_) eq 'ok' }, "$_ answers") for @ip;
    $fleet->post("nodes/$ip[1]/crash");
    $fleet->post("nodes/$ip[2]/hang");
    wait_for(sub { $result->($ip[1]) eq 'refused' }, 'the crash is seen');
    wait_for(sub { $result->($ip[2]) eq 'timeout' }, 'the hang is seen');
    $fleet->post("nodes/$ip[0]/crash");
    wait_for(sub { $last->($ip[0])->{gone} }, 'the local process is found gone');
    pass('a crash, a hang, and the local process gone');
    $fleet->post("nodes/$_/start") for @ip[ 0, 1 ];
    $fleet->post("nodes/$ip[2]/heal");
    wait_for(sub { $result->($_) eq 'ok' }, "$_ is back") for @ip;
    pass('all are back');
    $process->stop('TERM');
    my @times = map { $_->{ms} } grep { $_->{observer} eq $ip[3] } lines('observation', $process->output);
    # A pause of the machine makes a gap, too; one that is held up by the others has many.
    my $gaps = grep { $times[$_] - $times[ $_ - 1 ] > 2 * 400 + 50 } 1 .. $#times;
    cmp_ok($gaps, '<=', 1 + @times / 10, 'the healthy node is asked all the time');
    is(scalar(lines('end', $process->output)), 1, 'SIGTERM ends it in order');
    $fleet->stop;
}

done();
