// SPDX-License-Identifier: MIT
/* net.h – the part of fuzz_api.c with streams, listeners, datagrams, and the weather of their world.
 *
 * Holds      nothing; see world.h.
 * Invariant  the n-th byte of every stream is pattern(n), whoever writes it: so whoever reads can tell
 *            one that is missing, out of place or read twice.
 * Called by  fuzz_api.c.
 * Why        reads and writes that are cut short by cancels, closes and resets must leave no gap.
 */
#ifndef FUZZ_API_NET_H
#define FUZZ_API_NET_H

#include "world.h"

enum { PORT = 80 };

static char pattern(uint64_t position) {
    return (char)(position * 7 + (position >> 8));
}

static void bytes_check(struct conn *conn, const char *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) {
        expect(bytes[i] == pattern(conn->read + i));
    }
    conn->read += len;
}

/* Finds a place for a stream; without one closes it. */
static struct conn *conn_add(jg_stream *stream, bool borrowed) {
    for (unsigned i = 0; i < CONNS && !world.closing; i++) {
        struct conn *conn = &world.conns[i];
        if (conn->stream == NULL && conn->users == 0) {
            *conn = (struct conn){.stream = stream, .borrowed = borrowed};
            return conn;
        }
    }
    if (!borrowed) {
        jg_stream_close(stream);
    }
    return NULL;
}

static struct conn *some_conn(void) {
    return &world.conns[next_byte() % CONNS];
}

static void do_pipe(struct frame *frame) {
    jg_stream *a = NULL;
    jg_stream *b = NULL;
    int rc = next_byte() & 1 ? jg_pipe(&a, &b) : jg_stream_pair(&a, &b);
    allow(frame, rc, 0, 0, 0);
    if (rc == 0) {
        conn_add(a, false);
        conn_add(b, false);
    }
}

static void do_connect(struct frame *frame) {
    static const char *const hosts[] = {"server", "server", "localhost", "x.invalid", "", "other"};
    jg_stream *stream = NULL;
    uint8_t how = next_byte();
    int rc = jg_tcp_connect(hosts[how % 6], how & 0x80 ? (how << 10) - 5 : PORT, &stream);
    if (rc == 0) {
        conn_add(stream, false);
    } else {
        expect(stream == NULL);
        allow(frame, rc > 0 ? -EPROTO : rc, rc == -ENOENT ? rc : -ECONNREFUSED,
              rc == -EINVAL || rc == -EHOSTUNREACH ? rc : -ECONNRESET, -ETIMEDOUT);
    }
}

static void do_listen(struct frame *frame) {
    unsigned k = next_byte() % 2;
    if (world.listeners[k] == NULL) {
        int rc = jg_tcp_listen(k == 0 ? "server" : NULL, PORT, &world.listeners[k]);
        allow(frame, rc, 0, 0, 0);
    } else if (next_byte() % 8 == 0) {
        jg_listener *listener = world.listeners[k];
        world.listeners[k] = NULL;
        jg_listener_close(listener);
    }
}

static void do_accept(struct frame *frame) {
    jg_listener *listener = world.listeners[next_byte() % 2];
    jg_stream *stream = NULL;
    if (listener == NULL) {
        return;
    }
    intptr_t rc = allow(frame, jg_accept(listener, &stream), -EBADF, -EBUSY, 0);
    if (rc == 0) {
        conn_add(stream, false);
    }
}

static intptr_t serve_one(jg_stream *stream, void *arg) {
    const struct frame *outer = arg;
    unsigned refusals = 0;
    struct frame frame = {.refusals = &refusals,
                          .patience = 4,
                          .ordinal = TASKS, // waits for nobody
                          .depth = outer->depth + 1,
                          .flat = true,
                          .shielded = true};
    struct conn *conn = conn_add(stream, true);
    interpret(&frame);
    if (conn != NULL && conn->stream == stream) {
        conn->stream = NULL;
    }
    return 0;
}

