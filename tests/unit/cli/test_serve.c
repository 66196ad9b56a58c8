// SPDX-License-Identifier: MIT
/* test_serve.c – the stand-in server as a user starts it.
 *
 * Holds      a plain client over a socket.
 * Invariant  none.
 * Called by  the test runner.
 * Why        lessons and demos take it for the services on the internet.
 * Quirks     none.
 */
#define FIXTURE_LIMIT 30
#include "juggle_runner.h"

#include "base/mem.h"

/* GETs a path over a plain socket; the whole answer is then in `out`. */
static void get(int port, const char *request) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    size_t used = 0;
    ssize_t length = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    dprintf(fd, "%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", request);
    while ((length = read(fd, out + used, CAUGHT_SIZE - 1 - used)) > 0) {
        used += (size_t)length;
    }
    out[used] = '\0';
    close(fd);
}

// The stand-in must answer as the real services do: same paths, same fields.
START_TEST(stand_in_answers_like_the_services) {
    struct served served = serve("--latency 0 --latency-players 0 --latency-ipify 0 "
                                 "--latency-ip-api 0 --size 100");
    get(served.port, "GET /api/onlinePlayers?output=json");
    ck_assert_int_eq(strncmp(out, "HTTP/1.1 200 ", 13), 0);
    ck_assert_uint_eq(count_in_out("{\"label\":\""), 5);
    ck_assert_ptr_nonnull(strstr(out, "\"xone\":{\"label\":\"XBOXONE\",\"count\":"));
    ck_assert_uint_eq(count_in_out("\"peak24\":"), 5);
    get(served.port, "GET /ipify?format=json");
    ck_assert_ptr_nonnull(strstr(out, "\r\n\r\n{\"ip\":\"127.0.0.1\"}"));
    get(served.port, "GET /ip-api/json");
    ck_assert_ptr_nonnull(strstr(out, "\"query\":\"127.0.0.1\"}"));
    get(served.port, "GET /stats");
    ck_assert_uint_eq(strlen(strstr(out, "\r\n\r\n") + 4), 100);
    get(served.port, "GET /");
    ck_assert_uint_eq(strlen(strstr(out, "\r\n\r\n") + 4), 100);
    get(served.port, "GET /other");
    ck_assert_int_eq(strncmp(out, "HTTP/1.1 404 ", 13), 0);
    get(served.port, "DELETE /");
    ck_assert_int_eq(strncmp(out, "HTTP/1.1 405 ", 13), 0);
    ck_assert_int_eq(stop(served), EXIT_GOOD);
    ck_assert_ptr_nonnull(strstr(out, "served 7 requests on 7 connections"));
}
END_TEST

// A port that is taken is a limit of the machine, not a crash.
START_TEST(taken_port_is_named) {
    char line[64];
    int port = 0;
    int listener = listen_anywhere(&port);
    snprintf(line, sizeof(line), "serve --port %d", port);
    ck_assert_int_eq(juggle(line), EXIT_LOCAL_LIMIT);
    check_one_line(err);
    ck_assert_ptr_nonnull(strstr(err, "juggle serve: cannot listen on 127.0.0.1 port "));
    close(listener);
}
END_TEST

// A Unix socket takes TCP out of the comparison.
START_TEST(unix_sockets_are_raced) {
    char line[256];
    char folder[] = "/tmp/juggle-test-XXXXXX";
    int ends[2];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    snprintf(line, sizeof(line), "serve --latency 1ms --unix %s/s", folder);
    struct served served = {.run = start(line, ends[1])};
    close(ends[1]);
    served.run.out_fd = ends[0];
    ssize_t length = read(ends[0], out, CAUGHT_SIZE - 1);
    out[length < 0 ? 0 : length] = '\0';
    ck_assert_ptr_nonnull(strstr(out, "listening on http+unix://%2Ftmp%2Fjuggle-test-"));
    snprintf(line, sizeof(line),
             "race http+unix://%%2Ftmp%%2F%s%%2Fs/ -n 40 -c 4 -r 1 --json "
             "-m threads,processes,coroutines,floor",
             folder + strlen("/tmp/"));
    int code = juggle(line);
    ck_assert_msg(code == EXIT_GOOD, "%d: %s%s", code, err, out);
    ck_assert_uint_eq(count_in_out("\n      \"requests_ok\": 40,"), 4);
    ck_assert_int_eq(stop(served), EXIT_GOOD);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* `juggle serve` whose n-th request for memory is refused: it ends with a line and a code, or it listens and
 * then stops when it is told to. Returns whether it did all of it, as nothing was refused. */
static bool serve_refused(uint64_t nth) {
    int ends[2];
    int status = 0;
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    mem_fail_nth(nth, 0);
    struct run run = start("serve --port 0 --quiet", ends[1]);
    mem_fail_nth(0, 0);
    close(ends[1]);
    bool listens = read(ends[0], out, CAUGHT_SIZE) > 0;
    close(ends[0]);
    if (listens) {
        kill(run.pid, SIGTERM);
    }
    ck_assert_int_eq(waitpid(run.pid, &status, 0), run.pid);
    catch_text(run.err_fd, err);
    ck_assert_msg(WIFEXITED(status), "wait status 0x%x", (unsigned)status);
    int code = WEXITSTATUS(status);
    ck_assert_msg(listens || code == EXIT_LOCAL_LIMIT, "%d: %s", code, err);
    if (code != EXIT_GOOD) {
        check_one_line(err);
    }
    return code == EXIT_GOOD;
}

// A server that could not watch for signals would serve on, and nothing but SIGKILL could stop it.
START_TEST(no_memory_ends_it_with_a_line) {
    unsigned good = 0;
    for (uint64_t nth = 1; good < 10; nth++) {
        good += serve_refused(nth);
    }
}
END_TEST

FIXTURE_MAIN("cli/serve", no_memory_ends_it_with_a_line, stand_in_answers_like_the_services,
             taken_port_is_named, unix_sockets_are_raced)
