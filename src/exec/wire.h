// SPDX-License-Identifier: MIT
/* wire.h – what goes through the sockets of a process pool.
 *
 * Holds      the frames, as they lie in memory: both ends are the same program.
 * Invariant  a worker's socket begins with one `struct wire_hello`. Then a request is one `struct
 *            wire_request` and its bytes; a reply is any number of DATA frames and one END. Whoever
 *            breaks that has died, or is stopped.
 * Called by  process_pool.c (the program's end), process_server.c (the server and the workers).
 * Why        a length before the bytes: any size, nothing to escape, and the end of a reply is known
 *            without closing anything.
 */
#ifndef EXEC_WIRE_H
#define EXEC_WIRE_H

#include "task/task.h"

#include <juggle/process_pool.h>

enum { WIRE_BUFFER = 64 * 1024 }; // gathered before it is sent; read at once

/* From the server, when it has forked the worker or could not. */
struct wire_hello {
    pid_t pid; // or a negative errno
};

struct wire_request {
    jg_process_pool_fn *fn;
    size_t size;
};

enum wire_kind {
    WIRE_DATA = 1, // `size` bytes follow
    WIRE_END,      // `size` bytes follow, then, with `has_error`, a struct error_text
};

struct wire_frame {
    enum wire_kind kind;
    bool has_error;
    size_t size;
    intptr_t word; // END: what the function returned
};

/* To the fork server, a packet each. Only LOOK is answered. */
enum wire_order {
    WIRE_SPAWN = 1, // comes with the worker's socket
    WIRE_LOOK,      // has `pid` ended? It is not reaped: nobody else gets its id
    WIRE_REAP,      // reaps `pid` if it has ended
};

struct wire_command {
    enum wire_order order;
    pid_t pid;
    uint64_t number; // LOOK: of the question
};

struct wire_answer {
    uint64_t number; // of the question
    int rc;          // 0; -EAGAIN when it runs on; -ECHILD
    int status;      // what waitpid would say
};

/* The fork server's whole life; `arg` is a pair of sockets, the second its own. process_server.c */
intptr_t process_server_run(void *arg);

#endif
