// SPDX-License-Identifier: MIT
/* test_text.c – texts from elsewhere come out as one harmless line.
 *
 * Holds      hostile texts.
 * Invariant  none.
 * Called by  the test runner.
 * Why        a server's answer is shown on a terminal that obeys escape sequences.
 * Quirks     none.
 */
#include "fixtures/fixture.h"

#include "cli/text.h"

#include <string.h>

// A raw escape byte from a server would let it rewrite the user's terminal.
START_TEST(control_bytes_are_escaped) {
    char out[64];
    ck_assert_str_eq(text_escape("nginx/1.22", out, sizeof(out)), "nginx/1.22");
    ck_assert_str_eq(text_escape("a\x1b[31mb\r\nc\x7f", out, sizeof(out)),
                     "a\\x1b[31mb\\x0d\\x0ac\\x7f");
    ck_assert_str_eq(text_escape("\xc2\x9b"
                                 "2J",
                                 out, sizeof(out)),
                     "\\xc2\\x9b2J");
    ck_assert_str_eq(text_escape("caf\xc3\xa9 \xe2\x80\xae!", out, sizeof(out)),
                     "caf\xc3\xa9 \\xe2\\x80\\xae!");
}
END_TEST

// Invalid UTF-8 can make a terminal swallow the bytes that follow.
START_TEST(invalid_utf8_is_escaped) {
    char out[64];
    ck_assert_str_eq(text_escape("\xff", out, sizeof(out)), "\\xff");
    ck_assert_str_eq(text_escape("\xc0\xaf", out, sizeof(out)), "\\xc0\\xaf");
    ck_assert_str_eq(text_escape("\xe2\x82", out, sizeof(out)), "\\xe2\\x82");
    ck_assert_str_eq(text_escape("\xed\xa0\x80", out, sizeof(out)), "\\xed\\xa0\\x80");
    ck_assert_str_eq(text_escape("\xf4\x90\x80\x80", out, sizeof(out)), "\\xf4\\x90\\x80\\x80");
}
END_TEST

// A long text must be cut inside its buffer, at a whole character, and show that it was cut.
START_TEST(long_texts_are_cut_at_a_character) {
    for (size_t cap = 8; cap < 24; cap++) {
        char guarded[32];
        memset(guarded, '#', sizeof(guarded));
        text_escape("ab\xe2\x82\xac\x1b"
                    "cdefghijklmnopqrstuvwxyz",
                    guarded, cap);
        ck_assert_uint_lt(strlen(guarded), cap);
        ck_assert_str_eq(guarded + strlen(guarded) - 3, "...");
        ck_assert_int_eq(guarded[cap], '#');
        char again[64];
        ck_assert_str_eq(text_escape(guarded, again, sizeof(again)), guarded);
    }
    char exact[8];
    ck_assert_str_eq(text_escape("1234567", exact, sizeof(exact)), "1234567");
    ck_assert_str_eq(text_escape("12345678", exact, sizeof(exact)), "1234...");
}
END_TEST

// Columns out of line make a table unreadable; bytes are not columns.
START_TEST(width_counts_characters) {
    ck_assert_uint_eq(text_width(""), 0);
    ck_assert_uint_eq(text_width("wall"), 4);
    ck_assert_uint_eq(text_width("1,000 s\xe2\x80\xa0"), 8);
}
END_TEST

// On a terminal without UTF-8 our own signs would print as rubbish.
START_TEST(our_signs_have_ascii_forms) {
    char out[32];
    ck_assert_str_eq(
        text_to_ascii("9 µs\xe2\x80\xa0 \xe2\x80\x93 \xe2\x97\x80 2\xc3\x97", out, sizeof(out)),
        "9 us+ - < 2x");
    ck_assert_str_eq(text_to_ascii("\xe4\xb8\xad", out, sizeof(out)), "?");
    ck_assert_str_eq(text_to_ascii("abcdef", out, 4), "abc");
}
END_TEST

FIXTURE_MAIN("cli/text", control_bytes_are_escaped, invalid_utf8_is_escaped,
             long_texts_are_cut_at_a_character, width_counts_characters, our_signs_have_ascii_forms)
