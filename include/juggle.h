// SPDX-License-Identifier: MIT
/* juggle.h – the whole core of juggle in one include.
 *
 * asyncio for C: straight-line code that waits for thousands of things at once on one core.
 *
 *     static intptr_t child(void *name) {
 *         jg_sleep(100);
 *         return printf("hello, %s\n", (char *)name);
 *     }
 *     static intptr_t program(void *arg) {
 *         (void)arg;
 *         JG_GROUP(g) {
 *             jg_group_spawn(g, child, "ann");
 *             jg_group_spawn(g, child, "bob");
 *         }
 *         return 0;
 *     }
 *     int main(void) { return jg_run(program, NULL) < 0; }
 *
 * The rules every declaration follows, so that each comment says only what differs:
 *
 *   Returns   0, a count, or a value; an error is a negative errno (−4095…−1). Never `errno`.
 *             Outputs are untouched on failure.
 *   Owns      arguments are borrowed until return, unless it says keeps, takes or gives.
 *   Threads   call it on the thread whose loop runs the task, unless it says any thread.
 *   Suspends  only calls marked JG_SUSPENDS may park the task, and each of them is a cancellation
 *             point: while a cancel stands it fails with −ECANCELED. Without a running loop the
 *             same calls block the thread; deadlines still hold. Where suspending is not possible (in a
 *             call of the loop, in JG_NO_SUSPEND), and where nobody could ever end the wait, they fail
 *             with −EDEADLK; in a forked child's copy of a task with −ECHILD.
 *   NULL      never allowed, unless it says so.
 *
 * Opt-in topics: <juggle/debug.h>, <juggle/http.h>, <juggle/sim.h>, <juggle/trace.h>.
 */
#ifndef JUGGLE_H
#define JUGGLE_H

#include <juggle/address.h>
#include <juggle/base.h>
#include <juggle/chan.h>
#include <juggle/error.h>
#include <juggle/executor.h>
#include <juggle/fd.h>
#include <juggle/file.h>
#include <juggle/future.h>
#include <juggle/group.h>
#include <juggle/local.h>
#include <juggle/loop.h>
#include <juggle/many.h>
#include <juggle/map.h>
#include <juggle/process.h>
#include <juggle/process_pool.h>
#include <juggle/queue.h>
#include <juggle/run.h>
#include <juggle/scope.h>
#include <juggle/serve.h>
#include <juggle/signal.h>
#include <juggle/stream.h>
#include <juggle/sync.h>
#include <juggle/task.h>
#include <juggle/udp.h>
#include <juggle/url.h>
#include <juggle/wait.h>
#include <juggle/waitq.h>
#include <juggle/worker.h>

#endif
