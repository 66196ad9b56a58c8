// SPDX-License-Identifier: MIT
/* command_serve.c – `juggle serve`: the stand-in server, until somebody stops it.
 *
 * Holds      the command: options, listening, stopping, the closing line.
 * Invariant  the line "listening on URL", or its JSON, is on standard output before the first request can
 *            fail for want of a listener.
 * Called by  commands.c.
 * Why        signals arrive as bytes on a descriptor, so that stopping is an event like any other.
 * Quirks     one core by design: with --pin it stays on the core named.
 */
#include "commands.h"
#include "interrupt.h"
#include "jsonout.h"
#include "output.h"
#include "standin.h"
#include "text.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct serve_settings {
    const char *host;
    const char *unix_path;
    uint64_t port;
    uint64_t latency_ns;
    uint64_t latency_players_ns;
    uint64_t latency_ipify_ns;
    uint64_t latency_ip_api_ns;
    uint64_t size_bytes;
    uint64_t errors_ppm;
    uint64_t cpu_ns;
    const char *pin; /* a core's number, or NULL */
    bool json;
    bool quiet;
};

/* A server while it runs. */
struct serving {
    const struct serve_settings *settings;
    struct standin standin;
    jg_listener *listener;
    jg_stream *signals; /* those that stop it, as bytes */
    int signal_fd;
    int code;
};

enum { URL_SIZE = 512 }; /* a socket's path has 107 bytes at most, each written as three */

/* Writes the URL of a Unix socket: its path, percent-encoded, is the host. */
static void write_unix_url(const char *path, char *out_url) {
    size_t used = (size_t)snprintf(out_url, URL_SIZE, "http+unix://");
    for (; *path != '\0' && used < URL_SIZE - sizeof("%FF/"); path++) {
        bool is_plain = (*path >= '0' && *path <= '9') || (*path >= 'a' && *path <= 'z') ||
                        (*path >= 'A' && *path <= 'Z') || strchr("-._~", *path) != NULL;
        used += (size_t)snprintf(out_url + used, URL_SIZE - used, is_plain ? "%c" : "%%%02X",
                                 (unsigned char)*path);
    }
    snprintf(out_url + used, URL_SIZE - used, "/");
}

static void write_url(const struct serving *serving, char *out_url) {
    const struct serve_settings *settings = serving->settings;
    if (settings->unix_path != NULL) {
        write_unix_url(settings->unix_path, out_url);
        return;
    }
    bool is_v6 = strchr(settings->host, ':') != NULL;
    snprintf(out_url, URL_SIZE, "http://%s%s%s:%d/", is_v6 ? "[" : "", settings->host,
             is_v6 ? "]" : "", jg_listener_port(serving->listener));
}

static double seconds(uint64_t ns) {
    return (double)ns / 1e9;
}

static void write_settings(struct jsonout *json, const struct serve_settings *settings) {
    uint64_t core = 0;
    jsonout_begin_object(json, "settings");
    jsonout_double(json, "latency_s", seconds(settings->latency_ns), 9);
    jsonout_double(json, "latency_players_s", seconds(settings->latency_players_ns), 9);
    jsonout_double(json, "latency_ipify_s", seconds(settings->latency_ipify_ns), 9);
    jsonout_double(json, "latency_ip_api_s", seconds(settings->latency_ip_api_ns), 9);
    jsonout_uint(json, "size_bytes", settings->size_bytes);
    jsonout_double(json, "errors_percent", (double)settings->errors_ppm / 1e4, 4);
    jsonout_double(json, "cpu_s", seconds(settings->cpu_ns), 9);
    if (settings->pin != NULL && units_parse_count(settings->pin, &core) == 0) {
        jsonout_uint(json, "pin", core);
    } else {
        jsonout_null(json, "pin");
    }
    jsonout_end(json);
}

static void write_listening(const struct serving *serving, const char *url) {
    struct jsonout json = {.out = stdout, .one_line = true};
    jsonout_begin_object(&json, NULL);
    jsonout_string(&json, "listening", url);
    if (serving->settings->unix_path == NULL) {
        jsonout_int(&json, "port", jg_listener_port(serving->listener));
    } else {
        jsonout_null(&json, "port");
    }
    write_settings(&json, serving->settings);
    jsonout_end(&json);
    jsonout_finish(&json);
}