static void do_serve(struct frame *frame) {
    jg_listener *listener = world.listeners[next_byte() % 2];
    const jg_serve_options options = {.connections = next_byte() % 4};
    if (listener == NULL || frame->flat || frame->shielded || *frame->refusals > 0) {
        return;
    }
    intptr_t rc = 0;
    JG_TIMEOUT(200, rc) {
        rc = jg_serve(listener, serve_one, frame, &options);
    }
    allow(frame, rc, -EBADF, -EBUSY, -ETIMEDOUT);
}

static void do_close(struct frame *frame) {
    struct conn *conn = some_conn();
    (void)frame;
    if (!conn->borrowed) {
        jg_stream *stream = conn->stream;
        conn->stream = NULL;
        jg_stream_close(stream);
    }
}

static void net_act(struct frame *frame) {
    static void (*const acts[])(struct frame *) = {do_pipe,   do_connect, do_connect, do_listen,
                                                   do_accept, do_accept,  do_serve,   do_close};
    acts[next_byte() % (sizeof acts / sizeof acts[0])](frame);
}

static void stream_read(struct frame *frame, struct conn *conn, uint8_t how) {
    char small[64];
    size_t cap = (size_t)next_byte() << (how >> 5);
    char *buf = cap <= sizeof small ? small : malloc(cap);
    conn->users++;
    conn->readers++;
    ssize_t got = (how & 0x10) == 0      ? jg_read_exact(conn->stream, buf, cap)
                  : (how & 8) && cap > 0 ? jg_read_until(conn->stream, pattern(how), buf, cap)
                                         : jg_read(conn->stream, buf, cap > 0 ? cap : 1);
    conn->readers--;
    conn->users--;
    if (got > 0) {
        bytes_check(conn, buf, (size_t)got);
    }
    if (buf != small) {
        free(buf);
    }
    if (got != -EMSGSIZE && got != -EBUSY) {
        allow(frame, got, -EBADF, -ECONNRESET, -EPIPE);
    }
}

static void stream_write(struct frame *frame, struct conn *conn, uint8_t how) {
    size_t len = (size_t)next_byte() << (how >> 5);
    char *buf = malloc(len + 1);
    uint64_t sent = jg_stream_sent(conn->stream);
    for (size_t i = 0; i < len; i++) {
        buf[i] = pattern(sent + i);
    }
    conn->users++;
    struct iovec pieces[2] = {{buf, len / 2}, {buf + len / 2, len - len / 2}};
    ssize_t put = how & 8 ? jg_writev(conn->stream, pieces, 2) : jg_write(conn->stream, buf, len);
    conn->users--;
    free(buf);
    expect(put < 0 || (size_t)put == len);
    if (put != -EBUSY) {
        allow(frame, put, -EBADF, -ECONNRESET, -EPIPE);
    }
}

static void stream_fill(struct frame *frame, struct conn *conn, uint8_t how) {
    char *data;
    conn->users++;
    conn->readers++;
    ssize_t held = jg_stream_fill(conn->stream, (size_t)how << 4, &data);
    conn->readers--;
    conn->users--;
    if (conn->stream != NULL && conn->readers == 0 && held != -EBADF) {
        size_t there = jg_stream_peek(conn->stream, &data);
        size_t some = how & 1 ? there : there / 2;
        expect(held <= 0 || (size_t)held == there);
        bytes_check(conn, data, some);
        jg_stream_take(conn->stream, some);
    }
    if (held != -EMSGSIZE && held != -EBUSY && held != -ENODATA) {
        allow(frame, held, -EBADF, -ECONNRESET, -EPIPE);
    }
}

static void stream_act(struct frame *frame) {
    struct conn *conn = some_conn();
    uint8_t how = next_byte();
    if (conn->stream == NULL) {
        return;
    }
    switch (how % 8) {
    case 0:
        stream_fill(frame, conn, next_byte());
        break;
    case 1:
        jg_stream_shutdown(conn->stream);
        jg_stream_idle_ok(conn->stream);
        break;
    case 2:
    case 3:
    case 4:
        stream_write(frame, conn, next_byte());
        break;
    default:
        stream_read(frame, conn, next_byte());
    }
}

