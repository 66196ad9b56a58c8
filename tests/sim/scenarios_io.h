// SPDX-License-Identifier: MIT
/* scenarios_io.h – scenarios of streams and listeners.
 *
 * Holds      pipeline, echo, doors, lines, duplex, halves.
 * Invariant  see scenarios.h.
 * Called by  scenarios.h.
 * Why        see scenarios.h.
 */
#ifndef SIM_SCENARIOS_IO_H
#define SIM_SCENARIOS_IO_H

#include "fixtures/fixture.h"

#include <juggle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// pipeline: numbered bytes through a stream, in order and without gaps.

enum { PIPE_BYTES = 3000 };

struct pipeline {
    jg_stream *ends[2];
    size_t read;
    bool wrong;
};

static intptr_t pipeline_write(void *arg) {
    struct pipeline *pipe = arg;
    unsigned char chunk[100];
    for (size_t at = 0; at < PIPE_BYTES; at += sizeof(chunk)) {
        for (size_t i = 0; i < sizeof(chunk); i++) {
            chunk[i] = (unsigned char)(at + i);
        }
        if (jg_write(pipe->ends[0], chunk, sizeof(chunk)) < 0) {
            break;
        }
        jg_sleep(
            (int64_t)(at / 100 % 8)); // so that the reader's limit strikes in the middle of a read
    }
    jg_stream_shutdown(pipe->ends[0]);
    return 0;
}

static intptr_t pipeline_read(void *arg) {
    struct pipeline *pipe = arg;
    unsigned char chunk[77];
    for (int tries = 0; tries < 200; tries++) {
        ssize_t got = 0;
        JG_TIMEOUT(5, got) {
            got = tries % 3 == 0 ? jg_read_exact(pipe->ends[1], chunk, sizeof(chunk))
                                 : jg_read(pipe->ends[1], chunk, sizeof(chunk));
        }
        if (got == -ETIMEDOUT || got == -EPIPE) {
            continue; // what had come stays readable
        }
        if (got <= 0) {
            break;
        }
        for (ssize_t i = 0; i < got; i++) {
            pipe->wrong = pipe->wrong || chunk[i] != (unsigned char)pipe->read;
            pipe->read++;
        }
    }
    return 0;
}

static intptr_t pipeline_run(void *arg) {
    struct pipeline pipe = {.read = 0};
    (void)arg;
    if (jg_stream_pair(&pipe.ends[0], &pipe.ends[1]) < 0) {
        return -ENOMEM;
    }
    JG_GROUP(group) {
        jg_group_spawn(group, pipeline_write, &pipe);
        jg_group_spawn(group, pipeline_read, &pipe);
    }
    ck_assert(!pipe.wrong);
    ck_assert_uint_le(pipe.read, jg_stream_sent(pipe.ends[0]));
    ck_assert(scenario_disturbed || pipe.read == PIPE_BYTES);
    jg_stream_close(pipe.ends[0]);
    jg_stream_close(pipe.ends[1]);
    return 0;
}

// echo: a server with a task per connection, and clients that come and go.

struct echo {
    jg_listener *listener;
    jg_group *connections;
    int opened;
    int closed;
    int answered;
    int wrong;
};

struct echo_connection {
    struct echo *echo;
    jg_stream *stream;
};

static intptr_t echo_connection(void *arg) {
    struct echo_connection connection = *(struct echo_connection *)arg;
    char text[64];
    ssize_t got;
    while ((got = jg_read(connection.stream, text, sizeof(text))) > 0) {
        if (jg_write(connection.stream, text, (size_t)got) < 0) {
            break;
        }
    }
    jg_stream_close(connection.stream);
    connection.echo->closed++;
    return 0;
}

static void echo_refuse(void *arg) {
    struct echo_connection *connection = arg;
    jg_stream_close(connection->stream);
    connection->echo->closed++;
}

static intptr_t echo_serve(void *arg) {
    struct echo *echo = arg;
    static struct echo_connection slots[16];
    for (int i = 0; i < 16; i++) {
        slots[i] = (struct echo_connection){.echo = echo};
        if (jg_accept(echo->listener, &slots[i].stream) < 0) {
            break;
        }
        echo->opened++;
        const jg_spawn_options options = {.group = echo->connections, .drop_arg = echo_refuse};
        jg_detach(jg_spawn_with(echo_connection, &slots[i], &options));
    }
    return 0;
}

static intptr_t echo_ask(void *arg) {
    struct echo *echo = arg;
    jg_stream *stream;
    char text[5] = {0};
    ssize_t rc = 0;
    if (jg_tcp_connect("127.0.0.1", jg_listener_port(echo->listener), &stream) < 0) {
        return 0;
    }
    JG_TIMEOUT(1000, rc) {
        rc = jg_write(stream, "hello", 5);
        rc = rc < 0 ? rc : jg_read_exact(stream, text, 5);
    }
    echo->answered += rc == 5;
    echo->wrong += rc == 5 && memcmp(text, "hello", 5) != 0;
    jg_stream_close(stream);
    return 0;
}

