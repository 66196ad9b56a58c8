// SPDX-License-Identifier: MIT
/* worker_process.c – a function in a forked process.
 *
 * Holds      nothing beyond the worker's record and its slot.
 * Invariant  exactly our own child is reaped, by its id; nobody else's. Until then the id cannot be
 *            given to another process, so that a signal or a pidfd cannot meet a stranger.
 * Called by  worker.c.
 * Why        the end is a pidfd that becomes readable: no SIGCHLD handler, which would be the
 *            program's to set. It is opened when somebody waits, not at the start: a thousand workers
 *            hold no descriptor.
 * Quirks     a forked child shares more than one thinks. Signals are blocked around the fork, so that
 *            no handler of the parent runs in the child, where it would write into the parent's
 *            wake-up descriptor. Unwritten stdio output is the parent's: the child forgets its copy,
 *            and at its end writes out what is its own; no atexit function runs.
 */
#include "exec/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

// In the child.

/* A signal the process raises by its own doing, or one that cannot be changed. */
static bool is_own_doing(int signal_number) {
    switch (signal_number) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS:
    case SIGABRT:
    case SIGKILL:
    case SIGSTOP:
        return true;
    default:
        return false;
    }
}

/* As in a program just started: what has a handler gets its default meaning, what is ignored stays
 * ignored, and nothing is blocked. */
static void reset_signals(void) {
    for (int number = 1; number <= SIGRTMAX; number++) {
        struct sigaction present;
        if (is_own_doing(number) || sigaction(number, NULL, &present) != 0) {
            continue;
        }
        bool handled = (present.sa_flags & SA_SIGINFO) != 0 ||
                       (present.sa_handler != SIG_DFL && present.sa_handler != SIG_IGN);
        if (handled) {
            signal(number, SIG_DFL);
        }
    }
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
}

static void hand_back(struct slot *slot, intptr_t word) {
    struct jg_task *self = task_current();
    slot->word = word;
    if (jg_failed(word)) {
        struct error_record *error = error_take_for(self, word);
        if (error != NULL) {
            error_write(error, &slot->error);
            slot->has_error = true;
            error_free(error);
        }
    }
    atomic_thread_fence(memory_order_release);
    slot->handed = true;
}

/* The child's whole life. */
static void run_child(void *arg) {
    struct jg_worker *worker = arg;
    __fpurge(stdout);
    __fpurge(stderr);
    reset_signals();
    task_current()->coro.name = "jg-worker";
    hand_back(worker->slot, worker->fn(worker->arg));
    fflush(stdout);
    fflush(stderr);
    _exit(0);
}

// In the parent.

int worker_process_start(struct jg_worker *worker) {
    sigset_t all;
    sigset_t before;
    int rc = slot_take(&worker->slot);
    if (rc < 0) {
        return rc;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pid_t pid = fork();
    if (pid == 0) {
        sched_after_fork(run_child, worker);
    }
    rc = pid < 0 ? -errno : 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc < 0) {
        slot_give(worker->slot);
        return rc;
    }
    worker->pid = pid;
    return 0;
}

/* Waits until the child has ended, without reaping it. Returns 0; -ECHILD when somebody else did;
 * -EAGAIN when it runs on and `options` has WNOHANG. */
static int await_end(pid_t pid, int options) {
    siginfo_t info = {.si_pid = 0};
    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | options) != 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    return info.si_pid == pid ? 0 : -EAGAIN;
}

/* Waits through a pidfd in the loop's own kernel wait. */
static int wait_by_pidfd(struct coro *self, pid_t pid) {
    struct backend *backend = self->loop->backend;
    int fd = pidfd_open(pid, 0);
    if (fd < 0) {
        return -errno;
    }
    struct op op = {.wait = {.coro = self, .what = "worker process"}, .kind = OP_POLL, .fd = fd};
    if (!backend->ops->submit(backend, &op)) {
        park(&op.wait); // no undo: a cancel does not cut it short
    }
    int rc = (int)op.wait.result;
    if (rc == -EOPNOTSUPP) {
        close(fd); // the simulation's backend: the descriptor is none of its own
    } else {
        backend->ops->close_fd(backend, fd);
    }
    return rc;
}

static intptr_t watch_end(void *arg) {
    await_end(*(const pid_t *)arg, 0);
    return 0;
}

/* Waits on a thread: under sim, and when there is no descriptor left. */
static int wait_by_thread(pid_t *pid) {
    static const jg_worker_options small = {.stack_size = 64 * 1024, .name = "jg-watch"};
    jg_worker *watcher;
    int rc = jg_worker_start(JG_WORKER_THREAD, watch_end, pid, &small, &watcher);
    if (rc == 0) {
        jg_worker_join(watcher);
    }
    return rc;
}

static void wait_in_loop(struct coro *self, pid_t pid) {
    if (await_end(pid, WNOHANG) != -EAGAIN) {
        return;
    }
    if (wait_by_pidfd(self, pid) == 0 || wait_by_thread(&pid) == 0) {
        return;
    }
    while (await_end(pid, WNOHANG) == -EAGAIN) {
        loop_pause(self, JG_MS); // neither descriptors nor threads: look now and then
    }
}

static intptr_t explain_death(pid_t pid, int reaped, int status) {
    int id = (int)pid;
    if (reaped != pid) {
        return jg_fail(-EOWNERDEAD, "worker process %d ended, and somebody else reaped it", id);
    }
    if (WIFSIGNALED(status)) {
        const char *meaning = sigdescr_np(WTERMSIG(status));
        return jg_fail(-EOWNERDEAD, "worker process %d was killed by signal %d (%s)", id,
                       WTERMSIG(status), meaning != NULL ? meaning : "no name");
    }
    return jg_fail(-EOWNERDEAD, "worker process %d exited with status %d", id, WEXITSTATUS(status));
}

intptr_t worker_process_join(struct jg_worker *worker) {
    struct coro *self = sched_current();
    pid_t pid = worker->pid;
    if (self->loop != NULL) {
        wait_in_loop(self, pid);
    }
    int status = 0;
    pid_t reaped;
    do {
        reaped = waitpid(pid, &status, 0);
    } while (reaped < 0 && errno == EINTR);
    const struct slot *slot = worker->slot;
    intptr_t word = slot->handed ? slot->word : explain_death(pid, reaped, status);
    if (slot->handed && jg_failed(word)) {
        error_keep(task_current(), slot->has_error ? error_read(&slot->error) : NULL);
    }
    slot_give(worker->slot);
    return word;
}

int worker_process_kill(const struct jg_worker *worker, int signal_number) {
    if (await_end(worker->pid, WNOHANG) != -EAGAIN) {
        return -ESRCH;
    }
    return kill(worker->pid, signal_number) != 0 ? -errno : 0;
}
