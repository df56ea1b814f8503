package Prober::Test;

# What every test here needs; core Perl only.
#
#   use FindBin; use lib "$FindBin::Bin/lib"; use Prober::Test;
#
#   my $nginx = nginx(<<'CONF');              # Prober::Nginx: a configuration with %%PLACEHOLDERS%%, running
#   my $segment = segment();                  # Prober::Segment: a segment with a living writer
#   my $answer = http($nginx->port, 'GET /x', header => ['A: b'], body => ...);   # Prober::Http
#   my $p = start(name => ..., command => [...]);                                 # Prober::Process
#   wait_for(sub { ... }, 'what', $seconds);  # dies when it takes too long
#   done();                                   # stops everything, checks the logs, ends the test
#
# Also: root() of the checkout, tempdir(), free_port(), slurp(FILE), spew(FILE, TEXT), run(COMMAND...).

use strict;
use warnings;
use Cwd ();
use Exporter 'import';
use File::Temp ();
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

use Prober::Http;
use Prober::Nginx;
use Prober::Process;
use Prober::Segment;

our @EXPORT = qw(root tempdir free_port slurp spew run wait_for start nginx segment http done);

# A test that is told to end runs its END blocks.
$SIG{INT}  = sub { exit 130 };
$SIG{TERM} = sub { exit 143 };
$SIG{PIPE} = 'IGNORE';

(my $root = Cwd::abs_path(__FILE__)) =~ s{/t/lib/Prober/Test\.pm$}{};
sub root { $root }

# The test's own directory, open to nginx's workers; kept when PROBER_KEEP is set.
my $tempdir;

sub tempdir {
    if (!$tempdir) {
        $tempdir = File::Temp->newdir('prober-XXXXXX', TMPDIR => 1, CLEANUP => !$ENV{PROBER_KEEP});
        chmod 0755, "$tempdir";
        diag("files are kept in $tempdir") if $ENV{PROBER_KEEP};
    }
    return "$tempdir";
}

# A TCP port of the kernel's choice that nobody had a moment ago.
sub free_port {
    my ($address) = @_;
    my $socket = IO::Socket::INET->new(LocalAddr => $address // '127.0.0.1', LocalPort => 0, Listen => 1)
        or die "no free port: $@";
    return $socket->sockport;
}

sub slurp {
    my ($file) = @_;
    open my $in, '<:raw', $file or return '';
    local $/;
    return scalar(<$in>) // '';
}

sub spew {
    my ($file, $text) = @_;
    open my $out, '>:raw', $file or die "$file: $!";
    print {$out} $text;
    close $out or die "$file: $!";
    return $file;
}

# Runs a command to its end: (exit status, what it said on both its outputs).
sub run {
    my $pid = open(my $out, '-|') // die "fork: $!";
    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        { no warnings; exec { $_[0] } @_ }
        print "$_[0]: $!\n";
        POSIX::_exit(127);
    }
    local ($/, $?);
    my $said = <$out> // '';
    close $out;
    return (($? & 127) ? 128 + ($? & 127) : $? >> 8, $said);
}

# Waits until the condition is true and returns its value.
sub wait_for {
    my ($condition, $what, $timeout) = @_;
    my $end = time + ($timeout // 30);
    while (1) {
        my $value = $condition->();
        return $value if $value;
        die sprintf("waited %s s in vain for %s\n", $timeout // 30, $what // 'it') if time > $end;
        sleep 0.02;
    }
}

sub start   { Prober::Process->start(@_) }
sub nginx   { Prober::Nginx->start(@_) }
sub segment { Prober::Segment->hold(@_) }

# Stops everything, checks that no nginx said anything alarming, ends the test.
my $done;

sub done {
    Prober::Process::stop_all();
    Prober::Nginx::check_logs();
    $done = 1;
    done_testing();
}

# What a failed test leaves to be read.
END {
    if ($tempdir && (!$done || !Test::More->builder->is_passing)) {
        local $?;
        for my $log (glob "$tempdir/*.log") {
            my @lines = split /\n/, slurp($log);
            diag(join "\n", "--- $log", @lines > 20 ? @lines[-20 .. -1] : @lines) if @lines;
        }
    }
}

1;
