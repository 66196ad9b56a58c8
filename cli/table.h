// SPDX-License-Identifier: MIT
/* table.h – a small table of text, aligned.
 *
 * Holds      the cells of one table, by value.
 * Invariant  every row has a cell in every column; an unset cell is empty.
 * Called by  the reports.
 * Why        fixed size and no allocation: a report must come out even when memory is short.
 * Quirks     on a terminal too narrow, whole columns are left out, the least important first,
 *            and the table says so; cells are never cut. A column of which heading and cells are empty
 *            takes no room.
 */
#ifndef JUGGLE_CLI_TABLE_H
#define JUGGLE_CLI_TABLE_H

#include "terminal.h"

enum { TABLE_ROWS_MAX = 16, TABLE_COLUMNS_MAX = 12, TABLE_CELL_SIZE = 48 };

enum table_align { TABLE_LEFT, TABLE_RIGHT };

struct table_column {
    const char *heading;
    enum table_align align;
    unsigned rank; /* 0: always shown; else the highest rank is left out first */
};

struct table_cell {
    char text[TABLE_CELL_SIZE];
    enum terminal_style style;
};

struct table {
    const struct table_column *columns; /* borrowed until the last use */
    unsigned column_count;
    unsigned row_count;
    struct table_cell cells[TABLE_ROWS_MAX][TABLE_COLUMNS_MAX];
};

/* Makes an empty table. `columns` has `count` entries, at most TABLE_COLUMNS_MAX. */
void table_init(struct table *table, const struct table_column *columns, unsigned count);

/* Adds an empty row; the following table_set calls fill it. Beyond TABLE_ROWS_MAX: the last row. */
void table_add_row(struct table *table);

/* Sets the cell of the last row in `column`; what does not fit into a cell is cut. */
void table_set(struct table *table, unsigned column, enum terminal_style style, const char *format,
               ...) __attribute__((format(printf, 4, 5)));

/* Prints headings and rows, indented by two columns. */
void table_print(const struct table *table, struct terminal *terminal);

#endif
