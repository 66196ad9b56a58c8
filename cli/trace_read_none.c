// SPDX-License-Identifier: MIT
/* trace_read_none.c – in place of trace_read.c where jansson was not there to build with.
 *
 * Holds      nothing.
 * Invariant  always fails, and says why.
 * Called by  command_trace.c.
 * Why        a command that is missing from the list would be looked for.
 * Quirks     none.
 */
#include "trace.h"

#include <errno.h>

int trace_read(const char *path, uint64_t loop, struct trace *out_trace, char *out_error) {
    (void)path;
    (void)loop;
    *out_trace = (struct trace){.loops = 0};
    snprintf(out_error, 160, "cannot be read: this juggle was built without jansson");
    return -ENOSYS;
}

void trace_free(struct trace *trace) {
    *trace = (struct trace){.loops = 0};
}
