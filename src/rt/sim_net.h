// SPDX-License-Identifier: MIT
/* sim_net.h – a network in memory: sockets, who is connected to whom, and what travels.
 *
 * Holds      struct sim_net: the virtual clock, the events to come, sockets by number, listeners.
 * Invariant  both events of a socket are always in the heap, at JG_NEVER while nothing is to come:
 *            so nothing that happens to a connection can fail for want of memory.
 * Called by  sim.c, which owns the operations (nothing here completes one), and the files that know a
 *            part of the network: sim_socket.c, sim_host.c, sim_address.c, sim_datagram.c; sim/, for its
 *            users.
 * Why        what a network does apart from what a backend does. Every choice (how long, how much)
 *            comes from loop_random: a seed replays exactly.
 */
#ifndef RT_SIM_NET_H
#define RT_SIM_NET_H

#include "rt/op.h"
#include "rt/sim_pipe.h"
#include "rt/sim_weather.h"
#include "rt/timer.h"

/* Simulated descriptors start here, where no real one is. */
#define SIM_FD_FIRST (1 << 20)
#define SIM_FD_COUNT (1 << 20)

/* What is due within one step is due at once, as races need. */
static const int64_t SIM_STEP_NS = 50000;

enum sim_state {
    SIM_FRESH,
    SIM_LISTENING,
    SIM_CONNECTED,
    SIM_DATAGRAM,
};

/* One of the two things that can be waited for at a socket. */
struct sim_side {
    struct op *op;     // pending, or NULL
    bool cancel_asked; // it completes with the next event, whatever that brings
    jg_timer event;
};

enum { SIM_HOST_MORE = 15 };

/* One machine. `here` is the one that is meant by numbers and by "localhost". */
struct sim_host {
    struct sim_host *next;
    uint16_t number; // 0: here
    bool cut;        // nothing reaches it, and nothing leaves it
    char *name;      // in the same block; NULL: here
    int more_count;
    uint16_t more[SIM_HOST_MORE]; // numbers of other hosts that its name means as well
};

struct sim_socket {
    struct sim_net *net;
    int fd; // -1: in a listener's queue, nobody has its number yet
    int family;
    enum sim_state state;
    struct sim_side in;  // read, accept, poll, receive
    struct sim_side out; // write, connect, send
    struct op_address address;

    // Connected.
    struct sim_socket *peer; // NULL: closed
    struct sim_pipe inbound; // what the peer has sent and we have not read
    bool fin_sent;           // the peer sends no more; behind the bytes that travel
    bool fin_seen;           // reads end
    bool reset_sent;         // a reset is on its way to us
    bool shut;               // we send no more
    bool broken;             // writes fail
    int error;               // of a reset: told once, negative
    struct sim_host *host;   // of whoever listened; NULL: not over the network
    int64_t held_until_ns;   // nothing arrives before
    uint64_t reset_after;    // a reset follows when that many bytes have arrived
    bool reset_planned;

    // Connecting.
    unsigned attempts;

    // Listening.
    size_t backlog;
    size_t queued;
    struct sim_socket *queue_first;
    struct sim_socket *queue_last;
    struct sim_socket *next; // in a listener's queue, or in a list of sim_address.c

    // Of datagrams; also `error`.
    struct op_address to;            // whom it is connected to; no length: nobody
    struct sim_datagram *travelling; // on their way, in the order of sending
    struct sim_datagram *waiting;    // have arrived, the next to be taken first
    size_t queued_bytes;             // in both
    bool refusal_sent;               // the news that nobody is there is on its way
};

/* The end of time, after 219 years: the clock does not jump further, as sums with it would saturate and
 * nothing after it ever come. What waits for a later point waits for nothing. */
#define SIM_NET_END_NS (INT64_MAX / 4 * 3)

struct sim_net {
    struct loop *loop;
    int64_t now_ns;
    struct timers events; // keys: see sim_net_poke
    struct sim_socket **sockets;
    size_t socket_cap;
    size_t first_free; // no lower number is free
    struct sim_socket *listeners;
    struct sim_socket *datagrams; // sockets that are bound
    uint16_t next_port;
    struct sim_host *hosts; // that were named
    size_t host_count;
    struct sim_host here;
    void (*on_in)(jg_timer *event); // fire functions of the sockets' sides
    void (*on_out)(jg_timer *event);
};

void sim_net_init(struct sim_net *net, struct loop *loop);

/* Frees the net's own tables. Sockets that nobody closed stay allocated, as real descriptors would
 * stay open: whoever looks for leaks finds them. */
void sim_net_fini(struct sim_net *net);

/* The next event's time; JG_NEVER without one. */
int64_t sim_net_next(const struct sim_net *net);

/* Fires events that are due: at least one if there is one, often all. */
void sim_net_fire(struct sim_net *net);

/* Lets the side's event happen after a random delay, or at an earlier time it is due anyway. */
void sim_net_poke(struct sim_net *net, struct sim_side *side);

/* The same, after a delay that is given. */
void sim_net_poke_after(struct sim_net *net, struct sim_side *side, int64_t delay_ns);

