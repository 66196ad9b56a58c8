// SPDX-License-Identifier: MIT
/* chars.c – the table of byte classes, and the loops over it.
 *
 * Holds      chars_class.
 * Invariant  every row agrees with the character sets that tests/unit/http/test_chars.c spells out.
 * Called by  the whole room. Calls nothing.
 * Why        a table in the file costs no start-up work and no branch per byte.
 * Quirks     none.
 */
#include "http/chars.h"

/* One row is 16 bytes; the bits are those of the CHARS_ enum. */
const uint8_t chars_class[256] = {
    // clang-format off
      0,   0,   0,   0,   0,   0,   0,   0,   0, 130,   0,   0,   0,   0,   0,   0, // 00
      0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0, // 10
    130,   7,   2,   3,   7,   7,   7,   7,   6,   6,   7,  71,   6,  79,  79,   6, // 20
    127, 127, 127, 127, 127, 127, 127, 127, 127, 127,   6,   6,   2,   6,   2,   6, // 30
      6, 111, 111, 111, 111, 111, 111,  79,  79,  79,  79,  79,  79,  79,  79,  79, // 40
     79,  79,  79,  79,  79,  79,  79,  79,  79,  79,  79,   6,   2,   6,   7,  15, // 50
      7, 111, 111, 111, 111, 111, 111,  79,  79,  79,  79,  79,  79,  79,  79,  79, // 60
     79,  79,  79,  79,  79,  79,  79,  79,  79,  79,  79,   6,   7,   6,  15,   0, // 70
      2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2, // 80
      2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2, // 90
      2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2, // A0
      2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2, // B0
      2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2, // C0
      2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2, // D0
      2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2, // E0
      2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2, // F0
    // clang-format on
};

bool chars_all(struct http_bytes bytes, unsigned classes) {
    for (size_t i = 0; i < bytes.len; i++) {
        if (!chars_is(bytes.data[i], classes)) {
            return false;
        }
    }
    return true;
}

bool chars_is_token(struct http_bytes bytes) {
    return bytes.len > 0 && chars_all(bytes, CHARS_TOKEN);
}

bool chars_percent_ok(struct http_bytes bytes) {
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.data[i] != '%') {
            continue;
        }
        if (bytes.len - i < 3 || !chars_is(bytes.data[i + 1], CHARS_HEX) ||
            !chars_is(bytes.data[i + 2], CHARS_HEX)) {
            return false;
        }
    }
    return true;
}

bool chars_equal_nocase(struct http_bytes a, struct http_bytes b) {
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (chars_lower(a.data[i]) != chars_lower(b.data[i])) {
            return false;
        }
    }
    return true;
}

struct http_bytes chars_trim(struct http_bytes bytes) {
    while (bytes.len > 0 && chars_is(bytes.data[0], CHARS_SPACE)) {
        bytes.data++;
        bytes.len--;
    }
    while (bytes.len > 0 && chars_is(bytes.data[bytes.len - 1], CHARS_SPACE)) {
        bytes.len--;
    }
    return bytes;
}
