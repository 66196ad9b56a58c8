#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""measure.py BUILD: records what the guide shows of runs on the real clock.

Holds      the commands; each writes a file of docs/guide/measured/.
Invariant  what a page shows was printed by the program of this tree, on one machine, in one go, and bears
           out what the page says.
Called by  ./run measure, on a quiet machine; tests/lint/docs.py compares all but the figures.
Why        lessons about processes and threads have no simulated clock to make them repeatable.
"""
import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import pictures  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "docs/guide/measured"
REAL = ("02_parallel_and_concurrent", "15_parallel_calls", "16_concurrent_calls", "17_the_benchmark",
        "18_threads_and_tasks", "19_when_not")
COLUMNS = "104"  # what fits into a page's column, and the widest table of a race
SPEED_UP_LEAST = 1.5  # of threads and processes on several cores
AHEAD_LEAST = 1.3  # of who is said to be quicker, or less late


def run(command, **changes):
    keep = {name: value for name, value in os.environ.items() if not name.startswith("JUGGLE")}
    done = subprocess.run(command, env={**keep, "COLUMNS": COLUMNS, **changes}, text=True, capture_output=True,
                          timeout=300, check=False)
    if done.returncode != 0:
        sys.exit(f"measure: {' '.join(map(str, command))}: {done.stderr or done.stdout}")
    return done.stdout, done.stderr


def why_not(text, cores):
    """Why a record must not get into the guide, or None."""
    if "too narrow for" in text:
        return "a table has lost columns"
    gained = {row: float(times) for row, times in re.findall(r"^(threads|processes) .*?([\d.]+) x ", text, re.M)}
    if cores > 1 and any(times < SPEED_UP_LEAST for times in gained.values()):
        return f"on {cores} cores threads and processes have to compute faster than one: {gained}; is the machine quiet?"
    return None


def keep(name, text):
    reason = why_not(text, len(os.sched_getaffinity(0)))
    if reason:
        sys.exit(f"measure: {name} is not recorded: {reason}")
    (OUT / f"{name}.txt").write_text(text.replace("../../", ""), encoding="utf-8")
    print(f"measured: {name}")


def picture(build, lesson, *options):
    """A trace of one run on the real clock."""
    with tempfile.TemporaryDirectory() as directory:
        trace = pathlib.Path(directory) / "trace.json"
        run([build / "lessons" / lesson, *options], JUGGLE_TRACE=str(trace))
        pictures.draw_trace(build, lesson, trace, OUT / f"{lesson}.svg")
    print(f"measured: {lesson}, its picture")


def check_order(name, shown, models, quicker, less_late):
    """What the page says of a race has to be so: the first model of each list is clearly ahead of the others."""
    for names, figure in ((quicker, lambda model: model["wall_s"]), (less_late, lambda model: model["late"]["p99"])):
        if any(AHEAD_LEAST * figure(models[names[0]]) > figure(models[other]) for other in names[1:]):
            sys.exit(f"measure: {name} is not recorded: {names[0]} should be ahead; is the machine quiet?\n{shown}")


def race(build, name, *options, served=True, quicker=(), less_late=()):
    """A race, against a server of its own if it needs one, as a terminal would show it."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        report = pathlib.Path(directory) / "race.json"
        command = [build / "juggle", "race", *options, "-o", report]
        if served:
            server = stack.enter_context(subprocess.Popen([build / "juggle", "serve", "--port", "0", "--json"],
                                                          text=True, stdout=subprocess.PIPE))
            stack.callback(server.terminate)
            command.append(json.loads(server.stdout.readline())["listening"])
        shown = run(command)[0]
        models = {model["name"]: model for model in json.loads(report.read_text(encoding="utf-8"))["models"]}
    check_order(name, shown, models, quicker, less_late)
    words = " ".join([*options, "http://127.0.0.1:8080/"] if served else options)
    keep(name, f"$ juggle race {words}\n{shown}")


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    OUT.mkdir(exist_ok=True)
    for lesson in REAL:
        keep(lesson, run([build / "lessons" / lesson])[0])
    for lesson in REAL:
        # What is done thousands of times would be too small to see.
        picture(build, lesson, *(["-n", "3"] if lesson == "18_threads_and_tasks" else []))
    keep("06_blocking.stderr", run([build / "lessons/06_blocking"])[1])
    keep("13_retrieving_errors.stderr", run([build / "lessons/13_retrieving_errors", "--sim"])[1])
    keep("goodbye", run([build / "examples/goodbye"])[0])
    race(build, "race-io", "-n", "5k", "-c", "500")
    race(build, "race-mixed", "-n", "500", "-c", "250", "--work", "mixed:2ms")
    race(build, "race-cpu", "-n", "500", "-c", "8", "--work", "cpu:2ms", served=False)
    race(build, "race-block", "-n", "100", "-c", "50", "--work", "block:20ms", "-m", "sync,threads,coroutines,offload",
         served=False, quicker=("offload", "coroutines", "sync"))
    race(build, "race-offload", "-n", "500", "-c", "250", "--work", "mixed:2ms", "-m", "threads,coroutines,offload",
         "--beat", "1ms", quicker=("offload", "coroutines"), less_late=("offload", "coroutines"))
    race(build, "race-loops", "-n", "5k", "-c", "1k", "--work", "mixed:300us", "-m", "threads,coroutines,multicore",
         quicker=("multicore", "coroutines"))
    race(build, "race-realtime", "-n", "500", "-c", "8", "--work", "cpu:2ms", "-m", "threads,coroutines,offload",
         "--beat", "1ms", "--realtime", served=False, less_late=("threads", "coroutines"))


if __name__ == "__main__":
    main()
