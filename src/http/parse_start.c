// SPDX-License-Identifier: MIT
/* parse_start.c – the first line of a message.
 *
 * Holds      the names of the methods that framing or servers care about.
 * Invariant  exactly one SP between the parts, exactly HTTP/1.0 or HTTP/1.1 (RFC 9112 §3, §4).
 * Called by  parse_head.c with a complete line. Calls url.h for authorities and absolute URLs.
 * Why        request targets are checked to the last byte here, so that no handler has to.
 * Quirks     the version is looked at first: a peer that speaks HTTP/2 gets told so (505), not
 *            that its target is bad.
 */
#include <string.h>

#include "http/parse.h"
#include "http/parse_priv.h"
#include "http/url.h"

enum { VERSION_SIZE = 8 }; /* bytes of "HTTP/1.1" */

static const char *const method_names[] = {
    [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",     [HTTP_POST] = "POST",
    [HTTP_PUT] = "PUT",         [HTTP_DELETE] = "DELETE", [HTTP_CONNECT] = "CONNECT",
    [HTTP_OPTIONS] = "OPTIONS", [HTTP_TRACE] = "TRACE",   [HTTP_PATCH] = "PATCH",
};

enum http_method parse_method(struct http_bytes name) {
    for (unsigned i = HTTP_GET; i <= HTTP_PATCH; i++) {
        if (name.len == strlen(method_names[i]) &&
            memcmp(name.data, method_names[i], name.len) == 0) {
            return (enum http_method)i;
        }
    }
    return HTTP_METHOD_OTHER;
}

/* Takes the eight bytes of a version. */
static enum http_error version_take(struct http_head *head, const char *text) {
    if (memcmp(text, "HTTP/", 5) != 0 || !chars_is(text[5], CHARS_DIGIT) || text[6] != '.' ||
        !chars_is(text[7], CHARS_DIGIT)) {
        return HTTP_ERROR_START_LINE;
    }
    if (text[5] != '1' || text[7] > '1') {
        return HTTP_ERROR_VERSION;
    }
    head->version_minor = (uint8_t)(text[7] - '0');
    return HTTP_ERROR_NONE;
}

static bool target_is_origin(struct http_bytes target) {
    return target.data[0] == '/' && chars_all(target, CHARS_TARGET) && chars_percent_ok(target);
}

static bool target_is_absolute(struct http_bytes target) {
    struct url url;
    return memchr(target.data, '#', target.len) == NULL && url_parse(&url, target, NULL) == 0 &&
           url.scheme != URL_HTTP_UNIX && url.zone.len == 0;
}

/* Finds out the form of `target` and whether the method may have it. */
static enum http_error target_take(struct http_head *head, struct http_bytes target) {
    if (target.len == 0) {
        return HTTP_ERROR_TARGET;
    }
    if (target.len > head->target_max) {
        return HTTP_ERROR_TARGET_TOO_LONG;
    }
    if (head->method_id == HTTP_CONNECT) {
        head->target_form = HTTP_TARGET_AUTHORITY;
        return url_authority_check(target, true, NULL) == 0 ? HTTP_ERROR_NONE : HTTP_ERROR_TARGET;
    }
    if (target_is_origin(target)) {
        head->target_form = HTTP_TARGET_ORIGIN;
        return HTTP_ERROR_NONE;
    }
    if (target.len == 1 && target.data[0] == '*' && head->method_id == HTTP_OPTIONS) {
        head->target_form = HTTP_TARGET_ASTERISK;
        return HTTP_ERROR_NONE;
    }
    head->target_form = HTTP_TARGET_ABSOLUTE;
    return target_is_absolute(target) ? HTTP_ERROR_NONE : HTTP_ERROR_TARGET;
}

enum http_error parse_request_line(struct http_head *head, const char *data, size_t line,
                                   size_t stop) {
    size_t name_end = line;
    while (chars_is(data[name_end], CHARS_TOKEN)) {
        name_end++;
    }
    // After the name: SP target SP version.
    if (name_end == line || data[name_end] != ' ' || stop - name_end < 2 + VERSION_SIZE ||
        data[stop - VERSION_SIZE - 1] != ' ') {
        return HTTP_ERROR_START_LINE;
    }
    enum http_error error = version_take(head, data + stop - VERSION_SIZE);
    if (error != HTTP_ERROR_NONE) {
        return error;
    }
    if (name_end - line > HTTP_METHOD_MAX) {
        return HTTP_ERROR_METHOD_TOO_LONG;
    }
    size_t target_end = stop - VERSION_SIZE - 1;
    head->start_line = (uint16_t)line;
    head->method = (struct http_span){(uint16_t)line, (uint16_t)(name_end - line)};
    head->method_id = (uint8_t)parse_method(parse_span(data, head->method));
    head->target = (struct http_span){(uint16_t)(name_end + 1),
                                      (uint16_t)(target_end - name_end - 1)};
    return target_take(head, parse_span(data, head->target));
}

enum http_error parse_status_line(struct http_head *head, const char *data, size_t stop) {
    const size_t digits = VERSION_SIZE + 1;
    const size_t digits_end = digits + 3;
    if (stop <= VERSION_SIZE || data[VERSION_SIZE] != ' ') {
        return HTTP_ERROR_START_LINE;
    }
    enum http_error error = version_take(head, data);
    if (error != HTTP_ERROR_NONE) {
        return error;
    }
    struct http_bytes code = {data + digits, 3};
    if (stop < digits_end || !chars_all(code, CHARS_DIGIT) || code.data[0] == '0') {
        return HTTP_ERROR_STATUS;
    }
    if (stop > digits_end && data[digits_end] != ' ') {
        return HTTP_ERROR_STATUS;
    }
    head->status = (uint16_t)((code.data[0] - '0') * 100 + (code.data[1] - '0') * 10 +
                              (code.data[2] - '0'));
    size_t reason = stop > digits_end ? digits_end + 1 : stop;
    head->reason = (struct http_span){(uint16_t)reason, (uint16_t)(stop - reason)};
    return HTTP_ERROR_NONE;
}
