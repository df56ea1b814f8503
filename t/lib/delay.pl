#!/usr/bin/perl
# Makes two tap devices and passes what comes in at one on to the other, so many seconds late, until it is ended.
#
#   delay.pl NAME NAME SECONDS
use strict;
use warnings;
use Fcntl qw(O_RDWR O_NONBLOCK);
use Time::HiRes 'time';

use constant { TUNSETIFF => 0x400454ca, IFF_TAP_NO_PI => 0x1002 };

my ($near, $far, $late) = @ARGV;

sub tap {
    my ($name) = @_;
    sysopen my $tap, '/dev/net/tun', O_RDWR | O_NONBLOCK or die "/dev/net/tun: $!";
    ioctl $tap, TUNSETIFF, pack('a16 S x22', $name, IFF_TAP_NO_PI) or die "$name: $!";
    return $tap;
}

my @tap = (tap($near), tap($far));
my @queue;    # [ when it goes out, where, the frame ], in that order
while (1) {
    my $ready = '';
    vec($ready, fileno $_, 1) = 1 for @tap;
    my $wait = @queue ? $queue[0][0] - time : undef;
    select $ready, undef, undef, defined $wait && $wait < 0 ? 0 : $wait;
    for my $from (0, 1) {
        push @queue, [ time + $late, $tap[ 1 - $from ], my $copy = $_ ]
            while sysread $tap[$from], $_, 65536;
    }
    while (@queue && $queue[0][0] <= time) {
        my (undef, $to, $frame) = @{ shift @queue };
        syswrite $to, $frame;
    }
}
