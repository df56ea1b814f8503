/*
 * A JMX server for tests, in further processes: registry, server and connection objects on one
 * port, with Cassandra's MBeans by a script in memory shared with the test, and with one fault.
 */
#ifndef JMX_SERVER_H
#define JMX_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>

#include "jmx_util.h"
#include "poll_server.h"
#include "sources/java_stream.h"

struct jmx_script {
    atomic_uint connections, lookups, new_clients, acknowledged, calls, invoked, closed;
    atomic_uint both;       /* calls that ask both spellings */
    atomic_uint forgets;    /* raised: connection objects of before are unknown */
    atomic_uint restarts;   /* raised: the server object of before too */
    atomic_bool old;        /* as 3.11: no attributes with ports */
    atomic_bool down;       /* sees 127.0.9.2 DOWN */
    atomic_bool in_two;     /* writes its answers in two pieces */
    atomic_bool refuse;     /* logins but mon / secret */
    atomic_bool talkative;  /* says more than was asked */
    atomic_bool hang;       /* says nothing while this is set */
    atomic_uint hang_up;    /* so many calls from now on end their connection unanswered */
    atomic_uint close_each; /* a connection ends after so many calls of it; 0 = never */
    atomic_ushort port;     /* that stubs name; 0 = the one that was asked */
};

enum stage { AT_CONNECT, AT_LOOKUP, AT_NEW_CLIENT, AT_CALL };
enum then { CLOSE, HANG, DRIP, ENDLESS, RESET };

/* Instead of an answer at this stage: the bytes, then what follows. */
struct jmx_fault {
    enum stage stage;
    const char *bytes;
    size_t len;
    const char *piece; /* repeated by DRIP and ENDLESS */
    size_t piece_len;
    enum then then;
};

struct jmx_node {
    struct jmx_script *script;
    const struct jmx_fault *fault; /* NULL = none */
};

struct jmx_wire {
    int fd;
    const struct jmx_node *node;
    struct bytes in;
    unsigned calls;
};

static inline bool wire_more(struct jmx_wire *wire)
{
    char buf[4096];
    ssize_t n = recv(wire->fd, buf, sizeof(buf), 0);

    if (n > 0)
        put(&wire->in, buf, (size_t)n);
    return n > 0;
}

static inline bool wire_need(struct jmx_wire *wire, size_t n)
{
    while (wire->in.len < n)
        if (!wire_more(wire))
            return false;
    return true;
}

static inline void wire_drop(struct jmx_wire *wire, size_t n)
{
    wire->in.len -= n;
    memmove(wire->in.data, wire->in.data + n, wire->in.len);
}

static inline bool wire_has(const struct jmx_wire *wire, size_t len, const char *text)
{
    return memmem(wire->in.data, len, text, strlen(text)) != NULL;
}

