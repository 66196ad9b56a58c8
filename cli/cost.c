// SPDX-License-Identifier: MIT
/* cost.c – see cost.h.
 *
 * Holds      readers of rusage and of /proc/PID/{stat,status,smaps_rollup}.
 * Invariant  outputs are untouched on failure.
 * Called by  round.c, models.c, board.c.
 * Why        /proc is scanned for the process group, not for children: it works without
 *            CONFIG_PROC_CHILDREN and also finds workers whose parent died.
 * Quirks     a kernel stack is 16 KiB on x86-64 and on AArch64 (THREAD_SIZE); /proc does not
 *            say so per process. It needs Linux 4.14 for smaps_rollup.
 */
#include "cost.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KERNEL_STACK_BYTES = 16384, PROC_FILE_SIZE = 4096 };

static uint64_t nanoseconds(const struct timeval *time) {
    return (uint64_t)time->tv_sec * UINT64_C(1000000000) + (uint64_t)time->tv_usec * 1000;
}

static struct cost_usage usage_of(const struct rusage *usage) {
    return (struct cost_usage){
        .cpu_user_ns = nanoseconds(&usage->ru_utime),
        .cpu_sys_ns = nanoseconds(&usage->ru_stime),
        .switches_voluntary = (uint64_t)usage->ru_nvcsw,
        .switches_involuntary = (uint64_t)usage->ru_nivcsw,
    };
}

void cost_of_thread(struct cost_usage *out_usage) {
    struct rusage usage = {.ru_nvcsw = 0};
    struct timespec brought_up_to_date;
    // The kernel brings a running thread's time up to date at ticks, and when this clock is read.
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &brought_up_to_date);
    getrusage(RUSAGE_THREAD, &usage);
    *out_usage = usage_of(&usage);
}

void cost_add_thread(struct cost_sum *sum) {
    struct cost_usage usage;
    cost_of_thread(&usage);
    atomic_fetch_add(&sum->cpu_user_ns, usage.cpu_user_ns);
    atomic_fetch_add(&sum->cpu_sys_ns, usage.cpu_sys_ns);
    atomic_fetch_add(&sum->switches_voluntary, usage.switches_voluntary);
    atomic_fetch_add(&sum->switches_involuntary, usage.switches_involuntary);
}

struct cost_usage cost_read(const struct cost_sum *sum) {
    return (struct cost_usage){
        .cpu_user_ns = sum->cpu_user_ns,
        .cpu_sys_ns = sum->cpu_sys_ns,
        .switches_voluntary = sum->switches_voluntary,
        .switches_involuntary = sum->switches_involuntary,
    };
}

struct cost_usage cost_plus(const struct cost_usage *a, const struct cost_usage *b) {
    return (struct cost_usage){
        .cpu_user_ns = a->cpu_user_ns + b->cpu_user_ns,
        .cpu_sys_ns = a->cpu_sys_ns + b->cpu_sys_ns,
        .switches_voluntary = a->switches_voluntary + b->switches_voluntary,
        .switches_involuntary = a->switches_involuntary + b->switches_involuntary,
    };
}

static uint64_t minus(uint64_t total, uint64_t part) {
    return total > part ? total - part : 0;
}

struct cost_usage cost_after(const struct cost_usage *total, const struct cost_usage *part) {
    // Only the sum of user and system time is exact, so only the sum is subtracted exactly.
    uint64_t cpu_ns = minus(total->cpu_user_ns + total->cpu_sys_ns,
                            part->cpu_user_ns + part->cpu_sys_ns);
    uint64_t user_ns = minus(total->cpu_user_ns, part->cpu_user_ns);
    user_ns = user_ns > cpu_ns ? cpu_ns : user_ns;
    return (struct cost_usage){
        .cpu_user_ns = user_ns,
        .cpu_sys_ns = cpu_ns - user_ns,
        .switches_voluntary = minus(total->switches_voluntary, part->switches_voluntary),
        .switches_involuntary = minus(total->switches_involuntary, part->switches_involuntary),
    };
}

