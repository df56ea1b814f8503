#!/usr/bin/perl
# The page, in a real browser over a simulated fleet: it shows what the documents say, tells when they are old, and can be
# used by everybody.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);
use Prober::Test;
use Prober::Browser;
use Prober::Collector;
use Prober::Fleet;

binmode $_, ':utf8' for map { Test::More->builder->$_ } qw(output failure_output todo_output);
my $dir = tempdir();
my $fleet = Prober::Fleet->start(
    layout => 'dc1:r1=2,r2=2;dc2:r1=2', convict => 1, boot => 1, 'cluster-name' => '<b onclick="evil()">Fleet</b>');
my @ip = @{ $fleet->{nodes} };
my $conf = fleet_conf($fleet, qq(poll: { interval = "200ms"; timeout = "1s"; view_ttl = "3s"; };
readiness: { settle = "500ms"; rehab = "0"; };
control: { socket = "$dir/control.sock"; };
state: { path = "$dir/state.json"; };));
my $collector = Prober::Collector->start($conf);

# The packaged site, with users; and below /hostile/ documents such as no prober should ever answer.
my $evil = q(<img src=x onerror=window.evil=1>);
my %said = (
    '/jobs' => qq({"leader":null,"store":"ok","suspended":true,"active":{"id":"1","type":"restart","state":"running","why":"$evil","by":"ops",
        "started":"2026-11-28T21:16:00Z","ended":null,"nodes":[{"node":"$ip[0]","state":"done"},{"node":"$ip[1]","state":"settling"}]},"last":{}}),
    '/admin/cluster/observer/decisions' => qq({"decisions":[{"at":"2026-11-28T21:16:00Z","last":"2026-11-28T21:17:00Z","times":3,
        "kind":"verdict","node":"$ip[2]","what":"not ready","why":"$evil","by":"automatic","host":"x"}]}),
    "/history/$ip[2]" => qq({"node":"$ip[2]","history":[
        {"from":"2026-11-28T21:16:00Z","to":"2026-11-28T21:17:00Z","checks":9,"verdict":"not ready","reasons":["$evil"],"up":0,"counted":5},
        {"from":"2026-11-28T21:00:00Z","to":"2026-11-28T21:16:00Z","checks":99,"verdict":"ready","reasons":[],"up":5,"counted":5}]}),
    "/may-stop/$ip[2]" => qq({"may":"no","reasons":["$evil"]}),
);
spew("$dir/users", "ops:{PLAIN}secret\n");
my $site = slurp(root() . '/packaging/nginx/prober.conf');
$site =~ s/^\s*listen.*\n//mg;
my $more = join '', map { s/\s*\n\s*/ /gr } map { qq(location = /hostile$_ { default_type application/json; return 200 '$said{$_}'; }\n) } sort keys %said;
# Other documents of who sees whom: of nobody, of whom operators have stopped, and of data that is 30 s old where that is let be,
# and where it is not.
my $one = qq({"address":"10.0.0.1","dc":"dc1","rack":"r1","verdict":"ready","reasons":[],"since":null,"observer":"voter","view":"U"});
my %matrix = (empty => [ 0, qq("view_ttl_ms":5000,"nodes":[]) ], patient => [ 30000, qq("view_ttl_ms":60000,"nodes":[$one]) ],
    old => [ 30000, qq("view_ttl_ms":5000,"nodes":[$one]) ], stopped => [ 0, '"nodes":[' . join(',', map {
        qq({"address":"10.0.0.$_->[0]","dc":"dc1","rack":"r1","verdict":"not ready","reasons":["$_->[1]"],"since":null,"observer":"voter","view":"3U"}) }
        [ 1, 'run state STOP by ops' ], [ 2, 'run state TERMINATE by ops' ], [ 3, 'is being restarted' ]) . ']' ]);
my $documents = join '', map { qq( location /$_/ { prober; } location = /$_/matrix { default_type application/json; )
    . qq(add_header X-Prober-Age-Ms $matrix{$_}[0]; return 200 '{"cluster":"c",$matrix{$_}[1]}'; }) } sort keys %matrix;
