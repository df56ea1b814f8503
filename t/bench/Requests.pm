package Requests;

# What a request costs in nginx: the module beside `return 200` with the same body and headers, in the same worker.

use strict;
use warnings;
use Time::HiRes qw(sleep);
use Prober::Test;
use Report;

# With two cores nginx has one and its clients the other.
my $two_cores = `nproc` > 1;
my @near = $two_cores ? qw(taskset -c 1) : ();
my $big = 1000;

my $conf = <<'CONF';
%%GLOBALS%%
%%AFFINITY%%
http {
    %%HTTP%%
    keepalive_requests 1000000000;
    server {
        listen 127.0.0.1:%%PORT%%;
        location /s/ { prober; prober_segment %%DIR%%/small; }
        location /b/ { prober; prober_segment %%DIR%%/big; }
        location /r/ {
            default_type application/json;
            add_header ETag '"0123456789abcdef"';
            add_header X-Prober-Age-Ms 250;
            add_header Cache-Control no-store;
            return 200 '%%SMALL%%';
        }
        location /t/ {
            default_type text/plain;
            add_header ETag '"0123456789abcdef"';
            add_header X-Prober-Age-Ms 250;
            add_header Cache-Control no-store;
            charset utf-8;
            return 200 'ready\n';
        }
    }
}
CONF

sub addresses {
    my ($n) = @_;
    return map { sprintf '127.1.%d.%d', 1 + int($_ / 250), 1 + $_ % 250 } 0 .. $n - 1;
}

sub body {
    my ($n, $word) = @_;
    return '{' . join(',', map { qq("/$_":"$word") } addresses($n)) . "}\n";
}

sub fill {
    my ($segment, $n) = @_;
    my $body = body($n, 'UP');
    for my $address (addresses($n)) {
        $segment->put("/healthz/$address", 200, $body);
        $segment->put("/healthz/$address?brief", 200, "ready\n", type => 'text/plain; charset=utf-8');
        $segment->touch($_, 100) for "/healthz/$address", "/healthz/$address?brief";
    }
    return $segment;
}

# The segments and an nginx over them; started once.
my ($small_segment, $big_segment, $nginx);

sub set_up {
    return if $small_segment;
    $small_segment = fill(segment(tempdir() . '/small'), 3);
    $big_segment   = fill(segment(tempdir() . '/big'), $big);
}

sub start_nginx {
    my (%option) = @_;
    set_up();
    (my $small = body(3, 'UP')) =~ s/\n/\\n/;
    return nginx($conf, SMALL => $small, AFFINITY => $two_cores ? 'worker_cpu_affinity 01;' : '', %option);
}

# Both answers must differ in nothing but the values of two headers.
sub same_answer {
    my ($port, $method, $left, $right) = @_;
    my ($a, $b) = map { http($port, "$method $_") } $left, $right;
    for ($a, $b) {
        my $header = $_->{header};
        $header->{$_} =~ s/\w{3,}|\d+/V/ for qw(etag x-prober-age-ms);
        delete $header->{date};
        $_->{seen} = join "\n", $_->{status}, (map { "$_: $header->{$_}" } sort keys %$header), $_->{body};
    }
    die "$left and $right answer differently:\n$a->{seen}\n--\n$b->{seen}\n" if $a->{seen} ne $b->{seen};
    return length $a->{raw};
}

sub cpu_ns { (split ' ', slurp("/proc/$_[0]/schedstat"))[0] }

