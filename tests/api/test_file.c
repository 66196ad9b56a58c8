// SPDX-License-Identifier: MIT
/* test_file.c – files, on threads while the loop goes on.
 *
 * Holds      the directory of the running test.
 * Invariant  the directory is empty again at the end.
 * Called by  ctest, on epoll, on sim, and without a loop; under the thread sanitizer too.
 * Why        a buffer that a thread still writes to after the call would be the worst of bugs.
 */
// Backends: epoll sim blocking
#define FIXTURE_LIMIT 20
#include "api/api.h"
#include "fixtures/limits.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(JUGGLE_SANITIZE_THREAD)
/* The pool's threads stay, and each test would wait a second at its end for them to race. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void) {
    return "atexit_sleep_ms=0:report_thread_leaks=0";
}
#endif

static char directory[] = "/tmp/juggle-XXXXXX";

/* The path of a name in it; the last four are kept. */
static const char *in_directory(const char *name) {
    static char paths[4][64];
    static int turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
    return path;
}

static void run_in_directory(jg_fn *body) {
    ck_assert_ptr_nonnull(mkdtemp(directory));
    run_once(body, NULL);
    ck_assert_int_eq(rmdir(directory), 0); // nothing was left in it
}

static intptr_t use_body(void *arg) {
    const char *path = in_directory("balls");
    char text[16] = {0};
    jg_file *file;
    (void)arg;
    ck_assert_int_eq(jg_file_open(path, O_RDWR | O_CREAT | O_EXCL, 0600, &file), 0);
    ck_assert_int_ge(jg_file_fd(file), 0);
    ck_assert_int_eq(jg_file_write(file, "0123456789", 10), 10);
    ck_assert_int_eq(jg_file_size(file), 10);
    ck_assert_int_eq(jg_file_pwrite(file, "AB", 2, 3), 2);
    ck_assert_int_eq(jg_file_pread(file, text, 4, 2), 4);
    ck_assert_str_eq(text, "2AB5");
    ck_assert_int_eq(jg_file_read(file, text, 1), 0); // the place is behind the last write
    ck_assert_int_eq(jg_file_write(file, "x", 1), 1);
    ck_assert_int_eq(jg_file_sync(file), 0);
    ck_assert_int_eq(jg_file_truncate(file, 5), 0);
    ck_assert_int_eq(jg_file_size(file), 5);
    ck_assert_int_eq(jg_file_pread(file, text, 16, 0), 5);
    ck_assert_int_eq(jg_file_pread(file, text, 16, -1), -EINVAL);
    ck_assert_int_eq(jg_file_pwrite(file, text, 16, -1), -EINVAL);
    ck_assert_int_eq(jg_file_truncate(file, -1), -EINVAL);
    ck_assert_int_eq(jg_file_write(file, "", 0), 0);
    ck_assert_int_eq(jg_file_close(file), 0);
    ck_assert_int_eq(jg_file_close(NULL), 0);
    ck_assert_int_eq(jg_path_unlink(path), 0);
    jg_error_clear();
    return 0;
}

// What is written would not be what is read.
START_TEST(a_file_is_written_and_read) {
    run_in_directory(use_body);
}
END_TEST

static intptr_t errors_body(void *arg) {
    const char *path = in_directory("one-way");
    char byte;
    jg_file *file = NULL;
    (void)arg;
    ck_assert_int_eq(jg_file_open(path, O_RDONLY, 0, &file), -ENOENT);
    ck_assert_ptr_null(file);
    ck_assert_ptr_nonnull(strstr(jg_error_detail(-ENOENT), "cannot open"));
    ck_assert_ptr_nonnull(strstr(jg_error_detail(-ENOENT), "one-way"));
    ck_assert_int_eq(jg_file_open(path, O_WRONLY | O_CREAT, 0600, &file), 0);
    ck_assert_int_eq(jg_file_read(file, &byte, 1), -EBADF);
    ck_assert_int_eq(jg_file_close(file), 0);
    ck_assert_int_eq(jg_file_open(path, O_RDONLY, 0, &file), 0);
    ck_assert_int_eq(jg_file_write(file, &byte, 1), -EBADF);
    ck_assert_int_eq(jg_file_close(file), 0);
    ck_assert_int_eq(jg_file_open("/dev/full", O_WRONLY, 0, &file), 0);
    ck_assert_int_eq(jg_file_write(file, &byte, 1), -ENOSPC);
    ck_assert_int_eq(jg_file_close(file), 0);
    ck_assert_int_eq(jg_path_unlink(path), 0);
    ck_assert_int_eq(jg_path_unlink(path), -ENOENT);
    jg_error_clear();
    return 0;
}

// A failure of the disk would pass for success.
START_TEST(failures_are_told) {
    run_in_directory(errors_body);
}
END_TEST

