#!/usr/bin/perl
# What an operator's automation does with a new region, for tests: waits while /regions says so, then does what /plan says,
# one step after the other, on a fleet simulator.
#
#   beginner.pl http://PROBER http://FLEET-CONTROL FIRST-NODE
#
# The fleet's FIRST-NODE is there and does not run; each node more joins. Says what it does, with the time.
use strict;
use warnings;
use HTTP::Tiny;
use JSON::PP;
use List::Util qw(sum0);
use Time::HiRes qw(sleep time);

my ($prober, $fleet, $first) = @ARGV;
my $http = HTTP::Tiny->new(timeout => 2);
my $added = 0;
my $said = '';
$| = 1;

sub say_once {
    my ($text) = @_;
    printf "%.3f %s\n", time, $text if $text ne $said;
    $said = $text;
}

sub get {
    my ($path) = @_;
    my $answer = $http->get("$prober$path");
    return $answer->{success} ? eval { decode_json($answer->{content}) } : undef;
}

sub add {
    my ($step) = @_;
    my $path = $added++ == 0 ? "nodes/$first/start" : "join?dc=$step->{dc}&rack=$step->{rack}";
    my $answer = $http->post("$fleet/$path");
    say_once("$path: $answer->{status}");
}

while (getppid != 1) {
    my ($regions, $plan) = (get('/regions'), get('/plan'));
    if ($regions && defined $regions->{waits}) {
        say_once("waits: $regions->{waits}");
    } elsif ($regions && $plan) {
        my $present = sum0(map { $_->{present} } @{ $plan->{dcs} });
        my ($step) = grep { $_->{do} eq 'add a node' } @{ $plan->{next} };
        # What was added last is there before the next one is.
        add($step) if $step && $present == $added;
    }
    sleep 0.1;
}
