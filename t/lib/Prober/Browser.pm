package Prober::Browser;

# A headless Chromium, driven by chromedriver (WebDriver over HTTP; core Perl). Both end with the test.
#
#   my $b = Prober::Browser->start(width => 1280, height => 800);
#   $b->look(width => 390, height => 844, scale => 2, mobile => 1, dark => 1);   # what the page is shown on
#   $b->go("http://127.0.0.1:$port/");       # when it has loaded
#   $b->js('return document.title');         # a value; arguments follow, as arguments[0], …
#   $b->wait_js('return …', 'what', $seconds);   # until it is true; returns it
#   $b->text('#sentence');  $b->count('td');  $b->click('#operate');
#   $b->press(qw(Tab ArrowDown Enter));      # keys, by name or as characters
#   $b->screenshot($file);
#   $b->violations;  $b->errors;             # of the policy, on this page; of scripts, since last asked
#   $b->axe;                                 # what axe-core finds: "rule: what (where)"
#   $b->cdp('Network.setExtraHTTPHeaders', { … });

use strict;
use warnings;
use HTTP::Tiny;
use JSON::PP ();
use MIME::Base64 ();
use Prober::Test ();
use Time::HiRes 'time';

# The edition of axe-core, in a package that is nothing else, and what its script has to be.
use constant AXE_PACKAGE => 'axe-playwright-python==0.1.8';
use constant AXE_FILE    => 'axe_playwright_python/axe.min.js';
use constant AXE_SHA256  => '84494fec757e4710dc751c8d7a636e457f4532f08f85c86dc9070133fbff53bc';

my %key = (
    Tab => 0xe004, Enter => 0xe007, Shift => 0xe008, Control => 0xe009, Escape => 0xe00c, Space => 0x20, PageUp => 0xe00e,
    PageDown => 0xe00f, End => 0xe010, Home => 0xe011, ArrowLeft => 0xe012, ArrowUp => 0xe013, ArrowRight => 0xe014, ArrowDown => 0xe015);
my $json = JSON::PP->new->utf8->allow_nonref->canonical;
my @all;

sub program {
    my (@names) = @_;
    my ($found) = grep { -x } map { my $name = $_; map { "$_/$name" } split(/:/, $ENV{PATH}), '/usr/bin', '/usr/lib/chromium' } @names;
    return $found // die "no $names[0]: t/setup page\n";
}

