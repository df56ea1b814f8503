#!/usr/bin/perl
# README.md and doc/*.md: every command has a test that runs it, links lead somewhere, and what the programs have is in them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Prober::Docs;
use Prober::Test;

my $root = root();

# Where each is run: t/demo.t and t/cluster_demo.t begin both demos; of the others the tests named here take them from the pages.
my @commands = Prober::Docs::commands();
cmp_ok(scalar(@commands), '>', 40, 'there are commands');
is_deeply([ map { Prober::Docs::name($_) } grep { !$_->{place} } @commands ], [], 'each has a place where it is run');
my %runs = (demo => [ 't/demo.t', qr/demo\(120/ ], walk => [ 't/cluster_jobs.t', qr/place\} eq 'walk'/ ],
    boot => [ 't/lib/boot_inside.pl', qr/place\} eq 'boot'/ ], scratch => [ 't/docs_commands.t', qr/place\} eq 'scratch'/ ], hosts => [ 't/jobs.t', qr/place\} eq 'hosts'/ ]);
for my $place (sort keys %runs) {
    my ($file, $how) = @{ $runs{$place} };
    ok(slurp("$root/$file") =~ $how, "$file runs: $place");
    note("$file:\n", map { '  ' . Prober::Docs::name($_) . "\n" } grep { ($_->{place} // '') eq $place } @commands);
}
ok(slurp("$root/t/cluster_demo.t") =~ /demo\(600, '--cassandra'\)/, 't/cluster_demo.t runs the other demo');
my $command = qr/^\s*(?:sudo |[\$#] )*(?:curl|proberctl|apt|apt-get|dnf|rpm|systemctl|journalctl|make|nodetool|haproxy|promtool|etcdctl|prober-collector|usermod)\s/;
my @hidden = map { "$_->{file}:$_->{line}" } grep { $_->{language} !~ /^(?:console|given)$/ && $_->{text} =~ /$command/m }
    map { Prober::Docs::parse($_) } Prober::Docs::pages();
is_deeply(\@hidden, [], 'none hides in another block');
my %language = map { $_->{language} => 1 } map { Prober::Docs::parse($_) } Prober::Docs::pages();
is_deeply([ grep { !/^(?:console|given|indented|haproxy|nginx|conf)$/ } sort keys %language ], [], 'each kind of block is looked at');
# Links lead somewhere, here and as they are installed.
for my $page (Prober::Docs::pages()) {
    my $dir = $page =~ s{/[^/]+$}{}r;
    my @links = slurp($page) =~ /\]\((?!https?:)([^)#]*(?:#[^)]*)?)\)/g;
    my @dead = grep {
        my ($file, $anchor) = split /#/, $_, 2;
        my $to = length $file ? "$dir/$file" : $page;
        my %anchors = map { lc s/[^\w\s-]//gr =~ s/ /-/gr => 1 } slurp($to) =~ /^#+ (.*)/gm;
        !-e $to || defined $anchor && !$anchors{$anchor};
    } @links;
    is_deeply(\@dead, [], $page =~ s{.*/}{}r . ': its links lead somewhere');
}

# The guide has every key, directive and variable, in its tables.
{
    my $guide = slurp("$root/doc/operators-guide.md");
    my $page = slurp("$root/man/collector.conf.5") =~ s/\\f[BIRP]//gr =~ s/\\-/-/gr;
    my @keys = grep { !/^(?:datacenters|regions|systemd)\./ } $page =~ /^\.BR? ([a-z]+\.[a-z_]+)/gm;
    cmp_ok(scalar(@keys), '>', 20, 'the keys are found');
    my $has = sub { my ($section, $key) = split /\./, $_[0]; return $guide =~ /^\|[^|]*`(?:\Q$section\E)?\.\Q$key\E`/m && $guide =~ /`\Q$section\E\.\w+`/ };
    is_deeply([ grep { !$has->($_) } @keys ], [], 'each is in the guide');
    my $module = slurp("$root/ngx_prober_module/ngx_http_prober_module.c");
    my @words = ($module =~ /ngx_string\("(prober\w*)"\)/g);
    is_deeply([ grep { $guide !~ /[`\$]\Q$_\E\b/ } @words ], [], 'each directive and variable, too');
}

# The walk of the README is short.
my @walk = grep { $_->{place} eq 'walk' } @commands;
my @install = grep { $_->{file} eq 'README.md' && $_->{section} eq 'Install it' } @commands;
cmp_ok(scalar(@walk), '>', 4, 'there is a walk');
cmp_ok(@walk + @install, '<', 10, 'from nothing to a node that was drained, restarted and is back: under ten commands');

done();
