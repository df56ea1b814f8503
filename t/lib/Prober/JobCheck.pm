package Prober::JobCheck;

# Whether a job has been what it says: from the journals of all hosts, where each service manager itself tells when it started
# which unit, and from the document that the job has left.
#
#   my $check = Prober::JobCheck->new($hosts);           # from now on
#   $check->check($job, 'restart');                      # the ended job as /jobs/TYPE has it: tests, one after the other
#
# The hosts are containers of one kernel, so their times can be compared.

use strict;
use warnings;
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(time);
use Time::Local qw(timegm);

# Of systemd, for a unit that begins to start, has started (a oneshot: has ended well), has failed.
use constant STARTING => '7d4958e842da4a758f6c1cdc7b36dcc5';
use constant STARTED  => '39f53479d3a045ac8e11786248231fbf';
use constant FAILED   => 'be02cf6855d2428ba40df7e9d022f03d';
use constant STOPPING => 'de5b426a63be47a7b6ac3eaac82e2f6f';

# Ours: collector/messages.h.
use constant JOB      => '6cb02523fe734ca3a8c43a1fb24866e0';
use constant JOB_NODE => '85d44002d9f84970b0c1df84a4fb1d5d';
use constant JOB_RUNS => '5f2372dbde084ba49897370241c34099';

sub new { my ($class, $hosts) = @_; return bless { hosts => $hosts, since => time }, $class }

# Entries of a host's journal since then that match, oldest first, as hashes; at: s since 1970.
sub entries {
    my ($self, $number, @match) = @_;
    my $said = $self->{hosts}->must($number, qw(journalctl -q --no-pager -o json), '--since=@' . int $self->{since}, @match);
    my @entries = map { JSON::PP::decode_json($_) } grep { /^\{/ } split /\n/, $said;
    $_->{at} = $_->{__REALTIME_TIMESTAMP} / 1e6 for @entries;
    return grep { $_->{at} >= $self->{since} } @entries;
}

sub number_of { my ($self, $address) = @_; return (grep { $self->{hosts}->ip($_) eq $address } $self->{hosts}->numbers)[0] }

sub seconds { my ($text) = @_; my @t = ($text // '') =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)Z$/ or return; return timegm($t[5], $t[4], $t[3], $t[2], $t[1] - 1, $t[0]) }

# From the entries of systemd: [from, to, host] of each time a unit ran. to: undef, it still runs.
sub runs {
    my ($self, $number, $unit) = @_;
    my @runs;
    for my $entry ($self->entries($number, '_PID=1', "UNIT=$unit")) {
        my $id = $entry->{MESSAGE_ID} // '';
        push @runs, [ $entry->{at}, undef, $number ] if $id eq STARTING;
        $runs[-1][1] //= $entry->{at} if @runs && ($id eq STARTED || $id eq FAILED);
    }
    return @runs;
}

# When each node's Cassandra was on the way down, or up.
sub outages {
    my ($self, $number) = @_;
    my @outages;
    for my $entry ($self->entries($number, '_PID=1', 'UNIT=cassandra.service')) {
        my $id = $entry->{MESSAGE_ID} // '';
        push @outages, [ $entry->{at}, undef, $number ] if $id eq STOPPING;
        $outages[-1][1] //= $entry->{at} if @outages && $id eq STARTED;
    }
    return @outages;
}

# Those that begin before the one before them has ended.
sub overlaps {
    my @sorted = sort { $a->[0] <=> $b->[0] } @_;
    return map { my ($one, $two) = @sorted[ $_ - 1, $_ ]; !defined $one->[1] || $two->[0] < $one->[1] ? "$one->[2] and $two->[2]" : () } 1 .. $#sorted;
}

sub check {
    my ($self, $job, $what) = @_;
    my $unit = "cassandra-prober-job\@$job->{type}.service";
    my (@ran, %ran, %told, %acted);
    for my $number ($self->{hosts}->numbers) {
        my @runs = $self->runs($number, $unit);
        $ran{$number} = @runs;
        push @ran, @runs;
        for my $entry ($self->entries($number, "JOB=$job->{id}")) {
            $acted{ $entry->{NODE} }++ if $entry->{MESSAGE_ID} eq JOB_RUNS;
            $told{ $entry->{NODE} }{ $entry->{JOB_STATE} }++ if $entry->{MESSAGE_ID} eq JOB_NODE;
        }
    }
    my (@wrong, @silent, @held);
    for my $node (@{ $job->{nodes} }) {
        my $number = $self->number_of($node->{node});
        my $expected = $node->{state} eq 'done' ? 1 : $node->{state} eq 'skipped' ? 0 : undef;
        push @wrong, "$node->{node} is $node->{state} and ran $ran{$number} times"
            if $ran{$number} > 1 || defined $expected && $ran{$number} != $expected;
        push @wrong, "$node->{node} was restarted, and did not stop"
            if $job->{type} eq 'restart' && $node->{state} eq 'done' && $self->outages($number) == 0;
        push @wrong, "$node->{node} ran without a word" if $ran{$number} && !$acted{ $node->{node} };
        push @silent, $node->{node} if $node->{state} !~ /^(done|failed|skipped)$/ || $node->{state} ne 'done' && !length $node->{why};
        # From the moment that systemd started it until the job says that the node is well again.
        push @held, map { [ $_->[0], seconds($node->{ended}), $number ] } $self->runs($number, $unit);
    }
    is_deeply(\@wrong, [], "$what: no node twice, and each that is done ran once") or diag(explain($job));
    is_deeply(\@silent, [], "$what: none is left out silently");
    is_deeply([ overlaps(@ran) ], [], "$what: never two units at once");
    is_deeply([ overlaps(@held) ], [], "$what: none before the last one's node was well again") or diag(explain([ \@held, $job ]));
    is_deeply([ overlaps(map { $self->outages($_) } $self->{hosts}->numbers) ], [], "$what: never two nodes down at once");
    return { ran => \%ran, told => \%told, acted => \%acted };
}

1;
