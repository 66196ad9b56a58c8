// SPDX-License-Identifier: MIT
/* local.c – task-local values.
 *
 * Holds      per set of values one list, shared by all tasks that see the same; per value one cell, shared
 *            by all lists it is in.
 * Invariant  a list in which somebody else has a share does not change; each variable is in it once.
 * Called by  user code; task.c (a spawn shares, an end gives up), exec (so do a job and its end).
 * Why        spawning is common and setting is rare: a spawn counts one share, a set copies. A linked
 *            list of settings would grow without end where each task spawns its successor.
 */
#include "base/mem.h"
#include "task/task.h"

#include <juggle/local.h>
#include <stdatomic.h>

struct cell {
    atomic_uint shares;
    const jg_local *local;
    void *value;
};

struct locals {
    atomic_uint shares;
    size_t count;
    struct cell *cells[];
};

static bool last_share(atomic_uint *shares) {
    return atomic_fetch_sub_explicit(shares, 1, memory_order_acq_rel) == 1;
}

static void cell_drop(struct cell *cell) {
    if (!last_share(&cell->shares)) {
        return;
    }
    if (cell->value != NULL) {
        call_drop(cell->local->drop, cell->value);
    }
    mem_free(cell);
}

struct locals *locals_ref(struct locals *locals) {
    if (unlikely(locals != NULL)) {
        atomic_fetch_add_explicit(&locals->shares, 1, memory_order_relaxed);
    }
    return locals;
}

void locals_drop(struct locals *locals) {
    if (locals == NULL || !last_share(&locals->shares)) {
        return;
    }
    for (size_t i = 0; i < locals->count; i++) {
        cell_drop(locals->cells[i]);
    }
    mem_free(locals);
}

void locals_end(struct jg_task_record *task) {
    struct error_record *error = error_take(task); // what it ends with
    while (task->locals != NULL) {                 // a drop function may set one
        struct locals *locals = task->locals;
        task->locals = NULL;
        locals_drop(locals);
    }
    error_keep(task, error);
}

/* Where the variable is in the list; its count when it is not. */
static size_t find(const struct locals *locals, const jg_local *local) {
    size_t i = 0;
    while (locals != NULL && i < locals->count && locals->cells[i]->local != local) {
        i++;
    }
    return i;
}

void *jg_local_get(const jg_local *local) {
    const struct locals *locals = task_current()->locals;
    size_t place = find(locals, local);
    return locals != NULL && place < locals->count ? locals->cells[place]->value : local->initial;
}

/* A copy of the list without the cell at `place`, if there is one, and with `cell`, unless NULL. */
static struct locals *copy_with(const struct locals *locals, size_t place, struct cell *cell) {
    size_t count = locals != NULL ? locals->count : 0;
    struct locals *copy = mem_alloc(sizeof(*copy) + (count + 1) * sizeof(struct cell *));
    if (copy == NULL) {
        return NULL;
    }
    atomic_init(&copy->shares, 1);
    copy->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (i != place) {
            atomic_fetch_add_explicit(&locals->cells[i]->shares, 1, memory_order_relaxed);
            copy->cells[copy->count++] = locals->cells[i];
        }
    }
    if (cell != NULL) {
        copy->cells[copy->count++] = cell;
    }
    return copy;
}

/* Gives the task the list in place of its own. Drop functions come last: they may look. */
static void replace(struct jg_task_record *task, struct locals *locals) {
    struct locals *old = task->locals;
    task->locals = locals;
    if (task->coro.loop == NULL) {
        thread_mind_end(task);
    }
    locals_drop(old);
}

static struct cell *make_cell(const jg_local *local, void *value) {
    struct cell *cell = mem_alloc(sizeof(*cell));
    if (cell != NULL) {
        atomic_init(&cell->shares, 1);
        cell->local = local;
        cell->value = value;
    }
    return cell;
}

int jg_local_set(const jg_local *local, void *value) {
    struct jg_task_record *task = task_current();
    struct cell *cell = make_cell(local, value);
    if (cell == NULL) {
        return (int)error_bare(-ENOMEM);
    }
    struct locals *locals = copy_with(task->locals, find(task->locals, local), cell);
    if (locals == NULL) {
        mem_free(cell); // the value stays the caller's
        return (int)error_bare(-ENOMEM);
    }
    replace(task, locals);
    return 0;
}

int jg_local_unset(const jg_local *local) {
    struct jg_task_record *task = task_current();
    const struct locals *old = task->locals;
    size_t place = find(old, local);
    if (old == NULL || place == old->count) {
        return 0;
    }
    struct locals *locals = NULL;
    if (old->count > 1) {
        locals = copy_with(old, place, NULL);
        if (locals == NULL) {
            return (int)error_bare(-ENOMEM);
        }
    }
    replace(task, locals);
    return 0;
}
