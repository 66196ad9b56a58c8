#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""faults.py: services that are missing, slow or broken, and options that are none.

If this fails, a reader who tries a lesson on a service that does not answer gets a hang, a success that
was none, or a page of noise instead of one line that says what is wrong.
"""
import concurrent.futures
import contextlib
import socket
import sys
import threading

sys.dont_write_bytecode = True
from lib_lessons import LESSONS, Results, is_real, run  # noqa: E402

CALLING = [name for name in LESSONS if "08" <= name[:2] <= "17"]
# These do not look into a body, so they cannot mind what is in it.
HEAD_ONLY = ("08_", "13_", "15_", "16_", "17_")
# What -n and --seed are for.
MAKING_MANY = ("15_", "16_", "17_", "18_", "19_")
RANDOM = ("03_", "07_", "09_", "14_")
ON_REAL_CLOCK = ("02_", "15_", "17_", "18_", "19_")
AT_ONCE = 6


def with_body(text):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(text), text)


ANSWERS = {
    "missing": None,
    "slow": b"",
    "failing": b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "not HTTP": b"\x00\xff\x1b[2Jhello\r\n\r\n",
    "cut off": b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n{}",
    "empty": with_body(b"{}"),
    "half a value": with_body(b'{"ip": "192.'),
    "escapes": with_body(b'{"ip": "\x1b[2J", "query": "\x1b[2J", "count": "\x1b[2J"}'),
}
BODIES = ("empty", "half a value", "escapes")


def answer(peer, text):
    with contextlib.suppress(OSError), peer:
        if text:
            peer.recv(65536)
            peer.sendall(text)
        else:
            peer.settimeout(30)
            while peer.recv(65536):
                pass


def serve(listener, text):
    with contextlib.suppress(OSError):
        while True:
            peer, _ = listener.accept()
            threading.Thread(target=answer, args=(peer, text), daemon=True).start()


@contextlib.contextmanager
def service(text):
    """Yields its URL."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as listener:
        if text is None:
            listener.close()
            yield "http://127.0.0.1:1"
        else:
            threading.Thread(target=serve, args=(listener, text), daemon=True).start()
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def told(name, err):
    """One line of the lesson's own is last; what nobody retrieved may be reported before it (lesson 13)."""
    lines = err.splitlines()
    others = [line for line in lines[:-1] if "nobody looked" not in line or not name.startswith("13_")]
    return (lines and lines[-1].startswith(f"{name}: ") and len(lines[-1]) > len(name) + 10 and not others
            and "\x1b" not in err)


def check(args):
    kind, name, url = args
    try:
        few = ["-n", "3"] if name.startswith(MAKING_MANY) else []
        code, out, err = run(name, "--url", url, "--limit", "300", *few, limit_s=30)
    except Exception as error:  # a hang
        return False, f"{name}, service {kind}", repr(error)
    return code == 1 and told(name, err), f"{name}, service {kind}", (code, out, err)


def services(results):
    with contextlib.ExitStack() as stack, concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        urls = {kind: stack.enter_context(service(text)) for kind, text in ANSWERS.items()}
        cases = [(kind, name, url) for name in CALLING for kind, url in urls.items()
                 if not (kind in BODIES and name.startswith(HEAD_ONLY))
                 # it waits for seconds before it asks
                 and not (name.startswith("09_") and kind not in ("missing", "escapes"))]
        for good, what, details in pool.map(check, cases):
            results.check(good, what, details)


def options(results):
    for args in (["--nonsense"], ["-n", "0"], ["-n", "x"], ["--limit", "1e3"], ["more"],
                 ["--url", "ftp://host/"], ["--url", "http://"], ["--url"], ["-n", "99999999999999999999"],
                 ["--url", "http://a"] * 9):
        code, out, err = run("16_concurrent_calls", *args)
        results.check(code == 2 and out == "" and 1 <= err.count("\n") <= 2
                      and err.startswith("16_concurrent_calls: "), f"options {args}", code, out, err)
    code, out, err = run("09_creating_concurrency", "--seed", "-3")
    results.check(code == 2 and out == "" and err.count("\n") == 1, "--seed -3", code, out, err)
    code, out, err = run("08_http_calls", JUGGLE_SEED="many")
    results.check(code == 2 and out == "", "JUGGLE_SEED", code, out, err)
    for name in LESSONS:
        code, out, err = run(name, "--help")
        told_options = "  --url URL " in out and "  --limit MS " in out
        results.check(code == 0 and err == "" and out.startswith(f"usage: {name} [OPTIONS]")
                      and told_options == (name in CALLING)
                      and ("this lesson asks no service" in out) != told_options,
                      f"{name} --help", code, out, err)


