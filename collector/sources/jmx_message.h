/*
 * What is said to a JMX server, and how its answers are told apart: Java's remote method invocation
 * (JRMP) with the arguments and values as Java object streams. PURE.
 *
 * A conversation: the handshake; to the registry lookup(); to the server that it names newClient(),
 * which makes a connection object; to that one everything else. Several calls may be written before
 * the first answer is read; answers come in order and say nowhere how long they are.
 */
#ifndef JMX_MESSAGE_H
#define JMX_MESSAGE_H

#include "java_stream.h"
#include "observation.h"

#define JMX_REQUEST_LEN 4096

struct jmx_id {
    uint8_t bytes[22];
};

/* Bytes to send. What does not fit sets too_long and is left out. */
struct jmx_request {
    size_t len;
    bool too_long;
    uint8_t bytes[JMX_REQUEST_LEN];
};

void jmx_put_handshake(struct jmx_request *request);
void jmx_put_lookup(struct jmx_request *request);
/* `user` "" = without credentials. Texts are UTF-8. */
void jmx_put_new_client(struct jmx_request *request, const struct jmx_id *server, const char *user,
                        const char *password);
void jmx_put_get_attributes(struct jmx_request *request, const struct jmx_id *connection,
                            const char *mbean, const char *const *names, size_t n_names);
/* `argument` is a java.lang.String; NULL = an operation without arguments. */
void jmx_put_invoke(struct jmx_request *request, const struct jmx_id *connection, const char *mbean,
                    const char *operation, const char *argument);
void jmx_put_close(struct jmx_request *request, const struct jmx_id *connection);
/* That an answer which held a reference to a remote object has arrived. */
void jmx_put_acknowledge(struct jmx_request *request, const uint8_t uid[14]);

/*
 * Reads the server's half of the handshake. JAVA_OK: *ret_len is how long it is. JAVA_BAD: this is
 * no such server; `detail` says what it looks like.
 */
enum java_status jmx_read_handshake(const uint8_t *data, size_t len, size_t *ret_len,
                                    char detail[DETAIL_LEN]);

/* The first byte of what a TLS server answers to what is no TLS. */
bool jmx_is_tls_alert(const uint8_t *data, size_t len);

#define JMX_UID_AT 8 /* 14 bytes of an answer that differ each time */

struct jmx_answer {
    bool thrown;  /* the value is an exception */
    bool aborted; /* the server gave up in the middle and closes */
    size_t len;
    struct java_value value; /* JAVA_NULL when there is none; lives as long as the stream */
};

/*
 * Reads one answer from its first byte on, with a stream of its own. After JAVA_MORE call again
 * with more. `has_value`: the method returns an object.
 */
enum java_status jmx_read_answer(struct java_stream *stream, const uint8_t *data, size_t len,
                                 bool has_value, struct jmx_answer *ret);

/* A reference to a remote object. */
struct jmx_stub {
    uint16_t port;
    bool tls; /* its own socket factory says so */
    struct jmx_id id;
};

/* -EINVAL: not one, or of a kind unknown here. */
int jmx_stub(const struct java_stream *stream, const struct java_value *value,
             struct jmx_stub *ret);

/* What an exception stands for: POLL_AUTH, POLL_NO_MBEAN or POLL_EXCEPTION. */
enum poll_result jmx_exception(const struct java_stream *stream, const struct java_value *value,
                               char detail[DETAIL_LEN]);

/* "No such object in table": the server knows the object id no more. */
bool jmx_is_no_such_object(const struct java_stream *stream, const struct java_value *value);

#endif
