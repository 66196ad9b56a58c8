// SPDX-License-Identifier: MIT
/* preflight.c – see preflight.h.
 *
 * Holds      readers of limits, and the probe.
 * Invariant  see preflight.h.
 * Called by  see preflight.h.
 * Why        see preflight.h.
 * Quirks     a connection is one descriptor: in one process for threads and coroutines, in one each
 *            for processes.
 */
#include "preflight.h"

#include "beat.h"
#include "units.h"
#include "worker.h"

#include <juggle.h>
#include <juggle/http.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    SPARE_FILES = 64,   /* descriptors that are not connections */
    SPARE_PORTS = 1000, /* for everybody else */
    SPARE_TASKS = 300,  /* threads and processes of everybody else, at least */
};

/* One limit: how much there is per worker, and what it is called. */
struct limit {
    uint64_t most_workers;
    uint64_t value;
    const char *needs; /* "open files" */
    const char *name;  /* "the hard limit of open files (ulimit -Hn)" */
};

static uint64_t read_number(const char *path, unsigned index, uint64_t fallback) {
    uint64_t numbers[2] = {fallback, fallback};
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return fallback;
    }
    int count = fscanf(file, "%" SCNu64 " %" SCNu64, &numbers[0], &numbers[1]);
    fclose(file);
    return count > (int)index ? numbers[index] : fallback;
}

static bool has_model(const struct race *race, enum model_index index) {
    for (unsigned i = 0; i < race->settings.models.count; i++) {
        if (race->settings.models.picked[i] == index) {
            return true;
        }
    }
    return false;
}

static uint64_t above(uint64_t value, uint64_t spare) {
    return value > spare ? value - spare : 0;
}

/* Whether each worker has a connection: one that only computes has none. */
static bool has_connections(const struct race *race) {
    return model_work_has_requests(race->settings.work);
}

static struct limit files_limit(const struct race *race) {
    struct rlimit files = {.rlim_max = RLIM_INFINITY};
    getrlimit(RLIMIT_NOFILE, &files);
    return (struct limit){
        .most_workers = has_connections(race) ? above(files.rlim_max, SPARE_FILES) : UINT64_MAX,
        .value = files.rlim_max,
        .needs = "open files",
        .name = "the hard limit of open files (ulimit -Hn)",
    };
}

static struct limit ports_limit(const struct race *race) {
    const char *path = "/proc/sys/net/ipv4/ip_local_port_range";
    uint64_t lowest = read_number(path, 0, 32768);
    uint64_t highest = read_number(path, 1, 60999);
    uint64_t ports = highest >= lowest ? highest - lowest + 1 : 0;
    bool counts = !race->target.is_unix && has_connections(race);
    return (struct limit){
        .most_workers = counts ? above(ports, SPARE_PORTS) : UINT64_MAX,
        .value = ports,
        .needs = "local ports",
        .name = "the number of ports in net.ipv4.ip_local_port_range",
    };
}

/* Threads and processes draw on the same limits. */
static struct limit tasks_limit(const struct race *race) {
    struct rlimit user = {.rlim_cur = RLIM_INFINITY};
    uint64_t pids = read_number("/proc/sys/kernel/pid_max", 0, 32768);
    uint64_t threads = read_number("/proc/sys/kernel/threads-max", 0, pids);
    struct limit limit = {
        .value = pids < threads ? pids : threads,
        .needs = "threads or processes",
        .name = pids < threads ? "kernel.pid_max" : "kernel.threads-max",
    };
    // Only others than root are counted against RLIMIT_NPROC.
    if (geteuid() != 0 && getrlimit(RLIMIT_NPROC, &user) == 0 && user.rlim_cur < limit.value) {
        limit.value = user.rlim_cur;
        limit.name = "the limit of processes of this user (ulimit -u)";
    }
    bool counts = has_model(race, MODEL_THREADS) || has_model(race, MODEL_PROCESSES) ||
                  (has_model(race, MODEL_OFFLOAD) && race->settings.work == MODEL_WORK_BLOCK);
    limit.most_workers = counts ? above(limit.value, SPARE_TASKS) : UINT64_MAX;
    return limit;
}

