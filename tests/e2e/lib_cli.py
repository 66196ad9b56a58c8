# SPDX-License-Identifier: MIT
"""lib_cli.py – what the end-to-end tests of the `juggle` command share.

Holds      a runner of tests, ways to run `juggle` and to look at its processes.
Invariant  nothing waits without a limit; after each test no process, file or descriptor of it is left.
Called by  cli_*.py beside it.
Why        the command is tested from outside, as people meet it: argv, signals, pipes, terminals.
Quirks     orphans are adopted by the test (PR_SET_CHILD_SUBREAPER), so that none can hide.
"""
import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

JUGGLE = os.environ["JUGGLE"]
PR_SET_CHILD_SUBREAPER = 36

# The exit codes that `juggle --help` documents.
GOOD, FAILED, USAGE, UNREACHABLE, LOCAL_LIMIT, INTERRUPTED, TERMINATED = 0, 1, 2, 4, 5, 130, 143

CAUSES = ("connect", "closed", "timeout", "protocol", "size", "status", "length", "local", "other")
MODELS = ("sync", "threads", "processes", "coroutines")


def is_sanitized():
    with open(JUGGLE, "rb") as file:
        return b"__asan_init" in file.read()


SANITIZED = is_sanitized()
SLOWER = 4 if SANITIZED else 1  # how much more time a sanitized build is given


class Skip(Exception):
    """Raised by a test that cannot run here, with the reason."""


def check(condition, text, *details):
    if not condition:
        raise AssertionError(" ".join([text, *(repr(detail) for detail in details)]))


def equal(is_value, wanted, text):
    check(is_value == wanted, f"{text}: {is_value!r} instead of {wanted!r}")


def within(seconds, condition, text):
    """Polls until `condition()` is true, and returns what it returned."""
    end = time.monotonic() + seconds * SLOWER
    while True:
        value = condition()
        if value:
            return value
        check(time.monotonic() < end, f"not within {seconds * SLOWER} s: {text}")
        time.sleep(0.005)


# Processes.