/* Says where it listens; returns whether anybody could have read it. */
static bool print_listening(const struct serving *serving) {
    char url[URL_SIZE];
    write_url(serving, url);
    if (serving->settings->json) {
        write_listening(serving, url);
    } else {
        printf("listening on %s\n", url);
    }
    return fflush(stdout) == 0 && !ferror(stdout);
}

static uint64_t time_ns(struct timeval time) {
    return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_usec * 1000;
}

static void write_served(const struct standin *standin, const struct rusage *usage) {
    struct jsonout json = {.out = stdout, .one_line = true};
    jsonout_begin_object(&json, NULL);
    jsonout_begin_object(&json, "served");
    jsonout_uint(&json, "requests", standin->stats.requests);
    jsonout_uint(&json, "connections", standin->stats.connections);
    jsonout_uint(&json, "failed_on_purpose", standin->failed);
    jsonout_uint(&json, "rejected", standin->stats.rejected);
    jsonout_uint(&json, "bytes_out", standin->stats.bytes_out);
    jsonout_double(&json, "cpu_user_s", seconds(time_ns(usage->ru_utime)), 6);
    jsonout_double(&json, "cpu_sys_s", seconds(time_ns(usage->ru_stime)), 6);
    jsonout_end(&json);
    jsonout_end(&json);
    jsonout_finish(&json);
}

static void print_served(const struct serving *serving) {
    const struct standin *standin = &serving->standin;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    if (serving->settings->json) {
        write_served(standin, &usage);
        return;
    }
    uint64_t cpu_ns = time_ns(usage.ru_utime) + time_ns(usage.ru_stime);
    printf("served %s requests on %s connections: %s failed on purpose, %s rejected; %s out, cpu "
           "%s\n",
           units_count(standin->stats.requests).text, units_count(standin->stats.connections).text,
           units_count(standin->failed).text, units_count(standin->stats.rejected).text,
           units_bytes(standin->stats.bytes_out).text, units_duration(cpu_ns).text);
}

/* Closes the listener when a signal comes; that ends the serving. */
static intptr_t watch_signals(void *arg) {
    struct serving *serving = arg;
    struct signalfd_siginfo info;
    ssize_t length = jg_read(serving->signals, &info, sizeof(info));
    if (length > 0) {
        jg_listener_close(serving->listener);
        serving->listener = NULL;
    }
    return 0;
}

/* Begins to watch for signals: nothing else could stop it. Gives the watcher. Returns 0, -ENOMEM. */
static int start_watcher(struct serving *serving, jg_task **out_watcher) {
    int rc = jg_stream_open_fd(serving->signal_fd, &serving->signals);
    if (rc < 0) {
        return rc;
    }
    *out_watcher = jg_spawn(watch_signals, serving);
    return *out_watcher == NULL ? (int)jg_join(NULL) : 0;
}

/* Serves until a signal comes, once it has said where. */
static enum exit_code serve_requests(struct serving *serving) {
    if (!print_listening(serving)) {
        // Nobody would find it. The end of the program complains about standard output.
        return EXIT_FAILED;
    }
    int rc = standin_serve(&serving->standin, serving->listener);
    if (rc != -EBADF && rc != -ECANCELED) {
        output_complain("serve", "stopped: %s", jg_error_detail(rc));
        return EXIT_FAILED;
    }
    return EXIT_GOOD;
}

/* Listens; complains if it cannot. */
static enum exit_code listen_somewhere(struct serving *serving) {
    const struct serve_settings *settings = serving->settings;
    const char *path = settings->unix_path;
    char shown[128];
    int rc = path != NULL ? jg_unix_listen(path, &serving->listener)
                          : jg_tcp_listen(settings->host, (int)settings->port, &serving->listener);
    if (rc == 0) {
        return EXIT_GOOD;
    }
    text_escape(path != NULL ? path : settings->host, shown, sizeof(shown));
    if (path != NULL) {
        output_complain("serve", "cannot listen on %s: %s", shown, strerror(-rc));
    } else if (rc == -ENOENT || rc == -EINVAL) {
        output_complain("serve", "--host: '%s' is not an address: write 127.0.0.1 or ::1", shown);
        return EXIT_USAGE;
    } else {
        output_complain("serve", "cannot listen on %s port %" PRIu64 ": %s", shown, settings->port,
                        strerror(-rc));
    }
    return EXIT_LOCAL_LIMIT;
}

