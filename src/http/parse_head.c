// SPDX-License-Identifier: MIT
/* parse_head.c – finds the lines of a head, whatever pieces it arrives in.
 *
 * Holds      nothing; progress is in struct http_head.
 * Invariant  data[0..scanned) was looked at and is text, but for the line ends taken so far;
 *            line_start ≤ scanned; a line is handed on only when all of it is there.
 * Called by  client and server. Calls parse_start.c and parse_field.c with whole lines.
 * Why        one loop scans for the end of a line and for forbidden bytes at once, eight bytes at
 *            a time; everything else works on complete lines and needs no state.
 * Quirks     a field line is complete only when the byte after it shows that no fold follows.
 */
#include "http/parse.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "http/parse_priv.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "text_end() counts from the low byte");
_Static_assert(HTTP_RESPONSE_HEAD_MAX <= UINT16_MAX + 1, "offsets have 16 bits");

/* Where in the head the line at line_start is. */
enum { STATE_START, STATE_FIELDS, STATE_DONE };

static void head_init(struct http_head *head, struct http_field *fields, size_t field_cap) {
    must(fields != NULL || field_cap == 0);
    *head = (struct http_head){
        .fields = fields,
        .field_cap = (uint16_t)(field_cap < UINT16_MAX ? field_cap : UINT16_MAX),
        .content_length = -1,
    };
}

void parse_request_init(struct http_head *head, struct http_field *fields, size_t field_cap) {
    head_init(head, fields, field_cap);
    head->size_max = HTTP_REQUEST_HEAD_MAX;
    head->field_max = HTTP_REQUEST_FIELDS_MAX;
    head->target_max = HTTP_TARGET_MAX;
}

void parse_response_init(struct http_head *head, struct http_field *fields, size_t field_cap) {
    head_init(head, fields, field_cap);
    head->size_max = HTTP_RESPONSE_HEAD_MAX;
    head->field_max = HTTP_RESPONSE_FIELDS_MAX;
    head->response = true;
}

/* The index of the first byte of data[from..end) that no line may hold: a control byte other than
 * HTAB. That is the line's CR, or an error; `end` if there is none. */
static size_t text_end(const char *data, size_t from, size_t end) {
    const uint64_t ones = 0x0101010101010101;
    size_t i = from;
    while (end - i >= 8) {
        uint64_t word;
        memcpy(&word, data + i, 8);
        // The lowest byte marked is always a true one: only borrows from a true one mark others.
        uint64_t below_space = (word - ones * 0x20) & ~word;
        uint64_t del = word ^ (ones * 0x7f);
        uint64_t marked = (below_space | ((del - ones) & ~del)) & (ones * 0x80);
        if (marked == 0) {
            i += 8;
            continue;
        }
        i += (size_t)__builtin_ctzll(marked) / 8;
        if (data[i] != '\t') {
            return i;
        }
        i++;
    }
    while (i < end && chars_is(data[i], CHARS_TEXT)) {
        i++;
    }
    return i;
}

/* Takes the complete line that ends with the CR at `stop`. */
static enum http_error line_take(struct http_head *head, const char *data, size_t stop) {
    size_t line = head->line_start;
    head->line_start = (uint32_t)stop + 2;
    head->scanned = head->line_start;
    if (head->state == STATE_START && stop == line && line == 0 && !head->response) {
        return HTTP_ERROR_NONE; // RFC 9112 §2.2: an empty line before a request is skipped
    }
    if (head->state == STATE_START) {
        head->state = STATE_FIELDS;
        return head->response ? parse_status_line(head, data, stop)
                              : parse_request_line(head, data, line, stop);
    }
    if (stop == line) {
        head->state = STATE_DONE;
        head->size = head->line_start;
        return parse_fields_check(head);
    }
    return parse_field_line(head, data, line, stop);
}

/* Joins the line that ends with the CR at `stop` with the one after it. */
static enum http_error line_fold(struct http_head *head, char *data, size_t stop) {
    if (!head->response) {
        return HTTP_ERROR_FOLD;
    }
    memset(data + stop, ' ', 2);
    head->folded = true;
    return HTTP_ERROR_NONE;
}

