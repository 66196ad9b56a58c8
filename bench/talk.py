#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""talk.py: the talk's own comparison: parallel against concurrent, at 1,000, 5,000 and 10,000 requests.

Holds      the figures of this run.
Invariant  everything runs against a stand-in server of its own process and port; a run that fails or takes
           too long is named, never left out in silence; nothing is left running.
Called by  ./run bench talk, after it has built the command and the two lessons; $JUGGLE_BUILD is that build.
Why        these are the figures the talk is about, made by the very programs its listeners read: lesson 15
           (a process per request, each writing a file), lesson 16 (tasks, files included), `juggle race`.
Quirks     sync is measured on a few requests and extrapolated, which the table says. One round: run it again
           to see how much the figures move. Files go to memory where there is a /dev/shm: ext4 looks for free
           inodes for milliseconds when many were deleted seconds ago, and would be what is measured.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

REQUESTS = (1000, 5000, 10000)
LATENCY = "100ms"
RUN_LIMIT_S = 60
IN_FLIGHT = 1000  # of the race; the lessons have a hundred
SYNC_REQUESTS = 10
LESSONS = {"processes": "15_parallel_calls", "coroutines": "16_concurrent_calls"}
COLUMNS = ("wall_s", "cpu_s", "memory_bytes", "switches", "p50_s", "p99_s")
PLACE = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()
BUILD = os.environ.get("JUGGLE_BUILD", "build/release")


class Failed(Exception):
    """A run that came to nothing; the text is one line."""


def last_line(text):
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"


@contextlib.contextmanager
def server():
    """A stand-in on a fresh port; yields its URL."""
    running = subprocess.Popen(
        [f"{BUILD}/juggle", "serve", "--port", "0", "--json", "--latency", LATENCY,
         "--latency-players", LATENCY], stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        line = running.stdout.readline()
        if not line:
            raise Failed("the stand-in server did not start")
        yield json.loads(line)["listening"]
    finally:
        running.terminate()
        running.wait()


def run(argv):
    """Returns (standard output, seconds, usage of it and the children it waited for)."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began_s = time.monotonic()
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                   env={**os.environ, "TMPDIR": PLACE}, start_new_session=True)
        signal.alarm(RUN_LIMIT_S)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except (TimeoutError, KeyboardInterrupt, SystemExit) as why:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(why, TimeoutError):
                raise Failed(f"not done within {RUN_LIMIT_S} s") from None
            raise
        finally:
            signal.alarm(0)
        took_s = time.monotonic() - began_s
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode != 0:
            raise Failed(last_line(err.read()))
        return out.read(), took_s, usage


def run_lesson(subject, requests):
    """Rows 15 and 16: a file for each request."""
    with server() as url:
        out, took_s, usage = run(
            [f"{BUILD}/lessons/{LESSONS[subject]}", "-n", str(requests), "--url", url])
    if f"{requests} files written" not in out:
        raise Failed(last_line(out))
    return {subject: {"wall_s": took_s, "cpu_s": usage.ru_utime + usage.ru_stime,
                      "switches": usage.ru_nvcsw + usage.ru_nivcsw}}


def run_race(requests):
    """Row 17: every model, the same requests."""
    with server() as url:
        out, _, _ = run([f"{BUILD}/juggle", "race", f"{url}stats", "-n", str(requests), "-c",
                         str(min(IN_FLIGHT, requests)), "-r", "1", "--sync-requests",
                         str(SYNC_REQUESTS), "--json", "--quiet"])
    rows = {}
    for model in json.loads(out)["models"]:
        name = model["name"] + (" (extrapolated)" if model["extrapolated"] else "")
        if model["error"] or model["requests_failed_total"]:
            raise Failed(f"{name}: {model['error'] or 'requests failed'}")
        rows[name] = {
            "wall_s": model["wall_s"], "cpu_s": model["cpu_user_s"] + model["cpu_sys_s"],
            "memory_bytes": model["memory_bytes"],
            "switches": model["switches_voluntary"] + model["switches_involuntary"],
            "p50_s": model["latency"]["p50"], "p99_s": model["latency"]["p99"]}
    return rows


def shown(column, value):
    if value is None:
        return "-"
    if column == "memory_bytes":
        return f"{value / 1e6:,.1f} MB"
    if column == "switches":
        return f"{value:,.0f}"
    return f"{value * 1000:,.0f} ms" if column in ("p50_s", "p99_s") else f"{value:,.2f} s"


def print_rows(out, what, requests, rows):
    for subject, figures in rows.items():
        cells = "".join(f"{shown(column, figures.get(column)):>13}" for column in COLUMNS)
        print(f"{what:<6} {requests:>8,}  {subject:<20}{cells}", file=out, flush=True)


def arguments():
    parser = argparse.ArgumentParser(
        prog="bench talk", description="Parallel against concurrent HTTP calls, with a file each "
        "(lessons 15 and 16), and the race of all models. Takes one to two minutes.",
        epilog="The exit code is 1 if a run failed.")
    parser.add_argument("--requests", metavar="N,N", default=",".join(map(str, REQUESTS)),
                        help="how many requests (default %(default)s)")
    parser.add_argument("--json", metavar="FILE",
                        help="also write [{bench, subject, unit, value}, ...]; - is stdout")
    given = parser.parse_args()
    try:
        given.requests = [int(number) for number in given.requests.split(",")]
    except ValueError:
        parser.error("--requests: whole numbers with commas between")
    if not all(1 <= number <= 100_000 for number in given.requests):
        parser.error("--requests: numbers from 1 to 100000")
    return given


def write_json(name, measured):
    units = {"wall_s": "s", "cpu_s": "s", "memory_bytes": "bytes", "switches": "switches",
             "p50_s": "s", "p99_s": "s"}
    rows = [{"bench": f"talk_{what}_{requests}_{column.rpartition('_')[0] or column}",
             "subject": subject, "unit": units[column], "value": value}
            for what, requests, subjects in measured for subject, figures in subjects.items()
            for column, value in figures.items()]
    with contextlib.nullcontext(sys.stdout) if name == "-" else open(name, "w", encoding="ascii") as out:
        json.dump(rows, out, indent=1)
        out.write("\n")


def too_late(_number, _frame):
    raise TimeoutError


def ended(number, _frame):
    sys.exit(128 + number)


def main():
    given = arguments()
    signal.signal(signal.SIGALRM, too_late)
    signal.signal(signal.SIGTERM, ended)
    out = sys.stderr if given.json == "-" else sys.stdout
    measured, failed = [], False
    titles = ("wall", "CPU", "memory", "switches", "p50", "p99")
    print(f"{'':<6} {'requests':>8}  {'':<20}{''.join(f'{title:>13}' for title in titles)}", file=out)
    for requests in given.requests:
        plan = [("files", lambda name=name: run_lesson(name, requests)) for name in LESSONS]
        for what, once in (*plan, ("race", lambda: run_race(requests))):
            try:
                rows = once()
            except Failed as why:
                failed = True
                print(f"{what:<6} {requests:>8,}  FAILED: {why}", file=out, flush=True)
                continue
            measured.append((what, requests, rows))
            print_rows(out, what, requests, rows)
    if given.json:
        write_json(given.json, measured)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
