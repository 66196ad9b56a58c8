// SPDX-License-Identifier: MIT
/* map.c – one function over many items.
 *
 * Holds      per call a struct map, on the caller's stack, and what its lanes need.
 * Invariant  each item is taken by exactly one lane. Once `stopped`, no lane takes another one.
 * Called by  user code.
 * Why        lanes that help themselves to the next item are the same in every mode: a mode only says
 *            where a lane runs. So the limit is their number, and nothing is made per item.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "exec/pool.h"

#include <juggle/map.h>
#include <juggle/process_pool.h>
#include <juggle/run.h>
#include <stdatomic.h>
#include <string.h>

enum { TASKS_DEFAULT = 1000 };

struct map {
    jg_fn *fn;
    const char *site; // of the call
    char *items;
    size_t item_size;
    size_t count;
    intptr_t *words; // or NULL
    size_t lanes;
    bool collect;
    jg_process_pool *processes; // or NULL: lanes call the function themselves
    jg_map_mode mode;
    unsigned generation;  // the process it runs in
    atomic_size_t next;   // item to be taken
    atomic_size_t failed; // items
    atomic_bool stopped;
};

// A lane.

/* What goes to a process; the item's bytes follow, aligned for anything. */
struct parcel {
    _Alignas(max_align_t) jg_fn *fn;
};

static intptr_t run_parcel(const void *in, size_t in_size, jg_worker_output *out) {
    const struct parcel *parcel = in;
    char *item = (char *)(uintptr_t)in + sizeof(*parcel); // our own copy
    intptr_t word = parcel->fn(item);
    int rc = jg_worker_output_write(out, item, in_size - sizeof(*parcel));
    return rc < 0 && rc != -ECHILD ? rc : word; // in a forked child: its end, not its word
}

static intptr_t call_in_process(struct map *map, char *item, struct parcel *parcel) {
    jg_bytes bytes;
    parcel->fn = map->fn;
    memcpy(parcel + 1, item, map->item_size);
    intptr_t word = jg_process_pool_run_at(map->processes, run_parcel, parcel,
                                           sizeof(*parcel) + map->item_size, &bytes, map->site);
    if (bytes.size == map->item_size && bytes.size > 0) {
        memcpy(item, bytes.data, bytes.size);
    }
    jg_bytes_free(&bytes);
    return word;
}

/* Takes the next item. Returns false when there is none, or no more are wanted. */
static bool take(struct map *map, size_t *out_index) {
    if (atomic_load_explicit(&map->stopped, memory_order_relaxed)) {
        return false;
    }
    *out_index = atomic_fetch_add_explicit(&map->next, 1, memory_order_relaxed);
    return *out_index < map->count;
}

/* Returns the failure if it is the one that stops the rest, else 0. */
static intptr_t note_failure(struct map *map, intptr_t word) {
    atomic_fetch_add_explicit(&map->failed, 1, memory_order_relaxed);
    bool first = !map->collect && !atomic_exchange(&map->stopped, true);
    return first ? word : 0;
}

/* Whether the caller is asked to end. Without a loop nobody says so when its deadline strikes. */
static int asked_to_end(struct coro *self) {
    if (self->attention & ATTENTION_CANCEL) {
        return -ECANCELED;
    }
    bool late = self->loop == NULL && self->deadline_ns != JG_NEVER &&
                self->deadline_ns <= clock_now_ns();
    return late ? sched_refuse(self) : 0;
}

static intptr_t work(struct map *map, struct parcel *parcel) {
    struct coro *self = sched_current();
    size_t index;
    while (take(map, &index)) {
        char *item = map->items + index * map->item_size;
        if (map->words != NULL) {
            map->words[index] = -EOWNERDEAD; // if it never returns
        }
        intptr_t word = parcel != NULL ? call_in_process(map, item, parcel)
                                       : error_apart(map->fn, item);
        if (unlikely(map->generation != pool_generation()) && map->mode != JG_MAP_INLINE) {
            task_end_forked(word); // a copy: the other items are its parent's to do
        }
        if (map->words != NULL) {
            map->words[index] = word;
        }
        intptr_t rc = jg_failed(word) ? note_failure(map, word) : 0;
        if (rc != 0) {
            return rc;
        }
        rc = asked_to_end(self);
        if (rc != 0) {
            atomic_store(&map->stopped, true);
            return rc;
        }
    }
    return 0;
}

static intptr_t run_lane(void *arg) {
    struct map *map = arg;
    if (map->processes == NULL) {
        return work(map, NULL);
    }
    struct parcel *parcel = mem_alloc(sizeof(*parcel) + map->item_size);
    if (parcel == NULL) {
        return -ENOMEM;
    }
    intptr_t rc = work(map, parcel);
    mem_free(parcel);
    return rc;
}

// Where lanes run.

static intptr_t run_tasks(void *arg) {
    struct map *map = arg;
    intptr_t rc = 0;
    JG_GROUP(group, rc) {
        for (size_t i = 0; i < map->lanes && rc == 0; i++) {
            rc = jg_group_spawn_at(group, run_lane, map, map->site);
        }
        if (rc < 0 && group->live > 0) {
            rc = 0; // fewer lanes do it, too
        }
    }
    return rc;
}

struct outer {
    struct map *map;
    int64_t left_ns;
};

static intptr_t run_limited_tasks(void *arg) {
    const struct outer *outer = arg;
    jg_scope scope;
    jg_scope_open(&scope,
                  outer->left_ns == JG_NEVER ? JG_NEVER : clock_add(loop_now_ns(), outer->left_ns),
                  false);
    return jg_scope_close(&scope, run_tasks(outer->map));
}

