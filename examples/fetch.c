// SPDX-License-Identifier: MIT
/* fetch.c URL... – gets every URL at the same time, none for longer than two seconds. */
#include <err.h>
#include <juggle.h>
#include <juggle/http.h>
#include <stdio.h>

static jg_http_client *client;

static intptr_t fetch(void *url) {
    jg_http_response *answer;
    int rc = 0;
    JG_TIMEOUT(2000, rc) {
        rc = jg_http_get(client, url, &answer);
    }
    if (rc < 0) {
        printf("%s: %s\n", (char *)url, jg_error_detail(rc));
        return 0; // one that fails does not stop the others
    }
    printf("%s: %d\n", (char *)url, jg_http_status(answer));
    jg_http_response_close(answer);
    return 0;
}

static intptr_t program(void *urls) {
    int rc = jg_http_client_open(NULL, &client);
    if (rc == 0) {
        JG_GROUP(group, rc) {
            for (char **url = urls; *url != NULL && rc == 0; url++) {
                rc = jg_group_spawn(group, fetch, *url);
            }
        }
        jg_http_client_close(client);
    }
    return rc;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: %s URL...\n", argv[0]);
        return 2;
    }
    intptr_t rc = jg_run(program, argv + 1);
    if (fclose(stdout) != 0) {
        err(1, "standard output"); // closed, or its disk is full
    }
    return rc < 0;
}
