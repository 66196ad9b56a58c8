// SPDX-License-Identifier: MIT
/* spawn.c – starting a program, and nothing of us in it.
 *
 * Holds      nothing.
 * Invariant  descriptors made here are above 2 and close on exec: none is in the way of the child's
 *            0, 1 and 2, and none outlives its use. The child keeps no other.
 * Called by  process.c.
 * Why        posix_spawn shares our memory until the exec, as vfork does: a start costs the same
 *            however large we are, and an exec that fails tells why. See docs/decisions/spawn.md.
 * Quirks     what could fail in the child for another reason than the program is tried out before, so
 *            that the errno that comes back is the program's.
 */
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

/* One start: what the child gets, and what we keep. */
struct plan {
    const jg_process_options *options;
    int child_fds[STDIO_COUNT]; // to become 0, 1, 2; -1: as they are
    int our_fds[STDIO_COUNT];   // our ends of pipes; -1: none
    int cwd_fd;                 // -1: as it is
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
};

static void close_fd(int fd) {
    if (fd >= 0) {
        close(fd);
    }
}

/* A copy above 2. */
static int copy_fd(int fd) {
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, STDIO_COUNT);
    return copy < 0 ? -errno : copy;
}

/* Moves a descriptor above 2. */
static int raise_fd(int fd) {
    if (fd < 0) {
        return -errno;
    }
    if (fd >= STDIO_COUNT) {
        return fd;
    }
    int copy = copy_fd(fd);
    close(fd);
    return copy;
}

static int plan_pipe(struct plan *plan, int number) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return -errno;
    }
    int childs = number == STDIN_FILENO ? 0 : 1;
    plan->our_fds[number] = fds[1 - childs];
    plan->child_fds[number] = raise_fd(fds[childs]);
    return plan->child_fds[number] < 0 ? plan->child_fds[number] : 0;
}

static int plan_stdio(struct plan *plan, int number, const jg_stdio *stdio) {
    int rc = 0;
    switch (stdio->kind) {
    case JG_STDIO_INHERIT:
        return 0;
    case JG_STDIO_NULL:
        rc = raise_fd(open("/dev/null", O_RDWR | O_CLOEXEC));
        break;
    case JG_STDIO_PIPE:
        return plan_pipe(plan, number);
    case JG_STDIO_FD:
        rc = copy_fd(stdio->fd);
        break;
    case JG_STDIO_OUT:
        return number == STDERR_FILENO ? 0 : -EINVAL;
    default:
        return -EINVAL;
    }
    plan->child_fds[number] = rc;
    return rc < 0 ? rc : 0;
}

/* Opens all that the child is to get. On failure what was opened stays in the plan. */
static int plan_open(struct plan *plan) {
    const jg_process_options *options = plan->options;
    const jg_stdio *const stdio[STDIO_COUNT] = {&options->in, &options->out, &options->err};
    for (int i = 0; i < STDIO_COUNT; i++) {
        int rc = plan_stdio(plan, i, stdio[i]);
        if (rc < 0) {
            return (int)jg_fail(rc, "cannot set up descriptor %d of %s: %s", i, options->argv[0],
                                strerrordesc_np(-rc));
        }
    }
    if (options->cwd != NULL) {
        plan->cwd_fd = raise_fd(open(options->cwd, O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (plan->cwd_fd < 0) {
            return (int)jg_fail(plan->cwd_fd, "cannot run %s in %s: %s", options->argv[0],
                                options->cwd, strerrordesc_np(-plan->cwd_fd));
        }
    }
    return 0;
}

/* Puts the plan into the terms of posix_spawn. Those calls fail for want of memory only. */
static int plan_actions(struct plan *plan) {
    posix_spawn_file_actions_t *actions = &plan->actions;
    int failed = 0;
    for (int i = 0; i < STDIO_COUNT; i++) {
        if (plan->child_fds[i] >= 0) {
            failed |= posix_spawn_file_actions_adddup2(actions, plan->child_fds[i], i);
        }
    }
    if (plan->options->err.kind == JG_STDIO_OUT) {
        failed |= posix_spawn_file_actions_adddup2(actions, STDOUT_FILENO, STDERR_FILENO);
    }
    if (plan->cwd_fd >= 0) {
        failed |= posix_spawn_file_actions_addfchdir_np(actions, plan->cwd_fd);
    }
    failed |= posix_spawn_file_actions_addclosefrom_np(actions, STDIO_COUNT);
    return failed != 0 ? -ENOMEM : 0;
}

static void plan_attributes(struct plan *plan) {
    short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&plan->attributes, &all);
    posix_spawnattr_setsigmask(&plan->attributes, &none);
    if (plan->options->own_group) {
        flags |= POSIX_SPAWN_SETPGROUP;
        posix_spawnattr_setpgroup(&plan->attributes, 0);
    }
    posix_spawnattr_setflags(&plan->attributes, flags);
}

static int plan_start(struct plan *plan, pid_t *out_pid) {
    const jg_process_options *options = plan->options;
    char *const *argv = (char *const *)(uintptr_t)options->argv;
    char *const *env = options->env != NULL ? (char *const *)(uintptr_t)options->env : environ;
    int rc = plan_actions(plan);
    if (rc == 0) {
        plan_attributes(plan);
        rc = -posix_spawnp(out_pid, argv[0], &plan->actions, &plan->attributes, argv, env);
    }
    return rc == 0 ? 0 : (int)jg_fail(rc, "cannot run %s: %s", argv[0], strerrordesc_np(-rc));
}

int spawn_program(const jg_process_options *options, pid_t *out_pid, int out_fds[STDIO_COUNT]) {
    struct plan plan = {
        .options = options, .child_fds = {-1, -1, -1}, .our_fds = {-1, -1, -1}, .cwd_fd = -1};
    if (options->argv == NULL || options->argv[0] == NULL) {
        return (int)jg_fail(-EINVAL, "a process without a program");
    }
    posix_spawn_file_actions_init(&plan.actions); // cannot fail in glibc
    posix_spawnattr_init(&plan.attributes);
    int rc = plan_open(&plan);
    rc = rc < 0 ? rc : plan_start(&plan, out_pid);
    posix_spawnattr_destroy(&plan.attributes);
    posix_spawn_file_actions_destroy(&plan.actions);
    close_fd(plan.cwd_fd);
    for (int i = 0; i < STDIO_COUNT; i++) {
        close_fd(plan.child_fds[i]);
        if (rc < 0) {
            close_fd(plan.our_fds[i]);
        }
        out_fds[i] = plan.our_fds[i];
    }
    return rc;
}
