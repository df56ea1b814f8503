#!/usr/bin/perl
# The source jmx:// against JMX servers of a real JVM, as they can be configured and as they fail.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use Prober::Test;
use Prober::JmxNode;

my $dir = tempdir();
my ($pollctl, $invokectl) = map { root() . "/build/tools/$_" } qw(pollctl invokectl);

sub parse {
    my ($line) = @_;
    my ($kind) = $line =~ /^(\w+)/;
    return { kind => $kind, map { s/^"|"$//gr } $line =~ /(\w+)=("[^"]*"|\S*)/g };
}

sub lines { my ($kind, $output) = @_; grep { $_->{kind} eq $kind } map { parse($_) } split /\n/, $output }

# A poller that runs: what it has seen since the last call.
my $pollers = 0;

sub poller {
    my (@words) = @_;
    my $p = start(name => 'pollctl', log => "$dir/pollctl-" . ++$pollers . '.log',
        command => [ $pollctl, '--interval', 200, '--timeout', 1000, @words ]);
    $p->{at} = 0;
    return $p;
}

sub seen {
    my ($p) = @_;
    my $text = substr($p->output, $p->{at});
    $text =~ s/[^\n]*\z//;
    $p->{at} += length $text;
    return lines('observation', $text);
}

# Waits for an observation with this result.
sub sees {
    my ($p, $result, $what, $seconds) = @_;
    my $found;
    eval { wait_for(sub { ($found) = grep { $_->{result} eq $result } seen($p); $found }, $result, $seconds // 20) };
    ok($found, $what) or diag(join "\n", (split /\n/, $p->output)[-10 .. -1]);
    return $found || {};
}

# A few polls to their end.
sub polled {
    my ($status, $output) = run($pollctl, '--interval', 300, '--timeout', 5000, '--rounds', 4, @_);
    return (lines('end', $output), lines('observation', $output));
}

sub invoked { my ($status, $said) = run($invokectl, '--timeout', 5000, @_); return parse($said) }

# Cassandra 3.11 knows no attributes with ports.
{
    my $node = Prober::JmxNode->start(options => ['--release=3.11.19'], count => 3);
    my ($end, @seen) = polled('--local', $node->url, '--peer', 'jmx://{address}:7199', '--discover', '--rounds', 6);
    is($end->{ok}, $end->{polls}, '3.11: every poll is good');
    my ($first) = grep { $_->{states} } @seen;
    is($first->{opinions}, join(',', map { $node->ip($_) . ':UP' } 1 .. 3), '3.11: opinions');
    my @states = map { s/:[^:]*$//r } split /,/, $first->{states};
    is("@states", join(' ', map { $node->ip($_) . ':NORMAL:dc1' } 1 .. 3), '3.11: states');
    is("$first->{release} $first->{phis} $first->{hints}", '3.11.19 2 10800000', '3.11: release, phi, hint window');
    my ($local) = grep { $_->{local} } reverse @seen;
    is($local->{unchanged}, 1, '3.11: unchanged');
    cmp_ok($local->{bytes}, '<', $first->{bytes} / 2, '3.11: only what is known to be there is asked');
    is($node->invoke('down', $node->ip(2)), 1, 'a node goes down');
    is(invoked($node->url, 'Gossiper', 'getEndpointDowntime', $node->ip(2))->{number}, 4200, 'getEndpointDowntime');
    is(invoked($node->url, 'Gossiper', 'reloadSeeds')->{texts}, join(',', map { $node->ip($_) } 1, 2), 'reloadSeeds');
    $node->stop;
}

# The server restarts, on the same port and (its own one) on another; it sleeps; it collects garbage.
{
    my $node = Prober::JmxNode->start;
    my $p = poller('--local', $node->url);
    sees($p, 'ok', 'polled');
    for my $signal ('TERM', 'KILL') {
        $node->stop($signal);
        sees($p, 'refused', "$signal: refused");
        $node->again;
        sees($p, 'ok', "$signal: polled again");
    }
    is($node->invoke('connections'), 2, 'one connection object, and that of this call');
    $node->invoke('gc') for 1 .. 5;
    seen($p);
    sleep 1;
    my @after = seen($p);
    is(scalar(grep { $_->{result} ne 'ok' } @after), 0, 'garbage is collected: every poll is good');
    is($node->invoke('connections'), 2, 'and the connection object is the same');

    seen($p);
    $node->signal('STOP');
    my $late = sees($p, 'timeout', 'a stopped JVM: timeout');
    is($late->{detail}, 'no answer', 'a stopped JVM: the reason');
    sees($p, 'timeout', 'a stopped JVM: again') for 1 .. 5;
    cmp_ok(scalar(grep { $_->{took} > 1200 } lines('observation', $p->output)), '<=', 2, 'within the deadline, but for pauses of the machine');
    $node->signal('CONT');
    sees($p, 'ok', 'it goes on: polled again');
    cmp_ok($node->invoke('connections'), '<=', 4, 'and hardly any connection objects are left behind');
    $p->stop;
    my ($end) = lines('end', $p->output);
    cmp_ok($end->{fds}, '<=', 14, 'nor descriptors');
    wait_for(sub { $node->invoke('connections') <= 3 }, 'the poller to take leave');
    pass('the poller took leave');
    $node->stop;
}

# Connection objects without calls are forgotten: two minutes as a rule, less here.
{
    my $node = Prober::JmxNode->start(options => [ '--rmi-port=7199', '--idle-ms=500' ]);
    my ($end) = polled('--local', $node->url, '--interval', 2500);
    is("$end->{ok} of $end->{polls}", '4 of 4', 'idle for long: every poll is good');
    $node->stop;
}

# What the stub says of the host is often wrong.
{
    my $node = Prober::JmxNode->start(java => ['-Djava.rmi.server.hostname=192.0.2.1']);
    my ($end) = polled('--local', $node->url);
    is($end->{ok}, $end->{polls}, 'a stub that names an unreachable host');
    $node->stop;
}

sub private { my $file = spew(@_); chmod 0600, $file; return $file }

my $passwords = private("$dir/jmx.password", "monitor secret1\nadmin s\x{c3}\x{a9}cret2\n");
my $access = private("$dir/jmx.access", "monitor readonly\nadmin readwrite\n");
my @login = ("--password-file=$passwords", "--access-file=$access");

{
    my $node = Prober::JmxNode->start(options => \@login);
    for my $login (['--user', 'monitor', '--password', 'secret1'], ['--user', 'admin', '--password', "s\x{c3}\x{a9}cret2"]) {
        my ($end) = polled('--local', $node->url, @$login);
        is($end->{ok}, $end->{polls}, "password: $login->[1] reads");
    }
    for my $login ([ '--user', 'monitor', '--password', 'secret2' ], []) {
        my ($end, @seen) = polled('--local', $node->url, @$login);
        is($end->{auth}, $end->{polls}, 'password: ' . (@$login ? 'wrong' : 'none'));
        is($seen[-1]{detail}, 'java.lang.SecurityException', 'password: the reason');
    }
    $node->{login} = [ '--user', 'admin', '--password', "s\x{c3}\x{a9}cret2" ];
    is($node->invoke('connections'), 1, 'refused logins leave nothing');
    my $reply = invoked('--user', 'monitor', '--password', 'secret1', $node->url, 'Gossiper', 'reloadSeeds');
    is($reply->{result}, 'auth', 'a role that may only read runs no operation');
    $node->stop;
}

# TLS: the registry without it, as is usual, and with it. Whom nobody vouches for gets no password.
my $base = '127.0.' . (210 + $$ % 40) . '.';
run('keytool', '-genkeypair', '-alias', 'n', '-keyalg', 'RSA', '-dname', 'CN=node', '-ext', "SAN=ip:${base}1",
    '-validity', 2, '-keystore', "$dir/keys.p12", '-storepass', 'changeit');
my (undef, $pem) = run('keytool', '-exportcert', '-rfc', '-alias', 'n', '-keystore', "$dir/keys.p12", '-storepass', 'changeit');
like($pem, qr/BEGIN CERTIFICATE/, 'a certificate');
my $ca = spew("$dir/ca.pem", $pem);
my @tls = map { "-Djavax.net.ssl.$_" } "keyStore=$dir/keys.p12", 'keyStorePassword=changeit', "trustStore=$dir/keys.p12",
    'trustStorePassword=changeit';
my @monitor = ('--user', 'monitor', '--password', 'secret1');

for my $registry ([], ['--registry-ssl']) {
    my $name = @$registry ? 'TLS everywhere' : 'TLS but for the registry';
    my $node = Prober::JmxNode->start(base => $base, java => \@tls, options => [ '--ssl', @$registry, @login ]);
    my ($end, @seen) = polled('--local', $node->url('jmx+ssl'), '--ca-file', $ca, @monitor);
    is($end->{ok}, $end->{polls}, $name) or diag(explain(\@seen));
    ($end, @seen) = polled('--local', $node->url('jmx+ssl'), @monitor);
    is($end->{tls}, $end->{polls}, "$name: nobody vouches for it");
    like($seen[-1]{detail}, qr/certificate/i, "$name: the reason");
    ($end, @seen) = polled('--local', $node->url, @monitor);
    is($end->{tls}, $end->{polls}, "$name: jmx:// does not do");
    like($seen[-1]{detail}, qr/jmx\+ssl:/, "$name: what does");
    is(invoked('--ca-file', $ca, @monitor, $node->url('jmx+ssl'), 'Gossiper', 'getEndpointDowntime', 'x')->{result}, 'auth',
        "$name: operations");
    $node->stop;
}
{
    my $node = Prober::JmxNode->start(java => \@tls, options => ['--ssl']);
    my ($end, @seen) = polled('--local', $node->url('jmx+ssl'), '--ca-file', $ca);
    is($end->{tls}, $end->{polls}, 'TLS: the certificate of another address');
    $node->stop;
}
{
    my $node = Prober::JmxNode->start(options => \@login);
    my ($end, @seen) = polled('--local', $node->url('jmx+ssl'), '--ca-file', $ca, @monitor);
    is("$end->{tls} $seen[-1]{detail}", "$end->{polls} the node does not speak TLS", 'jmx+ssl:// where there is no TLS');
    $node->stop;
}

# A whole cluster, directly.
{
    my $node = Prober::JmxNode->start(count => 100, heap => '256m');
    my ($status, $output) = run($pollctl, '--local', $node->url, '--peer', 'jmx://{address}:7199', '--discover', '--interval', 1000,
        '--timeout', 900, '--rounds', 12, '--quiet');
    my ($end) = lines('end', $output);
    cmp_ok($end->{polls}, '>', 900, '100 nodes: polled every second');
    cmp_ok($end->{ok}, '>=', $end->{polls} * 0.9, '100 nodes: the answers are good') or diag($output);
    diag("100 nodes: $output");
    $node->stop;
}
done();
