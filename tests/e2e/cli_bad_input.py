# SPDX-License-Identifier: MIT
"""cli_bad_input.py – what people mistype, and what this machine does not allow.

Each case must end at once with one clear line on stderr, nothing on stdout, and the exit code that
`juggle --help` documents. If this fails, a mistake looks like a result.
"""
import http.server
import os
import socket
import sys
import threading

sys.dont_write_bytecode = True
from lib_cli import (GOOD, LOCAL_LIMIT, SANITIZED, UNREACHABLE, USAGE, Skip, Suite, check, equal, race,
                     run, serving)

suite = Suite("e2e/cli_bad_input")

NOBODY = "http://127.0.0.1:1/"  # a port on which nothing listens
HUGE = "1" + "0" * 30
NOT_NUMBERS = ("", " ", "NaN", "nan", "inf", "1e30", "1.5", "0x10", "+5", " 5", "5 ", "5q", "5\n", "k",
               "1,000", "--", "\u0665", "\x1b[31m5")
OUT_OF_RANGE = ("0", "-1", HUGE, "-" + HUGE, "18446744073709551616", "18446744073709551615")


def refused(code, *args, words=(), command="race", **more):
    """Runs juggle, which must refuse with `code` and one line that holds all of `words`."""
    ended = run(*args, **more)
    equal((ended.code, ended.out), (code, ""), str(ended))
    line = ended.err
    check(line.endswith("\n") and line.count("\n") == 1, "not one line:", line)
    check(line.startswith(f"juggle {command}: " if command else "juggle: "), "who says so?", line)
    check(len(line) <= 250, "a long line:", line)
    check(all(c.isprintable() for c in line[:-1]), "control bytes:", line)
    for word in words:
        check(word in line, f"{word!r} is not in", line)
    return line


def refused_race(code, *args, words=(), **more):
    return refused(code, "race", NOBODY, *args, words=words, **more)


# Commands and options.

@suite.test
def unknown_commands():
    for typed, meant in (("rcae", "race"), ("dmeo", "demo"), ("server", "serve"), ("race ", "race")):
        refused(USAGE, typed, command="", words=("unknown command", typed, f"did you mean {meant}?"))
    for typed in ("xyzzy", "", " ", "--", "-", "--xyzzy", "-Z", "RACE!", "a\nb", "x" * 3000):
        refused(USAGE, typed, command="", words=("juggle --help",))
    refused(USAGE, "help", "xyzzy", command="", words=("unknown command",))


@suite.test
def unknown_options():
    for typed, meant in (("--modles=x", "--models"), ("--jsno", "--json"), ("--timout=1s", "--timeout"),
                         ("--concurency=5", "--concurrency"), ("--requets=1", "--requests")):
        refused_race(USAGE, typed, words=("unknown option", typed.split("=")[0], f"did you mean {meant}?"))
    for typed in ("--xyzzy", "-Z", "--x\ny", "-\u00e9", "--" + "x" * 3000, "-qZ"):
        refused_race(USAGE, typed, words=("unknown option", "juggle race --help"))
    refused(USAGE, "serve", "--prot=80", command="serve", words=("did you mean --port?",))
    refused(USAGE, "demo", "--xyzzy", command="demo", words=("unknown option",))


@suite.test
def options_without_or_with_too_much():
    for option in ("-n", "--requests", "-c", "--models", "--timeout", "-o", "--work"):
        refused_race(USAGE, option, words=(option, "needs a value"))
    refused_race(USAGE, "--json=yes", words=("--json takes no value",))
    refused_race(USAGE, "--help=yes", words=("--help takes no value",))
    refused_race(USAGE, "another", words=("unexpected argument 'another'",))
    refused(USAGE, "race", words=("URL is missing",))
    refused(USAGE, "race", "--json", words=("URL is missing",))
    refused(USAGE, "serve", "8080", command="serve", words=("unexpected argument",))
    refused(USAGE, "demo", NOBODY, command="demo", words=("unexpected argument",))
    refused(USAGE, "completion", command="completion", words=("SHELL is missing",))
    refused(USAGE, "completion", "tcsh", command="completion", words=("tcsh", "bash, zsh, fish"))
    refused(USAGE, "help", "race", "serve", command="help", words=("unexpected argument",))


@suite.test
def no_command_at_all():
    """Without a command there is help, where complaints go."""
    ended = run()
    equal((ended.code, ended.out), (USAGE, ""), str(ended))
    check("Usage: juggle" in ended.err, str(ended))


