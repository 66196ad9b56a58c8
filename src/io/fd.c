// SPDX-License-Identifier: MIT
/* fd.c – see juggle/fd.h.
 *
 * Holds      nothing.
 * Invariant  a descriptor that is only waited for keeps its mode, and nothing of it is consumed.
 * Called by  user code.
 * Why        OP_POLL asks the kernel anew each time, so that nobody has to tell us what was read.
 */
#include "rt/op.h"
#include "task/task.h"

int jg_wait_fd(int fd, int events) {
    if (events == 0 || (events & ~(JG_READABLE | JG_WRITABLE)) != 0) {
        return (int)error_bare(-EINVAL);
    }
    struct op op = {.kind = OP_POLL, .fd = fd, .events = events};
    return (int)error_bare(op_run(&op));
}

void jg_fd_closing(int fd) {
    struct backend *backend = backend_current();
    backend->ops->forget(backend, fd);
}
