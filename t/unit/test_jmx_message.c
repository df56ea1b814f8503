/* JMX messages: requests byte for byte as recorded, answers recorded and made. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jmx_util.h"
#include "sources/jmx_view.h"

static const struct java_limits LIMITS = {.bytes = 1 << 20, .nodes = 50000, .handles = 50000};

static struct jmx_request request;
static char detail[DETAIL_LEN];

/* The object id of a recorded request. */
static struct jmx_id recorded_id(const char *name)
{
    struct bytes bytes = fixture_bytes(name);
    struct jmx_id id;

    memcpy(id.bytes, bytes.data + 7, sizeof(id.bytes));
    bytes_free(&bytes);
    request.len = 0;
    request.too_long = false;
    return id;
}

static void assert_request(const char *name)
{
    struct bytes bytes = fixture_bytes(name);

    assert_false(request.too_long);
    assert_int_equal(request.len, bytes.len);
    assert_memory_equal(request.bytes, bytes.data, bytes.len);
    bytes_free(&bytes);
}

static void requests_as_recorded(void **state)
{
    static const char *const names[] = {
        "OperationMode",     "NativeTransportRunning",   "GossipRunning",
        "LiveNodesWithPort", "UnreachableNodesWithPort", "HostIdToEndpoint"};
    struct jmx_id id;

    (void)state;
    recorded_id("01_registry_lookup.req.bin");
    jmx_put_lookup(&request);
    assert_request("01_registry_lookup.req.bin");
    id = recorded_id("02_newclient_null.req.bin");
    jmx_put_new_client(&request, &id, "", "secret");
    assert_request("02_newclient_null.req.bin");
    id = recorded_id("11_newclient_credentials.req.bin");
    jmx_put_new_client(&request, &id, "mon", "secret1");
    assert_request("11_newclient_credentials.req.bin");
    id = recorded_id("05_getattributes_storageservice.req.bin");
    jmx_put_get_attributes(&request, &id, "org.apache.cassandra.db:type=StorageService", names, 6);
    assert_request("05_getattributes_storageservice.req.bin");
    id = recorded_id("07_invoke_getdatacenter.req.bin");
    jmx_put_invoke(&request, &id, "org.apache.cassandra.db:type=EndpointSnitchInfo",
                   "getDatacenter", "127.0.0.2");
    assert_request("07_invoke_getdatacenter.req.bin");
    id = recorded_id("08_invoke_reloadseeds.req.bin");
    jmx_put_invoke(&request, &id, "org.apache.cassandra.net:type=Gossiper", "reloadSeeds", NULL);
    assert_request("08_invoke_reloadseeds.req.bin");
    id = recorded_id("17_close_void.req.bin");
    jmx_put_close(&request, &id);
    assert_request("17_close_void.req.bin");
}

/* Every request of a detail poll that asks both spellings fits at once, the handshake with it. */
static void longest_poll(void **state)
{
    struct jmx_id id = {0};
    unsigned asked = questions_of_poll(true, true, SPELLING_UNKNOWN);
    int calls = 0;

    (void)state;
    request = (struct jmx_request){0};
    jmx_put_handshake(&request);
    for (unsigned left = asked; left; left &= ~questions_of_mbean(left)) {
        jmx_put_questions(&request, &id, questions_of_mbean(left));
        calls++;
    }
    assert_int_equal(calls, JMX_MAX_CALLS);
    assert_false(request.too_long);
    /* What does not fit is never half of it. */
    for (int i = 0; i < 20; i++)
        jmx_put_questions(&request, &id, asked);
    assert_true(request.too_long);
    assert_true(request.len <= sizeof(request.bytes));
}

/* A password with what Java writes differently. */
static void credentials_in_modified_utf8(void **state)
{
    static const char *const expected =
        "\x74\x00\x01u\x74\x00\x09\xc3\xa9\xed\xa0\xbd\xed\xb8\x80!";
    struct jmx_id id = {0};

    (void)state;
    request = (struct jmx_request){0};
    jmx_put_new_client(&request, &id, "u", "\xc3\xa9\xf0\x9f\x98\x80!");
    assert_memory_equal(request.bytes + request.len - 16, expected, 16);
}