/* False: the connection is over. */
static inline bool misbehave(struct jmx_wire *wire, enum stage stage)
{
    const struct jmx_fault *fault = wire->node->fault;
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    char piece[65536];
    size_t len = 0;

    if (!fault || fault->stage != stage)
        return true;
    send_all(wire->fd, fault->bytes, fault->len);
    switch (fault->then) {
    case HANG:
        while (wire_more(wire))
            ;
        break;
    case DRIP:
        while (send_all(wire->fd, fault->piece, fault->piece_len))
            sleep_ms(100);
        break;
    case ENDLESS:
        while (len + fault->piece_len <= sizeof(piece)) {
            memcpy(piece + len, fault->piece, fault->piece_len);
            len += fault->piece_len;
        }
        while (send_all(wire->fd, piece, len))
            ;
        break;
    case RESET:
        setsockopt(wire->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
        break;
    case CLOSE:
        shutdown(wire->fd, SHUT_WR);
        sleep_ms(50);
        break;
    }
    return false;
}

static inline void put_states(struct bytes *bytes, const char *name, const char *port,
                              const struct jmx_script *script)
{
    char text[64];

    put_attribute(bytes, name);
    put_collection(bytes, "java.util.HashMap");
    snprintf(text, sizeof(text), "node1/127.0.9.1%s", port);
    put_string(bytes, text);
    put_string(bytes, "UP");
    snprintf(text, sizeof(text), "/127.0.9.2%s", port);
    put_string(bytes, text);
    put_string(bytes, script->down ? "DOWN" : "UP");
    put_byte(bytes, 0x78);
}

static inline void put_failure_detector(struct bytes *bytes, const struct jmx_wire *wire,
                                        size_t len)
{
    static const char states[] = "/127.0.9.1:7000\n  generation:1\n  HOST_ID:1:host-1\n"
                                 "  NATIVE_ADDRESS_AND_PORT:1:127.0.0.1:9\n"
                                 "  STATUS_WITH_PORT:2:NORMAL,1\n";
    const struct jmx_script *script = wire->node->script;

    if (wire_has(wire, len, "SimpleStatesWithPort") && !script->old)
        put_states(bytes, "SimpleStatesWithPort", ":7000", script);
    if (wire_has(wire, len, "SimpleStates\x74") || wire_has(wire, len, "SimpleStates\x70"))
        put_states(bytes, "SimpleStates", "", script);
    if (wire_has(wire, len, "AllEndpointStatesWithPort") && !script->old) {
        put_attribute(bytes, "AllEndpointStatesWithPort");
        put_string(bytes, states);
    } else if (wire_has(wire, len, "AllEndpointStates")) {
        put_attribute(bytes, "AllEndpointStates");
        put_string(bytes, states);
    }
}

static inline void put_storage_service(struct bytes *bytes)
{
    put_attribute(bytes, "OperationMode");
    put_string(bytes, "NORMAL");
    put_attribute(bytes, "NativeTransportRunning");
    put_boxed(bytes, "java.lang.Boolean", 'Z', 1, 1);
    put_attribute(bytes, "LocalHostId");
    put_string(bytes, "host-1");
    put_attribute(bytes, "ClusterName");
    put_string(bytes, "c");
}

static inline void put_attributes(struct bytes *bytes, const struct jmx_wire *wire, size_t len)
{
    put_answer(bytes, 1);
    put_collection(bytes, "java.util.ArrayList");
    if (wire_has(wire, len, "type=FailureDetector"))
        put_failure_detector(bytes, wire, len);
    else if (wire_has(wire, len, "type=StorageService"))
        put_storage_service(bytes);
    else if (wire_has(wire, len, "MaxHintWindow")) {
        put_attribute(bytes, "MaxHintWindow");
        put_boxed(bytes, "java.lang.Integer", 'I', 10800000, 4);
    }
    put_byte(bytes, 0x78);
}

static inline uint16_t own_port(int fd)
{
    struct sockaddr_in address;
    socklen_t len = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        abort();
    return ntohs(address.sin_port);
}

/* The length of the call at the front of the input; 0 = the connection is over. */
static inline size_t call_length(struct jmx_wire *wire, int n_arguments)
{
    static const struct java_limits limits = {.bytes = 65536, .nodes = 1000, .handles = 1000};
    struct java_stream *stream;
    struct java_value value;
    size_t len = 0;
    int n = 0;

    if (java_stream_new(&limits, &stream) < 0)
        abort();
    while (n < n_arguments + 1) {
        enum java_status status =
            java_stream_next(stream, wire->in.data + 1, wire->in.len - 1, &value);

        if (status == JAVA_OK)
            n++;
        else if (status != JAVA_MORE)
            abort();
        else if (!wire_more(wire))
            break;
    }
    if (n == n_arguments + 1)
        len = 1 + java_stream_consumed(stream);
    java_stream_free(stream);
    return len;
}

static inline bool wire_say(struct jmx_wire *wire, struct bytes *bytes)
{
    size_t first = wire->node->script->in_two ? bytes->len / 2 : 0;
    bool sent = send_all(wire->fd, (const char *)bytes->data, first);

    if (first > 0)
        sleep_ms(20);
    sent = sent && send_all(wire->fd, (const char *)bytes->data + first, bytes->len - first);
    bytes_free(bytes);
    return sent;
}

static inline void put_thrown(struct bytes *bytes, const char *class_name)
{
    put_answer(bytes, 2);
    put_exception(bytes, class_name, "cause");
    put_byte(bytes, 0x70);
}

/* A call of the connection object. */
static inline bool serve_connection(struct jmx_wire *wire, bool invoke)
{
    struct jmx_script *script = wire->node->script;
    size_t len = call_length(wire, invoke ? 5 : 3);
    struct bytes bytes = {0};
    uint64_t number = 0;

    if (len == 0)
        return false;
    script->calls++;
    script->invoked += invoke;
    for (int i = 0; i < 8; i++)
        number = number << 8 | wire->in.data[7 + i];
    if (wire_has(wire, len, "SimpleStatesWithPort") && wire_has(wire, len, "SimpleStates\x70"))
        script->both++;
    if (script->hang_up > 0) {
        script->hang_up--;
        return false;
    }
    while (script->hang)
        sleep_ms(1);
    if (!misbehave(wire, AT_CALL))
        return false;
    if (number != 2000 + script->forgets)
        put_thrown(&bytes, "java.rmi.NoSuchObjectException");
    else if (invoke) {
        put_answer(&bytes, 1);
        put_boxed(&bytes, "java.lang.Long", 'J', 42, 8);
    } else
        put_attributes(&bytes, wire, len);
    if (script->talkative)
        put_byte(&bytes, 'x');
    wire_drop(wire, len);
    return wire_say(wire, &bytes) && ++wire->calls != script->close_each;
}

static inline bool serve_new_client(struct jmx_wire *wire)
{
    struct jmx_script *script = wire->node->script;
    size_t len = call_length(wire, 1);
    struct bytes bytes = {0};
    uint64_t number = 0;

    if (len == 0)
        return false;
    script->new_clients++;
    if (!misbehave(wire, AT_NEW_CLIENT))
        return false;
    for (int i = 0; i < 8; i++)
        number = number << 8 | wire->in.data[7 + i];
    if (number != 1000 + script->restarts)
        put_thrown(&bytes, "java.rmi.NoSuchObjectException");
    else if (script->refuse && (!wire_has(wire, len, "mon") || !wire_has(wire, len, "secret")))
        put_thrown(&bytes, "java.lang.SecurityException");
    else {
        put_answer(&bytes, 1);
        put_stub(&bytes, script->port ? script->port : own_port(wire->fd), 2000 + script->forgets,
                 false);
    }
    wire_drop(wire, len);
    return wire_say(wire, &bytes);
}

static inline bool serve_lookup(struct jmx_wire *wire)
{
    struct jmx_script *script = wire->node->script;
    size_t len = call_length(wire, 1);
    struct bytes bytes = {0};

    if (len == 0)
        return false;
    script->lookups++;
    if (!misbehave(wire, AT_LOOKUP))
        return false;
    put_answer(&bytes, 1);
    put_stub(&bytes, script->port ? script->port : own_port(wire->fd), 1000 + script->restarts,
             false);
    wire_drop(wire, len);
    return wire_say(wire, &bytes);
}

static inline bool serve_message(struct jmx_wire *wire)
{
    if (!wire_need(wire, 1))
        return false;
    if (wire->in.data[0] == 0x54) {
        wire->node->script->acknowledged++;
        if (!wire_need(wire, 15))
            return false;
        wire_drop(wire, 15);
        return true;
    }
    if (wire->in.data[0] != 0x50 || !wire_need(wire, 41))
        return false;
    switch (wire->in.data[33]) {
    case 0x44:
        return serve_lookup(wire);
    case 0xf0:
        return serve_new_client(wire);
    case 0x57:
        return serve_connection(wire, false);
    case 0x13:
        return serve_connection(wire, true);
    case 0xbe:
        wire->node->script->closed++;
        return false;
    default:
        return false;
    }
}

/* Has one connection; ends by returning. */
static inline void talk_jmx(int fd, const void *userdata)
{
    const struct jmx_node *node = userdata;
    struct jmx_wire wire = {.fd = fd, .node = node};
    struct bytes hello = {0};

    node->script->connections++;
    if (!misbehave(&wire, AT_CONNECT) || !wire_need(&wire, 7 + 2))
        return;
    put_byte(&hello, 0x4e);
    put_utf(&hello, "127.0.0.1");
    put_number(&hello, 12345, 4);
    if (!wire_say(&wire, &hello) || !wire_need(&wire, 9 + (size_t)wire.in.data[8] + 4))
        return;
    wire_drop(&wire, 9 + (size_t)wire.in.data[8] + 4);
    while (serve_message(&wire))
        ;
}

static inline struct jmx_script *jmx_script_new(void)
{
    struct jmx_script *script =
        mmap(NULL, sizeof(*script), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (script == MAP_FAILED)
        abort();
    return script;
}

static inline void jmx_script_free(struct jmx_script *script)
{
    munmap(script, sizeof(*script));
}

#endif
