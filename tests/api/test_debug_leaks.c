// SPDX-License-Identifier: MIT
/* test_debug_leaks.c – debug mode: what is left behind when a loop ends, and what is not.
 *
 * Holds      nothing between tests.
 * Invariant  a leak is told once; what was given back, never.
 * Called by  ctest, on epoll and sim.
 * Why        a leak is found by the name of who left it, or never.
 */
#include "api/debug_steps.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

// Tasks, handles, descriptors.

static intptr_t wait_for_ever(void *arg) {
    (void)arg;
    return jg_sleep_until(JG_NEVER);
}

static intptr_t leaky_body(void *arg) {
    jg_stream **out_stream = arg;
    jg_stream *other;
    ck_assert_int_eq(jg_stream_pair(out_stream, &other), 0);
    jg_stream_close(other);
    jg_detach(jg_spawn_at(wait_for_ever, NULL, NULL, "stray\0stray.c:1"));
    (void)!jg_spawn_at(quick_body, NULL, NULL, "orphan\0orphan.c:2");
    return jg_sleep(100);
}

static intptr_t clean_body(void *arg) {
    jg_stream *streams[2];
    (void)arg;
    open_pair(streams);
    close_pair(streams);
    return jg_join(jg_spawn(quick_body, NULL));
}

static void leak_victim(void *arg) {
    jg_stream *stream;
    run_debugged(leaky_body, &stream, &patient);
    memcpy(arg, heard, sizeof(heard));
    abort();
}

/* The victim leaks, and so is another process. It puts what it heard where its argument says, and aborts. */
static void hear_in_child(void (*victim)(void *arg)) {
    void *copy = mmap(NULL, sizeof(heard), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                      0);
    ck_assert_ptr_ne(copy, MAP_FAILED);
    fixture_expect_abort(victim, copy, "");
    memcpy(heard, copy, sizeof(heard));
    munmap(copy, sizeof(heard));
}

// What is left behind is found at the loop's end, by the name of who left it, or never.
START_TEST(leaks_are_named_at_the_end) {
    hear_in_child(leak_victim);
    atomic_store(&heard_count, 3);
    ck_assert_str_eq(find(JG_DEBUG_TASK_LEAK)->task, "stray");
    expect_text(find(JG_DEBUG_TASK_LEAK)->text, "waiting for sleep");
    ck_assert_str_eq(find(JG_DEBUG_HANDLE_LEAK)->task, "orphan");
    ck_assert_str_eq(find(JG_DEBUG_HANDLE_LEAK)->spawned, "orphan.c:2");
    ck_assert_str_eq(find(JG_DEBUG_FD_LEAK)->task, "first");
    expect_text(find(JG_DEBUG_FD_LEAK)->text, "(socket pair, by task first spawned at first.c:1)");
}
END_TEST

/* What is opened on a loop, and may be closed anywhere. */
struct kept {
    jg_file *file;
    jg_process *process;
    jg_process_pool *pool;
    jg_worker *workers[2];
};

static intptr_t work(void *arg) {
    return (intptr_t)arg;
}

static intptr_t open_kept(void *arg) {
    struct kept *kept = arg;
    const char *argv[] = {"sleep", "60", NULL};
    const jg_process_options options = {.argv = argv, .grace_ms = -1};
    ck_assert_int_eq(jg_file_open("/dev/null", O_RDONLY, 0, &kept->file), 0);
    ck_assert_int_eq(jg_process_spawn(&options, &kept->process), 0);
    ck_assert_int_eq(jg_process_pool_open(NULL, &kept->pool), 0);
    for (int i = 0; i < 2; i++) {
        jg_worker_kind kind = i == 0 ? JG_WORKER_THREAD : JG_WORKER_PROCESS;
        ck_assert_int_eq(jg_worker_start(kind, work, (void *)3, NULL, &kept->workers[i]), 0);
    }
    return 0;
}

static intptr_t close_kept(void *arg) {
    struct kept *kept = arg;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(jg_worker_join(kept->workers[i]), 3);
    }
    ck_assert_int_eq(jg_process_pool_close(kept->pool), 0);
    jg_process_close(kept->process);
    return jg_file_close(kept->file);
}

// A descriptor, program or worker of its own, which is no socket of the loop's, would be left behind unseen.
START_TEST(files_programs_pools_and_workers_left_are_named) {
    struct kept kept;
    char texts[5][64];
    ck_assert_int_eq(run_debugged(open_kept, &kept, &patient), 0);
    ck_assert_int_eq(atomic_load(&heard_count), 5);
    snprintf(texts[0], sizeof(texts[0]), "descriptor %d (file, by", jg_file_fd(kept.file));
    snprintf(texts[1], sizeof(texts[1]), "process %d (sleep, by", (int)jg_process_id(kept.process));
    snprintf(texts[2], sizeof(texts[2]), "(process pool, by");
    snprintf(texts[3], sizeof(texts[3]), "worker thread (work, by task first");
    snprintf(texts[4], sizeof(texts[4]), "worker process %d (work, by",
             (int)jg_worker_id(kept.workers[1]));
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(heard[i].kind, JG_DEBUG_FD_LEAK);
        ck_assert_str_eq(heard[i].task, "first");
        expect_text(heard[i].text, texts[i]);
    }
    ck_assert_int_eq(close_kept(&kept), 0);
}
END_TEST

