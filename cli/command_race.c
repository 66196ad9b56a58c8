// SPDX-License-Identifier: MIT
/* command_race.c – `juggle race URL`: the same requests under several models.
 *
 * Holds      the command: options, and whose host it is.
 * Invariant  no request is sent to another machine unless the user said that it is theirs.
 * Called by  commands.c.
 * Why        see race.h.
 * Quirks     --concurrency above --requests means as many as there are requests; limits are checked
 *            against those.
 */
#include "commands.h"
#include "output.h"
#include "race_main.h"
#include "terminal.h"
#include "text.h"
#include "units.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct race_options {
    const char *url;
    uint64_t requests;
    uint64_t concurrency;
    struct option_choices models;
    uint64_t rounds;
    const char *work;
    uint64_t beat_ns;
    bool realtime;
    uint64_t cores;
    uint64_t timeout_ns;
    uint64_t sync_requests;
    bool own_host;
    struct race_output output;
};

static const uint64_t work_default_ns = 1000000;
static const uint64_t work_most_ns = UINT64_C(10000000000);

/* Reads "io", "cpu:2ms", "mixed:500us", "block:10ms". Complains and returns false if it is something else. */
static bool read_work(const char *text, struct race_settings *settings) {
    size_t length = strcspn(text, ":");
    const char *duration = text[length] == ':' ? text + length + 1 : NULL;
    bool is_io = length == 2 && memcmp(text, "io", 2) == 0 && duration == NULL;
    bool is_cpu = length == 3 && memcmp(text, "cpu", 3) == 0;
    bool is_mixed = length == 5 && memcmp(text, "mixed", 5) == 0;
    bool is_block = length == 5 && memcmp(text, "block", 5) == 0;
    settings->work = is_cpu     ? MODEL_WORK_CPU
                     : is_mixed ? MODEL_WORK_MIXED
                     : is_block ? MODEL_WORK_BLOCK
                                : MODEL_WORK_IO;
    settings->work_ns = work_default_ns;
    bool is_good = is_io || is_cpu || is_mixed || is_block;
    if (is_good && duration != NULL) {
        is_good = units_parse_duration(duration, &settings->work_ns) == 0 &&
                  settings->work_ns > 0 && settings->work_ns <= work_most_ns;
    }
    if (!is_good) {
        char shown[64];
        output_complain(
            "race", "--work: '%s' is none of io, cpu:TIME, mixed:TIME, block:TIME (TIME up to 10s)",
            text_escape(text, shown, sizeof(shown)));
    }
    return is_good;
}

/* The floor can only make requests. Complains and returns false if it is asked for more. */
static bool check_floor(const struct race_settings *settings) {
    bool has_floor = memchr(settings->models.picked, MODEL_FLOOR, settings->models.count) != NULL;
    if (has_floor && settings->work != MODEL_WORK_IO) {
        output_complain("race", "--models: the floor only makes requests: leave it out, or --work");
        return false;
    }
    return true;
}

/* Only who beats can have a priority for it. Complains and returns false otherwise. */
static bool check_beat(const struct race_settings *settings) {
    if (settings->beat_realtime && settings->beat_ns == 0) {
        output_complain("race",
                        "--realtime is the priority of the beat: add --beat, as --beat 1ms");
        return false;
    }
    return true;
}

static enum exit_code find_target(const struct race_options *options, struct race *race) {
    char error[TARGET_ERROR_SIZE];
    char shown[64];
    if (options->url == NULL && !model_work_has_requests(race->settings.work)) {
        return EXIT_GOOD;
    }
    if (options->url == NULL) {
        output_complain("race", "URL is missing; see 'juggle race --help'");
        return EXIT_USAGE;
    }
    if (target_parse(options->url, &race->target, error) < 0) {
        output_complain("race", "%s", error);
        return EXIT_USAGE;
    }
    if (target_resolve(&race->target, error) < 0) {
        output_complain("race", "%s", error);
        return EXIT_UNREACHABLE;
    }
    if (!race->target.is_local && !options->own_host) {
        output_complain("race",
                        "%s is another machine: add --i-own-this-host if you may put load on it",
                        text_escape(race->target.host, shown, sizeof(shown)));
        return EXIT_USAGE;
    }
    return EXIT_GOOD;
}

static int run(const void *given) {
    static struct race race;
    const struct race_options *options = given;
    uint64_t most = options->requests;
    race.settings = (struct race_settings){
        .command = "race",
        .models = options->models,
        .requests = options->requests,
        .concurrency = options->concurrency < most ? options->concurrency : most,
        .rounds = options->rounds,
        .cores = options->cores,
        .timeout_ns = options->timeout_ns,
        .sync_requests = options->sync_requests,
        .beat_ns = options->beat_ns,
        .beat_realtime = options->realtime,
    };
    if (!read_work(options->work, &race.settings) || !check_floor(&race.settings) ||
        !check_beat(&race.settings)) {
        return EXIT_USAGE;
    }
    enum exit_code code = find_target(options, &race);
    if (code == EXIT_GOOD) {
        code = race_main(&race, &options->output);
    }
    return (int)code;
}

#define AT(field) offsetof(struct race_options, field)

