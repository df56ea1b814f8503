#!/usr/bin/perl
# What packages run after they have replaced the module: a running nginx takes the new code, and no answer is missed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy 'copy';
use IO::Socket::INET;
use Prober::Test;
use Test::More;

my $module = tempdir() . '/ngx_http_prober_module.so';

# As dpkg and rpm do it: another file in its place.
sub replace_module {
    copy(root() . '/build/ngx_http_prober_module.so', "$module.new") or die "$module.new: $!";
    rename "$module.new", $module or die "$module: $!";
}
replace_module();
$ENV{PROBER_MODULE} = $module;

my $segment = segment();
$segment->put('/ping', 200, 'pong', type => 'text/plain');

# nginx executes itself anew only as a daemon, which is nobody's child.
my $nginx = Prober::Nginx->new(daemon => 1, workers => 2);
my $conf = <<'CONF';
%%GLOBALS%%
http { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; location / { prober; prober_segment %%DIR%%/segment; } } }
CONF
$nginx->configure($conf);
my $pid_file = "$nginx->{dir}/nginx.pid";
my @options = ('-p', $nginx->{dir}, '-e', $nginx->{log}, '-c', $nginx->{conf});
my %masters;
END { kill 'KILL', map { -$_, $_ } grep { kill 0, $_ } keys %masters }

sub master {
    my ($pid) = slurp($pid_file) =~ /^(\d+)\n/;
    $masters{$pid} = 1 if $pid;
    return $pid;
}
sub reexec { run(root() . '/packaging/nginx/nginx-reexec', $pid_file, @options) }
sub old_code { slurp('/proc/' . master() . '/maps') =~ /\Q$module\E \(deleted\)/ }

is_deeply([ reexec() ], [ 0, '' ], 'nothing is done without an nginx');
my ($status, $said) = run(Prober::Nginx::binary(), @options);
is($status, 0, 'a daemon') or BAIL_OUT($said);
my $first = wait_for(\&master, 'its pid');
ok(!old_code(), 'it runs the code that is there');

replace_module();
ok(old_code(), 'the code that it runs is not there any more');

spew($nginx->{conf}, "nonsense;\n");
($status, $said) = reexec();
is($status, 2, 'not with a wrong configuration');
like($said, qr/unknown directive "nonsense".*nginx keeps the old prober module/s, 'with the reason');
is(master(), $first, 'the old nginx runs on');

# nginx -t lets a port pass that another program has.
my $occupied = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die $@;
$nginx->configure($conf =~ s/%%PORT%%;\K/ listen 127.0.0.1:@{[ $occupied->sockport ]};/r);
is_deeply([ reexec() ], [ 1, "nginx could not execute itself anew; its error log tells why\n" ], 'a new one that does not start');
is(master(), $first, 'the old nginx runs on');
$occupied->close;
$nginx->configure($conf);

# Somebody asks all the time, each time on a connection of its own.
my $ended = tempdir() . '/ended';
my $asker = open(my $answers, '-|') // die "fork: $!";
if ($asker == 0) {
    my ($asked, $missed) = (0, 0);
    while (!-e $ended) {
        $asked++;
        $missed++ if (eval { http($nginx->port, 'GET /ping')->{body} } // '') ne 'pong';
    }
    print "$asked $missed\n";
    close STDOUT;
    POSIX::_exit(0);
}
for (1 .. 3) {
    my $old = master();
    is_deeply([ reexec() ], [ 0, '' ], 'it executes itself anew');
    isnt(master(), $old, 'another master');
    ok(!kill(0, $old), 'the old one is gone');
    ok(!old_code(), 'it runs the new code');
    replace_module();
}
spew($ended, '');
my ($asked, $missed) = split ' ', <$answers>;
close $answers;
cmp_ok($asked, '>', 100, 'it was asked meanwhile');
is($missed, 0, "none of $asked answers was missed");

my $last = master();
kill 'QUIT', $last;
wait_for(sub { !kill 0, $last }, 'it to leave');
is(join("\n", grep { !/"nonsense"|bind\(\) to|still could not bind/ } $nginx->logged(qr/\[(emerg|alert|crit|error)\]/)), '', 'nothing else alarming in the log');

done();
