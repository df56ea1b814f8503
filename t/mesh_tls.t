#!/usr/bin/perl
# Hosts that speak TLS with each other and ask for a password: what is right is heard, what is not has a reason.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Prober::Test;
use Prober::Collector;
use Prober::Fleet;

my $fleet = Prober::Fleet->start(layout => 'dc1:r1=2', convict => 20);
my @ip = @{ $fleet->{nodes} };
my $port = free_port($ip[0]);
my $dir = tempdir();

sub certificate {
    my ($name) = @_;
    my ($status, $said) = run('openssl', qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj),
        "/CN=$name", '-addext', 'subjectAltName=' . join(',', map { "IP:$_" } @ip), '-keyout', "$dir/$name.key", '-out', "$dir/$name.pem");
    die $said if $status != 0;
}
certificate('fleet');
certificate('stranger');
spew("$dir/htpasswd", "prober:{PLAIN}secret\n");
spew("$dir/right", "secret\n");
spew("$dir/wrong", "guess\n");

my @nginx = map { my $i = $_; nginx(<<"CONF") } 0 .. 1;
%%GLOBALS%%
http { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; listen $ip[$i]:$port ssl;
    ssl_certificate $dir/fleet.pem; ssl_certificate_key $dir/fleet.key;
    location / { prober; prober_segment $dir/segment$i; auth_basic prober; auth_basic_user_file $dir/htpasswd; } } }
CONF

sub conf_of {
    my ($i, %peers) = (shift, scheme => 'https', password => 'right', ca => 'fleet', @_);
    return <<"CONF";
local: { source = "jolokia+http://$ip[$i]:$fleet->{port}/jolokia"; };
peers: { url = "$peers{scheme}://{address}:$port"; user = "prober"; password_file = "$dir/$peers{password}";
         ca_file = "$dir/$peers{ca}.pem"; };
segment: { path = "$dir/segment$i"; };
state: { path = "$dir/state$i"; };
poll: { interval = "250ms"; timeout = "500ms"; view_ttl = "2s"; };
readiness: { settle = "1s"; rehab = "0"; };
CONF
}

my @collector = map { Prober::Collector->start(conf_of($_)) } 0 .. 1;
$_->wait_ready for @collector;

# What host 0 has of node 1.
sub other { return eval { get_json($nginx[0]->port, "/nodes/$ip[1]", header => [ 'Authorization: Basic cHJvYmVyOnNlY3JldA==' ]) } // {} }

sub heard {
    my ($what) = @_;
    eval { wait_for(sub { (other()->{observer} // '') eq 'voter' }, $what, 10) };
    is(other()->{observer}, 'voter', $what) or diag(explain(other()));
}

heard('with the right password, and a certificate that the CA signed');
for my $wrong ([ password => 'wrong', '401' ], [ ca => 'stranger', 'tls' ], [ scheme => 'http', '400' ]) {
    my ($setting, $value, $result) = @$wrong;
    $collector[0]->configure(conf_of(0, $setting => $value));
    $collector[0]->signal('HUP');
    my $seen = {};
    eval { wait_for(sub { $seen = other(); ($seen->{poll}{result} // '') ne 'ok' && ($seen->{observer} // '') ne 'voter' }, $value, 10) };
    my $body = eval { get_json($nginx[0]->port, "/healthz/$ip[0]", header => [ 'Authorization: Basic cHJvYmVyOnNlY3JldA==' ]) } // {};
    is($body->{"/$ip[1]"}, $result, "$setting $value: the reason") or diag(explain($seen));
    isnt($seen->{observer}, 'voter', "$setting $value: does not count");
    $collector[0]->configure(conf_of(0));
    $collector[0]->signal('HUP');
    heard("$setting as it was");
}
unlike(join('', map { $_->log } @collector), qr/secret|guess/, 'no password is told to the journal');
$_->stop for @collector;
done();
