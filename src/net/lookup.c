// SPDX-License-Identifier: MIT
/* lookup.c – see lookup.h.
 *
 * Holds      per lookup a record on the heap; for the process how many threads are looking up.
 * Invariant  the record has two holders, thread and waiter; the last one to let go frees it. Its lock
 *            decides who was first: the thread posts to a loop only while its waiter waits, and a
 *            waiter whose answer has been posted waits for the delivery, which is due the same turn.
 *            So a loop cannot be closed with an item of ours in its inbox, or while one is posted.
 * Called by  see lookup.h.
 * Why        a thread of its own, detached: a worker must be joined, and that would be the wait that
 *            is to be avoided. The threads are bounded, as abandoned ones may stay for long.
 * Quirks     a thread without a loop and without a deadline asks the resolver itself. A forked child
 *            has none of the threads, so it counts from 0.
 */
#include "net/lookup.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "task/task.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
    THREADS_MOST = 16,
    THREAD_STACK_SIZE = 256 * 1024 * SANITIZE_STACK_FACTOR, // the resolver's plug-ins need some
};

struct lookup {
    jg_call item;      // first
    struct wait wait;  // of a task
    struct loop *loop; // the waiter's; NULL: it is a thread and waits for `over`
    pthread_mutex_t lock;
    pthread_cond_t over;
    int holders;    // under the lock, like the next two
    bool done;      // the thread has the answer
    bool abandoned; // nobody wants it
    int rc;         // the answer: written before `done`
    struct address_list list;
    int port;
    char host[HOST_MOST + 1];
};

static atomic_int threads_under_way;

static int code_of(int resolver_error) {
    switch (resolver_error) {
    case EAI_NONAME:
    case EAI_NODATA:
        return -ENOENT;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_SYSTEM:
        return errno != 0 ? -errno : -EAGAIN;
    default:
        return -EAGAIN;
    }
}

static void add_found(const struct addrinfo *found, int port, struct address_list *list) {
    bool fits = found->ai_family == AF_INET || found->ai_family == AF_INET6;
    if (!fits || list->count >= ADDRESSES_MOST) {
        return;
    }
    struct op_address *address = &list->addresses[list->count++];
    address->len = found->ai_addrlen;
    memcpy(&address->storage, found->ai_addr, found->ai_addrlen);
    // The port lies at the same place for both families.
    ((struct sockaddr_in *)(void *)&address->storage)->sin_port = htons((uint16_t)port);
}

static int ask_resolver(const char *host, int port, struct address_list *out_list) {
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *all = NULL;
    out_list->count = 0;
    int error = getaddrinfo(host, NULL, &wanted, &all);
    if (error != 0) {
        return code_of(error);
    }
    for (const struct addrinfo *found = all; found != NULL; found = found->ai_next) {
        add_found(found, port, out_list);
    }
    freeaddrinfo(all);
    return out_list->count > 0 ? 0 : -ENOENT;
}

// The record.

static void free_record(struct lookup *lookup) {
    pthread_cond_destroy(&lookup->over);
    pthread_mutex_destroy(&lookup->lock);
    mem_free(lookup);
}

static void let_go(struct lookup *lookup) {
    pthread_mutex_lock(&lookup->lock);
    bool last = --lookup->holders == 0;
    pthread_mutex_unlock(&lookup->lock);
    if (last) {
        free_record(lookup);
    }
}

static void answer_arrives(jg_call *item) {
    wake(&container_of(item, struct lookup, item)->wait, 0);
}

static struct lookup *make_record(const char *host, int port, struct loop *loop) {
    struct lookup *lookup = mem_alloc_zero(sizeof(*lookup));
    if (lookup == NULL) {
        return NULL;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&lookup->over, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&lookup->lock, NULL);
    lookup->item.deliver = answer_arrives;
    lookup->wait.kind = WAIT_KIND("name lookup");
    lookup->loop = loop;
    lookup->holders = 1;
    lookup->port = port;
    snprintf(lookup->host, sizeof(lookup->host), "%s", host);
    return lookup;
}

// The thread.

static void *run_thread(void *arg) {
    struct lookup *lookup = arg;
    pthread_setname_np(pthread_self(), "jg-lookup");
    lookup->rc = ask_resolver(lookup->host, lookup->port, &lookup->list);
    pthread_mutex_lock(&lookup->lock);
    lookup->done = true;
    if (!lookup->abandoned && lookup->loop != NULL) {
        must(inbox_post(lookup->loop->handle, &lookup->item) == 0);
    }
    pthread_cond_signal(&lookup->over);
    pthread_mutex_unlock(&lookup->lock);
    let_go(lookup);
    atomic_fetch_sub(&threads_under_way, 1);
    return NULL;
}