/* Takes every complete line of data[0..end). */
static enum http_error lines_take(struct http_head *head, char *data, size_t end) {
    while (head->state != STATE_DONE) {
        size_t stop = text_end(data, head->scanned, end);
        head->work += (uint32_t)stop - head->scanned + 1;
        head->scanned = (uint32_t)stop;
        if (stop == end) {
            return HTTP_ERROR_NONE;
        }
        if (data[stop] != '\r') {
            return data[stop] == '\n' ? HTTP_ERROR_BARE_LF : HTTP_ERROR_CONTROL_BYTE;
        }
        if (stop + 1 == end) {
            return HTTP_ERROR_NONE;
        }
        if (data[stop + 1] != '\n') {
            return HTTP_ERROR_BARE_CR;
        }
        bool may_fold = head->state == STATE_FIELDS && stop > head->line_start;
        if (may_fold && stop + 2 == end) {
            return HTTP_ERROR_NONE;
        }
        bool folds = may_fold && chars_is(data[stop + 2], CHARS_SPACE);
        enum http_error error = folds ? line_fold(head, data, stop) : line_take(head, data, stop);
        if (error != HTTP_ERROR_NONE) {
            return error;
        }
    }
    return HTTP_ERROR_NONE;
}

/* Tells a peer that does not speak HTTP from its first bytes, without waiting for a line. */
static bool start_may_be_http(const struct http_head *head, const char *data, size_t end) {
    return !head->response || end == 0 || memcmp(data, "HTTP/", end < 5 ? end : 5) == 0;
}

/* What an incomplete head that fills its limit has too much of. */
static enum http_error limit_error(const struct http_head *head) {
    bool in_target = head->state == STATE_START && !head->response;
    return in_target ? HTTP_ERROR_TARGET_TOO_LONG : HTTP_ERROR_HEAD_TOO_LARGE;
}

ssize_t parse_head(struct http_head *head, char *data, size_t len) {
    must(len >= head->scanned && head->size_max <= HTTP_RESPONSE_HEAD_MAX);
    if (head->error == HTTP_ERROR_NONE && head->state != STATE_DONE) {
        size_t end = len < head->size_max ? len : head->size_max;
        enum http_error error = HTTP_ERROR_START_LINE;
        if (head->line_start > 0 || start_may_be_http(head, data, end)) {
            error = lines_take(head, data, end);
        }
        if (error == HTTP_ERROR_NONE && head->state != STATE_DONE && end == head->size_max) {
            error = limit_error(head);
        }
        head->error = (uint8_t)error;
    }
    if (head->error != HTTP_ERROR_NONE) {
        return parse_error_errno(head->error);
    }
    return head->state == STATE_DONE ? (ssize_t)head->size : 0;
}

int parse_interim_next(struct http_head *head) {
    must(head->state == STATE_DONE && head->error == HTTP_ERROR_NONE && parse_is_interim(head));
    if (head->interim_count == HTTP_INTERIM_MAX) {
        head->error = HTTP_ERROR_TOO_MANY_INTERIM;
        return parse_error_errno(head->error);
    }
    struct http_head last = *head;
    head_init(head, last.fields, last.field_cap);
    head->response = true;
    head->size_max = last.size_max - last.size;
    head->field_max = (uint16_t)(last.field_max - last.field_count);
    head->interim_count = (uint8_t)(last.interim_count + 1);
    head->work = last.work;
    return 0;
}

bool parse_keep_alive(const struct http_head *head) {
    if (head->flags & HTTP_FLAG_CLOSE) {
        return false;
    }
    return head->version_minor == 1 || (head->flags & HTTP_FLAG_KEEP_ALIVE) != 0;
}

/* The index of the CR that ends the line at `line` of a head that was parsed. */
static size_t line_stop(const char *data, size_t line, size_t size) {
    const char *stop = memchr(data + line, '\r', size - line);
    must(stop != NULL);
    return (size_t)(stop - data);
}

size_t parse_fields(const struct http_head *head, const char *data, struct http_field *fields,
                    size_t cap) {
    must(head->state == STATE_DONE && head->error == HTTP_ERROR_NONE);
    size_t count = head->field_count < cap ? head->field_count : cap;
    size_t stop = line_stop(data, head->start_line, head->size);
    for (size_t i = 0; i < count; i++) {
        size_t line = stop + 2;
        stop = line_stop(data, line, head->size);
        enum http_error error = parse_field_split(data, line, stop, &fields[i]);
        must(error == HTTP_ERROR_NONE);
    }
    return count;
}

int parse_field_find(const struct http_head *head, const char *data, struct http_bytes name,
                     size_t from) {
    size_t stored = head->field_count < head->field_cap ? head->field_count : head->field_cap;
    for (size_t i = from; i < stored; i++) {
        if (chars_equal_nocase(parse_span(data, head->fields[i].name), name)) {
            return (int)i;
        }
    }
    return -ENOENT;
}
