// SPDX-License-Identifier: MIT
/* files.c – see files.h. */
#include "files.h"

#include "lesson.h"
#include "services.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[LESSON_PATH / 2];
static size_t files_most; // one more than the highest index asked for

void lesson_file(size_t index, char out_path[LESSON_PATH]) {
    if (directory[0] == '\0') {
        const char *parent = getenv("TMPDIR");
        bool fits = parent != NULL && *parent != '\0' && strlen(parent) < sizeof(directory) - 20;
        snprintf(directory, sizeof(directory), "%s/juggle-XXXXXX", fits ? parent : "/tmp");
        if (mkdtemp(directory) == NULL) {
            lesson_give_up(directory, -errno);
        }
    }
    files_most = index >= files_most ? index + 1 : files_most;
    snprintf(out_path, LESSON_PATH, "%s/%zu.txt", directory, index + 1);
}

size_t lesson_files(size_t count) {
    size_t there = 0;
    for (size_t i = 0; i < count; i++) {
        char path[LESSON_PATH];
        struct stat about;
        lesson_file(i, path);
        there += stat(path, &about) == 0 && about.st_size > 0;
    }
    return there;
}

void files_remove(void) {
    if (directory[0] == '\0') {
        return;
    }
    for (size_t i = 0; i < files_most; i++) {
        char path[LESSON_PATH];
        lesson_file(i, path);
        unlink(path);
    }
    rmdir(directory);
}
