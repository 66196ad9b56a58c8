// SPDX-License-Identifier: MIT
/* juggle/file.h – files, without holding up the loop.
 *
 * Holds      jg_file, an open file. A disk cannot be waited for politely, so every call here that may
 *            touch it runs on a thread of the executor every program has (<juggle/executor.h>).
 * Invariant  a call that returns is over: no thread uses its buffer or path any more. Cancelled before
 *            a thread took it up, it has done nothing; after that it is waited for and tells what it
 *            did, and the cancel stays pending.
 * Threads    any: a file may be used by several tasks, loops and threads at once, as the kernel allows.
 *            It is closed once, when nobody uses it.
 * Why        without a loop the same calls run where they stand. In a simulated loop the files are the
 *            real ones: see <juggle/sim.h> for how time passes meanwhile.
 *
 * Besides what the system says, every call that suspends may return -EBUSY (too many jobs wait for a
 * thread), -EAGAIN (no thread), -ENOMEM and -ECANCELED.
 */
#ifndef JUGGLE_FILE_H
#define JUGGLE_FILE_H

#include <juggle/base.h>

JG_BEGIN_DECLS

/* An open file. */
typedef struct jg_file jg_file;

/* The system's, of <sys/stat.h>. */
struct stat;

/* Opens a file: `flags` and `mode` as open(2) has them, from <fcntl.h>; O_CLOEXEC is added.
 *
 * Returns  0; -ENOENT, -EACCES, -EEXIST and kin, with a detail; -EMFILE.
 * Owns     gives the file: jg_file_close it. */
JG_API JG_SUSPENDS int jg_file_open(const char *path, int flags, mode_t mode, jg_file **out_file);

/* Closes it, whatever asks the task to stop. NULL is allowed.
 *
 * Returns  0; -EIO, -ENOSPC, -EDQUOT when what was written could not be stored.
 * Owns     takes the file: it is gone after the call, whatever that returns. */
JG_API JG_SUSPENDS int jg_file_close(jg_file *file);

/* Reads at least one byte where the last read or write ended, at most `cap` (>= 1).
 * Returns bytes read; 0 at the end of the file; -EIO, -EISDIR, -EBADF (not open for reading). */
JG_API JG_SUSPENDS ssize_t jg_file_read(jg_file *file, void *buf, size_t cap);

/* Writes all of it there; with O_APPEND at the end.
 * Returns `len`; -ENOSPC, -EDQUOT, -EFBIG, -EIO, -EBADF: some of it may have been written. */
JG_API JG_SUSPENDS ssize_t jg_file_write(jg_file *file, const void *buf, size_t len);

/* The same at an offset, leaving the place where the last one ended alone. Also -EINVAL for a negative
 * offset, -ESPIPE for what has no offsets. */
JG_API JG_SUSPENDS ssize_t jg_file_pread(jg_file *file, void *buf, size_t cap, int64_t offset);
JG_API JG_SUSPENDS ssize_t jg_file_pwrite(jg_file *file, const void *buf, size_t len,
                                          int64_t offset);

/* Returns its size in bytes, or a negative error. */
JG_API JG_SUSPENDS int64_t jg_file_size(jg_file *file);

/* Cuts it off, or fills it up with zero bytes. Returns 0; -EINVAL, -EFBIG, -EBADF. */
JG_API JG_SUSPENDS int jg_file_truncate(jg_file *file, int64_t size);

/* Waits until what was written is on the disk. Returns 0; -EIO, -ENOSPC. */
JG_API JG_SUSPENDS int jg_file_sync(jg_file *file);

/* Returns the descriptor: borrowed. */
JG_API int jg_file_fd(const jg_file *file);

/* Reads a whole file, of at most `limit` bytes (0: 1 GiB), and puts a NUL behind it.
 *
 * Returns  0; -EFBIG when it is longer; what opening and reading return.
 * Owns     gives the data: jg_file_data_free it. */
JG_API JG_SUSPENDS int jg_file_load(const char *path, size_t limit, char **out_data,
                                    size_t *out_size);
JG_API void jg_file_data_free(char *data);

/* Makes these bytes the contents of a file: written beside it, synced, and put in its place in one step.
 * Whoever reads it sees all of the old or all of the new, also after a power cut. A file that is there
 * keeps its permissions; a new one gets 0666 less the umask. A symbolic link is replaced itself: what it
 * points to stays as it is.
 *
 * Returns 0; -EISDIR, and -EINVAL for what is there and no file (a device, a pipe); what opening, writing
 * and renaming return: then the file is as it was. */
JG_API JG_SUSPENDS int jg_file_store(const char *path, const void *data, size_t size);

/* rename, unlink, mkdir, rmdir and stat of the system. Return 0 or a negative error. */
JG_API JG_SUSPENDS int jg_path_rename(const char *from, const char *to);
JG_API JG_SUSPENDS int jg_path_unlink(const char *path);
JG_API JG_SUSPENDS int jg_path_mkdir(const char *path, mode_t mode);
JG_API JG_SUSPENDS int jg_path_rmdir(const char *path);
JG_API JG_SUSPENDS int jg_path_stat(const char *path, struct stat *out_about);

JG_END_DECLS

#endif
