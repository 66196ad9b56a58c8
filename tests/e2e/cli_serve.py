# SPDX-License-Identifier: MIT
"""cli_serve.py – the stand-in server of `juggle serve`, as any HTTP client sees it.

If this fails, the races run against something that is not what it says, or that cannot be stopped.
"""
import http.client
import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.parse

sys.dont_write_bytecode = True
from lib_cli import (FAILED, GOOD, LOCAL_LIMIT, SLOWER, USAGE, Suite, check, environment, equal,
                     finish, race, run, serving, start)

suite = Suite("e2e/cli_serve")


def open_to(url):
    return http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=10 * SLOWER)


def get(connection, path, method="GET"):
    """Returns status, headers and body."""
    connection.request(method, path)
    response = connection.getresponse()
    return response.status, response.headers, response.read()


def get_json(connection, path):
    status, headers, body = get(connection, path)
    equal((status, headers["Content-Type"]), (200, "application/json"), path)
    equal(int(headers["Content-Length"]), len(body), f"length of {path}")
    return json.loads(body)


def ask_unix(path):
    """Asks over a Unix socket, and returns the status line."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10 * SLOWER)
        connection.connect(path)
        connection.sendall(b"GET /ipify HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return connection.makefile("rb").readline()


def stop(process, number=signal.SIGTERM):
    process.send_signal(number)
    ended = finish(process, 3)
    equal(ended.code, GOOD, f"after {number.name}")
    equal(ended.err, "", "complaints at the end")
    return ended.out


@suite.test
def every_path_of_the_talk():
    """The services that the talk calls, with their JSON fields."""
    fast = [f"--latency{which}=0" for which in ("", "-players", "-ipify", "-ip-api")]
    with serving(*fast) as url:
        port = urllib.parse.urlsplit(url).port
        check(1024 <= port <= 65535, "port 0 printed", port)
        connection = open_to(url)
        for path in ("/", "/stats"):
            check(isinstance(get_json(connection, path), dict), f"{path} is no object")
        players = get_json(connection, "/api/onlinePlayers?output=json")
        check({"pc", "ps3", "ps4", "xbox", "xone"} <= set(players), "platforms:", list(players))
        for name, platform in players.items():
            check(isinstance(platform["label"], str), f"label of {name}")
            check(0 < platform["count"] <= platform["peak24"], f"players on {name}", platform)
        equal(get_json(connection, "/ipify?format=json"), {"ip": "127.0.0.1"}, "ipify")
        equal(get(connection, "/ipify")[2], b"127.0.0.1", "ipify as text")
        equal(get_json(connection, "/ip-api/json")["query"], "127.0.0.1", "ip-api")
        status, headers, _ = get(connection, "/")
        check(status == 200 and headers["Server"] and headers["Date"], "headers the talk prints")
        connection.close()


@suite.test
def what_it_does_not_have():
    with serving("--latency=0") as url:
        connection = open_to(url)
        for path in ("/nosuch", "/api", "/stats/", "//", "/ipify2"):
            equal(get(connection, path)[0], 404, path)
        connection.request("POST", "/", body=b"x" * 1000)
        response = connection.getresponse()
        response.read()
        equal((response.status, response.headers["Allow"]), (405, "GET, HEAD"), "POST")
        status, headers, body = get(connection, "/", "HEAD")
        equal((status, headers["Content-Length"], body), (200, "700", b""), "HEAD")
        connection.close()


@suite.test
def size_is_exact():
    """JSON of exactly so many bytes, wherever a whole document does not fit, too."""
    for size, wanted in (("1", 1), ("2", 2), ("91", 91), ("95", 95), ("4k", 4000), ("1MiB", 1 << 20)):
        with serving("--latency=0", f"--size={size}") as url:
            connection = open_to(url)
            body = get(connection, "/stats")[2]
            connection.close()
        equal(len(body), wanted, f"--size {size}")
        json.loads(body)
    with serving("--latency=0", "--size=0") as url:
        connection = open_to(url)
        equal(get(connection, "/")[2], b"", "--size 0")
        connection.close()


@suite.test
def latency_is_a_least_time_and_overlaps():
    """Each path takes its own; waiting for one request delays no other."""
    options = ("--latency=60ms", "--latency-players=90ms", "--latency-ipify=30ms", "--latency-ip-api=0")
    least = {"/": 0.06, "/stats": 0.06, "/api/onlinePlayers?output=json": 0.09, "/ipify": 0.03}
    with serving(*options) as url:
        connection = open_to(url)
        for path, seconds in least.items():
            begin = time.monotonic()
            get(connection, path)
            taken = time.monotonic() - begin
            check(taken >= seconds, f"{path} answered early, after", taken)
        connection.close()
    with serving("--latency=400ms") as url:
        connections = [open_to(url) for _ in range(20)]
        begin = time.monotonic()
        for connection in connections:
            connection.request("GET", "/")
        for connection in connections:
            equal(connection.getresponse().read()[:1], b"{", "an answer")
            connection.close()
        taken = time.monotonic() - begin
        check(taken < 8 * 0.5, "20 waits of 400 ms, one after another?", taken)


@suite.test
def errors_come_evenly():
    with serving("--latency=0", "--errors=25%") as url:
        connection = open_to(url)
        statuses = [get(connection, "/")[0] for _ in range(40)]
        connection.close()
    equal((statuses.count(503), statuses.count(200)), (10, 30), "of 40 with --errors 25%")


@suite.test
def unix_socket():
    """It is there while the server runs, and gone afterwards; one that a killed server left is taken
    over; one that is in use, or another kind of file, is left alone."""
    process = start("serve", "--unix", "a socket", "--latency-ipify=0")
    line = process.stdout.readline().decode()
    equal(line, "listening on http+unix://a%20socket/\n", "the address")
    check(ask_unix("a socket").startswith(b"HTTP/1.1 200"), "no answer")
    second = run("serve", "--unix", "a socket")
    equal((second.code, second.out, second.err.count("\n")), (LOCAL_LIMIT, "", 1), "second server")
    process.kill()
    process.communicate(timeout=10)
    check(os.path.exists("a socket"), "a killed server removed its socket")
    process = start("serve", "--unix", "a socket", "--latency-ipify=0")
    process.stdout.readline()
    check(ask_unix("a socket").startswith(b"HTTP/1.1 200"), "no answer from the successor")
    stop(process)
    check(not os.path.exists("a socket"), "the socket was left behind")
    with open("file", "w", encoding="ascii") as file:
        file.write("mine")
    equal(run("serve", "--unix", "file").code, LOCAL_LIMIT, "listening on a file")
    with open("file", encoding="ascii") as file:
        equal(file.read(), "mine", "the file")
    os.unlink("file")


@suite.test
def race_over_a_unix_socket():
    process = start("serve", "--unix", "s.sock", "--latency=1ms")
    url = process.stdout.readline().decode().split()[-1]
    ended = run("race", url, "-n", "20", "-c", "4", "-r", "1", "--sync-requests=20")
    equal(ended.code, GOOD, str(ended))
    stop(process)


@suite.test
def stops_with_a_summary():
    """SIGINT and SIGTERM both end it cleanly, at once, and it says what it has served."""
    for number in (signal.SIGINT, signal.SIGTERM):
        process = start("serve", "--port=0", "--latency=0")
        connection = open_to(process.stdout.readline().decode().split()[-1])
        for _ in range(3):
            get(connection, "/")
        out = stop(process, number)
        check(out.startswith("served 3 requests on 1 connections") and out.count("\n") == 1,
              "the summary:", out)
        connection.close()
    process = start("serve", "--port=0", "--quiet")
    process.stdout.readline()
    equal(stop(process), "", "summary with --quiet")


@suite.test
def stops_with_requests_in_flight():
    process = start("serve", "--port=0", "--latency=60s", "--latency-ipify=0")
    url = process.stdout.readline().decode().split()[-1]
    connections = [open_to(url) for _ in range(10)]
    for connection in connections:
        connection.request("GET", "/")
    # There is one loop: once it has answered this, it has read those.
    quick = open_to(url)
    equal(get(quick, "/ipify")[0], 200, "a quick one meanwhile")
    quick.close()
    begin = time.monotonic()
    out = stop(process)
    check(out.startswith("served 11 requests"), "the summary:", out)
    check(time.monotonic() - begin < 2 * SLOWER, "it waited for answers that take a minute")
    for connection in connections:
        connection.close()


@suite.test
def port_in_use():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = run("serve", "--port", port)
    equal((ended.code, ended.out), (LOCAL_LIMIT, ""), str(ended))
    check(ended.err.count("\n") == 1 and str(port) in ended.err, "the line:", ended.err)


@suite.test
def hosts():
    for host, shown in (("::1", "[::1]"), ("127.0.0.2", "127.0.0.2")):
        process = start("serve", "--port=0", "--host", host, "--latency=0")
        url = process.stdout.readline().decode().split()[-1]
        equal(urllib.parse.urlsplit(url).netloc.rpartition(":")[0], shown, "the address")
        connection = open_to(url)
        equal(get(connection, "/")[0], 200, f"from {host}")
        connection.close()
        stop(process)
    bad = {"192.0.2.1": LOCAL_LIMIT, "256.1.1.1": USAGE, "no such host": USAGE, "name.invalid": USAGE,
           "two\nlines\x1b[2J": USAGE, "x" * 5000: USAGE}
    for host, code in bad.items():
        ended = run("serve", "--port=0", "--host", host)
        equal((ended.code, ended.out, ended.err.count("\n")), (code, "", 1), str(ended))
        check("\x1b" not in ended.err, "it repeats control bytes:", ended.err)


@suite.test
def bad_requests_do_not_stop_it():
    """Garbage is answered with 400 or dropped; the next client is served."""
    garbage = (b"\x00\xff\x16\x03\x01 garbage\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
               b"GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
               b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n", b"G" * 200000, b"")
    with serving("--latency=0") as url:
        place = urllib.parse.urlsplit(url)
        for sent in garbage:
            with socket.create_connection((place.hostname, place.port), timeout=5 * SLOWER) as one:
                try:
                    one.sendall(sent)
                    one.shutdown(socket.SHUT_WR)
                    reply = one.recv(4096)
                except (BrokenPipeError, ConnectionResetError):
                    reply = b""
            good = reply == b"" or reply[:10] in (b"HTTP/1.1 4", b"HTTP/1.1 5")
            check(good, f"{sent[:20]!r} was answered with", reply[:40])
        connection = open_to(url)
        equal(get(connection, "/")[0], 200, "after garbage")
        connection.close()


@suite.test
def json_lines():
    """Two objects, one per line: where it listens with which settings, and what it has served."""
    process = start("serve", "--port=0", "--json", "--latency=1ms", "--size=123", "--errors=50%")
    first = json.loads(process.stdout.readline())
    equal(first["listening"], f"http://127.0.0.1:{first['port']}/", "the URL")
    settings = first["settings"]
    equal((settings["latency_s"], settings["size_bytes"], settings["errors_percent"], settings["pin"]),
          (0.001, 123, 50, None), "settings")
    connection = open_to(first["listening"])
    answers = [get(connection, "/") for _ in range(4)]
    equal(sorted(answer[0] for answer in answers), [200, 200, 503, 503], "answers")
    connection.close()
    ended = stop(process)
    equal(ended.count("\n"), 1, "lines at the end: " + ended)
    served = json.loads(ended)["served"]
    equal((served["requests"], served["connections"], served["failed_on_purpose"], served["rejected"]),
          (4, 1, 2, 0), "served")
    check(served["bytes_out"] > 2 * 123, "bytes out", served)


@suite.test
def json_on_a_unix_socket():
    """There is no port then, and the URL is one that race understands."""
    process = start("serve", "--unix=a b.sock", "--json", "--quiet", "--latency=0")
    first = json.loads(process.stdout.readline())
    equal((first["listening"], first["port"]), ("http+unix://a%20b.sock/", None), "where it listens")
    ended, _ = race(first["listening"], "-n", "4", "-c", "2", "-r", "1", "-m", "coroutines")
    equal(ended.code, GOOD, str(ended))
    equal(stop(process), "", "--quiet ends without a word")


@suite.test
def time_is_real():
    """A simulated clock asked for by the environment must reach neither the server nor the racers."""
    sim = environment(JUGGLE_BACKEND="sim")
    with serving("--latency=50ms", env=sim) as url:
        ended, report = race(url, "-n", "4", "-c", "2", "-r", "1", "-m", "coroutines,multicore", env=sim)
    equal(ended.code, GOOD, str(ended))
    for model in report["models"]:
        check(model["latency"]["min"] >= 0.05 and model["wall_s"] >= 0.1, "virtual time", model["name"])


@suite.test
def stays_on_its_core():
    core = min(os.sched_getaffinity(0))
    process = start("serve", "--port=0", "--pin", core)
    process.stdout.readline()
    equal(os.sched_getaffinity(process.pid), {core}, "cores")
    stop(process)


@suite.test
def more_connections_than_the_soft_limit_allows():
    """It raises its own limit of open files, as far as it may."""
    process = start("serve", "--port=0", "--latency=0", prefix=("prlimit", "--nofile=64:1024"))
    url = process.stdout.readline().decode().split()[-1]
    connections = [open_to(url) for _ in range(200)]
    for connection in connections:
        equal(get(connection, "/")[0], 200, "one of 200 connections")
    for connection in connections:
        connection.close()
    stop(process)


@suite.test
def its_output_cannot_be_written():
    """A server whose address nobody can learn says so and ends."""
    with open("/dev/full", "wb") as full:
        ended = run("serve", "--port=0", stdout=full)
    equal((ended.code, ended.err.count("\n")), (FAILED, 1), str(ended))
    ended = run("serve", "--port=0", prefix=("sh", "-c", 'exec "$@" >&-', "sh"))
    equal((ended.code, ended.err.count("\n")), (FAILED, 1), str(ended))


@suite.test
def two_clients_at_once_get_their_own_answers():
    """Answers are not mixed up between connections that ask different things."""
    wrong = []

    def ask(url, path, start_of_body):
        connection = open_to(url)
        for _ in range(50):
            body = get(connection, path)[2]
            if not body.startswith(start_of_body):
                wrong.append((path, body))
        connection.close()

    with serving("--latency=1ms", "--latency-ipify=1ms", "--latency-players=0") as url:
        asked = (("/ipify", b"127."), ("/api/onlinePlayers", b'{"pc"'), ("/", b'{"server"'))
        threads = [threading.Thread(target=ask, args=(url, *one)) for one in asked]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    equal(wrong, [], "answers to somebody else")


if __name__ == "__main__":
    sys.exit(suite.main())
