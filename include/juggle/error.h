// SPDX-License-Identifier: MIT
/* juggle/error.h – what stands behind a negative number.
 *
 * Holds      for each task the newest failure it met: text, place, task, and the failure below it; of a
 *            group's failures all, as a list.
 * Why        a return value has room for one number. Whoever wants to know more asks the task, never
 *            a global: the record belongs to the task and survives until its next failure.
 */
#ifndef JUGGLE_ERROR_H
#define JUGGLE_ERROR_H

#include <juggle/base.h>

JG_BEGIN_DECLS

/* One failure. Strings are never NULL. */
typedef struct jg_error {
    intptr_t code;     /* the negative errno that was returned */
    const char *text;  /* one line, no control character; "" when only the code is known */
    const char *where; /* "file.c:12" of the jg_fail; "" when unknown */
    const char *task;  /* name of the task, the call, the job or the worker it happened in */
    const char
        *spawned; /* "file.c:34" where that was spawned, queued, submitted or started; "" for the
                            first */
    const struct jg_error *cause; /* the failure that led to this one, or NULL */
    const struct jg_error
        *next; /* of a group's failures the next, in the order of failing, or NULL */
} jg_error;

/* Records why the current task fails and hands the code back: `return jg_fail(-EPROTO, "bad reply
 * from %s", host);`. The failure recorded before becomes its cause only with jg_fail_because. A control
 * character in the text, a newline too, becomes a space.
 *
 * Returns  `code` as given, also when the text found no memory. */
#define jg_fail(code, ...) jg_fail_at(JG_HERE, (code), __VA_ARGS__)
JG_API intptr_t jg_fail_at(const char *where, intptr_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* Records a failure too, and keeps the one recorded before as its cause. */
#define jg_fail_because(code, ...) jg_fail_because_at(JG_HERE, (code), __VA_ARGS__)
JG_API intptr_t jg_fail_because_at(const char *where, intptr_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* Returns the newest failure recorded in the current task, or NULL. A join that returns an error
 * records the child's failure, a wait for a future what stands behind the future's: NULL if nothing
 * does. After a group has closed, the list of its failures: a task that fails in it with such a list adds
 * all of them to its own group's. Valid until the task's next failure or its end. */
JG_API const jg_error *jg_error_last(void);

/* Returns the text of the newest failure if it has this code, else the code's own name and meaning
 * ("ECONNREFUSED: connection refused"). Of a group's failures the first's text, and briefly the others
 * ("no bread (and 1 more: EIO: the disk is wet)"). Never NULL; valid until the task's next failure.
 *
 * A call that fails either records why, or forgets an older failure of the same code: where the code says it
 * all (-EAGAIN, -EPIPE of a queue that is shut, -ECANCELED of whatever waits). So the text is never one of
 * before, as long as it is asked for before the next call that may fail. */
JG_API const char *jg_error_detail(intptr_t code);

/* Forgets the current task's newest failure. */
JG_API void jg_error_clear(void);

/* Returns the name of an error code, "ECANCELED"; "E?" for one without. Any thread. */
JG_API const char *jg_error_name(intptr_t code);

/* Who is told of failures that nobody retrieved: a task that failed and was never joined. Those that came
 * with it are its `next`, and are told of by this one call.
 *
 * Called in the middle of what found out, in whatever task or on whatever thread: it must not suspend, and
 * what would is -EDEADLK in it, as in JG_NO_SUSPEND. NULL restores the default: one line on stderr, with the
 * first twenty-one of those that came together. Any thread. */
typedef void jg_error_report_fn(const jg_error *error);
JG_API void jg_error_on_unretrieved(jg_error_report_fn *report);

JG_END_DECLS

#endif
