// SPDX-License-Identifier: MIT
/* wire.h – what goes through the sockets of a process pool.
 *
 * Holds      the frames, as they lie in memory: both ends are the same program.
 * Invariant  a request is one `struct wire_request` and its bytes; a reply is any number of DATA frames
 *            and one END. Whoever breaks that has died, or is stopped.
 * Called by  process_pool.c (the program's end), process_server.c (the server and the workers).
 * Why        a length before the bytes: any size, nothing to escape, and the end of a reply is known
 *            without closing anything.
 */
#ifndef EXEC_WIRE_H
#define EXEC_WIRE_H

#include "task/task.h"

#include <juggle/process_pool.h>

enum { WIRE_BUFFER = 64 * 1024 }; // gathered before it is sent; read at once

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

/* To the fork server: a packet each way. */
enum wire_order {
    WIRE_SPAWN = 1, // comes with the worker's socket
    WIRE_STATUS,    // reaps `pid` if it has ended
};

struct wire_command {
    enum wire_order order;
    pid_t pid;
};

struct wire_answer {
    int rc;     // 0; a negative errno; STATUS: -EAGAIN when it runs on
    int status; // STATUS: what waitpid says
    pid_t pid;  // SPAWN: the new worker
};

/* The fork server's whole life; `arg` is its socket. process_server.c */
intptr_t process_server_run(void *arg);

#endif