static void handshake(void **state)
{
    static const uint8_t good[] = "\x4e\x00\x09"
                                  "127.0.0.1\x00\x00\xb7\x1eX";
    static const uint8_t long_host[] = "\x4e\x01\x00";
    size_t len;

    (void)state;
    for (size_t n = 0; n < 16; n++)
        assert_int_equal(jmx_read_handshake(good, n, &len, detail), JAVA_MORE);
    assert_int_equal(jmx_read_handshake(good, 17, &len, detail), JAVA_OK);
    assert_int_equal(len, 16);
    assert_int_equal(jmx_read_handshake(long_host, 3, &len, detail), JAVA_BAD);
    assert_int_equal(jmx_read_handshake((const uint8_t *)"\x4f", 1, &len, detail), JAVA_BAD);
    assert_string_equal(detail, "the server does not speak the stream protocol");
    assert_int_equal(jmx_read_handshake((const uint8_t *)"\x15\x03", 2, &len, detail), JAVA_BAD);
    assert_string_equal(detail, "a TLS port");
    assert_int_equal(jmx_read_handshake((const uint8_t *)"HTTP/1.1", 8, &len, detail), JAVA_BAD);
    assert_string_equal(detail, "not a JMX port: its answer begins with 48");
    assert_true(jmx_is_tls_alert((const uint8_t *)"\x15", 1));
    assert_false(jmx_is_tls_alert((const uint8_t *)"\x15", 0));
}

struct read {
    struct bytes bytes;
    struct java_stream *stream;
    struct jmx_answer answer;
};

static struct read read_bytes(struct bytes bytes, bool has_value, enum java_status expected)
{
    struct read read = {.bytes = bytes};

    assert_int_equal(java_stream_new(&LIMITS, &read.stream), 0);
    assert_int_equal(jmx_read_answer(read.stream, bytes.data, bytes.len, has_value, &read.answer),
                     expected);
    if (expected == JAVA_OK)
        assert_int_equal(read.answer.len, bytes.len);
    return read;
}

static struct read read_recorded(const char *name)
{
    return read_bytes(fixture_bytes(name), !strstr(name, "void"), JAVA_OK);
}

static void read_free(struct read *read)
{
    java_stream_free(read->stream);
    bytes_free(&read->bytes);
}

static void assert_stub(const char *name, uint16_t port, bool tls, const char *id)
{
    struct read read = read_recorded(name);
    struct jmx_stub stub;
    char hex[45];

    assert_false(read.answer.thrown);
    assert_int_equal(jmx_stub(read.stream, &read.answer.value, &stub), 0);
    assert_int_equal(stub.port, port);
    assert_int_equal(stub.tls, tls);
    for (int i = 0; i < 22; i++)
        snprintf(hex + 2 * i, 3, "%02x", stub.id.bytes[i]);
    assert_string_equal(hex, id);
    read_free(&read);
}

static void stubs(void **state)
{
    struct read read;
    struct jmx_stub stub;

    (void)state;
    assert_stub("01_registry_lookup.bin", 34573, false,
                "9a37a0f3ad3e8e3a8236d540000001a20ad4771a8001");
    assert_stub("02_newclient_null.bin", 34573, false,
                "69f226ef0add0c5e8236d540000001a20ad4771af973");
    assert_stub("13_registry_lookup_tls_stub.bin", 41939, true,
                "afd77c844d96a60feafcc599000001a20adf53a18001");
    assert_stub("14_registry_lookup_localjmx_unicastref2.bin", 38855, false,
                "8476a5eca8ace42ae849e4d2000001a20ae4ce4c8001");
    read = read_recorded("04_getattribute_simplestateswithport.bin");
    assert_int_equal(jmx_stub(read.stream, &read.answer.value, &stub), -EINVAL);
    read_free(&read);
    read = read_recorded("03_getattribute_operationmode.bin");
    assert_int_equal(jmx_stub(read.stream, &read.answer.value, &stub), -EINVAL);
    read_free(&read);
}

/* Its data cut, its port out of range: refused, whatever it is. */
static void broken_stubs(void **state)
{
    struct bytes whole = fixture_bytes("01_registry_lookup.bin");
    size_t block = 0xac; /* where the reference begins: 77 and its length */
    struct jmx_stub stub;

    (void)state;
    assert_int_equal(whole.data[block], 0x77);
    for (unsigned len = 0; len < 50; len++) {
        struct bytes cut = {0};
        struct read read;

        put(&cut, whole.data, block + 1);
        put_byte(&cut, len);
        put(&cut, whole.data + block + 2, len);
        put_byte(&cut, 0x78);
        read = read_bytes(cut, true, JAVA_OK);
        /* The last byte is of no use, so it may be missing. */
        assert_int_equal(jmx_stub(read.stream, &read.answer.value, &stub), len < 49 ? -EINVAL : 0);
        read_free(&read);
    }
    for (int i = 0; i < 2; i++) {
        struct bytes bad = fixture_bytes("01_registry_lookup.bin");
        struct read read;

        /* int32 port after the name of the reference and of the host. */
        memset(bad.data + block + 2 + 12 + 11, i ? 0xff : 0, 4);
        read = read_bytes(bad, true, JAVA_OK);
        assert_int_equal(jmx_stub(read.stream, &read.answer.value, &stub), -EINVAL);
        read_free(&read);
    }
    bytes_free(&whole);
}

