// SPDX-License-Identifier: MIT
/* inbox.c – see inbox.h.
 *
 * Holds      how often this process came out of a fork.
 * Invariant  see inbox.h.
 * Called by  see inbox.h.
 * Why        seq_cst on both sides: the push and the look at `sleeping` must not pass each other.
 *            The descriptor is closed with the last share, not with the loop: a post that has seen
 *            the loop asleep may be about to write to it.
 */
#include "rt/inbox.h"

#include "base/mem.h"

#include <errno.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

static uint32_t forks; // written by the only thread of a fresh child

int inbox_open(jg_loop **out_loop) {
    jg_loop *loop = mem_alloc_zero(sizeof(*loop));
    if (loop == NULL) {
        return -ENOMEM;
    }
    loop->wakeup_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wakeup_fd < 0) {
        int rc = -errno;
        mem_free(loop);
        return rc;
    }
    loop->forks = forks;
    atomic_init(&loop->shares, 1);
    *out_loop = loop;
    return 0;
}

void inbox_hold(jg_loop *loop) {
    unsigned before = atomic_fetch_add_explicit(&loop->shares, 1, memory_order_relaxed);
    must(before > 0);
}

void inbox_drop(jg_loop *loop) {
    unsigned before = atomic_fetch_sub_explicit(&loop->shares, 1, memory_order_acq_rel);
    must(before > 0);
    if (before == 1) {
        close(loop->wakeup_fd);
        mem_free(loop);
    }
}

bool inbox_is_copy(const jg_loop *loop) {
    return loop->forks != forks;
}

static void wake_loop(const jg_loop *loop) {
    int error = errno; // may run in a signal handler
    const uint64_t one = 1;
    ssize_t put = write(loop->wakeup_fd, &one, sizeof(one));
    (void)put; // EAGAIN: it is readable already
    errno = error;
}

int inbox_post(jg_loop *loop, jg_call *call) {
    if (unlikely(inbox_is_copy(loop))) {
        return -ECHILD;
    }
    if (unlikely(!mpsc_push(&loop->queue, &call->link))) {
        return -ESHUTDOWN;
    }
    // The call may be over by now and its record gone; the handle is still there.
    if (atomic_load_explicit(&loop->sleeping, memory_order_seq_cst)) {
        wake_loop(loop);
    }
    return 0;
}

int inbox_send(jg_loop *loop, jg_call *call) {
    atomic_fetch_add_explicit(&loop->sending, 1, memory_order_relaxed);
    int rc = inbox_post(loop, call);
    if (likely(rc == 0)) {
        // Accepted: the loop was open, and its own share stays until we are out.
        atomic_fetch_sub_explicit(&loop->shares, 1, memory_order_relaxed);
        atomic_fetch_sub_explicit(&loop->sending, 1, memory_order_release);
        return 0;
    }
    atomic_fetch_sub_explicit(&loop->sending, 1, memory_order_release);
    inbox_drop(loop);
    return rc;
}

void inbox_close(jg_loop *loop) {
    while (atomic_load_explicit(&loop->sending, memory_order_acquire) > 0) {
        sched_yield(); // a few instructions of another thread
    }
    inbox_drop(loop);
}

bool inbox_sleep(jg_loop *loop) {
    // Not a store: the same instruction on x86, and qemu-user lets a load pass an AArch64 stlr.
    atomic_exchange_explicit(&loop->sleeping, true, memory_order_seq_cst);
    if (!mpsc_empty(&loop->queue)) {
        inbox_awake(loop);
        return false;
    }
    return true;
}

void inbox_awake(jg_loop *loop) {
    atomic_store_explicit(&loop->sleeping, false, memory_order_relaxed);
}

void inbox_calm(jg_loop *loop) {
    uint64_t value;
    ssize_t got = read(loop->wakeup_fd, &value, sizeof(value));
    (void)got; // it only had to stop being readable
}

void inbox_forked(void) {
    forks++;
}
