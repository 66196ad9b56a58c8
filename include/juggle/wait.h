// SPDX-License-Identifier: MIT
/* juggle/wait.h – waiting for many futures at once: gather, wait, as_completed.
 *
 * Holds      nothing; what a call needs lies in its own frame, and beyond 8 futures in one block.
 * Invariant  futures come as an array of pointers, those of tasks (jg_task_future) and plain ones
 *            alike. They stay where they are until the call returns, or the iterator is closed; a
 *            task may be joined by somebody else meanwhile, its word still counts.
 * Why        the three differ in when they return and whom they cancel:
 *
 *                                  returns                          when the caller is cancelled
 *              jg_gather           all done, or at the first error  cancels all, waits for their end
 *              jg_wait             as told, or at its limit         leaves them alone
 *              jg_as_completed     one at a time, as they finish    leaves them alone
 *
 * Quirks     without a loop, jobs of executors are waited for one after the other in the order given.
 */
#ifndef JUGGLE_WAIT_H
#define JUGGLE_WAIT_H

#include <juggle/base.h>
#include <juggle/future.h>
#include <juggle/scope.h>

JG_BEGIN_DECLS

/* What a failure means to jg_gather. */
typedef enum jg_gather_mode {
    JG_FAIL_FIRST,     /* it is the result of the whole */
    JG_COLLECT_ERRORS, /* it is a word among the others */
} jg_gather_mode;

/* Waits for all futures and hands over their words in the order of the arguments: `out_results` has
 * room for `count`, or is NULL. The same future twice gives the same word twice; none at all, nothing.
 *
 * With JG_FAIL_FIRST returns at the first failure, a cancelled future counting as one; the others are
 * not cancelled. With JG_COLLECT_ERRORS failures are words like any other.
 *
 * When the caller is cancelled, cancels all and waits until each has ended.
 *
 * Returns  0; the first failure, see jg_error_last; -ECANCELED when the caller was cancelled and one
 *          of them ended so; -EDEADLK when the caller is among them, in a ring as jg_join
 *          (with JG_FAIL_FIRST, which a failure may end, only once the caller and so all are cancelled), or
 *          when nothing could ever end the wait; -ENOMEM (never for 8 or less); -EINVAL for another mode. */
JG_API JG_SUSPENDS intptr_t jg_gather(jg_future *const *futures, size_t count,
                                      intptr_t *out_results, jg_gather_mode mode);

/* When jg_wait returns. */
typedef enum jg_return_when {
    JG_ALL_COMPLETED,   /* when all are done */
    JG_FIRST_COMPLETED, /* when one is done */
    JG_FIRST_EXCEPTION, /* at the first failure, but for cancels; without one, when all are done */
} jg_return_when;

/* Waits until the futures are done as far as `when` says, or `timeout_ms` have passed (negative: no limit; 0:
 * lets the others run once). Cancels nothing. Which are done, jg_future_done tells; what came of
 * them counts as seen only by whoever asks.
 *
 * Returns  how many are done, the same one twice counted once; -EINVAL for no future at all, or
 *          another `when`; -ECANCELED; -ENOMEM, also when there is none to mind the limit; -EDEADLK when
 *          the caller is among them, or nothing could ever end the wait. Rings of waits are not looked
 *          for: a cancel of the caller ends its own. */
JG_API JG_SUSPENDS ssize_t jg_wait(jg_future *const *futures, size_t count, jg_return_when when,
                                   int64_t timeout_ms);

/* One of many futures that are waited for together. Private. */
typedef struct jg_many_node {
    jg_watch watch; /* linked until its word is taken, or the future is gone */
    struct jg_many *many;
    struct jg_many_node *next; /* in the order of settling */
    intptr_t result;
    bool settled;
} jg_many_node;

