// SPDX-License-Identifier: MIT
/* pool.c – counts primes in slices, under whichever model the first argument names.
 *
 * Holds      the slices, on main's stack.
 * Invariant  count_primes is the same function in every mode: only who runs it differs.
 * Called by  a person: `pool [inline|threads|processes|coroutines]`.
 * Why        this work computes and never waits: more cores help, coroutines do not.
 */
#include <err.h>
#include <juggle.h>
#include <stdio.h>
#include <string.h>

enum { SLICES = 16, SLICE_SIZE = 20000 };

struct slice {
    int first;
    int primes; // found; written by the function, also from another process
};

static bool is_prime(int n) {
    for (int d = 2; d * d <= n; d++) {
        if (n % d == 0) {
            return false;
        }
    }
    return n >= 2;
}

static intptr_t count_primes(void *arg) {
    struct slice *slice = arg;
    for (int n = slice->first; n < slice->first + SLICE_SIZE; n++) {
        slice->primes += is_prime(n);
    }
    return 0;
}

int main(int argc, char **argv) {
    static const char *const names[] = {"inline", "threads", "processes", "coroutines"};
    struct slice slices[SLICES];
    int mode = argc > 1 ? 0 : JG_MAP_THREADS;
    while (argc > 1 && mode < 4 && strcmp(argv[1], names[mode]) != 0) {
        mode++;
    }
    if (argc > 2 || mode == 4) {
        fprintf(stderr, "usage: %s [inline|threads|processes|coroutines]\n", argv[0]);
        return 2;
    }
    for (int i = 0; i < SLICES; i++) {
        slices[i] = (struct slice){.first = i * SLICE_SIZE};
    }
    int64_t start_ns = jg_now();
    intptr_t rc = jg_map((jg_map_mode)mode, count_primes, slices, sizeof slices[0], SLICES, NULL,
                         NULL);
    if (rc < 0) {
        fprintf(stderr, "pool: %s\n", jg_error_detail(rc));
        return 1;
    }
    int primes = 0;
    for (int i = 0; i < SLICES; i++) {
        primes += slices[i].primes;
    }
    printf("%d primes below %d, by %s in %.1f ms\n", primes, SLICES * SLICE_SIZE, names[mode],
           (double)(jg_now() - start_ns) / 1e6);
    if (fclose(stdout) != 0) {
        err(1, "standard output"); // closed, or its disk is full
    }
    return 0;
}
