#!/usr/bin/perl
# Completion in bash, as bash itself does it: what comes up for a line with the cursor at its end.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Prober::Test;

my $dir = tempdir();
my $root = root();
my $segment = segment("$dir/segment");
my $nodes = join ',', map { qq({"address":"$_","verdict":"ready"}) } qw(10.0.0.1 10.0.0.2 10.0.0.13 2001:db8::1);
$segment->put('/nodes', 200, qq({"nodes":[$nodes]}));
spew("$dir/collector.conf", '');

# The words that bash comes up with for the last of these.
sub complete {
    my ($program, @words) = @_;
    local $ENV{PATH} = "$root/build:$ENV{PATH}";
    my ($status, $said) = run('bash', '-uc', 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
        spec=$(complete -p "$1") || exit; function=${spec#*-F }; ${function%% *} "$1" "${!#}" "${@: -2:1}"; printf "%s\n" "${COMPREPLY[@]}"',
        "$root/packaging/completion/$program", $program, @words);
    return join ' ', $status || (), split /\n/, $said;
}

is(complete('proberctl', ''), 'status nodes why wait seeds dcs plan regions drain undrain run-state gate set unset decisions history job suspend resume repaired', 'the commands');
is(complete('proberctl', 'un'), 'undrain unset', 'those that begin so');
is(complete('proberctl', '--json', 'n'), 'nodes', 'after an option');
is(complete('proberctl', '--se'), '--segment', 'an option');
is(complete('proberctl', 'seeds', '--apply', "$dir/coll"), "$dir/collector.conf", 'a file');
my @there = ('--segment', "$dir/segment");
is(complete('proberctl', @there, 'why', ''), '10.0.0.1 10.0.0.2 10.0.0.13 2001:db8::1', 'the nodes of the cluster');
is(complete('proberctl', @there, 'why', '10.0.0.1'), '10.0.0.1 10.0.0.13', 'those that begin so');
is(complete('proberctl', @there, 'drain', '10.0.0.2', '--t'), '--ttl', 'the options of a command');
is(complete('proberctl', @there, 'wait', ''), 'ready', 'wait for what');
is(complete('proberctl', @there, 'wait', 'ready', '10.0.0.13'), '10.0.0.13', 'and for whom');
is(complete('proberctl', 'set', 'reaper-'), 'reaper-ips reaper-ready', 'keys');
is(complete('proberctl', 'set', 'reaper-ready', ''), 'true false', 'and a boolean');
is(complete('proberctl', 'set', 'localseeds', ''), '', 'what nobody can guess');
is(complete('proberctl', 'seeds', '--first'), '--first-node', 'what is for seeds');
is(complete('proberctl', @there, 'seeds', '--apply', 'x.yaml', '--own', '2001'), '2001:db8::1', 'an address for an option');
is(complete('proberctl', '--segment', '/nowhere', 'why', ''), '', 'no segment: no nodes, and no message');
is(complete('prober-collector', '--c'), '--config --check-config', 'prober-collector: options');
is(complete('prober-collector', '--config', "$dir/coll"), "$dir/collector.conf", 'and files');

done();
