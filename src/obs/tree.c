// SPDX-License-Identifier: MIT
/* tree.c – see tree.h.
 *
 * Holds      nothing.
 * Invariant  every live task is printed exactly once.
 * Called by  see tree.h.
 * Why        a task's parent is the one whose group it is in, which the tree of scopes knows; for any
 *            other it is the spawner, which only a watch has noted.
 * Quirks     looks for a task's children among all tasks: n² for n tasks, fine for what people read,
 *            and past TASKS_MOST they are counted only.
 */
#include "obs/tree.h"

#include "base/mem.h"

#include <juggle/debug.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TASKS_MOST = 500, // lines
    HOLDERS_MOST = 3, // names per line
    DEPTH_MOST = 20,  // further in is not indented further
};

struct printer {
    struct task_loop *loop;
    FILE *out;
    int lines;
};

static struct jg_task_record *next_task(struct task_loop *loop, struct jg_task_record *task) {
    struct list *node = task == NULL ? loop->tasks.next : task->siblings.next;
    return node == &loop->tasks ? NULL : container_of(node, struct jg_task_record, siblings);
}

static struct jg_task_record *by_id(struct task_loop *loop, uint32_t id) {
    struct jg_task_record *task = NULL;
    while ((task = next_task(loop, task)) != NULL) {
        const struct watch_task *record = watch_record(&task->coro);
        if (record != NULL && record->id == id) {
            return task;
        }
    }
    return NULL;
}

static const struct jg_task_record *parent_of(struct task_loop *loop,
                                              const struct jg_task_record *task) {
    const struct watch_task *record = watch_record(&task->coro);
    if (task->group != NULL) {
        return task->group->scope.task;
    }
    return record != NULL && record->spawner != 0 ? by_id(loop, record->spawner) : NULL;
}

void tree_print_name(const struct coro *coro, FILE *out) {
    const struct watch_task *record = watch_record(coro);
    fputs(coro->name, out);
    if (record != NULL) {
        fprintf(out, " #%u", record->id);
    }
}

void tree_print_wait(const struct wait *wait, FILE *out) {
    const struct wait_kind *kind = wait->kind;
    char detail[64];
    fputs(wait_name(wait), out);
    if (kind != NULL && kind->detail != NULL) {
        kind->detail(wait, detail, sizeof(detail));
        fprintf(out, " (%s)", detail);
    }
    const struct coro *holder = NULL;
    for (int i = 0; kind != NULL && kind->next_holder != NULL; i++) {
        holder = kind->next_holder(wait, holder);
        if (holder == NULL) {
            break;
        }
        if (i == HOLDERS_MOST) {
            fputs(", ...", out);
            break;
        }
        fputs(i == 0 ? ", which is up to " : ", ", out);
        tree_print_name(holder, out);
    }
}

static void print_state(const struct jg_task_record *task, FILE *out) {
    if (task->coro.parked != NULL) {
        fputs("waits for ", out);
        tree_print_wait(task->coro.parked, out);
    } else {
        fputs(&task->coro == sched_current() ? "runs" : "ready", out);
    }
    const struct watch_task *record = watch_record(&task->coro);
    if (record != NULL) {
        double since_ms = (double)(loop_now_ns() - record->since_ns) / (double)JG_MS;
        fprintf(out, ", %.3f ms", since_ms);
    }
    if (task->coro.attention & ATTENTION_CANCEL) {
        fputs(", cancelled", out);
    }
}

static void print_line(struct printer *printer, const struct jg_task_record *task, int depth) {
    if (printer->lines++ >= TASKS_MOST) {
        return;
    }
    fprintf(printer->out, "  %*s", 2 * (depth < DEPTH_MOST ? depth : DEPTH_MOST), "");
    tree_print_name(&task->coro, printer->out);
    fprintf(printer->out, " (spawned at %s) ", task_place(task->site));
    print_state(task, printer->out);
    fputc('\n', printer->out);
}

/* The next child of `parent` after `before`. */
static struct jg_task_record *next_child(struct task_loop *loop,
                                         const struct jg_task_record *parent,
                                         struct jg_task_record *before) {
    struct jg_task_record *task = before;
    while ((task = next_task(loop, task)) != NULL && parent_of(loop, task) != parent) {}
    return task;
}

/* A loop in place of a recursion: whoever asks may have a small stack. */
static void print_below(struct printer *printer) {
    const struct jg_task_record *parent = NULL;
    struct jg_task_record *before = NULL;
    int depth = 0;
    for (;;) {
        struct jg_task_record *child = next_child(printer->loop, parent, before);
        if (child != NULL) {
            print_line(printer, child, depth++);
            parent = child;
            before = NULL;
        } else if (parent == NULL) {
            return;
        } else {
            before = (struct jg_task_record *)(uintptr_t)parent;
            parent = parent_of(printer->loop, parent);
            depth--;
        }
    }
}

static void print_flat(struct printer *printer) {
    struct jg_task_record *task = NULL;
    while ((task = next_task(printer->loop, task)) != NULL && printer->lines < TASKS_MOST) {
        print_line(printer, task, 0);
    }
}

void tree_print(struct task_loop *loop, FILE *out) {
    struct printer printer = {.loop = loop, .out = out};
    fprintf(out, "%zu task%s on the loop (%s):\n", loop->live, loop->live == 1 ? "" : "s",
            loop->loop.backend->ops->name);
    if (loop->live <= TASKS_MOST) {
        print_below(&printer);
    } else {
        print_flat(&printer);
        fprintf(out, "  ... and %zu more\n", loop->live - TASKS_MOST);
    }
}

static int write_all(int fd, const char *text, size_t size) {
    while (size > 0) {
        ssize_t put = write(fd, text, size);
        if (put < 0 && errno != EINTR) {
            return -errno;
        }
        text += put > 0 ? put : 0;
        size -= put > 0 ? (size_t)put : 0;
    }
    return 0;
}

int jg_debug_tree(int fd) {
    struct loop *loop = sched_current()->loop;
    char *text = NULL;
    size_t size = 0;
    if (loop == NULL) {
        return (int)error_bare(-ENXIO);
    }
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return (int)error_bare(-ENOMEM);
    }
    tree_print((struct task_loop *)(void *)loop, out);
    int rc = fclose(out) != 0 ? -ENOMEM : write_all(fd, text, size);
    mem_free_libc(text);
    return (int)error_bare(rc);
}
