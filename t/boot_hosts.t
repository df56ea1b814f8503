#!/usr/bin/perl
# Six really booted hosts with systemd, this tree's packages and an etcd: Cassandra starts where and when the cluster lets it,
# whatever is wrong with the prober; run states are carried out; nobody acts without being allowed to. What Cassandra itself
# does is of no interest here, so its place is taken by t/lib/JmxNode.java; t/cluster_jobs.t has real ones.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use Prober::Etcd;
use Prober::Hosts;
use Prober::Test;

BEGIN {
    plan(skip_all => 'there is no etcd') if !Prober::Etcd::have();
    Prober::Hosts::own_machine();
}

my $began = time;
my $hosts = Prober::Hosts->new(layout => join(',', map { "dc1:r$_" } 1 .. 6), seeds => '1,2', cassandra => 'jmx');
my @numbers = $hosts->numbers;
Prober::Hosts::sh('ip addr add 10.77.0.221/24 dev mesh');
my $etcd = Prober::Etcd->start(members => 1, base => '10.77.0.2');
$hosts->{conf} = $etcd->conf(ttl => '"5s"') . <<'CONF';
poll: { interval = "300ms"; timeout = "2s"; view_ttl = "4s"; };
readiness: { settle = "1s"; rehab = "0"; };
gates: { stable = "1s"; bootstrap_grace = "0"; };
CONF
$hosts->write_conf($_) for @numbers;

sub step {
    my ($name, $code) = @_;
    my $from = time;
    subtest $name => sub { ok(eval { $code->(); 1 }, 'to its end') or diag($@) };
    note(sprintf '%s: %.1f s', $name, time - $from);
}
sub ip { $hosts->ip($_[0]) }
sub show { my ($number, $unit, $property) = @_; chomp(my $value = $hosts->must($number, 'systemctl', 'show', '--value', '-p', $property, $unit)); return $value }
sub is_active { return show($_[0], 'cassandra.service', 'ActiveState') eq 'active' }
sub on_all { my (@command) = @_; $_->ended(240) for map { $hosts->background($_, @command) } @numbers }
sub all_ready { my ($on) = @_; return !grep { !$hosts->is_ready($on, $_) } @numbers }