/* In the caller's loop, or in one made for it, which minds the caller's deadline. */
static intptr_t run_in_some_loop(struct map *map) {
    struct coro *self = sched_current();
    if (self->loop != NULL) {
        return run_tasks(map);
    }
    struct outer outer = {.map = map, .left_ns = JG_NEVER};
    if (self->deadline_ns != JG_NEVER) {
        int64_t now_ns = clock_now_ns();
        outer.left_ns = self->deadline_ns > now_ns ? self->deadline_ns - now_ns : 0;
    }
    const jg_run_options options = {.backend = "epoll"};
    intptr_t rc = jg_run_at(run_limited_tasks, &outer, &options, map->site);
    return rc == -ETIMEDOUT && self->deadline_ns != JG_NEVER ? sched_refuse(self) : rc;
}

static intptr_t run_processes(struct map *map) {
    const jg_process_pool_options options = {
        .processes = map->lanes, .queue = map->lanes, .output_most = map->item_size + 1};
    int rc = jg_process_pool_open(&options, &map->processes);
    if (rc < 0) {
        return rc;
    }
    intptr_t result = run_in_some_loop(map);
    jg_process_pool_close(map->processes);
    return result;
}

/* A lane ends with the item it works on. */
static void stop(void *arg) {
    struct map *map = arg;
    atomic_store(&map->stopped, true);
}

/* The function leaves its thread in the middle of an item. */
static void lane_lost(void *arg) {
    struct map *map = arg;
    if (map->generation == pool_generation()) {
        note_failure(map, -EOWNERDEAD);
    }
}

static intptr_t run_lane_on_thread(void *map) {
    intptr_t rc;
    pthread_cleanup_push(lane_lost, map);
    rc = run_lane(map);
    pthread_cleanup_pop(0);
    return rc;
}

/* A lane that was lost with an item goes on with the next one, on another thread. */
static intptr_t await_lane(struct map *map, jg_executor *pool, jg_job *job) {
    intptr_t rc;
    do {
        rc = job_await(job, stop, map);
    } while (rc == -EOWNERDEAD && map->collect &&
             jg_executor_submit_at(pool, job, run_lane_on_thread, map, map->site) == 0);
    return rc;
}

static intptr_t run_jobs(struct map *map, jg_executor *pool, jg_job *jobs) {
    size_t begun = 0;
    intptr_t result = 0;
    while (begun < map->lanes && result == 0) {
        result = jg_executor_submit_at(pool, &jobs[begun], run_lane_on_thread, map, map->site);
        begun += result == 0;
    }
    result = begun > 0 ? 0 : result;
    for (size_t i = 0; i < begun; i++) {
        intptr_t rc = await_lane(map, pool, &jobs[i]);
        result = result == 0 ? rc : result;
    }
    return result;
}

static intptr_t run_threads(struct map *map) {
    const jg_executor_options options = {.threads = map->lanes, .name = "jg-map"};
    jg_executor *pool;
    jg_job *jobs = mem_alloc_zero(map->lanes * sizeof(*jobs));
    if (jobs == NULL) {
        return -ENOMEM;
    }
    intptr_t result = jg_executor_open(&options, &pool);
    if (result == 0) {
        result = run_jobs(map, pool, jobs);
        jg_executor_close(pool);
    }
    mem_free(jobs);
    return result;
}

static intptr_t run_inline(struct map *map) {
    return run_lane(map);
}

/* By mode. */
static intptr_t (*const ways[])(struct map *map) = {
    [JG_MAP_INLINE] = run_inline,
    [JG_MAP_THREADS] = run_threads,
    [JG_MAP_PROCESSES] = run_processes,
    [JG_MAP_COROUTINES] = run_in_some_loop,
};

static size_t lanes_for(jg_map_mode mode, size_t limit, size_t count) {
    if (limit == 0) {
        limit = mode == JG_MAP_COROUTINES  ? TASKS_DEFAULT
                : mode == JG_MAP_PROCESSES ? pool_processors()
                                           : pool_default_threads();
    }
    return limit < count ? limit : count;
}

intptr_t jg_map_at(jg_map_mode mode, jg_fn *fn, void *items, size_t item_size, size_t count,
                   intptr_t *out_words, const jg_map_options *options, const char *site) {
    static const jg_map_options no_options;
    options = options != NULL ? options : &no_options;
    for (size_t i = 0; out_words != NULL && i < count; i++) {
        out_words[i] = -ECANCELED;
    }
    int refused = suspend_check(sched_current());
    if (refused < 0) {
        return refused;
    }
    if ((size_t)mode >= sizeof(ways) / sizeof(ways[0])) {
        return error_bare(-EINVAL);
    }
    if (count == 0) {
        return 0;
    }
    struct map map = {.fn = fn,
                      .site = site,
                      .items = items,
                      .item_size = item_size,
                      .count = count,
                      .words = out_words,
                      .lanes = lanes_for(mode, options->limit, count),
                      .collect = options->collect_errors,
                      .mode = mode,
                      .generation = pool_generation()};
    intptr_t rc = ways[mode](&map);
    size_t failed = atomic_load(&map.failed);
    if (rc == 0 && failed > 0 && !map.collect) {
        return error_bare(-ECANCELED); // an item said so of itself
    }
    return rc == 0 ? (intptr_t)failed : rc;
}