@suite.test
def r42_numbers():
    for option in ("-n", "-c", "--rounds", "--sync-requests"):
        for text in NOT_NUMBERS:
            refused_race(USAGE, option, text, words=(option,))
        for text in OUT_OF_RANGE:
            refused_race(USAGE, option, text, words=(option, "range"))
    for text in NOT_NUMBERS:
        refused_race(USAGE, "--cores", text, words=("--cores",))
    for text in ("-1", HUGE, "1025"):
        refused_race(USAGE, "--cores", text, words=("--cores", "range"))
    for option, least in (("-n", "0"), ("-c", "0"), ("--rounds", "21")):
        refused(USAGE, "demo", option, least, command="demo", words=(option, "range"))


@suite.test
def durations():
    for text in ("", "5", "-1", "ms", "1e30s", "5 ms", "NaN", "5x", "1..5s", "-1ms", HUGE):
        refused_race(USAGE, "--timeout", text, words=("--timeout",))
    for text in ("0", "0s", "1ns", "2h", HUGE + "s", "-1s", "-" + HUGE + "s"):
        refused_race(USAGE, "-T", text, words=("-T", "range"))
    refused_race(USAGE, "-T", "5", words=("needs a unit", "5ms"))
    for text in ("", "5", "x", "1ms:1"):
        refused_race(USAGE, "--beat", text, words=("--beat",))
    for text in ("0", "99us", "11s", HUGE + "s"):
        refused_race(USAGE, "--beat", text, words=("--beat", "range"))
    refused_race(USAGE, "--realtime", words=("--realtime", "--beat"))
    for text in ("11m", HUGE + "h", "-1ms"):
        refused(USAGE, "serve", "--latency", text, command="serve", words=("--latency", "range"))


@suite.test
def models():
    for text in ("", ",", "sync,", ",sync", "sync,,threads", "xyzzy", "sync,xyzzy", "SYNC", "sync threads",
                 "sync\n", "x" * 3000, "sync," * 1000):
        refused_race(USAGE, "--models", text, words=("--models",))
    refused_race(USAGE, "-m", "sync,threads,sync", words=("-m", "sync", "twice"))
    refused_race(USAGE, "-m", "xyzzy", words=("sync, threads, processes, coroutines",))
    refused_race(USAGE, "-m", "floor", "-w", "cpu:1ms", words=("floor",))
    refused_race(USAGE, "-m", "offload,floor", "-w", "block:1ms", words=("floor",))


@suite.test
def work_and_other_texts():
    for text in ("", "xyzzy", "cpu:", "cpu:0", "cpu:-1ms", "cpu:5", "cpu:" + HUGE + "s", "cpu:11s", "io:5ms",
                 "mixed:", "block:", "block:0", "block:11s", "blocks:1ms", "cpux", "cpu\n", ":5ms", "cpu:NaN", "x" * 3000):
        refused_race(USAGE, "--work", text, words=("--work",))
    refused_race(USAGE, "--color", "pink", words=("auto, always, never",))
    refused_race(USAGE, "-o", "", words=("-o",))
    with serving("--latency=0") as url:
        for path in ("no/such/directory/file", ".", "x" * 3000, "a/\x1b[31m"):
            ended = run("race", url, "-n", "1", "-c", "1", "-o", path)
            equal((ended.code, ended.out, ended.err.count("\n")), (USAGE, "", 1), str(ended)[:500])
            check("-o" in ended.err and "\x1b" not in ended.err, "the line:", ended.err)


@suite.test
def serve_options():
    for args in (["--port", "65536"], ["--port", "-1"], ["--port", "http"], ["--port", ""],
                 ["--size", "65MiB"], ["--size", "-1"], ["--size", HUGE], ["--size", "x"],
                 ["--errors", "101%"], ["--errors", "-1%"], ["--errors", "5"], ["--errors", "%"],
                 ["--host", ""], ["--unix", ""], ["--cpu", "11s"], ["--pin", "x"], ["--pin", "-1"],
                 ["--pin", "99999"], ["--pin", HUGE]):
        refused(USAGE, "serve", *args, command="serve", words=(args[0],))
    for path in ("no/such/directory/socket", "x" * 3000, "/proc/socket"):
        refused(LOCAL_LIMIT, "serve", "--unix", path, command="serve", words=("cannot listen",))


# Targets.

