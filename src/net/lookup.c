// SPDX-License-Identifier: MIT
/* lookup.c – see lookup.h.
 *
 * Holds      the threads that look up, and per lookup a question on the heap.
 * Invariant  a question has one owner: the job that asks it, then the waiter; one that was abandoned is
 *            freed by its thread.
 * Called by  see lookup.h.
 * Why        a pool of its own: lookups get stuck for seconds, and must not keep other jobs waiting.
 *            The threads are bounded, as abandoned ones may stay for long.
 * Quirks     a thread without a loop and without a deadline asks the resolver itself.
 */
#include "net/lookup.h"

#include "base/clock.h"
#include "base/mem.h"
#include "exec/pool.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum {
    THREADS_MOST = 16,
    THREAD_STACK_SIZE = 256 * 1024 * SANITIZE_STACK_FACTOR, // the resolver's plug-ins need some
};

/* A lane of its own: lookups that are stuck keep nobody waiting but each other. */
static struct jg_executor lane = POOL_STATIC("jg-lookup", THREADS_MOST, 0, 0, THREAD_STACK_SIZE);

__attribute__((constructor)) static void watch_forks(void) {
    pool_watch_forks(&lane);
}

/* What is asked, and the answer. Its thread's while the job runs, then the waiter's. */
struct question {
    int rc;
    int port;
    struct address_list list;
    char host[HOST_MOST + 1];
};

static int code_of(int resolver_error) {
    switch (resolver_error) {
    case EAI_NONAME:
    case EAI_NODATA:
        return errno == EMFILE || errno == ENFILE ? -errno : -ENOENT; // it could ask nobody
    case EAI_ADDRFAMILY:
        return -ENOENT; // it has addresses, of a family that this machine has not
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
    address->in.sin_port = htons((uint16_t)port);
}

static int ask_resolver(const char *host, int port, struct address_list *out_list) {
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *all = NULL;
    out_list->count = 0;
    errno = 0; // glibc says that a name is unknown when it could open nothing
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

static intptr_t answer(void *arg) {
    struct question *question = arg;
    question->rc = ask_resolver(question->host, question->port, &question->list);
    return (intptr_t)question;
}

static int look_up(const char *host, int port, struct address_list *out_list) {
    struct question *question = mem_alloc(sizeof(*question));
    if (question == NULL) {
        return -ENOMEM;
    }
    question->port = port;
    snprintf(question->host, sizeof(question->host), "%s", host);
    jg_job job = {.drop_arg = mem_free, .drop_result = mem_free, .abandon = true};
    intptr_t word = jg_executor_submit_at(&lane, &job, answer, question, "lookup\0");
    word = word < 0 ? word : jg_job_wait(&job);
    if (jg_failed(word)) {
        return (int)word;
    }
    int rc = question->rc;
    if (rc == 0) {
        *out_list = question->list;
    }
    mem_free(question);
    return rc;
}

static int tell(const char *host, int rc) {
    switch (rc) {
    case 0:
    case -ECANCELED:
        return rc;
    case -EBUSY:
        return (int)jg_fail(-EAGAIN, "cannot resolve host %s: too many name lookups under way",
                            host);
    default:
        return (int)jg_fail(rc, "cannot resolve host %s", host);
    }
}

int lookup_host(const char *host, int port, struct address_list *out_list) {
    struct coro *self = sched_current();
    int rc = suspend_check(self);
    if (rc < 0) {
        return rc;
    }
    if (address_is_local(host)) {
        address_list_local(port, out_list);
        return 0;
    }
    struct backend *backend = backend_current();
    if (backend->ops->resolve != NULL) { // a network of its own knows its names
        out_list->count = backend->ops->resolve(backend, host, port, out_list->addresses,
                                                ADDRESSES_MOST);
        return tell(host, out_list->count < 0 ? out_list->count : 0);
    }
    if (self->loop == NULL && self->deadline_ns == JG_NEVER) {
        return tell(host, ask_resolver(host, port, out_list));
    }
    if (self->loop == NULL && self->deadline_ns <= clock_now_ns()) {
        return sched_refuse(self);
    }
    return tell(host, look_up(host, port, out_list));
}
