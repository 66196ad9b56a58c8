// SPDX-License-Identifier: MIT
/* hands.c – what a test does to its simulated world from inside: time, cables, resets, stalls.
 *
 * Holds      nothing.
 * Invariant  outside a simulated loop every call is refused and changes nothing.
 * Called by  user code.
 * Why        faults that a test times itself, beside those that the seed throws.
 */
#include "base/clock.h"
#include "io/stream.h"
#include "rt/loop.h"
#include "rt/sim_net.h"
#include "sim/world.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

enum { NAME_MOST = 253 };

static struct sim_net *net_here(void) {
    return sim_net_of(sched_current()->loop);
}

int jg_sim_advance(int64_t duration_ms) {
    struct sim_net *net = net_here();
    if (net == NULL) {
        return (int)error_bare(-ENXIO);
    }
    if (duration_ms < 0) {
        return (int)error_bare(-EINVAL);
    }
    int64_t until = clock_add_ms(net->now_ns, duration_ms);
    net->now_ns = until < SIM_NET_END_NS ? until : SIM_NET_END_NS;
    return 0;
}

uint64_t jg_sim_random(void) {
    struct sim_net *net = net_here();
    if (net != NULL) {
        return loop_random(net->loop);
    }
    uint64_t number = 0;
    while (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number)) {}
    return number;
}

uint64_t jg_sim_steps(void) {
    const struct sim_world *world = sim_world_here();
    return world != NULL ? world->steps : 0;
}

// Hosts.

static int find_host(const char *name, struct sim_net **out_net, struct sim_host **out_host) {
    struct sim_net *net = net_here();
    if (net == NULL) {
        return -ENXIO;
    }
    *out_net = net;
    if (name == NULL || strcasecmp(name, "localhost") == 0) {
        *out_host = &net->here;
        return 0;
    }
    size_t size = strnlen(name, NAME_MOST + 1);
    return size == 0 || size > NAME_MOST ? -EINVAL : sim_host_find(net, name, out_host);
}

static int cut(const char *name, bool whether) {
    struct sim_net *net;
    struct sim_host *host;
    int rc = find_host(name, &net, &host);
    if (rc == 0) {
        sim_host_cut(net, host, whether);
    }
    return (int)error_bare(rc);
}

int jg_sim_host_cut(const char *host) {
    return cut(host, true);
}

int jg_sim_host_heal(const char *host) {
    return cut(host, false);
}

int jg_sim_host_add(const char *name, const char *host) {
    struct sim_net *net;
    struct sim_host *named;
    struct sim_host *added;
    int rc = find_host(name, &net, &named);
    rc = rc < 0 ? rc : find_host(host, &net, &added);
    if (rc < 0) {
        return (int)error_bare(rc);
    }
    if (named == &net->here || added == &net->here) {
        return (int)error_bare(-EINVAL); // here has no address that a name could mean
    }
    if (named->more_count == SIM_HOST_MORE) {
        return (int)error_bare(-ENOSPC);
    }
    named->more[named->more_count++] = added->number;
    return 0;
}

int jg_sim_host_reset(const char *host) {
    struct sim_net *net;
    struct sim_host *found;
    int rc = find_host(host, &net, &found);
    if (rc == 0) {
        sim_host_reset(net, found);
    }
    return (int)error_bare(rc);
}

// Streams.

static int find_socket(const jg_stream *stream, struct sim_socket **out_socket) {
    struct sim_net *net = net_here();
    if (net == NULL) {
        return -ENXIO;
    }
    stream_check(stream);
    struct sim_socket *socket = sim_net_find(net, stream->fd);
    if (socket == NULL) {
        return -EBADF;
    }
    *out_socket = socket;
    return 0;
}

int jg_sim_stream_stall(jg_stream *stream, int64_t duration_ms) {
    struct sim_socket *socket;
    int rc = find_socket(stream, &socket);
    if (rc == 0 && duration_ms < 0) {
        return (int)error_bare(-EINVAL);
    }
    if (rc == 0) {
        socket->held_until_ns = clock_add_ms(socket->net->now_ns, duration_ms);
    }
    return (int)error_bare(rc);
}

int jg_sim_stream_reset(jg_stream *stream, uint64_t bytes) {
    struct sim_socket *socket;
    int rc = find_socket(stream, &socket);
    if (rc == 0 && !(socket->broken && socket->fin_seen)) { // else there is nothing left to reset
        socket->reset_planned = true;
        socket->reset_after = bytes;
        sim_net_poke(socket->net, &socket->in);
    }
    return (int)error_bare(rc);
}
