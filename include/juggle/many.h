// SPDX-License-Identifier: MIT
/* juggle/many.h – a loop per core, and channels between them.
 *
 * Holds      jg_xchan, a bounded channel that any loop and any thread may use, by value.
 * Invariant  a task never changes thread: loops share nothing but what they send each other. An element
 *            that was sent is received once, whatever is cancelled on either side.
 * Why        no work stealing: errno, thread-locals and plain data stay safe; what crosses cores is
 *            visible in the program.
 */
#ifndef JUGGLE_MANY_H
#define JUGGLE_MANY_H

#include <juggle/base.h>
#include <juggle/run.h>
#include <pthread.h>

JG_BEGIN_DECLS

/* How many loops run. All zero is the default. */
typedef struct jg_run_many_options {
    jg_run_options run;  /* of each loop */
    bool pin;            /* loop i stays on the i-th processor the program may use */
    intptr_t *out_words; /* NULL, or room for a word per loop: what its function returned */
} jg_run_many_options;

/* Runs `loops` loops (0: one per processor), each on a thread of its own, and waits for all: loop i runs
 * fn((char *)args + i * arg_size). With an `arg_size` of 0 all get `args`. Options may be NULL.
 *
 * When one of them fails, the first tasks of the others are cancelled; so they are when the caller is.
 * A task that leaves its thread by pthread_exit is a named abort: there is no way back into its loop.
 *
 * Returns  0; the first failure, with jg_error_last(); -ECANCELED when the caller was cancelled; -EAGAIN
 *          when not all threads could be started, -ENOMEM, and what jg_run returns for a loop that cannot be
 *          made (-EMFILE, -EINVAL): then those that were are cancelled.
 * Owns     borrows all. Suspends only in a task; a thread without a loop blocks. */
#define jg_run_many(loops, fn, args, arg_size, options)                                            \
    jg_run_many_at((loops), (fn), (args), (arg_size), (options), #fn "\0" JG_HERE)
JG_API JG_SUSPENDS intptr_t jg_run_many_at(size_t loops, jg_fn *fn, void *args, size_t arg_size,
                                           const jg_run_many_options *options, const char *site);

/* A channel between threads. Fields are private. */
typedef struct jg_xchan {
    pthread_mutex_t lock;
    pthread_cond_t over; /* for waiters without a loop */
    void *first_sender;  /* who waits for room */
    void *last_sender;
    void *first_receiver; /* who waits for an element */
    void *last_receiver;
    char *buffer;
    size_t element_size;
    size_t capacity;
    size_t head;
    size_t count;
    bool closed;
} jg_xchan;

/* Starts a channel; `buffer` has room for `capacity` elements of `element_size` bytes. With NULL and 0
 * sender and receiver meet. Nothing has to be undone at the end.
 *
 * Owns     keeps `buffer` as long as the channel is used. */
JG_API void jg_xchan_init(jg_xchan *chan, size_t element_size, void *buffer, size_t capacity);

/* Sends the element: into the hands of the longest waiting receiver, else into the buffer, else waits.
 *
 * Returns  0; -EPIPE when the channel is closed, also while it waits; -ECANCELED, and then nobody gets
 *          the element; -ECHILD in a forked copy of a task.
 * Threads  any, with a loop or without. */
JG_API JG_SUSPENDS int jg_xchan_send(jg_xchan *chan, const void *element);

/* Receives an element.
 *
 * Returns  1, an element is in `out_element`; 0 at the end: the channel is closed and its buffer empty;
 *          -ECANCELED, -ECHILD.
 * Threads  any, with a loop or without. */
JG_API JG_SUSPENDS int jg_xchan_recv(jg_xchan *chan, void *out_element);

/* The same, if it can be done at once. Return as above, or -EAGAIN. Any thread. */
JG_API int jg_xchan_try_send(jg_xchan *chan, const void *element);
JG_API int jg_xchan_try_recv(jg_xchan *chan, void *out_element);

/* Closes the channel for both sides: sends fail from now on, those that wait too; receivers get what is
 * in the buffer, then the end. Closing twice changes nothing. Any thread. */
JG_API void jg_xchan_close(jg_xchan *chan);

JG_END_DECLS

#endif
