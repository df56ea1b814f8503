#!/usr/bin/perl
# What people read says what the programs do: every key, option, directive and path is in its man page, every kind of journal
# entry has its text, every metric that an alert asks for is there.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Prober::Test;

my $root = root();
my $dir = tempdir();
sub source { slurp("$root/$_[0]") || die "no $_[0]" }
sub have_tool { my ($tool) = @_; return scalar grep { -x "$_/$tool" } split /:/, "$ENV{PATH}:/usr/sbin:/sbin" }

# A page as it is written, without its markup.
sub page {
    my $text = source("man/$_[0]");
    $text =~ s/\\f[BIRP]//g;
    $text =~ s/\\-/-/g;
    $text =~ s{^\.(?:[BI]|BR|RB|BI|IB|RI|IR) (.*)}{join '', map { /^"(.*)"$/ ? $1 : $_ } $1 =~ /"[^"]*"|\S+/g}gme;
    $text =~ s/\\\(dq/"/g;
    return $text;
}

# Whether the page has these, each as a word of its own.
sub page_has {
    my ($page, $what, @words) = @_;
    my $text = page($page);
    cmp_ok(scalar(@words), '>', 0, "$what are found in the sources");
    is_deeply([ grep { $text !~ /(?<![\w-])\Q$_\E(?![\w-])/ } @words ], [], "$page: all " . @words . " $what");
}

# The keys of the configuration, as section.key: from the tables that read them.
{
    my %table;
    for my $file (qw(conf.c conf_lists.c)) {
        my $text = source("collector/$file");
        while ($text =~ /struct conf_key (\w+)_keys\[\] = \{(.*?)\n\};/gs) {
            my ($name, $body) = ($1, $2);
            $table{$name} = [ $body =~ /\{"(\w+)",/g ];
        }
    }
    my %section = (datacenter => 'datacenters', region_entry => 'regions');
    page_has('collector.conf.5', 'keys', map { my $t = $_; map { ($section{$t} // $t) . ".$_" } @{ $table{$t} } } sort keys %table);
    my @sections = (source('collector/conf.c') =~ /struct section sections\[\] = \{(.*?)\n\};/s)[0] =~ /\{"(\w+)",/g;
    is_deeply([ sort map { $section{$_} // $_ } keys %table ], [ sort @sections ], 'the tables are those of all sections');

    # The examples are good ones.
    my $example = 0;
    my $page = page('collector.conf.5');
    while ($page =~ /^\.EX\n(.*?)^\.EE/gms) {
        my $file = spew("$dir/example" . ++$example, $1);
        is_deeply([ run("$root/build/prober-collector", '--config', $file, '--check-config') ], [ 0, '' ], "collector.conf.5: example $example");
    }
    cmp_ok($example, '>', 1, 'there are examples');
}

# Options, commands, exit statuses.
for my $program ([ 'collector/main.c', 'prober-collector.8' ], [ 'proberctl/main.c', 'proberctl.1' ]) {
    my ($file, $page) = @$program;
    my $text = source($file);
    page_has($page, 'options', map { "--$_" } $text =~ /\{"([a-z-]+)",\s*(?:no|required)_argument/g);
    page_has($page, 'exit statuses', $file =~ /ctl/ ? (0, 1, 2) : (0, 1));
}
{
    my $text = source('proberctl/main.c');
    my @commands = ($text =~ /\bcommands\[\] = \{(.*?)\n\};/s)[0] =~ /\{"([\w-]+)",/g;
    page_has('proberctl.1', 'commands', @commands);
    my @keys = (source('proberctl/request.c') =~ /keys\[\] = \{(.*?)\}/s)[0] =~ /"([a-z-]+)"/g;
    page_has('proberctl.1', 'keys', @keys);
    for my $word (@commands, @keys, map { "--$_" } $text =~ /\{"([a-z-]+)",\s*(?:no|required)_argument/g) {
        fail("completion of proberctl: $word") if source('packaging/completion/proberctl') !~ /(?<![\w-])\Q$word\E(?![\w-])/;
    }
    for my $word (source('collector/main.c') =~ /\{"([a-z-]+)",\s*(?:no|required)_argument/g) {
        fail("completion of prober-collector: $word") if source('packaging/completion/prober-collector') !~ /--$word\b/;
    }
}

# What the module knows, and what it answers.
{
    my $text = source('ngx_prober_module/ngx_http_prober_module.c');
    my ($commands, $variables) = map { ($text =~ /\Q$_\E\[\] = \{(.*?)ngx_\w*null_\w+/s)[0] } qw(ngx_http_prober_commands ngx_http_prober_variables);
    page_has('ngx_http_prober_module.5', 'directives', $commands =~ /ngx_string\("(\w+)"\)/g);
    page_has('ngx_http_prober_module.5', 'variables', map { "\$$_" } $variables =~ /ngx_string\("(\w+)"\)/g);
    my %path = map { s{^/jobs/%s$}{/jobs/TYPE}r =~ s{/(?:%s|\*)}{/ADDRESS}r => 1 } join('', map { slurp($_) } glob "$root/collector/publish/publish*.c") =~ m{"(/[a-z][^"]*)"}g;
    page_has('ngx_http_prober_module.5', 'paths', sort keys %path);
    page_has('prober-collector.8', 'paths of the control socket', source('collector/control/requests.c') =~ m/\{"(\/[a-z-]+)",/g,
        source('collector/reload_seeds.h') =~ m{"(/[a-z-]+)"}, source('collector/control.c') =~ m{WHOAMI_PATH "(/[a-z-]+)"}, '/drain/ADDRESS');
}

# They can be shown.
SKIP: {
    my @pages = map { s{.*/}{}r } glob "$root/man/*.[1-9]";
    is("@pages", 'collector.conf.5 ngx_http_prober_module.5 prober-collector.8 proberctl.1', 'the pages');
    skip 'no man', scalar @pages unless have_tool('man');
    for my $page (@pages) {
        my ($status, $said) = run('sh', '-c', 'MANWIDTH=80 man --warnings -E UTF-8 -l "$0" 2>&1 >/dev/null', "$root/man/$page");
        is("$status$said", '0', "$page: no warning");
        my %unknown = map { $_ => 1 } grep { !-e "$root/man/$_" } map { "$1.$2" if /([\w.-]+) \((\d)\)/ }
            source("man/$page") =~ s/\\-/-/gr =~ /^\.BR ((?:prober|collector|ngx_)\S* \(\d\))/gm;
        is_deeply([ sort keys %unknown ], [], "$page: the pages it names are there");
    }
}

# Every kind of entry of the journal has its text, once, and journald takes it.
SKIP: {
    my %id = source('collector/messages.h') =~ /#define MESSAGE_(\w+)\s+"([0-9a-f]{32})"/g;
    my $catalog = source('systemd/cassandra-prober.catalog');
    is_deeply([ sort $catalog =~ /^-- ([0-9a-f]{32})$/gm ], [ sort values %id ], 'the catalog has each MESSAGE_ID once');
    my $used = join '', map { slurp($_) } glob "$root/collector/*.c $root/collector/*/*.c";
    is_deeply([ grep { $used !~ /\bMESSAGE_$_\b/ } sort keys %id ], [], 'and each is sent somewhere');
    skip 'no journalctl', 1 unless have_tool('journalctl');
    run('mkdir', '-p', "$dir/root/usr/lib/systemd/catalog", "$dir/root/var/lib/systemd/catalog");
    spew("$dir/root/usr/lib/systemd/catalog/cassandra-prober.catalog", $catalog);
    is_deeply([ run('journalctl', '--update-catalog', "--root=$dir/root") ], [ 0, '' ], 'journald takes the catalog');
    my ($status, $list) = run('journalctl', '--list-catalog', "--root=$dir/root");
    is_deeply([ $list =~ /^([0-9a-f]{32}) cassandra-prober: \S/gm ], [ sort values %id ], 'all of it');
}

# What the alerts and notes ask for is there.
{
    my $metrics = join '', map { source("collector/publish/$_.c") } qw(metrics metrics_nodes metrics_jobs);
    my %there = map { +"cassandra_prober_$_" => 1 } $metrics =~ /\b(?:metrics_)?(?:family|counter|gauge|seconds)\(text, "(\w+)"/g,
        ($metrics =~ /\bflags\[\] = \{(.*?)\n\};/s)[0] =~ /\{"(\w+)",/g;
    cmp_ok(scalar(keys %there), '>', 10, 'the metrics are found');
    my @asked = source('packaging/examples/prometheus/alerts.yml') =~ /\b(cassandra_prober_\w+)/g;
    cmp_ok(scalar(@asked), '>', 5, 'and what the alerts ask for');
    is_deeply([ grep { !$there{$_} } @asked ], [], 'every metric of an alert is there');
    my $alerts = source('packaging/examples/prometheus/alerts.yml');
    my @labels = grep { $_ ne 'instance' } $alerts =~ /\$labels\.(\w+)/g;
    is_deeply([ grep { $metrics !~ /[{,]$_=|"$_"/ && $_ ne 'job' } @labels ], [], 'and every label');
}

done();