sub start {
    my ($class, %option) = @_;
    my $port = Prober::Test::free_port();
    my $n = @all;
    my $dir = Prober::Test::tempdir() . "/chromium$n";
    mkdir $dir;
    my $self = bless { url => "http://127.0.0.1:$port", http => HTTP::Tiny->new(timeout => 120), owner => $$ }, $class;
    $self->{process} = Prober::Test::start(
        name => "chromedriver$n", env => { HOME => $dir, XDG_CONFIG_HOME => $dir, XDG_CACHE_HOME => $dir, %{ $option{env} || {} } },
        command => [ program('chromedriver'), "--port=$port", '--allowed-ips=127.0.0.1' ]);
    push @all, $self;
    Prober::Test::wait_for(sub { die $self->{process}->output if !$self->{process}->alive;
                                 eval { $self->call(GET => '/status')->{ready} } }, 'chromedriver', 60);
    my @arguments = qw(--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
        --disable-component-update --disable-sync --disable-dev-shm-usage --disable-extensions --no-default-browser-check
        --hide-scrollbars --force-color-profile=srgb --password-store=basic);
    my $session = $self->call(POST => '/session', { capabilities => { alwaysMatch => {
        browserName => 'chrome', 'goog:loggingPrefs' => { browser => 'ALL' },
        'goog:chromeOptions' => { binary => program('chromium'), args => [ @arguments, "--user-data-dir=$dir/profile",
            '--window-size=' . join ',', $option{width} // 1280, $option{height} // 900 ] } } } });
    $self->{session} = "/session/$session->{sessionId}";
    $self->cdp('Page.addScriptToEvaluateOnNewDocument', { source => <<'JS' });
window.violations = [];
document.addEventListener('securitypolicyviolation', e => violations.push(`${e.effectiveDirective} ${e.blockedURI} ${e.sample}`));
JS
    $self->look(%option);
    return $self;
}

# One WebDriver command. Dies with what it says is wrong.
sub call {
    my ($self, $method, $path, $body) = @_;
    my $answer = $self->{http}->request($method, "$self->{url}$path",
        { headers => { 'Content-Type' => 'application/json' }, $method eq 'POST' ? (content => $json->encode($body // {})) : () });
    my $value = eval { $json->decode($answer->{content})->{value} };
    die "$method $path: $answer->{status} " . (ref $value eq 'HASH' ? $value->{message} // '' : $answer->{content}) . "\n" if !$answer->{success};
    return $value;
}

sub ask { my ($self, $method, $path, $body) = @_; return $self->call($method, "$self->{session}$path", $body) }
sub cdp { my ($self, $command, $arguments) = @_; return $self->ask(POST => '/goog/cdp/execute', { cmd => $command, params => $arguments // {} }) }

sub look {
    my ($self, %option) = @_;
    $self->cdp('Emulation.setDeviceMetricsOverride', { width => $option{width} // 1280, height => $option{height} // 900,
        deviceScaleFactor => $option{scale} // 1, mobile => $option{mobile} ? JSON::PP::true : JSON::PP::false });
    $self->cdp('Emulation.setEmulatedMedia', { features => [
        { name => 'prefers-color-scheme', value => $option{dark} ? 'dark' : 'light' },
        { name => 'prefers-reduced-motion', value => $option{moving} ? 'no-preference' : 'reduce' } ] });
}

sub go { my ($self, $url) = @_; $self->ask(POST => '/url', { url => $url }) }
sub js { my ($self, $script, @arguments) = @_; return $self->ask(POST => '/execute/sync', { script => $script, args => \@arguments }) }

sub wait_js {
    my ($self, $script, $what, $seconds, @arguments) = @_;
    return Prober::Test::wait_for(sub { $self->js($script, @arguments) }, $what, $seconds // 30);
}

sub text  { $_[0]->js('return document.querySelector(arguments[0])?.textContent ?? null', $_[1]) }
sub count { $_[0]->js('return document.querySelectorAll(arguments[0]).length', $_[1]) }

sub click {
    my ($self, $selector) = @_;
    my $element = $self->ask(POST => '/element', { using => 'css selector', value => $selector });
    $self->ask(POST => '/element/' . (values %$element)[0] . '/click');
}

sub press {
    my ($self, @keys) = @_;
    my @actions;
    for my $name (@keys) {
        my @parts = map { chr($key{$_} // ord) } split /\+(?=.)/, $name;
        push @actions, (map { { type => 'keyDown', value => $_ } } @parts), map { { type => 'keyUp', value => $_ } } reverse @parts;
    }
    $self->ask(POST => '/actions', { actions => [ { type => 'key', id => 'keyboard', actions => \@actions } ] });
}

sub screenshot {
    my ($self, $file) = @_;
    Prober::Test::spew($file, MIME::Base64::decode_base64($self->ask(GET => '/screenshot')));
}

sub violations { @{ $_[0]->js('return violations') } }

# What went wrong in scripts. Answers such as 404 and 503 are none: the page is made for them.
sub errors {
    my ($self) = @_;
    my $log = $self->ask(POST => '/se/log', { type => 'browser' });
    return map { $_->{message} } grep { $_->{level} eq 'SEVERE' && $_->{message} !~ /Failed to load resource/ } @$log;
}

# axe-core's script, fetched once into build/.
sub axe_script {
    my $file = Prober::Test::root() . '/build/axe.min.js';
    require Digest::SHA;
    if (Digest::SHA::sha256_hex(Prober::Test::slurp($file)) ne AXE_SHA256) {
        my $dir = Prober::Test::tempdir() . '/axe';
        my ($status, $said) = Prober::Test::run(qw(python3 -m pip install -q --no-deps --only-binary :all: --target), $dir, AXE_PACKAGE);
        die "axe-core cannot be fetched: $said" if $status != 0;
        my $script = Prober::Test::slurp("$dir/" . AXE_FILE);
        die 'axe-core is another one: ' . Digest::SHA::sha256_hex($script) if Digest::SHA::sha256_hex($script) ne AXE_SHA256;
        Prober::Test::spew("$file.$$", $script);
        rename "$file.$$", $file or die "$file: $!";
    }
    return Prober::Test::slurp($file);
}

sub axe {
    my ($self) = @_;
    if (!$self->js('return Boolean(window.axe)')) {
        utf8::decode(my $script = axe_script());
        $self->cdp('Runtime.evaluate', { expression => $script });
    }
    $self->ask(POST => '/timeouts', { script => 110_000 });
    my $found = $self->ask(POST => '/execute/async', { args => [], script => <<'JS' });
const done = arguments[0];
axe.run(document, {resultTypes: ['violations']}).then(
    result => done({passes: result.passes.length, violations: result.violations.flatMap(v => v.nodes.map(n =>
        `${v.id}: ${n.any.concat(n.all, n.none).map(c => c.message)[0] || v.help} (${n.target.join(' ')})`))}),
    error => done({passes: 0, violations: [String(error)]}));
JS
    return ($found->{passes} > 5 ? () : 'axe tested next to nothing', @{ $found->{violations} });
}

sub stop {
    my ($self) = @_;
    eval { $self->call(DELETE => delete $self->{session}) } if $self->{session};
    $self->{process}->stop;
}

END {
    local $?;
    $_->stop for grep { $_->{owner} == $$ && $_->{session} } @all;
}

1;
