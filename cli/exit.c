// SPDX-License-Identifier: MIT
/* exit.c – the meaning of each exit code.
 *
 * Holds      one sentence per code.
 * Invariant  every value of enum exit_code has a case.
 * Called by  help.c and race_json.c.
 * Why        see exit.h.
 * Quirks     none.
 */
#include "exit.h"

const char *exit_meaning(enum exit_code code) {
    switch (code) {
    case EXIT_GOOD:
        return "all good";
    case EXIT_FAILED:
        return "requests failed, or the result could not be written";
    case EXIT_USAGE:
        return "wrong usage";
    case EXIT_THRESHOLD:
        return "a threshold was missed";
    case EXIT_UNREACHABLE:
        return "the target could not be reached; nothing was measured";
    case EXIT_LOCAL_LIMIT:
        return "a limit of this machine prevented the run";
    case EXIT_INTERRUPTED:
        return "interrupted; what was measured so far is reported";
    case EXIT_TERMINATED:
        return "terminated; what was measured so far is reported";
    }
    return "unknown";
}
