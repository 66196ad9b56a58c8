// SPDX-License-Identifier: MIT
/* test_http_server_kernel.c – what only a real kernel does to a server.
 *
 * Holds      nothing.
 * Invariant  none.
 * Called by  the test runner, on epoll only.
 * Why        running out of descriptors, resets, and memory that the kernel counts.
 * Quirks     server and clients share one process, and so its limits.
 */
// Backends: epoll
#include "fixtures/http_raw.h"
#include "fixtures/limits.h"

#include <unistd.h>

#if defined(JUGGLE_SANITIZE_THREAD)
static const bool shadowed = true;
#else
static const bool shadowed = false;
#endif

static int hello(jg_http_exchange *x, void *arg) {
    (void)arg;
    return jg_http_reply(x, 200, NULL, "hello", 5);
}

#define HELLO RAW_OK "Content-Length: 5\r\n\r\nhello"

enum { FILLERS = 256 };

static int fillers[FILLERS];

/* Takes every descriptor there is, up to a limit that is near. */
static void use_up_fds(void) {
    set_descriptors(FILLERS);
    for (int i = 0; i < FILLERS; i++) {
        fillers[i] = dup(STDIN_FILENO);
    }
    ck_assert_int_lt(fillers[FILLERS - 1], 0);
}

static void give_fds_back(void) {
    for (int i = 0; i < FILLERS; i++) {
        if (fillers[i] >= 0) {
            close(fillers[i]);
        }
    }
}

enum { CLIENTS = 10 };

static intptr_t shortage_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    jg_stream *streams[CLIENTS];
    char byte;
    ck_assert_int_eq(jg_tcp_listen("127.0.0.1", 0, &server.listener), 0);
    for (int i = 0; i < CLIENTS; i++) {
        streams[i] = raw_connect(&server);
    }
    use_up_fds();
    raw_start(&server, hello);
    for (int i = 0; i < CLIENTS; i++) {
        ssize_t got = jg_read(streams[i], &byte, 1); // refused, not left waiting
        ck_assert(got == 0 || got == -ECONNRESET);
    }
    ck_assert_uint_eq(server.stats.connections, 0);
    for (int i = 0; i < CLIENTS; i++) {
        jg_stream_close(streams[i]);
    }
    give_fds_back();
    jg_stream *stream = raw_connect(&server);
    raw_send(stream, RAW_GET);
    raw_expect(stream, HELLO);
    jg_stream_close(stream);
    raw_stop(&server);
    return 0;
}

// A server out of descriptors would spin, or never accept again.
START_TEST(r19_running_out_of_descriptors) {
    raw_run(shortage_body);
}
END_TEST

static intptr_t accept_shortly(jg_listener *listener, jg_stream **out_stream) {
    intptr_t rc = 0;
    JG_TIMEOUT(10, rc) {
        rc = jg_accept(listener, out_stream);
    }
    return rc;
}

static intptr_t spare_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    jg_stream *accepted = NULL;
    char byte;
    ck_assert_int_eq(jg_tcp_listen("127.0.0.1", 0, &server.listener), 0);
    jg_stream *first = raw_connect(&server);
    rlim_t before = set_descriptors(3); // the spare one cannot be opened again
    ck_assert_int_eq(accept_shortly(server.listener, &accepted), -ETIMEDOUT);
    set_descriptors(before);
    ck_assert_int_eq(accept_shortly(server.listener, &accepted), 0);

    jg_stream *second = raw_connect(&server);
    use_up_fds();
    ck_assert_int_eq(accept_shortly(server.listener, &(jg_stream *){NULL}), -ETIMEDOUT);
    ck_assert_int_eq(jg_read(second, &byte, 1), 0);
    give_fds_back();
    jg_stream_close(accepted);
    jg_stream_close(first);
    jg_stream_close(second);
    jg_listener_close(server.listener);
    return 0;
}

// A listener whose spare descriptor somebody else took would leave peers waiting from then on.
START_TEST(r19_a_lost_spare_descriptor_is_replaced) {
    raw_run(spare_body);
}
END_TEST

static long resident_kib(void) {
    long kib = 0;
    char line[128];
    FILE *status = fopen("/proc/self/status", "re");
    ck_assert_ptr_nonnull(status);
    while (fgets(line, sizeof(line), status) != NULL) {
        sscanf(line, "VmRSS: %ld", &kib);
    }
    fclose(status);
    return kib;
}

static char huge[256 << 20];
static int writers;
static jg_event all_write;
static int write_results[CLIENTS];

static int write_huge(jg_http_exchange *x, void *arg) {
    (void)arg;
    int mine = writers++;
    if (writers == CLIENTS) {
        jg_event_set(&all_write);
    }
    write_results[mine] = jg_http_reply(x, 200, NULL, huge, sizeof(huge));
    return write_results[mine];
}

static intptr_t unread_body(void *arg) {
    (void)arg;
    struct raw_server server = {.options = {.write_ms = 100}};
    jg_stream *streams[CLIENTS];
    long before_kib = resident_kib();
    raw_start(&server, write_huge);
    for (int i = 0; i < CLIENTS; i++) {
        streams[i] = raw_connect(&server);
        raw_send(streams[i], RAW_GET);
    }
    ck_assert_int_eq(jg_event_wait(&all_write), 0);
    raw_pause();
    // What a writer that waits costs is its stack: nothing of the 2.5 GB is copied.
    ck_assert_int_lt(resident_kib() - before_kib, CLIENTS * 256);
    while (server.stats.open > 0) {
        ck_assert_int_eq(jg_sleep(10), 0);
    }
    for (int i = 0; i < CLIENTS; i++) {
        ck_assert_int_eq(write_results[i], -ETIMEDOUT);
        jg_stream_close(streams[i]);
    }
    raw_stop(&server);
    return 0;
}

// Peers that do not read would fill the server's memory.
START_TEST(r28_unread_replies_cost_no_memory) {
    if (shadowed) {
        fixture_skip("the thread sanitizer's shadow grows with every byte touched");
    }
    raw_run(unread_body);
}
END_TEST

static int cut_reply(jg_http_exchange *x, void *arg) {
    (void)arg;
    int rc = jg_http_reply_begin(x, 200, NULL);
    rc = rc < 0 ? rc : jg_http_reply_write(x, "half", 4);
    return rc < 0 ? rc : -EIO;
}

static void ignore_report(const jg_error *error) {
    (void)error;
}

static intptr_t reset_body(void *arg) {
    (void)arg;
    struct raw_server server = {0};
    char answer[1024];
    jg_error_on_unretrieved(ignore_report);
    raw_start(&server, cut_reply);
    jg_stream *stream = raw_connect(&server);
    raw_send(stream, "GET / HTTP/1.0\r\n\r\n");
    ssize_t got = 1;
    while (got > 0) {
        got = jg_read(stream, answer, sizeof(answer));
    }
    ck_assert_int_eq(got, -ECONNRESET);
    jg_stream_close(stream);
    raw_stop(&server);
    jg_error_on_unretrieved(NULL);
    return 0;
}

// A reply that ends with the connection would look whole when its handler failed halfway.
START_TEST(cut_replies_end_in_a_reset) {
    raw_run(reset_body);
}
END_TEST

FIXTURE_MAIN("api/http_server_kernel", r19_running_out_of_descriptors,
             r19_a_lost_spare_descriptor_is_replaced, r28_unread_replies_cost_no_memory,
             cut_replies_end_in_a_reset)
