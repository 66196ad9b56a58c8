// SPDX-License-Identifier: MIT
/* fuzz_http_response.c – any bytes as a connection's responses.
 *
 * Holds      nothing.
 * Invariant  three bytes say how the rest arrives and what it answers; the verdict must not depend
 *            on the first two.
 * Called by  libFuzzer.
 * Why        oracles: every split gives the same log; work is linear; a complete head has the same
 *            fields when they are read again, and no line end in any of them, folds included.
 * Quirks     the log is that of the unit tests (tests/unit/http/events.h).
 */
#include "../tests/unit/http/events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds) {
    if (!holds) {
        abort();
    }
}

static void head_check(const struct http_head *head, const char *bytes,
                       const struct http_field *fields) {
    static struct http_field again[HTTP_RESPONSE_FIELDS_MAX];
    expect(parse_fields(head, bytes, again, HTTP_RESPONSE_FIELDS_MAX) == head->field_count);
    for (size_t i = 0; i < head->field_count; i++) {
        expect(memcmp(&again[i], &fields[i], sizeof again[i]) == 0);
        expect(chars_is_token(parse_span(bytes, fields[i].name)));
        struct http_bytes value = parse_span(bytes, fields[i].value);
        expect(chars_all(value, CHARS_TEXT) && chars_trim(value).len == value.len);
    }
    expect(!(head->flags & HTTP_FLAG_CHUNKED) || head->content_length < 0);
    expect(head->status >= 100 && head->status <= 999);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3) {
        return 0;
    }
    struct pieces pieces = {(size_t)data[0] + 1, (size_t)data[1] % 64 + 1};
    struct source responses = {.responses = true, .method = data[2] % (HTTP_PATCH + 1)};
    const char *bytes = (const char *)data + 3;
    size_t len = size - 3;
    struct events whole = events_run(responses, bytes, len, (struct pieces){len + 1, 1});
    struct events split = events_run(responses, bytes, len, pieces);
    expect(events_equal(&whole, &split));
    expect(whole.work <= 2 * len + 16 && split.work <= 2 * len + 2 * len / pieces.step + 32);
    events_free(&whole);
    events_free(&split);

    static struct http_field fields[HTTP_RESPONSE_FIELDS_MAX];
    struct http_head head;
    struct events copy = {0};
    events_add(&copy, bytes, len);
    parse_response_init(&head, fields, HTTP_RESPONSE_FIELDS_MAX);
    if (parse_head(&head, copy.text, len) > 0) {
        head_check(&head, copy.text, fields);
    }
    events_free(&copy);
    return 0;
}
