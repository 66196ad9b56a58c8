// SPDX-License-Identifier: MIT
/* signals.c – a service that is stopped in good order: ^C or SIGTERM lets what has begun finish.
 *
 * A second ^C cuts it short; SIGHUP asks how it is going.
 */
#include <err.h>
#include <juggle.h>
#include <stdio.h>

struct service {
    bool stopping;
    int begun;
    int finished;
};

static intptr_t one_job(void *arg) {
    struct service *service = arg;
    service->begun++;
    int rc = jg_sleep(3000);
    service->finished += rc == 0;
    return 0;
}

static intptr_t mind_signals(void *arg) {
    struct service *service = arg;
    jg_signals signals;
    int number = jg_signals_open(&signals,
                                 JG_SIGNAL(SIGINT) | JG_SIGNAL(SIGTERM) | JG_SIGNAL(SIGHUP));
    while (number >= 0 && (number = jg_signals_next(&signals)) > 0) {
        printf("%d begun, %d finished\n", service->begun, service->finished);
        if (number != SIGHUP && service->stopping) {
            break;
        }
        service->stopping = service->stopping || number != SIGHUP;
    }
    jg_signals_close(&signals);
    return number < 0 ? number : -EINTR; // the group sees a failure, and cancels the jobs
}

static intptr_t program(void *arg) {
    struct service service = {.begun = 0};
    (void)arg;
    jg_task *watch = NULL;
    JG_GROUP(jobs) {
        const jg_spawn_options options = {.group = jobs};
        watch = jg_spawn_with(mind_signals, &service, &options);
        while (!service.stopping && jg_group_spawn(jobs, one_job, &service) == 0) {
            jg_sleep(500);
        }
        while (service.finished < service.begun && jg_sleep(50) == 0) {}
        jg_cancel(watch);
    }
    jg_detach(watch);
    printf("stopped: %d begun, %d finished\n", service.begun, service.finished);
    return 0;
}

int main(void) {
    int rc = (int)jg_run(program, NULL);
    if (fclose(stdout) != 0) {
        err(1, "standard output"); // closed, or its disk is full
    }
    return rc < 0;
}
