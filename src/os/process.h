// SPDX-License-Identifier: MIT
/* process.h – a program that runs, as the files of this room see it.
 *
 * Holds      struct jg_process, on the heap from its start until it is closed.
 * Invariant  `reaped` says that `pid` is no longer ours, and that `status` or `wait_error` is final.
 * Called by  process.c; communicate.c reads the streams; spawn.c starts programs.
 * Why        starting, living and talking are three things.
 */
#ifndef OS_PROCESS_H
#define OS_PROCESS_H

#include "task/task.h"

#include <juggle/process.h>

enum { STDIO_COUNT = 3 };

struct jg_process {
    pid_t pid;
    pid_t owner;                     // the process that started it
    jg_stream *streams[STDIO_COUNT]; // our ends; NULL where there is no pipe
    int64_t grace_ms;
    bool own_group;
    bool closed;      // whoever leaves it last frees it
    unsigned holders; // tasks that wait for its end
    bool reaped;
    int wait_error; // once reaped: 0, or -ECHILD when the status was lost
    jg_process_status status;
};

/* Starts the program. Returns 0, its id, and our ends of its pipes (-1: none), which are blocking; or
 * a negative errno with a detail, and nothing left behind. */
int spawn_program(const jg_process_options *options, pid_t *out_pid, int out_fds[STDIO_COUNT]);

#endif
