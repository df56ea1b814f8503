package Prober::Demo;

# A running t/demo, and what it may not leave behind.
#
#   my $demo = demo($seconds, '--for', 3);   # a Prober::Process, when it has explained itself
#   my $demo = begin_demo('--for', 3);       # at once
#   kill INT => -$demo->{pid};               # as Ctrl-C
#   is_gone($demo, 'Ctrl-C');                # tests that no process and no file is left
#   files('/nginx.pid');                     # of its temporary directory

use strict;
use warnings;
use Exporter 'import';
use Prober::Test;
use Test::More;

our @EXPORT = qw(demo begin_demo left_over is_gone files);

# A directory of temporary directories for the test's demos.
sub directory {
    my $tmp = tempdir() . '/tmp';
    mkdir $tmp;
    return $tmp;
}

sub files { my ($name) = @_; return glob directory() . '/*' . ($name // '') }

sub begin_demo {
    my (@options) = @_;
    unlink my $log = tempdir() . '/demo.log';
    return start(
        name => 'demo', log => $log, env => { TMPDIR => directory() },
        command => [ root() . '/t/demo', '--port', free_port(), @options ]);
}

sub demo {
    my ($seconds, @options) = @_;
    my $demo = begin_demo(@options);
    wait_for(sub { !$demo->alive || $demo->output =~ /^(?:Ends.*)?Ctrl-C ends everything/m }, 'the demo', $seconds);
    die "t/demo failed\n" if !$demo->alive;
    return $demo;
}

# Processes that were told of the demo's directory, or are in its process group.
sub left_over {
    my ($demo) = @_;
    my $tmp = directory();
    my @left;
    for my $proc (glob '/proc/[0-9]*') {
        my ($group) = slurp("$proc/stat") =~ /^.*\) \S \d+ (\d+)/s or next;
        (my $line = slurp("$proc/cmdline")) =~ tr/\0/ /;
        push @left, $line if $line && ($line =~ m{\Q$tmp\E/} || $group == $demo->{pid});
    }
    return @left;
}

sub is_gone {
    my ($demo, $how) = @_;
    my @left = eval { wait_for(sub { !left_over($demo) }, 'processes to end', 5) } ? () : left_over($demo);
    is("@left", '', "$how: no process is left");
    is(join(' ', files()), '', "$how: no file is left");
}

1;