BAD_URLS = (
    "", " ", "/", "//", ":", "://", "http:", "http:/", "http://", "http:///", "http:///x", "http://?x",
    "http://#x", "http://:80/", "http://127.0.0.1:/", "http://127.0.0.1:0/", "http://127.0.0.1:65536/",
    "http://127.0.0.1:-1/", "http://127.0.0.1:80x/", "http://127.0.0.1: 80/", f"http://127.0.0.1:{HUGE}/",
    "http://[::1", "http://[::1/", "http://[::1]x/", "http://::1/", "http://[]/", "ftp://127.0.0.1/",
    "file:///etc/passwd", "javascript:alert(1)", "127.0.0.1:1", "localhost", "http//127.0.0.1/",
    "http://a@127.0.0.1/", "http://a:b@127.0.0.1/", "http://127.0.0.1:1/a b", "http://127.0.0.1:1/\n",
    "http://127.0.0.1:1/\r\nX: y", "http://127.0.0.1:1/\u00e9", "http://exa mple/", "http://127.0.0.1:1/%zz",
    "http://127.0.0.1:1/%", "http://127.1:1/", "http://127.0.0.1:1/\x7f", "http://127.0.0.1:1/\x1b[31m",
    "http://" + "x" * 64 + ".invalid/", "http+unix://", "http+unix:///", "http+unix://%2", "http+unix://%00/", "http+unix://%2Fa" + "b" * 200 + "/",
    "http://" + "x" * 3000 + "/", "http://127.0.0.1:1/" + "x" * 100000)


@suite.test
def r42_bad_urls():
    for url in BAD_URLS:
        refused(USAGE, "race", url, "-n", "1", "-c", "1", words=("URL",))


@suite.test
def https_is_not_there_yet():
    for url in ("https://127.0.0.1/", "https://127.0.0.1:1/", "https://localhost/x?y"):
        line = refused(USAGE, "race", url, words=("https://", "http://"))
        check("did you mean http://https" not in line, "a bad suggestion:", line)


class Chunked(http.server.BaseHTTPRequestHandler):
    """Answers without a Content-Length."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"5\r\nhello\r\n0\r\n\r\n")

    def log_message(self, *args):
        pass


@suite.test
def floor_cannot_read_chunks():
    """The floor says so beforehand, instead of calling good answers failures; the others just race."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Chunked)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/"
        refused(USAGE, "race", url, "-m", "sync,floor", words=("--models", "floor", "Content-Length"))
        ended, report = race(url, "-n", "8", "-c", "2", "-r", "1", "-m", "threads,coroutines")
        equal((ended.code, [m["requests_ok"] for m in report["models"]]), (GOOD, [8, 8]), str(ended)[:500])
    finally:
        server.shutdown()
        server.server_close()


@suite.test
def somebody_elses_host():
    """Load goes to other machines only when the user says that it may; nothing is sent before."""
    for host in ("192.0.2.1", "8.8.8.8", "[2001:db8::1]"):
        refused(USAGE, "race", f"http://{host}/", words=("another machine", "--i-own-this-host"))


@suite.test
def r42_hosts_that_do_not_exist():
    for host in ("nosuch.invalid", "x" * 63 + ".invalid"):
        refused(UNREACHABLE, "race", f"http://{host}:8080/", words=(host[:20],), limit=30)


@suite.test
def r41_nobody_listens():
    for url in (NOBODY, "http://localhost:1/", "http://[::1]:1/", "http://127.0.0.1:00001/?q#f"):
        refused(UNREACHABLE, "race", url, words=("efused",))
    refused(UNREACHABLE, "race", "http+unix://no.sock/", words=("no.sock", "No such file"))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind("dead.sock")
        refused(UNREACHABLE, "race", "http+unix://dead.sock/", words=("dead.sock",))
    os.unlink("dead.sock")
    for option in ("--json", "-q", "--models=threads"):
        refused_race(UNREACHABLE, option)


@suite.test
def no_report_of_nothing():
    """Where nothing is measured no file is made."""
    refused_race(UNREACHABLE, "-o", "report.json")
    refused_race(USAGE, "-o", "report.json", "-n", "0")
    check(not os.path.exists("report.json"), "a report of nothing was written")


# Limits of this machine.

