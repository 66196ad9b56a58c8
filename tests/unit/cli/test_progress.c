// SPDX-License-Identifier: MIT
/* test_progress.c – the progress line: where, how often, how wide.
 *
 * Holds      a progress line drawn into memory, on a clock of the test's own.
 * Invariant  none.
 * Called by  the test runner.
 * Why        escapes in a log file, or a line that wraps, are worse than no progress.
 * Quirks     none.
 */
#include "fixtures/fixture.h"

#include "cli/progress.h"
#include "cli/text.h"

#include <stdlib.h>
#include <string.h>

static const int64_t ms = 1000000;

static char *drawn;
static size_t drawn_size;

static struct terminal memory_terminal(bool is_terminal) {
    FILE *out = tmpfile();
    ck_assert_ptr_nonnull(out);
    setenv("COLUMNS", "60", 1);
    return (struct terminal){.out = out, .is_terminal = is_terminal, .utf8 = true};
}

/* Reads what was drawn and closes the stream. */
static void collect(struct terminal *terminal) {
    drawn_size = (size_t)ftell(terminal->out);
    rewind(terminal->out);
    drawn = calloc(1, drawn_size + 1);
    ck_assert_ptr_nonnull(drawn);
    ck_assert_uint_eq(fread(drawn, 1, drawn_size, terminal->out), drawn_size);
    fclose(terminal->out);
}

// A pipe or a log file must not receive one byte of progress.
START_TEST(silent_unless_terminal) {
    struct progress_state state = {.label = "threads", .done = 1, .total = 10};
    struct terminal terminal = memory_terminal(false);
    struct progress progress;
    progress_init(&progress, &terminal, false);
    progress_draw(&progress, &state, ms);
    progress_clear(&progress);
    collect(&terminal);
    ck_assert_uint_eq(drawn_size, 0);
    free(drawn);
    terminal = memory_terminal(true);
    progress_init(&progress, &terminal, true);
    progress_draw(&progress, &state, ms);
    progress_clear(&progress);
    collect(&terminal);
    ck_assert_uint_eq(drawn_size, 0);
    free(drawn);
}
END_TEST

// Drawing more than five times a second would take CPU from what is measured.
START_TEST(drawn_five_times_a_second) {
    struct progress_state state = {.label = "threads", .done = 6214, .total = 10000};
    struct terminal terminal = memory_terminal(true);
    struct progress progress;
    unsigned draws = 0;
    progress_init(&progress, &terminal, false);
    for (int64_t now_ns = 1; now_ns < 1000 * ms; now_ns += ms) {
        progress_draw(&progress, &state, now_ns);
    }
    collect(&terminal);
    for (const char *at = drawn; (at = strchr(at, '\r')) != NULL; at++) {
        draws++;
    }
    ck_assert_uint_eq(draws, 5);
    ck_assert_ptr_nonnull(strstr(drawn, " 62%  \xe2\x94\x81"));
    ck_assert_ptr_nonnull(strstr(drawn, "\xe2\x94\x80  6,214/10,000  threads"));
    free(drawn);
}
END_TEST

// The line must be taken back completely, or it stands in the middle of the report.
START_TEST(cleared_at_the_end) {
    struct progress_state state = {.label = "sync", .done = 1, .total = 1, .failed = 3};
    struct terminal terminal = memory_terminal(true);
    struct progress progress;
    terminal.utf8 = false;
    progress_init(&progress, &terminal, false);
    progress_clear(&progress);
    progress_draw(&progress, &state, ms);
    progress_clear(&progress);
    progress_clear(&progress);
    collect(&terminal);
    ck_assert_str_eq(drawn, "\r\033[K100%  ################################  1/1  sync  3 failed"
                            "\r\033[K");
    free(drawn);
}
END_TEST

// A line wider than the terminal wraps, and then cannot be taken back.
START_TEST(never_wider_than_the_terminal) {
    static const char *const widths[] = {"1", "2", "7", "20", "40", "80", "300"};
    struct progress_state state = {
        .label = "a label \xe2\x80\x93 longer than most", .done = 999999, .total = 1000000};
    for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
        struct terminal terminal = memory_terminal(true);
        struct progress progress;
        setenv("COLUMNS", widths[i], 1);
        progress_init(&progress, &terminal, false);
        progress_draw(&progress, &state, ms);
        collect(&terminal);
        size_t columns = text_width(drawn) - strlen("\r\033[K");
        ck_assert_msg(columns <= (size_t)atoi(widths[i]), "%zu in %s", columns, widths[i]);
        free(drawn);
    }
}
END_TEST

FIXTURE_MAIN("cli/progress", silent_unless_terminal, drawn_five_times_a_second, cleared_at_the_end,
             never_wider_than_the_terminal)
