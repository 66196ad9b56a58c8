// SPDX-License-Identifier: MIT
/* test_verdict.c – the words that follow from figures.
 *
 * Holds      rows made up by hand.
 * Invariant  none.
 * Called by  the test runner.
 * Why        the verdict is what people quote; it must not say what the table does not.
 * Quirks     none.
 */
#include "fixtures/fixture.h"

#include "cli/verdict.h"

#include <errno.h>
#include <string.h>

enum { MS = 1000000 };

static struct race race;
static char verdict[1024];

static struct race_row row(enum model_index model, uint64_t wall_ms, uint64_t cpu_ms,
                           uint64_t switches, uint64_t memory_kib) {
    return (struct race_row){
        .model = &models[model],
        .measured = true,
        .wall_ns = wall_ms * MS,
        .run = {.cpu_user_ns = cpu_ms * MS, .switches_voluntary = switches},
        .memory = {.pss_bytes = memory_kib * 1024},
        .memory_known = true,
        .cores = models[model].is_one_core ? 1 : 2,
        .text = "",
    };
}

static const char *verdict_of(const struct race_row *rows, unsigned count) {
    verdict_write(&race, rows, count, verdict, sizeof(verdict));
    return verdict;
}

// The talk's own case: as quick on one core, at a fraction of the cost.
START_TEST(waiting_is_won_by_the_cheapest) {
    race.settings.concurrency = 1000;
    struct race_row rows[] = {
        row(MODEL_SYNC, 1000000, 900, 20000, 400),
        row(MODEL_PROCESSES, 1500, 660, 11500, 95000),
        row(MODEL_THREADS, 1100, 310, 10900, 28000),
        row(MODEL_COROUTINES, 1060, 170, 520, 6000),
    };
    rows[0].is_scaled = true;
    ck_assert_int_eq(verdict_winner(rows, 4), 3);
    ck_assert_str_eq(verdict_of(rows, 4),
                     "Waiting is not work: one core kept 1,000 requests in the air. "
                     "Processes took 1.42x as long, used 3.9x the CPU, switched 22x more often and "
                     "held 16x the memory. "
                     "Threads were just as quick but used 1.82x the CPU, switched 21x more often "
                     "and held 4.7x the memory. "
                     "One after another would have taken 1,000 s.");
}
END_TEST

// "But" between two things that both speak for a model would read as a reproach.
START_TEST(but_stands_only_before_a_contrast) {
    race.settings.concurrency = 10;
    struct race_row rows[] = {row(MODEL_COROUTINES, 1000, 100, 1000, 8000),
                              row(MODEL_THREADS, 900, 110, 1000, 2400)};
    ck_assert_int_eq(verdict_winner(rows, 2), 0);
    ck_assert_ptr_nonnull(strstr(
        verdict_of(rows, 2), "Threads were quicker (0.90x the time) and held 0.30x the memory."));
    rows[1].run.switches_voluntary = 500;
    ck_assert_ptr_nonnull(strstr(verdict_of(rows, 2), "(0.90x the time), switched 0.50x as often "
                                                      "and held 0.30x the memory."));
    rows[1].run.switches_voluntary = 2000;
    ck_assert_ptr_nonnull(strstr(verdict_of(rows, 2), "(0.90x the time) but switched 2.0x "));
    rows[1] = row(MODEL_THREADS, 1100, 110, 1000, 2400);
    ck_assert_ptr_nonnull(strstr(verdict_of(rows, 2), "almost as quick (1.10x) but held 0.30x "));
}
END_TEST

// When coroutines do not win, the verdict must say who did.
START_TEST(another_winner_is_named) {
    race.settings.concurrency = 10;
    struct race_row rows[] = {
        row(MODEL_THREADS, 1000, 100, 1000, 8000),
        row(MODEL_COROUTINES, 2000, 100, 1000, 2000),
    };
    ck_assert_int_eq(verdict_winner(rows, 2), 0);
    ck_assert_str_eq(verdict_of(rows, 2), "Here threads cost least. Coroutines took 2.0x as long "
                                          "and held 0.25x the memory.");
}
END_TEST

// A slower model may have cost less: the winner must not be praised for what is not so.
START_TEST(the_best_need_not_be_the_cheapest) {
    race.settings.concurrency = 5000;
    struct race_row rows[] = {row(MODEL_THREADS, 1000, 1400, 60000, 180000),
                              row(MODEL_COROUTINES, 1350, 700, 1200, 36000)};
    ck_assert_int_eq(verdict_winner(rows, 2), 0);
    ck_assert_int_eq(verdict_is_cheapest(rows, 2, 0), false);
    ck_assert_int_eq(verdict_is_cheapest(&rows[0], 1, 0), true);
    ck_assert_str_eq(verdict_of(rows, 2),
                     "Threads were quickest. Coroutines took 1.35x as long, used 0.50x the CPU, "
                     "switched 0.02x as often and held 0.20x the memory.");
}
END_TEST

