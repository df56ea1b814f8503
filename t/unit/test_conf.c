/* Every bad line of a configuration is told with its line and what is accepted; every good one is
 * taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf.h"
#include "publish/text.h"

static void collect(const char *message, void *userdata)
{
    text_puts(userdata, message);
    text_puts(userdata, "\n");
}

/* Loads `source` from a file named like /tmp/prober-conf-XXXXXX; errors go to *ret_errors as lines.
 */
static struct conf *load(const char *source, struct text *ret_errors)
{
    char path[] = "/tmp/prober-conf-XXXXXX";
    struct conf *conf = NULL;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, source, strlen(source)), strlen(source));
    close(fd);
    conf_load(path, collect, ret_errors, &conf);
    text_add(ret_errors, "", 1);
    unlink(path);
    return conf;
}

static void refused_lines(void **state)
{
    static const struct {
        const char *source;
        const char *line;    /* ":N:" of the message */
        const char *message; /* in it */
    } table[] = {
        {"\nlocl: { };", ":2:", "unknown section \"locl\"; accepted: local, peers, poll"},
        {"local: { sauce = \"x\"; };", ":1:",
         "unknown key \"sauce\" in section \"local\"; accepted: source, user, password_file, "
         "ca_file"},
        {"local: {\n source = 5;\n};", ":2:", "local.source: expected a source URL"},
        {"local: { source = \"ftp://x\"; };", ":1:", "jolokia+http://"},
        {"local: { user = true; };", ":1:", "expected a user name in quotes, got true"},
        {"local: { password_file = \"/nonexistent/p\"; };", ":1:", "No such file or directory"},
        {"local = 7;", ":1:", "expected a group"},
        {"peers: { mode = \"mash\"; };",
         ":1:", "expected \"mesh\", \"direct\" or \"off\", got \"mash\""},
        {"peers: { url = \"jolokia+http://10.0.0.1:8778/jolokia\"; };", ":1:", "{address}"},
        {"peers: { static = \"10.0.0.1\"; };", ":1:", "expected a list of addresses"},
        {"peers: { static = [ \"10.0.0.300\" ]; };", ":1:", "expected an IP address"},
        {"peers: {\n static = [ \"10.0.0.1=nonsense\" ]; };", ":2:", "http://HOST:PORT"},
        {"peers: {\n static = [ \"10.0.0.1=nonsense\" ]; mode = \"direct\"; };",
         ":2:", "jolokia+http://"},
        {"peers: { url = \"jmx://{address}:7199\"; };", ":1:", "http://{address}:PORT"},
        {"peers: { mode = \"direct\"; url = \"http://{address}:8888\"; };", ":1:", "jmx://"},
        {"peers: { user = \"u\"; };", "", "needs peers.password_file"},
        {"peers: { password_file = \"/nonexistent/p\"; };", ":1:", "peers.password_file: cannot"},
        {"state: { path = \"x\"; };", ":1:", "an absolute path"},
        {"poll: { interval = \"fast\"; };", ":1:", "expected a duration of at least 50ms"},
        {"poll: { interval = \"-1s\"; };", ":1:", "expected a duration"},
        {"poll: { interval = \"10ms\"; };", ":1:", "at least 50ms, such as \"3s\", got \"10ms\""},
        {"poll: { timeout = 1.5; };", ":1:", "got 1.5"},
        {"poll: { interval = \"3s\"; view_ttl = \"1s\"; };", "", "view_ttl is shorter"},
        {"readiness: { policy = \"count:\"; };", ":1:", "\"count:K\", got \"count:\""},
        {"readiness: { policy = \"count:0\"; };", ":1:", "got \"count:0\""},
        {"readiness: { policy = \"count:2x\"; };", ":1:", "got \"count:2x\""},
        {"readiness: { min_observers = \"most\"; };", ":1:", "or \"majority\", got \"most\""},
        {"readiness: { min_observers = 0; };", ":1:", "got 0"},
        {"readiness: { rise = 0; };", ":1:", "expected a number of rounds"},
        {"readiness: { fall = \"1\"; };", ":1:", "expected a number of rounds"},
        {"seeds: { count = \"3\"; };", ":1:", "expected \"auto\""},
        {"gates: { bootstrap_grace = \"-1s\"; };", ":1:", "expected a duration"},
        {"gates: { stable = true; };", ":1:", "gates.stable: expected a duration"},
        {"gates: { strict = \"true\"; };", ":1:", "true or false, without quotes, got \"true\""},
        {"gates: { strict = 1; };", ":1:", "gates.strict: expected true or false"},
        {"gates: { grace = \"1s\"; };", ":1:", "accepted: bootstrap_grace, stable, strict"},
        {"jobs: { settle = \"0\"; };",
         ":1:", "jobs.settle: expected a duration of at least 1000ms"},
        {"jobs: { stable = \"1ms\"; };", ":1:", "got \"1ms\""},
        {"jobs: { units = \"x\"; };", ":1:", "jobs.units: expected a list of \"TYPE=UNIT\""},
        {"jobs: { units = [ \"compact\" ]; };", ":1:", "got \"compact\""},
        {"jobs: { units = [ 1 ]; };", ":1:", "expected a list of \"TYPE=UNIT\""},
        {"jobs: { units = [ \"a b=x.service\" ]; };", ":1:", "got \"a b=x.service\""},
        {"jobs: { units = [ \"=x.service\" ]; };", ":1:", "got \"=x.service\""},
        {"jobs: { units = [ \"a=x.timer\" ]; };", ":1:", "got \"a=x.timer\""},
        {"jobs: { units = [ \"a=.service\" ]; };", ":1:", "got \"a=.service\""},
        {"jobs: { units = [ \"a=../x.service\" ]; };", ":1:", "got \"a=../x.service\""},
        {"jobs: { units = [ \"a=x.service\",\n \"a=y.service\" ]; };",
         ":2:", "\"a\" is there twice"},
        {"jobs: { unit = [ ]; };", ":1:", "accepted: settle, stable, units"},
        {"region: { datacenters = \"dc1\"; };", ":1:", "a list of data center names"},
        {"region: { datacenters = [ 1 ]; };", ":1:", "a name in quotes, got 1"},
        {"region: { first_node = \"host1\"; };", ":1:", "an IP address in quotes, or \"\", got"},
        {"region: { first_node = 1; };", ":1:", "region.first_node: expected an IP address"},
        {"segment: { path = \"segment\"; };", ":1:", "expected an absolute path"},
        {"metrics: { opinions = 1; };", ":1:", "metrics.opinions: expected true or false, got 1"},
        {"agent: { listen = \"8890\"; };", ":1:", "agent.listen: expected an address and a port"},
        {"agent: { listen = \"localhost:8890\"; };", ":1:", "an address and a port in quotes"},
        {"agent: { listen = \"10.0.0.1:0\"; };", ":1:", "got \"10.0.0.1:0\""},
        {"agent: { listen = \"10.0.0.1:65536\"; };", ":1:", "got \"10.0.0.1:65536\""},
        {"agent: { listen = \"2001:db8::1:8890\"; };", ":1:", "expected an address and a port"},
        {"agent: { listen = 8890; };", ":1:", "an address and a port in quotes"},
        {"agent: {\n node = \"both\"; };", ":2:", "agent.node: expected \"local\" or \"asked\""},
        {"local: { source = \"\"; };", "", "nobody to poll"},
        {"local: { user = \"u\"; };", "", "needs local.password_file"},
        {"local: { ca_file = \"ca.pem\"; };", ":1:", "an absolute path"},
        {"local: { unit = \"cassandra\"; };", ":1:", "the name of a service"},
        {"local: { unit = \"../x.service\"; };", ":1:", "the name of a service"},
        {"local: { unit = 5; };", ":1:", "the name of a service"},
        {"local: { ca_file = \"/nonexistent/ca\"; };", "", "No such file or directory"},
        {"coordination: { store = \"etcd\"; };",
         ":1:", "coordination.store: expected \"local\", \"etcd+http://HOST:PORT"},
        {"coordination: { store = \"etcd+http://\"; };", ":1:", "got \"etcd+http://\""},
        {"coordination: { store = \"etcd+http://a\"; };", ":1:", "HOST:PORT"},
        {"coordination: { store = \"etcd+http://a:1,\"; };", ":1:", "HOST:PORT"},
        {"coordination: { store = \"etcd+http://a:1,b:0\"; };", ":1:", "HOST:PORT"},
        {"coordination: { store = \"etcd+http://a:1/x\"; };", ":1:", "HOST:PORT"},
        {"coordination: { store = \"etcd+http://a:65536\"; };", ":1:", "HOST:PORT"},
        {"coordination: { store = \"etcd+http://[::1]\"; };", ":1:", "HOST:PORT"},
        {"coordination: { store = \"etcd+http://[x]:1\"; };", ":1:", "HOST:PORT"},
        {"coordination: { store = \"etcd+http://u:p@a:1\"; };", ":1:", "with \"@\" in it"},
        {"coordination: { store = \"etcd+ftp://a:1\"; };", ":1:", "HOST:PORT"},
        {"coordination: { store = 1; };", ":1:", "got 1"},
        {"coordination: { ttl = \"2s\"; };",
         ":1:", "coordination.ttl: expected a duration of 3s to 5min, got \"2s\""},
        {"coordination: { ttl = \"6min\"; };", ":1:", "got \"6min\""},
        {"coordination: { ttl = true; };", ":1:", "got true"},
        {"coordination: { prefix = \"x/\"; };", ":1:", "coordination.prefix: expected a prefix"},
        {"coordination: { prefix = \"/x\"; };", ":1:", "begins and ends with"},
        {"coordination: { prefix = \"/{name}/\"; };", ":1:", "got \"/{name}/\""},
        {"coordination: { prefix = \"/{cluster}/{cluster}/\"; };", ":1:", "expected a prefix"},
        {"coordination: { prefix = \"/a b/\"; };", ":1:", "expected a prefix"},
        {"coordination: { prefix = 1; };", ":1:", "got 1"},
        {"coordination: { user = \"u\"; };", "",
         "needs coordination.password_file or the systemd credential coordination-password"},
        {"coordination: { ca_file = \"/nonexistent/ca\"; };", "", "No such file or directory"},
        {"coordination: { lease = 1; };",
         ":1:", "accepted: store, ttl, prefix, user, password_file, ca_file"},
        {"region: { name = \"\"; };", ":1:", "region.name: expected a name in quotes, of up to 63"},
        {"region: { name = \"a/b\"; };", ":1:", "got \"a/b\""},
        {"datacenters: { };", ":1:", "datacenters: expected a list of groups"},
        {"datacenters = [ \"dc1\" ];", ":1:", "datacenters: expected a list of groups"},
        {"datacenters = (\n \"dc1\" );", ":2:", "datacenters: expected a group: { name"},
        {"datacenters = (\n { size = 3; } );", ":2:", "a data center needs a name"},
        {"datacenters = ( { name = 1; } );", ":1:", "datacenters.name: expected a name in quotes"},
        {"datacenters = ( { name = \"\"; } );", ":1:", "of 1 to 63 bytes, got \"\""},
        {"datacenters = ( { name = \"d\";\n size = 0; } );",
         ":2:", "datacenters.size: expected a number of nodes"},
        {"datacenters = ( { name = \"d\";\n size = \"3\"; } );", ":2:", "got \"3\""},
        {"datacenters = ( { name = \"d\";\n size = 2; racks = [ \"a\", \"b\", \"c\" ]; } );",
         ":2:", "\"d\" has 3 racks, 2 nodes are fewer"},
        {"datacenters = ( { name = \"d\"; racks = [ \"a\",\n \"a\" ]; } );",
         ":2:", "datacenters.racks: \"a\" is there twice"},
        {"datacenters = ( { name = \"d\"; racks = [ \"\" ]; } );", ":1:", "of 1 to 63 bytes"},
        {"datacenters = ( { name = \"d\"; racks = \"a\"; } );", ":1:", "a list of rack names"},
        {"datacenters = ( { name = \"d\"; },\n { name = \"d\"; } );",
         ":2:", "\"d\" is there twice"},
        {"datacenters = ( { name = \"d\"; seeds = 3; } );",
         ":1:", "unknown key \"seeds\" in section \"datacenters\"; accepted: name, size, racks"},
        {"regions: { };", ":1:", "regions: expected a list of groups"},
        {"regions = (\n { name = \"eu\"; } );", ":2:", "a region needs a name and a url"},
        {"regions = (\n { url = \"http://e\"; } );", ":2:", "a region needs a name and a url"},
        {"regions = ( { name = \"eu\";\n url = \"ftp://e\"; } );",
         ":2:", "regions.url: expected http://"},
        {"regions = ( { name = \"e u\"; url = \"http://e\"; } );", ":1:", "got \"e u\""},
        {"regions = ( { name = \"eu\"; url = \"http://e\"; },\n"
         " { name = \"eu\"; url = \"http://f\"; } );",
         ":2:", "\"eu\" is there twice"},
        {"regions = ( { name = \"eu\"; url = \"http://e\"; dcs = 1; } );",
         ":1:", "accepted: name, url, user, password_file, ca_file"},
        {"region: { name = \"ap\"; };\n"
         "regions = ( { name = \"eu\"; url = \"http://e\"; user = \"u\"; } );",
         "", "the systemd credential region-eu-password"},
        {"regions = ( { name = \"eu\"; url = \"http://e\";\n"
         " password_file = \"/nonexistent/p\"; } );",
         ":2:", "regions.password_file: cannot read /nonexistent/p"},
        {"region: { datacenters = [ \"dc1\" ]; };\n"
         "regions = ( { name = \"eu\"; url = \"http://e\"; } );",
         ":2:", "needs region.name; expected region: { name = \"…\"; }"},
        {"local: {\n source \"x\";\n};", ":2:", "syntax error"},
        {"local: { source = \"a\"; source = \"b\"; };", ":1:", "duplicate"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct text errors = {0};
        struct conf *conf = load(table[i].source, &errors);

        if (conf || !strstr(errors.data, table[i].line) || !strstr(errors.data, table[i].message))
            fail_msg("%s\n  gave: %s\n  wanted: %s … %s", table[i].source, errors.data,
                     table[i].line, table[i].message);
        text_free(&errors);
    }
}

static void all_errors_at_once(void **state)
{
    struct text errors = {0};

    (void)state;
    assert_null(load("poll: {\n interval = 1.0;\n timeout = 2.0;\n};\nx: { };", &errors));
    assert_non_null(strstr(errors.data, ":2: poll.interval"));
    assert_non_null(strstr(errors.data, ":3: poll.timeout"));
    assert_non_null(strstr(errors.data, ":5: unknown section"));
    text_free(&errors);
}

static void missing_file(void **state)
{
    struct text errors = {0};
    struct conf *conf = NULL;

    (void)state;
    assert_true(conf_load("/nonexistent.conf", collect, &errors, &conf) < 0);
    text_add(&errors, "", 1);
    assert_non_null(strstr(errors.data, "/nonexistent.conf: cannot read the configuration"));
    text_free(&errors);
}

/* Who may not read the passwords gets everything else, and hears of everything else. */
static void without_secrets(void **state)
{
    static const char source[] = "local: { user = \"u\"; ca_file = \"/nonexistent/ca\"; };\n"
                                 "peers: { user = \"u\"; password_file = \"/nonexistent/p\"; };\n"
                                 "region: { first_node = \"10.0.0.9\"; };\n";
    char path[] = "/tmp/prober-conf-XXXXXX";
    struct text errors = {0};
    struct conf *conf = NULL;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, source, strlen(source)), strlen(source));
    assert_true(conf_load(path, collect, &errors, &conf) < 0);
    assert_null(conf);
    assert_int_equal(conf_load_without_secrets(path, collect, &errors, &conf), 0);
    assert_string_equal(conf->first_node, "10.0.0.9");
    assert_string_equal(conf->peers.password, "");
    conf = conf_free(conf);
    assert_int_equal(write(fd, "x: 1;", 5), 5);
    assert_true(conf_load_without_secrets(path, collect, &errors, &conf) < 0);
    assert_null(conf);
    close(fd);
    unlink(path);
    text_free(&errors);
}

