// SPDX-License-Identifier: MIT
/* test_llhttp_oracle.c – our parser against llhttp: we may only be stricter.
 *
 * Holds      the differences that are meant, each with its reason.
 * Invariant  every complete message we see, llhttp in strict mode sees too, with the same start
 *            line, fields and payload; where it does not, the difference is in the table.
 * Called by  the test runner; skipped where Debian's node-llhttp is not installed.
 * Why        a parser written apart from ours, in use at every Node server.
 * Quirks     llhttp may see more messages than we do; that is what "stricter" means.
 */
#define FIXTURE_LIMIT 60
#include "fixtures/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases_request.h"
#include "cases_response.h"
#include "http/parse.h"
#include "oracle/llhttp_run.h"

/* A difference that is meant: llhttp stops with this error where we go on. */
struct difference {
    const char *stopped_by; /* llhttp's error */
    const char *text;       /* what then stands in the input, in any case */
    bool in_content;        /* it stands after the first empty line */
    const char *reason;     /* why we do not follow */
};

#define TRAILERS "RFC 9110 §6.5.1: trailers change nothing; we drop them, llhttp acts on them"
#define HTAB_ENDS "RFC 9110 §5.6.3: HTAB after a value is as good as SP; llhttp takes SP only"
#define INTERIM "RFC 9110 §15.2: an interim response is no last one, whatever its head says"

/* One more, which depends on the method, is in method_differs(). */
static const struct difference differences[] = {
    {"HPE_INVALID_CHUNK_SIZE", ";", true,
     "RFC 9112 §7.1.1: chunk extensions are ignored; llhttp looks into them, and refuses a space in "
     "a quoted one, which the grammar has"},
    {"HPE_STRICT", ";", true, "the same, for extensions that really are malformed"},
    {"HPE_INVALID_TRANSFER_ENCODING", "transfer-encoding", true, TRAILERS},
    {"HPE_INVALID_CONTENT_LENGTH", "content-length", true, TRAILERS},
    {"HPE_UNEXPECTED_CONTENT_LENGTH", "content-length", true, TRAILERS},
    {"HPE_CLOSED_CONNECTION", "connection", true, TRAILERS},
    {"HPE_CLOSED_CONNECTION", "\t", false, HTAB_ENDS},
    {"HPE_PAUSED_UPGRADE", "HTTP/1.0", false, "RFC 9110 §7.8: HTTP/1.0 knows no Upgrade"},
    {"HPE_CLOSED_CONNECTION", "HTTP/1.0 1", false, INTERIM},
    {"HPE_CLOSED_CONNECTION", "HTTP/1.1 1", false, INTERIM},
};

/* Writes a head as llhttp_run.c does. */
static void log_head(struct oracle_log *log, const struct http_head *head, const char *data,
                     const struct http_field *fields) {
    char status[16];
    if (!head->response) {
        oracle_log_add(log, data + head->method.offset, head->method.len);
        oracle_log_add(log, " ", 1);
        oracle_log_add(log, data + head->target.offset, head->target.len);
    }
    for (size_t i = 0; i < head->field_count; i++) {
        oracle_log_add(log, "\n", 1);
        oracle_log_add(log, data + fields[i].name.offset, fields[i].name.len);
        oracle_log_add(log, "=", 1);
        oracle_log_add_value(log, data + fields[i].value.offset, fields[i].value.len);
    }
    int len = snprintf(status, sizeof status, "\n%d\n", head->status);
    oracle_log_add(log, status, (size_t)len);
}

/* Reads one message of in[0..len) with our parser.
 *
 * Returns  bytes of it, and in *out_more whether another may follow; 0 if it is not complete. */
