// SPDX-License-Identifier: MIT
/* process_server.c – the other end of a process pool: the fork server, and the workers it forks.
 *
 * Holds      in a worker: what it sends, gathered.
 * Invariant  the server has one thread and no lock, whatever the program has: forking is safe there. A
 *            worker is reaped when the program says so: its id is not given away before.
 * Called by  process_pool.c starts the server, as a worker process.
 * Why        blocking calls throughout: these processes do one thing at a time.
 * Quirks     a worker's socket is its own: a child that a job forks lets go of it, as does a program it
 *            executes. So the program sees the end of the stream when the worker dies, whoever lives on.
 *            When the program goes away, or hangs up, the server gives the workers two seconds to see the
 *            end of their sockets, and ends; the kernel then kills those that are left. The end of its own
 *            socket does not tell: a child that the program has forked may hold a copy.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "exec/wire.h"
#include "task/task.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KEPT_FD = 3 }; // the one descriptor beside 0 to 2

static const int64_t PATIENCE_NS = 2 * JG_S;

struct jg_worker_output {
    int fd;
    size_t used;
    char buffer[WIRE_BUFFER];
};

// A worker.

static jg_worker_output output;
static bool is_worker;

static void let_go_of_socket(void) {
    if (is_worker) {
        close(KEPT_FD);
        output.fd = -1;
        is_worker = false;
    }
}

/* As early as the library: a fork that has begun runs no handler that comes later. */
__attribute__((constructor)) static void watch_forks(void) {
    pthread_atfork(NULL, NULL, let_go_of_socket);
}

/* Makes it the one descriptor beside 0 to 2, of which it may be one. */
static void keep(int fd) {
    if (fd != KEPT_FD) {
        dup2(fd, KEPT_FD);
    }
    if (fd < KEPT_FD) {
        close(fd);
    }
    close_range(KEPT_FD + 1, ~0U, 0);
}

static void advance(struct iovec *piece, size_t by) {
    piece->iov_base = (char *)piece->iov_base + by;
    piece->iov_len -= by;
}

/* Sends all of the pieces, which it uses up. */
static int send_all(int fd, struct iovec *pieces, size_t count) {
    while (count > 0) {
        const struct msghdr message = {.msg_iov = pieces, .msg_iovlen = count};
        ssize_t put = sendmsg(fd, &message, MSG_NOSIGNAL);
        if (put < 0 && errno != EINTR) {
            return errno == ECONNRESET ? -EPIPE : -errno;
        }
        size_t left = put > 0 ? (size_t)put : 0;
        for (; count > 0 && left >= pieces->iov_len; pieces++, count--) {
            left -= pieces->iov_len;
        }
        if (count > 0) {
            advance(pieces, left);
        }
    }
    return 0;
}

/* Reads exactly so much. Returns 0; -EPIPE at the end of the stream, or an error. */
static int receive_all(int fd, void *data, size_t size) {
    char *at = data;
    while (size > 0) {
        ssize_t got = recv(fd, at, size, 0);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return got == 0 ? -EPIPE : -errno;
        }
        at += got > 0 ? got : 0;
        size -= got > 0 ? (size_t)got : 0;
    }
    return 0;
}

static int flush_output(jg_worker_output *out) {
    struct wire_frame frame = {.kind = WIRE_DATA, .size = out->used};
    struct iovec pieces[] = {{&frame, sizeof(frame)}, {out->buffer, out->used}};
    out->used = 0;
    return send_all(out->fd, pieces, 2);
}

int jg_worker_output_write(jg_worker_output *out, const void *data, size_t size) {
    const char *at = data;
    if (out->fd < 0) {
        return (int)error_bare(-ECHILD);
    }
    while (size > 0) {
        size_t room = WIRE_BUFFER - out->used;
        size_t now = size < room ? size : room;
        memcpy(out->buffer + out->used, at, now);
        out->used += now;
        at += now;
        size -= now;
        int rc = out->used == WIRE_BUFFER ? flush_output(out) : 0;
        if (rc < 0) {
            return (int)error_bare(rc);
        }
    }
    return 0;
}

/* What is still in the buffer, the word, and what stands behind it. */
static int send_end(jg_worker_output *out, intptr_t word) {
    struct error_record *error = jg_failed(word) ? error_take_for(task_current(), word) : NULL;
    struct error_text text;
    struct wire_frame frame = {
        .kind = WIRE_END, .has_error = error != NULL, .size = out->used, .word = word};
    struct iovec pieces[] = {
        {&frame, sizeof(frame)}, {out->buffer, out->used}, {&text, sizeof(text)}};
    if (error != NULL) {
        error_write(error, &text);
        error_free(error);
    }
    out->used = 0;
    return send_all(out->fd, pieces, error != NULL ? 3 : 2);
}

static int skip_all(int fd, size_t size) {
    char waste[4096];
    int rc = 0;
    while (size > 0 && rc == 0) {
        size_t now = size < sizeof(waste) ? size : sizeof(waste);
        rc = receive_all(fd, waste, now);
        size -= now;
    }
    return rc;
}

