package Prober::Fleet;

# A running fleet simulator (t/lib/fleet).
#
#   my $fleet = Prober::Fleet->start(layout => 'dc1:r1=2;dc2:r1=1', convict => 0.5, boot => 1);
#   $fleet->{nodes}[0];  $fleet->{port};  $fleet->{static};      # as in its ready line
#   $fleet->post("nodes/$ip/crash");                             # dies when it is refused
#   $fleet->node($ip)->{mode};  $fleet->nodes;                   # its own account of itself
#   $fleet->read($ip, { type => 'read', mbean => ..., attribute => ... }, ...);   # as Jolokia answers
#   $fleet->answer($ip, $body, $query);                          # the same as Prober::Http has it
#   $fleet->stop;
#
# Options are those of t/lib/fleet; an option without a value is given as option => undef. And within: a command before
# it, such as nsenter.

use strict;
use warnings;
use HTTP::Tiny;
use JSON::PP;
use Prober::Test ();
use Prober::Http;

my $count = 0;

sub start {
    my ($class, %option) = @_;
    my $name = 'fleet' . ($count++ || '');
    my @within = @{ delete $option{within} || [] };
    my @options = map { my $value = $option{$_}; ("--$_", defined $value ? $value : ()) } sort keys %option;
    my $process = Prober::Test::start(
        name => $name, answers => 1, command => [ @within, Prober::Test::root() . '/t/lib/fleet', @options ]);
    my $line = readline $process->{answers};
    die "the fleet did not start: " . $process->output unless defined $line;
    return bless { %{ decode_json($line) }, process => $process }, $class;
}

sub stop { $_[0]{process}->stop }
sub pid  { $_[0]{process}{pid} }

sub control {
    my ($self, $method, $path) = @_;
    my $response = HTTP::Tiny->new->request($method, "$self->{control}/$path");
    die "$method $path: $response->{status} $response->{content}" unless $response->{success};
    return decode_json($response->{content});
}

sub post  { $_[0]->control(POST => $_[1]) }
sub nodes { @{ $_[0]->control(GET => 'nodes') } }
sub node  { $_[0]->control(GET => "nodes/$_[1]") }

sub answer {
    my ($self, $ip, $body, $query) = @_;
    $body = encode_json($body) if ref $body;
    return http($self->{port}, 'POST /jolokia/' . ($query // ''), address => $ip, body => $body);
}

sub read {
    my ($self, $ip, @reads) = @_;
    my $answer = $self->answer($ip, \@reads);
    return $answer->{status} ? @{ decode_json($answer->{body}) } : ();
}

1;
