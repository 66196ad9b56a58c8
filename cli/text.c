// SPDX-License-Identifier: MIT
/* text.c – see text.h.
 *
 * Holds      a strict UTF-8 decoder and what is built on it.
 * Invariant  overlong forms, surrogates and values above U+10FFFF are invalid.
 * Called by  options.c, table.c, terminal.c, json.c, the reports.
 * Why        mbrtowc depends on the locale; bytes from a server do not.
 * Quirks     none.
 */
#include "text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The number of bytes a sequence starting with `first` has; 0 if none can start so. */
static size_t sequence_length(unsigned char first) {
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xC2 && first < 0xE0) {
        return 2;
    }
    if (first >= 0xE0 && first < 0xF0) {
        return 3;
    }
    return first >= 0xF0 && first < 0xF5 ? 4 : 0;
}

size_t text_decode(const char *text, uint32_t *out_code_point) {
    static const unsigned char masks[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = sequence_length((unsigned char)*text);
    uint32_t code_point = (unsigned char)*text & masks[length];
    for (size_t i = 1; i < length; i++) {
        unsigned char next = (unsigned char)text[i];
        if ((next & 0xC0) != 0x80) {
            return 0;
        }
        code_point = code_point << 6 | (next & 0x3F);
    }
    bool is_surrogate = code_point >= 0xD800 && code_point < 0xE000;
    if (length == 0 || code_point < smallest[length] || code_point > 0x10FFFF || is_surrogate) {
        return 0;
    }
    *out_code_point = code_point;
    return length;
}

static bool is_control(uint32_t code_point) {
    bool is_line_break = code_point == 0x2028 || code_point == 0x2029;
    bool is_direction = (code_point >= 0x202A && code_point <= 0x202E) ||
                        (code_point >= 0x2066 && code_point <= 0x2069);
    return code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0) || is_line_break ||
           is_direction;
}

char *text_escape(const char *text, char *out, size_t cap) {
    size_t used = 0;
    size_t before_dots = 0;
    while (*text != '\0') {
        char piece[5 * 4];
        uint32_t code_point = 0;
        size_t taken = text_decode(text, &code_point);
        size_t length = taken;
        if (taken == 0 || is_control(code_point)) {
            taken = taken == 0 ? 1 : taken;
            length = 0;
            for (size_t i = 0; i < taken; i++) {
                length += (size_t)snprintf(piece + length, sizeof(piece) - length, "\\x%02x",
                                           (unsigned char)text[i]);
            }
        } else {
            memcpy(piece, text, taken);
        }
        if (used + length + 1 > cap) {
            memcpy(out + before_dots, "...", 4);
            return out;
        }
        memcpy(out + used, piece, length);
        used += length;
        text += taken;
        before_dots = used + 4 <= cap ? used : before_dots;
    }
    out[used] = '\0';
    return out;
}

size_t text_width(const char *text) {
    size_t columns = 0;
    for (; *text != '\0'; text++) {
        columns += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return columns;
}

/* The ASCII stand-in for one of our own signs. */
static const char *ascii_for(uint32_t code_point) {
    switch (code_point) {
    case 0x2013: /* – */
    case 0x2014: /* — */
    case 0x2501: /* ━ */
    case 0x2500: /* ─ */
        return "-";
    case 0x2020: /* † */
        return "+";
    case 0x25C0: /* ◀ */
        return "<";
    case 0x00B5: /* µ */
        return "u";
    case 0x00D7: /* × */
        return "x";
    case 0x2026: /* … */
        return "...";
    case 0x00B7: /* · */
    case 0x2578: /* ╸ */
        return "-";
    default:
        return "?";
    }
}

char *text_to_ascii(const char *text, char *out, size_t cap) {
    size_t used = 0;
    while (*text != '\0') {
        uint32_t code_point = 0;
        size_t taken = text_decode(text, &code_point);
        char same[2] = {*text, '\0'};
        const char *piece = taken == 1 ? same : taken == 0 ? "?" : ascii_for(code_point);
        size_t length = strlen(piece);
        if (used + length + 1 > cap) {
            break;
        }
        memcpy(out + used, piece, length);
        used += length;
        text += taken == 0 ? 1 : taken;
    }
    out[used] = '\0';
    return out;
}
