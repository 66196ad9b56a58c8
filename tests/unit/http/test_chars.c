// SPDX-License-Identifier: MIT
/* test_chars.c – the table of byte classes against the sets of the RFCs.
 *
 * Holds      the tests.
 * Invariant  all 256 bytes are checked for every class.
 * Called by  the test runner.
 * Why        a wrong bit in the table is a hole in every check that stands on it.
 */
#include "fixtures/fixture.h"

#include <string.h>

#include "http/chars.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

/* Fails unless exactly the bytes of `set` are in `class`. */
static void class_is(unsigned class, const char *set) {
    for (int c = 0; c < 256; c++) {
        bool in_set = c != 0 && strchr(set, c) != NULL;
        ck_assert_msg(chars_is((char)c, class) == in_set, "byte %d, class %u", c, class);
    }
}

// Names with separators in them, or targets with spaces, are how messages are torn apart.
START_TEST(chars_classes_are_those_of_the_rfcs) {
    class_is(CHARS_TOKEN, LETTERS DIGITS "!#$%&'*+-.^_`|~");
    class_is(CHARS_DIGIT, DIGITS);
    class_is(CHARS_HEX, DIGITS "abcdefABCDEF");
    class_is(CHARS_HOST, LETTERS DIGITS "-._~");
    class_is(CHARS_SCHEME, LETTERS DIGITS "+-.");
    class_is(CHARS_SPACE, " \t");
    class_is(CHARS_TARGET, LETTERS DIGITS "-._~%!$&'()*+,;=:@/?[]^`{|}");
    for (int c = 0; c < 256; c++) {
        bool text = c == '\t' || (c >= ' ' && c != 127);
        ck_assert_msg(chars_is((char)c, CHARS_TEXT) == text, "byte %d", c);
    }
}
END_TEST

// Each helper once at its edges.
START_TEST(chars_helpers_know_their_edges) {
    ck_assert(chars_all(bytes_of(""), CHARS_DIGIT));
    ck_assert(!chars_all(bytes_of("12a"), CHARS_DIGIT));
    ck_assert(!chars_is_token(bytes_of("")));
    ck_assert(chars_is_token(bytes_of("X-1")));
    ck_assert(!chars_is_token(bytes_of("X:")));
    ck_assert(chars_percent_ok(bytes_of("a%20%Ff")));
    ck_assert(!chars_percent_ok(bytes_of("a%2")));
    ck_assert(!chars_percent_ok(bytes_of("%")));
    ck_assert(!chars_percent_ok(bytes_of("%g0")));
    ck_assert(!chars_percent_ok(bytes_of("%0g")));
    ck_assert(chars_equal_nocase(bytes_of("aZ[@"), bytes_of("Az[@")));
    ck_assert(!chars_equal_nocase(bytes_of("@"), bytes_of("`")));
    ck_assert(!chars_equal_nocase(bytes_of("a"), bytes_of("ab")));
    struct http_bytes trimmed = chars_trim(bytes_of(" \ta b\t "));
    ck_assert_uint_eq(trimmed.len, 3);
    ck_assert_mem_eq(trimmed.data, "a b", 3);
    ck_assert_uint_eq(chars_trim(bytes_of(" \t ")).len, 0);
    ck_assert_uint_eq(chars_hex_value('0'), 0);
    ck_assert_uint_eq(chars_hex_value('a'), 10);
    ck_assert_uint_eq(chars_hex_value('F'), 15);
}
END_TEST

FIXTURE_MAIN("http/chars", chars_classes_are_those_of_the_rfcs, chars_helpers_know_their_edges)
