// SPDX-License-Identifier: MIT
/* interrupt.c – see interrupt.h.
 *
 * Holds      two words of state per process, as signals are the process's.
 * Invariant  see interrupt.h.
 * Called by  see interrupt.h.
 * Why        sigtimedwait on blocked signals is race-free without a handler.
 * Quirks     SIGCHLD is ignored by default, but a blocked one stays pending all the same; so would
 *            the others, which is why ignored ones are left out.
 */
#include "interrupt.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

static unsigned count;
static int first_signal;

static void add_unless_ignored(sigset_t *set, int signal_number) {
    struct sigaction action;
    sigaction(signal_number, NULL, &action);
    if (action.sa_handler != SIG_IGN) {
        sigaddset(set, signal_number);
    }
}

void interrupt_requests(sigset_t *out_set) {
    sigemptyset(out_set);
    add_unless_ignored(out_set, SIGINT);
    add_unless_ignored(out_set, SIGTERM);
}

static void fill(sigset_t *set) {
    interrupt_requests(set);
    sigaddset(set, SIGCHLD);
}

void interrupt_begin(void) {
    sigset_t set;
    fill(&set);
    // A parent that ignored SIGCHLD would make the kernel forget what our children cost.
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

void interrupt_end(void) {
    sigset_t set;
    fill(&set);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int interrupt_wait(int limit_ms) {
    sigset_t set;
    const struct timespec limit = {
        .tv_sec = limit_ms / 1000,
        .tv_nsec = limit_ms % 1000 * 1000000L,
    };
    fill(&set);
    int signal_number = sigtimedwait(&set, NULL, &limit);
    if (signal_number == SIGINT || signal_number == SIGTERM) {
        first_signal = count == 0 ? signal_number : first_signal;
        count++;
    }
    return signal_number < 0 ? 0 : signal_number;
}

unsigned interrupt_count(void) {
    return count;
}

int interrupt_signal(void) {
    return first_signal;
}
