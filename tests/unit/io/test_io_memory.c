// SPDX-License-Identifier: MIT
/* test_io_memory.c – files and pipes with each allocation refused in turn.
 */
// Backends: epoll sim blocking
#include "fixtures/fixture.h"

#include "base/mem.h"

#include <fcntl.h>
#include <juggle.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/juggle-memory-XXXXXX";

static int use_file(void) {
    jg_file *file;
    char *data;
    size_t size;
    char text[4];
    int rc = jg_file_store(path, "ball", 4);
    rc = rc < 0 ? rc : jg_file_load(path, 0, &data, &size);
    if (rc < 0) {
        return rc;
    }
    ck_assert_str_eq(data, "ball");
    jg_file_data_free(data);
    rc = jg_file_open(path, O_RDONLY, 0, &file);
    if (rc < 0) {
        return rc;
    }
    rc = (int)jg_file_read(file, text, 4);
    jg_file_close(file);
    return rc < 0 ? rc : 0;
}

static int use_pipe(void) {
    jg_stream *reader;
    jg_stream *writer;
    char text[4];
    int rc = jg_pipe(&reader, &writer);
    if (rc < 0) {
        return rc;
    }
    ssize_t put = jg_write(writer, "ball", 4);
    rc = put < 0 ? (int)put : (int)jg_read_exact(reader, text, 4);
    jg_stream_close(reader);
    jg_stream_close(writer);
    return rc < 0 ? rc : 0;
}

static int use_udp(void) {
    jg_udp *udp;
    int rc = jg_udp_open(NULL, NULL, &udp);
    if (rc == 0) {
        jg_udp_close(udp);
    }
    return rc;
}

static void refuse_each(int (*use)(void)) {
    int rc = -ENOMEM;
    int n = 0;
    while (rc < 0) {
        mem_fail_nth((uint64_t)++n, 0);
        rc = use();
        mem_fail_nth(0, 0);
        ck_assert_msg(rc == 0 || rc == -ENOMEM || rc == -EAGAIN, "came to %d at %d", rc, n);
        ck_assert_int_lt(n, 100);
    }
    ck_assert_int_ge(n, 2);
    jg_error_clear();
}

static intptr_t body(void *arg) {
    (void)arg;
    refuse_each(use_file);
    refuse_each(use_pipe);
    refuse_each(use_udp);
    return 0;
}

// Without memory at some point a descriptor, a block or a half-written file would be left.
START_TEST(refused_memory_leaves_nothing) {
    ck_assert_int_eq(close(mkstemp(path)), 0);
    if (strcmp(fixture_backend(), "blocking") == 0) {
        body(NULL);
    } else {
        ck_assert_int_eq(jg_run(body, NULL), 0);
    }
    unlink(path);
}
END_TEST

FIXTURE_MAIN("io/io_memory", refused_memory_leaves_nothing)
