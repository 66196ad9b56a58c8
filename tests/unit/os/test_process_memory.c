// SPDX-License-Identifier: MIT
/* test_process_memory.c – running a program with each allocation refused in turn.
 */
// Backends: epoll blocking
#include "fixtures/fixture.h"

#include "base/mem.h"

#include <juggle.h>
#include <string.h>

static int run_cat(jg_process_output *out_output) {
    static char input[20000];
    const char *argv[] = {"cat", NULL};
    const jg_process_options options = {.argv = argv};
    memset(input, 'x', sizeof(input));
    return jg_process_run(&options, input, sizeof(input), 0, out_output);
}

static intptr_t refuse_each(void *arg) {
    jg_process_output output;
    int rc = -ENOMEM;
    int n = 0;
    (void)arg;
    while (rc < 0) {
        mem_fail_nth((uint64_t)++n, 0);
        rc = run_cat(&output);
        mem_fail_nth(0, 0);
        ck_assert_msg(rc == 0 || rc == -ENOMEM, "came to %d at %d", rc, n);
        ck_assert_int_lt(n, 100);
    }
    ck_assert_int_ge(n, 4);
    ck_assert_uint_eq(output.out_size, 20000);
    jg_process_output_free(&output);
    jg_error_clear();
    return 0;
}

// Without memory at some point a program would be left running, or a descriptor open.
START_TEST(refused_memory_leaves_nothing) {
    if (strcmp(fixture_backend(), "blocking") == 0) {
        refuse_each(NULL);
    } else {
        ck_assert_int_eq(jg_run(refuse_each, NULL), 0);
    }
}
END_TEST

FIXTURE_MAIN("os/process_memory", refused_memory_leaves_nothing)
