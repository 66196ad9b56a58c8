// SPDX-License-Identifier: MIT
/* parse_error.c – the reasons for refusing a message, in words and as status codes.
 *
 * Holds      one table row per enum http_error.
 * Invariant  the table has a row for every reason (a test walks it).
 * Called by  client, server and the other parse_*.c files. Calls nothing.
 * Why        one row says all there is to say about a reason.
 * Quirks     the status is what a server answers with; a client has no use for it.
 */
#include "http/parse.h"

#include <errno.h>

#include "base/check.h"

/* What a reason is called, answered with and returned as. */
struct reason {
    const char *text; /* for people */
    int status;       /* of a server's answer */
    int error;        /* negative errno */
};

static const struct reason reasons[HTTP_ERROR_COUNT] = {
    [HTTP_ERROR_NONE] = {"no error", 200, 0},
    [HTTP_ERROR_START_LINE] = {"first line is not HTTP/1", 400, -EPROTO},
    [HTTP_ERROR_VERSION] = {"HTTP version is neither 1.0 nor 1.1", 505, -EPROTO},
    [HTTP_ERROR_METHOD_TOO_LONG] = {"method name too long", 501, -EMSGSIZE},
    [HTTP_ERROR_TARGET] = {"malformed request target", 400, -EPROTO},
    [HTTP_ERROR_TARGET_TOO_LONG] = {"request target too long", 414, -EMSGSIZE},
    [HTTP_ERROR_STATUS] = {"malformed status code", 400, -EPROTO},
    [HTTP_ERROR_BARE_LF] = {"LF without CR", 400, -EPROTO},
    [HTTP_ERROR_BARE_CR] = {"CR without LF", 400, -EPROTO},
    [HTTP_ERROR_CONTROL_BYTE] = {"control byte in a head", 400, -EPROTO},
    [HTTP_ERROR_FIELD_NAME] = {"malformed field name", 400, -EPROTO},
    [HTTP_ERROR_NO_COLON] = {"field line without a colon", 400, -EPROTO},
    [HTTP_ERROR_SPACE_BEFORE_COLON] = {"white space before a field's colon", 400, -EPROTO},
    [HTTP_ERROR_FOLD] = {"folded field line", 400, -EPROTO},
    [HTTP_ERROR_CONTENT_LENGTH] = {"malformed Content-Length", 400, -EPROTO},
    [HTTP_ERROR_CONTENT_LENGTHS] = {"Content-Length given more than once", 400, -EPROTO},
    [HTTP_ERROR_TRANSFER_ENCODING] = {"Transfer-Encoding is not chunked", 501, -EPROTO},
    [HTTP_ERROR_TRANSFER_ENCODINGS] = {"Transfer-Encoding given more than once", 400, -EPROTO},
    [HTTP_ERROR_LENGTH_AND_CHUNKED] = {"Content-Length with Transfer-Encoding", 400, -EPROTO},
    [HTTP_ERROR_CHUNKED_IN_1_0] = {"Transfer-Encoding in HTTP/1.0", 400, -EPROTO},
    [HTTP_ERROR_HOST_MISSING] = {"request without Host", 400, -EPROTO},
    [HTTP_ERROR_HOSTS] = {"Host given more than once", 400, -EPROTO},
    [HTTP_ERROR_HOST] = {"malformed Host", 400, -EPROTO},
    [HTTP_ERROR_CONTENT_FORBIDDEN] = {"content in a CONNECT or TRACE request", 400, -EPROTO},
    [HTTP_ERROR_EXPECTATION] = {"Expect is not 100-continue", 417, -EPROTO},
    [HTTP_ERROR_HEAD_TOO_LARGE] = {"head too large", 431, -EMSGSIZE},
    [HTTP_ERROR_TOO_MANY_FIELDS] = {"too many fields", 431, -EMSGSIZE},
    [HTTP_ERROR_TOO_MANY_INTERIM] = {"too many interim responses", 400, -EMSGSIZE},
    [HTTP_ERROR_CHUNK_SIZE] = {"malformed chunk size", 400, -EPROTO},
    [HTTP_ERROR_CHUNK_EXTENSION] = {"control byte in a chunk extension", 400, -EPROTO},
    [HTTP_ERROR_CHUNK_EXTENSIONS] = {"too many chunk extensions", 400, -EMSGSIZE},
    [HTTP_ERROR_CHUNK_END] = {"chunk does not end where its size says", 400, -EPROTO},
    [HTTP_ERROR_TRAILER] = {"malformed trailer", 400, -EPROTO},
    [HTTP_ERROR_TRAILERS_TOO_LARGE] = {"trailers too large", 431, -EMSGSIZE},
    [HTTP_ERROR_TRUNCATED] = {"connection ended inside the message", 400, -ECONNRESET},
};

const char *parse_error_text(enum http_error error) {
    must(error < HTTP_ERROR_COUNT);
    return reasons[error].text;
}

int parse_error_status(enum http_error error) {
    must(error < HTTP_ERROR_COUNT);
    return reasons[error].status;
}

int parse_error_errno(enum http_error error) {
    must(error < HTTP_ERROR_COUNT);
    return reasons[error].error;
}
