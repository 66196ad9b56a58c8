// SPDX-License-Identifier: MIT
/* response.c – what came back: status, headers, and the body as it is read.
 *
 * Holds      nothing beyond struct jg_http_response.
 * Invariant  a body that has come to its end has given its connection back at once, before anybody
 *            closes the response; one that failed has closed it.
 * Called by  user code; exchange.c (response_make).
 * Why        head, the payload that came with it, and the index of headers lie in one block; the
 *            stream's read buffer goes back to the loop before the caller sees the response. The
 *            index is made when somebody asks for a header.
 * Quirks     a small answer is complete when its head is: then reading it never waits. Blocks go
 *            back to the client for the next answer, a few of the small ones.
 */
#include "http/client_priv.h"

#include "base/check.h"
#include "base/mem.h"

#include <errno.h>

enum {
    SPARES_MOST = 16,       // responses kept for reuse,
    SPARE_SIZE_MOST = 8192, // if their block is not larger than this
    STORE_LEAST = 1024,     // bytes in a block, so that the next answer fits too
    AHEAD_LEAST = 4096,     // reads smaller than this go through the stream's buffer
    GATHER_FIRST = 1 << 20, // most to allocate for a body because its length was announced
    GATHER_LEAST = 16 * 1024,
};

// Making one.

static jg_http_response *block_take(jg_http_client *client, size_t store_size) {
    jg_http_response *response = client->spares;
    if (response != NULL && response->store_size >= store_size) {
        client->spares = response->next_spare;
        client->spare_count--;
        return response;
    }
    store_size = store_size < STORE_LEAST ? STORE_LEAST : store_size;
    response = mem_alloc(sizeof(*response) + store_size);
    if (response != NULL) {
        response->store_size = store_size;
    }
    return response;
}

static void block_give(jg_http_response *response) {
    jg_http_client *client = response->client;
    if (client->spare_count >= SPARES_MOST || response->store_size > SPARE_SIZE_MOST) {
        mem_free(response);
        return;
    }
    response->next_spare = client->spares;
    client->spares = response;
    client->spare_count++;
}

void response_free_spares(jg_http_client *client) {
    while (client->spares != NULL) {
        jg_http_response *response = client->spares;
        client->spares = response->next_spare;
        mem_free(response);
    }
    client->spare_count = 0;
}

static void give_connection_back(jg_http_response *response, bool keep) {
    struct connection *connection = response->connection;
    response->connection = NULL;
    pool_release(connection, keep);
}

/* The body has come to its end. Bytes behind it that nobody asked for end the connection. */
static void finish(jg_http_response *response) {
    char *data;
    bool clean = jg_stream_peek(response->connection->stream, &data) == 0;
    give_connection_back(response, clean && parse_reusable(&response->head, &response->body));
}

/* The body has failed, and will fail again in the same way. */
static int fail(jg_http_response *response, int rc) {
    response->error = rc;
    give_connection_back(response, false);
    return rc;
}

/* The body breaks the rules. */
static int refuse(jg_http_response *response) {
    enum http_error error = (enum http_error)response->body.error;
    int rc = error == HTTP_ERROR_TRUNCATED ? -EPIPE : parse_error_errno(error);
    jg_fail(rc, "%s: bad body of an answer: %s", response->origin->label, parse_error_text(error));
    return fail(response, rc);
}

/* Takes the payload out of the `held` bytes at the front of the stream. */
static void take_ahead(jg_http_response *response, const char *data, size_t held) {
    size_t used = 0;
    while (used < held && !parse_body_done(&response->body)) {
        struct http_bytes payload;
        ssize_t count = parse_body(&response->body, data + used, held - used, &payload);
        if (count < 0) {
            return; // the error stays in the decoder, until the reader comes to it
        }
        memcpy(response->ahead + response->ahead_len, payload.data, payload.len);
        response->ahead_len += payload.len;
        used += (size_t)count;
    }
    if (used > 0) {
        jg_stream_take(response->connection->stream, used);
    }
}

