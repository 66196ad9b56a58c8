// SPDX-License-Identifier: MIT
/* backtrace.c – see backtrace.h.
 *
 * Holds      the one question that can be open at a time, and who handles its signal.
 * Invariant  the handler writes only between taking the question and answering it; who gave up waiting
 *            has taken it back before.
 * Called by  see backtrace.h.
 * Why        SIGURG is ignored by default: one that comes late, when nobody listens any more, does no
 *            harm. backtrace(3) is safe in a handler once it has run before: it then takes no memory.
 * Quirks     ThreadSanitizer holds signals back while code computes: there the answer may not come.
 */
#include "obs/backtrace.h"

#include "base/clock.h"
#include "obs/symbol.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    ANSWER_WITHIN_MS = 200,
    HANDLER_FRAMES = 2,    // the handler, and what the kernel put below it
    SCAN_MOST = 16 * 1024, // bytes of stack that are searched
    PAGE = 4096,
};

enum { NOBODY_ASKS, ASKED, BEING_ANSWERED, ANSWERED };

static atomic_int question;
static struct backtrace answer;
static sem_t answered;
static pthread_mutex_t asking = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t preparing = PTHREAD_MUTEX_INITIALIZER;
static int prepared;
static bool installed;

static void on_signal(int number) {
    int error = errno;
    int expected = ASKED;
    (void)number;
    if (atomic_compare_exchange_strong(&question, &expected, BEING_ANSWERED)) {
        answer.count = backtrace(answer.frames, BACKTRACE_MOST);
        atomic_store(&question, ANSWERED);
        sem_post(&answered);
    }
    errno = error;
}

static void install(void) {
    struct sigaction present;
    void *once[1];
    backtrace(once, 1); // loads what it needs
    sem_init(&answered, 0, 0);
    if (sigaction(SIGURG, NULL, &present) != 0 || (present.sa_flags & SA_SIGINFO) != 0 ||
        present.sa_handler != SIG_DFL) {
        return; // somebody else wants it
    }
    struct sigaction ours = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
    sigemptyset(&ours.sa_mask);
    installed = sigaction(SIGURG, &ours, NULL) == 0;
}

static void uninstall(void) {
    struct sigaction present;
    if (installed && sigaction(SIGURG, NULL, &present) == 0 && present.sa_handler == on_signal) {
        signal(SIGURG, SIG_DFL);
    }
    installed = false;
    sem_destroy(&answered);
}

bool backtrace_prepare(void) {
    pthread_mutex_lock(&preparing);
    if (prepared++ == 0) {
        install();
    }
    pthread_mutex_unlock(&preparing);
    sigset_t urgent;
    sigset_t before;
    sigemptyset(&urgent);
    sigaddset(&urgent, SIGURG);
    pthread_sigmask(SIG_UNBLOCK, &urgent, &before);
    return sigismember(&before, SIGURG) == 1;
}

void backtrace_unprepare(bool unblocked) {
    if (unblocked) {
        sigset_t urgent;
        sigemptyset(&urgent);
        sigaddset(&urgent, SIGURG);
        pthread_sigmask(SIG_BLOCK, &urgent, NULL);
    }
    pthread_mutex_lock(&preparing);
    if (--prepared == 0) {
        uninstall();
    }
    pthread_mutex_unlock(&preparing);
}

void backtrace_fork_begins(void) {
    pthread_mutex_lock(&preparing);
    pthread_mutex_lock(&asking);
}

void backtrace_fork_is_over(void) {
    pthread_mutex_unlock(&asking);
    pthread_mutex_unlock(&preparing);
}

void backtrace_forked(void) {
    if (prepared > 0) {
        uninstall();
    }
    prepared = 0;
    atomic_store(&question, NOBODY_ASKS);
}

void backtrace_here(struct backtrace *out_trace) {
    *out_trace = (struct backtrace){.skip = 1};
    out_trace->count = backtrace(out_trace->frames, BACKTRACE_MOST);
}

static bool await_answer(void) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ANSWER_WITHIN_MS * JG_MS;
    until.tv_sec += until.tv_nsec / JG_S;
    until.tv_nsec %= JG_S;
    while (sem_clockwait(&answered, CLOCK_MONOTONIC, &until) != 0) {
        int expected = ASKED;
        if (errno != EINTR && atomic_compare_exchange_strong(&question, &expected, NOBODY_ASKS)) {
            return false; // taken back: a handler that comes later finds no question
        }
    }
    return atomic_load(&question) == ANSWERED;
}