static intptr_t open_pipes(void *arg) {
    const char *argv[] = {"/bin/cat", NULL};
    const jg_stdio pipe = {.kind = JG_STDIO_PIPE};
    const jg_process_options options = {
        .argv = argv, .in = pipe, .out = pipe, .err = pipe, .grace_ms = -1};
    return jg_process_spawn(&options, arg);
}

static void pipes_victim(void *arg) {
    jg_process *process;
    run_debugged(open_pipes, &process, &patient);
    memcpy(arg, heard, sizeof(heard));
    kill(jg_process_id(process), SIGKILL);
    waitpid(jg_process_id(process), NULL, 0);
    abort();
}

// "adopted" would send whoever reads it to look for a descriptor that the program was given.
START_TEST(pipes_of_a_program_left_are_named) {
    static const char *const texts[] = {" (cat, by task first spawned at first.c:1)",
                                        " (stdin of cat, by task first spawned at first.c:1)",
                                        " (stdout of cat, by", " (stderr of cat, by"};
    if (on_backend("sim")) {
        fixture_skip("a simulated loop has no pipes to real programs");
    }
    hear_in_child(pipes_victim);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(heard[i].kind, JG_DEBUG_FD_LEAK);
        expect_text(heard[i].text, texts[i]);
    }
}
END_TEST

static void *close_elsewhere(void *kept) {
    return (void *)close_kept(kept);
}

static intptr_t hand_over_body(void *arg) {
    struct kept kept;
    pthread_t thread;
    void *rc;
    ck_assert_int_eq(open_kept(&kept), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, close_elsewhere, &kept), 0);
    ck_assert_int_eq(pthread_join(thread, &rc), 0);
    ck_assert_ptr_null(rc);
    ck_assert_int_eq(open_kept(&kept), 0);
    return close_kept(&kept) + (intptr_t)arg;
}

// What another thread has closed would be blamed on the loop.
START_TEST(what_is_closed_anywhere_is_no_leak) {
    ck_assert_int_eq(run_debugged(hand_over_body, NULL, &patient), 0);
    ck_assert_int_eq(atomic_load(&heard_count), 0);
}
END_TEST

static int listen_at(const char *name) {
    jg_listener *listener;
    return jg_unix_listen(name, &listener);
}

static intptr_t sockets_body(void *arg) {
    jg_stream *streams[2];
    jg_udp *udp;
    (void)arg;
    ck_assert_int_eq(jg_pipe(&streams[0], &streams[1]), 0);
    ck_assert_int_eq(listen_at("@juggle-debug-leaks"), 0);
    ck_assert_int_eq(jg_unix_connect("@juggle-debug-leaks", &streams[0]), 0);
    ck_assert_int_eq(jg_udp_open(NULL, NULL, &udp), 0);
    return 0;
}

static void sockets_victim(void *arg) {
    (void)arg;
    run_debugged(sockets_body, NULL, &patient);
    const char *const texts[] = {"(pipe, by task first", "(pipe, by task first",
                                 "(listener, by task first", "(connected, by task first",
                                 "(datagram socket, by task"};
    int count = atomic_load(&heard_count);
    int right = 0;
    for (int i = 0; i < count; i++) {
        right += i < 5 && strstr(heard[i].text, texts[i]) != NULL;
    }
    fprintf(stderr, "%d told, %d as they should be", count, right);
    abort();
}

// Each kind of descriptor is told of once, in the order they were opened.
START_TEST(every_kind_of_descriptor_is_named) {
    fixture_expect_abort(sockets_victim, NULL,
                         "5 told, 5 as they"); // in a child: it leaks, after all
}
END_TEST

static jg_signals signals;

static intptr_t watch_body(void *arg) {
    (void)arg;
    return jg_signals_open(&signals, JG_SIGNAL(SIGUSR1));
}

// A watch that is closed too late, or never, would swallow its signals unseen.
START_TEST(a_watch_on_signals_is_told_of) {
    ck_assert_int_eq(run_debugged(watch_body, NULL, &patient), 0);
    ck_assert_int_eq(atomic_load(&heard_count), 1);
    expect_text(find(JG_DEBUG_SIGNAL_LEAK)->text, "a watch on signals was open");
}
END_TEST

// A false alarm would teach people to look away.
START_TEST(what_is_given_back_is_no_leak) {
    ck_assert_int_eq(run_debugged(clean_body, NULL, &patient), 0);
    ck_assert_int_eq(atomic_load(&heard_count), 0);
}
END_TEST

FIXTURE_MAIN("api/debug_leaks", leaks_are_named_at_the_end,
             files_programs_pools_and_workers_left_are_named, pipes_of_a_program_left_are_named,
             what_is_closed_anywhere_is_no_leak, every_kind_of_descriptor_is_named,
             a_watch_on_signals_is_told_of, what_is_given_back_is_no_leak)
