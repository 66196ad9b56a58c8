// SPDX-License-Identifier: MIT
/* table.c – see table.h.
 *
 * Holds      the layout: widths, what to leave out, padding.
 * Invariant  widths are counted in columns of the screen, after ASCII stand-ins were put in.
 * Called by  the reports.
 * Why        see table.h.
 * Quirks     styles are put around the text alone, so escapes never count as width.
 */
#include "table.h"

#include "text.h"

#include <stdarg.h>
#include <string.h>

enum { MARGIN = 2, GAP = 2 };

/* Which columns are shown, and how wide they are. */
struct layout {
    unsigned widths[TABLE_COLUMNS_MAX];
    bool shown[TABLE_COLUMNS_MAX];
};

void table_init(struct table *table, const struct table_column *columns, unsigned count) {
    memset(table, 0, sizeof(*table));
    table->columns = columns;
    table->column_count = count < TABLE_COLUMNS_MAX ? count : TABLE_COLUMNS_MAX;
}

void table_add_row(struct table *table) {
    table->row_count += table->row_count < TABLE_ROWS_MAX;
}

void table_set(struct table *table, unsigned column, enum terminal_style style, const char *format,
               ...) {
    if (table->row_count == 0 || column >= table->column_count) {
        return;
    }
    struct table_cell *cell = &table->cells[table->row_count - 1][column];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(cell->text, sizeof(cell->text), format, arguments);
    va_end(arguments);
    cell->style = style;
}

static unsigned width_on(const struct terminal *terminal, const char *text) {
    char ascii[2 * TABLE_CELL_SIZE];
    return (unsigned)text_width(terminal->utf8 ? text : text_to_ascii(text, ascii, sizeof(ascii)));
}

static unsigned total_width(const struct table *table, const struct layout *layout) {
    unsigned width = MARGIN;
    for (unsigned c = 0; c < table->column_count; c++) {
        width += layout->shown[c] ? layout->widths[c] + GAP : 0;
    }
    return width - GAP;
}

/* Leaves out the least important column that is still shown; false if all must stay. */
static bool leave_one_out(const struct table *table, struct layout *layout) {
    unsigned least = 0;
    for (unsigned c = 1; c < table->column_count; c++) {
        bool is_less = layout->shown[c] && table->columns[c].rank > 0 &&
                       (!layout->shown[least] ||
                        table->columns[c].rank > table->columns[least].rank);
        least = is_less ? c : least;
    }
    bool found = layout->shown[least] && table->columns[least].rank > 0;
    layout->shown[least] = layout->shown[least] && !found;
    return found;
}

static void lay_out(const struct table *table, const struct terminal *terminal,
                    struct layout *layout) {
    for (unsigned c = 0; c < table->column_count; c++) {
        layout->widths[c] = width_on(terminal, table->columns[c].heading);
        for (unsigned r = 0; r < table->row_count; r++) {
            unsigned width = width_on(terminal, table->cells[r][c].text);
            layout->widths[c] = width > layout->widths[c] ? width : layout->widths[c];
        }
        layout->shown[c] = layout->widths[c] > 0;
    }
    while (terminal->width > 0 && total_width(table, layout) > terminal->width) {
        if (!leave_one_out(table, layout)) {
            break;
        }
    }
}

/* Prints one cell. Blanks are not printed at once but owed, so that no line ends in them. */
static void print_cell(struct terminal *terminal, const struct table_column *column, unsigned width,
                       const struct table_cell *cell, unsigned *owed) {
    unsigned padding = width - width_on(terminal, cell->text);
    unsigned before = column->align == TABLE_RIGHT ? padding : 0;
    if (cell->text[0] != '\0') {
        terminal_print(terminal, TERMINAL_PLAIN, "%*s", (int)(*owed + before), "");
        terminal_print(terminal, cell->style, "%s", cell->text);
        *owed = 0;
    }
    *owed += GAP + (cell->text[0] == '\0' ? width : padding - before);
}

static void print_line(const struct table *table, const struct layout *layout,
                       struct terminal *terminal, const struct table_cell *cells) {
    unsigned owed = MARGIN;
    for (unsigned c = 0; c < table->column_count; c++) {
        if (layout->shown[c]) {
            print_cell(terminal, &table->columns[c], layout->widths[c], &cells[c], &owed);
        }
    }
    terminal_print(terminal, TERMINAL_PLAIN, "\n");
}

static void print_headings(const struct table *table, const struct layout *layout,
                           struct terminal *terminal) {
    struct table_cell cells[TABLE_COLUMNS_MAX];
    for (unsigned c = 0; c < table->column_count; c++) {
        cells[c].style = TERMINAL_BOLD;
        snprintf(cells[c].text, sizeof(cells[c].text), "%s", table->columns[c].heading);
    }
    print_line(table, layout, terminal, cells);
}

static void print_left_out(const struct table *table, const struct layout *layout,
                           struct terminal *terminal) {
    char names[TABLE_COLUMNS_MAX * TABLE_CELL_SIZE] = "";
    size_t used = 0;
    for (unsigned c = 0; c < table->column_count; c++) {
        const char *heading = table->columns[c].heading;
        if (!layout->shown[c] && heading[0] != '\0') {
            used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
                                     used > 0 ? ", " : "", heading);
        }
    }
    if (used > 0) {
        terminal_print(terminal, TERMINAL_DIM, "  (too narrow for: %s)\n", names);
    }
}

void table_print(const struct table *table, struct terminal *terminal) {
    struct layout layout;
    lay_out(table, terminal, &layout);
    print_headings(table, &layout, terminal);
    for (unsigned r = 0; r < table->row_count; r++) {
        print_line(table, &layout, terminal, table->cells[r]);
    }
    print_left_out(table, &layout, terminal);
}
