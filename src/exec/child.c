// SPDX-License-Identifier: MIT
/* child.c – see child.h.
 *
 * Holds      nothing.
 * Invariant  see child.h.
 * Called by  see child.h.
 * Why        where there is no descriptor to wait by, it looks now and then: under sim, whose backend
 *            knows no real descriptor, and when there is none left. That is slower, never wrong.
 */
#include "exec/child.h"

#include "base/clock.h"
#include "rt/loop.h"

#include <errno.h>
#include <juggle/task.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

static const int64_t FIRST_LOOK_NS = 50000;
static const int64_t LATER_LOOK_NS = 5000000;

static int look(pid_t pid, int options) {
    siginfo_t info = {.si_pid = 0};
    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | options) != 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    return info.si_pid == pid ? 0 : -EAGAIN;
}

int child_look(pid_t pid) {
    return look(pid, WNOHANG);
}

/* Waits in the loop's own kernel wait. */
static int wait_by_pidfd(struct coro *self, pid_t pid, bool interruptible) {
    struct backend *backend = backend_current();
    if (backend->ops->foreign_fds) {
        return -EOPNOTSUPP;
    }
    int fd = pidfd_open(pid, 0);
    if (fd < 0) {
        return -errno;
    }
    struct op op = {.wait = {.coro = self, .kind = WAIT_KIND("process")},
                    .kind = OP_POLL,
                    .fd = fd,
                    .events = JG_READABLE};
    int rc = backend->ops->adopt(backend, fd);
    if (rc == 0 && interruptible) {
        rc = (int)op_run(&op);
    } else if (rc == 0) {
        if (!backend->ops->submit(backend, &op)) {
            park(&op.wait); // no undo: nothing cuts it short
        }
        rc = (int)op.wait.result;
    }
    rc = rc > 0 ? 0 : rc; // readable: it has ended
    backend->ops->close_fd(backend, fd);
    return rc;
}

/* Looks, at first often. Real time passes meanwhile, also under sim. */
static int wait_by_looking(struct coro *self, pid_t pid, bool interruptible) {
    size_t *external = self->loop != NULL ? &self->loop->external : NULL;
    int64_t pause_ns = FIRST_LOOK_NS;
    int rc = 0;
    while (rc == 0 && look(pid, WNOHANG) == -EAGAIN) {
        if (external != NULL) {
            ++*external;
        }
        if (interruptible) {
            rc = jg_sleep_until(clock_add(loop_now_ns(), pause_ns));
        } else {
            loop_pause(self, pause_ns);
        }
        if (external != NULL) {
            --*external;
        }
        pause_ns = pause_ns * 2 < LATER_LOOK_NS ? pause_ns * 2 : LATER_LOOK_NS;
    }
    return rc;
}

int child_await(pid_t pid, bool interruptible) {
    struct coro *self = sched_current();
    int rc = interruptible ? suspend_check(self) : 0;
    if (rc < 0) {
        return rc;
    }
    if (self->loop == NULL && (!interruptible || self->deadline_ns == JG_NEVER)) {
        return look(pid, 0);
    }
    rc = look(pid, WNOHANG);
    if (rc != -EAGAIN) {
        return rc;
    }
    rc = wait_by_pidfd(self, pid, interruptible);
    if (rc == 0 || rc == -ECANCELED) {
        return rc;
    }
    rc = wait_by_looking(self, pid, interruptible);
    return rc < 0 ? rc : look(pid, WNOHANG);
}

int child_reap(pid_t pid, int *out_status) {
    int status;
    pid_t reaped;
    do {
        reaped = waitpid(pid, &status, 0);
    } while (reaped < 0 && errno == EINTR);
    if (reaped != pid) {
        return -ECHILD;
    }
    *out_status = status;
    return 0;
}