static void empty_file_has_defaults(void **state)
{
    struct text errors = {0};
    struct conf *conf = load("", &errors);

    (void)state;
    assert_string_equal(errors.data, "");
    assert_non_null(conf);
    assert_int_equal(conf->interval_ms, 500);
    assert_int_equal(conf->timeout_ms, 1000);
    assert_int_equal(conf->readiness.view_ttl_ms, 3000);
    assert_int_equal(conf->readiness.policy, POLICY_MUTUAL);
    assert_int_equal(conf->readiness.settle_ms, 5000);
    assert_string_equal(conf->first_node, "");
    assert_int_equal(conf->jobs_settle_ms, 600000);
    assert_int_equal(conf->jobs_stable_ms, 10000);
    assert_int_equal(conf->n_jobs, 0);
    assert_int_equal(conf->gates.bootstrap_grace_ms, 120000);
    assert_int_equal(conf->gates.stable_ms, 10000);
    assert_false(conf->gates.strict);
    assert_true(prober_addr_is_unset(&conf->gates.first_node));
    assert_string_equal(conf->segment_path, "/run/cassandra-prober/segment");
    assert_string_equal(conf->store, "local");
    assert_string_equal(conf->unit, "cassandra.service");
    assert_string_equal(conf->store_prefix, "/cassandra-prober/{cluster}/");
    assert_int_equal(conf->store_ttl_ms, 10000);
    conf_free(conf);
    text_free(&errors);
}

