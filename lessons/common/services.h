// SPDX-License-Identifier: MIT
/* services.h – the services the lessons ask: a stand-in of our own, or what --url names.
 *
 * Holds      one stand-in at most, that of `juggle serve`; the list of URLs.
 * Invariant  it ends with the lesson, however that ends.
 * Called by  lesson.c; lesson_url, which lessons call, is here too.
 * Why        it runs in a process of its own, as a real service would; under --sim, whose network is
 *            memory, as a task of the same loop.
 */
#ifndef SERVICES_H
#define SERVICES_H

#include <stdbool.h>

enum { SERVICES_MOST = 8 };

/* Adds a URL to be asked instead. Returns 0, or -EINVAL. */
int services_use(const char *url);

/* Ends the stand-in, if there is one. */
void services_stop(void);

/* Whether time is virtual. */
bool lesson_sim(void);

/* Ends the program with one line: what could not be had, and why. */
_Noreturn void lesson_give_up(const char *what, int code);

#endif