int cost_wait(pid_t pid, int flags, int *out_status, struct cost_usage *out_total) {
    struct rusage usage;
    int status = 0;
    pid_t waited = 0;
    do {
        waited = wait4(pid, &status, flags, &usage);
    } while (waited < 0 && errno == EINTR);
    if (waited <= 0) {
        return waited < 0 ? -errno : -EAGAIN;
    }
    *out_status = status;
    *out_total = usage_of(&usage);
    return 0;
}

/* Reads /proc/PID/NAME into `text` (PROC_FILE_SIZE bytes); a negative errno if it is not there. */
static int read_proc(const char *pid, const char *name, char *text) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%.16s/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    ssize_t length = read(fd, text, PROC_FILE_SIZE - 1);
    int error = errno;
    close(fd);
    if (length < 0) {
        return -error;
    }
    text[length] = '\0';
    return 0;
}

/* Finds the number behind "\nKEY:" in a /proc file. */
static int find_number(const char *text, const char *key, uint64_t *out_number) {
    char line_start[32];
    snprintf(line_start, sizeof(line_start), "\n%s:", key);
    const char *at = strstr(text, line_start);
    if (at == NULL) {
        return -ENOENT;
    }
    *out_number = strtoull(at + strlen(line_start), NULL, 10);
    return 0;
}

/* Whether `pid` is a living process of `group`. */
static bool is_member(const char *pid, pid_t group, char *text) {
    if (read_proc(pid, "stat", text) < 0) {
        return false;
    }
    char state = 'Z';
    int process_group = 0;
    // The name in parentheses may hold anything, also parentheses.
    const char *after_name = strrchr(text, ')');
    return after_name != NULL && sscanf(after_name, ") %c %*d %d", &state, &process_group) == 2 &&
           state != 'Z' && state != 'X' && process_group == group;
}

/* Adds the process `pid`; -ENOENT or -ESRCH when it just ended. */
static int add_process(const char *pid, struct cost_memory *memory, char *text) {
    uint64_t pss_kib = 0;
    uint64_t page_table_kib = 0;
    uint64_t threads = 0;
    int rc = read_proc(pid, "smaps_rollup", text);
    rc = rc < 0 ? rc : find_number(text, "Pss", &pss_kib);
    rc = rc < 0 ? rc : read_proc(pid, "status", text);
    rc = rc < 0 ? rc : find_number(text, "VmPTE", &page_table_kib);
    rc = rc < 0 ? rc : find_number(text, "Threads", &threads);
    if (rc < 0) {
        return rc;
    }
    memory->pss_bytes += pss_kib * 1024;
    memory->page_table_bytes += page_table_kib * 1024;
    memory->kernel_stack_bytes += threads * KERNEL_STACK_BYTES;
    memory->threads += threads;
    memory->processes++;
    return 0;
}

int cost_memory_of_group(pid_t group, struct cost_memory *out_memory) {
    char text[PROC_FILE_SIZE];
    struct cost_memory memory = {.processes = 0};
    int rc = 0;
    DIR *proc = opendir("/proc");
    if (proc == NULL) {
        return -errno;
    }
    for (struct dirent *entry = readdir(proc); entry != NULL; entry = readdir(proc)) {
        bool is_process = isdigit((unsigned char)entry->d_name[0]) != 0;
        if (is_process && is_member(entry->d_name, group, text)) {
            int added = add_process(entry->d_name, &memory, text);
            // Whoever ended meanwhile is no member any more; any other failure is a real one.
            rc = added < 0 && is_member(entry->d_name, group, text) ? added : rc;
        }
    }
    closedir(proc);
    if (rc == 0 && memory.processes == 0) {
        rc = -ESRCH;
    }
    if (rc == 0) {
        *out_memory = memory;
    }
    return rc;
}

uint64_t cost_memory_total(const struct cost_memory *memory) {
    return memory->pss_bytes + memory->kernel_stack_bytes + memory->page_table_bytes;
}