static intptr_t echo_run(void *arg) {
    struct echo echo = {.opened = 0};
    (void)arg;
    if (jg_tcp_listen(NULL, 0, &echo.listener) < 0) {
        return -ENOMEM;
    }
    JG_GROUP(connections) {
        echo.connections = connections;
        jg_group_spawn(connections, echo_serve, &echo);
        JG_GROUP(clients) {
            for (int i = 0; i < 3; i++) {
                jg_group_spawn(clients, echo_ask, &echo);
            }
        }
        jg_group_cancel(connections);
    }
    jg_listener_close(echo.listener);
    ck_assert_int_eq(echo.opened, echo.closed);
    ck_assert_int_eq(echo.wrong, 0);
    ck_assert(scenario_disturbed || echo.answered == 3);
    return 0;
}

// doors: streams closed under those who use them.

struct doors {
    jg_stream *ends[2];
    int used;
    int wrong;
};

static intptr_t doors_read(void *arg) {
    struct doors *doors = arg;
    char text[32];
    ssize_t got = 0;
    doors->used++;
    got = jg_read(doors->ends[0], text, sizeof(text));
    doors->used--;
    doors->wrong += got < 0 && got != -EBADF && got != -ECANCELED && got != -EBUSY &&
                    got != -ECONNRESET && got != -ETIMEDOUT && got != -ENOMEM;
    return 0;
}

static intptr_t doors_write(void *arg) {
    struct doors *doors = arg;
    static const char block[20000];
    doors->used++;
    ssize_t put = jg_write(doors->ends[1], block, sizeof(block));
    doors->used--;
    doors->wrong += put < 0 && put != -EBADF && put != -ECANCELED && put != -EBUSY &&
                    put != -EPIPE && put != -ECONNRESET && put != -ENOMEM && put != -ENOBUFS;
    return 0;
}

static intptr_t doors_run(void *arg) {
    struct doors doors = {.used = 0};
    (void)arg;
    for (int round = 0; round < 3; round++) {
        if (jg_stream_pair(&doors.ends[0], &doors.ends[1]) < 0) {
            return -ENOMEM;
        }
        JG_GROUP(group) {
            const jg_spawn_options at_once = {.group = group, .eager = true};
            jg_detach(jg_spawn_with(doors_read, &doors, &at_once));
            if (round > 0) {
                jg_detach(jg_spawn_with(doors_write, &doors, &at_once));
            }
            if (round == 2) {
                jg_yield();
            }
            jg_stream_close(doors.ends[0]);
            jg_stream_close(doors.ends[1]);
        }
        ck_assert_int_eq(doors.used, 0);
    }
    ck_assert_int_eq(doors.wrong, 0);
    return 0;
}

// lines: text of many lengths, taken line by line from what is read ahead.

enum { LINES = 12 };

struct lines {
    jg_stream *ends[2];
    int seen;
    bool wrong;
};

static intptr_t lines_write(void *arg) {
    struct lines *lines = arg;
    char text[64];
    for (int i = 0; i < LINES; i++) {
        int size = snprintf(text, sizeof(text), "%d%.*s\n", i, i * 3,
                            "...................................");
        if (jg_write(lines->ends[0], text, (size_t)size) < 0) {
            break;
        }
        jg_sleep(i % 4);
    }
    jg_stream_shutdown(lines->ends[0]);
    return 0;
}

/* Takes the whole lines that are there. */
static void lines_take(struct lines *lines) {
    char *data;
    size_t held = jg_stream_peek(lines->ends[1], &data);
    char *end;
    while (held > 0 && (end = memchr(data, '\n', held)) != NULL) {
        lines->wrong = lines->wrong || atoi(data) != lines->seen++;
        jg_stream_take(lines->ends[1], (size_t)(end + 1 - data));
        held = jg_stream_peek(lines->ends[1], &data);
    }
}

static intptr_t lines_read(void *arg) {
    struct lines *lines = arg;
    for (int tries = 0; tries < 100; tries++) {
        ssize_t got = 0;
        char *data;
        JG_TIMEOUT(2, got) {
            got = jg_stream_fill(lines->ends[1], 4096, &data);
        }
        if (got > 0) {
            lines_take(lines);
        } else if (got != -ETIMEDOUT) {
            break;
        }
    }
    return 0;
}

