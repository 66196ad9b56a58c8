// SPDX-License-Identifier: MIT
/* chars.h – which bytes may stand where in HTTP/1.1 and in URLs.
 *
 * Holds      one 256-byte table of class bits, and the few loops everybody needs over it.
 * Invariant  the table is the grammar of RFC 9110 §5.6 and RFC 3986 §2–3; nothing else in this
 *            room spells out a character set.
 * Called by  parse_*.c, url*.c, headers.c, and the client for method names. Calls nothing.
 * Why        one load and one AND per byte, no locale, no <ctype.h>.
 * Quirks     bytes ≥ 0x80 (obs-text) are TEXT and nothing else.
 */
#ifndef HTTP_CHARS_H
#define HTTP_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A run of bytes somewhere else; `data` need not end in NUL and may be anything when `len` is 0.
 * Whoever hands one out says how long the bytes stay. */
struct http_bytes {
    const char *data; /* first byte */
    size_t len;       /* how many */
};

/* The bytes of the C string `text`, without its NUL; lives as long as `text`. */
static inline struct http_bytes bytes_of(const char *text) {
    return (struct http_bytes){text, strlen(text)};
}

/* Class bits of one byte. */
enum {
    CHARS_TOKEN = 1,   /* tchar: methods and field names */
    CHARS_TEXT = 2,    /* field values, reason phrases: HTAB, SP, VCHAR, obs-text */
    CHARS_TARGET = 4,  /* path and query: RFC 3986 pchar / "/" / "?", and [ ] ^ ` { | }, which
                          browsers leave as they are */
    CHARS_HOST = 8,    /* registered names: letters, digits, - . _ ~ */
    CHARS_DIGIT = 16,  /* 0-9 */
    CHARS_HEX = 32,    /* 0-9 a-f A-F */
    CHARS_SCHEME = 64, /* letters, digits, + - . */
    CHARS_SPACE = 128, /* SP and HTAB, the only white space there is */
};

/* The class bits of every byte. */
extern const uint8_t chars_class[256];

/* True if byte `c` is in any of `classes`. */
static inline bool chars_is(char c, unsigned classes) {
    return (chars_class[(unsigned char)c] & classes) != 0;
}

/* The lower-case form of an ASCII letter; every other byte unchanged. */
static inline char chars_lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* The value 0..15 of a hexadecimal digit; `c` must be CHARS_HEX. */
static inline unsigned chars_hex_value(char c) {
    return chars_is(c, CHARS_DIGIT) ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
}

/* True if all of `bytes` are in one of `classes`; true for an empty run. */
bool chars_all(struct http_bytes bytes, unsigned classes);

/* True if `bytes` is a token (RFC 9110 §5.6.2): a method or field name that may be sent. */
bool chars_is_token(struct http_bytes bytes);

/* True if every "%" in `bytes` is followed by two hexadecimal digits. */
bool chars_percent_ok(struct http_bytes bytes);

/* True if `a` and `b` are the same bytes. */
static inline bool chars_equal(struct http_bytes a, struct http_bytes b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* True if `a` and `b` are the same bytes but for the case of ASCII letters. */
bool chars_equal_nocase(struct http_bytes a, struct http_bytes b);

/* `bytes` without the SP and HTAB at both ends. */
struct http_bytes chars_trim(struct http_bytes bytes);

#endif