static intptr_t paths_body(void *arg) {
    const char *inner = in_directory("inner");
    const char *from = in_directory("inner/from");
    const char *to = in_directory("to");
    struct stat about;
    (void)arg;
    ck_assert_int_eq(jg_path_mkdir(inner, 0700), 0);
    ck_assert_int_eq(jg_path_mkdir(inner, 0700), -EEXIST);
    ck_assert_int_eq(jg_file_store(from, "moved", 5), 0);
    ck_assert_int_eq(jg_path_rmdir(inner), -ENOTEMPTY);
    ck_assert_int_eq(jg_path_rename(from, to), 0);
    ck_assert_int_eq(jg_path_stat(from, &about), -ENOENT);
    ck_assert_int_eq(jg_path_stat(to, &about), 0);
    ck_assert_int_eq(about.st_size, 5);
    ck_assert_int_eq(jg_path_rmdir(inner), 0);
    ck_assert_int_eq(jg_path_rmdir(inner), -ENOENT);
    ck_assert_int_eq(jg_path_rename(from, to), -ENOENT);
    ck_assert_int_eq(jg_path_unlink(to), 0);
    jg_error_clear();
    return 0;
}

// Files could not be moved about without holding up the loop.
START_TEST(paths_are_made_moved_and_removed) {
    run_in_directory(paths_body);
}
END_TEST

static intptr_t whole_body(void *arg) {
    enum { LARGE = 1000000 };
    const char *path = in_directory("whole");
    char *data = NULL;
    size_t size = 77;
    struct stat about;
    char *large = malloc(LARGE);
    (void)arg;
    memset(large, 'j', LARGE);
    ck_assert_int_eq(jg_file_store(path, "old", 3), 0);
    ck_assert_int_eq(chmod(path, 0640), 0);
    ck_assert_int_eq(jg_file_store(path, large, LARGE), 0);
    ck_assert_int_eq(jg_path_stat(path, &about), 0);
    ck_assert_int_eq(about.st_mode & 07777, 0640);
    ck_assert_int_eq(jg_file_load(path, LARGE - 1, &data, &size), -EFBIG);
    ck_assert_uint_eq(size, 77);
    ck_assert_int_eq(jg_file_load(path, LARGE, &data, &size), 0);
    ck_assert_uint_eq(size, LARGE);
    ck_assert_int_eq(memcmp(data, large, LARGE), 0);
    ck_assert_int_eq(data[LARGE], '\0');
    jg_file_data_free(data);
    ck_assert_int_eq(jg_file_store(path, "", 0), 0);
    ck_assert_int_eq(jg_file_load(path, 0, &data, &size), 0);
    ck_assert_uint_eq(size, 0);
    ck_assert_str_eq(data, "");
    jg_file_data_free(data);
    ck_assert_int_eq(jg_path_unlink(path), 0);
    ck_assert_int_eq(jg_file_load("/proc/self/status", 0, &data, &size), 0); // says it has 0 bytes
    ck_assert_ptr_nonnull(strstr(data, "VmPeak"));
    jg_file_data_free(data);
    ck_assert_int_eq(jg_file_load(path, 0, &data, &size), -ENOENT);
    ck_assert_int_eq(jg_file_load("/", 0, &data, &size), -EISDIR);
    ck_assert_int_eq(jg_file_store("/no/such/place", "x", 1), -ENOENT);
    ck_assert_int_eq(jg_file_store(directory, "x", 1), -EISDIR); // nothing is left beside it
    jg_error_clear();
    free(large);
    return 0;
}

// A file would be read in part, or be lost when replacing it fails.
START_TEST(whole_files_are_read_and_replaced) {
    run_in_directory(whole_body);
}
END_TEST

static intptr_t long_name_body(void *arg) {
    char long_path[sizeof(directory) + 1 + 255];
    char *data = NULL;
    size_t size = 0;
    (void)arg;
    snprintf(long_path, sizeof(long_path), "%s/", directory);
    size_t used = strlen(long_path);
    memset(long_path + used, 'n', sizeof(long_path) - 1 - used);
    long_path[sizeof(long_path) - 1] = '\0';
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(jg_file_store(long_path, "text", 4), 0);
        ck_assert_int_eq(jg_file_load(long_path, 0, &data, &size), 0);
        ck_assert_str_eq(data, "text");
        jg_file_data_free(data);
    }
    ck_assert_int_eq(jg_path_unlink(long_path), 0); // and nothing is left beside it
    return 0;
}

// A name as long as the system allows would have no room for the file beside it.
START_TEST(long_names_are_replaced_too) {
    run_in_directory(long_name_body);
}
END_TEST

// Cancelling.

struct reading {
    jg_file *file;
    char buf[8];
    intptr_t result;
};

static intptr_t read_pipe(void *arg) {
    struct reading *reading = arg;
    reading->result = jg_file_read(reading->file, reading->buf, sizeof(reading->buf));
    return reading->result;
}