static void good_settings(void **state)
{
    struct text errors = {0};
    struct conf *conf = load(
        "local: { source = \"jolokia+http://127.0.0.1:7777/jolokia\"; };\n"
        "peers: { mode = \"off\"; url = \"jolokia+https://{address}:1/j\";\n"
        "  static = [ \"10.0.0.1\", \"[2001:DB8::1]=jolokia+http://192.0.2.7:8778/jolokia\" ]; };\n"
        "poll: { interval = 2; timeout = \"1s 500ms\"; view_ttl = \"1min\"; membership = \"3h\"; "
        "};\n"
        "readiness: { policy = \"count:3\"; min_observers = \"majority\"; rise = 2; fall = 3;\n"
        "  settle = \"0\"; rehab = \"0\"; };\n"
        "seeds: { count = \"auto\"; };\n"
        "jobs: { settle = \"1h\"; stable = \"30s\";\n"
        "  units = [ \"compact=my-compact.service\", \"own=own@a.service\" ]; };\n"
        "gates: { bootstrap_grace = \"0\"; stable = \"1min\"; strict = true; };\n"
        "region: { name = \"eu\"; datacenters = [ \"dc1\", \"dc2\" ];\n"
        "  first_node = \"[2001:DB8::1]\"; };\n"
        "coordination: { store = "
        "\"etcd+https://etcd-1.example:2379,[2001:db8::1]:2379,10.0.0.1:1\";\n"
        "  ttl = 3; prefix = \"/prober/Prod/\"; };\n"
        "segment: { path = \"/tmp/s\"; };\n",
        &errors);
    struct prober_addr v6;

    (void)state;
    assert_string_equal(errors.data, "");
    assert_non_null(conf);
    assert_int_equal(conf->peers_mode, PEERS_OFF);
    assert_int_equal(conf->n_peers_static, 2);
    assert_string_equal(conf->peers_static[0].url, "");
    assert_int_equal(prober_addr_parse("2001:db8::1", 11, &v6), 0);
    assert_int_equal(prober_addr_compare(&conf->peers_static[1].address, &v6), 0);
    assert_string_equal(conf->peers_static[1].url, "jolokia+http://192.0.2.7:8778/jolokia");
    assert_int_equal(conf->interval_ms, 2000);
    assert_int_equal(conf->timeout_ms, 1500);
    assert_int_equal(conf->view_ttl_ms, 60000);
    assert_int_equal(conf->membership_ms, 3 * 3600 * 1000);
    assert_int_equal(conf->readiness.policy, POLICY_COUNT);
    assert_int_equal(conf->readiness.count, 3);
    assert_true(conf->readiness.min_majority);
    assert_int_equal(conf->readiness.rise, 2);
    assert_int_equal(conf->readiness.fall, 3);
    assert_int_equal(conf->readiness.settle_ms, 0);
    assert_string_equal(conf->region_datacenters[1], "dc2");
    assert_null(conf->region_datacenters[2]);
    assert_string_equal(conf->first_node, "2001:db8::1");
    assert_string_equal(conf->store,
                        "etcd+https://etcd-1.example:2379,[2001:db8::1]:2379,10.0.0.1:1");
    assert_string_equal(conf->store_prefix, "/prober/Prod/");
    assert_int_equal(conf->store_ttl_ms, 3000);
    assert_int_equal(conf->jobs_settle_ms, 3600000);
    assert_int_equal(conf->jobs_stable_ms, 30000);
    assert_int_equal(conf->n_jobs, 2);
    assert_string_equal(conf->jobs[0].type, "compact");
    assert_string_equal(conf->jobs[0].unit, "my-compact.service");
    assert_string_equal(conf->jobs[1].unit, "own@a.service");
    assert_int_equal(conf->gates.bootstrap_grace_ms, 0);
    assert_int_equal(conf->gates.stable_ms, 60000);
    assert_true(conf->gates.strict);
    assert_int_equal(prober_addr_compare(&conf->gates.first_node, &v6), 0);
    conf_free(conf);
    text_free(&errors);
}

