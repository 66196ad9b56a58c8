// SPDX-License-Identifier: MIT
/* juggle/chan.h – channels, and waiting for several of them at once.
 *
 * Holds      elements of one size, copied from hand to hand; a buffer only if the caller gives one.
 * Invariant  an element that was sent is received once. Without a buffer a send returns 0 only when a
 *            receiver has the element; first come, first served on both sides.
 * Threads    tasks of one loop only.
 * Why        nothing is allocated: the buffer is the caller's, who waits brings its own record.
 *
 *     jg_case cases[] = {jg_case_recv(&jobs, &job), jg_case_send(&results, &result)};
 *     switch (jg_select(cases, 2)) {
 *     case 0: ... cases[0].rc == 1: a job; 0: the channel is closed
 *     case 1: ... cases[1].rc == 0: it was sent
 *     }
 */
#ifndef JUGGLE_CHAN_H
#define JUGGLE_CHAN_H

#include <juggle/base.h>
#include <juggle/waitq.h>

JG_BEGIN_DECLS

/* A channel. Zero bytes: no buffer, and elements of no size, which only meet. Fields are private. */
typedef struct jg_chan {
    jg_waitq senders;
    jg_waitq receivers;
    char *buffer;
    size_t element_size;
    size_t capacity; /* elements the buffer has room for */
    size_t head;     /* index of the oldest */
    size_t count;
    bool closed;
} jg_chan;

/* Starts a channel of elements of `element_size` bytes. `buffer` has room for `capacity` of them; with
 * NULL and 0 sender and receiver meet. Nothing has to be undone at the end.
 *
 * Owns  keeps `buffer` as long as the channel is used. */
JG_API void jg_chan_init(jg_chan *chan, size_t element_size, void *buffer, size_t capacity);

/* Sends the element: into the hands of the longest waiting receiver, else into the buffer, else waits.
 *
 * Returns  0; -EPIPE when the channel is closed, also while it waits; -ECANCELED, and then nobody gets
 *          the element; -EDEADLK without a loop and a deadline, where nobody could receive. */
JG_API JG_SUSPENDS int jg_chan_send(jg_chan *chan, const void *element);

/* Receives an element.
 *
 * Returns  1, an element is in `out_element`; 0 at the end: the channel is closed and its buffer empty;
 *          -ECANCELED; -EDEADLK without a loop and a deadline, where nobody could send. */
JG_API JG_SUSPENDS int jg_chan_recv(jg_chan *chan, void *out_element);

/* The same, if it can be done at once. Return as above, or -EAGAIN. */
JG_API int jg_chan_try_send(jg_chan *chan, const void *element);
JG_API int jg_chan_try_recv(jg_chan *chan, void *out_element);

/* Closes the channel, for both sides: sends fail from now on, those that wait too; receivers get what is
 * in the buffer, then the end. A receiver that leaves closes as well: so senders learn of it. Closing
 * twice changes nothing. */
JG_API void jg_chan_close(jg_chan *chan);

/* Whether it is closed. */
JG_API bool jg_chan_is_closed(const jg_chan *chan);

/* Returns the number of elements in the buffer. */
JG_API size_t jg_chan_count(const jg_chan *chan);

/* One of the things a select waits for: made by jg_case_send and jg_case_recv. */
typedef struct jg_case {
    int rc;        /* of the case that was chosen: what its send or recv would have returned */
    bool sends;    /* or receives */
    jg_chan *chan; /* over which; NULL: the case is switched off */
    void *element; /* what it sends, or where it puts what it receives */

    /* Private below. */
    void *select; /* whose case it is */
    jg_waitq_place place;
} jg_case;

/* Makes a case that sends the element if the select chooses it. A channel of NULL is never ready: so a case
 * is switched off. The element is borrowed until the select returns. */
static inline jg_case jg_case_send(jg_chan *chan, const void *element) {
    jg_case made;
    __builtin_memset(&made, 0, sizeof(made));
    made.sends = true;
    made.chan = chan;
    made.element = (void *)element;
    return made;
}

/* Makes a case that receives an element into `out_element` if the select chooses it; else as jg_case_send. */
static inline jg_case jg_case_recv(jg_chan *chan, void *out_element) {
    jg_case made;
    __builtin_memset(&made, 0, sizeof(made));
    made.chan = chan;
    made.element = out_element;
    return made;
}

/* Does exactly one of the cases: one of those that are ready, chosen by lot, so that none is starved;
 * if none is, the first that becomes ready. A case whose channel is closed is ready.
 *
 * Returns  the index of the case that was done, its result in `cases[index].rc`; -EINVAL for no cases;
 *          -ECANCELED, and then none was done; -EDEADLK without a loop and a deadline. */
JG_API JG_SUSPENDS int jg_select(jg_case *cases, size_t count);

/* The same, if one is ready: a select with a default. Returns as above, or -EAGAIN. */
JG_API int jg_select_try(jg_case *cases, size_t count);

JG_END_DECLS

#endif
