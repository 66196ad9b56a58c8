// SPDX-License-Identifier: MIT
/* parse.h – reads HTTP/1.x messages: strict, resumable at any byte, without I/O or allocation.
 *
 * Holds      struct http_head (one request or response head), struct http_body (the framing of the
 *            content that follows), and the reasons why a message is refused.
 * Invariant  any split of the input into calls gives the same result; no byte is scanned twice;
 *            no byte after the end of the message is ever consumed.
 * Called by  the client, the server, fuzz targets. Calls chars.h and url.h only.
 * Why        RFC 9112 both ways with one reading: what two implementations could read in two ways
 *            is refused (CL with TE, any repeated CL or TE, bare CR or LF, space before colon).
 * Quirks     heads are parsed in the caller's buffer and found again by 16-bit offsets, since that
 *            buffer may grow and move between calls; 8 bytes per field, and the caller brings the
 *            field array, so that a parser touches no more of a coroutine's stack than 80 bytes.
 *
 * Reading a message:
 *
 *     struct http_field fields[32];
 *     struct http_head head;
 *     parse_response_init(&head, fields, 32);
 *     while ((rc = parse_head(&head, buf, len)) == 0) { len += read more into buf + len; }
 *     if (rc < 0) → parse_error_text(head.error)
 *     struct http_body body;
 *     parse_body_response(&body, &head, HTTP_GET);
 *     in = buf + rc, in_len = len - rc;
 *     while (!parse_body_done(&body)) {
 *         rc = parse_body(&body, in, in_len, &payload);   // payload lies inside in[0..rc)
 *         in += rc, in_len -= rc;
 *         if (in_len == 0 && !parse_body_done(&body)) { read more; at end of stream
 *             parse_body_end(&body); }
 *     }
 *     // in[0..in_len) now belongs to the next message.
 *
 * Where the RFC leaves a choice, or is stricter or laxer than the field, we
 *   - end every line with CRLF in both directions; a bare CR or LF is refused;
 *   - skip one empty line before a request, none before a response;
 *   - accept a status line that ends after the code, without the space that should follow;
 *   - turn obs-fold in a response into spaces, in the caller's buffer, except in the fields the
 *     parser itself acts on, where it is refused, as everywhere in a request;
 *   - know one transfer coding, chunked, given once; HTTP/1.0 may not use it;
 *   - refuse every repeated Content-Length, also when the values agree, and lists of values;
 *   - refuse HTAB beside the values of Content-Length and Transfer-Encoding;
 *   - refuse white space after a chunk size, and more than 16 hexadecimal digits;
 *   - check trailers like fields and drop them all, so none can reach the head.
 */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "http/chars.h"

/* Limits, set by the init functions; a caller may lower those kept in struct http_head before the
 * first parse_head(). */
enum {
    HTTP_REQUEST_HEAD_MAX = 16384,    /* bytes of a request head, empty line included */
    HTTP_REQUEST_FIELDS_MAX = 100,    /* fields of a request head */
    HTTP_TARGET_MAX = 8192,           /* bytes of a request target */
    HTTP_METHOD_MAX = 32,             /* bytes of a method name */
    HTTP_RESPONSE_HEAD_MAX = 65536,   /* bytes of all interim heads, the final one and trailers */
    HTTP_RESPONSE_FIELDS_MAX = 256,   /* fields, counted the same way */
    HTTP_INTERIM_MAX = 16,            /* 1xx responses before the final one */
    HTTP_CHUNK_EXTENSION_MAX = 16384, /* bytes of chunk extensions beyond the payload's own bytes */
};

