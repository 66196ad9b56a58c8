// SPDX-License-Identifier: MIT
/* http_client_driver.c – makes the requests of http_client_peers.py, and says what came back.
 *
 * Holds      one client, used by `at_once` tasks, or by the thread itself.
 * Invariant  one line per request: status, bytes, Adler-32 of the body, whether the connection had
 *            served before; or the name of the error and its detail.
 * Called by  http_client_peers.py, which compiles it:
 *            http_client_driver loop|blocking METHOD COUNT AT_ONCE BODY_SIZE URL
 * Why        through the public headers only, as a program that uses the library would be.
 */
#include <juggle.h>
#include <juggle/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    jg_http_client *client;
    jg_http_request request;
    int left;
    int at_once;
} work;

static unsigned adler(unsigned sum, const unsigned char *data, size_t size) {
    unsigned a = sum & 0xffff;
    unsigned b = sum >> 16;
    for (size_t i = 0; i < size; i++) {
        a = (a + data[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

/* Reads the body in pieces and prints the line. */
static ssize_t take(jg_http_response *response) {
    enum { PIECE = 50000 };
    unsigned char *piece = malloc(PIECE); // one per task: others read meanwhile
    unsigned sum = 1;
    size_t size = 0;
    ssize_t got;
    while ((got = jg_http_read(response, piece, PIECE)) > 0) {
        sum = adler(sum, piece, (size_t)got);
        size += (size_t)got;
    }
    if (got == 0) {
        printf("%d %zu %08x %s\n", jg_http_status(response), size, sum,
               jg_http_response_reused(response) ? "reused" : "new");
    }
    jg_http_response_close(response);
    free(piece);
    return got;
}

static intptr_t worker(void *arg) {
    (void)arg;
    while (work.left > 0) {
        work.left--;
        jg_http_response *response;
        ssize_t rc = jg_http_send(work.client, &work.request, &response);
        rc = rc < 0 ? rc : take(response);
        if (rc < 0) {
            printf("%s %s\n", jg_error_name(rc), jg_error_detail(rc));
        }
    }
    return 0;
}

static intptr_t program(void *arg) {
    const jg_http_client_options options = {.connections = (size_t)work.at_once,
                                            .connections_per_origin = (size_t)work.at_once};
    intptr_t rc = jg_http_client_open(&options, &work.client);
    if (rc == 0 && jg_running()) {
        JG_GROUP(group, rc) {
            for (int i = 0; i < work.at_once; i++) {
                jg_group_spawn(group, worker, arg);
            }
        }
    } else if (rc == 0) {
        worker(arg);
    }
    jg_http_client_close(work.client);
    return rc;
}

int main(int argc, char **argv) {
    if (argc != 7) {
        fprintf(stderr, "usage: %s loop|blocking METHOD COUNT AT_ONCE BODY_SIZE URL\n", argv[0]);
        return 2;
    }
    size_t size = strtoul(argv[5], NULL, 10);
    char *body = malloc(size + 1);
    memset(body, 'b', size);
    work.left = atoi(argv[3]);
    work.at_once = atoi(argv[4]);
    work.request = (jg_http_request){
        .method = argv[2], .url = argv[6], .body = size > 0 ? body : NULL, .body_size = size};
    intptr_t rc = strcmp(argv[1], "loop") == 0 ? jg_run(program, NULL) : program(NULL);
    free(body);
    return rc < 0;
}
