// SPDX-License-Identifier: MIT
/* worker.c – see worker.h.
 *
 * Holds      the loop of a worker, and the one way a request is made and judged.
 * Invariant  every ticket taken ends in board_succeed or board_fail, unless the worker is killed.
 * Called by  models.c; preflight.c (worker_open, worker_judge).
 * Why        see worker.h.
 * Quirks     each worker has a client of its own with one connection, so that coroutines share no
 *            more than threads do.
 */
#include "worker.h"

#include <juggle.h>
#include <juggle/http.h>

#include <inttypes.h>
#include <string.h>
#include <time.h>

enum { GIVE_UP_MIN = 100, NS_PER_MS = 1000000 };

static const int64_t sample_least_ns = 500000000;
static const int64_t sample_most_ns = 3000000000;

int worker_open(const struct model_plan *plan, jg_http_client **out_client) {
    const jg_http_client_options options = {
        .connections = 1,
        .connections_per_origin = 1,
        .connect_ms = -1,
        .first_byte_ms = -1,
        .idle_ms = -1,
        .total_ms = (int64_t)((plan->timeout_ns + NS_PER_MS - 1) / NS_PER_MS),
    };
    return jg_http_client_open(&options, out_client);
}

static enum board_cause cause_of(int error) {
    switch (error) {
    case -ECONNREFUSED:
    case -ENETUNREACH:
    case -EHOSTUNREACH:
    case -ENOENT:
    case -EAGAIN:
        return BOARD_CONNECT;
    case -ECONNRESET:
    case -ECONNABORTED:
    case -EPIPE:
        return BOARD_CLOSED;
    case -ETIMEDOUT:
        return BOARD_TIMEOUT;
    case -EPROTO:
        return BOARD_PROTOCOL;
    case -EMSGSIZE:
        return BOARD_SIZE;
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
    case -ENOBUFS:
    case -EADDRNOTAVAIL:
        return BOARD_LOCAL;
    default:
        return BOARD_OTHER;
    }
}

/* Explains an error of the client. The library ends its texts on limits with the name of the option that
 * sets them, which whoever runs a command has never seen. */
static void explain_error(struct board *board, int error) {
    static const char *const options[] = {" (total_ms)", " (body_most)"};
    const char *text = jg_error_detail(error);
    size_t length = strlen(text);
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        const char *at = strstr(text, options[i]);
        length = at != NULL ? (size_t)(at - text) : length;
    }
    board_explain(board, cause_of(error), "%.*s", (int)length, text);
}

enum board_cause worker_judge(int error, jg_http_response *response, int64_t body_bytes,
                              struct board *board, int64_t *out_bytes) {
    const char *body = NULL;
    if (error < 0) {
        explain_error(board, error);
        return cause_of(error);
    }
    *out_bytes = jg_http_body(response, &body);
    int status = jg_http_status(response);
    if (status < 200 || status > 299) {
        board_explain(board, BOARD_STATUS, "status %d", status);
        return BOARD_STATUS;
    }
    if (body_bytes >= 0 && *out_bytes != body_bytes) {
        board_explain(board, BOARD_LENGTH, "a body of %" PRId64 " bytes instead of %" PRId64,
                      *out_bytes, body_bytes);
        return BOARD_LENGTH;
    }
    return BOARD_CAUSES;
}

/* Says that the first answer is held, and holds it until memory was read. */
static void hold(const struct worker *worker) {
    board_raise(&worker->board->held, worker->plan->concurrency);
    worker->await_release(worker);
}

/* What is not waiting for an answer: computing, or a call that blocks whichever thread makes it. Returns
 * 0 or -EBADMSG. */
static intptr_t do_work(void *arg) {
    const struct model_plan *plan = arg;
    if (plan->work == MODEL_WORK_BLOCK) {
        struct timespec left = {.tv_sec = (time_t)(plan->block_ns / 1000000000),
                                .tv_nsec = (long)(plan->block_ns % 1000000000)};
        while (nanosleep(&left, &left) < 0) {}
        return 0;
    }
    return work_do(plan->computing.steps) == plan->computing.result ? 0 : -EBADMSG;
}

/* Has the work of a request done that ended with `cause`. Returns the cause it ends with now. */
static enum board_cause work_on(const struct worker *worker, enum board_cause cause) {
    void *plan = (void *)worker->plan;
    int rc = (int)(worker->elsewhere == NULL ? do_work(plan)
                                             : jg_executor_run(worker->elsewhere, do_work, plan));
    if (rc == -EBADMSG) {
        board_explain(worker->board, BOARD_OTHER, "the computing came to another result");
    } else if (rc < 0) {
        board_explain(worker->board, BOARD_LOCAL, "no thread for it: %s", jg_error_detail(rc));
    }
    return cause != BOARD_CAUSES || rc == 0 ? cause : rc == -EBADMSG ? BOARD_OTHER : BOARD_LOCAL;
}

/* Makes one request, does the work on its answer, and reports both. */
static void make_request(const struct worker *worker, jg_http_client *client, bool is_first) {
    const struct model_plan *plan = worker->plan;
    struct board *board = worker->board;
    jg_http_response *response = NULL;
    enum board_cause cause = BOARD_CAUSES;
    int64_t bytes = 0;
    int64_t begin_ns = board_now_ns();
    if (model_work_has_requests(plan->work)) {
        int error = jg_http_get(client, plan->target->url, &response);
        bool is_new = error < 0 || !jg_http_response_reused(response);
        atomic_fetch_add(&board->connections, is_new);
        cause = worker_judge(error, response, plan->body_bytes, board, &bytes);
    }
    if (plan->work != MODEL_WORK_IO) {
        cause = work_on(worker, cause);
    }
    int64_t end_ns = board_now_ns();
    if (plan->hold && is_first) {
        hold(worker);
    }
    jg_http_response_close(response);
    if (cause == BOARD_CAUSES) {
        board_succeed(board, (uint64_t)(end_ns - begin_ns), (uint64_t)bytes);
    } else {
        board_fail(board, cause);
    }
}

/* Whether a model that makes only a sample of the requests has made enough of them: as many as it
 * should, for long enough to be measured, but not for ever. */
static bool has_sampled_enough(const struct model_plan *plan, const struct board *board) {
    int64_t elapsed_ns = board_now_ns() - board->go_ns;
    bool is_much = board->tickets >= plan->sample_least && elapsed_ns >= sample_least_ns;
    return is_much || elapsed_ns >= sample_most_ns;
}

bool worker_take(const struct model_plan *plan, struct board *board) {
    if (plan->sample_least != 0 && has_sampled_enough(plan, board)) {
        return false;
    }
    uint64_t enough = 2 * (uint64_t)plan->concurrency;
    enough = enough < GIVE_UP_MIN ? GIVE_UP_MIN : enough;
    if (atomic_load(&board->ok) == 0 && atomic_load(&board->failed_total) >= enough) {
        board_stop(board);
    }
    return board_take(board, plan->requests);
}

intptr_t worker_run(void *arg) {
    const struct worker *worker = arg;
    struct board *board = worker->board;
    jg_http_client *client = NULL;
    int rc = worker_open(worker->plan, &client);
    board_raise(&board->arrived, worker->plan->concurrency);
    worker->await_go(worker);
    if (rc < 0) {
        board_give_up(board, rc, "no HTTP client: %s", jg_error_detail(rc));
        return 0;
    }
    bool is_first = true;
    while (worker_take(worker->plan, board)) {
        make_request(worker, client, is_first);
        is_first = false;
    }
    jg_http_client_close(client);
    return 0;
}
