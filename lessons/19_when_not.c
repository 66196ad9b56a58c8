// SPDX-License-Identifier: MIT
/* 19_when_not.c – computing instead of waiting: the ranking turns round.
 *
 * Watch the speed-up: tasks take turns on one core, so computing in tasks is no faster than one after
 * another, and holds up the loop. Threads and processes use the other cores. Choose tasks for waiting, and
 * threads or processes for computing (jg_to_thread, jg_map, a process pool). On one core nothing helps.
 */
#include "common/lesson.h"

#include <stdlib.h>
#include <unistd.h>

struct piece {
    int from;
    int to;
    int primes;
};

static bool is_prime(int number) {
    for (int i = 2; i * i <= number; i++) {
        if (number % i == 0) {
            return false;
        }
    }
    return number > 1;
}

static intptr_t count_primes(void *arg) { // never waits
    struct piece *piece = arg;
    piece->primes = 0;
    for (int number = piece->from; number < piece->to; number++) {
        piece->primes += is_prime(number);
    }
    return 0;
}

static intptr_t measure(const char *name, jg_map_mode mode, struct piece *pieces, size_t count) {
    static double alone_s; // the first is what the others are compared with
    const jg_map_options options = {.limit = (size_t)sysconf(_SC_NPROCESSORS_ONLN)};
    int64_t from_ns = jg_now();
    intptr_t rc = jg_map(mode, count_primes, pieces, sizeof(*pieces), count, NULL, &options);
    double took_s = (double)(jg_now() - from_ns) / (double)JG_S;
    int primes = 0;
    for (size_t i = 0; i < count; i++) {
        primes += pieces[i].primes;
    }
    alone_s = alone_s > 0 ? alone_s : took_s;
    printf("%-18s %6.2f s %8.1f x   %d primes\n", name, took_s, alone_s / took_s, primes);
    fflush(stdout);
    return rc;
}

static intptr_t lesson(void *arg) {
    (void)arg;
    size_t count = lesson_count(16);
    struct piece *pieces = calloc(count, sizeof(*pieces));
    if (pieces == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        pieces[i].from = 1000000 + (int)i * 50000;
        pieces[i].to = pieces[i].from + 50000;
    }
    printf("%zu pieces            time  speed-up\n", count);
    intptr_t rc = measure("one after another", JG_MAP_INLINE, pieces, count);
    rc = rc < 0 ? rc : measure("tasks", JG_MAP_COROUTINES, pieces, count);
    rc = rc < 0 ? rc : measure("threads", JG_MAP_THREADS, pieces, count);
    rc = rc < 0 ? rc : measure("processes", JG_MAP_PROCESSES, pieces, count);
    free(pieces);
    return rc;
}

int main(int argc, char **argv) {
    return lesson_main_with(argc, argv, lesson, LESSON_REAL | LESSON_COUNT);
}