# Runs a client against the worker: (requests a second, ns of the worker's CPU for each). wrk waits for bodies that answers
# to HEAD do not have, so HEAD is for paced.
sub load_it {
    my ($path, $method) = @_;
    my ($worker) = $nginx->workers;
    my $port = $nginx->port;
    my @client = $method eq 'HEAD' ? (root() . '/build/tools/paced', $port, $method, $path, 60_000, 0, 16)
        : ('wrk', '-t1', '-c16', '-d2s', "http://127.0.0.1:$port$path");
    my $before = cpu_ns($worker);
    my ($status, $said) = run(@near, @client);
    my $cpu = cpu_ns($worker) - $before;
    my ($count, $seconds) = $said =~ /(\d+) requests in ([\d.]+) ?s/;
    die "@client: $said" if $status || !$count || $said =~ /Non-2xx|Socket errors| [1-9]\d* statuses/;
    return ($count / $seconds, $cpu / $count);
}

sub compare {
    my ($key, $what, $method, $module, $fixed, $pairs) = @_;
    my $bytes = same_answer($nginx->port, $method, $module, $fixed);
    my (@rate_ratios, @cpu_ratios, @rates);
    for (1 .. $pairs) {
        my ($rate, $cpu) = load_it($module, $method);
        my ($fixed_rate, $fixed_cpu) = load_it($fixed, $method);
        push @rates, [ $rate, $fixed_rate ];
        push @rate_ratios, $rate / $fixed_rate;
        push @cpu_ratios, $fixed_cpu / $cpu;
    }
    my ($rate, $fixed_rate) = map { my $i = $_; median(map { $_->[$i] } @rates) } 0, 1;
    figure("${key}_ratio", sprintf('%.3f', median(@rate_ratios)), $what, goal => '>= 0.95',
        more => sprintf('%d/s : %d/s', $rate, $fixed_rate));
    figure("${key}_cpu_ratio", sprintf('%.3f', median(@cpu_ratios)), "    by the worker's CPU time",
        more => "$bytes bytes");
    figure("${key}_rate", int $rate, '    requests a second', unit => '/s');
}

sub rates {
    $nginx //= start_nginx();
    heading("Module : nginx's own `return 200` with the same body and headers, one worker");
    my $at = (addresses($big))[ $big / 2 ];
    compare('healthz', 'GET /healthz/IP, 3 nodes', 'GET', '/s/healthz/127.1.1.1', '/r/healthz/127.1.1.1', 10);
    compare('brief', "GET /healthz/IP?brief, $big nodes", 'GET', "/b/healthz/$at?brief", "/t/healthz/$at?brief", 8);
    compare('head', "HEAD /healthz/IP?brief, $big nodes", 'HEAD', "/b/healthz/$at?brief", "/t/healthz/$at?brief", 8);
    my ($rate) = load_it("/b/healthz/$at", 'HEAD');
    figure('head_big_rate', int $rate, "HEAD /healthz/IP, $big nodes", unit => '/s');
    ($rate) = load_it("/b/healthz/$at", 'GET');
    figure('healthz_big_rate', int $rate, "GET /healthz/IP, $big nodes: bodies of " . length(body($big, 'UP')) . ' bytes',
        unit => '/s');
    note('wrk (HEAD: t/lib/paced.c), 16 connections kept open, slices of 2 s in turn; the median of the ratios');
}

# A child that publishes other bytes for 20 documents of the big segment, again and again.
sub republish {
    my $pid = fork() // die "fork: $!";
    return $pid if $pid;
    eval {
        POSIX::nice(10);
        $SIG{TERM} = sub { POSIX::_exit(0) };
        my @files = map { spew(tempdir() . "/body.$_", body($big, $_)) } qw(UP ?);
        for (my $turn = 1;; $turn++) {
            for my $address (addresses(20)) {
                $big_segment->command('put', "/healthz/$address", 200, 0, 'application/json', '@' . $files[ $turn % 2 ]);
            }
        }
    };
    print STDERR "republishing ended: $@";
    POSIX::_exit(1);
}

sub paced {
    my ($port, @arguments) = @_;
    my ($status, $said) = run(@near, root() . '/build/tools/paced', $port, @arguments);
    die "paced: $said" if $status || $said !~ /, 0 statuses/;
    return $said =~ /p50 (\d+) p90 \d+ p99 (\d+) p99\.9 (\d+)/;
}

