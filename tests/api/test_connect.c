// SPDX-License-Identifier: MIT
/* test_connect.c – connecting by name: a slow resolver, a cancelled wait for it, every address tried.
 * (Races of them: test_connect_race.c; localhost: test_connect_local.c.)
 *
 * Holds      a resolver of its own: getaddrinfo is defined here, so the library asks this one. Of its
 *            names "slow.example" waits at a gate until a test opens it; "mixed.example" has addresses of
 *            both families.
 * Invariant  each test opens the gate and sees its lookup threads end before it ends.
 * Called by  ctest, on epoll and without a loop.
 * Why        a real resolver is slow when it likes, not when a test needs it.
 * Quirks     bounds are one-sided: a deadline may strike late on a busy machine, never early.
 */
// Backends: epoll blocking
#define FIXTURE_LIMIT 20
#include "api/connect_steps.h"
#include "fixtures/limits.h"
#include "fixtures/measure.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LOOKUPS_MOST = 16 };

static const int64_t LONG_NS = 15 * JG_S; // what would be reached if a limit did not hold

// The resolver.

static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_opens = PTHREAD_COND_INITIALIZER;
static bool gate_open;
static atomic_int asked; // how often the resolver was called

static void open_gate(void) {
    pthread_mutex_lock(&gate_lock);
    gate_open = true;
    pthread_cond_broadcast(&gate_opens);
    pthread_mutex_unlock(&gate_lock);
}

static void wait_at_gate(void) {
    pthread_mutex_lock(&gate_lock);
    while (!gate_open) {
        pthread_cond_wait(&gate_opens, &gate_lock);
    }
    pthread_mutex_unlock(&gate_lock);
}

struct answer {
    struct addrinfo info; // first
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } address;
};

static struct addrinfo *make_answer(const char *number, struct addrinfo *next) {
    struct answer *answer = calloc(1, sizeof(*answer));
    if (answer == NULL) {
        abort();
    }
    int family = strchr(number, ':') != NULL ? AF_INET6 : AF_INET;
    answer->address.any.sa_family = (sa_family_t)family;
    inet_pton(family, number,
              family == AF_INET6 ? (void *)&answer->address.in6.sin6_addr
                                 : (void *)&answer->address.in.sin_addr);
    answer->info = (struct addrinfo){.ai_family = family,
                                     .ai_addr = &answer->address.any,
                                     .ai_addrlen = family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                      : sizeof(struct sockaddr_in),
                                     .ai_next = next};
    return &answer->info;
}

/* Instead of the C library's. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out_all) {
    (void)service;
    (void)hints;
    atomic_fetch_add(&asked, 1);
    if (strcmp(name, "mixed.example") == 0) {
        *out_all = make_answer("::1", make_answer("::1", make_answer("127.0.0.2", NULL)));
        return 0;
    }
    if (strcmp(name, "slow.example") == 0) {
        wait_at_gate();
    } else if (strcmp(name, "fast.example") != 0) {
        return EAI_NONAME;
    }
    *out_all = make_answer("127.0.0.2", make_answer("127.0.0.1", NULL));
    return 0;
}

void freeaddrinfo(struct addrinfo *all) {
    while (all != NULL) {
        struct addrinfo *next = all->ai_next;
        free(all);
        all = next;
    }
}

static int count_lookup_threads(void) {
    DIR *dir = opendir("/proc/self/task");
    ck_assert_ptr_nonnull(dir);
    int count = 0;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[300];
        char name[16] = "";
        snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
        FILE *file = fopen(path, "r");
        if (file != NULL) {
            count += fgets(name, sizeof(name), file) != NULL && strcmp(name, "jg-lookup\n") == 0;
            fclose(file);
        }
    }
    closedir(dir);
    return count;
}

static void await_asked(int count) {
    while (atomic_load(&asked) < count) {
        if (jg_running()) {
            jg_sleep(1);
        } else {
            sched_yield();
        }
    }
}

/* Lets all lookups end, and waits until their threads, which have all begun, are gone. The test's
 * limit bounds it. */
static void finish_lookups(int begun) {
    await_asked(begun);
    open_gate();
    while (count_lookup_threads() > 0) {
        sched_yield();
    }
}

static intptr_t connect_slow(void *arg) {
    jg_stream *stream = NULL;
    int rc = jg_tcp_connect("slow.example", *(const int *)arg, &stream);
    jg_stream_close(stream);
    return rc;
}

