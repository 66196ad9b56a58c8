// SPDX-License-Identifier: MIT
/* symbol.h – what a code address is called.
 *
 * Holds      nothing.
 * Invariant  a file that is no valid ELF file is not believed.
 * Called by  backtrace.c.
 * Why        dladdr knows exported names only, and a program exports none: the names of its own
 *            functions are in its symbol table, which has to be read from the file.
 */
#ifndef OBS_SYMBOL_H
#define OBS_SYMBOL_H

#include <stdbool.h>
#include <stdio.h>

/* Whether the address lies in a program or library that is loaded. */
bool symbol_is_code(const void *address);

/* Prints one line: "    spin+0x1a (prog)"; of a function without a name "    prog(+0x1234)". */
void symbol_print(const void *address, FILE *out);

#endif
