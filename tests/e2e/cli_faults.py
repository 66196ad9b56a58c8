# SPDX-License-Identifier: MIT
"""cli_faults.py – servers that misbehave, and output that cannot be written.

If this fails, a bad run looks like a good one. Signals and killed workers are in cli_signals.py.
"""
import sys
import time

sys.dont_write_bytecode = True
from lib_cli import (FAILED, GOOD, MODELS, SLOWER, UNREACHABLE, Suite, check, check_report, equal, race, run,
                     serving, start)
from lib_peers import BODY, Peer, answer, read_request, reset

suite = Suite("e2e/cli_faults")

EVERY = (*MODELS, "multicore", "floor")


def race_peer(behave, *args, good=1, models=EVERY, **more):
    """Races against a peer; gives the peer, the run, and the models of its report by name."""
    with Peer(behave, good) as peer:
        ended, report = race(peer.url, "-m", ",".join(models), "-n", "12", "-c", "3", "-r", "1", "-T", "10s",
                             *args, **more)
    return peer, ended, check_report(report, models, ended)


def all_failed(ended, models, causes):
    """Nothing succeeded, everything is counted, under one of `causes`."""
    equal(ended.code, FAILED, str(ended))
    equal(ended.err, "", "complaints")
    for name, model in models.items():
        failed = sum(model["requests_failed"][cause] for cause in causes)
        check(failed == model["requests_failed_total"] > 0, f"{name}: causes", model["requests_failed"])
        equal((model["requests_ok"], model["wall_s"], model["latency"]), (0, None, None), f"{name}: figures")
        check(model["first_failure"], f"{name}: no word on what went wrong")
        check(model["first_failure_cause"] in causes, f"{name}: its cause", model["first_failure_cause"])
        check("_ms" not in model["first_failure"] and "_most" not in model["first_failure"],
              f"{name}: an option of the library's", model["first_failure"])


# Servers that misbehave.

@suite.test
def r41_answers_garbage():
    for garbage in (b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00\xff\x15\x03\x01" * 50, b"HTTP/1.1 OK\r\n\r\n",
                    b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b"HTTP/1.1 200 OK\r\n\x00: y\r\n\r\n",
                    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhelloo",
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", b"\n" * 1000):
        def behave(connection, peer, garbage=garbage):
            if read_request(connection):
                connection.sendall(garbage)

        _, ended, models = race_peer(behave, models=("threads", "coroutines", "floor"))
        # The floor takes less care of why: it is no client, only the least that one can cost.
        all_failed(ended, {"floor": models.pop("floor")}, ("protocol", "closed", "length"))
        all_failed(ended, models, ("protocol",))


@suite.test
def r41_truncates():
    """A body that ends too early is never a success, however its length was announced."""
    for head in (b"Content-Length: 100\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n64\r\n"):
        def behave(connection, peer, head=head):
            if read_request(connection):
                connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"x" * 50)

        _, ended, models = race_peer(behave)
        all_failed(ended, models, ("closed", "protocol"))


@suite.test
def r41_truncates_without_a_length():
    """A body that ends with the connection, and earlier than it did at first."""
    def behave(connection, peer):
        if read_request(connection):
            body = BODY if peer.count() <= 2 else BODY[:50]
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body)

    _, ended, models = race_peer(behave, good=0, models=MODELS)
    all_failed(ended, models, ("length",))


@suite.test
def closes_at_once():
    def close(connection, peer):
        peer.count()

    def close_after_request(connection, peer):
        read_request(connection)

    def reset_after_request(connection, peer):
        read_request(connection)
        reset(connection)

    for behave in (close, close_after_request, reset_after_request):
        _, ended, models = race_peer(behave)
        all_failed(ended, models, ("closed",))


@suite.test
def r41_says_500():
    for status in ("500 Internal Server Error", "404 Not Found", "302 Found", "503 Busy"):
        def behave(connection, peer, status=status):
            while read_request(connection):
                answer(connection, status=status)

        _, ended, models = race_peer(behave, good=0)
        all_failed(ended, models, ("status",))
        check(all(status[:3] in model["first_failure"] for model in models.values()), "which status?")


