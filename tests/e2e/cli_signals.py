# SPDX-License-Identifier: MIT
"""cli_signals.py – ^C, SIGTERM and SIGKILL, to the command and to its workers.

If this fails, a race cannot be stopped, loses what it had measured, or leaves processes behind.
"""
import array
import contextlib
import fcntl
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import termios
import threading
import time

sys.dont_write_bytecode = True
from lib_cli import (FAILED, INTERRUPTED, SANITIZED, SLOWER, TERMINATED, Skip, Suite, check, check_report,
                     children, descendants, environment, equal, finish, is_alive, race, serving, start, within)
from lib_peers import Peer, answer, read_request

suite = Suite("e2e/cli_signals")


@contextlib.contextmanager
def stalling_race(*args, good=1, **more):
    """A race that is in its timed round, and whose server has stopped answering."""
    def behave(connection, peer):
        while read_request(connection):
            if peer.count() > 40:
                peer.stopping.wait(60)
                return
            answer(connection)

    with Peer(behave, good) as peer:
        process = start("race", peer.url, "-n", "1k", "-c", "8", "-T", "60s", *args, **more)
        try:
            within(10, lambda: peer.requests > 40, "the race is under way")
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)


def interrupt(process, numbers, limit):
    """Sends signals; returns the run, which must be over within `limit` seconds."""
    begin = time.monotonic()
    for number in numbers:
        process.send_signal(number)
    ended = finish(process, limit)
    check(time.monotonic() - begin <= limit * SLOWER, f"took {time.monotonic() - begin:.2f} s to stop")
    return ended


