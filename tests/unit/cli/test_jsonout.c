// SPDX-License-Identifier: MIT
/* test_jsonout.c – the exact text of what the JSON writer writes.
 *
 * Holds      documents written into memory.
 * Invariant  none.
 * Called by  the test runner.
 * Why        a report that other programs cannot read is worth nothing.
 * Quirks     none.
 */
#include "fixtures/fixture.h"

#include "cli/jsonout.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static char *document;
static size_t document_size;

static struct jsonout begin(void) {
    FILE *out = open_memstream(&document, &document_size);
    ck_assert_ptr_nonnull(out);
    return (struct jsonout){.out = out};
}

/* Ends the document, closes the stream and returns the writer's verdict. */
static int finish(struct jsonout *json) {
    int rc = jsonout_finish(json);
    fclose(json->out);
    return rc;
}

static void check_document(struct jsonout *json, const char *expected) {
    ck_assert_int_eq(finish(json), 0);
    ck_assert_str_eq(document, expected);
    free(document);
}

// Events for programs that read line by line must not break lines of their own.
START_TEST(one_line_has_no_line_breaks) {
    struct jsonout json = begin();
    json.one_line = true;
    jsonout_begin_object(&json, NULL);
    jsonout_uint(&json, "a", 1);
    jsonout_begin_array(&json, "b");
    jsonout_uint(&json, NULL, 2);
    jsonout_string(&json, NULL, "x\ny");
    jsonout_end(&json);
    jsonout_end(&json);
    check_document(&json, "{\"a\": 1, \"b\": [2, \"x\\u000ay\"]}\n");
}
END_TEST

// Commas, nesting and empty containers: one slip and no reader accepts the file.
START_TEST(nesting_is_well_formed) {
    struct jsonout json = begin();
    jsonout_begin_object(&json, NULL);
    jsonout_begin_array(&json, "empty");
    jsonout_end(&json);
    jsonout_begin_array(&json, "rounds");
    for (uint64_t i = 0; i < 2; i++) {
        jsonout_begin_object(&json, NULL);
        jsonout_uint(&json, "i", i);
        jsonout_begin_object(&json, "none");
        jsonout_end(&json);
        jsonout_end(&json);
    }
    jsonout_end(&json);
    jsonout_bool(&json, "ok", true);
    jsonout_null(&json, "nothing");
    jsonout_end(&json);
    check_document(&json, "{\n"
                          "  \"empty\": [],\n"
                          "  \"rounds\": [\n"
                          "    {\n"
                          "      \"i\": 0,\n"
                          "      \"none\": {}\n"
                          "    },\n"
                          "    {\n"
                          "      \"i\": 1,\n"
                          "      \"none\": {}\n"
                          "    }\n"
                          "  ],\n"
                          "  \"ok\": true,\n"
                          "  \"nothing\": null\n"
                          "}\n");
}
END_TEST

// A server's header may hold anything; it must come out as the same text.
START_TEST(strings_are_escaped) {
    struct jsonout json = begin();
    jsonout_begin_object(&json, NULL);
    jsonout_string(&json, "k\"\\",
                   "q \" b \\ s / n \n t \t e \x1b d \x7f caf\xc3\xa9 \xf0\x9f\xa4\xb9");
    jsonout_string(&json, "invalid", "a\xff\xc0z");
    jsonout_string(&json, "none", NULL);
    jsonout_end(&json);
    check_document(&json,
                   "{\n"
                   "  \"k\\\"\\\\\": \"q \\\" b \\\\ s / n \\u000a t \\u0009 e \\u001b d \\u007f "
                   "caf\xc3\xa9 \xf0\x9f\xa4\xb9\",\n"
                   "  \"invalid\": \"a\xef\xbf\xbd\xef\xbf\xbdz\",\n"
                   "  \"none\": null\n"
                   "}\n");
}
END_TEST

static void check_number(double value, int decimals, const char *expected) {
    struct jsonout json = begin();
    jsonout_double(&json, NULL, value, decimals);
    ck_assert_int_eq(finish(&json), 0);
    char line[400];
    snprintf(line, sizeof(line), "%s\n", expected);
    ck_assert_str_eq(document, line);
    free(document);
}