/* Detached, on a small stack, with every signal blocked but those it would raise itself. */
static int set_attributes(pthread_attr_t *attr) {
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
    sigset_t blocked;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        sigdelset(&blocked, own[i]);
    }
    int rc = -pthread_attr_setdetachstate(attr, PTHREAD_CREATE_DETACHED);
    rc = rc < 0 ? rc : -pthread_attr_setstacksize(attr, THREAD_STACK_SIZE);
    return rc < 0 ? rc : -pthread_attr_setsigmask_np(attr, &blocked);
}

static void count_anew(void) {
    atomic_store(&threads_under_way, 0);
}

static void watch_forks(void) {
    pthread_atfork(NULL, NULL, count_anew);
}

/* Returns whether one more thread may be started, and counts it. */
static bool take_place(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    if (atomic_fetch_add(&threads_under_way, 1) < THREADS_MOST) {
        return true;
    }
    atomic_fetch_sub(&threads_under_way, 1);
    return false;
}

static int start_thread(struct lookup *lookup) {
    pthread_attr_t attr;
    pthread_t thread;
    int rc = -pthread_attr_init(&attr);
    if (rc < 0) {
        return rc;
    }
    rc = set_attributes(&attr);
    lookup->holders++;
    rc = rc < 0 ? rc : -pthread_create(&thread, &attr, run_thread, lookup);
    if (rc < 0) {
        lookup->holders--;
    }
    pthread_attr_destroy(&attr);
    return rc;
}

// The waiter.

/* Leaves the thread alone with it, unless the answer is on its way already: that one wins. */
static void abandon(struct wait *wait) {
    struct lookup *lookup = container_of(wait, struct lookup, wait);
    pthread_mutex_lock(&lookup->lock);
    bool done = lookup->done;
    lookup->abandoned = !done;
    pthread_mutex_unlock(&lookup->lock);
    if (!done) {
        wake(wait, -ECANCELED);
    }
}

static int wait_in_loop(struct lookup *lookup) {
    lookup->wait.undo = abandon;
    lookup->loop->external++;
    int rc = (int)park(&lookup->wait);
    lookup->loop->external--;
    return rc;
}

static int wait_in_thread(struct lookup *lookup, struct coro *self) {
    const struct timespec until = {self->deadline_ns / JG_S, self->deadline_ns % JG_S};
    int rc = 0;
    pthread_mutex_lock(&lookup->lock);
    while (!lookup->done && rc == 0) {
        rc = pthread_cond_timedwait(&lookup->over, &lookup->lock, &until);
    }
    lookup->abandoned = !lookup->done;
    rc = lookup->done ? 0 : -ECANCELED;
    pthread_mutex_unlock(&lookup->lock);
    if (rc < 0) {
        self->refused++; // the scopes see by it that the deadline struck inside
    }
    return rc;
}

static int ask_on_thread(struct lookup *lookup, struct coro *self, struct address_list *out_list) {
    int rc = start_thread(lookup);
    if (rc < 0) {
        atomic_fetch_sub(&threads_under_way, 1);
        return rc;
    }
    rc = self->loop != NULL ? wait_in_loop(lookup) : wait_in_thread(lookup, self);
    if (rc == 0) {
        *out_list = lookup->list;
        rc = lookup->rc;
    }
    return rc;
}

static int look_up(const char *host, int port, struct coro *self, struct address_list *out_list) {
    struct lookup *lookup = make_record(host, port, self->loop);
    if (lookup == NULL) {
        atomic_fetch_sub(&threads_under_way, 1);
        return -ENOMEM;
    }
    int rc = ask_on_thread(lookup, self, out_list);
    let_go(lookup);
    return rc;
}

static int tell(const char *host, int rc) {
    return rc == 0 || rc == -ECANCELED ? rc : (int)jg_fail(rc, "cannot resolve host %s", host);
}

int lookup_host(const char *host, int port, struct address_list *out_list) {
    struct coro *self = sched_current();
    int rc = suspend_check(self);
    if (rc < 0) {
        return rc;
    }
    struct backend *backend = backend_current();
    if (backend->ops->resolve != NULL) {
        rc = backend->ops->resolve(backend, host, port, &out_list->addresses[0]);
        out_list->count = rc == 0;
        return tell(host, rc);
    }
    if (self->loop == NULL && self->deadline_ns == JG_NEVER) {
        return tell(host, ask_resolver(host, port, out_list));
    }
    if (self->loop == NULL && self->deadline_ns <= clock_now_ns()) {
        return sched_refuse(self);
    }
    if (!take_place()) {
        return (int)jg_fail(-EAGAIN, "cannot resolve host %s: too many name lookups under way",
                            host);
    }
    return tell(host, look_up(host, port, self, out_list));
}
