package Prober::Etcd;

# A running etcd cluster, on addresses of 127.0.0.0/8.
#
#   my $etcd = Prober::Etcd->start(members => 3);            # tls => 1: with a CA of its own; auth => 1: asks who one is
#                                                            # base => '10.77.0.2': on 10.77.0.221 and so on, which are there
#   $etcd->conf(ttl => '"3s"');                              # coordination: { store = "etcd+http://…"; ttl = "3s"; …};
#   $etcd->kill(1); $etcd->stop(1); $etcd->pause(1); $etcd->resume(1); $etcd->start_member(1);
#   $etcd->leader;                                           # the member that leads, 0 .. members-1; undef
#   $etcd->wait_leader;                                      # the same, once there is one
#   $etcd->get('/cassandra-prober/x/leader');                # the value, undef = it is not there
#   $etcd->put($key, $value); $etcd->keys;                   # all keys
#   $etcd->ca; $etcd->strange_ca;                            # with tls: its CA's certificate, and another's
#   $etcd->password_file; $etcd->wrong_password_file;        # with auth: of the user "prober", who may change /cassandra-prober/

use strict;
use warnings;
use File::Temp ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64 decode_base64);
use Prober::Process;
use Prober::Test qw(tempdir free_port spew run wait_for);

my $count = 0;

sub have { return scalar grep { -x "$_/etcd" } split /:/, "$ENV{PATH}:/usr/sbin:/sbin" }

