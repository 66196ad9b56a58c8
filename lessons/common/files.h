// SPDX-License-Identifier: MIT
/* files.h – a directory for the files a lesson writes.
 *
 * Holds      one directory, made when the first path is asked for; $TMPDIR or /tmp is where.
 * Called by  lesson.c; lesson_file and lesson_files, which lessons call, are here too.
 */
#ifndef FILES_H
#define FILES_H

/* Removes the directory and what is in it. */
void files_remove(void);

#endif