static int serve_one(jg_worker_output *out) {
    struct wire_request request;
    int rc = receive_all(out->fd, &request, sizeof(request));
    if (rc < 0) {
        return rc;
    }
    void *in = mem_alloc(request.size + 1);
    if (in == NULL) {
        rc = skip_all(out->fd, request.size);
        return rc < 0 ? rc : send_end(out, jg_fail(-ENOMEM, "no memory for a job's input"));
    }
    rc = receive_all(out->fd, in, request.size);
    if (rc == 0) {
        jg_error_clear();
        pid_t self = getpid();
        intptr_t word = request.fn(in, request.size, out);
        if (getpid() != self) {
            task_end_forked(word); // a child the function forked: the answer is its parent's
        }
        fflush(stdout);
        fflush(stderr);
        rc = send_end(out, word);
    }
    mem_free(in);
    return rc;
}

_Noreturn static void run_worker(int fd, pid_t server) {
    keep(fd);
    fcntl(KEPT_FD, F_SETFD, FD_CLOEXEC);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != server) {
        _exit(0); // it went before we asked
    }
    output.fd = KEPT_FD;
    is_worker = true;
    while (serve_one(&output) == 0) {}
    _exit(0);
}

// The server.

/* Receives a command. Returns 0 and the descriptor that came with it or -1; -EPIPE at the end. */
static int receive_command(int fd, struct wire_command *out_command, int *out_fd) {
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec piece = {out_command, sizeof(*out_command)};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    ssize_t got;
    do {
        got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof(*out_command)) {
        return -EPIPE;
    }
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *out_fd = -1;
    if (header != NULL && header->cmsg_type == SCM_RIGHTS) {
        memcpy(out_fd, CMSG_DATA(header), sizeof(int));
    }
    return 0;
}

/* The first word on a worker's socket is the server's: who dies before he could speak is known as well. */
static void spawn(int fd) {
    pid_t server = getpid();
    if (fd < 0) {
        return; // there was no room for it: its other end sees that it is closed
    }
    pid_t pid = fork();
    if (pid == 0) {
        run_worker(fd, server);
    }
    const struct wire_hello hello = {.pid = pid > 0 ? pid : -errno};
    send(fd, &hello, sizeof(hello), MSG_NOSIGNAL);
    close(fd);
}

static void answer_look(const struct wire_command *command) {
    siginfo_t info = {.si_pid = 0};
    struct wire_answer answer = {.number = command->number};
    if (waitid(P_PID, (id_t)command->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
        answer.rc = -errno;
    } else if (info.si_pid == 0) {
        answer.rc = -EAGAIN;
    } else {
        answer.status = info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0)
                                                   : W_EXITCODE(0, info.si_status);
    }
    send(KEPT_FD, &answer, sizeof(answer), MSG_NOSIGNAL);
}

static void obey(const struct wire_command *command, int fd) {
    switch (command->order) {
    case WIRE_SPAWN:
        spawn(fd);
        break;
    case WIRE_LOOK:
        answer_look(command);
        break;
    case WIRE_REAP:
        waitpid(command->pid, NULL, WNOHANG);
        break;
    }
}

/* Looks, at first often, until all have ended or two seconds are over. */
static void await_workers(void) {
    struct timespec pause = {0, 100 * 1000};
    int64_t until_ns = clock_now_ns() + PATIENCE_NS;
    pid_t ended;
    while ((ended = waitpid(-1, NULL, WNOHANG)) >= 0 && clock_now_ns() < until_ns) {
        if (ended > 0) {
            continue; // there may be more
        }
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
        pause.tv_nsec = pause.tv_nsec < 5 * JG_MS ? pause.tv_nsec * 2 : pause.tv_nsec;
    }
}

/* Returns a descriptor that tells when the program is gone, or -1. */
static int watch_program(void) {
    int any = pidfd_open(getppid(), 0);
    int fd = fcntl(any, F_DUPFD_CLOEXEC, KEPT_FD + 1); // not one of 0 to 2, which the workers have
    close(any);
    return fd;
}

/* Waits for an order. Returns false when the program is gone. */
static bool await_command(int program) {
    struct pollfd either[] = {{.fd = KEPT_FD, .events = POLLIN}, {.fd = program, .events = POLLIN}};
    while (poll(either, 2, -1) < 0 && errno == EINTR) {}
    return either[1].revents == 0;
}

intptr_t process_server_run(void *arg) {
    const int *fds = arg;
    signal(SIGINT, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); // ignored, it would take the workers' ends from us
    close(fds[0]);
    keep(fds[1]);
    int program = watch_program();
    struct wire_command command;
    int came = -1;
    while (await_command(program) && receive_command(KEPT_FD, &command, &came) == 0) {
        obey(&command, came);
    }
    await_workers();
    return 0;
}
