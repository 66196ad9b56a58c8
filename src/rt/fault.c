// SPDX-License-Identifier: MIT
/* fault.c – see fault.h.
 *
 * Holds      how many loops watch, under a lock; each thread's alternate stack.
 * Invariant  the handler calls only what works in a signal handler: write, signal, raise, and snprintf
 *            of strings and integers, which in glibc takes no lock and no memory.
 * Called by  see fault.h.
 * Why        returning from the handler with the default action restored runs the faulting
 *            instruction again: the core file shows the fault, not the handler.
 */
#include "rt/fault.h"

#include "base/mem.h"
#include "rt/sched.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { ALTERNATE_SIZE = 32 * 1024 };

static pthread_mutex_t watch_lock = PTHREAD_MUTEX_INITIALIZER;
static int watching;
static bool installed;
static __thread void *alternate;

static void put(const char *line, int len, size_t room) {
    size_t size = (size_t)len < room ? (size_t)len : room - 1;
    ssize_t written = write(STDERR_FILENO, line, size);
    (void)written; // nothing is left to do about it
}

static void report_overflow(const struct coro *coro) {
    char line[400];
    int len = snprintf(
        line, sizeof(line),
        "juggle: stack overflow in task %s: its stack has %zu KiB; give it more with "
        "jg_spawn_options.stack_size\n",
        coro->name, coro->stack.size / 1024);
    put(line, len, sizeof(line));
}

static void report_gone(const struct coro *coro) {
    char line[400];
    int len = snprintf(
        line, sizeof(line),
        "juggle: task %s uses memory of a loop that is closed: the handle of a task, or a "
        "pointer into its stack, was kept too long\n",
        coro->name);
    put(line, len, sizeof(line));
}

static void on_fault(int number, siginfo_t *info, void *context) {
    (void)context;
    const struct coro *coro = sched_here != NULL ? sched_here->running : NULL;
    if (coro != NULL && stack_guards(coro->stack, info->si_addr)) {
        report_overflow(coro);
    } else if (coro != NULL && stack_was_here(info->si_addr)) {
        report_gone(coro);
    }
    signal(number, SIG_DFL);
    if (info->si_code <= 0) {
        raise(number); // sent by somebody: no instruction will run into it again
    }
}

static void install(void) {
    struct sigaction present;
    sigaction(SIGSEGV, NULL, &present);
    if ((present.sa_flags & SA_SIGINFO) != 0 || present.sa_handler != SIG_DFL) {
        return; // somebody else wants it
    }
    struct sigaction ours = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&ours.sa_mask);
    installed = sigaction(SIGSEGV, &ours, NULL) == 0;
}

/* Takes the handler back, unless somebody has put another in its place. */
static void uninstall(void) {
    struct sigaction present;
    sigaction(SIGSEGV, NULL, &present);
    if ((present.sa_flags & SA_SIGINFO) != 0 && present.sa_sigaction == on_fault) {
        signal(SIGSEGV, SIG_DFL);
    }
    installed = false;
}

static void give_alternate_stack(void) {
    stack_t present;
    sigaltstack(NULL, &present);
    if ((present.ss_flags & SS_DISABLE) == 0) {
        return; // the thread has one already
    }
    alternate = mem_alloc(ALTERNATE_SIZE);
    if (alternate == NULL) {
        return;
    }
    const stack_t ours = {.ss_sp = alternate, .ss_size = ALTERNATE_SIZE};
    if (sigaltstack(&ours, NULL) != 0) {
        mem_free(alternate);
        alternate = NULL;
    }
}

static void take_alternate_stack(void) {
    stack_t present;
    if (alternate == NULL) {
        return;
    }
    sigaltstack(NULL, &present);
    if (present.ss_sp == alternate) {
        const stack_t none = {.ss_flags = SS_DISABLE};
        sigaltstack(&none, NULL);
    }
    mem_free(alternate);
    alternate = NULL;
}

void fault_watch(void) {
    give_alternate_stack();
    pthread_mutex_lock(&watch_lock);
    if (watching++ == 0) {
        install();
    }
    pthread_mutex_unlock(&watch_lock);
}

void fault_unwatch(void) {
    pthread_mutex_lock(&watch_lock);
    if (--watching == 0 && installed) {
        uninstall();
    }
    pthread_mutex_unlock(&watch_lock);
    take_alternate_stack();
}

void fault_fork_begins(void) {
    pthread_mutex_lock(&watch_lock);
}

void fault_fork_is_over(void) {
    pthread_mutex_unlock(&watch_lock);
}