def stat_of(pid):
    """Returns (state, parent, group), or None when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0], int(fields[1]), int(fields[2])


def children(parent):
    found = []
    for name in os.listdir("/proc"):
        stat = stat_of(name) if name.isdigit() else None
        if stat is not None and stat[1] == parent:
            found.append(int(name))
    return found


def descendants(pid):
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def is_alive(pid):
    stat = stat_of(pid)
    return stat is not None and stat[0] not in "ZX"


def reap_orphans():
    """Reaps adopted children that have ended; returns those that have not."""
    living = []
    for pid in children(os.getpid()):
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                living.append(pid)
    return living


# Running juggle.

class Ended:
    """A run of juggle that is over."""

    def __init__(self, args, code, out, err, seconds):
        self.args, self.code, self.out, self.err, self.seconds = args, code, out, err, seconds

    def __str__(self):
        return (f"juggle {' '.join(map(str, self.args))!r}: code {self.code}, {self.seconds:.1f} s\n"
                f"stdout: {self.out[-1500:]!r}\nstderr: {self.err[-1500:]!r}")

    def json(self):
        return parse_json(self.out)


def parse_json(text):
    """Strict: one object, no NaN, no key twice."""
    def refuse(constant):
        raise AssertionError(f"JSON holds {constant}")

    def once(pairs):
        keys = [key for key, _ in pairs]
        check(len(keys) == len(set(keys)), "a JSON key stands twice in", keys)
        return dict(pairs)

    value = json.loads(text, parse_constant=refuse, object_pairs_hook=once)
    check(isinstance(value, dict), "not one JSON object", text[:80])
    return value


def environment(**changes):
    """A plain environment; a value of None leaves the variable out."""
    keep = ("PATH", "HOME", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS")
    plain = {name: os.environ[name] for name in keep if name in os.environ}
    plain.update({"LC_ALL": "C.UTF-8", "TERM": "xterm", "TMPDIR": os.getcwd(),
                  "RES_OPTIONS": "timeout:1 attempts:1"})
    plain.update(changes)
    return {name: value for name, value in plain.items() if value is not None}


def start(*args, env=None, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
          prefix=(), **more):
    """Starts juggle, after the words of `prefix`, in a session of its own."""
    return subprocess.Popen([*prefix, JUGGLE, *map(str, args)], stdin=stdin, stdout=stdout, stderr=stderr,
                            env=env or environment(), start_new_session=True, **more)


def finish(process, limit, args=()):
    """Waits for its end; a process that takes longer than `limit` seconds fails the test."""
    begin = time.monotonic()
    try:
        out, err = process.communicate(timeout=limit * SLOWER)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate(timeout=10)
        raise AssertionError(f"hangs: juggle {args!r} {out!r} {err!r}") from None
    decoded = [(text or b"").decode("utf-8", "backslashreplace") for text in (out, err)]
    return Ended(args, process.returncode, *decoded, time.monotonic() - begin)


def run(*args, limit=10, **more):
    return finish(start(*args, **more), limit, args)


def race(url, *args, limit=15, **more):
    """Runs `juggle race --json`; returns the run and its report."""
    ended = run("race", url, "--json", *args, limit=limit, **more)
    check(ended.out != "", "no report:", str(ended))
    return ended, ended.json()


@contextlib.contextmanager
def serving(*args, **more):
    """A `juggle serve`; gives its URL. It must end cleanly."""
    process = start("serve", "--port", "0", *args, **more)
    try:
        line = process.stdout.readline().decode()
        check(line.startswith("listening on "), "no address:", line)
        yield line.split()[-1]
    finally:
        process.terminate()
        ended = finish(process, 5, ("serve", *args))
    check(ended.code == GOOD and ended.err == "", "the server did not end cleanly:", str(ended))


# Reports.

def check_report(report, models, ended=None):
    """What holds of every report, whatever went wrong. Returns the models by their names."""
    for key in ("schema", "version", "settings", "machine", "models", "verdict", "interrupted", "exit"):
        check(key in report, f"the report has no {key}")
    for key in ("url", "requests", "concurrency", "rounds", "timeout_s", "work", "cores"):
        check(key in report["settings"], f"settings have no {key}")
    equal([model["name"] for model in report["models"]], list(models), "models")
    if ended is not None:
        equal(report["exit"]["code"], ended.code, "exit code in the report and of the process")
    for model in report["models"]:
        check_model(model)
    return {model["name"]: model for model in report["models"]}


def check_model(model):
    name = model["name"]
    known = model["wall_s"] is not None
    for key in ("wall_s", "cpu_user_s", "cpu_sys_s", "switches_voluntary", "switches_involuntary"):
        check(key in model, f"{name} has no {key}")
        check((model[key] is not None) == known, f"{name}: {key} is", model[key])
        check(not known or model[key] >= 0, f"{name}: {key} is", model[key])
    for costs in (model["create"], *model["rounds"]):
        kinds = {costs[key] is None for key in ("wall_s", "cpu_user_s", "cpu_sys_s", "switches_voluntary",
                                                "switches_involuntary")}
        check(len(kinds) == 1, f"{name}: known in part:", costs)
    check(model["create"]["wall_s"] != 0, f"{name}: made in no time")
    parts = model["memory_parts"]
    if parts is not None:
        whole = parts["pss_bytes"] + parts["kernel_stacks_bytes"] + parts["page_tables_bytes"]
        equal(model["memory_bytes"], whole, f"{name}: memory and its parts")
    check_counts(name, model)
    equal(model["requests_failed_total"], sum(model["requests_failed"].values()),
          f"{name}: failed, by cause")
    for key in ("requests_issued", "requests_ok", "requests_aborted"):
        equal(model[key], sum(one[key] for one in model["rounds"]), f"{name}: {key} of all rounds")
    for one in model["rounds"]:
        check_counts(f"a round of {name}", one)
    check_latency(name, model["latency"], model["requests_ok"])


def check_counts(name, counts):
    equal(tuple(counts["requests_failed"]), CAUSES, f"{name}: causes")
    whole = counts["requests_ok"] + sum(counts["requests_failed"].values()) + counts["requests_aborted"]
    equal(counts["requests_issued"], whole, f"{name}: issued = ok + failed + aborted")


def check_latency(name, latency, samples):
    if samples == 0:
        equal(latency, None, f"{name}: latency of nothing")
        return
    equal(latency["samples"], samples, f"{name}: samples")
    order = [latency[key] for key in ("min", "p50", "p90", "p99", "p999", "max")]
    check(order == sorted(order) and order[0] > 0, f"{name}: latencies are out of order", order)


# Tests.

class Suite:
    """The tests of one script, and the line at its end."""

    def __init__(self, name):
        self.name, self.tests = name, []

    def test(self, function):
        self.tests.append(function)
        return function

    def main(self):
        counts = {"passed": 0, "failed": 0, "skipped": 0}
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        # A shell that runs us in the background may have had SIGINT ignored, which is inherited.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        only = next((word for word in sys.argv[1:] if not word.startswith("--")), "")
        for test in self.tests:
            if only in test.__name__:
                counts[self.run_one(test)] += 1
        print(f"{self.name}: " + ", ".join(f"{count} {word}" for word, count in counts.items()))
        return 0 if counts["failed"] == 0 and counts["passed"] > 0 else 1

    def run_one(self, test):
        """Runs one test in an empty directory, which must be empty again at its end."""
        home, directory = os.getcwd(), os.path.realpath(tempfile.mkdtemp(prefix="juggle-e2e-"))
        os.chdir(directory)
        begin = time.monotonic()
        try:
            test()
            within(5, lambda: not reap_orphans(), "no process is left behind")
            equal(os.listdir(directory), [], "files left behind")
            result = "passed"
        except Skip as reason:
            print(f"SKIP {test.__name__}: {reason}")
            result = "skipped"
        except Exception as error:  # whatever it is, the other tests go on
            where = traceback.extract_tb(error.__traceback__)
            lines = [frame.lineno for frame in where if frame.filename.endswith(sys.argv[0])]
            print(f"FAIL {test.__name__}: line {lines[-1:]}: {type(error).__name__}: {error}")
            result = "failed"
        finally:
            for pid in reap_orphans():
                os.kill(pid, signal.SIGKILL)
            os.chdir(home)
            shutil.rmtree(directory, ignore_errors=True)
        if os.environ.get("VERBOSE"):
            print(f"{result} {test.__name__} {time.monotonic() - begin:.2f} s", flush=True)
        return result