@suite.test
def r42_open_files():
    """Beyond the hard limit it refuses and says what it would take; the soft one it raises itself."""
    few = ("prlimit", "--nofile=64:64")
    with serving("--latency=1ms") as url:
        for args in (["-c", "100"], ["-c", "64", "-m", "coroutines"], ["-c", "100", "--json"]):
            refused(LOCAL_LIMIT, "race", url, "-n", "1k", *args, prefix=few, words=("open files", "64"))
        refused(LOCAL_LIMIT, "race", url, "-n", "100k", "-c", "50k", prefix=("prlimit", "--nofile=1024:4096"),
                words=("-c 50000", "4,096"))
        _, report = race(url, "-n", "200", "-c", "200", "-r", "1", "-m", "coroutines,processes",
                         prefix=("prlimit", "--nofile=128:2048"))
    for model in report["models"]:
        equal(model["requests_ok"], 200, "with a low soft limit: " + model["name"])


@suite.test
def cores():
    """Cores that are not there are refused, not counted."""
    allowed = len(os.sched_getaffinity(0))
    for more in ([], ["--json"], ["-w", "cpu:1ms"]):
        refused_race(LOCAL_LIMIT, "--cores", str(allowed + 1), *more, words=(f"--cores {allowed + 1}", f": {allowed}\n"))
    _, report = race(NOBODY, "--cores", str(allowed), "-w", "cpu:10us", "-n", "2", "-c", "2", "-r", "1", "-m", "threads")
    equal((report["settings"]["cores"], report["models"][0]["cores"]), (allowed, allowed), "cores")


@suite.test
def real_time():
    """Without the right to it, --realtime is refused before anything runs."""
    if os.geteuid() != 0:
        raise Skip("only root can give the right away")
    unprivileged = ("setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice", "prlimit", "--rtprio=0:0")
    refused_race(LOCAL_LIMIT, "--beat=1ms", "--realtime", "-w", "cpu:1ms", prefix=unprivileged,
                 words=("--realtime", "not permitted", "ulimit -r"))


@suite.test
def ports_and_tasks():
    with serving("--latency=1ms") as url:
        for models_named in ("coroutines", "threads"):
            refused(LOCAL_LIMIT, "race", url, "-n", "1M", "-c", "1M", "-m", models_named, words=("-c 1000000",))


@suite.test
def address_space():
    """Threads that cannot all be made: a report with the reason, no round of it, and the code for limits."""
    if SANITIZED:
        raise Skip("a sanitizer needs more address space than this test allows")
    with serving("--latency=1ms") as url:
        ended, report = race(url, "-n", "500", "-c", "500", "-m", "threads", "-r", "5",
                             prefix=("prlimit", "--as=300000000"))
    model = report["models"][0]
    equal((ended.code, report["exit"]["code"]), (LOCAL_LIMIT, LOCAL_LIMIT), str(ended)[:500])
    equal((model["requests_ok"], model["rounds"]), (0, []), "rounds without hope")
    equal(set(model["create"].values()), {None}, "what making them cost, which is not known")
    check("of 500 could be started" in model["first_failure"], "the reason:", model["first_failure"])
    check(model["error"] in ("EAGAIN", "ENOMEM"), "the error:", model["error"])


@suite.test
def demo_under_limits():
    """Where nothing is possible the demo says so; with little to spare it does little."""
    refused(LOCAL_LIMIT, "demo", prefix=("prlimit", "--nofile=64:64"), command="demo", words=("open files",))
    ended = run("demo", "-r", "1", "-l", "5ms", "-n", "2k", prefix=("prlimit", "--nofile=100:100"))
    equal((ended.code, ended.err), (GOOD, ""), str(ended))
    check("limits of this machine allow" in ended.out, str(ended))
    for concurrency in ("101", "5000"):  # asked for, it is not cut down in silence
        refused(LOCAL_LIMIT, "demo", "-c", concurrency, "-n", "5000", prefix=("prlimit", "--nofile=100:100"),
                command="demo", words=(f"-c {concurrency}", "open files", "100"))
    ended = run("demo", "-r", "1", "-l", "1ms", "-n", "20")
    equal((ended.code, "limits of this machine" in ended.out), (GOOD, False), str(ended))


@suite.test
def no_descriptors_at_all():
    """With so few that nothing can work there is still a line, and a code."""
    for command in (["race", NOBODY], ["demo"]):
        for most in range(3, 12):
            ended = run(*command, prefix=("prlimit", f"--nofile={most}:{most}"), limit=5)
            if ended.code != 127:  # the loader's, when not even the libraries could be opened
                check(ended.code in (LOCAL_LIMIT, UNREACHABLE) and ended.out == "", str(ended))
                check("Cannot assign" not in ended.err, "not the reason:", ended.err)
                equal(ended.err.count("\n") == 1 or SANITIZED, True, str(ended))  # ASan warns, too


if __name__ == "__main__":
    sys.exit(suite.main())
