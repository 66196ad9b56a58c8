// SPDX-License-Identifier: MIT
/* goodbye.c – a conversation that takes too long, ended politely; and an error that says why.
 *
 * The time limit cancels what waits inside it. Saying goodbye has to wait, too: it does so behind a shield,
 * within a limit of its own.
 */
#include <err.h>
#include <juggle.h>
#include <stdio.h>
#include <string.h>

static intptr_t answer_slowly(void *peer) {
    char line[80];
    ssize_t n = jg_read_until(peer, '\n', line, sizeof line);
    while (n > 0) {
        printf("the peer was told: %.*s", (int)n, line);
        n = jg_read_until(peer, '\n', line, sizeof line); // and never answers
    }
    return n;
}

static int converse(jg_stream *stream) {
    char line[80];
    ssize_t n = jg_write(stream, "HELLO\n", 6);
    if (n > 0) {
        n = jg_read_until(stream, '\n', line, sizeof line);
    }
    // [shield]
    JG_SHIELD JG_TIMEOUT(1000) {
        jg_write(stream, "QUIT\n", 5);
    }
    // [/shield]
    return n < 0 ? (int)n : 0;
}

// [cause]
static int check_version(const char *host, int version) {
    if (version != 2) {
        return (int)jg_fail(-EPROTO, "%s speaks version %d", host, version);
    }
    return 0;
}

static int open_session(const char *host, int version) {
    int rc = check_version(host, version);
    if (rc < 0) {
        return (int)jg_fail_because(rc, "no session with %s", host);
    }
    return 0;
}
// [/cause]

static intptr_t program(void *unused) {
    (void)unused;
    jg_stream *ours;
    jg_stream *peers;
    int rc = jg_stream_pair(&ours, &peers);
    if (rc < 0) {
        return rc;
    }
    JG_GROUP(group) {
        jg_group_spawn(group, answer_slowly, peers);
        JG_TIMEOUT(50, rc) {
            rc = converse(ours);
        }
        printf("the conversation: %s\n", jg_error_name(rc));
        jg_stream_close(ours); // the peer reads the end
    }
    jg_stream_close(peers);
    if (open_session("old.example.net", 1) < 0) {
        for (const jg_error *error = jg_error_last(); error != NULL; error = error->cause) {
            printf("%s (%s)\n", error->text, jg_error_name(error->code));
        }
    }
    return 0;
}

int main(void) {
    int rc = (int)jg_run(program, NULL);
    if (fclose(stdout) != 0) {
        err(1, "standard output"); // closed, or its disk is full
    }
    return rc < 0;
}
