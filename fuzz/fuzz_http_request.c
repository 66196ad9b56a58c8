// SPDX-License-Identifier: MIT
/* fuzz_http_request.c – any bytes as a connection's requests.
 *
 * Holds      nothing.
 * Invariant  the first two bytes say how the rest arrives; the verdict must not depend on them.
 * Called by  libFuzzer.
 * Why        oracles: every split gives the same log; work is linear; a head that was accepted is
 *            accepted again when written out from its parts, with the same parts.
 * Quirks     the log is that of the unit tests (tests/unit/http/events.h).
 */
#include "../tests/unit/http/events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds) {
    if (!holds) {
        abort();
    }
}

/* Writes an accepted head out from its parts and reads it again. */
static void head_reparse(const struct http_head *head, const char *bytes,
                         const struct http_field *fields) {
    struct events text = {0};
    events_add(&text, bytes + head->method.offset, head->method.len);
    events_print(&text, " ");
    events_add(&text, bytes + head->target.offset, head->target.len);
    events_print(&text, " HTTP/1.%d\r\n", head->version_minor);
    for (size_t i = 0; i < head->field_count; i++) {
        events_add(&text, bytes + fields[i].name.offset, fields[i].name.len);
        events_print(&text, ": ");
        events_add(&text, bytes + fields[i].value.offset, fields[i].value.len);
        events_print(&text, "\r\n");
    }
    events_print(&text, "\r\n");
    struct http_field again_fields[HTTP_REQUEST_FIELDS_MAX];
    struct http_head again;
    parse_request_init(&again, again_fields, HTTP_REQUEST_FIELDS_MAX);
    again.size_max = HTTP_RESPONSE_HEAD_MAX; // ": " may have been shorter
    expect(parse_head(&again, text.text, text.len) == (ssize_t)text.len);
    struct events a = {0};
    struct events b = {0};
    events_head(&a, head, bytes, fields);
    events_head(&b, &again, text.text, again_fields);
    expect(events_equal(&a, &b));
    events_free(&a);
    events_free(&b);
    events_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) {
        return 0;
    }
    struct source requests = {.responses = false};
    struct pieces pieces = {(size_t)data[0] + 1, (size_t)data[1] % 64 + 1};
    const char *bytes = (const char *)data + 2;
    size_t len = size - 2;
    struct events whole = events_run(requests, bytes, len, (struct pieces){len + 1, 1});
    struct events split = events_run(requests, bytes, len, pieces);
    expect(events_equal(&whole, &split));
    expect(whole.work <= 2 * len + 16 && split.work <= 2 * len + 2 * len / pieces.step + 32);
    events_free(&whole);
    events_free(&split);

    struct http_field fields[HTTP_REQUEST_FIELDS_MAX];
    struct http_head head;
    struct events copy = {0};
    events_add(&copy, bytes, len);
    parse_request_init(&head, fields, HTTP_REQUEST_FIELDS_MAX);
    if (parse_head(&head, copy.text, len) > 0) {
        head_reparse(&head, copy.text, fields);
    }
    events_free(&copy);
    return 0;
}
