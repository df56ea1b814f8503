#!/usr/bin/perl
# proberctl seeds --apply: the seeds of a cassandra.yaml, and not another byte of it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX ();
use Test::More;
use Prober::Test;

my ($ctl) = grep { -x } map { root() . "/build/$_" } 'asan/proberctl', 'proberctl';
my $dir = tempdir() . '/apply';
mkdir $dir or die "$dir: $!";
my $yaml = "$dir/cassandra.yaml";

# (exit status, what was said): the list from a file, as this host.
sub apply {
    my ($seeds, @options) = @_;
    spew("$dir/seeds", $seeds);
    return run($ctl, 'seeds', '--apply', $yaml, '--segment', "$dir/none", '--from-file', "$dir/seeds", '--own', '10.0.0.9', @options);
}
sub files { opendir(my $all, $dir) or die "$dir: $!"; return join ' ', sort grep { /yaml/ } readdir $all }

my $before = <<'YAML';
# Cassandra storage config YAML; it's "as installed"
cluster_name: 'Test # Cluster'
seed_provider:
    # Addresses of hosts that are deemed contact points.
    # - seeds: "192.0.2.1"
    - class_name: org.apache.cassandra.locator.SimpleSeedProvider
      parameters:
          # Ex: "<ip1>,<ip2>,<ip3>"
          - seeds: %s
  
# seeds: of another place
seeds_of_mine: "x"
listen_address: localhost
YAML

my $list = '["10.0.0.1","10.0.0.2"]';

# [what the line has, the list, what it has then]
my @good = (
    [ '"127.0.0.1:7000"', $list, '"10.0.0.1:7000,10.0.0.2:7000"' ],
    [ '"127.0.0.1"', $list, '"10.0.0.1,10.0.0.2"' ],
    [ q('127.0.0.1'), $list, q('10.0.0.1,10.0.0.2') ],
    [ '127.0.0.1', $list, '10.0.0.1,10.0.0.2' ],
    [ '127.0.0.1   # mine', $list, '10.0.0.1,10.0.0.2   # mine' ],
    [ '  "127.0.0.1"  # "mine"', $list, '  "10.0.0.1,10.0.0.2"  # "mine"' ],
    [ 'seed-1.example_a.org:7000,10.0.0.4', $list, '"10.0.0.1:7000,10.0.0.2:7000"' ],
    [ '"localhost"', $list, '"10.0.0.1,10.0.0.2"' ],
    [ '127.0.0.1', '["2001:DB8::1"]', '"2001:db8::1"' ],
    [ '"[2001:db8::7]:7001"', '["2001:db8::1","10.0.0.2"]', '"[2001:db8::1]:7001,10.0.0.2:7001"' ],
    [ '"2001:db8::7"', '["2001:db8::1"]', '"2001:db8::1"' ],
    [ '"seed1.example.com:7001"', $list, '"10.0.0.1:7001,10.0.0.2:7001"' ],
    [ '"10.0.0.2:7001, 10.0.0.5:7000"', $list, '"10.0.0.1:7001,10.0.0.2:7001"' ],
    [ '"127.0.0.1"', '["10.0.0.9","10.0.0.1","10.0.0.1"]', '"10.0.0.1"' ],
);
for my $case (@good) {
    my ($from, $seeds, $to) = @$case;
    spew($yaml, my $text = sprintf($before, $from));
    chmod 0640, $yaml;
    chown 1, 2, $yaml if $> == 0;
    unlink "$yaml.prober-backup", "$yaml.prober-original";
    my ($exit, $said) = apply($seeds);
    is($exit, 0, "$from <- $seeds") or diag($said);
    is(slurp($yaml), sprintf($before, $to), 'only the value is another one');
    is(slurp("$yaml.prober-backup"), $text, 'the backup is what it was');
    my @st = stat $yaml;
    is($st[2] & 07777, 0640, 'the mode stays');
    is("$st[4] $st[5]", $> == 0 ? '1 2' : "$> " . ($) + 0), 'and the owner');
    is(files(), 'cassandra.yaml cassandra.yaml.prober-backup cassandra.yaml.prober-original', 'nothing else is left');

    ($exit, $said) = apply($seeds);
    is($exit, 0, 'once more');
    like($said, qr/these already/, 'says that nothing changes');
    is(join(' ', (stat $yaml)[1, 9]), join(' ', @st[1, 9]), 'and the file is the same one');
}

