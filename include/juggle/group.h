// SPDX-License-Identifier: MIT
/* juggle/group.h – tasks that live and end together.
 *
 * Holds      a group on the stack of the task that opens it, and the tasks spawned into it.
 * Invariant  no task of a group outlives it; closing waits for all.
 * Why        a child's argument may lie on the parent's stack, and no failure goes unseen: when one
 *            task fails the others are cancelled, and the group returns the errors: the first as its
 *            result, all with jg_error_last().
 */
#ifndef JUGGLE_GROUP_H
#define JUGGLE_GROUP_H

#include <juggle/base.h>
#include <juggle/error.h>
#include <juggle/scope.h>
#include <juggle/task.h>

JG_BEGIN_DECLS

/* A group, by value in the frame that opens it. All fields are private. */
struct jg_group {
    jg_scope scope;              /* cancelled when a task fails; parent of the tasks' own scopes */
    size_t live;                 /* tasks that have not ended */
    void *waiter;                /* the record of whoever waits for them, while parked */
    intptr_t first_error;        /* of the first task that failed, or 0 */
    struct error_record *errors; /* all of them, in the order of failing */
    struct error_record *last_error;
    size_t error_count;
    bool aborting; /* a task or the body failed: no more spawns */
    bool closed;
};

/* Opens a group in the current task. In C, JG_GROUP is the shorter way. */
JG_API void jg_group_open(jg_group *group);

/* Starts a task that belongs to the group and needs no join: the group waits for it and keeps its
 * failure. What it computes, it leaves in `arg`. If `arg` is to be freed even when the task is cancelled
 * before its first step, use jg_spawn_with and its `drop_arg`, and detach.
 *
 * Returns  0; -ECANCELED when the group is aborting or closed; else as jg_spawn. */
#define jg_group_spawn(group, fn, arg) jg_group_spawn_at((group), (fn), (arg), #fn "\0" JG_HERE)
JG_API int jg_group_spawn_at(jg_group *group, jg_fn *fn, void *arg, const char *site);

/* Starts a task in the group as jg_group_spawn does, and waits until it says that it is ready: for a
 * service that has to open its port first. `fn` calls jg_started; what it then comes to is the group's.
 * Before that it is the caller's: its failure is returned here and the group lives on, and a cancel of the
 * caller cancels it, and waits until it has ended or is ready after all.
 *
 * Returns  the word given to jg_started; the failure; -EPROTO when it ended without a word; -ECANCELED;
 *          else as jg_group_spawn. */
#define jg_group_start(group, fn, arg) jg_group_start_at((group), (fn), (arg), #fn "\0" JG_HERE)
JG_API JG_SUSPENDS intptr_t jg_group_start_at(jg_group *group, jg_fn *fn, void *arg,
                                              const char *site);

/* Says that the current task is ready, and hands a word to who waits for that in jg_group_start.
 *
 * Returns  0; -EALREADY when nobody waits for it, as it was started another way or has said so before;
 *          -EINVAL when `word` is an error. */
JG_API int jg_started(intptr_t word);

/* Waits until every task of the group has ended, those spawned meanwhile too. The group stays open.
 * Waits also while a cancel stands (which the tasks then see as well). Only for the task that opened it:
 * another's call, one of the group's too, is a named abort. Its tasks cannot join or otherwise wait without
 * an end for the one that opened it, see jg_join.
 *
 * Returns  0; the first failure's code; -ECANCELED when only a cancel from outside ended them. -EDEADLK
 *          where the task must not suspend, and tasks still run. */
JG_API JG_SUSPENDS intptr_t jg_group_wait(jg_group *group);

/* Waits for all, then closes. `result` is what the body came to: an error other than -ECANCELED
 * counts as a failure and cancels the tasks first. Only for the task that opened it, as jg_group_wait.
 * The group is closed after it, whatever it returns; where the task must not suspend and tasks still run:
 * a named abort.
 *
 * Returns  the first failure's code in the order of failing; else -ECANCELED if asked from outside;
 *          else `result`. jg_error_last() has the first failure, the body's or a task's, and its `next` the
 *          others; jg_error_detail names the first few. */
JG_API JG_SUSPENDS intptr_t jg_group_close(jg_group *group, intptr_t result);

/* Cancels every task of the group and the body; nobody failed, so closing returns 0. */
JG_API void jg_group_cancel(jg_group *group);

/* Counts the failures so far: those of tasks, and on closing the body's; of one that brings those of a
 * group of its own, all. */
JG_API size_t jg_group_error_count(const jg_group *group);

/* Returns the index-th failure in the order of failing, or NULL; one for which there was no memory is
 * counted only. Goes through the list: from the first on, `next` has the others. Borrowed until the group
 * closes: from then on jg_error_last has them. */
JG_API const jg_error *jg_group_error(const jg_group *group, size_t index);

/* A block with a group: `JG_GROUP(g, rc) { jg_group_spawn(g, work, &item); }`.
 *
 * `g` is a `jg_group *` inside the block. Reaching the end waits for all tasks, and so does break;
 * leaving by return or goto cancels them and waits. The second argument is optional: an integer
 * variable that gets the group's result, as from jg_group_close(g, rc); jg_error_last() then has
 * the failures. */
#define JG_GROUP(...) JG_PICK_(__VA_ARGS__, JG_GROUP_INTO_, JG_GROUP_ONLY_, ~)(__VA_ARGS__)

/* Private below. */
typedef struct jg_group_block {
    jg_block block;
    jg_group group;
} jg_group_block;

JG_API bool jg_group_block_step(jg_group_block *block);
JG_API JG_SUSPENDS void jg_group_block_close(jg_group_block *block);

static inline jg_group_block jg_group_block_make(void *out, size_t out_size) {
    jg_group_block block;
    __builtin_memset(&block, 0, sizeof(block));
    block.block.out = out;
    block.block.out_size = out_size;
    return block;
}

#define JG_GROUP_ONLY_(g) JG_GROUP_BLOCK_(JG_CAT_(jg_block_, __COUNTER__), g, NULL, 0)
#define JG_GROUP_INTO_(g, rc)                                                                      \
    JG_GROUP_BLOCK_(JG_CAT_(jg_block_, __COUNTER__), g, &(rc), JG_RESULT_SIZE_(rc))
#define JG_GROUP_BLOCK_(name, g, out, out_size)                                                    \
    for (jg_group_block name                                                                       \
         __attribute__((cleanup(jg_group_block_close))) = jg_group_block_make(out, out_size);      \
         jg_group_block_step(&name);)                                                              \
        for (jg_group *g = &name.group; g != NULL; g = NULL)

JG_END_DECLS

#endif
