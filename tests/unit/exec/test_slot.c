// SPDX-License-Identifier: MIT
/* test_slot.c – shared slots, and workers without memory.
 */
#define FIXTURE_LIMIT 20
#include "fixtures/fixture.h"

#include "base/mem.h"
#include "exec/slot.h"

#include <juggle.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY = 1000, PER_SHEET = 64 };

static int count_mappings(void) {
    FILE *maps = fopen("/proc/self/maps", "r");
    int lines = 0;
    for (int c = fgetc(maps); c != EOF; c = fgetc(maps)) {
        lines += c == '\n';
    }
    fclose(maps);
    return lines;
}

// A thousand workers would take a thousand mappings, which every fork has to copy.
START_TEST(many_slots_share_few_mappings) {
    static struct slot *slots[MANY];
    int before = count_mappings();
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(slot_take(&slots[i]), 0);
        ck_assert(!slots[i]->handed);
        slots[i]->word = i;
    }
    ck_assert_int_le(count_mappings() - before, MANY / 10);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(slots[i]->word, i);
        slot_give(slots[i]);
    }
    ck_assert_int_eq(mem_live(), 0);
}
END_TEST

// A slot that is given back would be handed out while its old sheet still is in use, or never freed.
START_TEST(slots_may_come_back_in_any_order) {
    static struct slot *slots[3 * PER_SHEET];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3 * PER_SHEET; i++) {
            ck_assert_int_eq(slot_take(&slots[i]), 0);
        }
        for (int i = 0; i < 3 * PER_SHEET; i++) {
            slot_give(slots[(i * 37 + round) % (3 * PER_SHEET)]);
        }
        ck_assert_int_eq(mem_live(), 0);
    }
}
END_TEST

// A child that starts workers of its own would write over those of its parent.
START_TEST(forked_child_cuts_its_own_sheet) {
    struct slot *before;
    struct slot *after;
    ck_assert_int_eq(slot_take(&before), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct slot *own = NULL;
        if (slot_take(&own) == 0) {
            own->word = 77;
            before->word = own == before + 1 ? 1 : 2;
        }
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_int_eq(before->word, 2); // what the child writes to a shared slot is seen here
    ck_assert_int_eq(slot_take(&after), 0);
    ck_assert_ptr_eq(after, before + 1);
    ck_assert_int_eq(after->word, 0);
    slot_give(before);
    slot_give(after);
}
END_TEST

static void *take_and_give(void *arg) {
    struct slot *slots[10];
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 10; i++) {
            ck_assert_int_eq(slot_take(&slots[i]), 0);
            slots[i]->word = (intptr_t)arg + i;
        }
        for (int i = 0; i < 10; i++) {
            ck_assert_int_eq(slots[i]->word, (intptr_t)arg + i);
            slot_give(slots[i]);
        }
    }
    return NULL;
}

// Threads that start workers at once would get the same slot.
START_TEST(threads_get_different_slots) {
    pthread_t threads[4];
    for (intptr_t i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_and_give, (void *)(i * 100)), 0);
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    ck_assert_int_eq(mem_live(), 0);
}
END_TEST

static intptr_t fail_with_text(void *arg) {
    (void)arg;
    return jg_fail(-EPROTO, "no good");
}

static intptr_t run_worker(void *arg) {
    const jg_worker_kind *kind = arg;
    jg_worker *worker;
    int rc = jg_worker_start(*kind, fail_with_text, NULL, NULL, &worker);
    if (rc < 0) {
        return rc;
    }
    intptr_t word = jg_worker_join(worker);
    ck_assert_int_eq(word, -EPROTO);
    const char *text = jg_error_detail(-EPROTO);
    ck_assert(strcmp(text, "no good") == 0 || strcmp(text, "EPROTO: Protocol error") == 0);
    jg_error_clear();
    return 0;
}

/* With each allocation refused in turn, in a loop and without one. */
static void refuse_each(jg_worker_kind kind, bool in_loop) {
    bool reached = true;
    for (uint64_t n = 1; reached; n++) {
        ck_assert_uint_lt(n, 100);
        mem_fail_nth(n, 1);
        intptr_t rc = in_loop ? jg_run(run_worker, &kind) : run_worker(&kind);
        reached = mem_refuse() != 0;
        mem_fail_nth(0, 0);
        jg_error_clear();
        ck_assert_int_eq(mem_live(), 0);
        ck_assert(rc == -ENOMEM || rc == 0);
        ck_assert(reached || rc == 0);
    }
}

// Without memory a worker would be half started, or its word lost with its reason.
START_TEST(workers_without_memory) {
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        refuse_each(JG_WORKER_THREAD, in_loop);
        refuse_each(JG_WORKER_PROCESS, in_loop);
    }
}
END_TEST

FIXTURE_MAIN("unit/exec/slot", many_slots_share_few_mappings, slots_may_come_back_in_any_order,
             forked_child_cuts_its_own_sheet, threads_get_different_slots, workers_without_memory)