# Other shapes that YAML allows: what stands there for the seeds is @.
my $json = qq({ "listen_address": "h", "x" : [ "a", {"seeds": "b"} ],\n "seed_provider":[\n{"class_name": "a.b.C",\n "parameters":\n)
    . qq([\n  {\n "seeds"%s: @,\n "more": "c" }\n ]}] }\n);
for my $text (
    "seed_provider:\n  - class_name: a.b.C\n    parameters: [{seeds: @}]\nx: y\n",
    "seed_provider:\n- class_name: a.b.C\n  parameters:\n  - seeds: @",
    "seed_provider: [{class_name: a, parameters: [{seeds: @}]}]\n",
    "seed_provider: [{class_name: a, parameters: [ seeds: @ ] # }\n}]\n",
    "seed_provider : \n  - parameters :\n      - seeds : @\n",
    qq("seed_provider":\n  - 'parameters':\n      - "seeds": @\n),
    "seed_provider:\n  - class_name: {foo: bar}\n    parameters:\n      - seeds: @\nx: {\n  a: b }\n",
    "seed_provider:\n  - class_name: other\n    options: {seeds: 1.1.1.1}\n    parameters:\n    - a: b\n    - seeds: @\n",
    "seed_provider:\n  - options:\n      - seeds: 1.1.1.1\n    parameters:\n      seeds: @ # y\n  - class_name: b\n    seeds: 2.2.2.2\n",
    "note: |\n  it's\n  seed_provider:\n    - parameters:\n      - seeds: 1.1.1.1\ntext: 'a\n  { b'\nseed_provider:\n  - parameters:\n    - seeds: @\n",
    sprintf($json, ''), sprintf($json, ' '),
) {
    for my $from ('"127.0.0.1"', $text =~ /,\n "more/ ? () : '127.0.0.1') {
        spew($yaml, my $is = $text =~ s/@/$from/r);
        my ($exit, $said) = apply($list);
        is($exit, 0, $is) or diag($said);
        my $quote = $from =~ /"/ || $text =~ /\{[^}\n]*@/ || $text =~ /\[ seeds/ ? '"' : '';
        is(slurp($yaml), $text =~ s/@/${quote}10.0.0.1,10.0.0.2$quote/r, 'as it should');
    }
}

# Who is the first node keeps itself.
spew($yaml, sprintf $before, '"127.0.0.1"');
is((apply('["10.0.0.9"]', '--first-node', '10.0.0.9'))[0], 0, 'the first node alone');
is(slurp($yaml), sprintf($before, '"10.0.0.9"'), 'is its own seed');

spew($yaml, sprintf $before, '"127.0.0.1"');
spew("$dir/conf", qq(region: { first_node = "10.0.0.9"; };\n));
is((apply('["10.0.0.9"]', '--config', "$dir/conf"))[0], 0, 'as the configuration has it');
is(slurp($yaml), sprintf($before, '"10.0.0.9"'), 'it is its own seed');

# The first file of all is kept, and the one before.
unlink "$yaml.prober-original";
spew($yaml, my $first_of_all = sprintf $before, '"127.0.0.1"');
is((apply($_))[0], 0, $_) for '["10.0.0.1"]', '["10.0.0.2"]', '["10.0.0.3"]';
is(slurp("$yaml.prober-original"), $first_of_all, 'as it was before any change');
is(slurp("$yaml.prober-backup"), sprintf($before, '"10.0.0.2"'), 'as it was before the last one');
is((stat "$yaml.prober-backup")[3], 1, 'a file of its own');

