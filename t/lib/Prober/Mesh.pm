package Prober::Mesh;

# Hosts as a fleet has them: each a network namespace with a real Cassandra, a collector and an nginx, on one bridge. The
# bridge is in the test's own namespace (the test starts itself again in one), so nothing of this host's network is touched
# and nothing is left of it when the test's processes have ended.
#
#   BEGIN { Prober::Mesh::own_network() }          # before anything is started; skips the test where that cannot be
#   my $why_not = Prober::Mesh::no_network();      # nothing where it can
#   my $m = Prober::Mesh->new(layout => 'dc1:r1,dc1:r2,dc2:r1', seeds => '1,3', phi => 8, conf => '...');
#   $m->start(1, 2, 3);                            # each with all three programs; nobody waits
#   $m->add('dc1:r1');                             # one more host, with nothing started: its number
#   $m->cluster;  $m->ip(2);  $m->numbers;         # a Prober::Cluster; 10.77.0.2; 1, 2, 3
#   $m->http(2, '/healthz/10.77.0.1');             # what nginx of host 2 answers the test, which is 10.77.0.254
#   $m->node(2);                                   # { 10.77.0.1 => { verdict => ... }, ... }: /nodes of host 2
#   $m->ask(2, @command);                          # runs a command on host 2: (exit status, what it said)
#   $m->reload($conf);                             # all collectors, with this besides their paths
#   $m->start_collector(2); $m->kill_collector(2); # likewise nginx
#   $m->cut('ip saddr 10.77.0.2 ip daddr 10.77.0.1');   # frames that match do not get through; several of them
#   $m->delay(2, 500);                             # ms of round trip between host 2 and the others
#   $m->clock(3, 86400);                           # shifts that of collector and nginx, in s
#   $m->heal;                                      # ends cuts, delays and jumps

use strict;
use warnings;
use JSON::PP ();
use Test::More;
use Prober::Cluster;
use Prober::Collector ();
use Prober::Http ();
use Prober::Process;
use Prober::Test qw(root tempdir spew run wait_for nginx);

use constant PORT => 8888;         # the default of peers.url
use constant CASSANDRA => '5.0.4';

# A lower threshold than Cassandra's 8: its failure detectors take some 12 s instead of 18.
use constant PHI => 5;

sub no_network {
    return 'namespaces need root' if $> != 0;
    for my $tool (qw(ip nft nsenter setpriv)) {
        return "there is no $tool" if !grep { -x "$_/$tool" } qw(/usr/sbin /sbin /usr/bin /bin);
    }
    return (run('unshare', '--net', 'true'))[0] == 0 ? undef : 'this kernel makes no network namespaces';
}

# What tests fetch, they fetch before: nothing can be reached from there.
sub own_network {
    my (@fetch) = @_;
    return sh('ip link set lo up') if $ENV{PROBER_MESH_NET};
    my $why = no_network();
    plan(skip_all => $why) if $why;
    my ($status, $said) = run(root() . '/t/lib/cassandra', 'fetch', CASSANDRA, @fetch);
    die $said if $status != 0;
    $ENV{PROBER_MESH_NET} = 1;
    exec 'unshare', '--net', $^X, $0, @ARGV or die "unshare: $!";
}

