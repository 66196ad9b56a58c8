// SPDX-License-Identifier: MIT
/* llhttp_run.h – what llhttp, Node's parser, makes of a connection's bytes.
 *
 * Holds      struct oracle_log.
 * Invariant  the log has one entry per complete final message, in order.
 * Called by  test_llhttp_oracle.c. llhttp_run.c is the only file that includes llhttp.h.
 * Why        llhttp's enum names (HTTP_GET) are ours too, so the two never meet in one file.
 * Quirks     built only where Debian's node-llhttp is installed, see oracle.cmake.
 */
#ifndef HTTP_ORACLE_LLHTTP_RUN_H
#define HTTP_ORACLE_LLHTTP_RUN_H

#include <stdbool.h>
#include <stddef.h>

enum { ORACLE_LOG_MAX = 16384 };

/* What one parser saw. */
struct oracle_log {
    char text[ORACLE_LOG_MAX]; /* per message: start line, "name=value" lines, payload */
    size_t len;                /* of text, messages begun included */
    size_t complete;           /* of text, complete messages only */
    unsigned messages;         /* complete ones */
    const char *stopped_by;    /* name of llhttp's error, "" if it took every byte */
};

/* Appends to the log; what does not fit is lost in both parsers' logs alike. */
static inline void oracle_log_add(struct oracle_log *log, const char *data, size_t len) {
    for (size_t i = 0; i < len && log->len < ORACLE_LOG_MAX; i++) {
        log->text[log->len++] = data[i];
    }
}

/* Appends a field value without its white space, which folds leave differently. */
static inline void oracle_log_add_value(struct oracle_log *log, const char *data, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (data[i] != ' ' && data[i] != '\t') {
            oracle_log_add(log, data + i, 1);
        }
    }
}

/* Runs llhttp in strict mode over in[0..len), requests or responses to GET, then tells it that the
 * stream ended. Weak: NULL where the test was built without llhttp. */
void oracle_llhttp_run(struct oracle_log *log, const char *in, size_t len, bool responses)
    __attribute__((weak));

/* True if llhttp knows this method. Weak like the above. */
bool oracle_llhttp_knows(const char *method, size_t len) __attribute__((weak));

#endif