# Somebody else changes it while the list is read, which comes through a pipe: his file stays, and what was kept as well.
POSIX::mkfifo("$dir/pipe", 0600) or die "$dir/pipe: $!";
open my $said_of_it, '-|', "exec $ctl seeds --apply $yaml --segment $dir/none --own 10.0.0.9 --from-file $dir/pipe 2>&1" or die $!;
open my $pipe, '>', "$dir/pipe" or die "$dir/pipe: $!";
spew($yaml, my $his = sprintf $before, '"192.0.2.7"');
print {$pipe} $list;
close $pipe;
like(join('', <$said_of_it>), qr/changed by somebody else meanwhile; run this again/, 'says so');
close $said_of_it;
is($? >> 8, 2, 'exit status');
is(slurp($yaml), $his, 'his bytes');
is(slurp("$yaml.prober-backup"), sprintf($before, '"10.0.0.2"'), 'the backup is the same');
is(files(), 'cassandra.yaml cassandra.yaml.prober-backup cassandra.yaml.prober-original', 'nothing else is left');

# Attributes stay, except signatures, which are of other bytes.
SKIP: {
    my ($set, $get) = @{ { x86_64 => [ 188, 191 ], aarch64 => [ 5, 8 ] }->{ (POSIX::uname())[4] } // [] };
    my ($mine, $signature, $value, $room) = ('user.mine', 'security.ima', 'x', ' ' x 8);
    skip 'no attributes here', 2 if !$set || grep { syscall($set, $yaml, $_, $value, 1, 0) < 0 } $mine, $signature;
    is((apply($list))[0], 0, 'a file with attributes');
    is_deeply([ map { syscall($get, $yaml, $_, $room, 8) } $mine, $signature ], [ 1, -1 ], 'keeps those that are not a signature');
}

# Passwords are not proberctl's: as a systemd credential, and in a file that it may not read.
for my $file ('', qq( password_file = "$dir/secret";)) {
    spew($yaml, sprintf $before, '"127.0.0.1"');
    spew("$dir/conf", qq(local: { user = "u";$file ca_file = "$dir/ca"; };\nregion: { name = "ap"; first_node = "10.0.0.9"; };\n)
        . qq(regions = ( { name = "eu"; url = "https://e"; user = "u";$file } );\n));
    my ($exit, $said) = apply('["10.0.0.9"]', '--config', "$dir/conf");
    is($exit, 0, 'whatever passwords the collector has') or diag($said);
    is(slurp($yaml), sprintf($before, '"10.0.0.9"'), 'the first node is read');
}

# What the file itself says of its node is not invited either, nor needed from elsewhere.
my $all = '["10.0.0.1","10.0.0.7","10.0.0.8","10.0.0.9"]';
for my $case (
    [ "listen_address: 10.0.0.8\n", '10.0.0.1,10.0.0.7', 'the address to listen on' ],
    [ "'listen_address' : '10.0.0.8' # x\nbroadcast_address: \"10.0.0.7\"\n", '10.0.0.1', 'both' ],
    [ "listen_address: 0.0.0.0\nbroadcast_address: ::ffff:10.0.0.7\n", '10.0.0.1,10.0.0.8', 'the one to broadcast' ],
    [ "# broadcast_address: 10.0.0.1\n\nx:\n  listen_address: 10.0.0.7\nlisten_address:\n", '10.0.0.1,10.0.0.7,10.0.0.8', 'neither' ],
) {
    my ($lines, $then, $what) = @$case;
    my $text = sprintf($before, '"%s"') =~ s/^listen_address.*\n//mr . $lines;
    spew($yaml, sprintf $text, '127.0.0.1');
    my ($exit, $said) = apply($all);
    is($exit, 0, $what) or diag($said);
    is(slurp($yaml), sprintf($text, $then), "$what: is left out");
    next if $what eq 'neither';
    is((apply($all, '--first-node', '10.0.0.' . ($what eq 'the address to listen on' ? 8 : 7)))[0], 0, "$what, of the first node");
    is(slurp($yaml), sprintf($text, '10.0.0.1,10.0.0.7,10.0.0.8,10.0.0.9'), 'which keeps itself');
    spew("$dir/seeds", $all);
    my @from = ('seeds', '--apply', $yaml, '--segment', "$dir/none", '--from-file', "$dir/seeds");
    ($exit, $said) = run($ctl, @from);
    is($exit, 0, "$what, and no --own") or diag($said);
    is(slurp($yaml), sprintf($text, "$then,10.0.0.9"), 'is enough');
    spew("$dir/seeds", $what eq 'the address to listen on' ? '["10.0.0.8"]' : '["10.0.0.7"]');
    like((run($ctl, @from))[1], qr/10\.0\.0\.[78], this host's own address, is the only seed/, "$what: and who that is");
}

# What is wrong is said, and the file is as it was.
sub refused {
    my ($what, $text, $seeds, $said_like, @options) = @_;
    if (defined $text) { unlink $yaml; spew($yaml, $text) }
    unlink "$yaml.prober-backup";
    my $was = slurp($yaml);
    my $identity = sub { my @st = lstat $yaml; return @st ? "@st[1 .. 5, 9]" : 'none' };
    my $same = $identity->();
    my ($exit, $said) = apply($seeds, @options);
    is($exit, 2, "$what: exit status");
    like($said, $said_like, "$what: says why");
    is(slurp($yaml), $was, "$what: the same bytes");
    is($identity->(), $same, "$what: the same file");
    ok(!-e "$yaml.prober-backup" && !-e "$yaml.prober-new", "$what: nothing is left");
}
my $fine = sprintf $before, '"127.0.0.1"';
refused('no seeds line', "cluster_name: x\nseed_provider:\n    # - seeds: \"1\"\n", $list, qr/no seeds line/);
refused('elsewhere', "other:\n    - seeds: \"10.0.0.1\"\n", $list, qr/no seeds line/);
refused('two', $fine =~ s/( +- seeds: "127.*\n)/$1$1/r, $list, qr/two seeds lines/);
refused('two providers', $fine . $fine, $list, qr/seed_provider is there twice/);
refused('CRLF', $fine =~ s/\n/\r\n/gr, $list, qr/CRLF/);
refused('NUL', "$fine\0", $list, qr/NUL/);
refused('an empty list there', sprintf($before, '""'), $list, qr/empty/);
refused('no value', sprintf($before, ''), $list, qr/one string on one line/);
refused('a block', sprintf($before, ">\n            127.0.0.1"), $list, qr/one string on one line/);
refused('two lines', sprintf($before, "127.0.0.1,\n              127.0.0.2"), $list, qr/next line/);
refused('an open quote', sprintf($before, "\"127.0.0.1,\n            127.0.0.2\""), $list, qr/one quoted string/);
refused('an escape', sprintf($before, '"127.0.0.1\x2c"'), $list, qr/backslash/);
refused('a placeholder', sprintf($before, '"{{ seeds }}"'), $list, qr/neither an address nor a name/);
refused('what reads as something else', sprintf($before, q(10.0.0.1,"10.0.0.2:7000)), $list, qr/neither an address nor a name/);
refused('no text', sprintf($before, "'10.0.0.1,\xff'"), $list, qr/neither an address nor a name/);
my $way = qr/in its way/;
my $below = sub { my ($lines) = @_; return $fine =~ s/(      parameters:\n)/$lines$1/r };
refused("text in $_->[0]", $below->($_->[1]), $list, $way) for
    [ 'a block', qq(      note: |\n          - seeds: "1.1.1.1"\n) ],
    [ 'a folded block', qq(      note: !!str >2- # why\n          - seeds: "1.1.1.1"\n) ],
    [ 'a block in a list', qq(      notes:\n        - |+\n          - seeds: "1.1.1.1"\n) ],
    [ 'an open quote', qq(      note: "a\n          - seeds: '1.1.1.1'\n        b"\n) ],
    [ 'a single quote', qq(      note: 'it''s\n          - seeds: "1.1.1.1"\n        b'\n) ];
refused('a comment behind a quote', qq({"seed_provider": [{"parameters": [\n "x"# {"seeds": "1.1.1.1"}\n ]}]}\n), $list, qr/no seeds line/);
refused('options of another kind', $fine =~ s/parameters:/options:/r, $list, qr/no seeds line/);
refused('options in braces', "seed_provider:\n  - class_name: a\n    options: {seeds: '1.1.1.1'}\n", $list, qr/no seeds line/);
refused('an open brace', "x: {\n$fine", $list, qr/is not closed/);
refused('deep braces', 'x: ' . '[' x 40 . ']' x 40 . "\n$fine", $list, qr/too deep/);
refused('more than one without quotes', "seed_provider: [{parameters: [{seeds: 1.1.1.1,2.2.2.2}]}]\n", $list, qr/one string on one line/);
refused('more than a line in braces', "seed_provider: [{parameters: [{seeds: 1.1.1.1\n 2.2.2.2}]}]\n", $list, qr/one string on one line/);
refused('an alias', sprintf($before, '*seeds'), $list, qr/one string/);
refused('empty', '', $list, qr/no seeds line/);
refused('too large', $fine . '#' x (1 << 20), $list, qr/1 MiB/);
refused('an empty list', $fine, '[]', qr/no seeds are known/);
refused('only the own address', $fine, '["10.0.0.9"]', qr/only seed.*--first-node/);
spew("$dir/conf", qq(region: { first_node = "10.0.0.8"; };\n));
refused('another first node', $fine, '["10.0.0.9"]', qr/only seed/, '--config', "$dir/conf");
refused('no configuration', $fine, $list, qr/nowhere.*No such file/, '--config', "$dir/nowhere");
spew("$dir/bad", qq(region: { first_node = "10.0.0.9"; };\nsegmnt: { };\n));
refused('a wrong configuration', $fine, $list, qr/bad:2: unknown section "segmnt"/, '--config', "$dir/bad");
mkdir "$dir/dir";
refused('an unreadable configuration', $fine, $list, qr/cannot read the configuration/, '--config', "$dir/dir");
refused('no list', $fine, '{"a":1}', qr/no array/);
refused('no JSON', $fine, '10.0.0.1', qr/JSON/);
refused('no address', $fine, '["a,b"]', qr/no IP address/);
refused('no string', $fine, '[1]', qr/no string/);
refused('a bad own address', $fine, $list, qr/no IP address/, '--own', 'x');
chmod 0444, spew($yaml, $fine);
refused('read-only', undef, $list, qr/read-only; chmod/);
unlink $yaml;
spew("$dir/real", $fine);
symlink 'real', $yaml;
refused('a symbolic link', undef, $list, qr/symbolic link/);
is(slurp("$dir/real"), $fine, 'nor where it leads to');
unlink $yaml;
link "$dir/real", $yaml;
refused('a hard link', undef, $list, qr/hard link/);
unlink $yaml;
refused('no such file', undef, $list, qr/No such file/);
mkdir $yaml;
refused('a directory', undef, $list, qr/regular file/);
rmdir $yaml;

# Without a collector, and without the own address.
spew($yaml, $fine);
my ($exit, $said) = run($ctl, 'seeds', '--apply', $yaml, '--segment', "$dir/none");
is($exit, 2, 'no segment');
like($said, qr/own address is not known; give it: --own/, 'says what to give');
($exit, $said) = run($ctl, 'seeds', '--apply', $yaml, '--segment', "$dir/none", '--own', '10.0.0.9');
is($exit, 2, 'no list');
like($said, qr/no such file; is prober-collector running/, 'says why');
is(slurp($yaml), $fine, 'the file is as it was');

# Those that Cassandra brings.
for my $real (glob root() . '/build/cassandra/*/conf/cassandra*.yaml') {
    my $text = slurp($real);
    next if $text !~ /^seed_provider:/m;
    spew($yaml, $text);
    is((apply($list))[0], 0, $real);
    (my $wanted = $text) =~ s/^(\s*- seeds: ").*?(:\d+)?"/$1 . join(',', map { $_ . ($2 \/\/ '') } '10.0.0.1', '10.0.0.2') . '"'/me;
    is(slurp($yaml), $wanted, 'only the seeds are others');
}

done();
