package Prober::Nginx;

# A real nginx in the test's directory, with the module loaded.
#
#   my $n = nginx(<<'CONF');
#   %%GLOBALS%%
#   http { %%HTTP%% server { listen 127.0.0.1:%%PORT%%; location / { prober; prober_segment %%DIR%%/segment; } } }
#   CONF
#   $n->port; $n->port('PORT2'); $n->reload; $n->reload($new_conf); $n->log; $n->workers; $n->stop;
#   my ($status, $said) = $n->check($conf);      # nginx -t
#   $n->expect(qr/.../);                         # an alarming line that the test provokes
#
# Placeholders: %%GLOBALS%% (everything outside http; options workers, level, user, one_process, daemon), %%HTTP%%, %%DIR%%,
# and %%PORT…%%: a free port each. A test may give its own: nginx($conf, NAME => 'value').
#
# PROBER_NGINX is another nginx to test with; PROBER_MODULE another module to load, empty when that nginx has it built in.

use strict;
use warnings;
use Test::More;

my @all;

sub binary { $ENV{PROBER_NGINX} || '/usr/sbin/nginx' }
sub module { $ENV{PROBER_MODULE} // (Prober::Test::root() . '/build/ngx_http_prober_module.so') }

sub new {
    my ($class, %option) = @_;
    my $n = @all ? @all + 1 : '';
    my $dir = Prober::Test::tempdir();
    my $self = bless {
        dir => $dir, name => "nginx$n", log => "$dir/nginx$n-error.log", conf => "$dir/nginx$n.conf",
        workers => 1, level => 'notice', user => 'root', port => {}, expected => [], within => [], env => {}, %option,
    }, $class;
    push @all, $self;
    return $self;
}

sub start {
    my ($class, $conf, %option) = @_;
    my $self = $class->new(%option);
    $self->configure($conf);
    return $self->run;
}

sub run {
    my ($self) = @_;
    $self->{process} = Prober::Process->start(
        name => $self->{name}, env => $self->{env}, command => [ @{ $self->{within} }, binary(), '-p', $self->{dir}, '-e', $self->{log}, '-c', $self->{conf} ]);
    Prober::Test::wait_for(
        sub {
            die "nginx does not start:\n" . $self->log . $self->{process}->output if !$self->{process}->alive;
            return -s "$self->{dir}/$self->{name}.pid" && ($self->{one_process} || $self->workers == $self->{workers});
        },
        'nginx to start');
    return $self;
}

sub expand {
    my ($self, $conf) = @_;
    my $user = $> == 0 ? "user $self->{user};" : '';
    my $load = module() ? 'load_module ' . module() . ';' : '';
    my %value = (
        DIR => $self->{dir}, GLOBALS => <<"GLOBALS", HTTP => <<"HTTP", %$self);
$load
daemon @{[ $self->{daemon} ? 'on' : 'off' ]};
master_process @{[ $self->{one_process} ? 'off' : 'on' ]};
worker_processes $self->{workers};
$user
pid $self->{dir}/$self->{name}.pid;
error_log $self->{log} $self->{level};
worker_shutdown_timeout 5s;
events { worker_connections 256; }
GLOBALS
access_log off;
client_body_temp_path $self->{dir}/body;
proxy_temp_path $self->{dir}/proxy;
fastcgi_temp_path $self->{dir}/fastcgi;
uwsgi_temp_path $self->{dir}/uwsgi;
scgi_temp_path $self->{dir}/scgi;
HTTP
    $conf =~ s/%%(PORT\w*)%%/$self->port($1)/ge;
    $conf =~ s/%%(\w+)%%/$value{$1} \/\/ die "no placeholder %%$1%%"/ge;
    return $conf;
}

sub configure {
    my ($self, $conf) = @_;
    Prober::Test::spew($self->{conf}, $self->expand($conf));
}

sub port {
    my ($self, $name) = @_;
    return $self->{port}{ $name // 'PORT' } //= Prober::Test::free_port();
}

sub pid { $_[0]{process}{pid} }
sub log { Prober::Test::slurp($_[0]{log}) }

# The lines of the error log that match.
sub logged {
    my ($self, $pattern) = @_;
    return grep { $_ =~ $pattern } split /\n/, $self->log;
}

# The pids of the workers that take requests, and of those that do not any more.
sub workers {
    my ($self, $title) = @_;
    $title //= qr/^nginx: worker process$/;
    my @pids;
    for my $pid (split ' ', Prober::Test::slurp("/proc/$self->{process}{pid}/task/$self->{process}{pid}/children")) {
        (my $line = Prober::Test::slurp("/proc/$pid/cmdline")) =~ s/\0.*//s;
        push @pids, $pid if $line =~ $title;
    }
    return @pids;
}

# Reloads and waits until only new workers are left. With a configuration: that one.
sub reload {
    my ($self, $conf) = @_;
    $self->configure($conf) if defined $conf;
    my %old = map { $_ => 1 } $self->workers;
    $self->{process}->signal('HUP');
    Prober::Test::wait_for(
        sub {
            my @now = $self->workers(qr/^nginx: worker process/);
            return @now == $self->{workers} && !grep { $old{$_} } @now;
        },
        'new workers', 20);
}

# What nginx -t says of a configuration: (exit status, output).
sub check {
    my ($self, $conf) = @_;
    my $file = Prober::Test::spew("$self->{conf}.check", $self->expand($conf));
    return Prober::Test::run(binary(), '-t', '-p', $self->{dir}, '-e', "$self->{dir}/check", '-c', $file);
}

sub expect {
    my ($self, @patterns) = @_;
    push @{ $self->{expected} }, @patterns;
}

sub stop {
    my ($self, $signal) = @_;
    return $self->{process}->stop($signal // 'QUIT');
}

# No nginx of this test crashed, or said anything that alarms, but for what was expected.
sub check_logs {
    for my $self (grep { $_->{process} } @all) {
        my @bad = grep {
            my $line = $_;
            $line =~ /\[(alert|emerg|crit)\]|exited on signal|Sanitizer|(prober_module|shared)\/\S+ runtime error:/
                && !grep { $line =~ $_ } @{ $self->{expected} };
        } map { split /\n/ } $self->log, $self->{process}->output;
        is(join("\n", @bad), '', "$self->{name}: nothing alarming in the logs");
        ok(!$self->{process}{killed}, "$self->{name} ended when told to");
    }
}

1;