/* Why a message was refused; 0 is "not refused". */
enum http_error {
    HTTP_ERROR_NONE,
    HTTP_ERROR_START_LINE,         /* not a request line or status line at all */
    HTTP_ERROR_VERSION,            /* HTTP/d.d, but neither 1.0 nor 1.1 */
    HTTP_ERROR_METHOD_TOO_LONG,    /* more than HTTP_METHOD_MAX bytes */
    HTTP_ERROR_TARGET,             /* request target of no valid form for its method */
    HTTP_ERROR_TARGET_TOO_LONG,    /* more than target_max bytes */
    HTTP_ERROR_STATUS,             /* not three digits from 100 to 999 */
    HTTP_ERROR_BARE_LF,            /* LF without CR */
    HTTP_ERROR_BARE_CR,            /* CR without LF */
    HTTP_ERROR_CONTROL_BYTE,       /* NUL or another control byte in a line */
    HTTP_ERROR_FIELD_NAME,         /* empty, or a byte that no name may have */
    HTTP_ERROR_NO_COLON,           /* field line without a colon */
    HTTP_ERROR_SPACE_BEFORE_COLON, /* "Name : value" */
    HTTP_ERROR_FOLD,               /* obs-fold where it is not taken */
    HTTP_ERROR_CONTENT_LENGTH,     /* not one decimal number up to 2^63-1 */
    HTTP_ERROR_CONTENT_LENGTHS,    /* given more than once */
    HTTP_ERROR_TRANSFER_ENCODING,  /* anything but "chunked" */
    HTTP_ERROR_TRANSFER_ENCODINGS, /* given more than once */
    HTTP_ERROR_LENGTH_AND_CHUNKED, /* Content-Length with Transfer-Encoding */
    HTTP_ERROR_CHUNKED_IN_1_0,     /* Transfer-Encoding in an HTTP/1.0 message */
    HTTP_ERROR_HOST_MISSING,       /* HTTP/1.1 request without Host */
    HTTP_ERROR_HOSTS,              /* more than one Host */
    HTTP_ERROR_HOST,               /* value is no host[:port] */
    HTTP_ERROR_CONTENT_FORBIDDEN,  /* CONNECT or TRACE with content */
    HTTP_ERROR_EXPECTATION,        /* Expect is not 100-continue */
    HTTP_ERROR_HEAD_TOO_LARGE,     /* more than size_max bytes */
    HTTP_ERROR_TOO_MANY_FIELDS,    /* more than field_max fields */
    HTTP_ERROR_TOO_MANY_INTERIM,   /* more than HTTP_INTERIM_MAX 1xx responses */
    HTTP_ERROR_CHUNK_SIZE,         /* not 1 to 16 hexadecimal digits, or above 2^63-1 */
    HTTP_ERROR_CHUNK_EXTENSION,    /* control byte in it */
    HTTP_ERROR_CHUNK_EXTENSIONS,   /* too many bytes of them */
    HTTP_ERROR_CHUNK_END,          /* chunk data is not followed by CRLF */
    HTTP_ERROR_TRAILER,            /* malformed trailer line */
    HTTP_ERROR_TRAILERS_TOO_LARGE, /* too many bytes or fields of them */
    HTTP_ERROR_TRUNCATED,          /* the connection ended inside the message */
    HTTP_ERROR_COUNT,
};

/* One sentence for people, without the final dot: "Content-Length given more than once". */
const char *parse_error_text(enum http_error error);

/* The status a server answers with: 400, 414, 417, 431, 501 or 505. */
int parse_error_status(enum http_error error);

/* The negative errno that goes with it: -EMSGSIZE for a limit, -ECONNRESET for a truncated
 * message, -EPROTO for everything else; 0 for HTTP_ERROR_NONE. */
int parse_error_errno(enum http_error error);

/* Methods that framing depends on or servers choose by; every other token is HTTP_METHOD_OTHER
 * and is found by its name in head.method. */
enum http_method {
    HTTP_METHOD_OTHER,
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_CONNECT,
    HTTP_OPTIONS,
    HTTP_TRACE,
    HTTP_PATCH,
};

/* The number of a method name; names are case-sensitive. */
enum http_method parse_method(struct http_bytes name);

/* The form of a request target, RFC 9112 §3.2. */
enum http_target_form {
    HTTP_TARGET_ORIGIN,    /* /path?query */
    HTTP_TARGET_ABSOLUTE,  /* http://host/path?query; its authority overrides Host */
    HTTP_TARGET_AUTHORITY, /* host:port, CONNECT only */
    HTTP_TARGET_ASTERISK,  /* *, OPTIONS only */
};