def without_use(results):
    """If this fails, a reader takes what a lesson prints for what the option did, as --url with no service asked."""
    for name in LESSONS:
        useless = {("--url", "http://127.0.0.1:1"): name not in CALLING, ("--limit", "300"): name not in CALLING,
                   ("-n", "3"): not name.startswith(MAKING_MANY), ("--seed", "3"): not name.startswith(RANDOM),
                   ("--sim",): name.startswith(ON_REAL_CLOCK)}
        for args in (args for args, is_useless in useless.items() if is_useless):
            code, out, err = run(name, *args)
            results.check((code, out) == (2, "") and err.startswith(f"{name}: {args[0]}: ") and err.count("\n") == 1,
                          f"{name} {args}", code, out, err)
        told = run(name, "--help")[1]
        results.check([f"({args[0]} is refused: " in told for args in useless] == list(useless.values()),
                      f"{name} --help names other options", told)


def nothing_changes(results):
    """--seed is refused only where it would change nothing."""
    for name in [name for name in LESSONS if not is_real(name) and not name.startswith(RANDOM)]:
        one, other = (run(name, JUGGLE_BACKEND="sim", JUGGLE_DEBUG="0", JUGGLE_SEED=seed) for seed in ("1", "2"))
        results.check(one == other, f"{name} with another seed", one, other)


def output_is_lost(results):
    """A disk that is full and an output that is closed are failures, told in one line; a reader who leaves is none."""
    closed = ("sh", "-c", 'exec "$@" >&-', "sh")
    with open("/dev/full", "wb") as full:
        for name, args in (("08_http_calls", []), ("05_context_switch", []), ("03_restaurant", []), ("08_http_calls", ["--help"])):
            for how, changes in (("full", {"stdout": full}), ("closed", {"prefix": closed})):
                code, _, err = run(name, *args, **changes)
                results.check(code == 1 and err.startswith(f"{name}: cannot write to standard output: ")
                              and err.count("\n") == 1, f"{name} {args}, output {how}", code, err)
    leaves = ("sh", "-c", 'exec 3>&1; { "$@"; echo "$?" >&3; } | :', "sh")
    code, out, err = run("05_context_switch", prefix=leaves)
    results.check((code, out, err) == (0, "0\n", ""), "a reader who leaves", code, out, err)


def whose_limit(results):
    """A client's own limit is not the one around the race; whichever it was, the last line says who was silent."""
    with service(ANSWERS["slow"]) as url:
        code, out, err = run("14_time_limit", "--url", url, "--limit", "300")
        results.check(code == 1 and "limit 0.1 s: it struck" in out and "limit 5.0 s: a failure" in out
                      and err.startswith("14_time_limit: ip"), "a service's own limit", code, out, err)
        code, out, err = run("14_time_limit", "--url", url, JUGGLE_BACKEND="epoll")
        results.check(code == 1 and "limit 5.0 s: it struck" in out and "within 5 s" in err, "the limit", code, out, err)
        code, out, err = run("12_handling_errors", "--url", url, "--limit", "300")
        results.check(code == 1 and err.startswith("12_handling_errors: ipify: ") and err[27:-1] in out,
                      "who gave no answer, and why", code, out, err)


def full_disk(results):
    code, _, err = run("15_parallel_calls", "-n", "2", TMPDIR="/no/such/place")
    results.check(code == 1 and "/no/such/place" in err and err.count("\n") == 1, "no place for files", code, err)


def main():
    results = Results("lessons/faults")
    services(results)
    options(results)
    without_use(results)
    nothing_changes(results)
    output_is_lost(results)
    whose_limit(results)
    full_disk(results)
    return results.end()


if __name__ == "__main__":
    sys.exit(main())
