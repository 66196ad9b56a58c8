// SPDX-License-Identifier: MIT
/* picture.c – see picture.h. */
#include "picture.h"

#include "cli/terminal.h"

#include <locale.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
    LABEL = 9, // columns of "table 1  "
    COLUMNS_USUAL = 80,
    FRAME_MS = 40, // a minute of the evening
};

/* How a state is drawn. */
static const struct sign {
    const char *utf8;
    const char *ascii;
    enum terminal_style style;
    const char *meaning;
} signs[] = {
    [BOARD_EMPTY] = {" ", " ", TERMINAL_PLAIN, "empty"},
    [BOARD_WAITS] = {"!", "!", TERMINAL_BAD, "waits for a waiter"},
    [BOARD_WAITER] = {"█", "#", TERMINAL_GOOD, "a waiter is there"},
    [BOARD_KITCHEN] = {"·", ".", TERMINAL_DIM, "waits for the kitchen"},
    [BOARD_EATS] = {"─", "-", TERMINAL_WARN, "eats"},
};
enum { SIGNS = sizeof(signs) / sizeof(signs[0]) };

struct picture {
    struct terminal terminal;
    int columns; // it was made for
    int minutes_per_column;
};

static void draw_sign(struct picture *picture, enum board_state state) {
    const struct sign *sign = &signs[state];
    terminal_print(&picture->terminal, sign->style, "%s",
                   picture->terminal.utf8 ? sign->utf8 : sign->ascii);
}

static void draw_legend(struct picture *picture) {
    for (int i = BOARD_WAITS; i < SIGNS; i++) {
        draw_sign(picture, (enum board_state)i);
        printf(" %s%s", signs[i].meaning, i + 1 < SIGNS ? "   " : "\n");
    }
}

/* What a column shows of its minutes: a wait for a waiter above all, then the waiter, then the first. */
static enum board_state column_state(const unsigned char *minutes, int count) {
    enum board_state state = minutes[0];
    for (int i = 0; i < count; i++) {
        if (minutes[i] == BOARD_WAITS) {
            return BOARD_WAITS;
        }
        state = minutes[i] == BOARD_WAITER ? BOARD_WAITER : state;
    }
    return state;
}

/* The evening of one table, as far as it has come. */
static void draw_table(struct picture *picture, const struct board *board, int table, int until) {
    printf("table %d  ", table + 1);
    for (int from = 0; from < until; from += picture->minutes_per_column) {
        int count = until - from < picture->minutes_per_column ? until - from
                                                               : picture->minutes_per_column;
        draw_sign(picture, column_state(&board->minutes[table][from], count));
    }
    printf("%s\n", picture->terminal.is_terminal ? "\033[K" : "");
}

static void draw_board(struct picture *picture, const struct board *board, int until) {
    terminal_print(&picture->terminal, TERMINAL_BOLD, "%s", board->name);
    printf(": %u guests served%s\n", board->served[until - 1],
           picture->terminal.is_terminal ? "\033[K" : "");
    for (int table = 0; table < BOARD_TABLES; table++) {
        draw_table(picture, board, table, until);
    }
}

static void draw_all(struct picture *picture, const struct board *boards, size_t count, int until) {
    printf("%d:%02d h%s\n", until / 60, until % 60, picture->terminal.is_terminal ? "\033[K" : "");
    for (size_t i = 0; i < count; i++) {
        draw_board(picture, &boards[i], until);
    }
    draw_legend(picture);
    fflush(stdout);
}

/* Makes it as wide as the terminal is now. */
static void fit(struct picture *picture) {
    unsigned width = terminal_width(stdout);
    picture->columns = width > 0 ? (int)width : COLUMNS_USUAL;
    int room = picture->columns - LABEL > 10 ? picture->columns - LABEL : 10;
    picture->minutes_per_column = (BOARD_EVENING + room - 1) / room;
}

/* Whether `lines` can be drawn over themselves: in a smaller window they wrap, or scroll away. */
static bool has_room(const struct picture *picture, int lines) {
    struct winsize size;
    return picture->terminal.is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
           size.ws_row > lines && size.ws_col >= COLUMNS_USUAL && size.ws_col >= picture->columns;
}

/* Returns whether it came to its end; it is cut short where the window becomes too small for it. */
static bool play(struct picture *picture, const struct board *boards, size_t count) {
    const struct timespec frame = {.tv_nsec = FRAME_MS * JG_MS};
    int lines = 2 + (int)count * (BOARD_TABLES + 1);
    for (int minute = 1; minute <= BOARD_EVENING; minute++) {
        if (!has_room(picture, lines)) {
            return false;
        }
        if (minute > 1) {
            printf("\033[%dA", lines); // back to the first line
        }
        draw_all(picture, boards, count, minute);
        nanosleep(&frame, NULL);
    }
    return true;
}

void picture_show(const struct board *boards, size_t count) {
    struct picture picture;
    setlocale(LC_CTYPE, "");
    terminal_init(&picture.terminal, stdout, TERMINAL_COLOR_AUTO);
    fit(&picture);
    if (!play(&picture, boards, count)) {
        fit(&picture);
        picture.terminal.is_terminal = false; // nothing to draw over
        draw_all(&picture, boards, count, BOARD_EVENING);
    }
}