sub generation { (Prober::Segment::once(tempdir() . '/big', 'list'))[1] =~ m{/healthz/127\.1\.1\.1 .*version=(\d+)} ? $1 : 0 }

sub latency {
    $nginx //= start_nginx();
    heading('Latency at a part load: 2,000 GET /healthz/IP a second, ' . $big . ' nodes');
    my %p = map { $_ => { p50 => [], p99 => [], p999 => [] } } qw(idle busy);
    my $at = (addresses($big))[7];
    my ($published, $seconds) = (0, 0);
    for (1 .. 4) {
        for my $state (qw(idle busy)) {
            my $before = generation();
            my $writer = $state eq 'busy' ? republish() : undef;
            my @took = paced($nginx->port, 'GET', "/b/healthz/$at", 6000, 2000, 8);
            push @{ $p{$state}{$_} }, shift @took for qw(p50 p99 p999);
            next if !$writer;
            kill 'TERM', $writer;
            waitpid $writer, 0;
            $big_segment->restart;    # its answers were the child's
            $published += generation() - $before;
            $seconds += 3;
        }
    }
    for my $quantile (qw(p50 p99 p999)) {
        for my $state (qw(idle busy)) {
            figure("latency_${quantile}_${state}_us", median(@{ $p{$state}{$quantile} }),
                "$quantile, " . ($state eq 'idle' ? 'nothing published' : 'documents republished all the time'), unit => 'us');
        }
    }
    figure('latency_republished', int $published / $seconds, "each document's changes a second meanwhile", unit => '/s');
    note('8 connections, times counted from when each request was due; medians of 4 runs of 3 s each, in turn');
}

# Instructions of a whole nginx that answers `count` requests.
sub callgrind_run {
    my ($method, $path, $count) = @_;
    my $out = tempdir() . '/callgrind.out';
    local $ENV{PROBER_NGINX} = spew(tempdir() . '/nginx.valgrind',
        "#!/bin/sh\nexec valgrind -q --vgdb=no --tool=callgrind --callgrind-out-file=$out /usr/sbin/nginx \"\$@\"\n");
    chmod 0755, $ENV{PROBER_NGINX};
    my $slow = start_nginx(one_process => 1);
    wait_for(sub { http($slow->port, "GET $path")->{status} == 200 }, 'nginx under valgrind', 60);
    paced($slow->port, $method, $path, $count);
    $slow->{process}->signal('TERM');
    http($slow->port, "GET $path");    # or it notices the signal at its next event only
    $slow->stop('TERM');
    return slurp($out) =~ /^(?:summary|totals): (\d+)/m ? $1 : die 'callgrind says nothing';
}

sub instructions_of {
    my ($method, $path) = @_;
    my ($few, $many) = map { callgrind_run($method, $path, $_) } 500, 2500;
    return int(($many - $few) / 2000);
}

sub instructions {
    heading('Instructions for one request (callgrind), module : `return 200`');
    my $at = (addresses($big))[ $big / 2 ];
    for (
        [ 'healthz', 'GET /healthz/IP, 3 nodes', 'GET', '/s/healthz/127.1.1.1', '/r/healthz/127.1.1.1' ],
        [ 'brief', "GET /healthz/IP?brief, $big nodes", 'GET', "/b/healthz/$at?brief", "/t/healthz/$at?brief" ],
        [ 'head', "HEAD /healthz/IP?brief, $big nodes", 'HEAD', "/b/healthz/$at?brief", "/t/healthz/$at?brief" ])
    {
        my ($key, $what, $method, @paths) = @$_;
        my ($module, $fixed) = map { instructions_of($method, $_) } @paths;
        figure("${key}_instructions", $module, $what, more => ": $fixed");
        figure("${key}_instructions_return", $fixed, '    return 200');
    }
    note('user space only; one process, one connection; (2,500 requests - 500 requests) / 2,000');
}

1;
