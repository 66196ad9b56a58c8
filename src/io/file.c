// SPDX-License-Identifier: MIT
/* file.c – files, through the executor every program has.
 *
 * Holds      struct jg_file: a descriptor.
 * Invariant  one call is one job, whose record lies on the caller's stack: a job that has begun is
 *            waited for, so nothing of it is used after the return.
 * Called by  user code.
 * Why        each do_ function is what a blocking program would write; only `run` knows of threads.
 */
#include "base/mem.h"
#include "rt/observe.h"
#include "task/task.h"

#include <errno.h>
#include <fcntl.h>
#include <juggle/executor.h>
#include <juggle/file.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct jg_file {
    int fd;
};

static const size_t LOAD_MOST = (size_t)1 << 30;
static const int64_t NO_OFFSET = -1;
static const size_t STEM_MOST = 200; // of the 255 bytes of a name

/* One call: what goes in, and what comes out besides its word. */
struct call {
    int fd;
    int flags;
    mode_t mode;
    const char *path;
    const char *other_path;
    char *buf;
    size_t size;
    int64_t offset;
    struct stat *about;
    bool begun;
};

static intptr_t run(jg_fn *fn, struct call *call) {
    return error_bare(jg_to_thread_at(fn, call, "file\0"));
}

/* A result of the system's as a word. */
static intptr_t word(ssize_t result) {
    return result < 0 ? -errno : result;
}

// Opening and closing.

static intptr_t do_open(void *arg) {
    const struct call *call = arg;
    int fd;
    do {
        fd = open(call->path, call->flags | O_CLOEXEC, call->mode);
    } while (fd < 0 && errno == EINTR);
    return word(fd);
}

static int explain(const char *what, const char *path, intptr_t rc) {
    if (rc >= 0 || rc == -ECANCELED) {
        return (int)rc;
    }
    return (int)jg_fail(rc, "cannot %s %s: %s", what, path, strerrordesc_np((int)-rc));
}

int jg_file_open(const char *path, int flags, mode_t mode, jg_file **out_file) {
    struct call call = {.path = path, .flags = flags, .mode = mode};
    jg_file *file = mem_alloc(sizeof(*file));
    if (file == NULL) {
        return explain("open", path, -ENOMEM);
    }
    intptr_t fd = run(do_open, &call);
    if (fd < 0) {
        mem_free(file);
        return explain("open", path, fd);
    }
    file->fd = (int)fd;
    observe_opened(file, "descriptor", file->fd, "file");
    *out_file = file;
    return 0;
}

static intptr_t do_close(void *arg) {
    struct call *call = arg;
    call->begun = true;
    // Also after EINTR it is closed: on Linux the number is free by then.
    return close(call->fd) != 0 && errno != EINTR ? -errno : 0;
}

int jg_file_close(jg_file *file) {
    if (file == NULL) {
        return 0;
    }
    struct call call = {.fd = file->fd};
    jg_scope shield;
    observe_closed(file);
    mem_free(file);
    jg_scope_open(&shield, JG_NEVER, true);
    intptr_t rc = jg_scope_close(&shield, run(do_close, &call));
    return (int)(call.begun ? rc : do_close(&call)); // no thread for it
}

int jg_file_fd(const jg_file *file) {
    return file->fd;
}

// Reading and writing.

static intptr_t do_read(void *arg) {
    const struct call *call = arg;
    ssize_t got;
    do {
        got = call->offset == NO_OFFSET ? read(call->fd, call->buf, call->size)
                                        : pread(call->fd, call->buf, call->size, call->offset);
    } while (got < 0 && errno == EINTR);
    return word(got);
}

static intptr_t do_write(void *arg) {
    const struct call *call = arg;
    size_t done = 0;
    while (done < call->size) {
        const char *from = call->buf + done;
        size_t left = call->size - done;
        ssize_t put = call->offset == NO_OFFSET
                          ? write(call->fd, from, left)
                          : pwrite(call->fd, from, left, call->offset + (int64_t)done);
        if (put < 0 && errno != EINTR) {
            return -errno;
        }
        done += put > 0 ? (size_t)put : 0;
    }
    return (intptr_t)done;
}

