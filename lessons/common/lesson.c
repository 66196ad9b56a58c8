// SPDX-License-Identifier: MIT
/* lesson.c – see lesson.h.
 *
 * Holds      the options of this run, and when it began.
 * Called by  every lesson.
 * Why        options that would change nothing are refused: who gives one wants to see what it does.
 */
#include "lesson.h"

#include "cli/output.h"
#include "files.h"
#include "services.h"

#include <getopt.h>
#include <inttypes.h>
#include <juggle/sim.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { NUMBER_MOST = 100000, LIMIT_MS = 10000 };

static struct {
    const char *name;
    bool sim;
    uint64_t seed;
    size_t count; // 0: what is usual
    jg_fn *fn;
    unsigned kinds; // LESSON_CALLS, ...
    int64_t began_ns;
} lesson;

jg_http_client_options lesson_limits;

/* The options, which kinds of lesson have them, and why the others have not. */
static const struct known {
    int letter;
    unsigned with;    // a kind that must be there
    unsigned without; // a kind that must not
    const char *name;
    const char *help;
    const char *refused;
} known[] = {
    {'m', 0, LESSON_REAL, "--sim",
     "  --sim        on a virtual clock: waiting takes no time, and each run prints the same\n"
     "               (also with JUGGLE_BACKEND=sim)\n",
     "this lesson is on the real clock always"},
    {'s', LESSON_RANDOM, 0, "--seed",
     "  --seed N     draw other random numbers [1, or JUGGLE_SEED]\n",
     "nothing is random in this lesson"},
    {'n', LESSON_COUNT, 0, "-n", "  -n N         how many of what the lesson makes many of\n",
     "this lesson makes as many as it needs"},
    {'u', LESSON_CALLS, 0, "--url",
     "  --url URL    ask this service instead of the stand-in that is started for the lesson; once\n"
     "               for each service the lesson asks. A URL without a path, such as that of a\n"
     "               `juggle serve` elsewhere, is asked for the lesson's own paths\n",
     "this lesson asks no service"},
    {'l', LESSON_CALLS, 0, "--limit", "  --limit MS   how long a service may take [10000]\n",
     "this lesson asks no service"},
};
enum { KNOWN = sizeof(known) / sizeof(known[0]) };

static bool has_option(const struct known *option) {
    return (lesson.kinds & option->with) == option->with && (lesson.kinds & option->without) == 0;
}

static void print_help(void) {
    printf("usage: %s [OPTIONS]\n", lesson.name);
    for (size_t i = 0; i < KNOWN; i++) {
        if (has_option(&known[i])) {
            fputs(known[i].help, stdout);
        } else {
            printf("  (%s is refused: %s)\n", known[i].name, known[i].refused);
        }
    }
    puts("  --help       this text");
}

/* Complains of an option that would change nothing. */
static bool is_refused(int letter) {
    for (size_t i = 0; i < KNOWN; i++) {
        if (known[i].letter == letter && !has_option(&known[i])) {
            fprintf(stderr, "%s: %s: %s\n", lesson.name, known[i].name, known[i].refused);
            return true;
        }
    }
    return false;
}

/* Reads a whole number from 1 to `most`. Returns 0, or -EINVAL and complains. */
static int read_number(const char *option, const char *text, uint64_t most, uint64_t *out_number) {
    char *end;
    errno = 0;
    *out_number = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || *text < '0' || *text > '9' || *out_number == 0 ||
        *out_number > most) {
        fprintf(stderr, "%s: %s: a number from 1 to %" PRIu64 ", not '%s'\n", lesson.name, option,
                most, text);
        return -EINVAL;
    }
    return 0;
}

static void set_limits(int64_t limit_ms) {
    lesson_limits = (jg_http_client_options){.connect_ms = limit_ms,
                                             .first_byte_ms = limit_ms,
                                             .idle_ms = limit_ms,
                                             .total_ms = limit_ms};
}

static int read_option(int letter) {
    uint64_t number = 0;
    int rc = 0;
    if (is_refused(letter)) {
        return -EINVAL;
    }
    switch (letter) {
    case 'm':
        lesson.sim = true;
        return 0;
    case 's':
        return read_number("--seed", optarg, UINT64_MAX, &lesson.seed);
    case 'n':
        rc = read_number("-n", optarg, NUMBER_MOST, &number);
        lesson.count = number;
        return rc;
    case 'l':
        rc = read_number("--limit", optarg, NUMBER_MOST, &number);
        set_limits((int64_t)number);
        return rc;
    case 'u':
        rc = services_use(optarg);
        if (rc < 0) {
            fprintf(stderr, "%s: --url: 'http://HOST[:PORT][/PATH]', not '%s'; at most %d times\n",
                    lesson.name, optarg, SERVICES_MOST);
        }
        return rc;
    default:
        fprintf(stderr, "Try '%s --help'.\n", lesson.name);
        return -EINVAL;
    }
}

/* Returns 0; 1 after --help; -EINVAL. */
static int read_options(int argc, char **argv) {
    static const struct option options[] = {
        {"sim", no_argument, NULL, 'm'},       {"seed", required_argument, NULL, 's'},
        {"url", required_argument, NULL, 'u'}, {"limit", required_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},      {NULL, 0, NULL, 0},
    };
    int letter;
    while ((letter = getopt_long(argc, argv, "n:h", options, NULL)) != -1) {
        if (letter == 'h') {
            print_help();
            return 1;
        }
        if (read_option(letter) < 0) {
            return -EINVAL;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "%s: what is '%s'? Try '%s --help'.\n", lesson.name, argv[optind],
                lesson.name);
        return -EINVAL;
    }
    return 0;
}