static void metrics_and_agent(void **state)
{
    static const uint8_t v4[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};
    struct text errors = {0};
    struct conf *conf;

    (void)state;
    conf = load("", &errors);
    assert_false(conf->metrics_opinions);
    assert_int_equal(conf->agent.port, 0);
    conf_free(conf);
    conf = load("metrics: { opinions = true; };\n"
                "agent: { listen = \"127.0.0.1:8890\"; node = \"asked\"; };",
                &errors);
    assert_true(conf->metrics_opinions);
    assert_true(conf->agent_asked);
    assert_int_equal(conf->agent.port, 8890);
    assert_memory_equal(conf->agent.address.bytes, v4, 16);
    conf_free(conf);
    conf = load("agent: { listen = \"[2001:db8::1]:1\"; node = \"local\"; };", &errors);
    assert_int_equal(conf->agent.port, 1);
    assert_int_equal(conf->agent.address.bytes[0], 0x20);
    assert_false(conf->agent_asked);
    conf_free(conf);
    conf = load("agent: { listen = \"\"; };", &errors);
    assert_int_equal(conf->agent.port, 0);
    conf_free(conf);
    text_free(&errors);
}

static void password_from_file(void **state)
{
    char path[] = "/tmp/prober-password-XXXXXX", source[128];
    struct text errors = {0};
    struct conf *conf;
    int fd = mkstemp(path);

    (void)state;
    assert_int_equal(write(fd, "secret \nsecond line\n", 20), 20);
    close(fd);
    snprintf(source, sizeof(source), "local: { user = \"u\"; password_file = \"%s\"; };", path);
    conf = load(source, &errors);
    unlink(path);
    assert_non_null(conf);
    assert_string_equal(conf->local.password, "secret ");
    conf_free(conf);
    text_free(&errors);
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"500ms", 500},   {"3s", 3000},          {"3", 3000},      {"2min", 120000},
                {"3h", 10800000}, {"1h 30min", 5400000}, {"1d", 86400000}, {"1 s", 1000}};
    static const char *const bad[] = {"",    " ",   "s",    "3x",
                                      "3s!", "-3s", "1.5s", "99999999999999999999s"};
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(conf_parse_duration(good[i].text, &ms), 0);
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_true(conf_parse_duration(bad[i], &ms) < 0);
}

