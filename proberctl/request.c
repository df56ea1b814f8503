/* What is said on the control socket: HTTP over a unix socket. */
#include <curl/curl.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "prober_addr.h"
#include "proberctl.h"

#define LINE_LEN   512
#define TIMEOUT_MS 60000L /* an answer comes when the change is on disk */

struct reply {
    char line[LINE_LEN]; /* its body's first line */
    size_t len;
};

static size_t take_reply(char *bytes, size_t size, size_t n, void *userdata)
{
    struct reply *reply = userdata;
    size_t room = sizeof(reply->line) - 1 - reply->len, take = n < room ? n : room;

    memcpy(reply->line + reply->len, bytes, take);
    reply->len += take;
    return size * n;
}

/* Who asks, for the journal and the drain's reason. */
static struct curl_slist *who(void)
{
    const char *sudo = getenv("SUDO_USER");
    const struct passwd *entry = getpwuid(getuid());
    const char *name = getuid() == 0 && sudo && *sudo ? sudo : entry ? entry->pw_name : NULL;
    char header[128];

    if (!name)
        return NULL;
    snprintf(header, sizeof(header), "X-Prober-User: %s", name);
    return curl_slist_append(NULL, header);
}

static void no_answer(const struct options *options, CURL *curl, CURLcode code)
{
    const char *next = "systemctl status prober-collector";
    long error = 0;

    curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &error);
    if (error == EACCES || error == EPERM)
        next = "run it as root, or as a member of the socket's group";
    else if (error == ENOENT)
        next = "is prober-collector running, and is this its control.socket? systemctl status "
               "prober-collector";
    complain("%s: %s; %s", options->socket, error ? strerror((int)error) : curl_easy_strerror(code),
             next);
}

static enum answer judge(long status, const struct reply *reply)
{
    if (status == 200) {
        if (*reply->line)
            puts(reply->line);
        return YES;
    }
    if (status == 501) {
        complain("%s", reply->line);
        return NO;
    }
    if (status == 503) {
        complain("not done: %s; journalctl -u prober-collector",
                 *reply->line ? reply->line : "the collector is not able to");
        return CANNOT_TELL;
    }
    complain("refused (%ld): %s; %s", status, *reply->line ? reply->line : "it does not say why",
             status == 404 ? "proberctl nodes lists the nodes" : "proberctl --help, or README.md");
    return status >= 400 && status < 500 ? NO : CANNOT_TELL;
}

/* *ret_status: of the answer; 0 = none. */
/* The answer's status, and its first line in *reply; 0: there is none, and it said why. */
static long exchange(const struct options *options, const char *method, const char *url,
                     const char *body, struct reply *reply)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = who();
    long status = 0;
    CURLcode code;

    if (!curl)
        abort();
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, options->socket);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_reply);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply);
    if (body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK) {
        no_answer(options, curl, code);
        status = 0;
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    reply->line[strcspn(reply->line, "\r\n")] = '\0';
    return status;
}

static enum answer ask(const struct options *options, const char *method, const char *url,
                       const char *body)
{
    struct reply reply = {0};
    long status = exchange(options, method, url, body, &reply);

    return status ? judge(status, &reply) : CANNOT_TELL;
}

static enum answer ask_drain(const struct options *options, const char *method, const char *node)
{
    char address[PROBER_ADDR_STRLEN], url[256], *ttl = NULL;
    enum answer answer;

    if (!read_address(node, address))
        return CANNOT_TELL;
    if (options->ttl)
        ttl = curl_easy_escape(NULL, options->ttl, 0);
    if (snprintf(url, sizeof(url), "http://localhost/drain/%s%s%s", address, ttl ? "?ttl=" : "",
                 ttl ? ttl : "") >= (int)sizeof(url)) {
        complain("--ttl is no duration: 10m, 1h 30min");
        answer = CANNOT_TELL;
    } else {
        answer = ask(options, method, url, NULL);
    }
    curl_free(ttl);
    return answer;
}

enum answer drain(const struct options *options, char **args)
{
    enum answer answer = ask_drain(options, "PUT", args[0]);

    if (answer == YES && options->ttl)
        printf("%s is drained for %s\n", args[0], options->ttl);
    else if (answer == YES)
        printf("%s is drained until proberctl undrain %s\n", args[0], args[0]);
    return answer;
}

enum answer undrain(const struct options *options, char **args)
{
    enum answer answer = ask_drain(options, "DELETE", args[0]);

    if (answer == YES)
        printf("%s is drained no more\n", args[0]);
    return answer;
}

static enum answer ask_suspend(const struct options *options, const char *value)
{
    char url[96];

    snprintf(url, sizeof(url), "http://localhost/admin/cluster/observer/suspend?value=%s", value);
    return ask(options, "POST", url, NULL);
}

enum answer suspend(const struct options *options, char **args)
{
    enum answer answer = ask_suspend(options, "true");

    (void)args;
    if (answer == YES)
        puts("the observers act on nothing until proberctl resume");
    return answer;
}

enum answer resume(const struct options *options, char **args)
{
    enum answer answer = ask_suspend(options, "false");

    (void)args;
    if (answer == YES)
        puts("the observers act again");
    return answer;
}

enum answer repaired(const struct options *options, char **args)
{
    char address[PROBER_ADDR_STRLEN], url[128];
    enum answer answer;

    if (!read_address(args[0], address))
        return CANNOT_TELL;
    snprintf(url, sizeof(url), "http://localhost/nodes/%s/repaired", address);
    answer = ask(options, "PUT", url, NULL);
    if (answer == YES)
        printf("%s is repaired\n", address);
    return answer;
}

static bool make_url(const char *key, char url[64])
{
    static const char *const keys[] = {"readylocaldcs", "localseeds", "dcs",
                                       "region-ips",    "reaper-ips", "reaper-ready"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strcmp(keys[i], key) == 0) {
            snprintf(url, 64, "http://localhost/%s", key);
            return true;
        }
    }
    complain("%s cannot be set; these can: readylocaldcs localseeds dcs region-ips reaper-ips "
             "reaper-ready",
             key);
    return false;
}

enum answer set_value(const struct options *options, char **args)
{
    char url[64];
    enum answer answer = make_url(args[0], url) ? ask(options, "PUT", url, args[1]) : CANNOT_TELL;

    if (answer == YES)
        printf("%s is set\n", args[0]);
    return answer;
}

enum answer unset_value(const struct options *options, char **args)
{
    char url[64];
    enum answer answer = make_url(args[0], url) ? ask(options, "DELETE", url, NULL) : CANNOT_TELL;

    if (answer == YES)
        printf("%s is automatic again\n", args[0]);
    return answer;
}

enum answer reload_seeds(const struct options *options, const char *seeds)
{
    struct reply reply = {0};
    long status = exchange(options, "POST", "http://localhost/reload-seeds", seeds, &reply);

    if (status == 0)
        return CANNOT_TELL;
    if (status != 409)
        return judge(status, &reply);
    complain("%s; does it read another file? ps shows its -Dcassandra.config", reply.line);
    return CANNOT_TELL;
}