@suite.test
def r43_interrupted_once():
    """^C gives the report of what was measured until then, marked: at once, as most models show; never later than
    in a second, on a busy machine."""
    models = ("sync", "threads", "processes", "coroutines", "multicore", "floor")
    took = []
    for model in models:
        with stalling_race("-m", model, "--json") as process:
            begin = time.monotonic()
            ended = interrupt(process, [signal.SIGINT], 1)
            took.append(time.monotonic() - begin)
        report = ended.json()
        made = check_report(report, (model,), ended)[model]
        equal((ended.code, report["interrupted"], ended.err), (INTERRUPTED, True, ""), model)
        check(made["requests_ok"] > 0, f"{model}: nothing of what was answered", made["requests_issued"])
        check(made["requests_issued"] < 1000, f"{model}: issued", made["requests_issued"])
    check(sorted(took)[len(models) // 2] <= 0.5 * SLOWER, "seconds to stop:", took)


@suite.test
def r43_interrupted_with_a_table():
    with stalling_race("-m", "threads,coroutines") as process:
        ended = interrupt(process, [signal.SIGINT], 1)
    equal((ended.code, ended.err), (INTERRUPTED, ""), str(ended))
    check(re.search("threads: [1-8] requests? aborted in flight", ended.out), str(ended))
    check("Interrupted: this is what was measured until then." in ended.out, str(ended))
    check("not run" in ended.out and "\u25c0" not in ended.out, str(ended))
    check("cost least" not in ended.out, "a winner, before everybody ran:", ended.out)


@suite.test
def interrupted_twice():
    """The second ^C does not wait for anybody."""
    with stalling_race("--json") as process:
        ended = interrupt(process, [signal.SIGINT, signal.SIGINT], 1)
    check(ended.code in (INTERRUPTED, -signal.SIGINT), str(ended))


@suite.test
def r43_terminated():
    with stalling_race("--json") as process:
        ended = interrupt(process, [signal.SIGTERM], 1)
    equal((ended.code, ended.json()["exit"]["code"]), (TERMINATED, TERMINATED), str(ended))


@suite.test
def an_ignored_signal_stays_ignored():
    """`trap '' INT`, or & in a script: ^C is for somebody else."""
    ignoring = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")
    with stalling_race("-m", "threads,processes", "--json", prefix=ignoring) as process:
        ended = interrupt(process, [signal.SIGINT, signal.SIGINT, signal.SIGTERM], 1)
    equal((ended.code, ended.json()["exit"]["code"]), (TERMINATED, TERMINATED), str(ended))
    with serving("--latency=0", prefix=ignoring) as url:
        server = next(pid for pid in children(os.getpid()) if is_alive(pid))
        os.kill(server, signal.SIGINT)
        ended = race(url, "-n", "2", "-c", "1", "-r", "1", "-m", "threads")[0]
        equal(ended.code, 0, str(ended))


@suite.test
def interrupted_before_anything_is_measured():
    """While it still looks at its target there is nothing to report."""
    def stall(connection, peer):
        peer.count()
        while connection.recv(4096):
            pass

    with Peer(stall) as peer:
        process = start("race", peer.url, "-T", "60s")
        within(5, lambda: peer.requests == 1, "it looks at its target")
        ended = interrupt(process, [signal.SIGINT], 1)
    check(ended.code in (INTERRUPTED, -signal.SIGINT) and ended.out == "", str(ended))


@suite.test
def interrupted_while_it_writes():
    """A reader that does not read, as a pager that waits, makes nobody immortal."""
    readable, writable = os.pipe()
    fcntl.fcntl(writable, fcntl.F_SETPIPE_SZ, 4096)
    try:
        with serving("--latency=0") as url:
            process = start("race", url, "-n", "1", "-c", "1", "-r", "20", "--json", stdout=writable)
            within(15, lambda: pending(readable) == 4096, "the pipe is full")
            for number in (signal.SIGINT, signal.SIGINT):
                process.send_signal(number)
            within(1, lambda: process.poll() is not None, "^C ends it")
            process.communicate()
            check(process.returncode in (INTERRUPTED, -signal.SIGINT), "code", process.returncode)
    finally:
        os.close(readable)
        os.close(writable)


def pending(pipe):
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


@suite.test
def interrupted_at_a_terminal():
    """The ^C key goes to the whole group of processes: the measured ones must not mind."""
    terminal, ours = pty.openpty()

    def take_terminal():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    with stalling_race("-m", "processes", "--json", preexec_fn=take_terminal, stdin=ours) as process:
        os.write(terminal, b"\x03")
        ended = finish(process, 1)
    os.close(terminal)
    os.close(ours)
    equal((ended.code, ended.json()["interrupted"]), (INTERRUPTED, True), str(ended))


@suite.test
def killed_itself():
    """SIGKILL leaves no chance to clean up, yet nothing runs on."""
    for args in (["-m", "processes"], ["-m", "threads"]):
        with stalling_race(*args) as process:
            family = descendants(process.pid)
            check(family, "no processes of the race")
            process.kill()
            process.wait(timeout=10)
            within(3, lambda: not any(is_alive(pid) for pid in family), "the race's processes have ended")
            process.communicate()
    process = start("demo", "-n", "1M", "-c", "100")
    family = within(10, lambda: len(descendants(process.pid)) >= 2 and descendants(process.pid), "the demo runs")
    process.kill()
    process.communicate(timeout=10)
    within(3, lambda: not any(is_alive(pid) for pid in family), "the demo's processes have ended")


SLOW_PRCTL = """
#include <sys/syscall.h>
#include <unistd.h>
int prctl(int what, long a, long b, long c, long d) {
    usleep(300000);
    return (int)syscall(SYS_prctl, what, a, b, c, d);
}
"""


@suite.test
def killed_while_it_makes_workers():
    """A worker whose leader is gone before it could ask to die with it ends all the same."""
    if SANITIZED or shutil.which("gcc") is None:
        raise Skip("needs gcc, and a build into which a library can be loaded first")
    subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", "slow.so"], input=SLOW_PRCTL.encode(),
                   check=True, timeout=20)
    process = start("race", "http://127.0.0.1:1/", "-w", "cpu:1us", "-c", "10", "-m", "processes",
                    env=environment(LD_PRELOAD=os.path.abspath("slow.so")))
    family = within(10, lambda: len(descendants(process.pid)) >= 11 and descendants(process.pid), "workers")
    process.kill()
    process.communicate(timeout=10)
    within(5, lambda: not any(is_alive(pid) for pid in family), "its workers have ended")
    os.unlink("slow.so")


@suite.test
def demo_interrupted():
    for numbers, code in (([signal.SIGINT], INTERRUPTED), ([signal.SIGTERM], TERMINATED)):
        process = start("demo", "-n", "1M", "-c", "100", "--json")
        within(10, lambda: len(descendants(process.pid)) >= 2, "the demo runs")
        ended = interrupt(process, numbers, 1.5)
        equal((ended.code, ended.json()["interrupted"]), (code, True), str(ended))


# Workers that die.

@suite.test
def a_worker_is_killed():
    """One worker process is killed: it is counted, what it had in flight is aborted, the rest goes on."""
    crews = set()

    def timed_worker():
        """Finds a worker of the second crew: the first one only warms up."""
        for leader in children(process.pid):
            crew = children(leader)
            if len(crew) == 8:
                crews.add(leader)
                return crew[3] if len(crews) == 2 else None
        return None

    with serving("--latency=50ms") as url:
        process = start("race", url, "-n", "80", "-c", "8", "-r", "2", "-m", "processes,coroutines", "--json")
        os.kill(within(10, timed_worker, "a worker of a timed round"), signal.SIGKILL)
        ended = finish(process, 15)
    models = check_report(ended.json(), ("processes", "coroutines"), ended)
    processes = models["processes"]
    equal((ended.code, ended.err), (FAILED, ""), str(ended))
    equal(processes["workers_died"], 1, "workers that died")
    check(processes["requests_aborted"] <= 1, "aborted", processes["requests_aborted"])
    equal(processes["requests_issued"], 2 * 80, "issued in both rounds")
    equal(processes["requests_ok"] + processes["requests_aborted"], 2 * 80, "the others went on")
    check("killed" in processes["first_failure"].lower() or "signal" in processes["first_failure"],
          "what happened", processes["first_failure"])
    equal(models["coroutines"]["requests_ok"], 2 * 80, "the next model")


@suite.test
def a_leader_is_killed():
    """The process of a whole model is killed: its round is lost, the others go on."""
    for model in ("processes", "threads", "coroutines"):
        killed = threading.Event()

        def behave(connection, peer, killed=killed):
            while read_request(connection):
                if peer.count() > 40:
                    killed.wait(60)
                answer(connection)

        with Peer(behave, good=1) as peer:
            process = start("race", peer.url, "-m", f"{model},floor", "-n", "100", "-c", "8", "-r", "1", "--json")
            within(10, lambda: peer.requests > 40, "the timed round is under way")
            leader = children(process.pid)[0]
            family = [leader, *descendants(leader)]
            os.kill(leader, signal.SIGKILL)
            # Not before they are gone: an answer would let its workers finish, and nothing be aborted.
            within(5, lambda: not any(is_alive(pid) for pid in family), "its processes have ended")
            killed.set()
            ended = finish(process, 10)
        models = check_report(ended.json(), (model, "floor"), ended)
        equal((ended.code, ended.err), (FAILED, ""), str(ended))
        check("signal 9" in models[model]["first_failure"], "what happened", models[model]["first_failure"])
        check(models[model]["requests_aborted"] > 0, f"{model}: nothing aborted")
        check(models[model]["switches_voluntary"] > 0, f"{model}: cost nothing", models[model])
        equal(models["floor"]["requests_ok"], 100, "the next model")


if __name__ == "__main__":
    sys.exit(suite.main())