@suite.test
def stalls():
    """No answer at all, or one byte now and then: both end after the time limit of a request."""
    def stall(connection, peer):
        while connection.recv(4096):
            pass

    def drip(connection, peer):
        if read_request(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
            while not peer.stopping.wait(0.02):
                connection.sendall(b"x")

    for behave, who in ((stall, EVERY), (drip, ("threads", "coroutines", "floor"))):
        begin = time.monotonic()
        _, ended, models = race_peer(behave, "-T", "250ms", "-n", "3", models=who)
        all_failed(ended, models, ("timeout",))
        check(time.monotonic() - begin < 8 * SLOWER, "limits of 250 ms took", time.monotonic() - begin)


@suite.test
def stalls_from_the_start():
    def stall(connection, peer):
        while connection.recv(4096):
            pass

    with Peer(stall) as peer:
        ended = run("race", peer.url, "-T", "150ms", limit=5)
    equal((ended.code, ended.out, ended.err.count("\n")), (UNREACHABLE, "", 1), str(ended))
    check("unreachable" in ended.err, str(ended))


@suite.test
def stops_answering():
    """A server that stops in mid-run, as by SIGSTOP: the race gives up, whatever was still to be made."""
    def behave(connection, peer):
        while read_request(connection):
            if peer.count() > 100:
                peer.stopping.wait(60)
            answer(connection)

    for more in ([], ["--json"]):
        begin = time.monotonic()
        with Peer(behave, 1) as peer:
            ended = run("race", peer.url, "-n", "1M", "-c", "8", "-T", "300ms", "-m", "threads,coroutines", *more,
                        limit=15)
        check(time.monotonic() - begin < 8 * SLOWER, "3 s of silence took", time.monotonic() - begin)
        equal((ended.code, ended.err), (FAILED, ""), str(ended))
        if not more:
            check("threads: no answer for 3.00 s: the race was given up" in ended.out, str(ended))
            check("not run" in ended.out and "cost least" not in ended.out, str(ended))
    made = check_report(ended.json(), ("threads", "coroutines"), ended)
    equal([model["gave_up"] for model in made.values()], [True, False], "who gave up")
    check(made["threads"]["requests_ok"] > 50, "what was measured until then")


@suite.test
def refuses_for_long():
    """A server that is gone in mid-run: no million of refused connections before it is noticed."""
    def behave(connection, peer):
        while read_request(connection):
            if peer.count() == 100:
                peer.die()
            answer(connection)

    with Peer(behave, 1) as peer:
        ended, report = race(peer.url, "-n", "100M", "-c", "4", "-T", "300ms", "-m", "coroutines", limit=15)
    made = check_report(report, ("coroutines",), ended)["coroutines"]
    equal((ended.code, made["gave_up"]), (FAILED, True), str(ended))
    check(made["requests_failed"]["connect"] > 0, "causes", made["requests_failed"])


@suite.test
def never_ends():
    """Heads and bodies without an end are cut off, not collected: they are too large, which HTTP allows."""
    def endless_body(connection, peer):
        if read_request(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    def endless_head(connection, peer):
        if read_request(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while True:
                connection.sendall(b"X-Header: and another one\r\n" * 100)

    def huge_body(connection, peer):
        if read_request(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")

    for behave, causes in ((endless_body, ("timeout", "size")), (endless_head, ("size",)), (huge_body, ("size",))):
        _, ended, models = race_peer(behave, "-T", "500ms" if behave is endless_body else "10s", "-n", "3",
                                     models=("threads", "coroutines"))
        all_failed(ended, models, causes)


@suite.test
def fails_now_and_then():
    """Every third answer is a 500: the others are good, and both are counted."""
    def behave(connection, peer):
        while read_request(connection):
            answer(connection, status="500 Oops" if peer.count() % 3 == 0 else "200 OK")

    _, ended, models = race_peer(behave, "-n", "30", "--sync-requests=30")
    equal(ended.code, FAILED, str(ended))
    for name, model in models.items():
        equal((model["requests_ok"], model["requests_failed"]["status"]), (20, 10), name)
        check(model["wall_s"] > 0, f"{name}: no figures of what succeeded")


@suite.test
def r41_dies_on_the_way():
    """The server goes away in the middle of the first timed round; the race ends, and says so."""
    def behave(connection, peer):
        while read_request(connection):
            if peer.count() == 60:
                peer.die()
            answer(connection)

    peer, ended, models = race_peer(behave, "-n", "200", "-c", "5", "--sync-requests=200")
    equal(ended.code, FAILED, str(ended))
    check(sum(model["requests_ok"] for model in models.values()) <= 60, "more answers than were given")
    check(peer.requests >= 60, "it did not die")
    for name, model in models.items():
        check(model["requests_failed_total"] > 0, f"{name}: no failures")
        equal(model["requests_failed_total"],
              model["requests_failed"]["connect"] + model["requests_failed"]["closed"], f"{name}: causes")
    check(models["floor"]["requests_ok"] == 0 and models["floor"]["requests_failed"]["connect"] > 0, "the last")


@suite.test
def rounds_without_a_server_are_not_typical():
    """Refused in no time, the rounds after the server's death must not hide what was measured before it."""
    def behave(connection, peer):
        while read_request(connection):
            if peer.count() == 120:
                peer.die()
            answer(connection)

    _, ended, models = race_peer(behave, "-n", "200", "-c", "5", "-r", "3", models=("threads",))
    made = models["threads"]
    equal((ended.code, [one["requests_ok"] > 0 for one in made["rounds"]]), (FAILED, [True, False, False]),
          str(ended))
    equal((made["wall_s"], made["measured_requests"]),
          (made["rounds"][0]["wall_s"], made["rounds"][0]["requests_ok"]), "the typical round")


@suite.test
def the_table_says_what_failed():
    def behave(connection, peer):
        while read_request(connection):
            answer(connection, status="500 Oops")

    with Peer(behave) as peer:
        ended = run("race", peer.url, "-n", "12", "-c", "3", "-r", "1")
    equal((ended.code, ended.err), (FAILED, ""), str(ended))
    for name in MODELS:
        check(f"{name}: 12 of 12 requests failed: status other than 2xx; the first: status 500" in ended.out,
              name, ended.out)
    check(ended.out.count("no answers") == 4 and "\u25c0" not in ended.out, str(ended))
    check("nan" not in ended.out.lower() and "inf " not in ended.out.lower(), str(ended))


@suite.test
def the_first_failure_stands_beside_its_cause():
    """Of two causes the first is quoted where it belongs, not beside whichever is listed first."""
    def behave(connection, peer):
        while read_request(connection):
            number = peer.count()
            if number > 3:
                return
            answer(connection, status="500 Oops" if number == 3 else "200 OK")

    with Peer(behave, good=1) as peer:
        ended = run("race", peer.url, "-n", "4", "-c", "1", "-r", "1", "-m", "coroutines")
    check("failed: status other than 2xx; the first: status 500" in ended.out, str(ended))
    check("failed: connection closed before the answer was complete\n" in ended.out, str(ended))


@suite.test
def what_failed_cannot_write_to_the_terminal():
    """Bytes of the server do not reach the user's terminal as they are."""
    def behave(connection, peer):
        if read_request(connection):
            connection.sendall(b"HTTP/1.1 200 \x1b[2J\x1b]0;pwned\x07\r\n\x1b[31m\r\n\r\n")

    with Peer(behave) as peer:
        ended = run("race", peer.url, "-n", "3", "-c", "1", "-r", "1", "-m", "coroutines")
    check("\x1b" not in ended.out and "\x07" not in ended.out, str(ended))


# Output that cannot be written.

@suite.test
def r42_output_is_full():
    with serving("--latency=0") as url:
        args = ("race", url, "-n", "4", "-c", "2", "-r", "1")
        for more in ([], ["--json"]):
            with open("/dev/full", "wb") as full:
                ended = run(*args, *more, stdout=full)
            equal((ended.code, ended.err.count("\n")), (FAILED, 1), str(ended))
            check("No space left" in ended.err, str(ended))
        ended = run(*args, "-o", "/dev/full")
        equal((ended.code, ended.err.count("\n")), (FAILED, 1), str(ended))
        check("/dev/full" in ended.err and "coroutines" in ended.out, str(ended))
    for args in (["--help"], ["help", "race"], ["--version"], ["completion", "bash"], ["demo", "--help"]):
        with open("/dev/full", "wb") as full:
            ended = run(*args, stdout=full)
        equal((ended.code, ended.err.count("\n")), (FAILED, 1), str(ended))


@suite.test
def output_is_closed():
    with serving("--latency=0") as url:
        for args in (["race", url, "-n", "4", "-c", "2", "-r", "1"], ["--help"], ["completion", "zsh"],
                     ["race", url, "-n", "4", "-c", "2", "-r", "1", "--json"]):
            ended = run(*args, prefix=("sh", "-c", 'exec "$@" >&-', "sh"))
            equal((ended.code, ended.err.count("\n")), (FAILED, 1), str(ended))
        ended = run("race", url, "-n", "4", "-c", "2", "-r", "1", prefix=("sh", "-c", 'exec "$@" 2>&- <&-', "sh"))
        equal(ended.code, GOOD, str(ended))


@suite.test
def r43_reader_goes_away():
    """`juggle ... | head -1`: no crash, no hang, no complaint, no SIGPIPE."""
    with serving("--latency=0") as url:
        for args in (["race", url, "-n", "4", "-c", "2", "-r", "20"], ["--help"], ["completion", "bash"],
                     ["race", url, "-n", "4", "-c", "2", "-r", "20", "--json"]):
            process = start(*args)
            process.stdout.readline()
            process.stdout.close()
            err = process.stderr.read()
            process.stderr.close()
            process.wait(timeout=10)
            check(process.returncode in (GOOD, FAILED), "code", args, process.returncode)
            equal(err, b"", "complaints")


if __name__ == "__main__":
    sys.exit(suite.main())