/* Takes the side's event out of the way, before it is handled. */
void sim_net_calm(struct sim_net *net, struct sim_side *side);

/* Whether the next thing that could go wrong does, about once in `odds`. */
bool sim_net_chance(struct sim_net *net, unsigned odds);

/* sim_socket.c: what a socket does. */

/* Returns the socket of a number, or NULL. */
struct sim_socket *sim_net_find(const struct sim_net *net, int fd);

/* Makes a socket without a number. Returns 0 or -ENOMEM. */
int sim_socket_make(struct sim_net *net, int family, struct sim_socket **out_socket);

/* Frees a socket that has no number. */
void sim_socket_unmake(struct sim_socket *socket);

/* Gives it the lowest free number. Returns it; -ENOMEM, -EMFILE. */
int sim_socket_number(struct sim_socket *socket);

/* Ends a socket with no op pending, and tells its peer. */
void sim_socket_close(struct sim_socket *socket);

/* Makes two sockets peers. */
void sim_socket_join(struct sim_socket *one, struct sim_socket *other);

/* Whether what travels to it must wait: for a cut cable, or for its own stall. */
bool sim_socket_held(struct sim_socket *socket);

/* Resets the connection, as seen from both ends. */
void sim_socket_sever(struct sim_socket *socket);

/* Bytes, ends and resets that arrive with an event of the `in` side; arms it again for the rest. */
void sim_socket_arrive(struct sim_socket *socket);

/* What an op does to a socket, once: its result, or -EAGAIN. */
intptr_t sim_socket_read(struct sim_socket *socket, struct op *op);
intptr_t sim_socket_write(struct sim_socket *socket, struct op *op);
intptr_t sim_socket_accept(struct sim_socket *socket);
bool sim_socket_readable(const struct sim_socket *socket);

/* Whether a write would not wait: it goes through, or fails. */
bool sim_socket_writable(const struct sim_socket *socket);

/* The first packet of a connect arrives. Returns 0; -EAGAIN: nobody answered, try again later;
 * -ECONNREFUSED, -ENOENT, -ENOMEM. */
intptr_t sim_socket_reach(struct sim_socket *socket, struct op *op);

int sim_socket_shutdown(struct sim_socket *socket);

/* sim_datagram.c: datagrams. Those of an op return its result, or -EAGAIN. */
intptr_t sim_datagram_send(struct sim_socket *socket, struct op *op);
intptr_t sim_datagram_receive(struct sim_socket *socket, struct op *op);
int sim_datagram_connect(struct sim_socket *socket, const struct op_address *peer);
bool sim_datagram_readable(const struct sim_socket *socket);
void sim_datagram_arrive(struct sim_socket *socket);
void sim_datagram_close(struct sim_socket *socket);

/* sim_address.c: who listens where. */

/* Whether this socket could connect there at all. Returns 0; -EAFNOSUPPORT, -EINVAL, -ENETUNREACH. */
int sim_address_check(int family, const struct sockaddr *address, socklen_t len);

/* Returns the listener that answers at an address, or NULL. */
struct sim_socket *sim_address_find(const struct sim_net *net, const struct sockaddr *address,
                                    socklen_t len);

/* Makes a fresh socket listen. Returns 0; -EADDRINUSE, -EADDRNOTAVAIL, -EAFNOSUPPORT, -EINVAL. */
int sim_address_listen(struct sim_socket *socket, const struct op_address *address, int backlog);

/* The same for datagrams: their ports are their own. */
struct sim_socket *sim_address_find_datagram(const struct sim_net *net,
                                             const struct sockaddr *address, socklen_t len);
int sim_address_bind(struct sim_socket *socket, const struct op_address *address);

/* The address that is meant by one: the wildcard, as a sender or a peer, means the loopback. */
struct op_address sim_address_meant(const struct op_address *given);

/* Whether two addresses are the same, port and all. */
bool sim_address_same(const struct op_address *one, const struct op_address *other);

/* Takes a listener, or a bound socket, out of its list. */
void sim_address_forget(struct sim_socket *socket);

/* Gives a connecting client an address of its own. */
void sim_address_client(struct sim_socket *socket);

/* sim_host.c: machines by name. */

/* The host of a name, made at its first mention. Returns 0; -ENOENT for a name that never resolves,
 * -ENOMEM. */
int sim_host_find(struct sim_net *net, const char *name, struct sim_host **out_host);

/* The addresses of a name, its own host's first; at most `cap`. Returns how many; as sim_host_find. */
int sim_host_resolve(struct sim_net *net, const char *name, int port,
                     struct op_address *out_addresses, int cap);

/* The host of an address; NULL when it is none of a network. */
struct sim_host *sim_host_at(struct sim_net *net, const struct sockaddr *address);

/* Cuts the cable, or mends it: then what was on its way arrives. */
void sim_host_cut(struct sim_net *net, struct sim_host *host, bool cut);

/* Resets every connection with it. */
void sim_host_reset(struct sim_net *net, const struct sim_host *host);

void sim_host_fini(struct sim_net *net);

/* sim.c: the network of a simulated loop; NULL for any other, and without one. */
struct sim_net *sim_net_of(const struct loop *loop);

#endif
