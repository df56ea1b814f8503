#!/usr/bin/perl
# The seams of the house: who may include what. A change that breaks one of these changes the architecture.
use strict;
use warnings;
use Test::More;

my @files = sort glob('{shared,collector,collector/*,ngx_prober_module,proberctl}/*.{c,h}');
ok(@files > 20, 'the sources are found');

my %includes;
for my $file (@files) {
    open my $in, '<', $file or die "$file: $!";
    $includes{$file} = [ map { /^\s*#\s*include\s*[<"]([^>"]+)/ ? $1 : () } <$in> ];
}

# What the file's includes that match `pattern` are.
sub includes { my ($file, $pattern) = @_; grep { $_ =~ $pattern } @{ $includes{$file} } }

sub only {
    my ($what, $pattern, $where) = @_;
    my @wrong = grep { $_ !~ $where && includes($_, $pattern) } @files;
    is("@wrong", '', "only $where includes $what");
}

only('ngx_*.h', qr/^ngx_|^nginx/, qr{^ngx_prober_module/});
only('curl', qr/^curl\//, qr{^(collector/sources/|proberctl/(request|job|gate)\.c)});
only('jansson', qr/^jansson/, qr{^proberctl/|^collector/(sources/(jolokia|peer_view|json_answer|region_answer)\.[ch]|(control|store)/\w+\.[ch])$});
only('libconfig', qr/^libconfig/, qr{^collector/conf(_\w+)?\.[ch]$});
only('systemd', qr/^systemd\//,
    qr{^collector/(main\.c|(collector|control|operator_state|record)\.[ch]|judge\.c|collector_private\.h|region_watch\.[ch]|reload_seeds\.[ch]|follow_keyspaces\.[ch]|acting/\w+\.[ch]|(journal|log|notify)\.c|sources/(poller|http|probe|source|jrmp|jmx_session)\w*\.[ch]|control/.*|store/.*)$});
only('the segment writer', qr/prober_segment_writer/,
    qr{^(shared/prober_segment_\w+\.[ch]|collector/publish/publish\.[ch]|collector/collector(_private)?\.[ch])$});

# Direction: sources -> model -> publish. A stage includes its own types and earlier ones, never a later one.
my %later = (
    'collector/sources' => qr{model/|publish/|control/|store/|acting/},
    'collector/model'   => qr{publish/|control/|store/|acting/},
    'collector/store'   => qr{publish/|control/|acting/},
    'collector/control' => qr{acting/},
    'collector/publish' => qr{control/|store/|acting/},
);
for my $stage (sort keys %later) {
    my @wrong = grep { index($_, "$stage/") == 0 && includes($_, $later{$stage}) } @files;
    is("@wrong", '', "$stage includes no later stage");
}

# model/ and publish/ are pure: no clock, socket, file or log.
my @impure = grep { m{^collector/(model|publish)/}
        && includes($_, qr{^(sys/socket|sys/stat|fcntl|unistd|netinet/|arpa/|sys/resource|log\.h|.*/log\.h)}) } @files;
is("@impure", '', 'model/ and publish/ include no header of the outside world');

my @calls;
for my $file (grep { m{^collector/model/|^collector/publish/} } @files) {
    open my $in, '<', $file or die "$file: $!";
    while (<$in>) {
        push @calls, "$file:$." if /\b(clock_gettime|gettimeofday|time|fopen|open|socket|log_\w+)\s*\(/
            && !m{^\s*(\*|/\*|//)};
    }
}
is("@calls", '', 'model/ and publish/ call no clock, file, socket or log');

# proberctl is a reader like nginx: of the collector it knows the documents, and how a duration is written.
my %ours = map { m{([^/]+)$} ? ($1 => 1) : () } grep { m{^collector/} } @files;
my @tied = grep { my $file = $_; $file =~ m{^proberctl/} && grep { ($ours{$_} && $_ ne 'conf.h') || m{/.*\.h$} && -e "collector/$_" }
        @{ $includes{$file} } } @files;
is("@tied", '', 'proberctl includes nothing of the collector but conf.h');

# shared/ is compiled by both sides: libc only, and nothing but prober_ names leave it.
my @foreign = grep { m{^shared/} && includes($_, qr{^(systemd|curl|jansson|libconfig|ngx_|\.\./)}) } @files;
is("@foreign", '', 'shared/ includes libc only');

SKIP: {
    my ($library) = grep { -e } 'build/libprober.a';
    skip 'build/libprober.a is not built', 1 unless $library;
    my %shared = map { s{.*/}{}r =~ s/\.c$/.o/r => 1 } grep { /\.c$/ && m{^shared/} } @files;
    my ($member, @names) = ('');
    for (`nm -g --defined-only $library 2>/dev/null`) {
        $member = $1 if /^(\S+\.o):/;
        push @names, "$member:$1" if $shared{$member} && /\s[TDBRV]\s+(\S+)/ && $1 !~ /^prober_/;
    }
    is("@names", '', 'every extern name of shared/ starts with prober_');
}

# A file that outgrows its room wants another room.
my @long;
for my $file (@files) {
    open my $in, '<', $file or die "$file: $!";
    my @lines = <$in>;
    push @long, "$file:" . scalar @lines if @lines > 520;
}
is("@long", '', 'no file is longer than about 500 lines');

done_testing();
