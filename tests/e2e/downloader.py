#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""downloader.py – examples/downloader.c, the solution of the guide's exercise, before a server.

If this fails, the guide ends with a program that does not do what its page promises.
"""
import contextlib
import hashlib
import http.server
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import traceback

DOWNLOADER = pathlib.Path(os.environ["JUGGLE_BUILD"]) / "examples/downloader"
LIMIT_S = 60
BODY = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(50_000))  # 1.6 MB


class Handler(http.server.BaseHTTPRequestHandler):
    """/body/NAME: the bytes; /cut/NAME: half of them; /never/NAME: nothing until it is over."""

    protocol_version = "HTTP/1.1"
    over = threading.Event()
    guard = threading.Lock()
    now = most = 0

    def log_message(self, *args):
        pass

    def do_GET(self):
        cls = type(self)
        with cls.guard:
            cls.now += 1
            cls.most = max(cls.most, cls.now)
        kind = self.path.split("/")[1]
        if kind == "never":
            cls.over.wait(LIMIT_S)
        with cls.guard:
            cls.now -= 1
        self.send_response(404 if kind == "missing" else 200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY[:len(BODY) // 2] if kind == "cut" else BODY)
        self.close_connection = kind == "cut"


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a client that leaves early is none


@contextlib.contextmanager
def serving():
    Handler.over.clear()
    Handler.now = Handler.most = 0
    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        Handler.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def download(directory, *args):
    return subprocess.run([DOWNLOADER, *args], cwd=directory, text=True, capture_output=True,
                          timeout=LIMIT_S, check=False)


def check(condition, *what):
    if not condition:
        raise AssertionError(what)


def files(directory):
    return sorted(path.name for path in pathlib.Path(directory).iterdir())


def files_arrive_whole(directory):
    """Each file has the bytes that were served, and is named as its URL ends."""
    with serving() as url:
        done = download(directory, f"{url}/body/one.bin", f"{url}/body/two.bin?version=2")
    check(done.returncode == 0 and done.stderr == "", done)
    check(sorted(done.stdout.splitlines()) == ["one.bin: 1600000 bytes", "two.bin?version=2: 1600000 bytes"], done)
    check(files(directory) == ["one.bin", "two.bin?version=2"], files(directory))
    check((pathlib.Path(directory) / "one.bin").read_bytes() == BODY, "other bytes")


def told_as_they_end(directory):
    """The first on the command line is answered when the others have been told of, and is last in the output."""
    with serving() as url, subprocess.Popen([DOWNLOADER, f"{url}/never/last", f"{url}/body/a", f"{url}/body/b"],
                                            cwd=directory, text=True, stdout=subprocess.PIPE) as process:
        told = [process.stdout.readline(), process.stdout.readline()]
        Handler.over.set()
        rest, _ = process.communicate(timeout=LIMIT_S)
    check(sorted(told) == ["a: 1600000 bytes\n", "b: 1600000 bytes\n"], told)
    check(process.returncode == 0 and rest == "last: 1600000 bytes\n", rest)


def told_at_once_through_a_pipe(directory):
    """Whoever reads the output sees a line as its download ends, not when all have ended."""
    with serving() as url, subprocess.Popen([DOWNLOADER, "-t", "20", f"{url}/never/x", f"{url}/body/a"],
                                            cwd=directory, text=True, stdout=subprocess.PIPE,
                                            stderr=subprocess.PIPE) as process:
        began = time.monotonic()
        line = process.stdout.readline()
        took = time.monotonic() - began
        Handler.over.set()
        process.communicate(timeout=LIMIT_S)
    check(line == "a: 1600000 bytes\n" and took < 20, line, took)


def output_cannot_be_written(directory):
    """The files arrive; that nobody was told of them is a failure."""
    with serving() as url, open("/dev/full", "wb") as full:
        done = subprocess.run([DOWNLOADER, f"{url}/body/a"], cwd=directory, text=True, stdout=full,
                              stderr=subprocess.PIPE, timeout=LIMIT_S, check=False)
    check(done.returncode == 1 and done.stderr == "downloader: cannot write to standard output\n", done)
    check(files(directory) == ["a"], files(directory))


def nothing_said_gets_into_a_file(directory):
    """With standard descriptors closed, the next file opened would have their numbers, and what is meant for them."""
    for i, closed in enumerate((">&-", "2>&-", "<&-", "<&- >&-", "<&- >&- 2>&-")):
        place = pathlib.Path(directory) / str(i)
        place.mkdir()
        with serving() as url:
            urls = [f"{url}/body/{name}" for name in "abcdefgh"] + [f"{url}/missing/x", f"{url}/cut/y"]
            done = subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", DOWNLOADER, *urls], cwd=place, text=True,
                                  capture_output=True, timeout=LIMIT_S, check=False)
        check(done.returncode == 1 and files(place) == list("abcdefgh"), closed, done)
        check(all((place / name).read_bytes() == BODY for name in "abcdefgh"), "other bytes with", closed)
        check(("cannot write to standard output" in done.stderr) == (closed in (">&-", "<&- >&-")), closed, done)


def no_more_than_n_at_once(directory):
    """20 URLs, 3 at a time: the server never sees a fourth."""
    with serving() as url:
        done = download(directory, "-n", "3", *[f"{url}/body/{i}" for i in range(20)])
        check(1 <= Handler.most <= 3, Handler.most)
    check(done.returncode == 0 and len(files(directory)) == 20, done)


def a_failure_is_its_own(directory):
    """Whatever happens to one URL, the others arrive; nothing half is left behind; the exit code is 1."""
    with serving() as url:
        done = download(directory, "-t", "2", f"{url}/body/good", f"{url}/missing/a", f"{url}/cut/b",
                        "http://no-such-host.invalid/c", "http://127.0.0.1:1/d", f"{url}/never/e",
                        "https://127.0.0.1/f", f"{url}/body/fine")
    lines = done.stderr.splitlines()
    check(done.returncode == 1 and files(directory) == ["fine", "good"], done, files(directory))
    for url_end, reason in (("/a", "status 404"), ("/e", "not within 2 s"), ("/c", "no-such-host.invalid"),
                            ("/b", ""), ("/d", ""), ("/f", "https")):
        check(any(f"{url_end}: " in line and reason in line for line in lines), url_end, reason, lines)
    check(len(lines) == 6, lines)


def the_time_limit_is_kept(directory):
    """A server that never answers holds it up for the limit, and no longer."""
    with serving() as url:
        began = time.monotonic()
        done = download(directory, "-t", "0.2", f"{url}/never/x", f"{url}/never/y")
        took = time.monotonic() - began
    check(done.returncode == 1 and 0.2 <= took < LIMIT_S / 2, done, took)


def what_cannot_be_written(directory):
    """A directory that is gone or read-only is an error of that file."""
    (pathlib.Path(directory) / "taken").mkdir()
    with serving() as url:
        done = download(directory, f"{url}/body/taken", f"{url}/body/free")
    check(done.returncode == 1 and files(directory) == ["free", "taken"], done, files(directory))


def wrong_usage(directory):
    for args in ([], ["-n", "0", "http://h/x"], ["-n", "-3", "http://h/x"], ["-t", "0", "http://h/x"], ["-x"],
                 ["http://h"], ["http://h/"], ["http://h/../.hidden"], ["file"]):
        done = download(directory, *args)
        check(done.returncode == 2 and done.stderr.count("usage:") == 1, args, done)


TESTS = (files_arrive_whole, told_as_they_end, told_at_once_through_a_pipe, output_cannot_be_written, nothing_said_gets_into_a_file,
         no_more_than_n_at_once, a_failure_is_its_own, the_time_limit_is_kept, what_cannot_be_written, wrong_usage)


def main():
    if not DOWNLOADER.exists():
        print(f"e2e/downloader: 0 passed, 0 failed, {len(TESTS)} skipped")
        return 0
    failed = 0
    for test in TESTS:
        with tempfile.TemporaryDirectory() as directory:
            try:
                test(directory)
            except (AssertionError, OSError, subprocess.SubprocessError):
                failed += 1
                print(f"FAIL {test.__name__}")
                traceback.print_exc(file=sys.stdout)
    print(f"e2e/downloader: {len(TESTS) - failed} passed, {failed} failed, 0 skipped")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