static ssize_t transfer(jg_fn *fn, const jg_file *file, const void *buf, size_t size,
                        int64_t offset) {
    struct call call = {
        .fd = file->fd, .buf = (char *)(uintptr_t)buf, .size = size, .offset = offset};
    return run(fn, &call);
}

ssize_t jg_file_read(jg_file *file, void *buf, size_t cap) {
    return transfer(do_read, file, buf, cap, NO_OFFSET);
}

ssize_t jg_file_write(jg_file *file, const void *buf, size_t len) {
    return transfer(do_write, file, buf, len, NO_OFFSET);
}

ssize_t jg_file_pread(jg_file *file, void *buf, size_t cap, int64_t offset) {
    return offset < 0 ? error_bare(-EINVAL) : transfer(do_read, file, buf, cap, offset);
}

ssize_t jg_file_pwrite(jg_file *file, const void *buf, size_t len, int64_t offset) {
    return offset < 0 ? error_bare(-EINVAL) : transfer(do_write, file, buf, len, offset);
}

static intptr_t do_size(void *arg) {
    const struct call *call = arg;
    struct stat about;
    return fstat(call->fd, &about) != 0 ? -errno : (intptr_t)about.st_size;
}

int64_t jg_file_size(jg_file *file) {
    struct call call = {.fd = file->fd};
    return run(do_size, &call);
}

static intptr_t do_truncate(void *arg) {
    const struct call *call = arg;
    return word(ftruncate(call->fd, call->offset));
}

int jg_file_truncate(jg_file *file, int64_t size) {
    struct call call = {.fd = file->fd, .offset = size};
    return (int)run(do_truncate, &call);
}

static intptr_t do_sync(void *arg) {
    const struct call *call = arg;
    return word(fsync(call->fd));
}

int jg_file_sync(jg_file *file) {
    struct call call = {.fd = file->fd};
    return (int)run(do_sync, &call);
}

// Whole files.

/* Reads to the end into a block that grows. The size is asked for first, and not believed: a file may
 * grow meanwhile, and those of /proc say 0. */
static intptr_t load_open(struct call *call) {
    struct stat about;
    size_t cap = 4096;
    size_t most = call->size;
    if (fstat(call->fd, &about) == 0 && about.st_size > 0 && (size_t)about.st_size <= most) {
        cap = (size_t)about.st_size + 2; // one to see the end by, one for the NUL
    }
    call->size = 0;
    call->offset = NO_OFFSET;
    for (;;) {
        char *data = mem_resize(call->buf, cap);
        if (data == NULL) {
            return -ENOMEM;
        }
        call->buf = data;
        struct call part = {.fd = call->fd,
                            .buf = data + call->size,
                            .size = cap - call->size - 1,
                            .offset = NO_OFFSET};
        intptr_t got = do_read(&part);
        if (got <= 0) {
            data[call->size] = '\0';
            return got;
        }
        call->size += (size_t)got;
        if (call->size > most) {
            return -EFBIG;
        }
        cap = call->size + 1 == cap ? cap * 2 : cap;
    }
}

static intptr_t do_load(void *arg) {
    struct call *call = arg;
    call->flags = O_RDONLY;
    intptr_t fd = do_open(call);
    if (fd < 0) {
        return fd;
    }
    call->fd = (int)fd;
    intptr_t rc = load_open(call);
    close(call->fd);
    if (rc < 0) {
        mem_free(call->buf);
    }
    return rc;
}

int jg_file_load(const char *path, size_t limit, char **out_data, size_t *out_size) {
    struct call call = {.path = path, .size = limit != 0 ? limit : LOAD_MOST};
    intptr_t rc = run(do_load, &call);
    if (rc < 0) {
        return explain("read", path, rc);
    }
    *out_data = call.buf;
    *out_size = call.size;
    return 0;
}

