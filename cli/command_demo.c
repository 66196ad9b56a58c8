// SPDX-License-Identifier: MIT
/* command_demo.c – `juggle demo`: a stand-in server and a race against it, in one go.
 *
 * Holds      the command: the server's process, and the settings that make it about ten seconds.
 * Invariant  the server is gone when the demo ends, however it ends.
 * Called by  commands.c.
 * Why        the first thing a newcomer runs should need nothing: no server, no options.
 * Quirks     where limits are too low for the default concurrency it takes what they allow, and the
 *            heading says so; a concurrency that was asked for is refused instead.
 */
#include "commands.h"
#include "interrupt.h"
#include "output.h"
#include "preflight.h"
#include "race_main.h"
#include "standin.h"
#include "terminal.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONCURRENCY = 1000 }; /* unless it is asked for */

struct demo_options {
    uint64_t requests;
    uint64_t concurrency; /* 0: the default, as far as limits allow */
    uint64_t rounds;
    uint64_t latency_ns;
    uint64_t size_bytes;
    struct race_output output;
};

/* The server in its process, told by the demo what to be. */
struct demo_server {
    struct standin standin;
    int port_fd; /* its port goes there, or a negative errno */
    pid_t pid;
    int port;
    int core; /* the one it stays on; -1: any */
};

static intptr_t serve(void *arg) {
    struct demo_server *server = arg;
    jg_listener *listener = NULL;
    int rc = jg_tcp_listen("127.0.0.1", 0, &listener);
    if (rc < 0) {
        return rc;
    }
    int port = jg_listener_port(listener);
    if (write(server->port_fd, &port, sizeof(port)) != (ssize_t)sizeof(port)) {
        jg_listener_close(listener);
        return -EPIPE;
    }
    close(server->port_fd);
    server->port_fd = -1;
    return standin_serve(&server->standin, listener);
}

static void stay_on(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (core >= 0) {
        CPU_SET((size_t)core, &set);
        sched_setaffinity(0, sizeof(set), &set);
    }
}

static _Noreturn void run_server(struct demo_server *server, pid_t parent) {
    struct rlimit files;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    interrupt_end();
    if (getppid() != parent) {
        _exit(1);
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    stay_on(server->core);
    // Named, as $JUGGLE_BACKEND could make its latencies virtual ones.
    const jg_run_options options = {.backend = "epoll"};
    int rc = standin_open(&server->standin);
    rc = rc < 0 ? rc : (int)jg_run_with(serve, server, &options);
    if (rc < 0 && server->port_fd >= 0) {
        rc = write(server->port_fd, &rc, sizeof(rc)) == sizeof(rc) ? rc : -EPIPE;
    }
    _exit(rc < 0 ? 1 : 0);
}

/* The last core this process may use, if there is more than one: the server stays there. */
static int last_core(void) {
    cpu_set_t allowed;
    int last = -1;
    if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0 || CPU_COUNT(&allowed) < 2) {
        return -1;
    }
    for (size_t core = 0; core < CPU_SETSIZE; core++) {
        last = CPU_ISSET(core, &allowed) ? (int)core : last;
    }
    return last;
}

/* Starts the server and learns its port. Returns 0 or a negative errno. */
static int start_server(struct demo_server *server) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return -errno;
    }
    server->port_fd = ends[1];
    server->core = last_core();
    fflush(NULL);
    pid_t parent = getpid();
    server->pid = fork();
    if (server->pid == 0) {
        close(ends[0]);
        run_server(server, parent);
    }
    int rc = server->pid < 0 ? -errno : 0;
    close(ends[1]);
    if (rc == 0) {
        bool is_there = read(ends[0], &server->port, sizeof(server->port)) == sizeof(server->port);
        rc = !is_there ? -ECHILD : server->port < 0 ? server->port : 0;
        if (rc < 0) {
            waitpid(server->pid, NULL, 0);
        }
    }
    close(ends[0]);
    return rc;
}

static void stop_server(const struct demo_server *server) {
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
}

/* Says what races; where it is less than `wanted` at once, also why. */
static void print_heading(const struct demo_options *options, const struct demo_server *server,
                          const struct race *race, uint64_t wanted) {
    struct terminal terminal;
    char text[256];
    char core[32] = "";
    terminal_init(&terminal, stdout, (enum terminal_color)options->output.color);
    if (server->core >= 0) {
        snprintf(core, sizeof(core), "   (core %d)", server->core);
    }
    snprintf(text, sizeof(text), "stand-in server  %s   delay %s, %s bytes%s", race->target.url,
             units_duration(options->latency_ns).text, units_count(options->size_bytes).text, core);
    terminal_print_wrapped(&terminal, TERMINAL_PLAIN, 0, text);
    if (race->settings.concurrency < wanted) {
        snprintf(text, sizeof(text), "limits of this machine allow %s in flight, not %s",
                 units_count(race->settings.concurrency).text, units_count(wanted).text);
        terminal_print_wrapped(&terminal, TERMINAL_PLAIN, 0, text);
    }
}

