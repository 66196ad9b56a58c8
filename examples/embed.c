// SPDX-License-Identifier: MIT
/* embed.c – a program with a main loop of its own, which juggle's tasks live in.
 *
 * The main loop waits for the terminal by poll(2): each line typed becomes a task that counts it down,
 * while the loop goes on. A thread reports the time of day, and the end of input ends the program.
 */
#include <err.h>
#include <fcntl.h>
#include <juggle.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static intptr_t count_down(void *line) {
    for (size_t left = strlen(line); left > 0; left--) {
        printf("%zu: %s\n", left, (char *)line);
        if (jg_sleep(200) < 0) {
            break; // the loop closes
        }
    }
    free(line);
    return 0;
}

static intptr_t tell_time(void *arg) {
    (void)arg;
    char text[32];
    time_t now = time(NULL);
    struct tm local;
    strftime(text, sizeof(text), "%H:%M:%S", localtime_r(&now, &local));
    return printf("it is %s\n", text);
}

struct clock {
    jg_loop *loop;
    jg_call call;
    atomic_bool over;
};

/* Runs on a thread of its own, and hands its news to the loop. */
static void *tick(void *arg) {
    struct clock *clock = arg;
    while (!atomic_load(&clock->over)) {
        (void)jg_post(clock->loop, &clock->call, tell_time, NULL); // -EALREADY: not told yet
        usleep(500000);
    }
    return NULL;
}

/* Starts a task for the line that was typed. Returns false at the end of input. */
static bool take_line(void) {
    char buffer[256];
    ssize_t size = read(STDIN_FILENO, buffer, sizeof(buffer) - 1);
    if (size <= 0) {
        return false;
    }
    buffer[size] = '\0';
    buffer[strcspn(buffer, "\n")] = '\0';
    char *line = strdup(buffer);
    jg_task *task = line == NULL ? NULL : jg_spawn(count_down, line);
    if (task == NULL) {
        free(line);
    }
    jg_detach(task);
    return true;
}

/* The main loop: waits for its own affairs and for juggle's at once. */
static void run_main_loop(jg_loop *loop) {
    bool reading = true;
    int alive = 0;
    while (reading || alive > 0) {
        struct pollfd ready[2] = {{.fd = jg_loop_fd(loop), .events = POLLIN},
                                  {.fd = reading ? STDIN_FILENO : -1, .events = POLLIN}};
        poll(ready, 2, jg_loop_timeout(loop));
        if (reading && ready[1].revents != 0) {
            reading = take_line();
        }
        alive = jg_loop_step(loop);
    }
}

int main(void) {
    jg_loop *loop;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) { // closed: else the loop would be taken for it
            open("/dev/null", O_RDONLY);
        }
    }
    int rc = jg_loop_open(NULL, &loop);
    if (rc < 0) {
        fprintf(stderr, "embed: %s\n", jg_error_detail(rc));
        return 1;
    }
    struct clock clock = {.loop = jg_loop_hold(loop)};
    pthread_t thread;
    bool ticking = pthread_create(&thread, NULL, tick, &clock) == 0;
    run_main_loop(loop);
    if (ticking) {
        atomic_store(&clock.over, true);
        pthread_join(thread, NULL);
    }
    jg_loop_close(loop);
    jg_loop_drop(clock.loop);
    if (fclose(stdout) != 0) {
        err(1, "standard output"); // closed, or its disk is full
    }
    return 0;
}
