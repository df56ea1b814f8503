package Report;

# Collects figures and prints them: for people on stdout, for programs as KEY VALUE lines in build/bench.txt.
#
#   heading('what follows');  note('how it was measured');
#   figure('key', $value, 'what it is', unit => '%', goal => '<= 25');   # a goal makes it ok or MISSED
#   median(@numbers); finish($file);

use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw(heading note figure median finish);

my (@lines, @missed);
$| = 1;

sub heading { print "\n$_[0]\n" }
sub note    { print "    $_[0]\n" }

sub median {
    my @sorted = sort { $a <=> $b } @_;
    return @sorted % 2 ? $sorted[ @sorted / 2 ] : ($sorted[ @sorted / 2 - 1 ] + $sorted[ @sorted / 2 ]) / 2;
}

sub reached {
    my ($value, $goal) = @_;
    my ($sign, $bound) = $goal =~ /^([<>])= ([\d.]+)$/ or die "goal $goal";
    return $sign eq '<' ? $value <= $bound : $value >= $bound;
}

sub figure {
    my ($key, $value, $what, %option) = @_;
    my $unit = $option{unit} // '';
    my $verdict = '';
    if (my $goal = $option{goal}) {
        my $ok = reached($value, $goal);
        $verdict = sprintf '   goal %s %s', $goal, $ok ? 'ok' : 'MISSED';
        push @missed, $key if !$ok;
    }
    printf "  %-58s %10s %-6s%s%s\n", $what, $value, $unit, $verdict, $option{more} ? "   $option{more}" : '';
    push @lines, "$key $value\n";
}

sub finish {
    my ($file) = @_;
    open my $out, '>', $file or die "$file: $!";
    print {$out} @lines;
    close $out or die "$file: $!";
    print "\n", @missed ? "missed: @missed" : 'every goal reached', "; all figures: $file\n";
    return !@missed;
}

1;
