// SPDX-License-Identifier: MIT
/* test_pipe.c – pipes, and the standard descriptors as streams.
 *
 * Holds      nothing between tests.
 * Invariant  the standard descriptors are as before after each test, down to their mode.
 * Called by  ctest, on epoll, on sim, and without a loop.
 * Why        a terminal left non-blocking breaks the shell that comes back to it.
 */
// Backends: epoll sim blocking
#include "api/api.h"
#include "fixtures/limits.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

// Pipes.

enum { LARGE = 300000 };

static intptr_t write_large(void *arg) {
    char *bytes = malloc(LARGE);
    for (int i = 0; i < LARGE; i++) {
        bytes[i] = (char)(i * 7 >> 4);
    }
    intptr_t put = jg_write(arg, bytes, LARGE);
    free(bytes);
    jg_stream_close(arg);
    return put;
}

static intptr_t large_body(void *arg) {
    jg_stream *reader;
    jg_stream *writer;
    char chunk[5000];
    int at = 0;
    ssize_t got;
    (void)arg;
    ck_assert_int_eq(jg_pipe(&reader, &writer), 0);
    jg_task *task = jg_spawn(write_large, writer);
    while ((got = jg_read(reader, chunk, sizeof(chunk))) > 0) {
        for (ssize_t i = 0; i < got; i++, at++) {
            if (chunk[i] != (char)(at * 7 >> 4)) {
                ck_abort_msg("byte %d is wrong", at);
            }
        }
    }
    ck_assert_int_eq(got, 0);
    ck_assert_int_eq(at, LARGE);
    ck_assert_int_eq(jg_join(task), LARGE);
    jg_stream_close(reader);
    return 0;
}

// More than fits into a pipe would get stuck or mixed up, or its end not be seen.
START_TEST(a_pipe_carries_more_than_it_holds) {
    needs_loop();
    run_body(large_body);
}
END_TEST

