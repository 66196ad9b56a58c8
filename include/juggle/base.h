// SPDX-License-Identifier: MIT
/* juggle/base.h – what every topic header needs: marks, version, time.
 *
 * Holds      no state. Marks for export and suspension, the version, the clock and its units.
 * Why        time is an int64_t: durations in milliseconds (`_ms`) where people type them, points
 *            in time in nanoseconds (`_ns`) on the monotonic clock where programs compute them.
 */
#ifndef JUGGLE_BASE_H
#define JUGGLE_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Around declarations: names as C has them, for C++ too. */
#ifdef __cplusplus
#define JG_BEGIN_DECLS extern "C" {
#define JG_END_DECLS }
#else
#define JG_BEGIN_DECLS
#define JG_END_DECLS
#endif

/* Part of the library's interface; everything else is hidden. */
#define JG_API __attribute__((visibility("default")))

/* The call may park the task and is a cancellation point. Expands to nothing: it is for readers and
 * for the linter. */
#define JG_SUSPENDS

/* The version of these headers, as numbers and as text; jg_version tells the library's. */
#define JG_VERSION_MAJOR 0
#define JG_VERSION_MINOR 1
#define JG_VERSION_PATCH 0
#define JG_VERSION "0.1.0"

/* A point in time that never comes: no deadline. */
#define JG_NEVER INT64_MAX

/* Nanoseconds in a millisecond and in a second. */
#define JG_MS INT64_C(1000000)
#define JG_S INT64_C(1000000000)

/* Its argument as text; and "file.c:12", the place where JG_HERE stands. */
#define JG_STRING_(x) #x
#define JG_STRING(x) JG_STRING_(x)
#define JG_HERE __FILE__ ":" JG_STRING(__LINE__)

JG_BEGIN_DECLS

/* What a task, a thread or a process runs: one argument in, one word out.
 *
 * The word is an integer or a pointer; −4095…−1 is an error.
 *
 * A function that forks has two lives. Its child may exec, exit and compute; what it shares with the parent
 * only in memory (its loop, what was opened there, tasks, jobs) is -ECHILD to whatever would wait, also in a
 * worker process or a job of a process pool, which may open a loop of its own; and it closes what was opened
 * for itself alone. Locks, queues and channels are memory: the child's copy is its own, in which copies of
 * the parent's tasks may wait, who take what they are given and never go on. When it returns from the
 * function, or from another that a loop or a pool called for it (a call, a connection's handler, an item of
 * jg_map but for JG_MAP_INLINE, a drop function, a report), it ends there, with status 0, or 1 for an error:
 * what comes next is the parent's to do. */
typedef intptr_t jg_fn(void *arg);

/* A place in a queue. Private; in the header because records embed it. */
typedef struct jg_link {
    struct jg_link *next;
    struct jg_link *prev;
} jg_link;

/* Frees what a pointer word stands for, when nobody is left to take it. Called in whatever task, or on
 * whatever thread, comes to know that: it must not suspend, and what would is -EDEADLK in it, as in
 * JG_NO_SUSPEND. All else it may call, also what has to do with the object that called it. */
typedef void jg_drop_fn(void *word);

/* Whether a word is an error: −4095…−1, the kernel's own convention. */
static inline bool jg_failed(intptr_t word) {
    return (uintptr_t)word >= (uintptr_t)-4095;
}

/* Returns the version the library was built as, "0.1.0". Any thread. */
JG_API const char *jg_version(void);

/* Tells the time in ns: monotonic; virtual under the sim backend. Any thread. */
JG_API int64_t jg_now(void);

JG_END_DECLS

#endif