/* Sets up everything that was not set by parsing. */
static void fill_in(jg_http_response *response, struct exchange *x, const char *data) {
    const struct http_head *head = &x->head;
    size_t fields_size = head->field_count * sizeof(struct http_field);
    response->client = x->client;
    response->connection = x->connection;
    response->origin = x->target.origin;
    response->origin->refs++;
    response->head = *head;
    response->head.fields = (struct http_field *)(void *)response->store;
    response->total_ns = x->total_ns;
    response->error = 0;
    response->reused = x->connection->reused;
    response->read_from = false;
    response->indexed = false;
    response->gathered = false;
    response->text = response->store + fields_size;
    response->ahead = response->text + head->size;
    response->ahead_at = 0;
    response->ahead_len = 0;
    response->data = NULL;
    response->data_len = 0;
    response->data_cap = 0;
    memcpy(response->text, data, head->size);
    parse_body_response(&response->body, &response->head, x->method_id);
}

int response_make(struct exchange *x, jg_http_response **out_response) {
    jg_stream *stream = x->connection->stream;
    char *data;
    size_t held = jg_stream_peek(stream, &data);
    size_t size = x->head.size;
    jg_http_response *response = block_take(
        x->client, x->head.field_count * sizeof(struct http_field) + held + 1);
    if (response == NULL) {
        return (int)error_bare(-ENOMEM);
    }
    fill_in(response, x, data);
    x->client->busy++;
    x->connection = NULL;
    jg_stream_take(stream, size);
    take_ahead(response, data + size, held - size);
    if (parse_body_done(&response->body)) {
        finish(response);
    }
    *out_response = response;
    return 0;
}

// What it says.

int jg_http_status(const jg_http_response *response) {
    return response->head.status;
}

bool jg_http_response_reused(const jg_http_response *response) {
    return response->reused;
}

/* Finds the fields and ends their names and values in NUL. */
static void index_fields(const jg_http_response *constant) {
    jg_http_response *response = (jg_http_response *)(uintptr_t)constant; // ours, and not constant
    struct http_head *head = &response->head;
    if (response->indexed) {
        return;
    }
    parse_fields(head, response->text, head->fields, head->field_count);
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field *field = &head->fields[i];
        response->text[field->name.offset + field->name.len] = '\0';
        response->text[field->value.offset + field->value.len] = '\0';
    }
    response->indexed = true;
}

size_t jg_http_response_header_count(const jg_http_response *response) {
    return response->head.field_count;
}

jg_http_header jg_http_response_header_at(const jg_http_response *response, size_t index) {
    if (index >= response->head.field_count) {
        return (jg_http_header){NULL, NULL};
    }
    index_fields(response);
    const struct http_field *field = &response->head.fields[index];
    return (jg_http_header){response->text + field->name.offset,
                            response->text + field->value.offset};
}

const char *jg_http_response_header(const jg_http_response *response, const char *name) {
    struct http_bytes wanted = bytes_of(name);
    index_fields(response);
    for (size_t i = 0; i < response->head.field_count; i++) {
        const struct http_field *field = &response->head.fields[i];
        if (chars_equal_nocase(parse_span(response->text, field->name), wanted)) {
            return response->text + field->value.offset;
        }
    }
    return NULL;
}

// Reading the body.

/* Waits for bytes: into the stream's buffer, or, when all of them will be payload, into `buf`.
 *
 * Returns  bytes in `buf`; 0 with `*out_ended` false: they are in the stream's buffer. */
static ssize_t read_from_peer(jg_http_response *response, void *buf, size_t cap, bool *out_ended) {
    jg_stream *stream = response->connection->stream;
    uint64_t direct = parse_body_direct(&response->body);
    bool straight = direct > 0 && (cap >= AHEAD_LEAST || cap >= direct);
    char *data;
    ssize_t got = straight ? jg_read(stream, buf, cap < direct ? cap : (size_t)direct)
                           : jg_stream_fill(stream, OP_BUFFER_SIZE, &data);
    *out_ended = got == 0;
    return straight || got < 0 ? got : 0;
}