/* Bytes inside the head, counted from its first byte. 16 bits reach every offset, since no head
 * is longer than 64 KiB and its last bytes are the empty line. */
struct http_span {
    uint16_t offset; /* from the `data` given to parse_head() */
    uint16_t len;    /* 0 is possible for values and reason phrases */
};

/* One field line: name as it was sent, value without the white space around it. */
struct http_field {
    struct http_span name;
    struct http_span value;
};

/* What the parser understood on its way; bits of http_head.flags. */
enum {
    HTTP_FLAG_CHUNKED = 1,          /* Transfer-Encoding: chunked */
    HTTP_FLAG_CLOSE = 2,            /* Connection: close; also set on a 1xx or 204 that announces
                                       content, because more bytes may follow it */
    HTTP_FLAG_KEEP_ALIVE = 4,       /* Connection: keep-alive */
    HTTP_FLAG_UPGRADE = 8,          /* Connection: upgrade and an Upgrade field */
    HTTP_FLAG_EXPECT_CONTINUE = 16, /* Expect: 100-continue in an HTTP/1.1 request */
    HTTP_FLAG_HOST = 32,            /* a Host field was there; see http_head.host */
    HTTP_FLAG_UPGRADE_TOKEN = 64,   /* private: first half of HTTP_FLAG_UPGRADE */
    HTTP_FLAG_UPGRADE_FIELD = 128,  /* private: second half */
};

/* One message head, being parsed or parsed. Borrowed memory only: `fields` and the head's bytes
 * are the caller's. The parser writes all members; the caller may lower the three limits after
 * init. */
struct http_head {
    struct http_field *fields; /* keeps: the caller's array, filled in the order received */
    int64_t content_length;    /* value of Content-Length, or -1 without one */
    uint32_t size;             /* bytes of the complete head; 0 until then */
    uint32_t size_max;         /* limit for `size` */
    uint32_t scanned;          /* private: bytes known to be good */
    uint32_t line_start;       /* private: first byte of the line being scanned */
    uint32_t work;             /* bytes looked at over all calls, for tests of linear time */
    uint16_t field_cap;        /* entries in `fields` */
    uint16_t field_max;        /* limit for `field_count` */
    uint16_t field_count;      /* fields received; those beyond field_cap are checked and acted on
                                  but not stored, see parse_fields() */
    uint16_t target_max;       /* request: limit for target.len */
    uint16_t status;           /* response: 100..999 */
    uint16_t flags;            /* HTTP_FLAG_… */
    uint16_t start_line;       /* private: offset of the first line, 2 after an empty line */
    struct http_span method;   /* request: its name */
    struct http_span target;   /* request: as sent */
    struct http_span reason;   /* response: reason phrase, often empty */
    struct http_span host;     /* request: value of Host */
    uint8_t version_minor;     /* 0 or 1: HTTP/1.x */
    uint8_t method_id;         /* request: enum http_method */
    uint8_t target_form;       /* request: enum http_target_form */
    uint8_t error;             /* enum http_error */
    uint8_t interim_count;     /* response: 1xx heads skipped by parse_interim_next() */
    uint8_t state;             /* private: where in the head we are */
    bool response;             /* which of the two this is */
    bool folded;               /* private: the line being scanned was folded */
};

/* Prepares `head` for a request, with the default limits. Keeps `fields` (may be NULL if
 * `field_cap` is 0) until the head is no longer used. */
void parse_request_init(struct http_head *head, struct http_field *fields, size_t field_cap);

/* Prepares `head` for a response, with the default limits. Keeps `fields` like the above. */
void parse_response_init(struct http_head *head, struct http_field *fields, size_t field_cap);

/* Parses the head that starts at data[0]; `len` is how much of it (and of what follows) is there.
 *
 * Call again with the same bytes and more after a 0; `data` may have moved. `data` is written to
 * only in responses, to turn an obs-fold into spaces.
 *
 * Returns  bytes of the head when complete (also when called again);
 *          0 when more bytes are needed;
 *          -EPROTO, -EMSGSIZE with head->error set (also when called again).
 */
ssize_t parse_head(struct http_head *head, char *data, size_t len);