static struct limit lowest_limit(const struct race *race) {
    const struct limit limits[] = {files_limit(race), ports_limit(race), tasks_limit(race)};
    struct limit lowest = limits[0];
    for (unsigned i = 1; i < sizeof(limits) / sizeof(limits[0]); i++) {
        lowest = limits[i].most_workers < lowest.most_workers ? limits[i] : lowest;
    }
    return lowest;
}

uint64_t preflight_workers_most(const struct race *race) {
    return lowest_limit(race).most_workers;
}

/* Raises the soft limit to what is needed; a hard limit that allows it was checked before. */
static void raise_files(const struct race *race) {
    struct rlimit files;
    uint64_t needed = race->settings.concurrency + SPARE_FILES;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < needed) {
        files.rlim_cur = needed < files.rlim_max ? needed : files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

enum exit_code preflight_limits(const struct race *race, char *out_text) {
    struct limit limit = lowest_limit(race);
    unsigned cores = race_cores_allowed();
    if (race->settings.cores > cores) {
        snprintf(out_text, PREFLIGHT_TEXT_SIZE,
                 "--cores %" PRIu64 " is more than this process may use: %u", race->settings.cores,
                 cores);
        return EXIT_LOCAL_LIMIT;
    }
    if (race->settings.concurrency > limit.most_workers) {
        snprintf(out_text, PREFLIGHT_TEXT_SIZE,
                 "-c %" PRIu64 " needs too many %s: %s is %s, enough for -c %" PRIu64,
                 race->settings.concurrency, limit.needs, limit.name, units_count(limit.value).text,
                 limit.most_workers);
        return EXIT_LOCAL_LIMIT;
    }
    int rc = race->settings.beat_realtime ? beat_may_be_realtime() : 0;
    if (rc < 0) {
        snprintf(
            out_text, PREFLIGHT_TEXT_SIZE,
            "--realtime: no real-time priority: %s; root may have it, others as \"ulimit -r\" says",
            strerror(-rc));
        return EXIT_LOCAL_LIMIT;
    }
    raise_files(race);
    return EXIT_GOOD;
}

/* What came of one request. */
struct probe {
    int error;              /* of the client; 0: there was an answer */
    enum board_cause cause; /* BOARD_CAUSES: a good one */
    int64_t bytes;
    bool has_length; /* the answer says it before it comes; the floor needs to know */
};

static struct probe probe_once(jg_http_client *client, const struct race *race,
                               struct board *board) {
    jg_http_response *response = NULL;
    struct probe probe = {.error = jg_http_get(client, race->target.url, &response)};
    probe.cause = worker_judge(probe.error, response, -1, board, &probe.bytes);
    probe.has_length = probe.error == 0 &&
                       jg_http_response_header(response, "Content-Length") != NULL;
    jg_http_response_close(response);
    return probe;
}

enum exit_code preflight_probe(struct race *race, char *out_text) {
    const struct model_plan plan = {.timeout_ns = race->settings.timeout_ns};
    struct board *board = board_open();
    jg_http_client *client = NULL;
    enum exit_code code = EXIT_GOOD;
    race->body_bytes = -1;
    if (board == NULL || worker_open(&plan, &client) < 0) {
        snprintf(out_text, PREFLIGHT_TEXT_SIZE, "not enough memory");
        return EXIT_LOCAL_LIMIT;
    }
    struct probe first = probe_once(client, race, board);
    if (first.error == -EINVAL) {
        snprintf(out_text, PREFLIGHT_TEXT_SIZE, "%s", board_explanation(board));
        code = EXIT_USAGE;
    } else if (first.cause == BOARD_CONNECT || first.cause == BOARD_TIMEOUT) {
        snprintf(out_text, PREFLIGHT_TEXT_SIZE, "unreachable: %s", board_explanation(board));
        code = EXIT_UNREACHABLE;
    } else if (first.error == 0 && !first.has_length && has_model(race, MODEL_FLOOR)) {
        snprintf(out_text, PREFLIGHT_TEXT_SIZE,
                 "--models: the floor cannot race here, as it only reads answers with a "
                 "Content-Length: leave it out");
        code = EXIT_USAGE;
    } else if (first.cause == BOARD_CAUSES) {
        struct probe second = probe_once(client, race, board);
        bool is_alike = second.cause == BOARD_CAUSES && second.bytes == first.bytes;
        race->body_bytes = is_alike ? first.bytes : -1;
    }
    jg_http_client_close(client);
    board_close(board);
    return code;
}
