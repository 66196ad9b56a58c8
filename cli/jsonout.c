// SPDX-License-Identifier: MIT
/* jsonout.c – see jsonout.h.
 *
 * Holds      the grammar: commas, indentation, escapes.
 * Invariant  one bit per level says whether a comma is due; nothing else is remembered.
 * Called by  the commands.
 * Why        streaming: a report of any length costs no memory.
 * Quirks     output is indented by two blanks, so that a saved report can be read and diffed;
 *            `one_line` is for programs that read events line by line.
 */
#include "jsonout.h"

#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static void put(struct jsonout *json, const char *format,
                                                      ...) {
    if (json->error < 0) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    errno = 0;
    if (vfprintf(json->out, format, arguments) < 0) {
        json->error = errno > 0 ? -errno : -EIO;
    }
    va_end(arguments);
}

static void fail(struct jsonout *json, int error) {
    if (json->error == 0) {
        json->error = error;
    }
}

static void put_escaped(struct jsonout *json, const char *text) {
    put(json, "\"");
    while (*text != '\0' && json->error == 0) {
        uint32_t code_point = 0;
        size_t length = text_decode(text, &code_point);
        if (length == 0) {
            put(json, "\xEF\xBF\xBD");
            length = 1;
        } else if (code_point == '"' || code_point == '\\') {
            put(json, "\\%c", *text);
        } else if (code_point < 0x20 || code_point == 0x7F) {
            put(json, "\\u%04x", (unsigned)code_point);
        } else {
            put(json, "%.*s", (int)length, text);
        }
        text += length;
    }
    put(json, "\"");
}

/* Begins a line of its own for a value or an end at the current depth. */
static void break_line(struct jsonout *json) {
    if (!json->one_line) {
        put(json, "\n%*s", 2 * (int)json->depth, "");
    }
}

/* Writes the comma, the line break and the key that come before a value. */
static void begin_value(struct jsonout *json, const char *key) {
    uint32_t level = UINT32_C(1) << json->depth;
    bool in_object = json->depth > 0 && (json->arrays & level) == 0;
    bool is_second_root = json->depth == 0 && (json->filled & 1) != 0;
    if ((key != NULL) != in_object || is_second_root) {
        fail(json, -EINVAL);
        return;
    }
    if (json->depth > 0) {
        put(json, "%s", (json->filled & level) == 0 ? "" : json->one_line ? ", " : ",");
        break_line(json);
    }
    json->filled |= level;
    if (in_object) {
        put_escaped(json, key);
        put(json, ": ");
    }
}

static void begin_level(struct jsonout *json, const char *key, bool is_array) {
    begin_value(json, key);
    if (json->depth + 1 >= JSONOUT_DEPTH_MAX) {
        fail(json, -EINVAL);
    }
    if (json->error < 0) {
        return;
    }
    put(json, is_array ? "[" : "{");
    json->depth++;
    uint32_t level = UINT32_C(1) << json->depth;
    json->filled &= ~level;
    json->arrays = is_array ? json->arrays | level : json->arrays & ~level;
}

void jsonout_begin_object(struct jsonout *json, const char *key) {
    begin_level(json, key, false);
}

void jsonout_begin_array(struct jsonout *json, const char *key) {
    begin_level(json, key, true);
}

void jsonout_end(struct jsonout *json) {
    if (json->depth == 0) {
        fail(json, -EINVAL);
        return;
    }
    uint32_t level = UINT32_C(1) << json->depth;
    json->depth--;
    if ((json->filled & level) != 0) {
        break_line(json);
    }
    put(json, (json->arrays & level) != 0 ? "]" : "}");
}

void jsonout_string(struct jsonout *json, const char *key, const char *value) {
    if (value == NULL) {
        jsonout_null(json, key);
        return;
    }
    begin_value(json, key);
    put_escaped(json, value);
}

void jsonout_uint(struct jsonout *json, const char *key, uint64_t value) {
    begin_value(json, key);
    put(json, "%" PRIu64, value);
}

void jsonout_int(struct jsonout *json, const char *key, int64_t value) {
    begin_value(json, key);
    put(json, "%" PRId64, value);
}

void jsonout_bool(struct jsonout *json, const char *key, bool value) {
    begin_value(json, key);
    put(json, value ? "true" : "false");
}

void jsonout_null(struct jsonout *json, const char *key) {
    begin_value(json, key);
    put(json, "null");
}

void jsonout_double(struct jsonout *json, const char *key, double value, int decimals) {
    char digits[344]; /* the longest double has 309 digits before the point */
    if (!isfinite(value)) {
        jsonout_null(json, key);
        return;
    }
    int length = snprintf(digits, sizeof(digits), "%.*f", decimals, value);
    while (decimals > 0 && digits[length - 1] == '0') {
        digits[--length] = '\0';
        decimals--;
    }
    if (decimals == 0 && strchr(digits, '.') != NULL) {
        digits[--length] = '\0';
    }
    begin_value(json, key);
    put(json, "%s", strcmp(digits, "-0") == 0 ? "0" : digits);
}

int jsonout_finish(struct jsonout *json) {
    if (json->depth != 0 || (json->filled & 1) == 0) {
        fail(json, -EINVAL);
    }
    put(json, "\n");
    errno = 0;
    if (json->error == 0 && fflush(json->out) != 0) {
        fail(json, errno > 0 ? -errno : -EIO);
    }
    return json->error;
}