/* Goes on to the next head after a complete 1xx response other than 101: the next parse_head()
 * starts at the byte after it. Limits hold for all heads of one exchange together.
 *
 * Returns  0; -EMSGSIZE after the 16th. */
int parse_interim_next(struct http_head *head);

/* True for a complete interim response that is to be skipped: 1xx but not 101. */
static inline bool parse_is_interim(const struct http_head *head) {
    return head->response && head->status < 200 && head->status != 101;
}

/* True if the head lets the connection live on after this message: HTTP/1.1 without close, or
 * HTTP/1.0 with keep-alive. For a response ask parse_reusable(), which knows the content too. */
bool parse_keep_alive(const struct http_head *head);

/* Fills `fields` with at most `cap` fields of the complete head at `data`, for a head that had
 * more of them than its field array.
 *
 * Returns  the number stored. */
size_t parse_fields(const struct http_head *head, const char *data, struct http_field *fields,
                    size_t cap);

/* The bytes of `span`; they live as long as the head's bytes at `data`. */
static inline struct http_bytes parse_span(const char *data, struct http_span span) {
    return (struct http_bytes){data + span.offset, span.len};
}

/* Finds the first stored field called `name` (any case) from index `from` on.
 *
 * Returns  its index, to go on from with +1; -ENOENT when there is none. */
int parse_field_find(const struct http_head *head, const char *data, struct http_bytes name,
                     size_t from);

/* How the end of the content is known. */
enum http_body_kind {
    HTTP_BODY_NONE,    /* there is none: done from the start */
    HTTP_BODY_LENGTH,  /* Content-Length */
    HTTP_BODY_CHUNKED, /* chunked */
    HTTP_BODY_CLOSE,   /* until the connection ends; responses only */
    HTTP_BODY_TUNNEL,  /* none, and what follows is not HTTP: after 101, after 2xx to CONNECT */
};

/* The framing of one message's content. The decoder writes all members. */
struct http_body {
    uint64_t remaining;       /* payload bytes left of the content or of this chunk */
    uint32_t extension_bytes; /* private: of chunk extensions, less the payload's */
    uint32_t trailer_left;    /* private: bytes that trailers may still have */
    uint16_t fields_left;     /* private: fields that trailers may still have */
    uint8_t kind;             /* enum http_body_kind */
    uint8_t state;            /* private: where in the framing we are */
    uint8_t digits;           /* private: of the chunk size so far */
    uint8_t error;            /* enum http_error */
};

/* Prepares `body` for the content after the complete request `head`. */
void parse_body_request(struct http_body *body, const struct http_head *head);

/* Prepares `body` for the content after the complete final response `head`. `method` is that of
 * the request it answers: HEAD has no content, nor have 1xx, 204, 304, and 2xx to CONNECT. */
void parse_body_response(struct http_body *body, const struct http_head *head,
                         enum http_method method);

/* Decodes from in[0..len) up to and including the next run of payload.
 *
 * `out` gets that run, which lies inside in[0..returned); its len is 0 when there is none, which
 * then means that all of `in` was consumed or that the message is done. Never consumes a byte
 * beyond the end of the message. Call again with the rest, or with more input.
 *
 * Returns  bytes consumed (0..len); -EPROTO, -EMSGSIZE with body->error set (also when called
 *          again). */
ssize_t parse_body(struct http_body *body, const char *in, size_t len, struct http_bytes *out);

/* True once the whole content has been consumed. */
bool parse_body_done(const struct http_body *body);

/* How many of the next bytes are payload and nothing else: 0 when framing comes next,
 * UINT64_MAX until close. So many may be read from the socket straight into the user's buffer,
 * and then be given to parse_body() there. */
uint64_t parse_body_direct(const struct http_body *body);

/* Tells the decoder that the connection has ended.
 *
 * Returns  0 if the content is complete, now done; -ECONNRESET with HTTP_ERROR_TRUNCATED. */
int parse_body_end(struct http_body *body);

/* True if the connection may carry another exchange: the content is done, its end did not depend
 * on closing, the head asks for no close, and what follows is HTTP. */
bool parse_reusable(const struct http_head *head, const struct http_body *body);

#endif
