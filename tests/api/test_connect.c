// SPDX-License-Identifier: MIT
/* test_connect.c – connecting by name: a slow resolver, a cancelled wait for it, every address tried.
 * (Races of them: test_connect_race.c.)
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
#include "api/api.h"
#include "fixtures/limits.h"

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

// A port of 127.0.0.1 somebody listens at; connecting needs no accept.
static jg_listener *listen_at(const char *host) {
    jg_listener *listener = NULL;
    ck_assert_int_eq(jg_tcp_listen(host, 0, &listener), 0);
    return listener;
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

enum { STUCK = 4, FILE_JOBS = 200 };

static intptr_t read_nothing(void *arg) {
    return (intptr_t)arg;
}

static intptr_t stuck_lookups(void *arg) {
    int port = 9;
    jg_task *tasks[STUCK];
    (void)arg;
    for (int i = 0; i < STUCK; i++) {
        tasks[i] = jg_spawn(connect_slow, &port);
    }
    await_asked(STUCK);
    for (intptr_t i = 0; i < FILE_JOBS; i++) {
        ck_assert_int_eq(jg_to_thread(read_nothing, (void *)i), i); // the gate is still shut
    }
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

static jg_listener *listen_at_ipv6(void) {
    jg_listener *listener = NULL;
    int rc = jg_tcp_listen("::1", 0, &listener);
    if (rc == -EADDRNOTAVAIL || rc == -EAFNOSUPPORT) {
        fixture_skip("this machine has no ::1");
    }
    ck_assert_int_eq(rc, 0);
    return listener;
}

static const char *const own_names[] = {NULL, "localhost", "LocalHost.", "a.b.localhost",
                                        "a.LOCALHOST."};

static intptr_t local_ipv6(void *arg) {
    (void)arg;
    char expected[200];
    jg_stream *stream = NULL;
    jg_listener *listener = listen_at_ipv6();
    int port = jg_listener_port(listener);
    for (size_t i = 0; i < sizeof(own_names) / sizeof(own_names[0]); i++) {
        ck_assert_int_eq(jg_tcp_connect(own_names[i], port, &stream), 0);
        jg_stream_close(stream);
    }
    jg_listener_close(listener);
    ck_assert_int_eq(jg_tcp_connect("localhost", port, &stream), -ECONNREFUSED);
    snprintf(expected, sizeof(expected),
             "cannot connect to localhost port %d: 127.0.0.1:%d (Connection refused), "
             "[::1]:%d (Connection refused)",
             port, port, port);
    ck_assert_str_eq(jg_error_last()->text, expected);
    ck_assert_int_eq(atomic_load(&asked), 0);
    return 0;
}

// "localhost" would mean 127.0.0.1 alone.
START_TEST(localhost_is_both_loopbacks) {
    run_once(local_ipv6, NULL);
}
END_TEST

static intptr_t near_names(void *arg) {
    static const char *const others[] = {"localhosts", "alocalhost", "localhost.example",
                                         ".localhost", "localhost.."};
    const int count = sizeof(others) / sizeof(others[0]);
    jg_address found[4];
    jg_stream *stream = NULL;
    (void)arg;
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(jg_tcp_connect(others[i], 80, &stream), -ENOENT);
        ck_assert_int_eq(atomic_load(&asked), i + 1);
    }
    ck_assert_int_eq(jg_tcp_connect("not a name.localhost", 80, &stream), -EINVAL);
    for (size_t i = 0; i < sizeof(own_names) / sizeof(own_names[0]); i++) {
        ck_assert_int_eq(jg_resolve(own_names[i], 80, found, 4), 2);
        ck_assert_int_eq(jg_resolve(own_names[i], 80, found, 1), 1);
    }
    ck_assert_int_eq(atomic_load(&asked), count);
    return 0;
}

// RFC 6761. A resolver would be asked for this machine's names, or another's name be taken for one.
START_TEST(localhost_asks_no_resolver) {
    run_once(near_names, NULL);
    finish_lookups(0);
}
END_TEST

/* Two listeners at one port, the first of which does not answer: its queue is full. */
struct dead_end {
    jg_listener *alive;
    int dead_fd;
    int queued_fd;
};

static void open_dead_end(struct dead_end *end, jg_listener *alive, const char *dead) {
    end->alive = alive;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)jg_listener_port(end->alive))};
    inet_pton(AF_INET, dead, &address.sin_addr);
    const struct sockaddr *where = (const struct sockaddr *)(const void *)&address;
    end->dead_fd = socket(AF_INET, SOCK_STREAM, 0);
    end->queued_fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(end->dead_fd, where, sizeof(address)), 0);
    ck_assert_int_eq(listen(end->dead_fd, 0), 0);
    ck_assert_int_eq(connect(end->queued_fd, where, sizeof(address)), 0);
}

static void close_dead_end(const struct dead_end *end) {
    jg_listener_close(end->alive);
    close(end->queued_fd);
    close(end->dead_fd);
}

/* Connects to a name whose first address is a dead end, and whose second is not. */
static void get_around(const struct dead_end *end, const char *name) {
    jg_stream *stream = NULL;
    intptr_t rc = 0;
    int port = jg_listener_port(end->alive);
    int64_t before = jg_now();
    JG_TIMEOUT(on_backend("blocking") ? 100 : 15000, rc) {
        rc = jg_tcp_connect(name, port, &stream);
    }
    if (on_backend("blocking")) {
        ck_assert_int_eq(rc, -ETIMEDOUT);
    } else {
        ck_assert_int_eq(rc, 0);
        ck_assert_int_ge(jg_now() - before, 250 * JG_MS);
        ck_assert_int_lt(jg_now() - before, LONG_NS);
    }
    jg_stream_close(stream);
}

static intptr_t around_a_dead_end(void *arg) {
    struct dead_end end;
    (void)arg;
    open_dead_end(&end, listen_at("127.0.0.1"), "127.0.0.2");
    get_around(&end, "fast.example");
    close_dead_end(&end);
    return 0;
}

static intptr_t around_a_dead_loopback(void *arg) {
    struct dead_end end;
    (void)arg;
    open_dead_end(&end, listen_at_ipv6(), "127.0.0.1");
    get_around(&end, "localhost");
    close_dead_end(&end);
    return 0;
}

// A firewall on one loopback address would cost who asks for "localhost" the whole deadline.
START_TEST(r25_dead_loopback_is_got_around) {
    run_once(around_a_dead_loopback, NULL);
}
END_TEST

// A dead first address would cost the whole deadline, as it is said to without a loop.
START_TEST(r25_dead_first_address_is_got_around) {
    run_once(around_a_dead_end, NULL);
    finish_lookups(1);
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
             localhost_is_both_loopbacks, localhost_asks_no_resolver,
             r25_dead_loopback_is_got_around, r25_dead_first_address_is_got_around,
             r25_families_take_turns, r25_no_descriptor_for_any_address)