static void ask(struct backtrace *out_trace, pthread_t thread) {
    pthread_mutex_lock(&asking);
    atomic_store(&question, ASKED);
    if (installed && pthread_kill(thread, SIGURG) == 0 && await_answer()) {
        *out_trace = answer;
        out_trace->skip = HANDLER_FRAMES;
        out_trace->exact = true;
    }
    atomic_store(&question, NOBODY_ASKS);
    pthread_mutex_unlock(&asking);
}

/* The stack pointer and program counter of a thread that is in a system call. */
static bool in_system_call(pid_t tid, uintptr_t *out_sp, uintptr_t *out_pc) {
    char path[64];
    char line[256];
    snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", (int)tid);
    FILE *file = fopen(path, "re");
    bool read = file != NULL && fgets(line, sizeof(line), file) != NULL;
    if (file != NULL) {
        fclose(file);
    }
    if (!read || line[0] < '0' || line[0] > '9') {
        return false; // "running", or "-1 ...": in the kernel, but not by a call
    }
    const char *pc = strrchr(line, ' ');
    if (pc == NULL || pc == line) {
        return false;
    }
    const char *sp = pc - 1;
    while (sp > line && *sp != ' ') {
        sp--;
    }
    *out_sp = strtoul(sp, NULL, 16);
    *out_pc = strtoul(pc, NULL, 16);
    return *out_sp != 0;
}

/* Copies through the kernel, which faults on nothing, and minds no sanitizer's red zones. Returns how
 * many bytes could be read. */
static size_t peek(uintptr_t from, void *out, size_t size) {
    const struct iovec mine = {out, size};
    const struct iovec theirs = {(void *)from, size};
    ssize_t got = process_vm_readv(getpid(), &mine, 1, &theirs, 1, 0);
    return got < 0 ? 0 : (size_t)got;
}

static bool is_return_address(uintptr_t word) {
    unsigned char before[8];
    return symbol_is_code((const void *)word) &&
           peek(word - sizeof(before), before, sizeof(before)) == sizeof(before) &&
           backtrace_follows_call(before + sizeof(before));
}

static void scan(struct backtrace *out_trace, const struct coro *coro, uintptr_t sp) {
    static uintptr_t words[SCAN_MOST / sizeof(uintptr_t)]; // under `asking`
    uintptr_t base = (uintptr_t)coro->stack.base;
    size_t size = sizeof(words);
    if (base != 0 && sp > base && sp < (uintptr_t)coro) {
        size_t rest = (uintptr_t)coro - sp; // the record lies above the frames
        size = rest < size ? rest : size;
    } else {
        size = 2 * PAGE - sp % PAGE; // the thread's own: at least this much lies above
    }
    pthread_mutex_lock(&asking);
    size_t count = peek(sp, words, size) / sizeof(words[0]);
    for (size_t i = 0; i < count && out_trace->count < BACKTRACE_MOST; i++) {
        if (is_return_address(words[i])) {
            out_trace->frames[out_trace->count++] = (void *)words[i];
        }
    }
    pthread_mutex_unlock(&asking);
}

void backtrace_of(struct backtrace *out_trace, pthread_t thread, pid_t tid,
                  const struct coro *coro) {
    uintptr_t sp;
    uintptr_t pc;
    *out_trace = (struct backtrace){.count = 0};
    if (!in_system_call(tid, &sp, &pc)) {
        ask(out_trace, thread);
        return;
    }
    out_trace->scanned = true;
    out_trace->exact = true;
    out_trace->frames[out_trace->count++] = (void *)pc;
    scan(out_trace, coro, sp);
}

void backtrace_print(const struct backtrace *trace, FILE *out) {
    if (trace->count <= trace->skip) {
        fputs("    its stack could not be read\n", out);
        return;
    }
    if (trace->scanned) {
        fputs("    it waits in a system call; some of these may be over:\n", out);
    }
    for (int i = trace->skip; i < trace->count; i++) {
        // A return address may be the first of the next function: look before it.
        bool exact = i == trace->skip && trace->exact;
        symbol_print((const char *)trace->frames[i] - (exact ? 0 : 1), out);
    }
}
