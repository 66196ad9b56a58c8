#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples.py – the examples where standard output is full, or standard descriptors are closed.

If this fails, a program that people copy loses what it says without a word, hangs, or writes it into a file.
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import traceback

EXAMPLES = pathlib.Path(os.environ["JUGGLE_BUILD"]) / "examples"
LIMIT_S = 60
CONTENT = "what is copied\n" * 1000
# Programs that end by themselves and say something.
SAYING = (["embed"], ["fetch", "http://127.0.0.1:1/"], ["find_race", "fixed"], ["first"], ["gather"], ["goodbye"], ["hello"],
          ["pipeline"], ["pool", "threads"], ["pool", "processes"], ["select"], ["subprocess"])


def check(condition, *what):
    if not condition:
        raise AssertionError(what)


def run(name, *args, redirected, cwd=None):
    return subprocess.run(["sh", "-c", f'exec "$@" {redirected}', "sh", EXAMPLES / name, *args], cwd=cwd, text=True,
                          input="a\n", capture_output=True, timeout=LIMIT_S, check=False)


def is_silent(name, redirected):
    """Whether it may end without a word: embed without input, if its thread was too late to tell the time."""
    return name == "embed" and redirected.startswith("<&-")


def output_that_is_lost_is_a_failure():
    """Told in one line that names standard output, with exit code 1."""
    for name, *args in SAYING:
        for redirected in (">/dev/full", ">&-", "<&- >&-"):
            done = run(name, *args, redirected=redirected)
            if is_silent(name, redirected) and done.returncode == 0:
                continue
            lines = done.stderr.splitlines()
            check(done.returncode == 1 and len(lines) == 1 and "standard output" in lines[0], name, redirected, done)


def without_input_or_errors_all_is_well():
    for name, *args in SAYING:
        for redirected in ("<&-", "2>&-"):
            done = run(name, *args, redirected=redirected)
            said = done.stdout != "" or is_silent(name, redirected)
            check(done.returncode == 0 and said and done.stderr == "", name, redirected, done)


def with_nothing_open_they_end():
    for name, *args in SAYING:
        done = run(name, *args, redirected="<&- >&- 2>&-")
        check(done.returncode == 1 or (done.returncode == 0 and is_silent(name, "<&-")), name, done)


def files_are_copied_all_the_same():
    """What copy has to say of a file that is missing never gets into one that is not."""
    for redirected in ("<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-", ">/dev/full"):
        with tempfile.TemporaryDirectory() as directory:
            (pathlib.Path(directory) / "to").mkdir()
            (pathlib.Path(directory) / "one").write_text(CONTENT, encoding="ascii")
            done = run("copy", "one", "to", redirected=redirected, cwd=directory)
            check(done.returncode == 0, redirected, done)
            check((pathlib.Path(directory) / "to/one").read_text(encoding="ascii") == CONTENT, redirected)
            done = run("copy", "one", "missing", "to", redirected=redirected, cwd=directory)
            check(done.returncode == 1, redirected, done)
            check(CONTENT.startswith((pathlib.Path(directory) / "to/one").read_text(encoding="ascii")), redirected)


def what_makes_no_sense_is_told_how_to_use():
    """One line on standard error, and exit code 2: no server starts, nothing is measured."""
    for name, *args in (["copy"], ["copy", "one"], ["echo", "--help"], ["echo", "1", "2"], ["fetch"], ["mirror", "--help"],
                        ["mirror", "80x"], ["pool", "--help"], ["pool", "threads", "processes"], ["downloader"]):
        done = run(name, *args, redirected="")
        check(done.returncode == 2 and done.stdout == "", name, done)
        check(done.stderr.startswith("usage: ") and done.stderr.count("\n") == 1, name, done)


TESTS = (what_makes_no_sense_is_told_how_to_use, output_that_is_lost_is_a_failure, without_input_or_errors_all_is_well, with_nothing_open_they_end,
         files_are_copied_all_the_same)


def main():
    if not (EXAMPLES / "hello").exists():
        print(f"e2e/examples: 0 passed, 0 failed, {len(TESTS)} skipped")
        return 0
    failed = 0
    for test in TESTS:
        try:
            test()
        except (AssertionError, OSError, subprocess.SubprocessError):
            failed += 1
            print(f"FAIL {test.__name__}")
            traceback.print_exc(file=sys.stdout)
    print(f"e2e/examples: {len(TESTS) - failed} passed, {failed} failed, 0 skipped")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