static intptr_t directions_body(void *arg) {
    jg_stream *reader;
    jg_stream *writer;
    char text[4];
    (void)arg;
    ck_assert_int_eq(jg_pipe(&reader, &writer), 0);
    ck_assert_int_eq(jg_write(reader, "x", 1), -EPIPE);
    ck_assert_int_eq(jg_read(writer, text, 1), -EPIPE);
    ck_assert_int_eq(jg_write(writer, "ball", 4), 4);
    ck_assert_int_eq(jg_read_exact(reader, text, 4), 4);
    intptr_t rc = 0;
    JG_TIMEOUT(5, rc) {
        rc = jg_read(reader, text, 4);
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    jg_stream_close(reader);
    ssize_t put = 0;
    for (int i = 0; i < 100 && put >= 0; i++) { // no SIGPIPE
        put = jg_write(writer, "x", 1);
    }
    ck_assert_int_eq(put, -EPIPE);
    jg_stream_close(writer);
    return 0;
}

// A pipe would work both ways on one backend and not on another.
START_TEST(a_pipe_goes_one_way) {
    run_body(directions_body);
}
END_TEST

static intptr_t write_until_shut(void *arg) {
    static char piece[4096];
    ssize_t put = 0;
    while (put >= 0) {
        put = jg_write(arg, piece, sizeof(piece));
    }
    return put;
}

static intptr_t shutdown_body(void *arg) {
    jg_stream *reader;
    jg_stream *writer;
    char text[8];
    (void)arg;
    ck_assert_int_eq(jg_pipe(&reader, &writer), 0);
    ck_assert_int_eq(jg_stream_shutdown(reader), -ENOTSOCK);
    ck_assert_int_eq(jg_write(writer, "last", 4), 4);
    ck_assert_int_eq(jg_stream_shutdown(writer), 0);
    ck_assert_int_eq(jg_read_exact(reader, text, 4), 4);
    ck_assert_int_eq(jg_read(reader, text, 1), 0);
    ck_assert_int_eq(jg_stream_shutdown(writer), 0); // again, as on a socket
    ck_assert_int_eq(jg_write(writer, "x", 1), -EPIPE);
    ck_assert_int_eq(jg_read(writer, text, 1), -EPIPE);
    ck_assert(!jg_stream_idle_ok(writer));
    ck_assert_int_eq(jg_stream_fd(writer), -1);
    ck_assert(jg_stream_sent(writer) == 4);
    jg_stream_close(writer);
    jg_stream_close(reader);
    return 0;
}

// Who reads a pipe would wait for ever for its end, or the close would close a descriptor twice.
START_TEST(shutting_a_pipe_down_ends_it) {
    run_body(shutdown_body);
}
END_TEST

static intptr_t shutdown_meanwhile_body(void *arg) {
    jg_stream *reader;
    jg_stream *writer;
    (void)arg;
    ck_assert_int_eq(jg_pipe(&reader, &writer), 0);
    jg_task *task = jg_spawn(write_until_shut, writer);
    jg_sleep(5); // it waits for room
    ck_assert_int_eq(jg_stream_shutdown(writer), 0);
    ck_assert_int_eq(jg_join(task), -EPIPE);
    jg_stream_close(writer);
    jg_stream_close(reader);
    return 0;
}

// A task that waits for room in the pipe would wait on, or write into somebody else's descriptor.
START_TEST(shutting_a_pipe_down_ends_a_write) {
    needs_loop();
    run_body(shutdown_meanwhile_body);
}
END_TEST

static intptr_t unread_body(void *arg) {
    jg_stream *reader;
    jg_stream *writer;
    (void)arg;
    ck_assert_int_eq(jg_pipe(&reader, &writer), 0);
    ck_assert_int_eq(jg_write(writer, "never read", 10), 10);
    jg_stream_close(reader);
    ck_assert_int_eq(jg_write(writer, "x", 1), -EPIPE);
    jg_stream_close(writer);
    return 0;
}

// A reader that left with bytes unread would look like a network failure, which a pipe does not have.
START_TEST(a_reader_that_leaves_is_a_broken_pipe) {
    run_body(unread_body);
}
END_TEST

static intptr_t shortage_body(void *arg) {
    jg_stream *ends[2] = {NULL, NULL};
    (void)arg;
    for (int more = 0; more < 2; more++) {
        rlim_t before = leave_descriptors(more);
        int rc = jg_pipe(&ends[0], &ends[1]);
        set_descriptors(before);
        ck_assert_int_eq(rc, on_backend("sim") ? 0 : -EMFILE);
        jg_stream_close(ends[0]);
        jg_stream_close(ends[1]);
    }
    return 0;
}

// Out of descriptors, one end of a pipe would be left open.
START_TEST(a_pipe_needs_two_descriptors) {
    run_once(shortage_body, NULL);
}
END_TEST

// Standard descriptors.

/* Puts `fd` in the place of a standard descriptor. Returns what was there. */
static int put_in_place(int fd, int number) {
    int kept = fcntl(number, F_DUPFD_CLOEXEC, 20);
    ck_assert_int_ge(kept, 0);
    ck_assert_int_eq(dup2(fd, number), number);
    return kept;
}

static void put_back(int kept, int number) {
    dup2(kept, number);
    close(kept);
}

static bool is_blocking(int fd) {
    return (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
}

static void needs_real(void) {
    if (on_backend("sim")) {
        fixture_skip("a simulated loop has no standard descriptors");
    }
}

static intptr_t terminal_body(void *arg) {
    int master = *(int *)arg;
    jg_stream *in;
    jg_stream *out;
    char text[16];
    ck_assert_int_eq(jg_stdio_open(0, &in), 0);
    ck_assert_int_eq(jg_stdio_open(1, &out), 0);
    bool kept_mode = is_blocking(0) && is_blocking(1);
    ssize_t put = write(master, "typed\n", 6);
    ssize_t got = jg_read(in, text, sizeof(text));
    ssize_t said = jg_write(out, "said\n", 5);
    jg_stream_close(in);
    jg_stream_close(out);
    ck_assert(kept_mode && is_blocking(0) && is_blocking(1));
    ck_assert_int_eq(put, 6);
    ck_assert_int_eq(got, 6);
    ck_assert_int_eq(memcmp(text, "typed\n", 6), 0);
    ck_assert_int_eq(said, 5);
    return 0;
}

// The shell that gets its terminal back would see EAGAIN from every read.
START_TEST(a_terminal_stays_blocking) {
    needs_real();
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) {
        fixture_skip("no pseudo terminal here");
    }
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(terminal, 0);
    int kept_in = put_in_place(terminal, 0);
    int kept_out = put_in_place(terminal, 1);
    run_once(terminal_body, &master);
    put_back(kept_in, 0);
    put_back(kept_out, 1);
    close(terminal);
    close(master);
}
END_TEST

static intptr_t echo_body(void *arg) {
    jg_stream *in;
    char text[16];
    (void)arg;
    ck_assert_int_eq(jg_stdio_open(0, &in), 0);
    ssize_t got = jg_read(in, text, sizeof(text));
    ssize_t end = jg_read(in, text, sizeof(text));
    jg_stream_close(in);
    ck_assert(is_blocking(0));
    ck_assert_int_eq(got, 5);
    ck_assert_int_eq(end, 0);
    return 0;
}

static void expect_input_from(int fds[2]) {
    int kept = put_in_place(fds[0], 0);
    ck_assert_int_eq(write(fds[1], "input", 5), 5);
    close(fds[1]);
    run_once(echo_body, NULL);
    put_back(kept, 0);
    close(fds[0]);
}

// What a program is fed through a pipe or a socket would be lost, or its feeder be disturbed.
START_TEST(pipes_and_sockets_stay_blocking) {
    int fds[2];
    needs_real();
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    expect_input_from(fds);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    expect_input_from(fds);
}
END_TEST

static intptr_t file_body(void *arg) {
    jg_stream *out;
    (void)arg;
    ck_assert_int_eq(jg_stdio_open(1, &out), 0);
    ssize_t put = jg_write(out, "one\n", 4);
    put += write(1, "two\n", 4); // others that share it go on where we stopped
    put += jg_write(out, "three\n", 6);
    jg_stream_close(out);
    ck_assert_int_eq(put, 14);
    return 0;
}

// `program > file` would fail, or overwrite what others wrote there.
START_TEST(a_file_is_written_where_it_stands) {
    char path[] = "/tmp/juggle-XXXXXX";
    char text[32] = {0};
    needs_real();
    int fd = mkstemp(path);
    int kept = put_in_place(fd, 1);
    run_once(file_body, NULL);
    put_back(kept, 1);
    ck_assert_int_eq(pread(fd, text, sizeof(text) - 1, 0), 14);
    ck_assert_str_eq(text, "one\ntwo\nthree\n");
    close(fd);
    unlink(path);
}
END_TEST

static intptr_t refused_body(void *arg) {
    jg_stream *stream;
    bool sim = on_backend("sim");
    (void)arg;
    ck_assert_int_eq(jg_stdio_open(3, &stream), -EINVAL);
    ck_assert_int_eq(jg_stdio_open(-1, &stream), -EINVAL);
    int directory = open("/", O_RDONLY | O_CLOEXEC);
    int kept = put_in_place(directory, 0);
    int rc = jg_stdio_open(0, &stream);
    close(0);
    int closed = jg_stdio_open(0, &stream);
    put_back(kept, 0);
    close(directory);
    ck_assert_int_eq(rc, sim ? -EOPNOTSUPP : -EPERM);
    ck_assert_int_eq(closed, sim ? -EOPNOTSUPP : -EBADF);
    return 0;
}

// A descriptor that is none would be waited for.
START_TEST(what_is_no_stream_is_refused) {
    run_once(refused_body, NULL);
}
END_TEST

static intptr_t lent_body(void *arg) {
    int *fds = arg;
    jg_stream *stream;
    ck_assert_int_eq(jg_stream_open_fd(fds[0], &stream), 0);
    ck_assert(is_blocking(fds[1]) == on_backend("blocking"));
    jg_stream_close(stream);
    ck_assert(is_blocking(fds[1]));
    return 0;
}

// A descriptor lent to us would come back in another mode than it had.
START_TEST(closing_a_stream_gives_the_mode_back) {
    needs_real();
    int fds[2];
    int other[2];
    ck_assert_int_eq(pipe2(other, O_CLOEXEC), 0);
    fds[0] = fcntl(other[0], F_DUPFD_CLOEXEC, 3); // the same open file
    fds[1] = other[0];
    run_once(lent_body, fds);
    close(other[0]);
    close(other[1]);
}
END_TEST

FIXTURE_MAIN("api/pipe", a_pipe_carries_more_than_it_holds, a_pipe_goes_one_way,
             shutting_a_pipe_down_ends_it, shutting_a_pipe_down_ends_a_write,
             a_reader_that_leaves_is_a_broken_pipe, a_pipe_needs_two_descriptors,
             a_terminal_stays_blocking, pipes_and_sockets_stay_blocking,
             a_file_is_written_where_it_stands, what_is_no_stream_is_refused,
             closing_a_stream_gives_the_mode_back)