static size_t log_message(struct oracle_log *log, char *in, size_t len, bool responses,
                          bool *out_more) {
    static struct http_field fields[HTTP_RESPONSE_FIELDS_MAX];
    struct http_head head;
    struct http_body body;
    size_t used = 0;
    if (responses) {
        parse_response_init(&head, fields, HTTP_RESPONSE_FIELDS_MAX);
    } else {
        parse_request_init(&head, fields, HTTP_RESPONSE_FIELDS_MAX);
    }
    for (;;) {
        ssize_t rc = parse_head(&head, in + used, len - used);
        if (rc <= 0) {
            return 0;
        }
        if (!parse_is_interim(&head)) {
            log_head(log, &head, in + used, fields);
            used += (size_t)rc;
            break;
        }
        used += (size_t)rc;
        if (parse_interim_next(&head) < 0) {
            return 0;
        }
    }
    if (responses) {
        parse_body_response(&body, &head, HTTP_GET);
    } else {
        parse_body_request(&body, &head);
    }
    while (!parse_body_done(&body)) {
        struct http_bytes payload;
        ssize_t rc = parse_body(&body, in + used, len - used, &payload);
        if (rc < 0 || (used == len && parse_body_end(&body) < 0)) {
            return 0;
        }
        oracle_log_add(log, payload.data, payload.len);
        used += (size_t)rc;
    }
    oracle_log_add(log, "\n", 1);
    bool tunnel = head.method_id == HTTP_CONNECT || (head.flags & HTTP_FLAG_UPGRADE) != 0;
    *out_more = parse_reusable(&head, &body) && !(tunnel && !responses);
    return used;
}

/* The counterpart of oracle_llhttp_run() with our parser. Writes folds into `in`. */
static void ours_run(struct oracle_log *log, char *in, size_t len, bool responses) {
    bool more = true;
    for (size_t at = 0; more && at < len;) {
        size_t used = log_message(log, in + at, len - at, responses, &more);
        if (used == 0) {
            return;
        }
        at += used;
        log->complete = log->len;
        log->messages++;
    }
}

/* True if llhttp stopped at a method it does not know. Methods are an open set (RFC 9110 §9.1);
 * that ours is not implemented is for the server to say, with 501. */
static bool method_differs(const struct oracle_log *ours, const struct oracle_log *theirs) {
    const char *method = ours->text + theirs->complete;
    const char *end = memchr(method, ' ', ours->complete - theirs->complete);
    return strcmp(theirs->stopped_by, "HPE_INVALID_METHOD") == 0 && end != NULL &&
           !oracle_llhttp_knows(method, (size_t)(end - method));
}

/* True if the table has the difference. */
static bool table_has(const char *in, const struct oracle_log *theirs) {
    const char *content = strstr(in, "\r\n\r\n");
    for (size_t i = 0; content != NULL && i < sizeof differences / sizeof differences[0]; i++) {
        const struct difference *d = &differences[i];
        if (strcmp(theirs->stopped_by, d->stopped_by) == 0 &&
            strcasestr(d->in_content ? content : in, d->text) != NULL) {
            return true;
        }
    }
    return false;
}

/* True if what we saw is the beginning of what llhttp saw, or goes on for a reason. `in` ends in
 * NUL. */
static bool agrees(const char *in, const struct oracle_log *ours, const struct oracle_log *theirs) {
    size_t both = ours->complete < theirs->complete ? ours->complete : theirs->complete;
    if (memcmp(ours->text, theirs->text, both) != 0) {
        return false;
    }
    return ours->messages <= theirs->messages || method_differs(ours, theirs) ||
           table_has(in, theirs);
}

/* Shows `text` with its control bytes. */
static void show(const char *title, const char *text, size_t len) {
    fprintf(stderr, "%s: ", title);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= ' ' && c < 127 && c != '\\') {
            fputc(c, stderr);
        } else {
            fprintf(stderr, "\\x%02x", c);
        }
    }
    fputc('\n', stderr);
}

/* Runs both parsers over in[0..len), and fails unless they agree. */
static void compare(const char *name, const char *in, size_t len, bool responses) {
    static struct oracle_log ours;
    static struct oracle_log theirs;
    static char copy[2048];
    ck_assert_uint_lt(len, sizeof copy);
    memcpy(copy, in, len);
    copy[len] = '\0';
    ours.len = ours.complete = ours.messages = 0;
    theirs.len = theirs.complete = theirs.messages = 0;
    ours_run(&ours, copy, len, responses);
    oracle_llhttp_run(&theirs, in, len, responses);
    for (size_t i = 0; i < len; i++) { // agrees() looks for text in it
        copy[i] = copy[i] == '\0' ? ' ' : copy[i];
    }
    if (!agrees(copy, &ours, &theirs)) {
        show("input", in, len);
        show("ours", ours.text, ours.complete);
        show("llhttp", theirs.text, theirs.len);
        ck_abort_msg("%s: we see %u messages, llhttp %u, stopped by %s", name, ours.messages,
                     theirs.messages, theirs.stopped_by);
    }
}