/* A wait for many. Private; in the header because the iterator embeds it. */
typedef struct jg_many {
    jg_many_node *nodes; /* one for each argument; unused for one that was there before */
    size_t count;
    size_t pending;
    size_t settled;
    jg_many_node *first; /* settled, and not taken yet */
    jg_many_node *last;
    jg_many_node *failed; /* the first that failed */
    void *waiter;         /* the record of whoever waits, while parked */
    jg_return_when when;
    bool once;          /* a future that comes twice counts once */
    bool cancel_fails;  /* a cancelled future counts as failed */
    bool any_cancelled; /* some future was */
    bool passed_on;     /* the waiter's cancel, to all of them */
    jg_many_node few[8];
} jg_many;

/* An iterator over futures in the order in which they finish, by value in the frame that opens it. */
typedef struct jg_as_completed {
    size_t index;      /* in the array */
    jg_future *future; /* NULL when its task was joined before its turn came */
    intptr_t result;   /* its word; for a failure jg_error_last has what stands behind it */

    /* Private below. */
    jg_block block; /* of JG_AS_COMPLETED */
    jg_future *const *futures;
    int64_t timeout_ms;
    int64_t deadline_ns;
    intptr_t rc; /* why it ended early */
    jg_many many;
} jg_as_completed;

/* Opens the iterator; it must not be moved until it is closed. The same future twice comes once.
 * `timeout_ms` is for the whole, from now on; negative: no limit. JG_AS_COMPLETED is the shorter way.
 *
 * Returns  0; -EDEADLK, -ENOMEM, as jg_wait: then next returns false, and close the code again. */
JG_API int jg_as_completed_open(jg_as_completed *iterator, jg_future *const *futures, size_t count,
                                int64_t timeout_ms);

/* Waits for the next to finish, and fills in `index`, `future` and `result`.
 *
 * Returns  true; false after the last, at the limit, or when the caller is cancelled: close says. */
JG_API JG_SUSPENDS bool jg_as_completed_next(jg_as_completed *iterator);

/* Closes it, at any time. Futures that are not done run on.
 *
 * Returns  0; why it ended early: -ETIMEDOUT, -ENOMEM when there was none to mind the limit, -ECANCELED, or
 *          what open returned. */
JG_API intptr_t jg_as_completed_close(jg_as_completed *iterator);

/* A loop over futures as they finish: `JG_AS_COMPLETED(it, futures, 3, 1000, rc) { use(it.result); }`.
 *
 * `it` is a jg_as_completed. Every way out closes it. The last argument is optional: an integer
 * variable that gets what close returns. */
#define JG_AS_COMPLETED(...)                                                                       \
    JG_PICK5_(__VA_ARGS__, JG_AS_COMPLETED_INTO_, JG_AS_COMPLETED_ONLY_, ~)(__VA_ARGS__)

/* Private below. */
JG_API JG_SUSPENDS bool jg_as_completed_step(jg_as_completed *iterator);
JG_API void jg_as_completed_leave(jg_as_completed *iterator);

static inline jg_as_completed jg_as_completed_make(jg_future *const *futures, size_t count,
                                                   int64_t timeout_ms, void *out, size_t out_size) {
    jg_as_completed iterator;
    __builtin_memset(&iterator, 0, sizeof(iterator));
    iterator.futures = futures;
    iterator.many.count = count;
    iterator.timeout_ms = timeout_ms;
    iterator.block.out = out;
    iterator.block.out_size = out_size;
    return iterator;
}

#define JG_PICK5_(a, b, c, d, e, name, ...) name
#define JG_AS_COMPLETED_ONLY_(it, futures, count, timeout_ms)                                      \
    JG_AS_COMPLETED_BLOCK_(it, futures, count, timeout_ms, NULL, 0)
#define JG_AS_COMPLETED_INTO_(it, futures, count, timeout_ms, rc)                                  \
    JG_AS_COMPLETED_BLOCK_(it, futures, count, timeout_ms, &(rc), JG_RESULT_SIZE_(rc))
#define JG_AS_COMPLETED_BLOCK_(it, futures, count, timeout_ms, out, out_size)                      \
    for (jg_as_completed it __attribute__((cleanup(jg_as_completed_leave))) =                      \
             jg_as_completed_make((futures), (count), (timeout_ms), out, out_size);                \
         jg_as_completed_step(&it);)

JG_END_DECLS

#endif