static void assert_exception(const char *name, enum poll_result expected, const char *what)
{
    struct read read = read_recorded(name);

    assert_true(read.answer.thrown);
    assert_int_equal(jmx_exception(read.stream, &read.answer.value, detail), expected);
    assert_string_equal(detail, what);
    assert_int_equal(jmx_is_no_such_object(read.stream, &read.answer.value),
                     strstr(name, "nosuchobject") != NULL);
    assert_int_equal(read.answer.aborted, strstr(name, "tc_exception") != NULL);
    read_free(&read);
}

static void exceptions(void **state)
{
    (void)state;
    assert_exception("09_exception_attributenotfound.bin", POLL_EXCEPTION,
                     "javax.management.AttributeNotFoundException");
    assert_exception("10_exception_auth_failed.bin", POLL_AUTH, "java.lang.SecurityException");
    assert_exception("12_exception_nosuchobject.bin", POLL_EXCEPTION,
                     "java.rmi.NoSuchObjectException");
    assert_exception("15_tc_exception_midstream.bin", POLL_EXCEPTION,
                     "java.io.NotSerializableException");
}

/* Cassandra 4.0 and later wrap what refuses a login. */
static void wrapped_exceptions(void **state)
{
    static const char *const fields[] = {"cause", "detail", "exception", "runtimeException"};
    struct bytes bytes = {0};
    struct read read;

    (void)state;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        put_answer(&bytes, 2);
        put_exception(&bytes, "java.lang.RuntimeException", fields[i]);
        put_exception(&bytes, "java.lang.SecurityException", "cause");
        put_byte(&bytes, 0x70);
        read = read_bytes(bytes, true, JAVA_OK);
        assert_int_equal(jmx_exception(read.stream, &read.answer.value, detail), POLL_AUTH);
        read_free(&read);
        bytes = (struct bytes){0};
    }
    put_answer(&bytes, 2);
    put_exception(&bytes, "java.rmi.ServerException", "detail");
    put_exception(&bytes, "java.rmi.Unmarshal\nException", "cause");
    put_byte(&bytes, 0x70);
    read = read_bytes(bytes, false, JAVA_OK);
    assert_int_equal(jmx_exception(read.stream, &read.answer.value, detail), POLL_EXCEPTION);
    assert_string_equal(detail,
                        "java.rmi.ServerException, because of java.rmi.Unmarshal?Exception");
    read_free(&read);
    /* Its own cause, as Java writes one that has none; two that cause each other. */
    bytes = (struct bytes){0};
    put_answer(&bytes, 2);
    put_exception(&bytes, "x.A", "cause");
    put_reference(&bytes, 2);
    read = read_bytes(bytes, true, JAVA_OK);
    assert_int_equal(jmx_exception(read.stream, &read.answer.value, detail), POLL_EXCEPTION);
    assert_string_equal(detail, "x.A");
    read_free(&read);
    bytes = (struct bytes){0};
    put_answer(&bytes, 2);
    put_exception(&bytes, "x.A", "cause");
    put_exception(&bytes, "x.B", "cause");
    put_reference(&bytes, 2);
    read = read_bytes(bytes, true, JAVA_OK);
    assert_int_equal(jmx_exception(read.stream, &read.answer.value, detail), POLL_EXCEPTION);
    read_free(&read);
}

static void answers_that_are_none(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } table[] = {
        {"\x50", 1},
        {"\x51\xac\xed\x00\x06", 5},
        {"\x51\xac\xed\x00\x05\x70", 6}, /* no header */
        {"\x51\xac\xed\x00\x05\x77\x0e\x01"
         "0123456789abc",
         21}, /* too short */
        {"\x51\xac\xed\x00\x05\x77\x0f\x03"
         "0123456789abcd",
         22}, /* no such kind */
        {"\x51\xac\xed\x00\x05\x7a\x00\x00\x00\x0f\x01"
         "0123456789abcd",
         25}, /* long form */
        {"\x51\xac\xed\x00\x05\x77\x0f\x01"
         "0123456789abcd\x77\x01z",
         25}, /* no object */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct bytes bytes = {0};
        struct read read;

        put(&bytes, table[i].bytes, table[i].len);
        read = read_bytes(bytes, true, JAVA_BAD);
        read_free(&read);
    }
}

