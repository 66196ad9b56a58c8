// SPDX-License-Identifier: MIT
/* test_table.c – tables and terminals: what is printed, byte for byte.
 *
 * Holds      a table printed into memory under different terminals and environments.
 * Invariant  none.
 * Called by  the test runner.
 * Why        stray escapes in a pipe, or columns out of line, are what people notice first.
 * Quirks     none.
 */
#include "fixtures/fixture.h"

#include "cli/table.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static char *printed;
static size_t printed_size;

static struct terminal memory_terminal(void) {
    FILE *out = open_memstream(&printed, &printed_size);
    ck_assert_ptr_nonnull(out);
    return (struct terminal){.out = out, .utf8 = true};
}

static void check_printed(struct terminal *terminal, const char *expected) {
    ck_assert_int_eq(terminal_flush(terminal), 0);
    fclose(terminal->out);
    ck_assert_str_eq(printed, expected);
    free(printed);
}

static const struct table_column columns[] = {
    {"model", TABLE_LEFT, 0},
    {"wall", TABLE_RIGHT, 0},
    {"p99", TABLE_RIGHT, 2},
    {"switches", TABLE_RIGHT, 1},
};

static struct table table;

static void fill(void) {
    table_init(&table, columns, 4);
    table_add_row(&table);
    table_set(&table, 0, TERMINAL_PLAIN, "sync");
    table_set(&table, 1, TERMINAL_PLAIN, "1,000 s\xe2\x80\xa0");
    table_set(&table, 3, TERMINAL_PLAIN, "1/req");
    table_add_row(&table);
    table_set(&table, 0, TERMINAL_GOOD, "coroutines");
    table_set(&table, 1, TERMINAL_PLAIN, "%.2f s", 1.06);
    table_set(&table, 2, TERMINAL_PLAIN, "109 ms");
    table_set(&table, 3, TERMINAL_PLAIN, "520");
}

// Figures must stand under their headings, whatever bytes they are made of.
START_TEST(columns_align) {
    struct terminal terminal = memory_terminal();
    fill();
    table_print(&table, &terminal);
    check_printed(&terminal, "  model           wall     p99  switches\n"
                             "  sync        1,000 s\xe2\x80\xa0             1/req\n"
                             "  coroutines    1.06 s  109 ms       520\n");
}
END_TEST

// A column for what was not asked for must leave no hole.
START_TEST(empty_columns_take_no_room) {
    static const struct table_column three[] = {
        {"model", TABLE_LEFT, 0}, {"", TABLE_RIGHT, 0}, {"wall", TABLE_RIGHT, 0}};
    struct terminal terminal = memory_terminal();
    table_init(&table, three, 3);
    table_add_row(&table);
    table_set(&table, 0, TERMINAL_PLAIN, "sync");
    table_set(&table, 2, TERMINAL_PLAIN, "1 s");
    table_print(&table, &terminal);
    check_printed(&terminal, "  model  wall\n"
                             "  sync    1 s\n");
}
END_TEST

// Without UTF-8 not one byte above 127 may be written, and columns still align.
START_TEST(ascii_terminal_gets_ascii) {
    struct terminal terminal = memory_terminal();
    terminal.utf8 = false;
    fill();
    table_print(&table, &terminal);
    check_printed(&terminal, "  model           wall     p99  switches\n"
                             "  sync        1,000 s+             1/req\n"
                             "  coroutines    1.06 s  109 ms       520\n");
}
END_TEST

// A narrow terminal loses whole columns, least important first, and is told which.
START_TEST(narrow_terminal_loses_columns_by_rank) {
    struct terminal terminal = memory_terminal();
    terminal.width = 34;
    fill();
    table_print(&table, &terminal);
    check_printed(&terminal, "  model           wall  switches\n"
                             "  sync        1,000 s\xe2\x80\xa0     1/req\n"
                             "  coroutines    1.06 s       520\n"
                             "  (too narrow for: p99)\n");
    terminal = memory_terminal();
    terminal.width = 5;
    table_print(&table, &terminal);
    check_printed(&terminal, "  model           wall\n"
                             "  sync        1,000 s\xe2\x80\xa0\n"
                             "  coroutines    1.06 s\n"
                             "  (too narrow for: p99, switches)\n");
}
END_TEST

// Colour goes around the text alone, is always switched off again, and no line ends in blanks.
START_TEST(styles_do_not_move_columns) {
    struct terminal terminal = memory_terminal();
    terminal.color = true;
    table_init(&table, columns, 3);
    table_add_row(&table);
    table_set(&table, 0, TERMINAL_GOOD, "a");
    table_set(&table, 1, TERMINAL_BAD, "b");
    table_print(&table, &terminal);
    check_printed(&terminal, "  \033[1mmodel\033[0m  \033[1mwall\033[0m  \033[1mp99\033[0m\n"
                             "  \033[32ma\033[0m         \033[31mb\033[0m\n");
}
END_TEST

