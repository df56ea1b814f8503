package Prober::Docs;

# The commands in README.md and doc/*.md, and where each of them is run.
#
# In a block that begins with ```console a line that begins with "$ " is a command for anybody, with "# " one for root on a
# Cassandra host. What follows it is what it says, in part: each line has to come, in this order, "…" being anything, and a line
# need not be shown to its end. <!-- given: crash 10.0.0.3 --> before a block is done to the simulated fleet first.
#
#   my @commands = Prober::Docs::commands();       # or of the pages in a directory, as they are installed
#   # each { file, line, root, command, says => [ ... ], given => [ ... ], section, place }
#   my @blocks = Prober::Docs::blocks('haproxy');  # { file, line, text } of other blocks
#   Prober::Docs::says($command, $output);         # undef, or the line that is missing
#
# Places: "demo" (t/demo.t, t/cluster_demo.t), "walk" (t/cluster_jobs.t), "boot" (t/lib/boot_inside.pl, in a booted Debian), "hosts"
# (t/jobs.t, on several of these with etcd) and "scratch" (t/docs_commands.t).

use strict;
use warnings;
use Prober::Test ();

my @order = qw(README operators-guide rolling-operations load-balancers security troubleshooting glossary upgrade);

sub pages {
    my ($dir) = @_;
    my $root = Prober::Test::root();
    my %found = map { m{([^/]+)\.md$} ? ($1 => $_) : () } $dir ? glob("$dir/*.md") : ("$root/README.md", glob "$root/doc/*.md");
    delete $found{ARCHITECTURE};
    my %first = map { $order[$_] => $_ } 0 .. $#order;
    return map { $found{$_} } sort { ($first{$a} // 99) <=> ($first{$b} // 99) || $a cmp $b } keys %found;
}

# What of a page is in blocks, and what is not.
sub parse {
    my ($file) = @_;
    my (@parts, $block, $section);
    my $number = 0;
    for my $line (split /\n/, Prober::Test::slurp($file)) {
        $number++;
        if ($line =~ /^```(\w*)$/) {
            if ($block) { push @parts, $block; undef $block }
            else        { $block = { file => $file, line => $number, language => $1, text => '', section => $section } }
        } elsif ($block) {
            $block->{text} .= "$line\n";
        } else {
            $section = $1 if $line =~ /^#+ (.*)/;
            push @parts, { file => $file, line => $number, language => 'given', text => $1 } if $line =~ /^<!-- given: (.*) -->$/;
            push @parts, { file => $file, line => $number, language => 'indented', text => "$1\n" } if $line =~ /^    (\S.*)/;
        }
    }
    die "$file: a block has no end" if $block;
    return @parts;
}

sub blocks { my ($language, $dir) = @_; return grep { $_->{language} eq $language } map { parse($_) } pages($dir) }

sub place {
    my ($command) = @_;
    my $text = $command->{command};
    return 'demo' if $text =~ m{^\./t/demo( --cassandra)?$};
    return 'walk' if $command->{section} eq 'Restart a node, and nobody notices';
    # What several hosts do with their units.
    return 'hosts' if $command->{section} =~ /^(?:Run states|Jobs: one node after the other)$/;
    # This host as it is installed: 127.0.0.1, its files, its units, its packages.
    return 'boot' if $text =~ /^(?:apt|apt-get|systemctl|journalctl|systemd-analyze|usermod|ln|rm|cp|chown|stat|tail) /
        || $text =~ m{^curl .*//127\.0\.0\.1:8888/};
    return 'scratch' if $text =~ /^(?:curl|proberctl|prober-collector|haproxy|promtool|etcdctl|printf|chmod) |^\/usr\/share\/doc\/cassandra-prober\//;
    return;
}

sub commands {
    my ($dir) = @_;
    my (@commands, @given);
    for my $part (map { parse($_) } pages($dir)) {
        if ($part->{language} eq 'given') { push @given, $part->{text}; next }
        next if $part->{language} ne 'console';
        my $number = $part->{line};
        for my $line (split /\n/, $part->{text}) {
            $number++;
            if (my ($prompt, $text) = $line =~ /^([\$#]) (.*)/) {
                push @commands, { file => $part->{file} =~ s{.*/}{}r, line => $number, root => $prompt eq '#', command => $text, says => [],
                    given => [ splice @given ], section => $part->{section} };
            } else {
                die "$part->{file}:$number: said by no command" if !@commands;
                push @{ $commands[-1]{says} }, $line;
            }
        }
    }
    push @{ $commands[-1]{after} }, splice @given if @commands;
    $_->{place} = place($_) for @commands;
    return @commands;
}

# Status 1 is an answer of those.
sub is_answer { my ($command, $status) = @_; return $status == 0 || $status == 1 && $command->{command} =~ /^proberctl (?:status|why|job (?:status|last))\b/ }

# The first line that is not there.
sub says {
    my ($command, $said) = @_;
    my @said = split /\r?\n/, $said;
    for my $line (@{ $command->{says} }) {
        my $pattern = join '.*', map { quotemeta } split /…/, $line, -1;
        shift @said while @said && $said[0] !~ /^$pattern/;
        return $line if !@said;
        shift @said;
    }
    return;
}

sub name { my ($command) = @_; return "$command->{file}:$command->{line}: $command->{command}" }

1;
