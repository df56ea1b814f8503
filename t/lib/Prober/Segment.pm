package Prober::Segment;

# A segment with a living writer: build/tools/segmentctl PATH hold, which moves the heartbeat ten times a second.
#
#   my $s = segment();  or  segment($path);
#   $s->path; $s->put('/healthz/10.0.0.1', 200, '{}');  $s->put($key, 404, $body, type => 'text/plain', flags => 1);
#   $s->remove($key); $s->touch($key, $age_ms); $s->heartbeat($age_ms) or ('auto'); $s->restart; $s->stop;

use strict;
use warnings;

sub NOT_READY { 1 }
sub NO_CACHE  { 2 }

sub tool { ($ENV{PROBER_SEGMENTCTL} || Prober::Test::root() . '/build/tools/segmentctl') }

sub hold {
    my ($class, $path) = @_;
    my $self = bless { path => $path // Prober::Test::tempdir() . '/segment' }, $class;
    return $self->restart;
}

sub restart {
    my ($self) = @_;
    $self->stop;
    $self->{process} = Prober::Process->start(
        name => 'segmentctl', command => [ tool(), $self->{path}, 'hold' ], input => 1, answers => 1);
    $self->answer('hold');
    return $self;
}

sub path { $_[0]{path} }
sub pid  { $_[0]{process}{pid} }

sub stop {
    my ($self, $signal) = @_;
    my $process = delete $self->{process} or return;
    return $process->stop($signal);
}

sub answer {
    my ($self, $command) = @_;
    my $said = '';
    while (defined(my $line = readline $self->{process}{answers})) {
        return $said if $line eq "ok\n";
        die "segmentctl $command: $1\n" if $line =~ /^error (.*)/;
        $said .= $line;
    }
    die "segmentctl ended at $command: " . $self->{process}->output . "\n";
}

sub command {
    my ($self, @fields) = @_;
    print { $self->{process}{input} } join("\t", @fields), "\n";
    return $self->answer($fields[0]);
}

sub put {
    my ($self, $key, $status, $body, %option) = @_;
    if ($body =~ /[\t\n]/ || $body =~ /^@/ || length $body > 4096) {
        $body = '@' . Prober::Test::spew($self->{path} . '.body', $body);
    }
    return $self->command('put', $key, $status, $option{flags} // 0, $option{type} // 'application/json', $body);
}

sub remove    { shift->command('remove',    @_) }
sub touch     { shift->command('touch',     @_) }
sub heartbeat { shift->command('heartbeat', @_) }

# (exit status, output) of one command without a living writer.
sub once {
    my ($path, @command) = @_;
    return Prober::Test::run(tool(), $path, @command);
}

1;