// "0.00x as often", or a thousand million times as often as never, tells nobody anything.
START_TEST(few_switches_are_told_in_words) {
    race.settings.concurrency = 8;
    struct race_row rows[] = {row(MODEL_THREADS, 1000, 1000, 1229, 884),
                              row(MODEL_COROUTINES, 1950, 1000, 3, 603)};
    ck_assert_str_eq(verdict_of(rows, 2), "Here threads cost least. Coroutines took 1.95x as long, "
                                          "hardly switched at all and held 0.68x the memory.");
    rows[0].run.switches_voluntary = 0;
    ck_assert_ptr_nonnull(strstr(verdict_of(rows, 2), "as long, switched 3 times and held "));
}
END_TEST

// "Of the quickest" is said of several; of one alone it would praise the dearest for its cost.
START_TEST(one_alone_is_just_quickest) {
    race.settings.concurrency = 4;
    struct race_row rows[] = {row(MODEL_SYNC, 1000, 1400, 100, 300),
                              row(MODEL_THREADS, 2900, 700, 100, 300),
                              row(MODEL_PROCESSES, 1100, 1500, 100, 300)};
    ck_assert_ptr_eq(strstr(verdict_of(rows, 3), "Of the quickest, sync cost least. "), verdict);
    ck_assert_ptr_eq(strstr(verdict_of(rows, 2), "Sync was quickest. Threads took 2.9x as long"),
                     verdict);
    race.settings.work = MODEL_WORK_MIXED;
    ck_assert_ptr_eq(strstr(verdict_of(rows, 2), "Sync was quickest. "), verdict);
}
END_TEST

// An interrupted race has no winner among those that happened to come first.
START_TEST(nobody_wins_before_everybody_ran) {
    race.settings.concurrency = 10;
    struct race_row rows[] = {row(MODEL_THREADS, 9, 9, 9, 9), row(MODEL_COROUTINES, 0, 0, 0, 0)};
    rows[1].measured = false;
    ck_assert_int_eq(verdict_winner(rows, 2), -1);
    ck_assert_str_eq(verdict_of(rows, 2), "");
    rows[1].error = -ENOMEM; // it had its turn
    ck_assert_int_eq(verdict_winner(rows, 2), 0);
}
END_TEST

// One request at a time is one request in the air: only many at once may be called overlapping.
START_TEST(one_after_another_overlaps_nothing) {
    struct race_row rows[] = {row(MODEL_SYNC, 10, 10, 10, 300),
                              row(MODEL_COROUTINES, 13, 13, 10, 300)};
    race.settings.concurrency = 4;
    ck_assert_str_eq(verdict_of(rows, 2), "Here sync cost least. Coroutines took 1.30x as long and "
                                          "used 1.30x the CPU.");
    race.settings.concurrency = 1;
    ck_assert_str_eq(verdict_of(&rows[1], 1), "Here coroutines cost least.");
}
END_TEST

// On CPU work the ranking turns round, and the tool must say when not to use coroutines.
START_TEST(working_is_won_by_cores) {
    race.settings.work = MODEL_WORK_CPU;
    struct race_row rows[] = {
        row(MODEL_PROCESSES, 1050, 2010, 100, 9000),
        row(MODEL_THREADS, 1000, 2000, 100, 8000),
        row(MODEL_COROUTINES, 2000, 1990, 90, 2000),
    };
    ck_assert_int_eq(verdict_winner(rows, 3), 1);
    ck_assert_ptr_eq(strstr(verdict_of(rows, 3),
                            "Work is not waiting: threads on 2 cores were 2.0x quicker than "
                            "coroutines on one. What computes needs cores, not coroutines."),
                     verdict);
    rows[0].wall_ns = rows[1].wall_ns = rows[2].wall_ns;
    ck_assert_ptr_eq(strstr(verdict_of(rows, 3), "Work is not waiting, but more cores hardly "
                                                 "helped: were they busy elsewhere?"),
                     verdict);
    rows[0].cores = rows[1].cores = 1;
    ck_assert_ptr_eq(
        strstr(verdict_of(rows, 3), "Work is not waiting: no model makes one core compute faster."),
        verdict);
    ck_assert_ptr_null(strstr(verdict, "do not use concurrency"));
}
END_TEST

// Only a race in which coroutines gained nothing over sync may say that they gain nothing.
START_TEST(computing_says_when_not_to_use_concurrency) {
    race.settings.work = MODEL_WORK_CPU;
    struct race_row rows[] = {
        row(MODEL_SYNC, 2000, 1980, 10, 300),
        row(MODEL_THREADS, 1000, 2000, 100, 8000),
        row(MODEL_COROUTINES, 1990, 1990, 90, 2000),
    };
    const char *when_not = " On one core, coroutines gained nothing over one after another: where "
                           "nothing waits, do not use concurrency.";
    ck_assert_ptr_nonnull(strstr(verdict_of(rows, 3), when_not));
    rows[2].wall_ns = 1500 * MS;
    ck_assert_ptr_null(strstr(verdict_of(rows, 3), when_not));
    rows[2].failed_total = 1;
    ck_assert_ptr_null(strstr(verdict_of(rows, 3), when_not));
}
END_TEST