sub start {
    my ($class, %option) = @_;
    my $n = $option{members} // 3;
    # In memory: each change is synced, and a slow disk is not what is tested.
    my $dir = File::Temp->newdir('prober-etcd-XXXXXX', (-w '/dev/shm' ? (DIR => '/dev/shm') : (TMPDIR => 1)));
    my $self = bless { dir => $dir, tls => $option{tls}, scheme => $option{tls} ? 'https' : 'http', name => 'etcd' . $count++ }, $class;
    $self->make_certificates if $option{tls};
    for my $i (0 .. $n - 1) {
        my $ip = ($option{base} // '127.0.0.') . (21 + $i);
        $self->{member}[$i] = { ip => $ip, client => free_port($ip), peer => free_port($ip) };
    }
    $self->start_member($_) for 0 .. $n - 1;
    $self->wait_leader;
    $self->ask_who if $option{auth};
    return $self;
}

sub start_member {
    my ($self, $i) = @_;
    my $member = $self->{member}[$i];
    my $peer = sub { "http://$_[0]{ip}:$_[0]{peer}" };
    my $client = "$self->{scheme}://$member->{ip}:$member->{client}";
    my $all = $self->{member};
    $member->{process} = Prober::Process->start(
        name => "$self->{name}-$i",
        command => [ 'etcd', '--name', "m$i", '--data-dir', "$self->{dir}/m$i", '--logger', 'zap', '--log-level', 'error',
            '--listen-client-urls', $client, '--advertise-client-urls', $client,
            '--listen-peer-urls', $peer->($member), '--initial-advertise-peer-urls', $peer->($member),
            '--initial-cluster', join(',', map { "m$_=" . $peer->($all->[$_]) } 0 .. $#$all),
            '--initial-cluster-token', $self->{name}, '--initial-cluster-state', 'new',
            ($self->{tls} ? ('--cert-file', "$self->{dir}/etcd.pem", '--key-file', "$self->{dir}/etcd.key") : ()) ]);
}

sub members { return scalar @{ $_[0]{member} } }
sub kill    { $_[0]{member}[ $_[1] ]{process}->stop('KILL') }
sub stop    { $_[0]{member}[ $_[1] ]{process}->stop }
sub pause   { $_[0]{member}[ $_[1] ]{process}->signal('STOP') }
sub resume  { $_[0]{member}[ $_[1] ]{process}->signal('CONT') }
sub alive   { $_[0]{member}[ $_[1] ]{process}->alive }

sub stop_all {
    my ($self) = @_;
    $_->{process}->signal('CONT'), $_->{process}->stop('KILL') for @{ $self->{member} };
}

# The decoded answer of member i; undef when there is none.
sub ask {
    my ($self, $i, $path, $body, $token) = @_;
    my $member = $self->{member}[$i];
    my ($status, $said) = run('curl', '-s', '-m', 3, ($self->{tls} ? ('--cacert', $self->ca) : ()),
        ($token ? ('-H', "Authorization: $token") : ()), '-d', JSON::PP::encode_json($body),
        "$self->{scheme}://$member->{ip}:$member->{client}$path");
    return $status == 0 ? eval { JSON::PP::decode_json($said) } : undef;
}

sub leader {
    my ($self) = @_;
    for my $i (grep { $self->alive($_) } 0 .. $self->members - 1) {
        my $status = $self->ask($i, '/v3/maintenance/status', {}) or next;
        return $i if ($status->{leader} // '') eq ($status->{header}{member_id} // '-');
    }
    return undef;
}

sub wait_leader {
    my ($self) = @_;
    my $leader;
    wait_for(sub { defined($leader = $self->leader) }, 'etcd to have a leader', 60);
    return $leader;
}

# As who may do anything, of whichever member answers.
sub call {
    my ($self, $path, $body) = @_;
    my $answer;
    wait_for(
        sub {
            for my $i (grep { $self->alive($_) } 0 .. $self->members - 1) {
                my $token = $self->{auth}
                    && ($self->ask($i, '/v3/auth/authenticate', { name => 'root', password => 'root-secret' }) || {})->{token};
                $answer = $self->ask($i, $path, $body, $token);
                return 1 if $answer && !$answer->{error};
            }
            return 0;
        },
        "$path of etcd", 30);
    return $answer;
}

sub coded { return encode_base64($_[0], '') }

sub get {
    my ($self, $key) = @_;
    my ($kv) = @{ $self->call('/v3/kv/range', { key => coded($key) })->{kvs} || [] };
    return $kv && decode_base64($kv->{value} // '');
}

sub put { my ($self, $key, $value) = @_; $self->call('/v3/kv/put', { key => coded($key), value => coded($value) }) }

sub keys {
    my ($self) = @_;
    my $answer = $self->call('/v3/kv/range', { key => coded('/'), range_end => coded('0'), keys_only => JSON::PP::true });
    return sort map { decode_base64($_->{key}) } @{ $answer->{kvs} || [] };
}

sub store { my ($self, @members) = @_;
    return "etcd+$self->{scheme}://" . join ',', map { "$_->{ip}:$_->{client}" } @{ $self->{member} }[ @members ? @members : 0 .. $self->members - 1 ] }

sub conf {
    my ($self, %more) = @_;
    my %key = (store => '"' . $self->store . '"',
        ($self->{tls} ? (ca_file => '"' . $self->ca . '"') : ()),
        ($self->{auth} ? (user => '"prober"', password_file => '"' . $self->password_file . '"') : ()), %more);
    return 'coordination: { ' . join('', map { "$_ = $key{$_}; " } sort CORE::keys %key) . "};\n";
}

sub ca                  { return "$_[0]{dir}/ca.pem" }
sub strange_ca          { return "$_[0]{dir}/strange.pem" }
sub password_file       { return "$_[0]{dir}/password" }
sub wrong_password_file { return "$_[0]{dir}/wrong" }

sub openssl { my ($status, $said) = run('openssl', @_); die "openssl @_: $said" if $status != 0 }

sub make_certificates {
    my ($self) = @_;
    my $dir = "$self->{dir}";
    my @key = qw(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes);
    openssl(qw(req -x509 -days 2), @key, '-subj', "/CN=$_", '-keyout', "$dir/$_.key", '-out', "$dir/$_.pem") for qw(ca strange);
    openssl('req', @key, '-subj', '/CN=etcd', '-keyout', "$dir/etcd.key", '-out', "$dir/etcd.csr");
    spew("$dir/extensions", 'subjectAltName=' . join(',', map { 'IP:127.0.0.' . (21 + $_) } 0 .. 8) . "\n");
    openssl(qw(x509 -req -days 2 -CAcreateserial), '-in', "$dir/etcd.csr", '-CA', "$dir/ca.pem", '-CAkey', "$dir/ca.key",
        '-extfile', "$dir/extensions", '-out', "$dir/etcd.pem");
}

# From here on etcd asks who one is.
sub ask_who {
    my ($self) = @_;
    spew($self->password_file, "prober-secret\n");
    spew($self->wrong_password_file, "guess\n");
    $self->call('/v3/auth/user/add', { name => 'root', password => 'root-secret' });
    $self->call('/v3/auth/role/add', { name => 'root' });
    $self->call('/v3/auth/user/grant', { user => 'root', role => 'root' });
    $self->call('/v3/auth/user/add', { name => 'prober', password => 'prober-secret' });
    $self->call('/v3/auth/role/add', { name => 'prober' });
    $self->call('/v3/auth/role/grant', { name => 'prober',
        perm => { permType => 'READWRITE', key => coded('/cassandra-prober/'), range_end => coded('/cassandra-prober0') } });
    $self->call('/v3/auth/user/grant', { user => 'prober', role => 'prober' });
    $self->call('/v3/auth/enable', {});
    $self->{auth} = 1;
}

1;
