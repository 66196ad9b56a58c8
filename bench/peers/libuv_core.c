// SPDX-License-Identifier: MIT
/* libuv_core.c – libuv 1.44: an idle callback, a million timers, work for a thread. The stackless
 * reference.
 *
 * Holds      the default loop.
 * Invariant  every handle is closed, and the loop empty, when a pass returns.
 * Called by  run.py, `libuv_core yield|thread_pool WIDTH` and `libuv_core sleepers COUNT MS`.
 * Why        libuv has no tasks: nothing is switched and there is no stack to keep. Its figures
 *            show what callbacks cost, so the price of straight-line code can be read off.
 * Quirks     `yield` counts idle callbacks, the cheapest way to run again after the others; each
 *            turn of the loop polls the kernel once for all of them. spawn_join has no counterpart
 *            here.
 */
#include "common/measure.h"

#include <errno.h>
#include <stdlib.h>
#include <uv.h>

static uint64_t turns_left_in_all;

static void on_idle(uv_idle_t *idle) {
    if (--turns_left_in_all == 0) {
        uv_stop(idle->loop);
    }
}

static void on_timer(uv_timer_t *timer) {
    uv_close((uv_handle_t *)timer, NULL);
}

static void must_be_0(int rc, const char *what) {
    if (rc != 0) {
        measure_die(what, -rc);
    }
}

static void pass_yield(uint64_t width, uint64_t count) {
    uv_loop_t *loop = uv_default_loop();
    uv_idle_t *idles = calloc(width, sizeof *idles);
    if (idles == NULL) {
        measure_die("no memory", ENOMEM);
    }
    turns_left_in_all = count;
    for (uint64_t i = 0; i < width; i++) {
        must_be_0(uv_idle_init(loop, &idles[i]), "uv_idle_init");
        must_be_0(uv_idle_start(&idles[i], on_idle), "uv_idle_start");
    }
    uv_run(loop, UV_RUN_DEFAULT);
    for (uint64_t i = 0; i < width; i++) {
        uv_close((uv_handle_t *)&idles[i], NULL);
    }
    must_be_0(uv_run(loop, UV_RUN_DEFAULT), "uv_run");
    free(idles);
}

static void pass_sleepers(uint64_t width, uint64_t sleep_ms) {
    uv_loop_t *loop = uv_default_loop();
    uv_timer_t *timers = calloc(width, sizeof *timers);
    if (timers == NULL) {
        measure_die("no memory", ENOMEM);
    }
    uv_update_time(loop);
    for (uint64_t i = 0; i < width; i++) {
        must_be_0(uv_timer_init(loop, &timers[i]), "uv_timer_init");
        must_be_0(uv_timer_start(&timers[i], on_timer, sleep_ms, 0), "uv_timer_start");
    }
    must_be_0(uv_run(loop, UV_RUN_DEFAULT), "uv_run");
    free(timers);
}

static void do_nothing(uv_work_t *work) {
    (void)work;
}

/* The next piece of work goes out when the last has come back. */
static void on_worked(uv_work_t *work, int status) {
    must_be_0(status, "uv_queue_work");
    uint64_t *left = work->data;
    if (--*left > 0) {
        must_be_0(uv_queue_work(work->loop, work, do_nothing, on_worked), "uv_queue_work");
    }
}

static void pass_thread_pool(uint64_t width, uint64_t count) {
    uv_loop_t *loop = uv_default_loop();
    uv_work_t *works = calloc(width, sizeof *works);
    uint64_t *left = calloc(width, sizeof *left);
    if (works == NULL || left == NULL) {
        measure_die("no memory", ENOMEM);
    }
    for (uint64_t i = 0; i < width; i++) {
        left[i] = count / width;
        works[i].data = &left[i];
        must_be_0(uv_queue_work(loop, &works[i], do_nothing, on_worked), "uv_queue_work");
    }
    must_be_0(uv_run(loop, UV_RUN_DEFAULT), "uv_run");
    free(works);
    free(left);
}

int main(int argc, char **argv) {
    static const struct measure_bench benches[] = {
        {"yield", pass_yield},
        {"thread_pool", pass_thread_pool},
        {"sleepers", pass_sleepers},
        {NULL, NULL},
    };
    return measure_main(argc, argv, benches);
}
