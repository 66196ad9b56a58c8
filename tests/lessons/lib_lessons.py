# SPDX-License-Identifier: MIT
"""lib_lessons.py: what the tests of the lessons share.

Holds      the list of lessons, how one is run, and what in its output may differ from run to run.
Invariant  nothing runs without a limit.
Called by  the tests beside it.
Why        the lessons are tested as people run them: as programs.
"""
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("JUGGLE_BUILD", ROOT / "build/release")) / "lessons"
LESSONS = sorted(path.stem for path in (ROOT / "lessons").glob("[0-9]*.c"))
LIMIT_S = 60

# Lessons in which threads, processes or the disk take real time, also under --sim.
REAL = ("02_", "15_", "16_", "17_", "18_", "19_")

MASKS = ((r"core \d+", "core #"), (r"from \d+\.\d+ to", "from # to"), (r" *\d+\.\d+ (s\b|ms|x)", r" # \1"), (r" *\b\d+ ms of", " # ms of"),
         (r"(?<=counted )\d+ of 8000: some were lost", "# of 8000: some were lost"))


def masked(text):
    """Without figures of time and place."""
    for pattern, instead in MASKS:
        text = re.sub(pattern, instead, text)
    return text


def without_lines(text):
    """Without the numbers of lines, and without the place it was built at."""
    return re.sub(r"[^\s(]*?((?:lessons|src)/[\w/]+\.c):\d+", r"\1:#", text)


def recorded_err(name):
    """What the guide shows of its standard error."""
    return without_lines((ROOT / "docs/guide/measured" / f"{name}.stderr.txt").read_text(encoding="utf-8"))


def is_real(name):
    return name.startswith(REAL)


def environment(**changes):
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {**keep, "LC_ALL": "C.UTF-8", "RES_OPTIONS": "timeout:1 attempts:1", **changes}


def run(name, *args, limit_s=LIMIT_S, prefix=(), stdout=subprocess.PIPE, **changes):
    """Returns (exit code, standard output, standard error)."""
    done = subprocess.run([*prefix, PROGRAMS / name, *args], env=environment(**changes), text=True,
                          stdin=subprocess.DEVNULL, stdout=stdout,
                          stderr=subprocess.PIPE, timeout=limit_s, check=False)
    return done.returncode, done.stdout, done.stderr


def expected(name):
    return (ROOT / "tests/lessons" / f"{name}.expected").read_text(encoding="utf-8")


class Results:
    """Counts, and says what failed."""

    def __init__(self, name):
        self.name, self.passed, self.failed = name, 0, 0

    def check(self, good, what, *details):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAIL {what}", *details, sep="\n", flush=True)

    def end(self):
        print(f"{self.name}: {self.passed} passed, {self.failed} failed, 0 skipped")
        return self.failed != 0