/* The same within the time limits. */
static ssize_t read_in_time(jg_http_response *response, void *buf, size_t cap, bool *out_ended) {
    jg_scope scope;
    enum client_limit limit;
    int64_t when_ns = client_limit_point(response->client, LIMIT_IDLE, loop_now_ns(),
                                         response->total_ns, &limit);
    jg_scope_open(&scope, when_ns, false);
    ssize_t got = read_from_peer(response, buf, cap, out_ended);
    ssize_t closed = jg_scope_close(&scope, got);
    if (got == -ECANCELED && closed == -ETIMEDOUT) {
        client_limit_fail(response->client, response->origin->label, limit);
    } else if (closed < 0 && closed != -ECANCELED) {
        jg_fail(closed, "%s: reading the body of an answer: %s", response->origin->label,
                strerrordesc_np((int)-closed));
    }
    return closed;
}

/* Decodes what is in the stream's buffer, at most `cap` bytes. Returns how many, which may be 0. */
static ssize_t take_held(jg_http_response *response, char *buf, size_t cap) {
    jg_stream *stream = response->connection->stream;
    char *data;
    size_t held = jg_stream_peek(stream, &data);
    size_t used = 0;
    size_t got = 0;
    while (used < held && got < cap && !parse_body_done(&response->body)) {
        size_t len = held - used < cap - got ? held - used : cap - got;
        struct http_bytes payload;
        ssize_t count = parse_body(&response->body, data + used, len, &payload);
        if (count < 0) {
            break;
        }
        memcpy(buf + got, payload.data, payload.len);
        got += payload.len;
        used += (size_t)count;
    }
    jg_stream_take(stream, used);
    bool broken = response->body.error != HTTP_ERROR_NONE && got == 0;
    return broken ? refuse(response) : (ssize_t)got;
}

/* The peer has ended the connection: so ends the body, or it was cut off. */
static ssize_t peer_ended(jg_http_response *response) {
    if (parse_body_end(&response->body) < 0) {
        return refuse(response);
    }
    finish(response);
    return 0;
}

/* Reads until there is at least one byte of payload, or none will come. */
static ssize_t read_payload(jg_http_response *response, void *buf, size_t cap) {
    for (;;) {
        char *data;
        ssize_t got = 0;
        bool ended = false;
        if (jg_stream_peek(response->connection->stream, &data) == 0) {
            got = read_in_time(response, buf, cap, &ended);
            if (got == -ECANCELED) {
                return got; // no byte is lost: it may be asked again
            }
            if (got < 0) {
                return fail(response, (int)got);
            }
            struct http_bytes payload;
            parse_body(&response->body, buf, (size_t)got, &payload); // payload is all of it
        }
        if (ended) {
            return peer_ended(response);
        }
        got = got > 0 ? got : take_held(response, buf, cap);
        if (got < 0) {
            return got;
        }
        if (parse_body_done(&response->body)) {
            finish(response);
            return got;
        }
        if (got > 0) {
            return got;
        }
    }
}

/* What came with the head and was not read yet. */
static size_t read_ahead(jg_http_response *response, void *buf, size_t cap) {
    size_t left = response->ahead_len - response->ahead_at;
    size_t count = left < cap ? left : cap;
    memcpy(buf, response->ahead + response->ahead_at, count);
    response->ahead_at += count;
    return count;
}

/* Whether the caller may wait for more of the body now. */
static int check(const jg_http_response *response) {
    int rc = suspend_check(sched_current());
    return rc == 0 && response->read_from ? (int)error_bare(-EBUSY) : rc;
}

ssize_t jg_http_read(jg_http_response *response, void *buf, size_t cap) {
    if (cap == 0) {
        check_misuse("jg_http_read into a buffer without room: its 0 is the end of the body");
    }
    int rc = check(response);
    if (rc < 0) {
        return rc;
    }
    if (response->ahead_at < response->ahead_len) {
        return (ssize_t)read_ahead(response, buf, cap);
    }
    if (response->connection == NULL) {
        return error_bare(response->error);
    }
    if (response->body.error != HTTP_ERROR_NONE) {
        return refuse(response);
    }
    response->read_from = true;
    ssize_t got = read_payload(response, buf, cap);
    response->read_from = false;
    return got;
}

