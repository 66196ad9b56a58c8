#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""real.py: every lesson on the real clock, with its services in a process of their own.

Times differ from run to run and are not compared. Where the order is the lesson's point and certain, the
lines have to come in it; elsewhere the same lines have to come. If this fails, a lesson says what is not
so, or leaves something behind.
"""
import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from lib_lessons import LESSONS, PROGRAMS, ROOT, Results, environment, expected, masked, recorded_err, run, without_lines  # noqa: E402

# Only one order is possible in these, however busy the machine is.
IN_ORDER = ("02_", "03_", "04a_", "04b_", "04c_", "04d_", "05_", "15_", "16_", "17_", "19_")
AT_ONCE = 6


def plain(text):
    """Without what the clock decides: times, lengths of bars, whether an answer came in time."""
    text = re.sub(r"\|[ =]*", "|", masked(text))
    text = re.sub(r"took \d+ ms", "took # ms", text)
    text = re.sub(r"(limit # s): .*", r"\1", text)
    text = re.sub(r"(of \d): \d done|: (is not done yet|failed|127\.0\.0\.1)$", r"\1:", text, flags=re.M)
    text = re.sub(r": some were lost|counted (#|\d+) of", "", text)
    return text


def wanted_lines(name, text):
    if name.startswith("11_"):  # whether the loser has answered, too, by then is the machine's affair
        text = re.sub(r"ip-api is (pending: no answer|done: 127.0.0.1)\n(.*was asked to stop, and is cancelled\n)?", "", text)
    lines = plain(text).splitlines()
    return lines if name.startswith(IN_ORDER) else sorted(lines)


def seconds(out, row):
    return float(re.search(rf"^{row} +(\d+\.\d+) s", out, re.M)[1])


def our_frames(err):
    """The lines of a report on the loop held up, but for figures and the system's own functions."""
    lines = re.sub(r"for \d+ ms|\+0x[0-9a-f]+", "#", without_lines(err)).splitlines()
    return {line for line in lines if "(libc.so" not in line}


def claims(name, out, err):
    """What a lesson claims, and can be sure of."""
    if name.startswith("06_"):
        return our_frames(err) >= our_frames(recorded_err(name))
    if name.startswith("08_"):
        alone, together = re.search(r"one after another (\S+) s, together (\S+) s", out).groups()
        return float(alone) >= 0.44 and float(together) < float(alone)
    if name.startswith("13_"):
        return err.count("nobody looked") == 1
    if name.startswith("17_"):
        return all(seconds(out, row) < seconds(out, "one after another")
                   for row in ("processes", "threads", "tasks"))
    if name.startswith("18_"):
        return (len(re.findall(r"counted 8000 of 8000\n", out)) >= 3 and
                "tasks, across a suspend        counted 2000 of 8000: some were lost" in out)
    return err == ""


def check(name):
    code, out, err = run(name)
    lines, wanted = wanted_lines(name, out), wanted_lines(name, expected(name))
    return name, code == 0 and lines == wanted and claims(name, out, err), (code, out, err)


def children_of(pid):
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], text=True, check=False,
                           stdout=subprocess.PIPE)
    return [int(line) for line in found.stdout.split()]


def within(limit_s, condition):
    end = time.monotonic() + limit_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def leaves_nothing_when_killed(results):
    """The stand-in ends with the lesson, also if that has no chance to end it."""
    lesson = subprocess.Popen([PROGRAMS / "09_creating_concurrency"], env=environment(),
                              stdout=subprocess.DEVNULL)
    results.check(within(10, lambda: children_of(lesson.pid)), "the stand-in does not start")
    stand_in = children_of(lesson.pid)
    lesson.send_signal(signal.SIGKILL)
    lesson.wait()
    results.check(within(10, lambda: not any(os.path.exists(f"/proc/{pid}") for pid in stand_in)),
                  f"a killed lesson leaves {stand_in} running")


def leaves_no_files(results):
    with tempfile.TemporaryDirectory() as place:
        for name in ("15_parallel_calls", "16_concurrent_calls"):
            code, out, err = run(name, "-n", "7", TMPDIR=place)
            results.check(code == 0 and "7 files" in out, f"{name} -n 7", out, err)
            results.check(os.listdir(place) == [], f"{name} leaves files", os.listdir(place))


def front_door(results):
    """./run lesson lists them all, and knows what is none."""
    listed = subprocess.run([ROOT / "run", "lesson"], text=True, check=False, stdout=subprocess.PIPE)
    results.check(listed.returncode == 0 and
                  len(re.findall(r"^ +\d+[a-z]?  \S.*\.$", listed.stdout, re.M)) == len(LESSONS),
                  "the list of ./run lesson", listed.stdout)
    for none in ("99", "x", "5*", "0", "-1"):
        refused = subprocess.run([ROOT / "run", "lesson", none], text=True, check=False,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        results.check(refused.returncode == 2 and refused.stdout == "" and "no lesson" in refused.stderr,
                      f"./run lesson {none}: {refused}")


def main():
    results = Results("lessons/real")
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for name, good, details in pool.map(check, LESSONS):
            results.check(good, name, *details)
    leaves_nothing_when_killed(results)
    leaves_no_files(results)
    front_door(results)
    return results.end()


if __name__ == "__main__":
    sys.exit(main())