// Requests with computing are won by whatever there is more of.
START_TEST(mixed_work_names_what_decided) {
    race.settings.work = MODEL_WORK_MIXED;
    race.settings.concurrency = 100;
    struct race_row rows[] = {
        row(MODEL_THREADS, 1000, 2000, 100, 8000),
        row(MODEL_COROUTINES, 1900, 1900, 90, 2000),
    };
    ck_assert_ptr_eq(strstr(verdict_of(rows, 2),
                            "Waits overlap on one core, computing does not: threads on 2 cores "
                            "were 1.90x quicker than coroutines on one."),
                     verdict);
    rows[0].model = &models[MODEL_MULTICORE];
    ck_assert_ptr_nonnull(strstr(verdict_of(rows, 2), "multicore on 2 cores was 1.90x quicker"));
    rows[1].wall_ns = rows[0].wall_ns;
    ck_assert_ptr_eq(strstr(verdict_of(rows, 2), "There is more waiting than computing here: one "
                                                 "core did both for 100 requests in the air."),
                     verdict);
    rows[0].cores = 1;
    ck_assert_ptr_eq(strstr(verdict_of(rows, 2), "Here coroutines cost least."), verdict);
}
END_TEST

// Calls that block: the sentence says who had threads for them, and only if that helped.
START_TEST(blocking_is_won_by_threads) {
    race.settings.work = MODEL_WORK_BLOCK;
    race.settings.concurrency = 50;
    struct race_row rows[] = {
        row(MODEL_COROUTINES, 2000, 3, 10, 900),
        row(MODEL_OFFLOAD, 40, 7, 400, 2400),
    };
    ck_assert_ptr_eq(strstr(verdict_of(rows, 2),
                            "A call that blocks holds up everybody on its loop: with offload it "
                            "took 1/50 of the time. Give such calls to threads."),
                     verdict);
    ck_assert_ptr_eq(strstr(verdict_of(rows + 1, 1), "Here offload cost least."), verdict);
    rows[0].wall_ns = rows[1].wall_ns;
    ck_assert_ptr_eq(strstr(verdict_of(rows, 2), "Here coroutines cost least."), verdict);
}
END_TEST

// A model that failed, was cut short or scaled up must not win, nor be compared.
START_TEST(doubtful_rows_do_not_win) {
    race.settings.concurrency = 10;
    struct race_row rows[] = {
        row(MODEL_SYNC, 1, 1, 1, 1),       row(MODEL_THREADS, 1, 1, 1, 1),
        row(MODEL_PROCESSES, 1, 1, 1, 1),  row(MODEL_FLOOR, 1, 1, 1, 1),
        row(MODEL_COROUTINES, 9, 9, 9, 9),
    };
    rows[0].is_scaled = true;
    rows[1].failed_total = 1;
    rows[2].is_partial = true;
    ck_assert_int_eq(verdict_winner(rows, 5), 4);
    ck_assert_ptr_null(strstr(verdict_of(rows, 5), "hreads"));
    rows[4].measured = false;
    ck_assert_int_eq(verdict_winner(rows, 5), -1);
    ck_assert_str_eq(verdict_of(rows, 5), "");
}
END_TEST

// Figures of zero, and memory that is not known, must not print nan or invent a ratio.
START_TEST(zeros_and_unknowns_are_survived) {
    race.settings.concurrency = 10;
    struct race_row rows[] = {
        row(MODEL_THREADS, 1000, 0, 0, 5000),
        row(MODEL_COROUTINES, 1000, 0, 0, 1000),
    };
    rows[0].memory_known = false;
    ck_assert_ptr_null(strstr(verdict_of(rows, 2), "nan"));
    ck_assert_ptr_null(strstr(verdict, "memory"));
    rows[0].run.cpu_user_ns = 5;
    verdict_of(rows, 2);
    ck_assert_ptr_null(strstr(verdict, "inf"));
}
END_TEST

// A verdict longer than its buffer must be cut, not written beyond it.
START_TEST(long_verdicts_are_cut) {
    char small[40];
    race.settings.concurrency = 10;
    struct race_row rows[] = {row(MODEL_COROUTINES, 9, 9, 9, 9), row(MODEL_THREADS, 9, 99, 99, 99)};
    memset(small, '#', sizeof(small));
    verdict_write(&race, rows, 2, small, 32);
    ck_assert_uint_eq(strlen(small), 31);
    ck_assert_int_eq(small[32], '#');
}
END_TEST

FIXTURE_MAIN("cli/verdict", waiting_is_won_by_the_cheapest, but_stands_only_before_a_contrast,
             another_winner_is_named, the_best_need_not_be_the_cheapest,
             few_switches_are_told_in_words, one_alone_is_just_quickest,
             nobody_wins_before_everybody_ran, one_after_another_overlaps_nothing,
             working_is_won_by_cores, computing_says_when_not_to_use_concurrency,
             mixed_work_names_what_decided, blocking_is_won_by_threads, doubtful_rows_do_not_win,
             zeros_and_unknowns_are_survived, long_verdicts_are_cut)
