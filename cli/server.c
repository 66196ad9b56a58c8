// SPDX-License-Identifier: MIT
/* server.c – see server.h.
 *
 * Holds      readers of /proc/net/{tcp,tcp6,unix,netstat} and /proc/PID/{fd,stat}.
 * Invariant  see server.h.
 * Called by  race.c.
 * Why        see server.h.
 * Quirks     a descriptor links to "socket:[INODE]"; /proc/net tables name the inode.
 */
#include "server.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INODES_MAX = 16, TCP_LISTEN = 0x0A };

static const double busy_share = 0.85;

/* Over less than this, ticks of 10 ms say nothing. */
static const uint64_t shortest_ns = 200000000;

struct inodes {
    unsigned count;
    uint64_t numbers[INODES_MAX];
};

static void add_inode(struct inodes *inodes, uint64_t number) {
    if (number != 0 && inodes->count < INODES_MAX) {
        inodes->numbers[inodes->count++] = number;
    }
}

static void find_tcp(const char *path, unsigned port, struct inodes *inodes) {
    char line[512];
    FILE *table = fopen(path, "re");
    while (table != NULL && fgets(line, sizeof(line), table) != NULL) {
        unsigned local_port = 0;
        unsigned state = 0;
        uint64_t inode = 0;
        int fields = sscanf(line,
                            " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*s %*s "
                            "%" SCNu64,
                            &local_port, &state, &inode);
        if (fields == 3 && local_port == port && state == TCP_LISTEN) {
            add_inode(inodes, inode);
        }
    }
    if (table != NULL) {
        fclose(table);
    }
}

static void find_unix(const char *socket_path, struct inodes *inodes) {
    char line[512];
    FILE *table = fopen("/proc/net/unix", "re");
    while (table != NULL && fgets(line, sizeof(line), table) != NULL) {
        uint64_t inode = 0;
        int at = 0;
        line[strcspn(line, "\n")] = '\0';
        int fields = sscanf(line, "%*s %*s %*s %*s %*s %*s %" SCNu64 " %n", &inode, &at);
        if (fields == 1 && at > 0 && strcmp(line + at, socket_path) == 0) {
            add_inode(inodes, inode);
        }
    }
    if (table != NULL) {
        fclose(table);
    }
}

static bool is_one_of(const struct inodes *inodes, const char *link) {
    uint64_t number = 0;
    if (sscanf(link, "socket:[%" SCNu64 "]", &number) != 1) {
        return false;
    }
    for (unsigned i = 0; i < inodes->count; i++) {
        if (inodes->numbers[i] == number) {
            return true;
        }
    }
    return false;
}

static bool has_socket(const char *pid, const struct inodes *inodes) {
    char path[320];
    char link[64];
    bool found = false;
    snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
    DIR *fds = opendir(path);
    for (struct dirent *entry = NULL; fds != NULL && !found;) {
        entry = readdir(fds);
        if (entry == NULL) {
            break;
        }
        ssize_t length = readlinkat(dirfd(fds), entry->d_name, link, sizeof(link) - 1);
        link[length < 0 ? 0 : length] = '\0';
        found = is_one_of(inodes, link);
    }
    if (fds != NULL) {
        closedir(fds);
    }
    return found;
}

void server_find(const struct target *target, struct server *out_server) {
    struct inodes inodes = {.count = 0};
    *out_server = (struct server){.count = 0};
    if (target->is_unix) {
        find_unix(target->host, &inodes);
    } else if (target->is_local) {
        find_tcp("/proc/net/tcp", target->port, &inodes);
        find_tcp("/proc/net/tcp6", target->port, &inodes);
    }
    DIR *proc = inodes.count > 0 ? opendir("/proc") : NULL;
    for (struct dirent *entry = NULL; proc != NULL && out_server->count < SERVER_PROCESSES_MAX;) {
        entry = readdir(proc);
        if (entry == NULL) {
            break;
        }
        if (isdigit((unsigned char)entry->d_name[0]) && has_socket(entry->d_name, &inodes)) {
            out_server->pids[out_server->count++] = (pid_t)strtol(entry->d_name, NULL, 10);
        }
    }
    if (proc != NULL) {
        closedir(proc);
    }
}

/* CPU time of a process and its number of threads; 0 and 1 if it is gone. */
static uint64_t read_cpu_ns(pid_t pid, uint64_t *out_threads) {
    char path[32];
    char text[1024] = "";
    uint64_t user_ticks = 0;
    uint64_t system_ticks = 0;
    uint64_t threads = 1;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *stat = fopen(path, "re");
    if (stat != NULL) {
        text[fread(text, 1, sizeof(text) - 1, stat)] = '\0';
        fclose(stat);
    }
    const char *after_name = strrchr(text, ')');
    if (after_name != NULL) {
        sscanf(after_name,
               ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
               " %*d %*d %*d %*d %" SCNu64,
               &user_ticks, &system_ticks, &threads);
    }
    *out_threads = threads == 0 ? 1 : threads;
    return (user_ticks + system_ticks) * (UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* The kernel's count of connections dropped because a listener's queue was full. */
static uint64_t read_overflows(void) {
    char names[8192];
    char values[8192];
    uint64_t overflows = 0;
    FILE *table = fopen("/proc/net/netstat", "re");
    while (table != NULL && fgets(names, sizeof(names), table) != NULL &&
           fgets(values, sizeof(values), table) != NULL) {
        char *name_rest = NULL;
        char *value_rest = NULL;
        char *name = strtok_r(names, " \n", &name_rest);
        char *value = strtok_r(values, " \n", &value_rest);
        while (name != NULL && value != NULL) {
            if (strcmp(name, "ListenOverflows") == 0) {
                overflows = strtoull(value, NULL, 10);
            }
            name = strtok_r(NULL, " \n", &name_rest);
            value = strtok_r(NULL, " \n", &value_rest);
        }
    }
    if (table != NULL) {
        fclose(table);
    }
    return overflows;
}

void server_begin(struct server *server) {
    uint64_t threads = 0;
    for (unsigned i = 0; i < server->count; i++) {
        server->cpu_ns[i] = read_cpu_ns(server->pids[i], &threads);
    }
    server->overflows = read_overflows();
}

void server_end(const struct server *server, uint64_t wall_ns, struct server_load *out_load) {
    *out_load = (struct server_load){.known = server->count > 0 && wall_ns >= shortest_ns};
    out_load->overflows = read_overflows() - server->overflows;
    for (unsigned i = 0; out_load->known && i < server->count; i++) {
        uint64_t threads = 1;
        uint64_t cpu_ns = read_cpu_ns(server->pids[i], &threads);
        uint64_t used_ns = cpu_ns > server->cpu_ns[i] ? cpu_ns - server->cpu_ns[i] : 0;
        double cores = (double)used_ns / (double)wall_ns;
        out_load->cores += cores;
        if (cores / (double)threads > out_load->busiest) {
            out_load->busiest = cores / (double)threads;
        }
    }
}

bool server_is_busy(const struct server_load *load) {
    return load->known && load->busiest >= busy_share;
}