# Lines of a unit's journal from a moment on, as [time, text].
sub lines {
    my ($number, $unit, $since) = @_;
    return map { /^(\d+\.\d+) \S+ ([^\[:]+)\S* (.*)/ && $1 >= $since ? [ $1, "$2: $3" ] : () } $hosts->journal($number, $unit);
}

sub gate_conf {
    my ($condition, $arguments) = @_;
    my $text = slurp(root() . '/packaging/examples/cassandra.service.d/gate.conf');
    $text =~ s/^ExecStartPre=.*\n//m or die 'gate.conf has changed';
    $text =~ s/^(TimeoutStartSec=.*)/$condition=+\/usr\/bin\/proberctl gate start $arguments\n$1/m or die 'gate.conf has changed';
    return $text;
}
sub gate { my ($number, @how) = @_; $hosts->unit_file($number, 'cassandra.service.d/gate.conf', gate_conf(@how)) }

step 'six hosts' => sub {
    $hosts->boot;
    on_all(qw(systemctl start cassandra.service)); # as if there were no prober
    for my $on (@numbers) { wait_for(sub { all_ready($on) }, "host $on to see six nodes ready", 90) }
    pass('all see six nodes ready');
    for my $number (@numbers) {
        wait_for(sub { $hosts->http($number, '/jobs')->{body} =~ /"store":"ok"/ }, "the store on host $number", 30);
        # Who may be the first after all were down.
        wait_for(sub { $hosts->http($number, '/state')->{body} =~ m{"seeds/dc1"} }, "the seeds on host $number", 60);
    }
    is(show($_, 'prober-collector.service', 'NRestarts'), 0, "host $_: its collector was not restarted") for @numbers;
};

step 'systemctl start on all at once' => sub {
    on_all(qw(systemctl stop cassandra.service));
    gate($_, 'ExecStartPre', '--wait 4m --fail-open') for @numbers;
    for my $on (@numbers) {
        wait_for(sub { !grep { $hosts->is_ready($on, $_) } @numbers }, "host $on to see none", 60);
    }
    my $since = time;
    on_all(qw(systemctl start cassandra.service));
    for my $on (@numbers) { wait_for(sub { all_ready($on) }, "host $on to see six nodes ready", 60) }

    # When each was allowed to, by the collector of its host; when it began; when each host found that it serves: the first of all, who has no witness, by its opinion.
    my (%granted, %started, %waited, %ready);
    for my $number (@numbers) {
        for (lines($number, 'prober-collector.service', $since)) {
            my ($at, $text) = @$_;
            push @{ $granted{$1} }, $at if $text =~ /the permit to start (\S+) was given to gate on host$number$/;
            $ready{$number}{$1} //= $at if $text =~ /: (\S+): (?:(?:not ready|unknown) -> ready|its opinion counts$)/;
        }
        for (lines($number, 'cassandra.service', $since)) {
            my ($at, $text) = @$_;
            push @{ $started{$number} }, $at if $text =~ /^systemd: Started /;
            push @{ $waited{$number} }, $text if $text =~ /^proberctl: .*waits for permission/;
            fail("host $number: $text") if $text =~ /cannot tell|may not/;
        }
    }
    is(scalar @{ $granted{ ip($_) } || [] }, 1, "node $_ was allowed to start, once") for @numbers;
    is(scalar @{ $started{$_} || [] }, 1, "and did") for @numbers;
    my @order = sort { $granted{ ip($a) }[0] <=> $granted{ ip($b) }[0] } @numbers;
    note("order: @order");
    for my $i (1 .. $#order) {
        my ($before, $next) = @order[ $i - 1, $i ];
        my $at = $ready{$next}{ ip($before) };
        ok($at && $at <= $granted{ ip($next) }[0], "node $next was allowed to after its host had seen node $before serve")
            or diag(explain([ \%granted, \%ready ]));
        cmp_ok($granted{ ip($next) }[0], '<=', $started{$next}[0], "and began after that");
        is(scalar @{ $waited{$next} || [] }, 1, 'that it had to wait is one line of the journal');
    }
    note($waited{ $order[-1] }[0] // '');
};

my $socket = '/run/cassandra-prober/control.sock';
sub post { my ($number, $request) = @_; return $hosts->must($number, 'curl', '-sS', '-X', split(' ', $request, 2) ? (split ' ', $request)[0] : (), '--unix-socket', $socket, 'http://localhost' . (split ' ', $request)[1]) }

# Starts Cassandra on the host: (exit status of systemctl, whether it runs then, what proberctl said). What is to be said may
# come to the journal a moment later.
sub try_start {
    my ($number, $says) = @_;
    $hosts->must($number, qw(systemctl stop cassandra.service));
    my $since = time;
    my ($status, $said) = $hosts->ask($number, qw(systemctl start cassandra.service));
    my $active = is_active($number);
    my $lines = sub { return grep { /^proberctl: / } map { $_->[1] } lines($number, 'cassandra.service', $since) };
    eval { wait_for(sub { scalar(my @said = $lines->()) }, 'its line', 20) } if $says;
    return ($status, $active, $lines->());
}

step 'a refusal' => sub {
    $hosts->must(1, qw(systemctl stop cassandra.service));
    wait_for(sub { !$hosts->is_ready($_, 1) }, "host $_ to see that", 30) for @numbers;
    wait_for(sub { post(1, 'POST /may-start/' . ip(1) . '?token=somebody-else') =~ /"token":"somebody-else"/ }, 'somebody to have the permit', 30);
    for my $condition ('ExecStartPre', 'ExecCondition') {
        gate(2, $condition, '--fail-open');
        my ($status, $active, @said) = try_start(2, 1);
        my $skips = $condition eq 'ExecCondition';
        ok($skips ? $status == 0 : $status != 0, "$condition: " . ($skips ? 'the start is skipped' : 'the start fails'));
        ok(!$active, 'it does not run');
        is(scalar @said, 1, 'one line') or diag(explain(\@said));
        like($said[0] // '', qr/^proberctl: proberctl: \Q${\ip(2)}\E may not start: .*\Q${\ip(1)}\E/, 'that says why');
        note($said[0] // '');
    }
    my ($status, $said) = $hosts->ask(2, '/usr/local/lib/tools/unitctl', 'start', 'cassandra.service');
    like($said, qr/^end=failed skipped=1 .*ExecCondition/, 'and the collector would know it for skipped');
    $hosts->must(2, qw(systemctl reset-failed));
    post(1, 'DELETE /may-start/' . ip(1) . '?token=somebody-else');
    my (undef, $active) = try_start(2);
    ok($active, 'with the permit free it starts');
    wait_for(sub { $hosts->is_ready(1, 2) }, 'node 2 to be ready', 60);
    $hosts->must(1, qw(systemctl start cassandra.service));
    wait_for(sub { all_ready(1) }, 'all to be ready', 60);
};

# What listens on the control socket instead: says this to everybody, or nothing.
sub listener { my ($says) = @_; return $hosts->background(6, 'perl', '-MIO::Socket::UNIX', '-e',
    'my ($path, $says) = @ARGV; unlink $path; my $l = IO::Socket::UNIX->new(Local => $path, Listen => 9) or die; my @held;'
        . 'while (my $c = $l->accept) { if ($says) { sysread $c, my $asked, 9999; print {$c} $says; close $c } else { push @held, $c } }',
    $socket, $says) }

step 'a prober that is no help' => sub {
    my $run = '/run/cassandra-prober';
    my $with = sub {
        my ($what, $expected) = @_;
        for my $how ('open', 'closed') {
            gate(6, 'ExecStartPre', "--fail-$how");
            my ($status, $active, @said) = try_start(6, 1);
            is($active ? 1 : 0, $how eq 'open' ? 1 : 0, "$what, --fail-$how: " . ($how eq 'open' ? 'it starts' : 'it does not start'));
            is(scalar @said, 1, 'one line') or diag(explain(\@said));
            like($said[0] // '', qr/cannot tell .*\(--fail-$how\): .*$expected/, 'that says why');
        }
        $hosts->must(6, qw(systemctl reset-failed));
    };
    my $status;
    $etcd->pause(0);
    wait_for(sub { $hosts->http(6, '/jobs')->{body} !~ /"store":"ok"/ }, 'the store to be missed', 30);
    $with->('a store that hangs', '(?:store|Timeout)');
    $etcd->resume(0);

    my $pid = show(6, 'prober-collector.service', 'MainPID');
    $hosts->must(6, 'kill', '-STOP', $pid);
    $with->('a collector that hangs', '[Tt]ime');
    $hosts->must(6, 'kill', '-CONT', $pid);

    $hosts->must(6, qw(systemctl mask --runtime --now prober-collector.service));
    $hosts->must(6, 'rm', '-f', $socket);
    $with->('no collector', 'No such file');
    $hosts->must(6, 'sh', '-c', "head -c 300000 /dev/urandom >$run/segment; rm -f $run/segment.lock");
    $with->('a segment of rubbish', 'not known');
    $hosts->must(6, 'rm', '-f', "$run/segment");
    $with->('no segment', 'not known');

    # Without a word of the admin's it is for nobody else to say.
    ($status, my $said) = $hosts->ask(6, qw(proberctl gate start), ip(6));
    is($status, 2, 'neither open nor closed: 2') or diag($said);
    like($said, qr/--fail-open or --fail-closed/, 'which says what is wanted');
    for my $rubbish ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes", "HTTP/1.1 409 No\r\nContent-Length: 2\r\n\r\n{}", "rubbish\r\n\r\n", '') {
        my $listener = listener($rubbish);
        wait_for(sub { ($hosts->ask(6, 'test', '-S', $socket))[0] == 0 }, 'a listener');
        for my $how ('open', 'closed') {
            ($status, $said) = $hosts->ask(6, qw(proberctl gate start), ip(6), "--fail-$how");
            is($status, $how eq 'open' ? 0 : 1, "--fail-$how: " . ($rubbish =~ /^(.*)/ ? ($1 || 'silence') : ''));
        }
        $listener->stop;
        $hosts->must(6, 'rm', '-f', $socket);
    }
    $hosts->must(6, qw(systemctl unmask --runtime prober-collector.service));
    $hosts->must(6, qw(systemctl start prober-collector.service));
    gate(6, 'ExecStartPre', '--wait 1m --fail-closed');
    wait_for(sub { $hosts->http(6, '/jobs')->{body} =~ /"store":"ok"/ }, 'the store', 60);
    my (undef, $active) = try_start(6);
    ok($active, 'with all as it should be it starts');
    wait_for(sub { all_ready($_) }, 'all to be ready', 60) for @numbers;
};

sub said_of { my ($on, $of) = @_; return $hosts->document($on, '/nodes/' . ip($of)) || {} }
sub run_state { my ($on, $of, $state) = @_; return $hosts->ask($on, 'proberctl', 'run-state', ip($of), $state) }

step 'run states' => sub {
    is((run_state(1, 3, 'STOP'))[0], 0, 'STOP');
    wait_for(sub { !is_active(3) }, 'node 3 to be stopped by its own host', 60);
    wait_for(sub { said_of($_, 3)->{verdict} eq 'not ready' && said_of($_, 3)->{run_state} eq 'STOP' }, "host $_ to say so", 20) for @numbers;
    like("@{ said_of(5, 3)->{reasons} }", qr/run state STOP/, 'which is a reason');
    my @told;
    wait_for(sub { @told = grep { /run state STOP: cassandra.service done/ } map { $_->[1] } lines(3, 'prober-collector.service', $began) },
        'its collector to tell', 20);
    is(scalar @told, 1, 'it is told once');
    $hosts->must(3, qw(systemctl start cassandra.service));
    wait_for(sub { is_active(3) }, 'somebody to start it by hand', 60);
    sleep 3; # it is time that is tested
    ok(is_active(3), 'a STOP is carried out once');
    is((run_state(2, 3, 'RUN'))[0], 0, 'RUN');
    wait_for(sub { $hosts->is_ready(1, 3) }, 'node 3 to be ready', 60);
    wait_for(sub { all_ready($_) }, 'all to be', 60) for 1, 3, 4;

    my $before = show(4, 'cassandra.service', 'InvocationID');
    is((run_state(1, 4, 'RESTART'))[0], 0, 'RESTART');
    wait_for(sub { show(4, 'cassandra.service', 'InvocationID') ne $before }, 'node 4 to be restarted', 60);
    wait_for(sub { said_of(1, 4)->{run_state} eq 'RUN' }, 'it to be RUN again', 30);
    wait_for(sub { all_ready($_) }, 'all to be ready', 60) for 1, 4, 5;
    my $after = show(4, 'cassandra.service', 'InvocationID');

    # The gate's word holds here, too.
    wait_for(sub { post(1, 'POST /may-stop/' . ip(1) . '?token=somebody-else') =~ /"token":"somebody-else"/ }, 'somebody to have the permit', 30);
    is((run_state(1, 5, 'STOP'))[0], 0, 'STOP, while somebody else has the permit');
    wait_for(sub { (said_of(5, 5)->{run_state_waits} // '') =~ /permit/ }, 'it to wait', 20);
    ok(is_active(5), 'and it runs');
    my @waits;
    eval { wait_for(sub { @waits = grep { /run state STOP waits/ } map { $_->[1] } lines(5, 'prober-collector.service', $began) }, 'it to be told', 20) };
    is(scalar @waits, 1, 'one line of the journal') or diag(explain(\@waits));
    note($waits[0] // '');
    is((run_state(1, 5, 'RUN'))[0], 0, 'RUN');
    post(1, 'DELETE /may-stop/' . ip(1) . '?token=somebody-else');
    wait_for(sub { all_ready(5) }, 'all to be ready', 30);
    is((grep { /stop of cassandra.service begins/ } map { $_->[1] } lines(5, 'prober-collector.service', $began)), 0, 'what was taken back was not done');

    $hosts->must(1, qw(proberctl suspend));
    wait_for(sub { $hosts->http(6, '/jobs')->{body} =~ /"suspended":true/ }, 'host 6 to hear that nothing may be done', 20);
    is((run_state(1, 6, 'TERMINATE'))[0], 0, 'TERMINATE');
    wait_for(sub { (said_of(6, 6)->{run_state_waits} // '') =~ /suspended/ }, 'it to wait for that', 20);
    $hosts->must(1, qw(proberctl resume));
    wait_for(sub { !is_active(6) }, 'node 6 to be stopped', 60);
    my ($status, $said) = run_state(1, 6, 'RUN');
    is($status, 1, 'is final') or diag($said);
    like($said, qr/terminated/, 'which is said');
    is(show(4, 'cassandra.service', 'InvocationID'), $after, 'node 4 was restarted once');
};

step 'nobody acts without being allowed to' => sub {
    my @as = map { my $user = $_; [ $user, 'setpriv', "--reuid=$user", "--regid=$user", '--clear-groups' ] } 'cassandra-prober', 'somebody';
    my $unitctl = '/usr/local/lib/tools/unitctl';
    my ($prober, $somebody) = map { my ($user, @command) = @$_; sub { ($hosts->ask(2, @command, @_))[1] } } @as;
    like($prober->($unitctl, 'restart', 'cassandra.service'), qr/^end=done/, 'D-Bus: the collector\'s user may restart Cassandra');
    for my $command ([ 'restart', 'nginx.service' ], [ 'stop', 'dbus.service' ], [ 'start', 'cassandra.timer' ], [ 'start', 'xcassandra.service' ],
        [ 'restart', 'prober-collector.service' ]) {
        like($prober->($unitctl, @$command), qr/^end=denied/, "not @$command");
    }
    isnt(($hosts->ask(2, @{ $as[0] }[ 1 .. $#{ $as[0] } ], qw(systemctl --no-ask-password mask --runtime cassandra.service)))[0], 0, 'nor mask it');
    for my $unit ('cassandra.service', 'cassandra-prober-job@restart.service') {
        like($somebody->($unitctl, 'restart', $unit), qr/^end=denied .*access denied/, "another user may not restart $unit");
    }
    like($prober->($unitctl, 'start', 'cassandra-prober-job@nothing.service'), qr/^end=denied/, 'a job that nobody has made is none');
    like($somebody->('curl', '-sS', '-X', 'PUT', '--unix-socket', $socket, 'http://localhost/localseeds'), qr/Could not connect|Couldn't connect|Permission denied/i,
        'the socket is not for another user');
    like($somebody->('proberctl', 'run-state', ip(2), 'STOP'), qr/Permission denied/, 'nor by proberctl');

    my $body = '["10.77.0.1"]';
    my @acts = ('PUT /localseeds', 'PUT /nodes/' . ip(2) . '/runstate', 'PUT /drain/' . ip(2), 'POST /may-start/' . ip(2), 'POST /may-stop/' . ip(2),
        'DELETE /may-stop/' . ip(2) . '?force=true', 'POST /jobs/restart', 'DELETE /jobs/restart', 'POST /admin/cluster/observer/suspend?value=true');
    is($hosts->http(2, $_, body => $body)->{status}, 403, "nginx as installed: $_") for @acts;
    $hosts->must(2, 'perl', '-0pi', '-e', 's/deny all;\n\s*# allow all/allow all/; s/# (auth_basic)/$1/g', '/etc/nginx/sites-enabled/prober');
    $hosts->must(2, 'sh', '-ec', 'printf "ops:{PLAIN}secret\n" >/etc/cassandra-prober/users; nginx -t 2>&1; systemctl reload nginx');
    wait_for(sub { $hosts->http(2, $acts[0], body => $body)->{status} == 401 }, 'nginx with users');
    is($hosts->http(2, $_, body => $body)->{status}, 401, "with users, by nobody: $_") for @acts;
    is($hosts->http(2, $_, body => $body, header => ['Authorization: Basic b3BzOmd1ZXNz'])->{status}, 401, "with a wrong password: $_") for @acts;
    is($hosts->http(2, $acts[0], body => $body, header => ['Authorization: Basic b3BzOnNlY3JldA=='])->{status}, 200, 'and with the right one it is done');
    is(said_of(2, 2)->{run_state}, 'RUN', 'nothing else was');
};

$hosts->end;
done();
