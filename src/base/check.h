// SPDX-License-Identifier: MIT
/* check.h – must(): a broken internal invariant ends the program, in release too.
 *
 * Holds      nothing but the hook that names the running task.
 * Invariant  only bugs reach must(); nothing the kernel, a peer or memory pressure does.
 * Called by  every room, at its doors.
 * Why        a named line at the first wrong step beats a mystery later.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Aborts with the condition's text, place and running task when it does not hold. */
#define must(condition) (likely(condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))

/* Aborts with a message of its own: for misuse by the caller, named in the user's words. */
_Noreturn void check_misuse(const char *format, ...) __attribute__((format(printf, 1, 2), cold));

_Noreturn void check_failed(const char *condition, const char *file, int line)
    __attribute__((cold));

/* Who is running, for the message. Set once by rt; returns NULL when nobody is known. */
typedef const char *check_who_fn(void);
void check_set_who(check_who_fn *who);

#endif