static intptr_t serve(void *arg) {
    struct serving *serving = arg;
    serving->code = (int)listen_somewhere(serving);
    if (serving->code != EXIT_GOOD) {
        return 0;
    }
    jg_task *watcher = NULL;
    int rc = start_watcher(serving, &watcher);
    if (rc < 0) {
        output_complain("serve", "cannot watch for signals: %s", jg_error_detail(rc));
        serving->code = EXIT_LOCAL_LIMIT;
    } else {
        serving->code = (int)serve_requests(serving);
        jg_cancel(watcher);
        jg_join(watcher);
    }
    jg_stream_close(serving->signals);
    jg_listener_close(serving->listener);
    return 0;
}

/* Blocks the signals that stop the server; they come through a descriptor. */
static int open_signals(void) {
    sigset_t set;
    interrupt_requests(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Stays on the core that `text` names. Returns 0 or -EINVAL. */
static int pin_to(const char *text) {
    uint64_t core = 0;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (units_parse_count(text, &core) < 0 || core >= CPU_SETSIZE) {
        return -EINVAL;
    }
    CPU_SET(core, &set);
    return sched_setaffinity(0, sizeof(set), &set) < 0 ? -EINVAL : 0;
}

static void allow_many_connections(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static int run(const void *given) {
    const struct serve_settings *settings = given;
    struct serving serving = {.settings = settings};
    serving.standin.settings = (struct standin_settings){
        .latency_ns = {[STANDIN_STATS] = settings->latency_ns,
                       [STANDIN_PLAYERS] = settings->latency_players_ns,
                       [STANDIN_IPIFY] = settings->latency_ipify_ns,
                       [STANDIN_IP_API] = settings->latency_ip_api_ns},
        .size_bytes = settings->size_bytes,
        .errors_ppm = settings->errors_ppm,
        .cpu_ns = settings->cpu_ns,
    };
    if (settings->pin != NULL && pin_to(settings->pin) < 0) {
        char shown[32];
        output_complain("serve", "--pin: '%s' is not a core this process may use",
                        text_escape(settings->pin, shown, sizeof(shown)));
        return EXIT_USAGE;
    }
    allow_many_connections();
    serving.signal_fd = open_signals();
    if (serving.signal_fd < 0 || standin_open(&serving.standin) < 0) {
        output_complain("serve", "not enough memory or descriptors");
        return EXIT_LOCAL_LIMIT;
    }
    // Named, as $JUGGLE_BACKEND could make its latencies virtual ones.
    const jg_run_options options = {.backend = "epoll"};
    intptr_t rc = jg_run_with(serve, &serving, &options);
    if (rc < 0) {
        output_complain("serve", "the loop could not run: %s", strerror((int)-rc));
        serving.code = EXIT_LOCAL_LIMIT;
    } else if (!settings->quiet && serving.code == EXIT_GOOD) {
        print_served(&serving);
    }
    standin_close(&serving.standin);
    return serving.code;
}

#define AT(field) offsetof(struct serve_settings, field)

#define LATENCY_MOST_NS UINT64_C(600000000000)

static const struct option_spec options[] = {
    {.name = "port",
     .letter = 'p',
     .kind = OPTION_COUNT,
     .value_name = "N",
     .help = "TCP port; 0 picks a free one, which is printed",
     .preset = "8080",
     .max = 65535,
     .offset = AT(port)},
    {.name = "host",
     .kind = OPTION_TEXT,
     .value_name = "ADDRESS",
     .help = "address to listen on: 127.0.0.1, ::1, or 0.0.0.0 for all",
     .preset = "127.0.0.1",
     .offset = AT(host)},
    {.name = "unix",
     .kind = OPTION_FILE,
     .value_name = "PATH",
     .help = "listen on a Unix socket instead of TCP",
     .offset = AT(unix_path)},
    {.name = "latency",
     .letter = 'l',
     .kind = OPTION_DURATION,
     .value_name = "TIME",
     .help = "how late / and /stats answer",
     .preset = "100ms",
     .max = LATENCY_MOST_NS,
     .offset = AT(latency_ns)},
    {.name = "latency-players",
     .kind = OPTION_DURATION,
     .value_name = "TIME",
     .help = "how late /api/onlinePlayers answers",
     .preset = "150ms",
     .max = LATENCY_MOST_NS,
     .offset = AT(latency_players_ns)},
    {.name = "latency-ipify",
     .kind = OPTION_DURATION,
     .value_name = "TIME",
     .help = "how late /ipify answers",
     .preset = "80ms",
     .max = LATENCY_MOST_NS,
     .offset = AT(latency_ipify_ns)},
    {.name = "latency-ip-api",
     .kind = OPTION_DURATION,
     .value_name = "TIME",
     .help = "how late /ip-api/json answers",
     .preset = "120ms",
     .max = LATENCY_MOST_NS,
     .offset = AT(latency_ip_api_ns)},
    {.name = "size",
     .letter = 's',
     .kind = OPTION_SIZE,
     .value_name = "SIZE",
     .help = "body of /stats, JSON of exactly so many bytes",
     .preset = "700",
     .max = UINT64_C(64) << 20,
     .offset = AT(size_bytes)},
    {.name = "errors",
     .kind = OPTION_PERCENT,
     .value_name = "PERCENT",
     .help = "share of requests answered with status 503",
     .preset = "0",
     .max = 1000000,
     .offset = AT(errors_ppm)},
    {.name = "cpu",
     .kind = OPTION_DURATION,
     .value_name = "TIME",
     .help = "computing per request, during which nothing else is served",
     .preset = "0",
     .max = UINT64_C(10000000000),
     .offset = AT(cpu_ns)},
    {.name = "pin",
     .kind = OPTION_TEXT,
     .value_name = "CORE",
     .help = "stay on this core, counted from 0",
     .offset = AT(pin)},
    {.name = "json",
     .kind = OPTION_FLAG,
     .help = "print two JSON objects, one per line: where it listens, what it served",
     .offset = AT(json)},
    {.name = "quiet",
     .letter = 'q',
     .kind = OPTION_FLAG,
     .help = "no closing line about what was served",
     .offset = AT(quiet)},
    {.name = NULL},
};
static const struct command_example examples[] = {
    {"juggle serve --port 8080 --latency 100ms", "a stats server that takes its time"},
    {"juggle serve --port 0", "on a free port; the first line printed says which"},
    {"juggle serve --port 0 --json",
     "the same for programs: {\"listening\": URL, \"port\": N, ...}"},
    {"juggle serve --unix /tmp/stats.sock --errors 1%", "on a Unix socket, failing now and then"},
    {NULL, NULL},
};
static const enum exit_code exits[] = {EXIT_GOOD, EXIT_FAILED, EXIT_USAGE, EXIT_LOCAL_LIMIT,
                                       EXIT_GOOD};

const struct command command_serve = {
    .name = "serve",
    .summary = "a stand-in server, slow on purpose",
    .description =
        "Stands in, on this machine, for services on the internet: / and /stats answer with JSON of "
        "a given size, /api/onlinePlayers?output=json with players per platform, "
        "/ipify?format=json and /ip-api/json with an address. Each takes its latency, and all of "
        "them are served by one loop on one core.\n\n"
        "SIGINT (^C) and SIGTERM stop it; it then says what it has served. With --json the first "
        "line is {\"listening\": URL, \"port\": N, \"settings\": {...}} and the last one "
        "{\"served\": {...}}.",
    .examples = examples,
    .options = options,
    .exits = exits,
    .failed = "serving stopped with an error, or the output could not be written",
    .settings_size = sizeof(struct serve_settings),
    .run = run,
};