/* The first task: the lesson, and the end of what it started. */
static intptr_t run(void *arg) {
    (void)arg;
    lesson.began_ns = jg_now();
    intptr_t rc = lesson.fn(NULL);
    fflush(stdout);
    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", lesson.name, jg_error_detail(rc));
    }
    services_stop();
    files_remove();
    return rc;
}

/* Returns whether all that was printed has arrived, or nobody wanted to read on; else it complains. */
static bool output_arrived(void) {
    int rc = output_flush(stdout);
    if (rc < 0 && rc != -EPIPE) {
        fprintf(stderr, "%s: cannot write to standard output: %s\n", lesson.name, strerror(-rc));
        return false;
    }
    return true;
}

int lesson_main_with(int argc, char **argv, jg_fn *fn, unsigned kinds) {
    output_prepare();
    char *slash = strrchr(argv[0], '/');
    argv[0] = slash != NULL ? slash + 1 : argv[0]; // also in the complaints of getopt
    const char *backend = getenv("JUGGLE_BACKEND");
    const char *seed = getenv("JUGGLE_SEED");
    lesson.name = argv[0];
    lesson.fn = fn;
    lesson.kinds = kinds;
    lesson.seed = 1;
    set_limits(LIMIT_MS);
    lesson.sim = backend != NULL && strcmp(backend, "sim") == 0;
    int rc = seed != NULL ? read_number("JUGGLE_SEED", seed, UINT64_MAX, &lesson.seed) : 0;
    rc = rc < 0 ? rc : read_options(argc, argv);
    if (rc != 0) {
        return rc < 0 ? 2 : !output_arrived();
    }
    const jg_run_options on_epoll = {.backend = "epoll"};
    const jg_sim_options calm = {.seed = lesson.seed, .calm = true};
    lesson.sim = (kinds & LESSON_VIRTUAL) != 0 || (lesson.sim && (kinds & LESSON_REAL) == 0);
    static const char site[] = "lesson\0" JG_HERE; // as traces and reports call it
    intptr_t result = lesson.sim ? jg_sim_run_at(run, NULL, &calm, site)
                                 : jg_run_at(run, NULL, &on_epoll, site);
    return !output_arrived() || result < 0;
}

int lesson_main(int argc, char **argv, jg_fn *fn) {
    return lesson_main_with(argc, argv, fn, 0);
}

int64_t lesson_ms(void) {
    return (jg_now() - lesson.began_ns) / JG_MS;
}

void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("%.2f s  ", (double)(jg_now() - lesson.began_ns) / (double)JG_S);
    vprintf(format, arguments);
    putchar('\n');
    fflush(stdout); // seen when it happens, also through a pipe
    va_end(arguments);
}

int64_t lesson_random(int64_t least, int64_t most) {
    // splitmix64, so that a seed means the same numbers on every machine.
    uint64_t z = (lesson.seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return least + (int64_t)((z ^ (z >> 31)) % (uint64_t)(most - least + 1));
}

size_t lesson_count(size_t usual) {
    return lesson.count != 0 ? lesson.count : usual;
}

void lesson_block(int64_t duration_ms) {
    if (lesson.sim) {
        jg_sim_advance(duration_ms); // the clock goes on, and nobody else gets to run
        return;
    }
    struct timespec left = {duration_ms / 1000, duration_ms % 1000 * JG_MS};
    while (nanosleep(&left, &left) < 0 && errno == EINTR) {}
}

void lesson_give_up(const char *what, int code) {
    fflush(stdout);
    fprintf(stderr, "%s: %s: %s\n", lesson.name, what, jg_error_detail(code));
    _exit(1); // this is some task's stack; the stand-in ends with its parent
}

bool lesson_sim(void) {
    return lesson.sim;
}

/* Whether a value is there as a whole, and is text: control bytes would be played with by the terminal. */
static bool is_text(const char *value, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)value[i] < ' ' || value[i] == 0x7f) {
            return false;
        }
    }
    return length > 0 && value[length] != '\0';
}

int lesson_field(const char *json, const char *name, char *out, size_t cap) {
    char key[64];
    snprintf(key, sizeof(key), "\"%s\":", name);
    const char *at = strstr(json, key);
    if (at == NULL) {
        return (int)jg_fail(-EPROTO, "the answer has no \"%s\"", name);
    }
    at += strlen(key);
    at += strspn(at, " ");
    bool quoted = *at == '"';
    at += quoted;
    size_t length = strcspn(at, quoted ? "\"" : ",} \r\n");
    if (!is_text(at, length)) {
        return (int)jg_fail(-EPROTO, "the answer's \"%s\" is no text", name);
    }
    snprintf(out, cap, "%.*s", (int)(length < cap ? length : cap), at);
    return 0;
}

static double seconds(struct timeval time) {
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

double lesson_cpu_s(void) {
    struct rusage own;
    struct rusage children;
    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    return seconds(own.ru_utime) + seconds(own.ru_stime) + seconds(children.ru_utime) +
           seconds(children.ru_stime);
}

int lesson_expect_ok(const jg_http_response *response) {
    int status = jg_http_status(response);
    return status == 200 ? 0 : (int)jg_fail(-EPROTO, "the service answered with status %d", status);
}