void jg_file_data_free(char *data) {
    mem_free(data);
}

static intptr_t store_open(const struct call *call) {
    struct stat present;
    intptr_t rc = do_write((void *)(uintptr_t)call);
    if (rc >= 0 && stat(call->path, &present) == 0) {
        rc = word(fchmod(call->fd, present.st_mode & 07777));
    }
    return rc < 0 ? rc : word(fsync(call->fd));
}

/* How much of a path the name of a file beside it begins with: a long name leaves no room for more. */
static int stem_of(const char *path) {
    const char *slash = strrchr(path, '/');
    size_t dir = slash != NULL ? (size_t)(slash + 1 - path) : 0;
    size_t len = strlen(path + dir);
    return (int)(dir + (len < STEM_MOST ? len : STEM_MOST));
}

/* Opens a new file beside the one to be replaced, whose name nobody else uses. */
static intptr_t open_beside(struct call *call, char *name, size_t size) {
    static atomic_uint serial;
    struct call beside = {.path = name, .flags = O_WRONLY | O_CREAT | O_EXCL, .mode = 0666};
    intptr_t fd;
    do {
        snprintf(name, size, "%.*s.%d-%u", stem_of(call->path), call->path, (int)getpid(),
                 atomic_fetch_add(&serial, 1));
        fd = do_open(&beside);
    } while (fd == -EEXIST);
    return fd;
}

static intptr_t do_store(void *arg) {
    struct call *call = arg;
    struct stat present;
    if (stat(call->path, &present) == 0 && !S_ISREG(present.st_mode)) {
        return S_ISDIR(present.st_mode) ? -EISDIR : -EINVAL; // a device would be gone for everybody
    }
    size_t name_size = strlen(call->path) + 32;
    char *name = mem_alloc(name_size);
    if (name == NULL) {
        return -ENOMEM;
    }
    intptr_t rc = open_beside(call, name, name_size);
    if (rc >= 0) {
        call->fd = (int)rc;
        rc = store_open(call);
        close(call->fd);
        rc = rc < 0 ? rc : word(rename(name, call->path));
        if (rc < 0) {
            unlink(name);
        }
    }
    mem_free(name);
    return rc;
}

int jg_file_store(const char *path, const void *data, size_t size) {
    struct call call = {
        .path = path, .buf = (char *)(uintptr_t)data, .size = size, .offset = NO_OFFSET};
    return explain("write", path, run(do_store, &call));
}

// Paths.

static intptr_t do_rename(void *arg) {
    const struct call *call = arg;
    return word(rename(call->path, call->other_path));
}

static intptr_t do_unlink(void *arg) {
    const struct call *call = arg;
    return word(unlink(call->path));
}

static intptr_t do_mkdir(void *arg) {
    const struct call *call = arg;
    return word(mkdir(call->path, call->mode));
}

static intptr_t do_rmdir(void *arg) {
    const struct call *call = arg;
    return word(rmdir(call->path));
}

static intptr_t do_stat(void *arg) {
    struct call *call = arg;
    return word(stat(call->path, call->about));
}

int jg_path_rename(const char *from, const char *to) {
    struct call call = {.path = from, .other_path = to};
    return (int)run(do_rename, &call);
}

int jg_path_unlink(const char *path) {
    struct call call = {.path = path};
    return (int)run(do_unlink, &call);
}

int jg_path_mkdir(const char *path, mode_t mode) {
    struct call call = {.path = path, .mode = mode};
    return (int)run(do_mkdir, &call);
}

int jg_path_rmdir(const char *path) {
    struct call call = {.path = path};
    return (int)run(do_rmdir, &call);
}

int jg_path_stat(const char *path, struct stat *out_about) {
    struct stat about;
    struct call call = {.path = path, .about = &about};
    int rc = (int)run(do_stat, &call);
    if (rc == 0) {
        *out_about = about;
    }
    return rc;
}