static void replies(void **state)
{
    struct read read = read_recorded("08_invoke_reloadseeds.bin");
    struct bytes bytes = {0};
    struct reply reply;

    (void)state;
    jmx_reply(read.stream, &read.answer, &reply);
    assert_int_equal(reply.result, POLL_OK);
    assert_int_equal(reply.n_texts, 0);
    read_free(&read);
    read = read_recorded("17_close_void.bin");
    jmx_reply(read.stream, &read.answer, &reply);
    assert_int_equal(reply.result, POLL_OK);
    read_free(&read);
    read = read_recorded("07_invoke_getdatacenter.bin");
    jmx_reply(read.stream, &read.answer, &reply);
    assert_int_equal(reply.result, POLL_OK);
    assert_int_equal(reply.n_texts, 1);
    assert_string_equal(reply.texts[0], "dc1");
    reply_done(&reply);
    jmx_reply_attribute(read.stream, &read.answer, "OperationMode", &reply);
    assert_int_equal(reply.result, POLL_BAD_SHAPE);
    read_free(&read);
    read = read_recorded("05_getattributes_storageservice.bin");
    jmx_reply_attribute(read.stream, &read.answer, "OperationMode", &reply);
    assert_int_equal(reply.result, POLL_OK);
    assert_int_equal(reply.n_texts, 1);
    assert_string_equal(reply.texts[0], "NORMAL");
    reply_done(&reply);
    jmx_reply_attribute(read.stream, &read.answer, "Nonesuch", &reply);
    assert_int_equal(reply.result, POLL_NO_MBEAN);
    jmx_reply(read.stream, &read.answer, &reply);
    assert_int_equal(reply.result, POLL_BAD_SHAPE);
    read_free(&read);
    read = read_recorded("12_exception_nosuchobject.bin");
    jmx_reply(read.stream, &read.answer, &reply);
    assert_int_equal(reply.result, POLL_EXCEPTION);
    jmx_reply_attribute(read.stream, &read.answer, "OperationMode", &reply);
    assert_int_equal(reply.result, POLL_EXCEPTION);
    read_free(&read);
    /* A list of two, the second one not ASCII. */
    put_answer(&bytes, 1);
    put_byte(&bytes, 0x73);
    put_class(&bytes, "java.util.ArrayList", 3);
    put(&bytes, "\x77\x04\x00\x00\x00\x02", 6);
    put_string(&bytes, "/10.0.0.1:7000");
    put_string(&bytes, "\xed\xa0\xbd\xed\xb8\x80");
    put_byte(&bytes, 0x78);
    read = read_bytes(bytes, true, JAVA_OK);
    jmx_reply(read.stream, &read.answer, &reply);
    assert_int_equal(reply.n_texts, 2);
    assert_string_equal(reply.texts[0], "/10.0.0.1:7000");
    assert_string_equal(reply.texts[1], "\xf0\x9f\x98\x80");
    reply_done(&reply);
    read_free(&read);
    /* A java.lang.Long. */
    bytes = (struct bytes){0};
    put_answer(&bytes, 1);
    put_byte(&bytes, 0x73);
    put_class_head(&bytes, "java.lang.Long", 2, 1);
    put_byte(&bytes, 'J');
    put_utf(&bytes, "value");
    put_byte(&bytes, 0x78);
    put_class(&bytes, "java.lang.Number", 2);
    put_number(&bytes, 1234567890123, 8);
    read = read_bytes(bytes, true, JAVA_OK);
    jmx_reply(read.stream, &read.answer, &reply);
    assert_int_equal(reply.result, POLL_OK);
    assert_int_equal(reply.number, 1234567890123);
    read_free(&read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_as_recorded),
        cmocka_unit_test(longest_poll),
        cmocka_unit_test(credentials_in_modified_utf8),
        cmocka_unit_test(handshake),
        cmocka_unit_test(stubs),
        cmocka_unit_test(broken_stubs),
        cmocka_unit_test(exceptions),
        cmocka_unit_test(wrapped_exceptions),
        cmocka_unit_test(answers_that_are_none),
        cmocka_unit_test(replies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
