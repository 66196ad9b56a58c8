// SPDX-License-Identifier: MIT
/* race_main.c – see race_main.h.
 *
 * Holds      the steps, in order.
 * Invariant  see race_main.h.
 * Called by  see race_main.h.
 * Why        the report file is opened before the race: a path that cannot be written should be
 *            known at once. It is emptied only when there is something to put into it.
 * Quirks     none.
 */
#include "race_main.h"

#include "interrupt.h"
#include "output.h"
#include "preflight.h"
#include "race_report.h"
#include "text.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void print_heading(const struct race *race, struct terminal *terminal) {
    const struct race_settings *settings = &race->settings;
    static const char *const works[] = {
        [MODEL_WORK_IO] = "requests",
        [MODEL_WORK_CPU] = "times %s of computing",
        [MODEL_WORK_MIXED] = "requests, each with %s of computing",
        [MODEL_WORK_BLOCK] = "calls that block for %s",
    };
    static const char *const at_once[] = {
        [MODEL_WORK_IO] = "in flight, answers checked",
        [MODEL_WORK_CPU] = "at once, results checked",
        [MODEL_WORK_MIXED] = "in flight, answers checked",
        [MODEL_WORK_BLOCK] = "at once",
    };
    char work[64];
    snprintf(work, sizeof(work), works[settings->work],
             units_exact_duration(settings->work_ns).text);
    char heading[512];
    snprintf(heading, sizeof(heading), "same work for everyone: %s %s, %s %s; %s round%s each",
             units_count(settings->requests).text, work, units_count(settings->concurrency).text,
             at_once[settings->work], units_count(settings->rounds).text,
             settings->rounds == 1 ? "" : "s");
    terminal_print_wrapped(terminal, TERMINAL_PLAIN, 0, heading);
    terminal_print(terminal, TERMINAL_PLAIN, "\n");
    terminal_flush(terminal);
}

static int open_file(const struct race *race, const char *path) {
    char shown[128];
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
        output_complain(race->settings.command, "-o %s: %s",
                        text_escape(path, shown, sizeof(shown)), strerror(errno));
    }
    return fd;
}

/* Writes the JSON into the file that is open as `fd`, which it closes. Returns whether it could. */
static bool write_file(const struct race *race, int fd, const char *path) {
    char shown[128];
    text_escape(path, shown, sizeof(shown));
    FILE *file = fdopen(fd, "w");
    if (file == NULL) {
        close(fd);
        return false;
    }
    // Devices and pipes cannot be emptied, and need not be.
    int rc = ftruncate(fd, 0) < 0 && errno != EINVAL ? -errno : 0;
    rc = rc < 0 ? rc : race_write_json(race, file);
    rc = fclose(file) == 0 || rc < 0 ? rc : -errno;
    if (rc < 0) {
        output_complain(race->settings.command, "cannot write to %s: %s", shown, strerror(-rc));
    }
    return rc == 0;
}

/* Makes sure the race can run; complains if not. */
static enum exit_code check(struct race *race) {
    char text[PREFLIGHT_TEXT_SIZE];
    enum exit_code code = preflight_limits(race, text);
    if (code == EXIT_GOOD && model_work_has_requests(race->settings.work)) {
        code = preflight_probe(race, text);
    }
    if (code != EXIT_GOOD) {
        output_complain(race->settings.command, "%s", text);
    }
    return code;
}

static int run_with_progress(struct race *race, const struct race_output *output) {
    struct terminal errors;
    struct progress progress;
    terminal_init(&errors, stderr, (enum terminal_color)output->color);
    progress_init(&progress, &errors, output->quiet);
    int rc = race_run(race, &progress);
    // From now on ^C ends the program at once: whoever is to read the report may not be reading.
    while (interrupt_wait(0) != 0) {}
    interrupt_end();
    if (rc < 0) {
        output_complain(race->settings.command, "cannot start a process: %s", strerror(-rc));
    }
    return rc;
}

/* Prints the report, and writes the file. Returns whether nothing was lost. */
static bool report(const struct race *race, const struct race_output *output,
                   struct terminal *terminal, int fd) {
    if (output->json) {
        // What goes wrong here goes wrong with standard output, and is judged there at the end.
        race_write_json(race, stdout);
    } else {
        // It may have been resized while the race ran.
        terminal->width = terminal_width(terminal->out);
        race_print(race, terminal);
        terminal_flush(terminal);
    }
    return fd < 0 || write_file(race, fd, output->file);
}

enum exit_code race_main(struct race *race, const struct race_output *output) {
    struct terminal terminal;
    int fd = -1;
    enum exit_code code = check(race);
    if (code != EXIT_GOOD) {
        return code;
    }
    if (output->file != NULL) {
        fd = open_file(race, output->file);
        if (fd < 0) {
            return EXIT_USAGE;
        }
    }
    terminal_init(&terminal, stdout, (enum terminal_color)output->color);
    if (race_open(race) < 0) {
        output_complain(race->settings.command, "not enough memory");
        return EXIT_LOCAL_LIMIT;
    }
    // Before the first word is out: whoever has read it may interrupt, and gets a report.
    interrupt_begin();
    if (!output->json) {
        print_heading(race, &terminal);
    }
    int rc = run_with_progress(race, output);
    bool is_whole = report(race, output, &terminal, fd);
    code = rc < 0 ? EXIT_LOCAL_LIMIT : race_exit(race);
    race_close(race);
    return code == EXIT_GOOD && !is_whole ? EXIT_FAILED : code;
}
