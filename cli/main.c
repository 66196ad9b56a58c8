// SPDX-License-Identifier: MIT
/* main.c – where `juggle` starts.
 *
 * Holds      main, and nothing else.
 * Invariant  none.
 * Called by  the system.
 * Why        tests link everything but this file.
 * Quirks     none.
 */
#include "commands.h"

int main(int argc, char **argv) {
    return commands_main(argc, argv);
}
