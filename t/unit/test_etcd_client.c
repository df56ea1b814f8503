/* What an answer of etcd's means for what was asked: done, refused, not done, or nobody knows. */
#include "store/etcd_client.h"

#include <string.h>

#include "model_util.h"

static struct http_answer said;
static http_done said_to;
static void *said_with;
static unsigned asked; /* members */

int multi_new(sd_event *event, struct multi **ret)
{
    (void)event;
    *ret = NULL;
    return 0;
}

struct multi *multi_free(struct multi *multi)
{
    (void)multi;
    return NULL;
}

int http_new(struct multi *multi, struct http **ret)
{
    (void)multi;
    *ret = NULL;
    return 0;
}

struct http *http_free(struct http *http)
{
    (void)http;
    return NULL;
}

int http_login_copy(const char *user, const char *password, const char *ca_file,
                    struct http_login *ret)
{
    (void)user;
    (void)password;
    (void)ca_file;
    *ret = (struct http_login){0};
    return 0;
}

void http_login_done(struct http_login *login)
{
    (void)login;
}

int http_start(struct http *http, const struct http_ask *ask, http_done done, void *userdata,
               struct http_request **ret)
{
    (void)http;
    (void)ask;
    said_to = done;
    said_with = userdata;
    asked++;
    *ret = NULL;
    return 0;
}

struct http_request *http_cancel(struct http_request *request)
{
    (void)request;
    return NULL;
}

int64_t store_now_ms(void)
{
    return 1000;
}

static void on_done(const struct etcd_answer *answer, void *userdata)
{
    *(struct etcd_answer *)userdata = *answer;
}

/* A change is asked of one of two members, and each says the same. */
static void a_change(void **state)
{
    static const struct {
        enum poll_result result;
        int status;
        enum store_result means;
        unsigned asked;
    } table[] = {
        {POLL_OK, 200, STORE_OK, 1},
        {POLL_HTTP, 400, STORE_REFUSED, 1},
        {POLL_AUTH, 401, STORE_REFUSED, 1},
        {POLL_AUTH, 403, STORE_REFUSED, 1},
        {POLL_HTTP, 404, STORE_REFUSED, 1},
        /* It was asked, and may have done it, or do it still. */
        {POLL_HTTP, 408, STORE_UNKNOWN, 1},
        {POLL_HTTP, 499, STORE_UNKNOWN, 1},
        {POLL_HTTP, 500, STORE_UNKNOWN, 1},
        {POLL_HTTP, 503, STORE_UNKNOWN, 1},
        {POLL_HTTP, 504, STORE_UNKNOWN, 1},
        {POLL_TIMEOUT, 0, STORE_UNKNOWN, 1},
        /* Nobody was: the next one is. */
        {POLL_REFUSED, 0, STORE_UNREACHABLE, 2},
    };
    struct conf conf = {.store = (char *)"etcd+http://127.0.0.1:1,127.0.0.2:1"};

    (void)state;
    conf.coordination.user = conf.coordination.password = conf.coordination.ca_file = (char *)"";
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct etcd_ask ask = {
            .path = "/v3/kv/txn", .body = strdup("{}"), .deadline_ms = 1000 + STORE_DEADLINE_MS};
        struct etcd_answer answer = {.result = STORE_NONE};
        struct etcd_client *client;
        struct etcd_call *call;

        assert_int_equal(etcd_client_new(NULL, &conf, &client), 0);
        asked = 0;
        assert_int_equal(etcd_call_start(client, &ask, on_done, &answer, &call), 0);
        said = (struct http_answer){.result = table[i].result, .status = table[i].status};
        for (unsigned n = 0; n < asked && answer.result == STORE_NONE; n++)
            said_to(&said, said_with);
        if (answer.result != table[i].means || asked != table[i].asked)
            fail_msg("status %d: result %d, of %u", table[i].status, answer.result, asked);
        etcd_client_free(client);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