static void lists_of_groups(void **state)
{
    char directory[] = "/tmp/prober-conf-XXXXXX", path[64];
    struct text errors = {0};
    struct conf *conf;
    FILE *file;

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/region-eu-password", directory);
    file = fopen(path, "w");
    fputs("secret\n", file);
    fclose(file);
    setenv("CREDENTIALS_DIRECTORY", directory, 1);
    conf = load("region: { name = \"ap\"; };\n"
                "datacenters = ( { name = \"dc1\"; size = 6; racks = [ \"r1\", \"r2\" ]; },\n"
                "                { name = \"dc2\"; } );\n"
                "regions = ( { name = \"ap\"; url = \"http://ap\"; },\n"
                "  { name = \"eu\"; url = \"https://eu.example/p\"; user = \"u\"; } );\n",
                &errors);
    unsetenv("CREDENTIALS_DIRECTORY");
    unlink(path);
    rmdir(directory);

    assert_string_equal(errors.data, "");
    assert_int_equal(conf->n_datacenters, 2);
    assert_string_equal(conf->datacenters[0].name, "dc1");
    assert_int_equal(conf->datacenters[0].size, 6);
    assert_int_equal(dc_wanted_racks(&conf->datacenters[0]), 2);
    assert_string_equal(conf->datacenters[0].racks[1], "r2");
    assert_int_equal(conf->datacenters[1].size, 0);
    assert_int_equal(dc_wanted_racks(&conf->datacenters[1]), 0);
    assert_int_equal(conf->n_regions, 2);
    assert_string_equal(conf->regions[1].name, "eu");
    assert_string_equal(conf->regions[1].url, "https://eu.example/p");
    assert_string_equal(conf->regions[1].login.password, "secret");
    conf_free(conf);
    text_free(&errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_lines),
        cmocka_unit_test(all_errors_at_once),
        cmocka_unit_test(missing_file),
        cmocka_unit_test(without_secrets),
        cmocka_unit_test(empty_file_has_defaults),
        cmocka_unit_test(good_settings),
        cmocka_unit_test(lists_of_groups),
        cmocka_unit_test(metrics_and_agent),
        cmocka_unit_test(password_from_file),
        cmocka_unit_test(durations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