static const struct option_spec options[] = {
    {.name = "requests",
     .letter = 'n',
     .kind = OPTION_COUNT,
     .value_name = "N",
     .help = "requests per model and round",
     .preset = "1k",
     .min = 1,
     .max = 1000000000,
     .offset = AT(requests)},
    {.name = "concurrency",
     .letter = 'c',
     .kind = OPTION_COUNT,
     .value_name = "N",
     .help = "requests in flight at once: so many threads, processes, coroutines; no more than -n",
     .preset = "100",
     .min = 1,
     .max = 1000000,
     .offset = AT(concurrency)},
    {.name = "models",
     .letter = 'm',
     .kind = OPTION_CHOICES,
     .value_name = "LIST",
     .help = "who races, comma-separated",
     .preset = "sync,threads,processes,coroutines",
     .choices = model_names,
     .offset = AT(models)},
    {.name = "rounds",
     .letter = 'r',
     .kind = OPTION_COUNT,
     .value_name = "N",
     .help = "timed rounds of each model, interleaved",
     .preset = "3",
     .min = 1,
     .max = RACE_ROUNDS_MAX,
     .offset = AT(rounds)},
    {.name = "work",
     .letter = 'w',
     .kind = OPTION_TEXT,
     .value_name = "KIND",
     .help =
         "io: requests; cpu:TIME: computing for so long instead; mixed:TIME: both; block:TIME: a call "
         "that blocks for so long instead; without TIME, 1ms",
     .preset = "io",
     .offset = AT(work)},
    {.name = "beat",
     .kind = OPTION_DURATION,
     .value_name = "TIME",
     .help = "somebody more, who wants to wake every TIME: how late is that?",
     .min = 100000,
     .max = UINT64_C(10000000000),
     .offset = AT(beat_ns)},
    {.name = "realtime",
     .kind = OPTION_FLAG,
     .help = "give the thread of --beat real-time priority; root may",
     .offset = AT(realtime)},
    {.name = "cores",
     .kind = OPTION_COUNT,
     .value_name = "N",
     .help = "keep the client on so many of the cores it may use; 0 means all",
     .preset = "0",
     .max = 1024,
     .offset = AT(cores)},
    {.name = "timeout",
     .letter = 'T',
     .kind = OPTION_DURATION,
     .value_name = "TIME",
     .help =
         "how long a request may take; after two of them without any answer the race is given up",
     .preset = "10s",
     .min = 1000000,
     .max = UINT64_C(3600000000000),
     .offset = AT(timeout_ns)},
    {.name = "sync-requests",
     .kind = OPTION_COUNT,
     .value_name = "N",
     .help =
         "how many requests sync really makes; the rest is reckoned from them (cpu, block: all)",
     .preset = "20",
     .min = 1,
     .max = 1000000000,
     .offset = AT(sync_requests)},
    {.name = "i-own-this-host",
     .kind = OPTION_FLAG,
     .help = "allow a target that is not this machine",
     .offset = AT(own_host)},
    RACE_OUTPUT_OPTIONS(AT(output)),
    {.name = NULL},
};
static const struct option_spec operands[] = {
    {.name = "URL",
     .kind = OPTION_URL,
     .help = "http://host[:port]/path, or http+unix://%2Fpath%2Fto%2Fsocket/path; "
             "--work cpu and block need none",
     .offset = AT(url)},
    {.name = NULL},
};
static const struct command_example examples[] = {
    {"juggle race http://127.0.0.1:8080/ -n 10k -c 1000",
     "10,000 requests, 1,000 in flight, under every model"},
    {"juggle race http://127.0.0.1:8080/ --cores 1 -m threads,coroutines",
     "with the client on one core: waiting needs no second one"},
    {"juggle race --work cpu:2ms -n 200 -c 8",
     "computing, no server needed: the ranking turns round"},
    {"juggle race http://127.0.0.1:8080/ --work mixed:2ms",
     "computing after each answer: waits overlap, it does not"},
    {"juggle race --work block:20ms -n 100 -c 50 -m threads,coroutines,offload",
     "calls that block: coroutines need threads for them"},
    {"juggle race --work cpu:2ms -c 8 -m threads,coroutines,offload --beat 1ms",
     "how late is somebody who only wants to wake in time?"},
    {"juggle race http://127.0.0.1:8080/ --json | jq '.models[] | {name, wall_s}'", "for programs"},
    {NULL, NULL},
};
static const enum exit_code exits[] = {EXIT_GOOD,        EXIT_FAILED,      EXIT_USAGE,
                                       EXIT_UNREACHABLE, EXIT_LOCAL_LIMIT, EXIT_INTERRUPTED,
                                       EXIT_TERMINATED,  EXIT_GOOD};

const struct command command_race = {
    .name = "race",
    .summary = "the same requests under every concurrency model, and what each cost",
    .description =
        "Makes the same requests with one client function under several models: one after another, "
        "with threads, with processes, with coroutines on one core. (\"multicore\" has one loop of "
        "coroutines per core; \"offload\" is one loop that gives computing and what blocks to threads, as "
        "jg_to_thread does.) Each model runs in a fresh "
        "process; rounds are interleaved, the first one of each is not timed. The clock runs from "
        "go until the last answer is checked and every worker is joined; making the workers is "
        "shown apart.\n\n"
        "Costs are CPU time, context switches, and memory as PSS + kernel stacks + page tables. "
        "The model \"floor\" is a bare epoll loop: the least it can cost.\n\n"
        "With --work cpu:TIME each model computes instead, a chain of hashes that takes so much CPU time "
        "on one idle core, and checks the result; with mixed:TIME it does so after each answer. Where "
        "nothing waits, the verdict says when not to use concurrency. With block:TIME it makes a call that "
        "blocks its thread for so long, as libraries do that know of no loop.\n\n"
        "With --beat TIME each model but sync and floor has one worker more of its own kind (coroutines: a "
        "task on the loop), which wants to wake every TIME; the table says how late it was. With "
        "--realtime its thread has real-time priority (on a loop: everybody there).\n\n"
        "^C once ends the race and reports what was measured; twice quits at once.",
    .examples = examples,
    .options = options,
    .operands = operands,
    .exits = exits,
    .settings_size = sizeof(struct race_options),
    .run = run,
};
