// SPDX-License-Identifier: MIT
/* worker_process.c – a function in a forked process.
 *
 * Holds      nothing beyond the worker's record and its slot.
 * Invariant  the child is reaped once, when it is joined (child.h).
 * Called by  worker.c.
 * Why        a fork, as the function lives in memory; os/process.c starts programs, without one.
 * Quirks     a forked child shares more than one thinks. Signals are blocked around the fork, so that
 *            no handler of the parent runs in the child, where it would write into the parent's
 *            wake-up descriptor. Unwritten stdio output is the parent's: the child forgets its copy,
 *            and at its end writes out what is its own; no atexit function runs.
 */
#include "exec/child.h"
#include "exec/worker.h"
#include "task/task.h"

#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
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
    struct jg_task_record *self = task_current();
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
    task_current()->coro.name = worker->site;
    task_current()->site = worker->site;
    pid_t self = getpid();
    intptr_t word = worker->fn(worker->arg);
    if (getpid() != self) {
        task_end_forked(word); // a child the function forked: the word is its parent's to give
    }
    hand_back(worker->slot, word);
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

intptr_t worker_process_explain(pid_t pid, int reaped, int status) {
    int id = (int)pid;
    if (reaped < 0) {
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
    int status = 0;
    child_await(worker->pid, false);
    int reaped = child_reap(worker->pid, &status);
    const struct slot *slot = worker->slot;
    intptr_t word = slot->handed ? slot->word : worker_process_explain(worker->pid, reaped, status);
    if (slot->handed && jg_failed(word)) {
        error_keep(task_current(), slot->has_error ? error_read(&slot->error, worker->site) : NULL);
    }
    slot_give(worker->slot);
    return word;
}

int worker_process_kill(const struct jg_worker *worker, int signal_number) {
    if (child_look(worker->pid) != -EAGAIN) {
        return -ESRCH;
    }
    return kill(worker->pid, signal_number) != 0 ? -errno : 0;
}