static void need_llhttp(void) {
    if (oracle_llhttp_run == NULL) {
        fixture_skip("built without llhttp (Debian package node-llhttp)");
    }
}

// The tables first, as they are.
START_TEST(r35_oracle_cases) {
    need_llhttp();
    for (size_t i = 0; i < REQUEST_CASE_COUNT; i++) {
        compare(request_cases[i].name, request_cases[i].bytes, request_cases[i].len, false);
    }
    for (size_t i = 0; i < RESPONSE_CASE_COUNT; i++) {
        compare(response_cases[i].name, response_cases[i].bytes, response_cases[i].len, true);
    }
}
END_TEST

/* A small generator of the tests' own, so that a seed gives the same cases everywhere. */
static uint32_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* What is put in. */
static const char *const pieces[] = {
    "\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    ":",
    ",",
    ";",
    "0",
    "1",
    "a",
    "f",
    "x",
    "\r\n ",
    "\r\n\r\n",
    "%",
    "/",
    "?",
    "*",
    "#",
    "=",
    "\"",
    "\x7f",
    "\x80",
    "\xff",
    "\v",
    "HTTP/1.1",
    "HTTP/1.0",
    "HTTP/2.0",
    "chunked",
    "identity",
    "Content-Length: 1\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "Connection: upgrade\r\nUpgrade: x\r\n",
    "Host: b\r\n",
    "Expect: 100-continue\r\n",
    "0\r\n\r\n",
    "GET ",
    "CONNECT b:1 ",
    "OPTIONS * ",
    "POST / HTTP/1.1\r\n",
    "http://",
    "100",
    "204",
    "304",
    "HTTP/1.1 200 OK\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
};

/* Changes `buf` at one place.
 *
 * Returns  its new length, at most `cap`. */
static size_t mutate(char *buf, size_t len, size_t cap, uint64_t *state) {
    size_t at = len > 0 ? next_random(state) % len : 0;
    size_t cut = next_random(state) % 4;
    cut = cut < len - at ? cut : len - at;
    const char *piece = pieces[next_random(state) % (sizeof pieces / sizeof pieces[0])];
    size_t piece_len = next_random(state) % 4 > 0 ? strlen(piece) : 0;
    if (len - cut + piece_len > cap) {
        return len;
    }
    memmove(buf + at + piece_len, buf + at + cut, len - at - cut);
    memcpy(buf + at, piece, piece_len);
    return len - cut + piece_len;
}

/* Compares `rounds` variations of every case. */
static void compare_mutated(const struct wire_case *cases, size_t count, bool responses,
                            int rounds) {
    need_llhttp();
    // The same cases every day; FIXTURE_SEED=0x... goes looking for more.
    uint64_t state = getenv("FIXTURE_SEED") != NULL ? fixture_seed() : 20;
    for (size_t i = 0; i < count; i++) {
        for (int round = 0; round < rounds; round++) {
            char buf[1024];
            size_t len = cases[i].len;
            memcpy(buf, cases[i].bytes, len);
            for (unsigned changes = 1 + next_random(&state) % 4; changes > 0; changes--) {
                len = mutate(buf, len, sizeof buf, &state);
            }
            compare(cases[i].name, buf, len, responses);
        }
    }
}

// Then what random changes make of them: they find the classes nobody wrote down.
START_TEST(oracle_mutated_requests) {
    compare_mutated(request_cases, REQUEST_CASE_COUNT, false, 1000);
}
END_TEST

// The same for responses.
START_TEST(oracle_mutated_responses) {
    compare_mutated(response_cases, RESPONSE_CASE_COUNT, true, 2000);
}
END_TEST

FIXTURE_MAIN("http/llhttp_oracle", r35_oracle_cases, oracle_mutated_requests,
             oracle_mutated_responses)