// Datagrams: the first byte tells how long they are, modulo 251.

static void udp_send(struct frame *frame, jg_udp *udp, uint8_t how) {
    char bytes[300];
    jg_address to;
    size_t len = how == 0xff ? 65508 : how;
    jg_udp *other = world.udps[how % FEW];
    bool known = other != NULL && jg_udp_address(other, &to) == 0;
    for (size_t i = 0; i < how; i++) {
        bytes[i] = (char)(how + i);
    }
    char *large = how == 0xff ? calloc(1, len) : NULL;
    ssize_t rc = jg_udp_send(udp, known ? &to : NULL, large != NULL ? large : bytes, len);
    free(large);
    if (rc >= 0) {
        expect((size_t)rc == len);
    } else if (rc != -EMSGSIZE && rc != -EBUSY && rc != -EDESTADDRREQ) {
        allow(frame, rc, -EBADF, -ECONNREFUSED, 0);
    }
}

static void udp_receive(struct frame *frame, jg_udp *udp, uint8_t how) {
    char bytes[300];
    jg_address from;
    bool truncated = false;
    ssize_t got = jg_udp_recv(udp, bytes, how, &from, &truncated);
    for (ssize_t i = 0; i < got; i++) {
        expect(bytes[i] == (char)(bytes[0] + i));
    }
    expect(got <= 0 || truncated || (uint8_t)bytes[0] == got);
    if (got != -EBUSY) {
        allow(frame, got, -EBADF, -ECONNREFUSED, 0);
    }
}

static void udp_act(struct frame *frame) {
    unsigned k = next_byte() % FEW;
    uint8_t how = next_byte();
    jg_udp *udp = world.udps[k];
    if (udp == NULL) {
        int rc = jg_udp_open(NULL, NULL, &world.udps[k]);
        allow(frame, rc, 0, 0, 0);
    } else if (how % 8 == 0) {
        world.udps[k] = NULL;
        jg_udp_close(udp);
    } else if (how % 8 == 1) {
        jg_address peer;
        if (world.udps[how % FEW] != NULL && jg_udp_address(world.udps[how % FEW], &peer) == 0) {
            jg_udp_connect(udp, &peer);
        }
    } else if (how & 0x40) {
        udp_send(frame, udp, next_byte());
    } else {
        udp_receive(frame, udp, next_byte());
    }
}

static void weather_act(struct frame *frame) {
    uint8_t how = next_byte();
    const char *host = how & 0x80 ? NULL : how & 0x40 ? "server" : "other";
    struct conn *conn = &world.conns[how % CONNS];
    (void)frame;
    switch (how % 8) {
    case 0:
        jg_sim_host_cut(host);
        break;
    case 1:
    case 2:
        jg_sim_host_heal(host);
        break;
    case 3:
        jg_sim_host_reset(host);
        break;
    case 4:
        jg_sim_advance(how);
        break;
    case 5:
        if (conn->stream != NULL) {
            jg_sim_stream_stall(conn->stream, how);
        }
        break;
    default:
        if (conn->stream != NULL && how > 0xc0) {
            jg_sim_stream_reset(conn->stream, how & 0x3f);
        }
    }
}

/* Closes all that is open; nothing is opened any more. */
static void net_close(void) {
    for (unsigned i = 0; i < CONNS; i++) {
        if (!world.conns[i].borrowed) {
            jg_stream *stream = world.conns[i].stream;
            world.conns[i].stream = NULL;
            jg_stream_close(stream);
        }
    }
    for (unsigned k = 0; k < 2; k++) {
        jg_listener_close(world.listeners[k]);
        world.listeners[k] = NULL;
    }
    for (unsigned k = 0; k < FEW; k++) {
        jg_udp_close(world.udps[k]);
        world.udps[k] = NULL;
    }
}

#endif
