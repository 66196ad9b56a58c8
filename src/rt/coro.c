// SPDX-License-Identifier: MIT
/* coro.c – making and ending coroutines.
 *
 * Holds      nothing.
 * Invariant  the record lies between the usable stack and the stack's top, whole cache lines.
 * Called by  task.
 * Why        see coro.h.
 */
#include "rt/coro.h"

#include "base/check.h"
#include "rt/loop.h"

#include <string.h>

enum { CACHE_LINE = 64 };

struct coro *coro_make(struct loop *loop, struct stack stack, size_t record_size,
                       void (*entry)(void *record)) {
    size_t record_room = (record_size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
    char *record = stack.base + stack.size - record_room;
    struct coro *coro = (struct coro *)(void *)record;
    // Line by line, as what has a known size is no call: a spawn and join takes 3 % less on a warm stack.
    for (char *line = record; line < record + record_room; line += CACHE_LINE) {
        memset(line, 0, CACHE_LINE);
    }
    sanitize_create(&coro->sanitize, stack.base, stack.size);
    coro->loop = loop;
    coro->deadline_ns = JG_NEVER;
    coro->stack = stack;
    coro->sp = rt_switch_prepare(record, entry, loop->modes);
    return coro;
}

void coro_free(struct coro *coro) {
    must(coro->stack.base != NULL);
    sanitize_destroy(&coro->sanitize);
    stack_give(&coro->loop->stacks, coro->stack);
}