// NaN in a report breaks every reader; it becomes null.
START_TEST(numbers_are_always_json) {
    check_number(1.06, 6, "1.06");
    check_number(0, 6, "0");
    check_number(-0.0000001, 3, "0");
    check_number(1000, 6, "1000");
    check_number(1000, 0, "1000");
    check_number(0.1 + 0.2, 9, "0.3");
    check_number(-2.5, 1, "-2.5");
    check_number(NAN, 3, "null");
    check_number(INFINITY, 3, "null");
    check_number(-INFINITY, 3, "null");
    struct jsonout json = begin();
    jsonout_begin_array(&json, NULL);
    jsonout_uint(&json, NULL, UINT64_MAX);
    jsonout_int(&json, NULL, INT64_MIN);
    jsonout_double(&json, NULL, 1.7976931348623157e308, 9);
    jsonout_end(&json);
    ck_assert_int_eq(finish(&json), 0);
    ck_assert_ptr_nonnull(strstr(document, "18446744073709551615"));
    ck_assert_ptr_nonnull(strstr(document, "-9223372036854775808"));
    ck_assert_ptr_nonnull(strstr(document, "17976931348623157"));
    free(document);
}
END_TEST

static void misuse_key_at_root(struct jsonout *json) {
    jsonout_uint(json, "key", 1);
}

static void misuse_no_key_in_object(struct jsonout *json) {
    jsonout_begin_object(json, NULL);
    jsonout_uint(json, NULL, 1);
    jsonout_end(json);
}

static void misuse_end_too_many(struct jsonout *json) {
    jsonout_begin_array(json, NULL);
    jsonout_end(json);
    jsonout_end(json);
}

static void misuse_left_open(struct jsonout *json) {
    jsonout_begin_array(json, NULL);
}

static void misuse_two_roots(struct jsonout *json) {
    jsonout_null(json, NULL);
    jsonout_null(json, NULL);
}

static void misuse_too_deep(struct jsonout *json) {
    for (int i = 0; i < 2 * JSONOUT_DEPTH_MAX; i++) {
        jsonout_begin_array(json, NULL);
    }
    for (int i = 0; i < 2 * JSONOUT_DEPTH_MAX; i++) {
        jsonout_end(json);
    }
}

static void misuse_nothing(struct jsonout *json) {
    (void)json;
}

// Calls that do not fit together must not end in a file that looks finished.
START_TEST(misuse_is_an_error) {
    static void (*const misuses[])(struct jsonout *) = {
        misuse_key_at_root, misuse_no_key_in_object, misuse_end_too_many, misuse_left_open,
        misuse_two_roots,   misuse_too_deep,         misuse_nothing,
    };
    for (size_t i = 0; i < sizeof(misuses) / sizeof(misuses[0]); i++) {
        struct jsonout json = begin();
        misuses[i](&json);
        int rc = finish(&json);
        ck_assert_msg(rc == -EINVAL, "misuse %zu gave %d: %s", i, rc, document);
        free(document);
    }
}
END_TEST

// A full disk must be reported, and the first error must not be overwritten by later ones.
START_TEST(full_disk_is_reported) {
    FILE *full = fopen("/dev/full", "w");
    ck_assert_ptr_nonnull(full);
    struct jsonout json = {.out = full};
    jsonout_begin_array(&json, NULL);
    for (int i = 0; i < 10000; i++) {
        jsonout_string(&json, NULL, "enough text to fill the buffer of the stream");
    }
    ck_assert_int_eq(json.error, -ENOSPC);
    jsonout_end(&json);
    jsonout_end(&json);
    ck_assert_int_eq(jsonout_finish(&json), -ENOSPC);
    fclose(full);

    full = fopen("/dev/full", "w");
    json = (struct jsonout){.out = full};
    jsonout_null(&json, NULL);
    ck_assert_int_eq(jsonout_finish(&json), -ENOSPC);
    fclose(full);
}
END_TEST

FIXTURE_MAIN("cli/jsonout", one_line_has_no_line_breaks, nesting_is_well_formed,
             strings_are_escaped, numbers_are_always_json, misuse_is_an_error,
             full_disk_is_reported)