static intptr_t cancel_body(void *arg) {
    const char *path = in_directory("fifo"); // blocks as a slow disk would
    struct reading reading = {.result = 1};
    const jg_spawn_options at_once = {.eager = true};
    (void)arg;
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(jg_file_open(path, O_RDWR, 0, &reading.file), 0);
    jg_task *task = jg_spawn_with(read_pipe, &reading, &at_once);
    jg_sleep(20); // most likely a thread is at it now; either way is right
    jg_cancel(task);
    jg_sleep(5);
    ck_assert_int_eq(write(jg_file_fd(reading.file), "slow", 4), 4);
    intptr_t rc = jg_join(task);
    ck_assert_msg(rc == 4 || rc == -ECANCELED, "came to %d", (int)rc);
    if (reading.result == -ECANCELED) {
        ck_assert_int_eq(jg_file_read(reading.file, reading.buf, 8), 4); // it was not taken
    }
    ck_assert_int_eq(memcmp(reading.buf, "slow", 4), 0);
    ck_assert_int_eq(jg_file_close(reading.file), 0);
    ck_assert_int_eq(jg_path_unlink(path), 0);
    return 0;
}

// A thread would write into a buffer after the call that lent it has returned.
START_TEST(a_cancelled_read_is_waited_for) {
    needs_loop();
    run_in_directory(cancel_body);
}
END_TEST

static intptr_t cancelled_body(void *arg) {
    const char *path = in_directory("kept");
    jg_file *file;
    char byte;
    (void)arg;
    ck_assert_int_eq(jg_file_open(path, O_RDWR | O_CREAT, 0600, &file), 0);
    jg_cancel(jg_self());
    ck_assert_int_eq(jg_file_read(file, &byte, 1), -ECANCELED);
    ck_assert_int_eq(jg_path_unlink(path), -ECANCELED); // nothing was done
    ck_assert_int_eq(access(path, F_OK), 0);
    ck_assert_int_eq(jg_file_close(file), 0); // all the same
    unlink(path);
    return 0;
}

// A cancelled task would leak its file, or do what it was kept from.
START_TEST(a_cancelled_task_does_nothing_but_close) {
    needs_loop();
    run_in_directory(cancelled_body);
}
END_TEST

// Many.

enum { TASKS = 100, BLOCK = 4096 };

static jg_file *shared_file;

static intptr_t write_block(void *arg) {
    intptr_t index = (intptr_t)arg;
    char *block = malloc(BLOCK);
    memset(block, (int)index, BLOCK);
    intptr_t rc = jg_file_pwrite(shared_file, block, BLOCK, index * BLOCK);
    memset(block, 0, BLOCK);
    rc = rc < 0 ? rc : jg_file_pread(shared_file, block, BLOCK, index * BLOCK);
    bool right = rc == BLOCK && block[0] == (char)index && block[BLOCK - 1] == (char)index;
    free(block);
    return right ? 0 : -EIO;
}

static intptr_t many_body(void *arg) {
    const char *path = in_directory("many");
    intptr_t rc = 0;
    (void)arg;
    ck_assert_int_eq(jg_file_open(path, O_RDWR | O_CREAT, 0600, &shared_file), 0);
    JG_GROUP(group, rc) {
        for (intptr_t i = 0; i < TASKS && rc == 0; i++) {
            rc = jg_group_spawn(group, write_block, (void *)i);
        }
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(jg_file_size(shared_file), TASKS * BLOCK);
    ck_assert_int_eq(jg_file_close(shared_file), 0);
    ck_assert_int_eq(jg_path_unlink(path), 0);
    return 0;
}

// Tasks that use one file at once would get each other's bytes.
START_TEST(many_tasks_use_one_file) {
    needs_loop();
    run_in_directory(many_body);
}
END_TEST

static intptr_t shortage_body(void *arg) {
    jg_file *file = NULL;
    char *data;
    size_t size;
    const char *path = in_directory("none");
    (void)arg;
    rlim_t before = leave_descriptors(0);
    int opened = jg_file_open("/dev/null", O_RDONLY, 0, &file);
    int loaded = jg_file_load("/dev/null", 0, &data, &size);
    int stored = jg_file_store(path, "x", 1);
    set_descriptors(before);
    ck_assert_int_eq(opened, -EMFILE);
    ck_assert_int_eq(loaded, -EMFILE);
    ck_assert_int_eq(stored, -EMFILE);
    jg_error_clear();
    return 0;
}

// Out of descriptors, a file would be half made.
START_TEST(files_need_descriptors) {
    run_in_directory(shortage_body);
}
END_TEST

static intptr_t store_over_pipe(void *arg) {
    const char *path = in_directory("pipe");
    struct stat about;
    (void)arg;
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(jg_file_store(path, "x", 1), -EINVAL);
    ck_assert_int_eq(jg_path_stat(path, &about), 0);
    ck_assert(S_ISFIFO(about.st_mode));
    ck_assert_int_eq(jg_path_unlink(path), 0);
    return 0;
}

// Run by root, storing to /dev/full replaced the device by a file, for everybody.
START_TEST(only_files_are_replaced) {
    run_in_directory(store_over_pipe);
}
END_TEST

FIXTURE_MAIN("api/file", a_file_is_written_and_read, failures_are_told,
             paths_are_made_moved_and_removed, whole_files_are_read_and_replaced,
             long_names_are_replaced_too, a_cancelled_read_is_waited_for,
             a_cancelled_task_does_nothing_but_close, many_tasks_use_one_file,
             files_need_descriptors, only_files_are_replaced)