sub new {
    my ($class, %option) = @_;
    my $self = bless { conf => $option{conf} // '' }, $class;
    my $net = $option{net} // '10.77.0';
    sh('ip link add mesh type bridge', 'ip addr add ' . "$net.254/24 dev mesh", 'ip link set mesh up',
        'nft add table bridge faults');
    $self->{cluster} = Prober::Cluster->new(
        version => CASSANDRA, layout => $option{layout}, seeds => $option{seeds} // '1', base => "$net.", jmx => 'local',
        phi => $option{phi} // PHI);
    $self->add_host($_) for $self->numbers;
    $self->heal;
    return $self;
}

sub cluster { $_[0]{cluster} }
sub numbers { $_[0]{cluster}->numbers }
sub ip      { $_[0]{cluster}->ip($_[1]) }

# Runs each line to its end, and dies of the first that fails.
sub sh {
    my @lines = @_;
    my ($status, $said) = run('sh', '-ec', join "\n", @lines);
    die join("\n", @lines, $said) if $status != 0;
}

# A process that does nothing keeps the namespace until the test ends.
sub add_host {
    my ($self, $number) = @_;
    my $keeper = Prober::Process->start(name => "keeper$number", command => [qw(setpriv --pdeathsig KILL unshare --net sleep infinity)]);
    my $netns = "/proc/$keeper->{pid}/ns/net";
    my $ours = readlink '/proc/self/ns/net';
    wait_for(sub { (readlink $netns // $ours) ne $ours }, "the namespace of host $number");
    my $dir = $self->{cluster}{dir} . "/node$number";
    symlink $netns, "$dir/netns" or die "$dir/netns: $!";
    $self->{host}[$number] = { within => [ qw(setpriv --pdeathsig TERM nsenter), "--net=$netns" ] };
    my $inside = "nsenter --net=$netns";
    sh("ip link add host$number type veth peer name eth0 netns $keeper->{pid}", "ip link set host$number master mesh up",
        "$inside ip link set lo up", "$inside ip addr add " . $self->ip($number) . '/24 dev eth0',
        "$inside ip link set eth0 up");
}

sub add {
    my ($self, $place) = @_;
    my $number = $self->cluster->add($place);
    $self->add_host($number);
    $self->clock($number, 0);
    return $number;
}

sub start {
    my ($self, @numbers) = @_;
    $self->cluster->start(@numbers);
    for my $number (@numbers) {
        $self->start_collector($number);
        $self->start_nginx($number);
    }
}

sub paths {
    my ($number) = @_;
    return <<"CONF";
segment: { path = "%%DIR%%/segment$number"; };
state: { path = "%%DIR%%/state$number.json"; };
control: { socket = "%%DIR%%/control$number"; };
CONF
}

sub start_collector {
    my ($self, $number) = @_;
    $self->{host}[$number]{collector} = Prober::Collector->start(
        paths($number) . $self->{conf},
        program => $ENV{PROBER_COLLECTOR} || root() . '/build/prober-collector',
        within => $self->{host}[$number]{within}, env => $self->clock_environment($number));
}

sub collector { $_[0]{host}[$_[1]]{collector} }

sub kill_collector { my ($self, $number) = @_; $self->collector($number)->stop('KILL') }

# The segment is there before nginx is, so that its log has nothing to say.
sub start_nginx {
    my ($self, $number) = @_;
    my $segment = tempdir() . "/segment$number";
    my $host = $self->{host}[$number];
    wait_for(sub { -e $segment }, "the segment of host $number");
    my %clock = %{ $self->clock_environment($number) };
    my $environment = join '', map { "env $_;" } sort keys %clock;
    unlink tempdir() . "/$host->{nginx}{name}.pid" if $host->{nginx};
    $host->{nginx} = nginx(<<"CONF", within => $host->{within}, env => \%clock, level => 'warn');
%%GLOBALS%%
$environment
http {
    %%HTTP%%
    server {
        listen @{[ $self->ip($number) ]}:@{[ PORT ]};
        listen 127.0.0.1:@{[ PORT ]};
        location / { prober; prober_segment $segment; }
    }
}
CONF
}

sub kill_nginx {
    my ($self, $number) = @_;
    my $nginx = $self->{host}[$number]{nginx};
    kill 'KILL', $nginx->pid, $nginx->workers;
    $nginx->{process}->ended;
}

# Returns when all that run have taken it.
sub reload {
    my ($self, $conf) = @_;
    $self->{conf} = $conf;
    my @running = grep { $self->collector($_) && $self->collector($_)->alive } $self->numbers;
    $self->collector($_)->wait_ready for @running;
    my %before = map { $_ => $self->collector($_)->notified('READY=1') } @running;
    for my $number (@running) {
        $self->collector($number)->configure(paths($number) . $conf);
        $self->collector($number)->signal('HUP');
    }
    wait_for(sub { !grep { $self->collector($_)->notified('READY=1') <= $before{$_} } @running }, 'collectors to reload');
}

# What is asked

sub http {
    my ($self, $number, $path, %option) = @_;
    return Prober::Http::http(PORT, "GET $path", address => $self->ip($number), timeout => 3, %option);
}

sub node {
    my ($self, $number) = @_;
    my $answer = $self->http($number, '/nodes');
    my $nodes = $answer->{status} == 200 ? eval { JSON::PP::decode_json($answer->{body})->{nodes} } : undef;
    return { map { $_->{address} => $_ } @{ $nodes || [] } };
}

sub ask {
    my ($self, $number, @command) = @_;
    return run(@{ $self->{host}[$number]{within} }, @command);
}

# Faults

sub cut {
    my ($self, @matches) = @_;
    sh('nft add chain bridge faults frames "{ type filter hook forward priority 0; }"',
        map { "nft add rule bridge faults frames '$_ drop'" } @matches);
}

# Puts a second bridge between the host and the others, and a process between the two that passes each frame on late.
sub delay {
    my ($self, $number, $ms) = @_;
    $self->{delay} = Prober::Process->start(
        name => 'delay', command => [ $^X, root() . '/t/lib/delay.pl', 'near', 'far', $ms / 2000 ]);
    wait_for(sub { -e '/proc/sys/net/ipv4/conf/far' }, 'the delay');
    sh('ip link add slow type bridge', 'ip link set slow up', 'ip link set near master slow up',
        'ip link set far master mesh up', "ip link set host$number master slow");
    $self->{delayed} = $number;
}

sub heal {
    my ($self) = @_;
    sh('nft flush table bridge faults');
    if (my $delay = delete $self->{delay}) {
        sh("ip link set host$self->{delayed} master mesh", 'ip link del slow');
        $delay->stop;
    }
    $self->clock($_, 0) for $self->numbers;
}

# The variables that let the clock of a host's programs be shifted.
sub clock_environment {
    my ($self, $number) = @_;
    return { LD_PRELOAD => root() . '/build/preload/clock_shift.so', CLOCK_SHIFT => tempdir() . "/clock$number" };
}

sub clock {
    my ($self, $number, $s) = @_;
    spew(tempdir() . "/clock$number", "$s\n");
}

1;
