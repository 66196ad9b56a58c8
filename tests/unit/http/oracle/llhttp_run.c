// SPDX-License-Identifier: MIT
/* llhttp_run.c – drives llhttp and writes the log.
 *
 * Holds      the state of one run, which lives on the stack of oracle_llhttp_run().
 * Invariant  a message enters log->complete only when llhttp says that it is complete.
 * Called by  test_llhttp_oracle.c.
 * Why        see llhttp_run.h.
 * Quirks     interim responses are messages to llhttp; here they are left out, as ours are.
 */
#include "llhttp_run.h"

#include <llhttp.h>
#include <stdio.h>
#include <string.h>

/* One run. */
struct run {
    struct oracle_log *log;
    size_t message_start; /* of the message being read, in log->text */
    char last;            /* what was written last: 'n'ame, 'v'alue or another */
};

static struct run *run_of(llhttp_t *parser) {
    return parser->data;
}

static void separate(struct run *run, char kind, const char *mark) {
    if (run->last != kind) {
        oracle_log_add(run->log, mark, 1);
        run->last = kind;
    }
}

static int on_begin(llhttp_t *parser) {
    struct run *run = run_of(parser);
    run->message_start = run->log->len;
    run->last = 's';
    return 0;
}

static int on_start(llhttp_t *parser, const char *at, size_t len) {
    oracle_log_add(run_of(parser)->log, at, len);
    return 0;
}

static int on_method_end(llhttp_t *parser) {
    oracle_log_add(run_of(parser)->log, " ", 1);
    return 0;
}

static int on_name(llhttp_t *parser, const char *at, size_t len) {
    struct run *run = run_of(parser);
    if (!(parser->flags & F_TRAILING)) {
        separate(run, 'n', "\n");
        oracle_log_add(run->log, at, len);
    }
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t len) {
    struct run *run = run_of(parser);
    if (!(parser->flags & F_TRAILING)) {
        separate(run, 'v', "=");
        oracle_log_add_value(run->log, at, len);
    }
    return 0;
}

static int on_headers_end(llhttp_t *parser) {
    struct run *run = run_of(parser);
    char line[16];
    int len = snprintf(line, sizeof line, "\n%d\n", parser->status_code);
    oracle_log_add(run->log, line, (size_t)len);
    run->last = 'b';
    // llhttp leaves it to its user to know which responses have no content.
    int status = parser->status_code;
    return parser->type == HTTP_RESPONSE && (status < 200 || status == 204 || status == 304);
}

static int on_body(llhttp_t *parser, const char *at, size_t len) {
    oracle_log_add(run_of(parser)->log, at, len);
    return 0;
}

static int on_complete(llhttp_t *parser) {
    struct run *run = run_of(parser);
    bool interim = parser->type == HTTP_RESPONSE && parser->status_code < 200 &&
                   parser->status_code != 101;
    if (interim) {
        run->log->len = run->message_start;
        return 0;
    }
    oracle_log_add(run->log, "\n", 1);
    run->log->complete = run->log->len;
    run->log->messages++;
    return 0;
}

bool oracle_llhttp_knows(const char *method, size_t len) {
    for (int i = HTTP_DELETE; i <= HTTP_SOURCE; i++) {
        const char *name = llhttp_method_name((llhttp_method_t)i);
        if (strlen(name) == len && memcmp(name, method, len) == 0) {
            return true;
        }
    }
    return false;
}

void oracle_llhttp_run(struct oracle_log *log, const char *in, size_t len, bool responses) {
    struct run run = {.log = log};
    llhttp_settings_t settings;
    llhttp_settings_init(&settings);
    settings.on_message_begin = on_begin;
    settings.on_method = on_start;
    settings.on_method_complete = on_method_end;
    settings.on_url = on_start;
    settings.on_header_field = on_name;
    settings.on_header_value = on_value;
    settings.on_headers_complete = on_headers_end;
    settings.on_body = on_body;
    settings.on_message_complete = on_complete;
    llhttp_t parser;
    llhttp_init(&parser, responses ? HTTP_RESPONSE : HTTP_REQUEST, &settings);
    parser.data = &run;
    llhttp_errno_t error = llhttp_execute(&parser, in, len);
    if (error == HPE_OK) {
        error = llhttp_finish(&parser);
    }
    log->stopped_by = error == HPE_OK ? "" : llhttp_errno_name(error);
}
