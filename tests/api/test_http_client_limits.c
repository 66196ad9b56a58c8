// SPDX-License-Identifier: MIT
/* test_http_client_limits.c – the time limits that a client has by default, to a twentieth.
 *
 * Holds      nothing.
 * Invariant  a limit strikes at its time, give or take what the simulated network takes.
 * Called by  the test runner, on sim only.
 * Why        RELIABILITY R24 and R27. They are minutes long: on a virtual clock, microseconds.
 */
// Backends: sim
#include "http_client_steps.h"

static void check_twentieth(int64_t began_ns, int64_t limit_ms) {
    int64_t took_ms = (jg_now() - began_ns) / JG_MS;
    ck_assert_msg(took_ms >= limit_ms && took_ms <= limit_ms + limit_ms / 20, "it took %d ms",
                  (int)took_ms);
}

static void default_limit_body(struct peer *peer) {
    jg_http_client *client = client_open(NULL);
    int64_t began_ns = jg_now();
    expect_get_error(client, peer, -ETIMEDOUT, NULL);
    check_twentieth(began_ns, *(const int *)peer->arg);
    jg_http_client_close(client);
}

// A server that stalls, or drips, would be waited for longer than the page says.
START_TEST(r27_default_limits_strike_within_a_twentieth) {
    static char drip[4096] = OK_HEAD "X: ";
    static const struct {
        struct peer_reply reply;
        int limit_ms;
    } cases[] = {
        {{.bytes = NULL, .after = PEER_HANG}, 30000},
        {{.bytes = OK_HEAD "X: y\r\n", .after = PEER_HANG}, 30000},
        {{.bytes = OK_HEAD "Content-Length: 9\r\n\r\nhello", .after = PEER_HANG}, 30000},
        {{.bytes = drip, .slice = 1, .slice_ms = 20000}, 300000},
    };
    memset(drip + strlen(drip), 'x', sizeof drip - 1 - strlen(drip));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        peer_run(&cases[i].reply, 1, default_limit_body, (void *)(uintptr_t)&cases[i].limit_ms);
    }
}
END_TEST

static intptr_t cut_off_body(void *arg) {
    (void)arg;
    ck_assert_int_eq(jg_sim_host_cut("far"), 0);
    jg_http_client *client = client_open(NULL);
    int64_t began_ns = jg_now();
    expect_error(client, &(jg_http_request){.url = "http://far/"}, -ETIMEDOUT, "connect_ms");
    check_twentieth(began_ns, 10000);
    jg_http_client_close(client);
    jg_error_clear();
    return 0;
}

// A host that drops packets would hold up a client for as long as the kernel tries.
START_TEST(r24_default_connect_limit_strikes_within_a_twentieth) {
    run_body(cut_off_body);
}
END_TEST

FIXTURE_MAIN("api/http_client_limits", r27_default_limits_strike_within_a_twentieth,
             r24_default_connect_limit_strikes_within_a_twentieth)