static struct race_settings settings_of(const struct demo_options *options) {
    uint64_t concurrency = options->concurrency != 0 ? options->concurrency : CONCURRENCY;
    return (struct race_settings){
        .command = "demo",
        .models = {.count = 4,
                   .picked = {MODEL_SYNC, MODEL_PROCESSES, MODEL_THREADS, MODEL_COROUTINES}},
        .requests = options->requests,
        .concurrency = concurrency < options->requests ? concurrency : options->requests,
        .rounds = options->rounds,
        .timeout_ns = UINT64_C(30000000000),
        .sync_requests = 20,
        .work = MODEL_WORK_IO,
    };
}

/* With fewer in flight there are fewer requests, too: the demo is to take as long as ever. */
static void take_what_there_is(struct race_settings *settings, uint64_t most) {
    if (settings->concurrency > most) {
        double share = (double)most / (double)settings->concurrency;
        uint64_t requests = (uint64_t)((double)settings->requests * share);
        settings->requests = requests > most ? requests : most;
        settings->concurrency = most;
    }
}

static enum exit_code race_server(const struct demo_options *options,
                                  const struct demo_server *server) {
    static struct race race;
    char url[64];
    char error[TARGET_ERROR_SIZE];
    char text[PREFLIGHT_TEXT_SIZE];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/", server->port);
    race.settings = settings_of(options);
    if (target_parse(url, &race.target, error) < 0 || target_resolve(&race.target, error) < 0) {
        output_complain("demo", "%s", error);
        return EXIT_UNREACHABLE;
    }
    uint64_t wanted = race.settings.concurrency;
    uint64_t most = preflight_workers_most(&race);
    if (options->concurrency == 0 && most > 0) {
        take_what_there_is(&race.settings, most);
    }
    enum exit_code code = preflight_limits(&race, text);
    if (code != EXIT_GOOD) {
        output_complain("demo", "%s", text);
        return code;
    }
    if (!options->output.json) {
        print_heading(options, server, &race, wanted);
    }
    code = race_main(&race, &options->output);
    if (!options->output.json && code == EXIT_GOOD) {
        struct terminal terminal;
        terminal_init(&terminal, stdout, (enum terminal_color)options->output.color);
        terminal_print(&terminal, TERMINAL_PLAIN, "\n");
        terminal_print_wrapped(&terminal, TERMINAL_PLAIN, 0,
                               "Next: juggle serve, and in another terminal: "
                               "juggle race http://127.0.0.1:8080/ -c 200");
    }
    return code;
}

static int run(const void *given) {
    const struct demo_options *options = given;
    struct demo_server server = {
        .standin.settings = {.latency_ns = {[STANDIN_STATS] = options->latency_ns},
                             .size_bytes = options->size_bytes},
    };
    int rc = start_server(&server);
    if (rc < 0) {
        output_complain("demo", "cannot start the stand-in server: %s", strerror(-rc));
        return EXIT_LOCAL_LIMIT;
    }
    enum exit_code code = race_server(options, &server);
    stop_server(&server);
    return (int)code;
}

#define AT(field) offsetof(struct demo_options, field)

static const struct option_spec options[] = {
    {.name = "requests",
     .letter = 'n',
     .kind = OPTION_COUNT,
     .value_name = "N",
     .help = "requests per model and round",
     .preset = "10k",
     .min = 1,
     .max = 1000000000,
     .offset = AT(requests)},
    {.name = "concurrency",
     .letter = 'c',
     .kind = OPTION_COUNT,
     .value_name = "N",
     .help = "requests in flight at once, no more than -n; without it 1k, or what limits allow",
     .min = 1,
     .max = 1000000,
     .offset = AT(concurrency)},
    {.name = "rounds",
     .letter = 'r',
     .kind = OPTION_COUNT,
     .value_name = "N",
     .help = "timed rounds of each model, interleaved",
     .preset = "2",
     .min = 1,
     .max = RACE_ROUNDS_MAX,
     .offset = AT(rounds)},
    {.name = "latency",
     .letter = 'l',
     .kind = OPTION_DURATION,
     .value_name = "TIME",
     .help = "how late the server answers",
     .preset = "100ms",
     .max = UINT64_C(10000000000),
     .offset = AT(latency_ns)},
    {.name = "size",
     .letter = 's',
     .kind = OPTION_SIZE,
     .value_name = "SIZE",
     .help = "body of an answer",
     .preset = "700",
     .max = UINT64_C(64) << 20,
     .offset = AT(size_bytes)},
    RACE_OUTPUT_OPTIONS(AT(output)),
    {.name = NULL},
};
static const struct command_example examples[] = {
    {"juggle demo", "about ten seconds, and a table"},
    {"juggle demo -c 5000 -n 50k", "where threads and processes begin to hurt"},
    {NULL, NULL},
};
static const enum exit_code exits[] = {EXIT_GOOD,        EXIT_FAILED,      EXIT_USAGE,
                                       EXIT_UNREACHABLE, EXIT_LOCAL_LIMIT, EXIT_INTERRUPTED,
                                       EXIT_TERMINATED,  EXIT_GOOD};

const struct command command_demo = {
    .name = "demo",
    .summary = "see it in ten seconds: a server, a race, a verdict",
    .description = "Starts a stand-in server on a free port of this machine, makes the same "
                   "thousands of requests one after another, with processes, with threads and with "
                   "coroutines, and prints what each cost.",
    .examples = examples,
    .options = options,
    .exits = exits,
    .settings_size = sizeof(struct demo_options),
    .run = run,
};
