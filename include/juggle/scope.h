// SPDX-License-Identifier: MIT
/* juggle/scope.h – how long, and until when: deadlines, cancelling and shields.
 *
 * Holds      a scope is a stretch of code. It has a deadline, can be cancelled, can be a shield.
 * Invariant  scopes of a task nest; the nearest of all enclosing deadlines counts, up to a shield.
 * Why        limits live here and not in signatures: no call has a `_timeout` twin.
 *
 * Inside, whatever struck, a suspend fails with −ECANCELED. The scope whose own deadline it was
 * turns that into −ETIMEDOUT as it closes; every scope further in just passes it on. Where a loop finds no
 * memory to mind a deadline that is set, suspends inside fail at once, as if it had struck, and the close
 * turns that into −ENOMEM: so no wait becomes endless.
 *
 * To cancel or reschedule a scope from another thread than its task's is a named abort; so is to close one
 * in another task than opened it. Code outside of tasks counts as another one while a loop of jg_loop_open's
 * is open: a scope opened before is closed after, one opened meanwhile is closed meanwhile.
 */
#ifndef JUGGLE_SCOPE_H
#define JUGGLE_SCOPE_H

#include <juggle/base.h>
#include <juggle/task.h>

JG_BEGIN_DECLS

/* A place in a timer heap. Private; in the header because scopes embed it. */
typedef struct jg_timer {
    int64_t when_ns;
    uint64_t seq;
    void (*fire)(struct jg_timer *timer);
    uint32_t index; /* 0: not armed */
} jg_timer;

/* One scope, on the stack of the task that opens it. All fields are private. */
typedef struct jg_scope {
    struct jg_scope *parent;      /* the scope around it; NULL at a task without one */
    struct jg_scope *first_child; /* scopes directly inside: the task's next, or tasks of a group */
    struct jg_scope *next;        /* siblings below the same parent */
    struct jg_scope *prev;
    struct jg_scope *next_cancel; /* worklist while a cancel spreads */
    struct jg_task_record *task;  /* whose code this is */
    int64_t deadline_ns;
    jg_timer timer;
    uint32_t refused_before; /* the task's count of refused suspends when it was opened */
    int32_t requests;        /* cancel requests that stand */
    bool shield;             /* cancels and deadlines from outside stop here */
    bool withheld;           /* a shield: a cancel came that it kept away */
    bool expired;            /* the deadline struck */
    bool due;                /* the deadline had passed when it was opened */
    bool timeless;           /* due for want of memory for the timer */
    bool effective;          /* a cancel stands here: its own, or from outside */
    bool queued;             /* in the worklist */
} jg_scope;

/* Opens a scope around what the current task does next, up to jg_scope_close.
 *
 * `deadline_ns` is a point on jg_now()'s clock, JG_NEVER for none; one that has passed lets code run
 * until its first suspend. `shield` keeps cancels and deadlines of the scopes outside away. */
JG_API void jg_scope_open(jg_scope *scope, int64_t deadline_ns, bool shield);

/* Closes the newest scope of the task and turns the result of the code in it into the result of the
 * scope.
 *
 * Returns  -ETIMEDOUT for -ECANCELED when this scope's own deadline struck and nothing outside it
 *          asks to stop, -ENOMEM when there was no memory to mind it; 0 for -ECANCELED when it was
 *          cancelled by jg_scope_cancel alone; else `result`. */
JG_API intptr_t jg_scope_close(jg_scope *scope, intptr_t result);

/* Cancels all that runs inside, in this task and in groups opened in it. Loop thread, any task. */
JG_API void jg_scope_cancel(jg_scope *scope);

/* Moves the deadline; JG_NEVER takes it away. Loop thread, any task.
 *
 * Returns 0; -EINVAL once it has struck; -ENOMEM: it cannot be minded, and the code inside is stopped. */
JG_API int jg_scope_reschedule(jg_scope *scope, int64_t deadline_ns);

/* Whether the deadline struck while the code inside waited, or was refused a wait; also for want of memory
 * to mind it. */
JG_API bool jg_scope_expired(const jg_scope *scope);

/* Returns the nearest deadline that holds for the current task, JG_NEVER if none. */
JG_API int64_t jg_deadline(void);

/* A block with a time limit, in milliseconds: `JG_TIMEOUT(100, rc) { rc = jg_join(task); }`.
 *
 * The second argument is optional: an int or long variable, whose -ECANCELED becomes -ETIMEDOUT if it
 * was this limit that struck, as in jg_scope_close. 0 or less lets the code run until its first suspend; for
 * no limit at all, jg_scope_open takes JG_NEVER. Every way out of the block closes the scope. */