// Gathering it.

/* How much to make room for at first: what is left of the body, if that is known and likely. */
static size_t first_cap(const jg_http_response *response) {
    size_t ahead = response->ahead_len - response->ahead_at;
    uint64_t left = response->body.kind == HTTP_BODY_LENGTH ? response->body.remaining : 0;
    if (left > GATHER_FIRST) {
        left = GATHER_FIRST;
    }
    size_t cap = ahead + (size_t)left + 2; // the NUL, and never no room at all
    return cap < GATHER_LEAST && response->body.kind != HTTP_BODY_LENGTH ? GATHER_LEAST : cap;
}

/* Makes room for one more byte and the NUL. */
static int gather_grow(jg_http_response *response) {
    const size_t most = response->client->body_most;
    if (response->data_len + 1 < response->data_cap) {
        return 0;
    }
    size_t cap = response->data_cap == 0 ? first_cap(response) : response->data_cap * 2;
    // One byte more than may be: a body that is too large fills it before its end can be seen.
    cap = most < SIZE_MAX - 2 && cap > most + 2 ? most + 2 : cap;
    char *data = mem_resize(response->data, cap);
    if (data == NULL) {
        return (int)jg_fail(-ENOMEM, "%s: no memory for the body of an answer",
                            response->origin->label);
    }
    response->data = data;
    response->data_cap = cap;
    return 0;
}

static int too_large(const jg_http_response *response) {
    return (int)jg_fail(-EMSGSIZE, "%s: body of an answer exceeds %zu bytes (body_most)",
                        response->origin->label, response->client->body_most);
}

/* Whether it is known before the next read that it cannot be gathered. */
static bool is_too_large(const jg_http_response *response) {
    uint64_t left = response->body.kind == HTTP_BODY_LENGTH ? response->body.remaining : 0;
    size_t have = response->data_len + response->ahead_len - response->ahead_at;
    return have > response->client->body_most || left > response->client->body_most - have;
}

/* Whether all that will ever come has been read. */
static bool is_complete(const jg_http_response *response) {
    return response->connection == NULL && response->error == 0 &&
           response->ahead_at == response->ahead_len;
}

static int gather(jg_http_response *response) {
    do {
        int rc = is_too_large(response) ? too_large(response) : gather_grow(response);
        if (rc < 0) {
            return rc;
        }
        size_t room = response->data_cap - response->data_len - 1;
        ssize_t got = jg_http_read(response, response->data + response->data_len, room);
        if (got < 0) {
            return (int)got;
        }
        response->data_len += (size_t)got;
    } while (!is_complete(response));
    response->data[response->data_len] = '\0';
    return 0;
}

/* All of it came with the head. */
static bool gather_in_place(jg_http_response *response) {
    if (response->connection != NULL || response->error != 0 || response->data_cap > 0 ||
        is_too_large(response)) {
        return false;
    }
    response->data = response->ahead + response->ahead_at;
    response->data_len = response->ahead_len - response->ahead_at;
    response->data[response->data_len] = '\0';
    response->ahead_at = response->ahead_len;
    return true;
}

int response_gather(jg_http_response *response) {
    if (response->gathered) {
        return 0;
    }
    int rc = gather_in_place(response) ? 0 : gather(response);
    response->gathered = rc == 0;
    return rc;
}

ssize_t jg_http_body(jg_http_response *response, const char **out_data) {
    int rc = response->gathered ? 0 : check(response);
    rc = rc < 0 ? rc : response_gather(response);
    if (rc < 0) {
        return rc;
    }
    *out_data = response->data;
    return (ssize_t)response->data_len;
}

void jg_http_response_close(jg_http_response *response) {
    if (response == NULL) {
        return;
    }
    if (unlikely(response->read_from)) {
        check_misuse("an HTTP response is closed while a task waits for more of it");
    }
    jg_http_client *client = response->client;
    must(client->busy > 0);
    client->busy--;
    if (response->connection != NULL) {
        give_connection_back(response, false);
    }
    if (response->data_cap > 0) {
        mem_free(response->data);
    }
    origin_drop(response->origin);
    block_give(response);
}
