// SPDX-License-Identifier: MIT
/* process_steps.h – what the tests of programs share.
 *
 * Holds      nothing between tests.
 * Invariant  at most two lines of shell are in use at once.
 * Called by  test_process.c, test_process_start.c, test_process_output.c.
 * Why        one copy.
 */
#ifndef TESTS_API_PROCESS_STEPS_H
#define TESTS_API_PROCESS_STEPS_H

#include "api/api.h"

/* Options for a line of shell. */
static inline jg_process_options shell(const char *line) {
    static const char *argv[2][4];
    static int turn;
    const char **own = argv[turn++ % 2];
    own[0] = "sh";
    own[1] = "-c";
    own[2] = line;
    return (jg_process_options){.argv = own};
}

static inline void needs_pipes(void) {
    if (on_backend("sim")) {
        fixture_skip("a simulated loop has no real pipes");
    }
}

#endif
