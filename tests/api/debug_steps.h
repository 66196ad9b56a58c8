// SPDX-License-Identifier: MIT
/* debug_steps.h – running a body in debug mode, and hearing what is reported.
 *
 * Holds      what was reported, in the order of coming.
 * Invariant  each entry below `heard_count` is whole.
 * Called by  test_debug.c, test_debug_futures.c, test_debug_leaks.c, test_debug_ring.c.
 * Why        one copy.
 * Quirks     a report of a stall comes from another thread, so the record is under a lock.
 */
#ifndef TESTS_API_DEBUG_STEPS_H
#define TESTS_API_DEBUG_STEPS_H

#include "api/api.h"

#include <juggle/debug.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { MOST = 64 };

struct heard {
    jg_debug_kind kind;
    char task[48];
    char spawned[64];
    char text[2048];
    int64_t duration_ns;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct heard heard[MOST];
static atomic_int heard_count;
static const char *stall_of; // the one task whose stalls are heard of: a busy machine holds up any

static inline bool concerns(const jg_debug_report *report) {
    return report->kind != JG_DEBUG_SLOW || stall_of == NULL || strcmp(report->task, stall_of) == 0;
}

static inline void hear(const jg_debug_report *report) {
    pthread_mutex_lock(&lock);
    int count = atomic_load(&heard_count);
    if (count < MOST && concerns(report)) {
        struct heard *entry = &heard[count];
        entry->kind = report->kind;
        entry->duration_ns = report->duration_ns;
        snprintf(entry->task, sizeof(entry->task), "%s", report->task);
        snprintf(entry->spawned, sizeof(entry->spawned), "%s", report->spawned);
        snprintf(entry->text, sizeof(entry->text), "%s", report->text);
        atomic_store(&heard_count, count + 1);
    }
    pthread_mutex_unlock(&lock);
}

static inline const struct heard *find(jg_debug_kind kind) {
    for (int i = 0; i < atomic_load(&heard_count); i++) {
        if (heard[i].kind == kind) {
            return &heard[i];
        }
    }
    return NULL;
}

static inline void expect_text(const char *text, const char *part) {
    ck_assert_msg(strstr(text, part) != NULL, "expected \"%s\" in: %s", part, text);
}

/* A limit no test reaches unless it means to. */
static const jg_debug_options patient = {.slow_ms = 60000};

static inline intptr_t run_debugged(jg_fn *body, void *arg, const jg_debug_options *options) {
    const jg_run_options run = {.debug = true};
    jg_debug_set(options);
    jg_debug_on_report(hear);
    intptr_t rc = jg_run_at(body, arg, &run, "first\0first.c:1");
    jg_debug_on_report(NULL);
    return rc;
}

static inline intptr_t quick_body(void *arg) {
    (void)arg;
    for (int i = 0; i < 100; i++) {
        jg_yield();
    }
    return jg_sleep(20);
}

#endif