#define JG_TIMEOUT(...) JG_PICK_(__VA_ARGS__, JG_TIMEOUT_INTO_, JG_TIMEOUT_ONLY_, ~)(__VA_ARGS__)

/* A block that cancels and deadlines from outside do not reach: for clean-up that has to wait. Give
 * it a limit of its own: `JG_SHIELD JG_TIMEOUT(1000) { jg_write(stream, bye, sizeof bye); }`. */
#define JG_SHIELD JG_SCOPE_BLOCK_(JG_CAT_(jg_block_, __COUNTER__), NULL, 0, 0, true)

/* A block in which the task must not be switched away from: whatever is marked JG_SUSPENDS fails with
 * -EDEADLK at once, also where it would not have had to wait. But what has come to its end already is
 * handed over here as ever, as it is while a cancel stands: the word of a settled future, of a task or a
 * job that has ended (jg_join, jg_job_wait, jg_future_wait and whatever else waits for futures), and a
 * group without tasks (jg_group_wait, jg_group_close). For code between two steps that no other task may
 * see apart. May be nested; tasks spawned inside are not affected. Closing a group whose tasks
 * still run is a named abort here, as it cannot be left open. */
#define JG_NO_SUSPEND JG_NO_SUSPEND_BLOCK_(JG_CAT_(jg_block_, __COUNTER__))

/* The same as plain functions. The word that enter returns is for the matching leave. */
JG_API bool jg_no_suspend_enter(void);
JG_API void jg_no_suspend_leave(bool before);

/* The machinery of the blocks: a for loop that runs once and the compiler's cleanup attribute. All
 * below is private. */
typedef struct jg_block {
    void *out;         /* the caller's variable, or NULL */
    size_t out_size;   /* its size in bytes: 4 or 8 */
    bool entered;      /* the scope or group is open */
    bool fell_through; /* its end was reached: not left by return, break or goto */
} jg_block;

typedef struct jg_scope_block {
    jg_block block;
    jg_scope scope;
    int64_t limit_ms;
    bool shield; /* no limit, but a shield */
} jg_scope_block;

typedef struct jg_no_suspend_block {
    bool entered;
    bool before;
} jg_no_suspend_block;

JG_API bool jg_no_suspend_block_step(jg_no_suspend_block *block);
JG_API void jg_no_suspend_block_close(jg_no_suspend_block *block);

#define JG_NO_SUSPEND_BLOCK_(name)                                                                 \
    for (jg_no_suspend_block name                                                                  \
         __attribute__((cleanup(jg_no_suspend_block_close))) = {false, false};                     \
         jg_no_suspend_block_step(&name);)

JG_API bool jg_scope_block_step(jg_scope_block *block);
JG_API void jg_scope_block_close(jg_scope_block *block);

static inline jg_scope_block jg_scope_block_make(void *out, size_t out_size, int64_t limit_ms,
                                                 bool shield) {
    jg_scope_block block;
    __builtin_memset(&block, 0, sizeof(block));
    block.block.out = out;
    block.block.out_size = out_size;
    block.limit_ms = limit_ms;
    block.shield = shield;
    return block;
}

#define JG_PICK_(a, b, name, ...) name
#define JG_CAT2_(a, b) a##b
#define JG_CAT_(a, b) JG_CAT2_(a, b)
/* The size of a result variable; does not compile for one that is neither an int nor a long. */
#define JG_RESULT_SIZE_(rc)                                                                        \
    (sizeof(rc) + 0 * sizeof(char[sizeof(rc) == 4 || sizeof(rc) == 8 ? 1 : -1]))
#define JG_SCOPE_BLOCK_(name, out, out_size, limit_ms, shield)                                     \
    for (jg_scope_block name __attribute__((cleanup(jg_scope_block_close))) =                      \
             jg_scope_block_make(out, out_size, limit_ms, shield);                                 \
         jg_scope_block_step(&name);)
#define JG_TIMEOUT_ONLY_(limit_ms)                                                                 \
    JG_SCOPE_BLOCK_(JG_CAT_(jg_block_, __COUNTER__), NULL, 0, (limit_ms), false)
#define JG_TIMEOUT_INTO_(limit_ms, rc)                                                             \
    JG_SCOPE_BLOCK_(JG_CAT_(jg_block_, __COUNTER__), &(rc), JG_RESULT_SIZE_(rc), (limit_ms), false)

JG_END_DECLS

#endif
