// SPDX-License-Identifier: MIT
/* find_race.c [fixed] – two withdrawals from one account, in a thousand orders.
 * docs/testing-with-sim.md explains it. */
#include <err.h>
#include <juggle.h>
#include <juggle/sim.h>

static struct {
    jg_lock lock;
    bool fixed; // take the lock
    int balance;
} account;

static intptr_t audit(void *listener) { // a service elsewhere, which hears of every withdrawal
    jg_stream *peer;
    while (jg_accept(listener, &peer) == 0) {
        jg_stream_close(peer);
    }
    return 0;
}

static intptr_t withdraw(void *amount) {
    jg_stream *audit_line;
    jg_sleep((int64_t)(jg_sim_random() % 50)); // people come when they come
    if (account.fixed && jg_lock_acquire(&account.lock) < 0) {
        return -ECANCELED;
    }
    if (account.balance >= (intptr_t)amount && jg_tcp_connect("audit", 7, &audit_line) == 0) {
        jg_stream_close(audit_line);
        account.balance -= (int)(intptr_t)amount;
    }
    return account.fixed ? jg_lock_release(&account.lock) : 0;
}

static intptr_t two_at_once(void *arg) {
    jg_listener *listener;
    int rc = jg_tcp_listen("audit", 7, &listener);
    if (rc < 0) {
        return rc;
    }
    account.balance = *(int *)arg;
    JG_GROUP(services) {
        jg_group_spawn(services, audit, listener);
        JG_GROUP(people) {
            jg_group_spawn(people, withdraw, (void *)70);
            jg_group_spawn(people, withdraw, (void *)70);
        }
        jg_group_cancel(services);
    }
    jg_listener_close(listener);
    return account.balance >= 0 ? 0 : jg_fail(-EDOM, "the balance is %d", account.balance);
}

int main(int argc, char **argv) {
    jg_sim_report report;
    int balance = 100;
    account.fixed = argc > 1 && argv[1][0] == 'f';
    int rc = jg_sim_explore(two_at_once, &balance, NULL, 1000, 0, &report);
    jg_sim_report_print(&report, stdout);
    if (fclose(stdout) != 0) {
        err(1, "standard output"); // closed, or its disk is full
    }
    return rc;
}