static intptr_t lines_run(void *arg) {
    struct lines lines = {.seen = 0};
    (void)arg;
    if (jg_stream_pair(&lines.ends[0], &lines.ends[1]) < 0) {
        return -ENOMEM;
    }
    JG_GROUP(group) {
        jg_group_spawn(group, lines_write, &lines);
        jg_group_spawn(group, lines_read, &lines);
    }
    ck_assert(!lines.wrong);
    ck_assert(scenario_disturbed || lines.seen == LINES);
    jg_stream_close(lines.ends[0]);
    jg_stream_close(lines.ends[1]);
    return 0;
}

// duplex: more than fits on the way, in both directions of one connection at once.

enum { DUPLEX_SIZE = 100000 };

struct duplex_end {
    jg_stream *stream;
    ssize_t put;
    size_t got;
};

static intptr_t duplex_write(void *arg) {
    static const char block[DUPLEX_SIZE];
    struct duplex_end *end = arg;
    end->put = jg_write(end->stream, block, sizeof(block));
    jg_stream_shutdown(end->stream);
    return 0;
}

static intptr_t duplex_read(void *arg) {
    struct duplex_end *end = arg;
    char *block = malloc(DUPLEX_SIZE);
    ssize_t got;
    ck_assert_ptr_nonnull(block);
    while ((got = jg_read(end->stream, block, DUPLEX_SIZE)) > 0) {
        end->got += (size_t)got;
    }
    free(block);
    return 0;
}

static intptr_t duplex_run(void *arg) {
    struct duplex_end ends[2] = {{0}};
    int rc = 0;
    (void)arg;
    if (jg_stream_pair(&ends[0].stream, &ends[1].stream) < 0) {
        return -ENOMEM;
    }
    JG_TIMEOUT(2000, rc) { // as one of the four may have been cancelled
        JG_GROUP(group) {
            for (int i = 0; i < 2; i++) {
                jg_group_spawn(group, duplex_read, &ends[i]);
                jg_group_spawn(group, duplex_write, &ends[i]);
            }
        }
    }
    ck_assert(scenario_disturbed || rc == 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_le(ends[i].got, jg_stream_sent(ends[1 - i].stream));
        ck_assert(scenario_disturbed || ends[i].put == DUPLEX_SIZE);
        ck_assert(scenario_disturbed || ends[i].got == DUPLEX_SIZE);
    }
    jg_stream_close(ends[0].stream);
    jg_stream_close(ends[1].stream);
    return 0;
}

// halves: the question ends with the end of the stream, and the answer comes afterwards.

struct halves {
    jg_listener *listener;
    int answered;
    int wrong;
};

static intptr_t halves_answer(void *arg) {
    struct halves *halves = arg;
    jg_stream *stream;
    for (int i = 0; i < 2 && jg_accept(halves->listener, &stream) == 0; i++) {
        char text[64];
        char answer[16];
        ssize_t got;
        int sum = 0;
        while ((got = jg_read(stream, text, sizeof(text))) > 0) {
            sum += (int)got;
        }
        int size = snprintf(answer, sizeof(answer), "%d", sum);
        if (got == 0) {
            jg_write(stream, answer, (size_t)size);
        }
        jg_stream_close(stream);
    }
    return 0;
}

static intptr_t halves_ask(void *arg) {
    struct halves *halves = arg;
    static const char question[300];
    char answer[16] = {0};
    jg_stream *stream;
    ssize_t rc = jg_tcp_connect("answerer", 7, &stream);
    if (rc < 0) {
        return 0;
    }
    JG_TIMEOUT(1000, rc) {
        rc = jg_write(stream, question, sizeof(question));
        rc = rc < 0 ? rc : jg_stream_shutdown(stream);
        rc = rc < 0 ? rc : jg_read_exact(stream, answer, 3);
    }
    halves->answered += rc == 3;
    halves->wrong += rc == 3 && strcmp(answer, "300") != 0;
    jg_stream_close(stream);
    return 0;
}

static intptr_t halves_run(void *arg) {
    struct halves halves = {.answered = 0};
    (void)arg;
    if (jg_tcp_listen("answerer", 7, &halves.listener) < 0) {
        return -ENOMEM;
    }
    JG_GROUP(group) {
        jg_group_spawn(group, halves_answer, &halves);
        JG_GROUP(askers) {
            jg_group_spawn(askers, halves_ask, &halves);
            jg_group_spawn(askers, halves_ask, &halves);
        }
        jg_group_cancel(group);
    }
    jg_listener_close(halves.listener);
    ck_assert_int_eq(halves.wrong, 0);
    ck_assert(scenario_disturbed || halves.answered == 2);
    return 0;
}

#define SCENARIOS_IO(X)                                                                            \
    X(pipeline, NULL)                                                                              \
    X(echo, NULL)                                                                                  \
    X(doors, NULL)                                                                                 \
    X(lines, NULL)                                                                                 \
    X(duplex, NULL)                                                                                \
    X(halves, NULL)

#endif
