// SPDX-License-Identifier: MIT
/* downloader.c [-n N] [-t SECONDS] URL... – downloads URLs, N of them at a time, each within a time limit.
 *
 * Each becomes a file of this directory, named as the URL ends, which is there as a whole or not at all.
 * Tells of each as it ends. Exits with 0; 1 when one failed; 2 for wrong usage.
 */
#include <fcntl.h>
#include <juggle.h>
#include <juggle/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 1000 };
static int64_t limit_ms = 30000;
static size_t at_once = 8;
static jg_sem places; // at_once of them: who has one downloads
static jg_http_client *client;
static int count;

/* What comes after the last slash; NULL if no file can have that name. */
static const char *name_of(const char *url) {
    const char *host = strstr(url, "://");
    const char *name = host != NULL ? strrchr(host + strlen("://"), '/') : NULL;
    return name != NULL && strlen(name) < 256 && strchr(".?#", name[1]) == NULL ? name + 1 : NULL;
}

static int download(const char *url) {
    const char *body;
    jg_http_response *response;
    int rc = jg_http_get(client, url, &response);
    if (rc < 0) {
        return rc;
    }
    ssize_t size = jg_http_body(response, &body);
    if (jg_http_status(response) != 200) {
        rc = (int)jg_fail(-EPROTO, "the answer has status %d", jg_http_status(response));
    } else {
        rc = jg_file_store(name_of(url), body, (size_t)size);
    }
    jg_http_response_close(response);
    return rc < 0 ? rc : (int)size; // an int will do: the client takes 64 MiB at most
}

static intptr_t fetch(void *url) {
    int rc = jg_sem_acquire(&places);
    if (rc < 0) {
        return rc;
    }
    JG_TIMEOUT(limit_ms, rc) {
        rc = download(url);
    }
    jg_sem_release(&places);
    return rc == -ETIMEDOUT ? jg_fail(rc, "not within %g s", (double)limit_ms / 1000) : rc;
}

static intptr_t download_all(void *arg) {
    char **urls = arg;
    jg_task *tasks[MOST];
    jg_future *ends[MOST];
    int failed = 0;
    const jg_http_client_options options = {
        .connections = at_once,
        .connections_per_origin = at_once,
        .connect_ms = -1, // the client's own limits are off: ours is the only one
        .first_byte_ms = -1,
        .idle_ms = -1,
        .total_ms = -1,
    };
    intptr_t rc = jg_http_client_open(&options, &client);
    if (rc < 0) {
        fprintf(stderr, "downloader: %s\n", jg_error_detail(rc));
    }
    for (int i = 0; rc == 0 && i < count; i++) {
        tasks[i] = jg_spawn(fetch, urls[i]);
        ends[i] = jg_task_future(tasks[i]);
    }
    if (rc == 0) {
        JG_AS_COMPLETED(it, ends, (size_t)count, -1, rc) {
            failed += it.result < 0;
            if (it.result < 0) {
                fprintf(stderr, "%s: %s\n", urls[it.index], jg_error_detail(it.result));
            } else {
                printf("%s: %d bytes\n", name_of(urls[it.index]), (int)it.result);
            }
        }
        for (int i = 0; i < count; i++) {
            jg_join(tasks[i]);
        }
        jg_http_client_close(client);
    }
    return rc < 0 ? rc : failed;
}

int main(int argc, char **argv) {
    for (int letter; (letter = getopt(argc, argv, "n:t:")) != -1;) {
        at_once = letter == 'n' ? strtoul(optarg, NULL, 10) : letter == '?' ? 0 : at_once;
        limit_ms = letter == 't' ? (int64_t)(atof(optarg) * 1000) : limit_ms;
    }
    bool good = argc > optind && argc - optind <= MOST && at_once - 1 < MOST && limit_ms > 0;
    for (count = 0; good && count < argc - optind; count++) {
        good = name_of(argv[optind + count]) != NULL;
    }
    if (!good) {
        fprintf(stderr, "usage: %s [-n N] [-t SECONDS] http://HOST/PATH/NAME...\n", argv[0]);
        return 2;
    }
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) { // closed: else a file of ours would get what is meant for it
            open("/dev/null", O_RDONLY);
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0); // told as it ends, also through a pipe
    jg_sem_init(&places, at_once);
    bool failed = jg_run(download_all, argv + optind) != 0;
    if (ferror(stdout)) {
        fprintf(stderr, "downloader: cannot write to standard output\n");
        failed = true;
    }
    return failed;
}