// More rows or columns than there is room for must not write outside the table.
START_TEST(limits_hold) {
    struct terminal terminal = memory_terminal();
    table_init(&table, columns, 1);
    table_set(&table, 0, TERMINAL_PLAIN, "before the first row");
    for (int i = 0; i < TABLE_ROWS_MAX + 3; i++) {
        table_add_row(&table);
        table_set(&table, 0, TERMINAL_PLAIN, "%d", i);
        table_set(&table, 1, TERMINAL_PLAIN, "no such column");
        table_set(&table, TABLE_COLUMNS_MAX, TERMINAL_PLAIN, "no such column");
    }
    ck_assert_uint_eq(table.row_count, TABLE_ROWS_MAX);
    table_print(&table, &terminal);
    terminal_flush(&terminal);
    ck_assert_ptr_null(strstr(printed, "no such"));
    ck_assert_ptr_nonnull(strstr(printed, "  18\n"));
    fclose(terminal.out);
    free(printed);
}
END_TEST

static bool color_with(enum terminal_color when, const char *no_color, const char *force) {
    struct terminal terminal;
    FILE *out = fopen("/dev/null", "w");
    ck_assert_ptr_nonnull(out);
    unsetenv("NO_COLOR");
    unsetenv("CLICOLOR_FORCE");
    if (no_color != NULL) {
        setenv("NO_COLOR", no_color, 1);
    }
    if (force != NULL) {
        setenv("CLICOLOR_FORCE", force, 1);
    }
    terminal_init(&terminal, out, when);
    fclose(out);
    return terminal.color;
}

// Escapes in a pipe break the next program; a user who asks for colour must get it.
START_TEST(color_follows_the_rules) {
    ck_assert(!color_with(TERMINAL_COLOR_AUTO, NULL, NULL));
    ck_assert(color_with(TERMINAL_COLOR_ALWAYS, NULL, NULL));
    ck_assert(color_with(TERMINAL_COLOR_ALWAYS, "1", NULL));
    ck_assert(color_with(TERMINAL_COLOR_AUTO, NULL, "1"));
    ck_assert(!color_with(TERMINAL_COLOR_AUTO, NULL, "0"));
    ck_assert(!color_with(TERMINAL_COLOR_AUTO, "1", "1"));
    ck_assert(color_with(TERMINAL_COLOR_AUTO, "", "1"));
    ck_assert(!color_with(TERMINAL_COLOR_NEVER, NULL, "1"));
}
END_TEST

/* Opens a fresh pseudo-terminal of 40 columns. */
static FILE *open_pty(int *out_master) {
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(master, 0);
    ck_assert_int_eq(grantpt(master), 0);
    ck_assert_int_eq(unlockpt(master), 0);
    struct winsize size = {.ws_row = 24, .ws_col = 40};
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(slave, 0);
    ck_assert_int_eq(ioctl(slave, TIOCSWINSZ, &size), 0);
    *out_master = master;
    return fdopen(slave, "w");
}

// A real terminal gets colour and cursor tricks unless TERM=dumb, and its own width unless COLUMNS
// says otherwise.
START_TEST(real_terminal_is_recognised) {
    int master = -1;
    FILE *out = open_pty(&master);
    struct terminal terminal;
    unsetenv("NO_COLOR");
    unsetenv("CLICOLOR_FORCE");
    unsetenv("COLUMNS");
    setenv("TERM", "xterm", 1);
    terminal_init(&terminal, out, TERMINAL_COLOR_AUTO);
    ck_assert(terminal.is_terminal);
    ck_assert(terminal.color);
    ck_assert_uint_eq(terminal.width, 40);
    setenv("TERM", "dumb", 1);
    setenv("COLUMNS", "66", 1);
    terminal_init(&terminal, out, TERMINAL_COLOR_AUTO);
    ck_assert(!terminal.color);
    ck_assert(!terminal.is_terminal);
    ck_assert_uint_eq(terminal.width, 66);
    setenv("COLUMNS", "wide", 1);
    ck_assert_uint_eq(terminal_width(out), 40);
    fclose(out);
    close(master);
}
END_TEST

// The locale decides about UTF-8; "C" must not get any.
START_TEST(locale_decides_about_utf8) {
    struct terminal terminal;
    FILE *out = fopen("/dev/null", "w");
    ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
    terminal_init(&terminal, out, TERMINAL_COLOR_AUTO);
    ck_assert(terminal.utf8);
    ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C"));
    terminal_init(&terminal, out, TERMINAL_COLOR_AUTO);
    ck_assert(!terminal.utf8);
    fclose(out);
}
END_TEST

// A full disk must be noticed, and its cause kept.
START_TEST(write_errors_are_kept) {
    struct terminal terminal;
    FILE *full = fopen("/dev/full", "w");
    terminal_init(&terminal, full, TERMINAL_COLOR_NEVER);
    for (int i = 0; i < 10000; i++) {
        terminal_print(&terminal, TERMINAL_PLAIN, "more than a buffer holds\n");
    }
    ck_assert_int_eq(terminal.error, -ENOSPC);
    ck_assert_int_eq(terminal_flush(&terminal), -ENOSPC);
    fclose(full);
}
END_TEST

FIXTURE_MAIN("cli/table", columns_align, empty_columns_take_no_room, ascii_terminal_gets_ascii,
             narrow_terminal_loses_columns_by_rank, styles_do_not_move_columns, limits_hold,
             color_follows_the_rules, real_terminal_is_recognised, locale_decides_about_utf8,
             write_errors_are_kept)
