// SPDX-License-Identifier: MIT
/* copy.c FILE... DIRECTORY – copies files, all at once. */
#include <fcntl.h>
#include <juggle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *directory;

enum { BLOCK = 1 << 18 };

static intptr_t copy_open(jg_file *from, jg_file *to, const char *name) {
    char *block = malloc(BLOCK);
    ssize_t got = block == NULL ? -ENOMEM : 1;
    while (got > 0) {
        got = jg_file_read(from, block, BLOCK);
        got = got > 0 ? jg_file_write(to, block, (size_t)got) : got;
    }
    free(block);
    return got < 0 ? jg_fail(got, "cannot copy %s: %s", name, strerror((int)-got)) : 0;
}

static intptr_t copy(void *name) {
    char target[4096];
    const char *slash = strrchr(name, '/');
    jg_file *from;
    jg_file *to;
    snprintf(target, sizeof(target), "%s/%s", directory, slash != NULL ? slash + 1 : (char *)name);
    intptr_t rc = jg_file_open(name, O_RDONLY, 0, &from);
    if (rc < 0) {
        return rc;
    }
    rc = jg_file_open(target, O_WRONLY | O_CREAT | O_TRUNC, 0666, &to);
    if (rc == 0) {
        rc = copy_open(from, to, name);
        int closed = jg_file_close(to); // what could not be stored may only be told now
        rc = rc < 0 ? rc : closed;
    }
    jg_file_close(from);
    return rc;
}

static intptr_t program(void *names) {
    intptr_t rc = 0;
    JG_GROUP(group, rc) {
        for (char **name = names; name[1] != NULL && rc == 0; name++) {
            rc = jg_group_spawn(group, copy, *name);
        }
    }
    if (rc < 0) {
        fprintf(stderr, "%s\n", jg_error_detail(rc));
    }
    return rc;
}

int main(int argc, char **argv) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) { // closed: else a file of ours would get what is meant for it
            open("/dev/null", O_RDONLY);
        }
    }
    if (argc < 3) {
        fprintf(stderr, "usage: %s FILE... DIRECTORY\n", argv[0]);
        return 2;
    }
    directory = argv[argc - 1];
    return jg_run(program, argv + 1) < 0;
}
