#!/usr/bin/perl
# What t/boot.t does inside the booted Debian: packages are installed, upgraded, removed; the service is hit in many ways.
# Runs as root of a machine that it may spoil. /out/old and /out/new have the packages in two versions.
use strict;
use warnings;
use lib '/checkout/t/lib';
use Test::More;
use Time::HiRes qw(sleep time);
use Prober::Docs;
use Prober::Fleet;
use Prober::Test;

use constant {
    PORT => 8888, # of the site, as installed
    UNIT => 'prober-collector',
    SITE => '/usr/share/cassandra-prober/nginx-site.conf',
    LINK => '/etc/nginx/sites-enabled/prober',
    CONF => '/etc/cassandra-prober/collector.conf',
    DROP => '/run/systemd/system/prober-collector.service.d',
};

sub ok_run {
    my ($what, @command) = @_;
    my ($status, $said) = run(@command);
    is($status, 0, $what) or diag(join(' ', @command), "\n", $said);
    return $said;
}
sub journal { return (run(qw(journalctl -q -n 30 -u), UNIT))[1] } # its end
sub show { my ($name, $unit) = @_; chomp(my $value = (run('systemctl', 'show', '--value', '-p', $name, $unit // UNIT))[1]); return $value }
sub get  { my ($path, %option) = @_; return http(PORT, "GET $path", timeout => 2, %option) }
sub status { get(@_)->{status} }
sub system_state { my $said = (run('systemctl', 'is-system-running'))[1]; chomp $said; return $said }

# One step: a subtest, after which nothing on the machine may be out of order.
sub step {
    my ($name, $code) = @_;
    my $began = time;
    my $passed = subtest $name => sub {
        ok(eval { $code->(); 1 }, 'to its end') or diag($@);
        my $state = eval { wait_for(sub { system_state() eq 'running' }, 'the system to be in order', 10); 'running' } // system_state();
        is($state, 'running', 'systemctl is-system-running') or diag((run('systemctl', '--failed'))[1], (run('systemctl', 'list-jobs'))[1]);
    };
    diag((run(qw(journalctl -q --no-pager -n 30)))[1]) if !$passed;
    note(sprintf '%s: %.1f s', $name, time - $began);
}

sub drop_in { my ($name, $text) = @_; mkdir DROP; spew(DROP . "/$name.conf", $text); ok_run("$name: known", qw(systemctl daemon-reload)) }
sub no_drop_ins { run('rm', '-rf', DROP); ok_run('as installed again', qw(systemctl daemon-reload)) }
sub install { my ($what, @packages) = @_; return ok_run($what, qw(apt-get install -q -y --no-install-recommends --allow-downgrades), @packages) }
sub packages { my ($version) = @_; return glob "/out/$version/*.deb" }
sub restart { ok_run('restart', qw(systemctl restart), UNIT) }

# Requests at full speed by nothing but wrk, while $code does something: any answer but 200, any refused or broken
# connection is told by it.
sub under_load {
    my ($what, $path, $code, %option) = @_;
    my @close = $option{keep} ? () : (-H => 'Connection: close');
    my $wrk = start(name => 'wrk-' . time, command => [ qw(wrk -t1 -c8 -d60 --timeout 5), @close, "http://127.0.0.1:" . PORT . $path ]);
    wait_for(sub { $wrk->alive }, 'wrk');
    sleep 0.5; # load before it, and
    my $passed = eval { $code->(); 1 };
    diag($@) if !$passed;
    sleep 1; # after it
    $wrk->signal('INT');
    $wrk->ended(10);
    my $said = $wrk->output;
    my ($requests) = $said =~ /(\d+) requests in/;
    ok($passed && $requests && $requests > 500, "$what: " . ($requests // 'no') . ' requests') or diag($said);
    unlike($said, qr/Non-2xx/, "$what: 200 alone") or diag($said);
    unlike($said, qr/Socket errors/, "$what: no connection failed") or diag($said);
}

# The same on a kept connection, of which a new nginx closes those of the old one when nothing is under way on them. As HTTP has
# it, and libcurl does, who finds it closed asks again on another one.
sub under_kept_load {
    my ($what, $path, $code) = @_;
    my $curl = start(name => 'curl-' . time, command => [ qw(stdbuf -oL), 'curl', '-sS', '-o', '/dev/null', '-w', '%{http_code} %{num_connects}\n',
        'http://127.0.0.1:' . PORT . "$path?[1-100000000]" ]);
    $code->();
    $curl->stop;
    my @answers = $curl->output =~ /(.*)\n/g;
    cmp_ok(scalar @answers, '>', 500, "$what: " . @answers . ' requests on ' . (grep { / 1$/ } @answers) . ' kept connections');
    is_deeply([ grep { !/^200 [01]$/ } @answers ], [], "$what: 200 alone, none failed");
}

# Two simulated nodes; each host's prober is real: the packaged service, and the same unit under another name.
my ($fleet, @ip);

sub conf {
    my ($i, $more) = @_;
    my $dir = $i ? 'second' : 'cassandra-prober';
    return <<"CONF" . ($more // '');
local: { source = "jolokia+http://$ip[$i]:$fleet->{port}/jolokia"; };
poll: { interval = "200ms"; timeout = "400ms"; view_ttl = "2s"; };
readiness: { settle = "1s"; rehab = "0"; };
segment: { path = "/run/$dir/segment"; };
control: { socket = "/run/$dir/control.sock"; };
state: { path = "/var/lib/$dir/state.json"; };
CONF
}

sub second_host {
    my $unit = slurp('/lib/systemd/system/prober-collector.service');
    $unit =~ s/^ExecStart=.*/$& --config \/etc\/cassandra-prober\/second.conf/m;
    $unit =~ s/^(Runtime|State)Directory=.*/$1Directory=second/gm;
    spew('/run/systemd/system/second.service', $unit);
    spew('/etc/cassandra-prober/second.conf', conf(1));
    spew('/etc/nginx/conf.d/second.conf', "server { listen $ip[1]:8888; location / { prober; prober_segment /run/second/segment; } }\n");
    ok_run('a second host', qw(systemctl daemon-reload));
    ok_run('its collector', qw(systemctl start second));
    ok_run('its nginx', qw(systemctl reload nginx));
}

sub is_ready { wait_for(sub { show('StatusText') eq '2 nodes, 2 ready' }, 'two nodes to be ready', 20) }

step 'the system, before' => sub {
    run(qw(systemctl is-system-running --wait));
    is(show('ActiveState', 'nginx'), 'active', 'with an nginx that serves something else');
    spew("$_/ours", '') for '/home', '/root';
    spew('/etc/hosts', slurp('/etc/hosts') . "127.0.0.1 " . (run('hostname'))[1]); # the JVM wants to know
};

step 'install' => sub {
    my $began = time;
    install('one command', packages('old'));
    symlink SITE, LINK or die "symlink: $!";
    ok_run('the site', qw(systemctl reload nginx));
    wait_for(sub { status('/ping') == 200 }, 'the first 200', 20);
    my $took = time - $began;
    cmp_ok($took, '<', 10, sprintf 'the first 200 from /ping after %.1f s', $took);
    is(show('StatusText'), '0 nodes, 0 ready, local node: refused', 'systemctl status tells that there is no Cassandra');
    is(join(' ', map { show($_) } qw(ActiveState UnitFileState)), 'active enabled', 'the service runs, and will after a boot');
    ok_run('nginx -t', qw(nginx -t -q));
    is((stat '/run/cassandra-prober')[2] & 07777, 0755, 'its directory is open to readers');
    is((stat '/run/cassandra-prober/control.sock')[2] & 07777, 0660, 'its socket is not');
};

step 'it is confined' => sub {
    like(ok_run('systemd-analyze security', qw(systemd-analyze security --no-pager --threshold=10), UNIT . '.service'), qr/(Overall.*)/, 'exposure');
    my ($pid) = show('MainPID');
    my $said = slurp("/proc/$pid/status");
    like($said, qr/^CapBnd:\s+0+$/m, 'no capability');
    like($said, qr/^NoNewPrivs:\s+1$/m, 'nor a way to any');
    like($said, qr/^Seccomp:\s+2$/m, 'system calls are filtered');
    # The system as it sees it.
    my $view = "/proc/$pid/root";
    ok(!open(my $file, '>', "$view/etc/prober-was-here"), "the system is read-only to it: $!");
    ok(!-e "$view$_", "there is no $_") for '/home/ours', '/root/ours';
    is((run("$view/usr/bin/id"))[0], 127, 'it can execute no other program');
    is((run("$view/bin/kill", '-l'))[0], 0, 'but kill');
};

step 'a cluster, and a mesh of two hosts' => sub {
    $fleet = Prober::Fleet->start(layout => 'dc1:r1=2', base => 42, port => 8778, convict => 1, boot => 1);
    @ip = @{ $fleet->{nodes} };
    spew(CONF, conf(0));
    chmod 0644, CONF;
    restart();
    second_host();
    is_ready();
    is(status("/healthz/$_"), 200, "$_ is ready") for @ip;
    wait_for(sub { get("/healthz/$ip[0]")->{body} =~ m{"/$ip[1]":"UP"} }, 'the other host to be heard');
    is(get('/ready')->{status}, 200, '/ready');
    $fleet->post("nodes/$ip[1]/stop-native");
    wait_for(sub { status("/healthz/$ip[1]") == 404 }, 'what the other host alone knows');
    like(show('StatusText'), qr/^2 nodes, 1 ready, \Q$ip[1]\E not ready: /, 'systemctl status tells it in one line');
    note(show('StatusText'));
    $fleet->post("nodes/$ip[1]/start-native");
    is_ready();
};

step 'the network, by the drop-in that is an example' => sub {
    my ($example) = glob '/usr/share/doc/cassandra-prober/examples/prober-collector.service.d/network.conf';
    drop_in('network', slurp($example));
    restart();
    is_ready();
    ok_run('systemd-analyze security', qw(systemd-analyze security --no-pager --threshold=10), UNIT . '.service');
    note(show('IPAddressAllow'));
    no_drop_ins();
    restart();
};

step 'a JMX source' => sub {
    my $java = slurp('/out/java') or return pass('left out: there is no JDK on the host');
    my $jvm = start(name => 'jvm', input => 1, command => [ $java, qw(-Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp /out/classes JmxNode
        --base=127.0.99. --port=7199 --count=1) ]);
    wait_for(sub { $jvm->output =~ /^ready/m || !$jvm->alive }, 'the JVM', 30);
    spew(CONF, conf(0) =~ s/source = "[^"]+"/source = "jmx:\/\/127.0.99.1:7199"/r);
    ok_run('reload', qw(systemctl reload), UNIT);
    wait_for(sub { get('/view')->{body} =~ /"address":"127\.0\.99\.1"/ }, 'what it says', 10);
    pass('is published');
    spew(CONF, conf(0));
    $jvm->stop;
    run('rm', '-rf', glob '/var/lib/cassandra-prober/state.json*');
    restart();
    is_ready();
};

step 'writes, through nginx' => sub {
    is(http(PORT, 'PUT /reaper-ready', body => 'true')->{status}, 403, 'nobody may, as installed');
    ok_run('nginx may open the socket', qw(usermod -aG cassandra-prober www-data));
    my $site = slurp(SITE);
    $site =~ s/^(\s*limit_except[^\n]*\n)\s*deny all;\n/$1/m or die 'no deny';
    $site =~ s/^(\s*)# (allow all;|auth_basic)/$1$2/mg;
    unlink LINK;
    spew(LINK, $site);
    spew('/etc/cassandra-prober/users', 'ops:' . crypt('secret', '$6$salt') . "\n");
    ok_run('nginx', qw(systemctl restart nginx));
    wait_for(sub { status('/ping') == 200 }, 'nginx');
    is(http(PORT, 'PUT /reaper-ips', body => '["192.0.2.1"]')->{status}, 401, 'not without a password');
    my $login = 'Authorization: Basic b3BzOnNlY3JldA=='; # ops:secret
    is(http(PORT, 'PUT /reaper-ips', header => [$login], body => '["192.0.2.1"]')->{status}, 200, 'ops may');
    is(get('/reaper-ips')->{body}, qq(["192.0.2.1"]\n), 'it shows');
    is((stat '/var/lib/cassandra-prober/state.json')[2] & 07007, 0, 'and is on disk, for the service alone');
    restart();
    is(get('/reaper-ips')->{body}, qq(["192.0.2.1"]\n), 'and outlives a restart');
    unlink LINK;
    symlink SITE, LINK;
    ok_run('as installed again', qw(systemctl reload nginx));
    wait_for(sub { http(PORT, 'PUT /reaper-ips', header => [$login])->{status} == 403 }, 'that');
};

step 'seeds that Cassandra follows' => sub {
    my ($yaml, $drop) = ('/etc/cassandra/cassandra.yaml', '/run/systemd/system/prober-seeds.service.d');
    mkdir $_ for '/etc/cassandra', $drop;
    spew($yaml, <<'YAML');
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: "192.0.2.1"
YAML
    # A simulated node has no operation to be asked for.
    my ($command) = slurp('/lib/systemd/system/prober-seeds.service') =~ /^(ExecStart=.*) --reload$/m or die 'another command';
    spew("$drop/file-alone.conf", "[Service]\nExecStart=\n$command\n");
    my $has = sub { my ($seeds) = slurp($yaml) =~ /seeds: "(.*)"/; return $seeds };
    my $socket = '/run/cassandra-prober/control.sock';
    ok_run('known', qw(systemctl daemon-reload));
    ok_run('one command', qw(systemctl enable --now prober-seeds.path));
    wait_for(sub { $has->() eq $ip[1] }, 'the list of today, without the own node', 15);
    is(http($socket, 'PUT /localseeds', body => '["192.0.2.7","192.0.2.8"]')->{status}, 200, 'another list');
    wait_for(sub { $has->() eq '192.0.2.7,192.0.2.8' }, 'the file to follow', 15);
    is(http($socket, 'DELETE /localseeds')->{status}, 200, 'and back');
    wait_for(sub { $has->() eq $ip[1] }, 'the file to follow again', 15);
    ok(-e "$yaml.prober-original", 'what it was at first is kept');
    is(show('ActiveState', 'prober-seeds.path'), 'active', 'it watches on');
    ok_run('as installed again', qw(systemctl disable --now prober-seeds.path));
    run('rm', '-rf', $drop, '/etc/cassandra');
    ok_run('no drop-in', qw(systemctl daemon-reload));
};

step 'credentials' => sub {
    mkdir '/etc/cassandra-prober/secrets', 0700;
    spew('/etc/cassandra-prober/secrets/local-password', "secret\n");
    drop_in('credentials', slurp('/usr/share/doc/cassandra-prober/examples/prober-collector.service.d/credentials.conf'));
    spew(CONF, conf(0) =~ s/^local: \{/local: { user = "monitor";/r);
    restart();
    is_ready();
    ok_run('reload', qw(systemctl reload), UNIT);
    wait_for(sub { journal() =~ /configuration read again/ }, 'the password to be read again');
    is_ready();
    spew(CONF, conf(0));
    no_drop_ins();
    restart();
};

step 'reload' => sub {
    my $pid = show('MainPID');
    spew(CONF, conf(0) =~ s/readiness: \{/readiness: { min_observers = 5;/r);
    ok_run('of another configuration', qw(systemctl reload), UNIT);
    wait_for(sub { status("/healthz/$ip[0]") == 404 }, 'it to be in force');
    spew(CONF, "poll: { intervall = \"1s\"; };\n");
    isnt((run(qw(systemctl reload), UNIT))[0], 0, 'of a bad one fails');
    ok(eval { wait_for(sub { journal() =~ /collector\.conf:1: unknown key "intervall"/ }, 'that to be told', 20) }, 'the journal tells why')
        or diag(journal());
    is(status("/healthz/$ip[0]"), 404, 'the old one is in force');
    ok_run('nor would it with a signal', qw(systemctl kill --kill-who=main -s HUP), UNIT);
    wait_for(sub { journal() =~ /reload refused/ }, 'that to be told');
    spew(CONF, conf(0));
    ok_run('of a good one again', qw(systemctl reload), UNIT);
    wait_for(sub { status("/healthz/$ip[0]") == 200 }, 'it to be in force');
    is(show('MainPID'), $pid, 'the same process all the time');
    is(show('ActiveState'), 'active', 'not reloading for ever');
};

sub restarts_after {
    my ($what, $signal, $timeout) = @_;
    my ($pid, $restarts) = map { show($_) } qw(MainPID NRestarts);
    my $began = time;
    kill $signal, $pid;
    wait_for(sub { show('NRestarts') > $restarts && show('ActiveState') eq 'active' }, "a restart after $what", $timeout);
    my $took = time - $began;
    isnt(show('MainPID'), $pid, sprintf '%s: another process, after %.1f s', $what, $took);
    is_ready();
}

step 'kill -9' => sub {
    under_load('meanwhile', "/healthz/$ip[0]", sub { restarts_after('kill -9', 'KILL', 10) }, keep => 1);
};

step 'a collector that hangs' => sub {
    drop_in('watchdog', "[Service]\nWatchdogSec=6s\nLimitCORE=0\n");
    restart();
    restarts_after('SIGSTOP', 'STOP', 30);
    like(journal(), qr/Watchdog timeout \(limit 6s\)/, 'by the watchdog');
};

# With the short watchdog of the step before.
step 'what is no hang of the collector' => sub {
    my ($pid, $restarts) = map { show($_) } qw(MainPID NRestarts);
    my $lives = sub {
        my ($what) = @_;
        sleep 8; # longer than the watchdog: it is time itself that is tested
        is(show('MainPID') . ' ' . show('NRestarts'), "$pid $restarts", "$what: the same process");
    };
    my $put = sub { http('/run/cassandra-prober/control.sock', 'PUT /reaper-ips', body => $_[0])->{status} };

    $fleet->post("nodes/$ip[0]/hang");
    $lives->('polls that hang');
    $fleet->post("nodes/$ip[0]/heal");

    my ($used) = (run(qw(df --output=used -k /run)))[1] =~ /(\d+)\s*$/;
    ok_run('a small /run', qw(mount -o), 'remount,size=' . ($used + 64) . 'k', '/run');
    run('sh', '-c', 'head -c 10000000 /dev/zero >/run/filler 2>/dev/null');
    my $more = $fleet->post('join?dc=dc1&rack=r1')->{ip};
    $lives->('a full /run');
    is(status('/ping'), 200, 'and what fits is published');
    unlink '/run/filler';
    ok_run('room again', 'mount', '-o', 'remount,size=20%', '/run');
    wait_for(sub { status("/nodes/$more") == 200 }, 'the new node');
    $fleet->post("nodes/$more/decommission");
    wait_for(sub { $fleet->node($more)->{mode} eq 'DECOMMISSIONED' }, 'it to leave', 20);
    $fleet->post("nodes/$more/$_") for qw(crash forget);

    my @owner = (stat '/var/lib/cassandra-prober')[ 4, 5 ];
    ok_run('a small disk', qw(mount -t tmpfs -o), "size=64k,mode=0755,uid=$owner[0],gid=$owner[1]", qw(tmpfs /var/lib/cassandra-prober));
    restart();
    is_ready();
    is($put->('["192.0.2.2"]'), 200, 'a write');
    ($pid, $restarts) = map { show($_) } qw(MainPID NRestarts);
    run('sh', '-c', 'head -c 1000000 /dev/zero >/var/lib/cassandra-prober/filler 2>/dev/null');
    is($put->('["192.0.2.3"]'), 503, 'is refused on a full disk');
    $lives->('a full disk');
    unlink '/var/lib/cassandra-prober/filler';
    is($put->('["192.0.2.3"]'), 200, 'and is not with room again');
    ok_run('stop', qw(systemctl stop), UNIT);
    ok_run('the real disk', qw(umount /var/lib/cassandra-prober));
    no_drop_ins();
    ok_run('start', qw(systemctl start), UNIT);
    is_ready();
};

step 'a crash loop' => sub {
    spew(CONF, "nonsense\n");
    my $restarts = show('NRestarts');
    isnt((run(qw(systemctl restart), UNIT))[0], 0, 'a bad configuration fails the start');
    wait_for(sub { show('NRestarts') >= 7 }, 'more failures than systemd takes by default', 30);
    isnt(show('ActiveState'), 'failed', 'it is tried again');
    spew(CONF, conf(0));
    is_ready();
    pass('and recovers by itself');
};

step 'systemctl restart under load' => sub {
    for my $keep (1, 0) {
        under_load($keep ? 'kept connections' : 'new connections', "/healthz/$ip[0]", sub { restart(); is_ready() }, keep => $keep);
    }
};

# All that nginx has mapped is what is on the disk now.
sub nginx_is_new {
    my @pids = split ' ', (run('pgrep', '-x', 'nginx'))[1];
    my @old = grep { slurp("/proc/$_/maps") =~ m{ngx_http_prober_module\.so \(deleted\)} } @pids;
    return @pids && !@old;
}

sub is_version {
    my ($version) = @_;
    my %version = map { (split /_/)[1] => 1 } map { s{.*/}{}r } packages($version);
    my ($said) = (run('dpkg-query', '-W', '-f', '${Version} ', 'cassandra-prober', 'libnginx-mod-http-prober'))[1];
    is($said, join('', map { "$_ " } (keys %version) x 2), "$version packages");
}

sub change_version {
    my ($what, $version) = @_;
    my $pid = show('MainPID');
    my $said = get('/reaper-ips')->{body};
    under_load($what, "/healthz/$ip[0]", sub {
        under_kept_load($what, "/healthz/$ip[0]", sub {
            install($what, packages($version));
            wait_for(\&nginx_is_new, 'all of nginx to be the new one', 20);
            is_ready();
        });
    });
    is_version($version);
    isnt(show('MainPID'), $pid, 'the collector is the new one');
    is(show('ActiveState', 'nginx'), 'active', 'systemd follows nginx');
    is(show('MainPID', 'nginx') . "\n", slurp('/run/nginx.pid'), 'by its new pid');
    is(slurp(CONF), conf(0), 'the configuration is the one before');
    is(get('/reaper-ips')->{body}, $said, 'as is what operators said');
}

step 'upgrade under load'   => sub { change_version('upgrade', 'new') };
step 'downgrade under load' => sub { change_version('downgrade', 'old') };

step 'remove' => sub {
    ok_run('no second host any more', qw(systemctl stop second));
    unlink '/run/systemd/system/second.service', '/etc/cassandra-prober/second.conf', '/etc/nginx/conf.d/second.conf';
    ok_run('at all', qw(systemctl daemon-reload));
    run('rm', '-rf', '/run/second', '/var/lib/second');
    ok_run('nginx', qw(systemctl reload nginx));
    ok_run('remove', qw(apt-get remove -q -y cassandra-prober libnginx-mod-http-prober));
    ok_run('nginx -t', qw(nginx -t -q));
    ok_run('nginx starts', qw(systemctl restart nginx));
    is(status('/ping'), 0, 'nobody answers');
    ok(-e '/var/lib/cassandra-prober/state.json' && -e CONF, 'what operators said stays');
};

step 'reinstall' => sub {
    my $began = time;
    install('one command', packages('new'));
    symlink SITE, LINK or die "symlink: $!" if !-l LINK;
    wait_for(sub { status('/ping') == 200 }, 'the first 200', 10);
    my $took = time - $began;
    cmp_ok($took, '<', 10, sprintf '200 from /ping after %.1f s', $took);
    wait_for(sub { status("/healthz/$ip[0]") == 200 }, 'a node to be ready');
    is(get('/reaper-ips')->{body}, qq(["192.0.2.3"]\n), 'what operators said is there again');
};

step 'purge' => sub {
    ok_run('purge', qw(apt-get purge -q -y cassandra-prober libnginx-mod-http-prober));
    my @kept = split /\n/,
        (run('find', '/', '-xdev', split ' ', '( -path /checkout -o -path /out -o -path /tmp ) -prune -o -iname *prober* -print'))[1];
    is_deeply([ @kept, glob('/run/*prober* /run/systemd/*/*prober*') ], [], 'no file');
    isnt((run(qw(getent passwd cassandra-prober)))[0], 0, 'no user');
    isnt((run(qw(getent group cassandra-prober)))[0], 0, 'no group');
    isnt((run(qw(pgrep -f prober-collector)))[0], 0, 'no process');
    ok_run('nginx -t', qw(nginx -t -q));
    ok_run('nginx starts', qw(systemctl restart nginx));
};

step 'install again' => sub {
    install('one command', packages('old'));
    symlink SITE, LINK or die "symlink: $!" if !-l LINK;
    ok_run('the site', qw(systemctl reload nginx));
    wait_for(sub { status('/ping') == 200 }, 'the first 200', 10);
    is(get('/reaper-ips')->{body}, "[]\n", 'nothing is left of before');
};

step 'purge again' => sub {
    ok_run('purge', qw(apt-get purge -q -y cassandra-prober libnginx-mod-http-prober));
    unlink LINK;
    ok_run('nginx starts', qw(systemctl restart nginx));
};

# What the pages tell to do on a host, as they tell it, in their order: from the first installation to the removal. The pages
# are those that are installed, read before they are removed.
my @commands = do {
    run('sh', '-c', 'mkdir /tmp/pages && dpkg-deb -x /out/old/cassandra-prober_*.deb /tmp/pages');
    grep { $_->{place} eq 'boot' } Prober::Docs::commands('/tmp/pages/usr/share/doc/cassandra-prober');
};
# Some need something to be there, or leave something that is not to stay.
my @around = (
    [ qr/^systemctl reload prober-collector/, sub { spew(CONF, conf(0)); restart(); is_ready() } ],
    [ qr/^cp -p .*state\.json/, sub { is(http('/run/cassandra-prober/control.sock', 'PUT /reaper-ready', body => 'true')->{status}, 200, 'there is a value') } ],
    [ qr/^chown .*state\.json/, sub { isnt((stat '/var/lib/cassandra-prober/state.json')[4], 1, 'it is there') } ],
    [ qr/^systemctl enable --now prober-seeds\.path/, undef,
        sub { is(show('ActiveState', 'prober-seeds.path'), 'active', 'it watches'); run(qw(systemctl disable --now prober-seeds.path));
            run(qw(systemctl stop prober-seeds.service)); run(qw(systemctl reset-failed prober-seeds.path prober-seeds.service)) } ],
);

step 'the pages, command by command' => sub {
    cmp_ok(scalar(@commands), '>', 15, 'there are commands');
    is_deeply([ grep { my $pattern = $_->[0]; !grep { $_->{command} =~ $pattern } @commands } @around ], [], 'all that is prepared is there');
    for my $command (@commands) {
        my ($before, $after) = map { @$_[ 1, 2 ] } grep { $command->{command} =~ $_->[0] } @around;
        $before->() if $before;
        my $dir = $command->{file} eq 'upgrade.md' ? '/out/new' : '/out/old';
        my ($status, $said, $missing);
        my $once = sub {
            ($status, $said) = run('sh', '-c', "cd $dir && DEBIAN_FRONTEND=noninteractive $command->{command}");
            $missing = Prober::Docs::says($command, $said);
            return Prober::Docs::is_answer($command, $status) && !defined $missing;
        };
        my $good = @{ $command->{says} } ? eval { wait_for($once, 'it', 20) } : $once->();
        ok($good, Prober::Docs::name($command)) or diag("status $status\n", defined $missing ? "missing: $missing\n" : '', $said);
        $after->() if $after;
        if ($command->{command} =~ /^systemctl reload nginx/ && $command->{file} eq 'README.md') {
            ok(eval { wait_for(sub { status('/ping') == 200 }, 'the first 200', 20) }, 'it is installed');
        }
    }
    is(get('/ping')->{status}, 0, 'and gone at the end');
};

done();