$site =~ s/server \{/server { listen 127.0.0.1:%%PORT%%; prober_stale 2s; $more location \/deep\/er\/ { prober; } location \/deeper { prober; }$documents/;
my ($control) = $site =~ m{(location / \{\n\s*prober;.*?\n    \})}s or die 'no location in the packaged site';
$site =~ s/(location \@prober_control)/@{[ $control =~ s{location \/}{location \/hostile\/}r ]}\n    $1/;
my $closed = $site =~ s/%%PORT%%/%%PORT2%%/r;
$site =~ s/deny all;\n(\s*)# allow all;.*\n\s*# (auth_basic .*)\n\s*# (auth_basic_user_file) .*;/$2\n$1$3 $dir\/users;/g or die 'no users in the packaged site';
s{/run/cassandra-prober/control.sock}{$dir/control.sock} for $site, $closed;
my $nginx_conf = "%%GLOBALS%%\nhttp { %%HTTP%%\nprober_segment %%DIR%%/segment;\n$site\n$closed }\n";
my $nginx = nginx($nginx_conf);
$collector->wait_ready;

my $url = 'http://127.0.0.1:' . $nginx->port . '/';
my $w = Prober::Browser->start;
sub open_page { my ($path) = @_; $w->go($url . ($path // '')); $w->wait_js('return document.querySelector("td.c1, #banner:not([hidden])") !== null', 'the page to show something') }
sub sentence { $w->text('#sentence') }

# The table, as { observer => { subject => letter } }.
sub table {
    return $w->js(<<'JS');
const heads = [...document.querySelectorAll('th.col')].map(th => th.title), all = {};
for (const tr of document.querySelectorAll('.who tbody tr')) {
  const head = tr.querySelector('th[scope=row]');
  if (head) all[head.title] = Object.fromEntries([...tr.querySelectorAll('td')].map((td, i) => [heads[i], td.textContent]));
}
return all;
JS
}

# The same by /healthz.
sub healthz {
    my %all;
    my %letter = (UP => 'U', DOWN => 'D', '?' => '?');
    for my $subject (map { $_->{address} } @{ get_json($nginx->port, '/nodes')->{nodes} }) {
        my $body = get_json($nginx->port, "/healthz/$subject");
        $all{ s{^/}{}r }{$subject} = $letter{ $body->{$_} } // "–" for keys %$body;
    }
    return \%all;
}

sub same_as_healthz {
    my ($what) = @_;
    my ($page, $documents);
    my $text = sub { my ($all) = @_; join "\n", map { my $o = $_; map { "$o sees $_: $all->{$o}{$_}" } sort keys %{ $all->{$o} } } sort keys %$all };
    eval { wait_for(sub { ($page, $documents) = ($text->(table()), $text->(healthz())); $page eq $documents }, 'them to be the same', 30) };
    is($page, $documents, "$what: the matrix says what /healthz says");
    return $page;
}

subtest 'all is well' => sub {
    wait_for(sub { $collector->status =~ /^6 nodes, 6 ready/ }, 'all to be ready', 30);
    my $answer = http($nginx->port, 'GET /');
    is($answer->{status}, 200, '/');
    is($answer->{header}{'content-type'}, 'text/html; charset=utf-8', 'is HTML');
    like($answer->{header}{etag}, qr/^"\w+"$/, 'with a tag');
    is($answer->{header}{'x-content-type-options'}, 'nosniff', 'which nobody may take for something else');
    is($answer->{header}{'content-security-policy'}, "frame-ancestors 'none'", 'nor frame');
    is(http($nginx->port, 'GET /nothing')->{header}{'x-content-type-options'}, 'nosniff', 'also what is not there');
    diag(sprintf 'the page: %d bytes', length $answer->{body});
    unlike($answer->{body}, qr{(?:src|href|url|from|import)\s*[=(]?\s*["'(]?(?:https?:)?//(?!www\.w3\.org)}i, 'it fetches nothing from elsewhere');
    open_page();
    $w->wait_js('return /^All 6/.test(document.getElementById("sentence").textContent)', 'the verdict');
    is(sentence(), 'All 6 nodes are ready.', 'the verdict in one sentence');
    is($w->text('#evidence'), 'Every node sees every other one UP.', 'and the evidence');
    is($w->js('return document.body.dataset.mood'), 'good', 'the lamp');
    my $page = same_as_healthz('all is well');
    is(scalar(() = $page =~ /: U$/mg), 36, 'every one of 36 UP');
    like($w->text('#age'), qr/^data \d\.\d s old$/, 'how old the data is');
    ok($w->js('return document.getElementById("wrong").hidden'), 'nothing is wrong');
    is($w->js('return [...document.querySelectorAll(".who thead tr:nth-child(-n+2) th")].map(th => th.textContent).join()'), 'dc1,dc2,r1,r2,r1',
        'by data center and rack');
};

subtest 'what others say is text' => sub {
    my $rack = q(<img src=x onerror=window.evil=1>);
    open_page('hostile/');
    my $new = $fleet->post('join?dc=dc2&rack=' . join('', map { sprintf '%%%02x', ord } split //, $rack))->{ip};
    $w->wait_js('return document.getElementById("matrix").textContent.includes(arguments[0])', 'the rack', 30, $rack);
    is($w->text('#cluster'), '<b onclick="evil()">Fleet</b>', 'the name of the cluster');
    $w->wait_js('return !document.getElementById("room-jobs")?.hidden && !document.getElementById("room-decisions")?.hidden', 'jobs and decisions');
    like($w->text('#room-jobs'), qr/suspended.*restart running, 1 of 2 nodes · by ops.*\Q$rack\E.*\Q$ip[1]\E settling/, 'a job');
    like($w->text('#room-decisions'), qr/\Q$ip[2]\E not ready: \Q$rack\E ×3/, 'a decision');
    $w->js('document.querySelector("#room-decisions [data-node]").click()');
    $w->wait_js('return document.querySelectorAll("#drawer .spark rect").length === 2', 'the history');
    like($w->text('#drawer'), qr/May stop.*✕ no \Q$rack\E/, 'a gate');
    like($w->text('#drawer'), qr/not ready: \Q$rack\E/, 'the history in words');
    is($w->count('img, b[onclick], script:not(:only-of-type)'), 0, 'none of it is an element');
    is($w->js('return window.evil ?? null'), undef, 'or runs');
    $w->press('Escape');
    ok(!$w->js('return document.getElementById("drawer").open'), 'Escape closes the drawer');
    wait_for(sub { http($nginx->port, "GET /healthz/$new")->{status} == 200 }, 'the new node to be ready', 30);
    same_as_healthz('a node more');
    $fleet->post("nodes/$new/decommission");
    wait_for(sub { $fleet->node($new)->{mode} eq 'DECOMMISSIONED' }, 'it to leave', 30);
    $fleet->post("nodes/$new/crash");
    $fleet->post("nodes/$new/forget");
    $w->wait_js('return !document.body.textContent.includes(arguments[0]) || document.querySelectorAll("th.col").length === 6', 'it to be gone', 30, $rack);
    same_as_healthz('a node less');
};

subtest 'a node is killed' => sub {
    open_page();
    my @late;
    for my $turn (1 .. 3) {
        wait_for(sub { $collector->status =~ /, 6 ready/ }, 'all to be ready', 30);
        $w->wait_js('return /^All 6/.test(document.getElementById("sentence").textContent)', 'the page to say so');
        $fleet->post("nodes/$ip[3]/crash");
        wait_for(sub { http($nginx->port, 'GET /nodes')->{body} =~ /"address":"\Q$ip[3]\E","verdict":"not ready"/ }, '/nodes to tell', 30);
        my $told = time;
        $w->wait_js('return document.querySelector("th.col.bad")?.title === arguments[0] && document.querySelectorAll("td.c2").length > 0', 'the matrix', 30, $ip[3]);
        push @late, time - $told;
        last if $turn == 3;
        $fleet->post("nodes/$ip[3]/start");
    }
    diag(sprintf 'the matrix shows a killed node %s s after /nodes', join ', ', map { sprintf '%.2f', $_ } @late);
    cmp_ok((sort { $a <=> $b } @late)[0], '<', 1, 'within a second of /nodes');
    is(sentence(), "1 of 6 nodes is not ready: $ip[3]", 'the verdict');
    $w->wait_js('return document.querySelectorAll("td.c3").length === 6', 'its view to be lost');
    $w->wait_js('return document.querySelectorAll("td.c2").length === 5', 'all others to see it DOWN');
    same_as_healthz('one is down');
    like($w->text('#wrong'), qr/\Q$ip[3]\EDOWN by 5 of 5dc1 · r2 since \d\d:\d\d:\d\d \(\d+ s\), its view: refused/, 'what is wrong');
    like($w->text('#wrong .todo'), qr/systemctl status cassandra/, 'and what to do');
    like($w->js('return document.title'), qr/^1 not ready · /, 'the tab tells, too');
    $w->wait_js('return /not ready: DOWN by/.test(document.getElementById("room-decisions")?.textContent)', 'the decision');
    $w->js('document.querySelector("#wrong [data-node]").click()');
    $w->wait_js('return document.querySelectorAll("#drawer .spark rect").length > 2', 'its history');
    like($w->js('return document.querySelector("#drawer .spark").getAttribute("aria-label")'), qr/^History from \S+ to \S+: \d+ stretch(es)? not ready$/, 'in words, too');
    like($w->text('#drawer'), qr/History\d\d:\d\d:\d\d – \d\d:\d\d:\d\d not ready: DOWN by \d of 5/, 'the newest first');
    $w->press('Escape');
};

subtest 'by keyboard' => sub {
    open_page();
    $w->press('Tab');
    is($w->js('return document.activeElement.textContent'), 'Skip to the matrix', 'first there is the way to the matrix');
    $w->press('Enter');
    for (1 .. 10) {
        $w->press('Tab');
        last if $w->js('return document.activeElement.matches(".who td")');
    }
    is($w->js('return document.activeElement.matches(".who td.self")'), JSON::PP::true, 'Tab gets into the matrix');
    $w->press(qw(ArrowRight ArrowRight ArrowDown));
    is($w->text('#readout'), "$ip[1] sees $ip[2] UP.", 'arrows move, and the cell is told');
    $w->press(qw(End Home ArrowLeft));
    is($w->js('return document.activeElement.title'), $ip[1], 'to the head of the row');
    $w->press(qw(ArrowUp ArrowUp ArrowRight ArrowUp));
    is($w->js('return document.activeElement.title'), $ip[0], 'and of the column');
    $w->press('Enter');
    $w->wait_js('return document.querySelectorAll("#drawer dd").length > 8', 'the drawer');
    is($w->text('#drawer-title'), $ip[0], 'Enter opens it');
    ok($w->js('return document.getElementById("drawer").contains(document.activeElement)'), 'the focus is in it');
    $w->press('Tab');
    is($w->js('return document.activeElement.textContent'), 'Close', 'with a way out');
    $w->press('Escape');
    $w->wait_js('return document.activeElement.title === arguments[0]', 'the focus to go back', 10, $ip[0]);
    pass('the focus goes back to where it was');
    $w->js('document.getElementById("node").focus()');
    $w->press(split(//, $ip[4]), 'Enter');
    $w->wait_js('return document.getElementById("drawer-title")?.textContent === arguments[0]', 'a node by its name', 10, $ip[4]);
    $w->press('Escape');
};

subtest 'for everybody' => sub {
    my %screen = (desktop => { width => 1280, height => 900 }, phone => { width => 390, height => 844, scale => 2, mobile => 1 },
        wall => { width => 3840, height => 2160 });
    for my $screen (sort keys %screen) {
        for my $dark (0, 1) {
            $w->look(%{ $screen{$screen} }, dark => $dark);
            open_page();
            $w->wait_js('return document.querySelectorAll(".rooms section:not([hidden])").length > 1', 'the rooms');
            my $name = "$screen, " . ($dark ? 'dark' : 'light');
            is(join("\n", $w->axe), '', "$name: axe finds nothing");
            cmp_ok($w->js('return document.documentElement.scrollWidth - innerWidth'), '<=', 0, "$name: no need to scroll sideways");
            $w->js('document.querySelector("#wrong [data-node]").click()');
            $w->wait_js('return document.querySelectorAll("#drawer dd").length > 8', 'the drawer');
            is(join("\n", $w->axe), '', "$name: nor with the drawer open");
        }
    }
    $w->look;
};

subtest 'the policy' => sub {
    open_page();
    is_deeply([ $w->violations ], [], 'the page keeps to it');
    is_deeply([ grep { index($_, $url) != 0 } @{ $w->js('return performance.getEntriesByType("resource").map(e => e.name).filter(n => !n.startsWith("data:"))') } ],
        [], 'and asks nobody else');
    $w->wait_js('return performance.getEntriesByType("resource").some(e => e.name.endsWith("/regions") && e.responseStatus === 304)', 'an answer that is the same');
    pass('what is the same is not sent again');
    # As in a tab that nobody looks at.
    my $asked = 'return performance.getEntriesByType("resource").length';
    $w->js('Object.defineProperty(document, "hidden", {value: true, configurable: true})');
    my ($before, $now) = (-1, 0);
    wait_for(sub { ($before, $now) = ($now, $w->js($asked)); sleep 1.5; $before == $now }, 'the page to rest', 30);
    pass('who does not look is not told');
    $w->js('delete document.hidden; document.dispatchEvent(new Event("visibilitychange"))');
    $w->wait_js("$asked > arguments[0]", 'the page to go on', 10, $now);
    $w->js('const s = document.createElement("script"); s.textContent = "window.evil = 2"; document.body.append(s);
        const i = new Image(); i.src = "http://127.0.0.1:9/x"; document.body.append(i); document.body.setAttribute("style", "color: red")');
    $w->wait_js('return violations.length >= 3', 'what does not to be seen');
    is($w->js('return window.evil ?? null'), undef, 'another script does not run');
    $w->errors;
};

subtest 'somewhere else' => sub {
    for my $path ('deep/er/', 'deeper', 'deeper/') {
        open_page($path);
        is($w->count('.who tbody th[scope=row]'), 6, "/$path: the documents are found");
        is($w->js('return [...document.querySelectorAll("footer a")].map(a => a.href).join()'),
            join(',', map { $url . ($path =~ s{/*$}{}r) . "/$_" } qw(nodes matrix plan regions)), 'by the links, too');
        $w->click('#operate');
        $w->wait_js('return document.getElementById("operator").textContent !== ""', 'an answer');
        is($w->text('#operator'), 'Changes are not enabled in the nginx site (prober_control).', 'nothing can be changed there');
    }
};

subtest 'nobody, the stopped, and old data' => sub {
    $w->go("${url}empty/");
    $w->wait_js('return /^No node/.test(document.getElementById("sentence").textContent)', 'the verdict', 20);
    is(sentence(), 'No node is known yet.', 'no node');
    is($w->count('.who td:not(.corner)'), 0, 'and no cell');
    $w->go("${url}stopped/");
    $w->wait_js('return document.querySelectorAll("#wrong .todo").length === 3', 'what is wrong', 20);
    is($w->js('return [...document.querySelectorAll("#wrong .todo")].map(p => p.textContent).join("; ")'),
        'stopped by an operator; when it may run again: proberctl run-state 10.0.0.1 RUN; stopped for good; another node may take its place; '
        . 'it is being restarted: wait', 'run states, and what to do');
    $w->go("${url}patient/");
    $w->wait_js('return /^The one node/.test(document.getElementById("sentence").textContent)', 'the verdict', 20);
    ok($w->js('return document.getElementById("banner").hidden'), 'as old as poll.view_ttl lets it be: no banner');
    $w->go("${url}old/");
    $w->wait_js('return !document.getElementById("banner").hidden', 'the banner', 20);
    like($w->text('#banner'), qr/^What stands here is as of/, 'older: a banner');
    is_deeply([ $w->errors ], [], 'no script failed');
};

subtest 'changes' => sub {
    my $acts = 'return [...document.querySelectorAll("#drawer button")].map(b => b.textContent).join()';
    $w->go('http://127.0.0.1:' . $nginx->port('PORT2') . '/');
    $w->wait_js('return document.querySelector("td.c1") !== null', 'the page');
    $w->click('#operate');
    $w->wait_js('return document.getElementById("operator").textContent !== ""', 'an answer');
    like($w->text('#operator'), qr/no user is named/, 'the site as it is packaged: nobody');
    $w->js('document.querySelector("th.col").click()');
    $w->wait_js('return document.querySelectorAll("#drawer dd").length > 8', 'the drawer');
    is($w->js($acts), 'Close', 'nothing is offered');
    open_page();
    $w->click('#operate');
    ok($w->js('return document.getElementById("operate").disabled'), 'with users: the browser asks for name and password');
    $w->cdp('Network.enable');
    $w->cdp('Network.setExtraHTTPHeaders', { headers => { Authorization => 'Basic b3BzOnNlY3JldA==' } });
    open_page();
    $w->click('#operate');
    $w->wait_js('return document.getElementById("operator").textContent.startsWith("Operating")', 'the login');
    is($w->text('#operator'), 'Operating as ops', 'a user');
    $w->js('document.querySelector("th.col").click()');
    $w->wait_js('return document.querySelectorAll("#drawer dd").length > 8', 'the drawer');
    is($w->js($acts), 'Close,Drain,Undrain', 'and drain');
    my $press = 'const b = [...document.querySelectorAll("#drawer button")].find(b => b.textContent === arguments[0]); b?.click(); return Boolean(b)';
    ok($w->js($press, 'Drain'), 'a button');
    is(get_json($nginx->port, "/nodes/$ip[0]")->{drain}, undef, 'which asks once more');
    ok($w->js($press, "Drain $ip[0]?"), 'and then');
    wait_for(sub { get_json($nginx->port, "/nodes/$ip[0]")->{drain} }, 'the drain');
    my $drain = get_json($nginx->port, "/nodes/$ip[0]")->{drain};
    is($drain->{user}, 'ops', 'it is drained');
    ok($drain->{until}, 'for a while');
    $w->wait_js('return document.querySelector("#drawer .why")?.textContent.includes("drained by ops")', 'the drawer to tell');
    like($w->text('#drawer .todo'), qr/proberctl undrain \Q$ip[0]\E/, 'with the way back');
    is(join("\n", $w->axe), '', 'axe finds nothing');
    $w->js($press, 'Undrain');
    ok($w->js($press, "Undrain $ip[0]?"), 'Undrain');
    wait_for(sub { !get_json($nginx->port, "/nodes/$ip[0]")->{drain} }, 'the end of the drain');
    pass('it is in service again');
    open_page('hostile/');
    $w->click('#operate');
    $w->wait_js('return [...document.querySelectorAll("#room-jobs button")].some(b => b.textContent === "Resume")', 'Resume');
    my $resume = 'const b = document.querySelector("#room-jobs button"); b.click(); return b.textContent';
    is($w->js($resume), 'Resume, really?', 'to resume asks once more, too');
    $w->js($resume);
    wait_for(sub { http($nginx->port, 'GET /state')->{body} =~ m{"key":"observer/suspended"[^\}]*"user":"ops"} }, 'that to be said');
    pass('and says it');
    $w->cdp('Network.setExtraHTTPHeaders', { headers => {} });
    my $foreign = http($nginx->port, 'POST /whoami', header => [ 'Authorization: Basic b3BzOnNlY3JldA==', 'Origin: http://evil.example', 'Sec-Fetch-Site: cross-site' ]);
    is($foreign->{status}, 403, 'a page of another site cannot even ask');
    is(http($nginx->port, 'PUT /whoami', header => ['Authorization: Basic b3BzOnNlY3JldA=='])->{status}, 405, 'and nobody can put');
};

subtest 'the collector dies' => sub {
    open_page();
    wait_for(sub { $collector->status =~ /, 5 ready/ }, 'the cluster as before', 30);
    $w->wait_js('return /^1 of 6/.test(document.getElementById("sentence").textContent)', 'the page as before');
    ok($w->js('return document.getElementById("banner").hidden'), 'no banner');
    my $killed = time;
    $collector->stop('KILL');
    $w->wait_js('return !document.getElementById("banner").hidden', 'the banner');
    diag(sprintf 'the banner is there %.1f s after the death; prober_stale is 2 s', time - $killed);
    like($w->text('#banner'), qr/The collector on 127\.0\.0\.1 has been silent since \d\d:\d\d:\d\d\..*systemctl status prober-collector/, 'says since when, and what to do');
    is(sentence(), 'No fresh data.', 'no verdict rests on old data');
    like($w->text('#evidence'), qr/^What stands below was so at \d\d:\d\d:\d\d\.$/, 'what is shown is old');
    is($w->js('return document.body.dataset.mood'), 'blind', 'the lamp');
    is(join("\n", $w->axe), '', 'axe finds nothing');
    $w->js('document.querySelector("th.col").click()');
    like($w->text('#drawer-old'), qr/^No fresh data\. The collector/, 'the drawer tells, too');
    $w->press('Escape');
    open_page();
    like($w->text('#banner'), qr/has been silent/, 'the page is there for who comes now');
    is(sentence(), 'Nothing is known yet.', 'and knows nothing');
    $collector = Prober::Collector->start($conf);
    $w->wait_js('return document.getElementById("banner").hidden', 'the banner to go', 30);
    $w->wait_js('return /^1 of 6/.test(document.getElementById("sentence").textContent)', 'the verdict', 30);
    pass('a new collector: all is as before');
    same_as_healthz('after that');
    $nginx->stop;
    $w->wait_js('return /does not answer this page since/.test(document.getElementById("banner").textContent)', 'the other banner');
    pass('nginx is gone: told as such');
    $nginx->run;
    $w->wait_js('return document.getElementById("banner").hidden', 'the banner to go');
    pass('and is back');
    is_deeply([ $w->violations ], [], 'the policy was kept');
    is_deeply([ $w->errors ], [], 'no script failed');
};
$_->stop for $collector, $fleet;

subtest '1,000 nodes' => sub {
    my $many = Prober::Fleet->start(nodes => 1000, dcs => 4, racks => 3, convict => 1);
    my $large = Prober::Collector->start(fleet_conf($many, 'poll: { interval = "1s"; timeout = "8s"; view_ttl = "60s"; }; readiness: { rehab = "0"; };') =~ s{/segment}{/many}r,
        program => root() . '/build/prober-collector');
    my $site = nginx(<<'CONF');
%%GLOBALS%%
http { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; location / { prober; prober_segment %%DIR%%/many; } } }
CONF
    $large->wait_ready(120);
    wait_for(sub { $large->status eq '1000 nodes, 1000 ready' }, 'all to be ready', 180);
    my $body = http($site->port, 'GET /matrix')->{body};
    $w->go('http://127.0.0.1:' . $site->port . '/');
    $w->wait_js('return performance.getEntriesByName("prober-painted").length > 0', 'the matrix', 60);
    is(sentence(), 'All 1,000 nodes are ready.', 'the verdict');
    my $paint = $w->js('return performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null');
    my $whole = $w->js('return performance.getEntriesByName("prober-painted")[0].startTime');
    diag(sprintf '/matrix: %d bytes; first contentful paint after %.0f ms, the whole matrix after %.0f ms', length $body, $paint, $whole);
    cmp_ok($paint, '<', 4000, 'it is painted soon');

    # A cell of the canvas, as it is painted, by its row and column.
    my $pixel = 'const c = document.querySelector("canvas"), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data, seen = {};
        for (let i = 0; i < d.length; i += 4) { const k = `${d[i]},${d[i+1]},${d[i+2]}`; seen[k] = (seen[k] || 0) + 1; } return seen';
    my $bad = '184,32,26';
    is($w->js($pixel)->{$bad} // 0, 0, 'nothing is DOWN');
    $w->js('performance.clearMeasures()');
    $many->post('churn?fraction=0.1');
    sleep 4;    # of changes, to have something to measure
    $many->post('churn?fraction=0');
    $many->post("nodes/$many->{nodes}[500]/crash");
    $w->wait_js('return /^1 of 1,000/.test(document.getElementById("sentence").textContent)', 'the verdict', 60);
    my ($pixels, $opinions);
    eval { wait_for(sub { $pixels = $w->js($pixel)->{$bad} // 0;
                          ($opinions) = $w->text('#evidence') =~ /([\d,]+) opinions DOWN/ or return;
                          $opinions =~ tr/,//d;
                          return $opinions >= 900 && $pixels >= 2.8 * $opinions }, 'its column', 60) };
    cmp_ok($pixels, '>=', 2.8 * ($opinions // 900), 'a dead one is a column of three pixels');
    for my $name (qw(prober-parse prober-update prober-paint prober-rest)) {
        my @took = sort { $a <=> $b } @{ $w->js('return performance.getEntriesByName(arguments[0]).map(e => e.duration)', $name) };
        diag(sprintf '%s: %d times, a quarter within %.1f, half within %.1f, worst %.1f ms', $name, scalar @took, @took[ @took / 4, @took / 2, -1 ]);
        cmp_ok($took[ @took / 4 ], '<', 16, "$name: within a frame, where others leave it the processor");
    }
    $w->js('document.querySelector(".plot").focus()');
    $w->press(qw(ArrowRight ArrowDown PageDown Home ArrowRight));
    like($w->text('#readout'), qr/^\S+ sees \S+ UP\.$/, 'arrows move here, too');
    $w->press('Enter');
    $w->wait_js('return document.querySelectorAll("#drawer dd").length > 8', 'the drawer');
    pass('and Enter opens a node');
    is(join("\n", $w->axe), '', 'axe finds nothing');
    $w->press('Escape');
    is_deeply([ $w->violations ], [], 'the policy is kept');
    is_deeply([ $w->errors ], [], 'no script failed');
    $_->stop for $large, $many;
};
$w->stop;

done();