static intptr_t limited_lookup(void *arg) {
    (void)arg;
    int port = 9;
    intptr_t rc = 0;
    int64_t before = jg_now();
    JG_TIMEOUT(50, rc) {
        rc = connect_slow(&port);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert_int_ge(jg_now() - before, 50 * JG_MS);
    ck_assert_int_lt(jg_now() - before, LONG_NS);
    return 0;
}

// A limit would not hold while the resolver thinks.
START_TEST(limit_cuts_a_lookup_short) {
    run_once(limited_lookup, NULL);
    finish_lookups(0); // it may not have begun
}
END_TEST

static intptr_t lookup_in_time(void *arg) {
    (void)arg;
    jg_listener *listener = listen_at("127.0.0.1");
    int port = jg_listener_port(listener);
    intptr_t rc = -1;
    open_gate();
    JG_TIMEOUT(15000, rc) {
        rc = connect_slow(&port);
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(connect_slow(&port), 0); // without a limit
    jg_listener_close(listener);
    return 0;
}

// The answer would be lost, or only the first address (where nobody listens) tried.
START_TEST(r25_lookup_in_time_tries_every_address) {
    run_once(lookup_in_time, NULL);
    ck_assert_int_eq(atomic_load(&asked), 2);
    finish_lookups(2);
}
END_TEST

static intptr_t cancelled_lookup(void *arg) {
    (void)arg;
    int port = 9;
    jg_task *task = jg_spawn(connect_slow, &port);
    await_asked(1);
    jg_cancel(task);
    ck_assert_int_eq(jg_join(task), -ECANCELED);
    return 0;
}

// A cancelled task would wait for the resolver.
START_TEST(cancel_cuts_a_lookup_short) {
    needs_loop();
    run_once(cancelled_lookup, NULL);
    finish_lookups(1);
}
END_TEST

static intptr_t cancel_in_the_same_turn(void *arg) {
    (void)arg;
    jg_listener *listener = listen_at("127.0.0.1");
    int port = jg_listener_port(listener);
    jg_task *task = jg_spawn(connect_slow, &port);
    await_asked(1);
    finish_lookups(1); // without suspending: the answer is in the inbox, not delivered
    jg_cancel(task);
    ck_assert_int_eq(jg_join(task), -ECANCELED); // by the connect that follows
    jg_listener_close(listener);
    return 0;
}

// The answer on its way would meet a record already freed, or wake a task twice.
START_TEST(answer_and_cancel_in_one_turn) {
    needs_loop();
    run_once(cancel_in_the_same_turn, NULL);
}
END_TEST

static intptr_t leave_lookup(void *arg) {
    jg_spawn(connect_slow, arg);
    await_asked(1);
    return 0; // the loop ends with the lookup under way
}

// An abandoned lookup would post to a loop that is gone, or leak.
START_TEST(loop_ends_before_its_lookup) {
    needs_loop();
    int port = 9;
    ck_assert_int_eq(jg_run(leave_lookup, &port), 0);
    finish_lookups(1);
}
END_TEST

static intptr_t unknown_host(void *arg) {
    (void)arg;
    jg_stream *stream = NULL;
    ck_assert_int_eq(jg_tcp_connect("nowhere.example", 80, &stream), -ENOENT);
    ck_assert_str_eq(jg_error_last()->text, "cannot resolve host nowhere.example");
    int rc = 0;
    JG_TIMEOUT(15000, rc) {
        rc = jg_tcp_connect("nowhere.example", 80, &stream);
    }
    ck_assert_int_eq(rc, -ENOENT);
    return 0;
}

// A mistyped host would not be named.
START_TEST(unknown_host_is_named) {
    run_once(unknown_host, NULL);
    finish_lookups(2);
}
END_TEST

static intptr_t many_lookups(void *arg) {
    (void)arg;
    int port = 9;
    int rc = 0;
    while (atomic_load(&asked) < LOOKUPS_MOST) { // one that was cut short may not have begun
        JG_TIMEOUT(1, rc) {
            rc = (int)connect_slow(&port);
        }
        ck_assert(rc == -ETIMEDOUT || rc == -EAGAIN);
    }
    JG_TIMEOUT(15000, rc) {
        rc = (int)connect_slow(&port);
    }
    ck_assert_int_eq(rc, -EAGAIN);
    ck_assert_ptr_nonnull(strstr(jg_error_last()->text, "too many name lookups under way"));
    return 0;
}

// Abandoned lookups would pile up threads without bound.
START_TEST(lookups_are_bounded) {
    run_once(many_lookups, NULL);
    ck_assert_int_eq(atomic_load(&asked), LOOKUPS_MOST);
    finish_lookups(LOOKUPS_MOST);
}
END_TEST

enum { STUCK = 4, FILE_JOBS = 200, FILE_JOB_P99_MS = 100 };

static intptr_t read_nothing(void *arg) {
    return (intptr_t)arg;
}

static intptr_t stuck_lookups(void *arg) {
    int port = 9;
    jg_task *tasks[STUCK];
    int64_t took_ns[FILE_JOBS];
    (void)arg;
    for (int i = 0; i < STUCK; i++) {
        tasks[i] = jg_spawn(connect_slow, &port);
    }
    await_asked(STUCK);
    for (intptr_t i = 0; i < FILE_JOBS; i++) {
        int64_t before = jg_now();
        ck_assert_int_eq(jg_to_thread(read_nothing, (void *)i), i); // the gate is still shut
        took_ns[i] = jg_now() - before;
    }
    int64_t p99_ns = measure_percentile(took_ns, FILE_JOBS, 99);
    ck_assert(!MEASURE_PLAIN || p99_ns <= FILE_JOB_P99_MS * JG_MS);
    for (int i = 0; i < STUCK; i++) {
        jg_cancel(tasks[i]);
        ck_assert_int_eq(jg_join(tasks[i]), -ECANCELED);
    }
    return 0;
}

// R22. Lookups that are stuck would take the threads of all other jobs.
START_TEST(r22_stuck_lookups_leave_other_jobs_alone) {
    needs_loop();
    run_once(stuck_lookups, NULL);
    finish_lookups(STUCK);
}
END_TEST

static jg_listener *listen_at_ipv4(void) {
    return listen_at("127.0.0.1");
}

static intptr_t around_a_dead_end(void *arg) {
    struct dead_end end;
    (void)arg;
    open_dead_end(&end, listen_at_ipv4, "127.0.0.2");
    check_way_around(&end, "fast.example");
    close_dead_end(&end);
    return 0;
}

// A dead first address would cost the whole deadline, as it is said to without a loop.
START_TEST(r25_dead_first_address_is_got_around) {
    run_once(around_a_dead_end, NULL);
    finish_lookups(on_backend("blocking") ? 1 : TRIES);
}
END_TEST

static intptr_t nobody_anywhere(void *arg) {
    char expected[200];
    jg_stream *stream = NULL;
    (void)arg;
    jg_listener *listener = listen_at("127.0.0.1");
    int port = jg_listener_port(listener);
    jg_listener_close(listener);
    ck_assert_int_eq(jg_tcp_connect("mixed.example", port, &stream), -ECONNREFUSED);
    const char *text = jg_error_last()->text;
    snprintf(expected, sizeof(expected), "cannot connect to mixed.example port %d: [::1]:%d (",
             port, port);
    ck_assert_msg(strncmp(text, expected, strlen(expected)) == 0, "%s", text);
    snprintf(expected, sizeof(expected), "), 127.0.0.2:%d (Connection refused), [::1]:%d (", port,
             port);
    ck_assert_msg(strstr(text, expected) != NULL, "%s", text);
    return 0;
}

// A family without a route would be tried to its end before the other one has its turn.
START_TEST(r25_families_take_turns) {
    run_once(nobody_anywhere, NULL);
    finish_lookups(1);
}
END_TEST

static intptr_t no_descriptor(void *arg) {
    jg_stream *stream = NULL;
    (void)arg;
    jg_listener *listener = listen_at("127.0.0.1");
    int port = jg_listener_port(listener);
    rlim_t before = leave_descriptors(0);
    ck_assert_int_eq(jg_tcp_connect("fast.example", port, &stream), -EMFILE);
    set_descriptors(before);
    ck_assert_ptr_nonnull(strstr(jg_error_last()->text, "127.0.0.1:"));
    ck_assert_ptr_nonnull(strstr(jg_error_last()->text, "127.0.0.2:"));
    ck_assert_int_eq(jg_tcp_connect("fast.example", port, &stream), 0);
    jg_stream_close(stream);
    jg_listener_close(listener);
    return 0;
}

// Out of descriptors, a race would hang, or keep what it had.
START_TEST(r25_no_descriptor_for_any_address) {
    run_once(no_descriptor, NULL);
    finish_lookups(2);
}
END_TEST

FIXTURE_MAIN("api/connect", limit_cuts_a_lookup_short, r25_lookup_in_time_tries_every_address,
             cancel_cuts_a_lookup_short, answer_and_cancel_in_one_turn, loop_ends_before_its_lookup,
             unknown_host_is_named, lookups_are_bounded, r22_stuck_lookups_leave_other_jobs_alone,
             r25_dead_first_address_is_got_around, r25_families_take_turns,
             r25_no_descriptor_for_any_address)
