# SPDX-License-Identifier: MIT
"""cli_demo.py – `juggle demo`, the first thing that anybody runs.

If this fails, the first impression is a wrong one: no table, escapes in a log, a claim that its own
numbers do not bear out.
"""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

sys.dont_write_bytecode = True
from lib_cli import (CAUSES, GOOD, MODELS, SANITIZED, SLOWER, Skip, Suite, check, check_report,
                     environment, equal, finish, parse_json, run, start)

suite = Suite("e2e/cli_demo")

ORDER = ("sync", "processes", "threads", "coroutines")  # the rows of the demo
SMALL = ("-n", "300", "-c", "30", "-r", "1", "--latency=10ms")
TAKE_BACK = b"\r\x1b[K"  # how a progress line begins

# In the demo's own numbers, coroutines on one core take no more wall time than threads on all. Rounds of
# one model differ by some 5 %, more on a machine that does something else, too.
WALL_TOLERANCE = 1.10


class Screen:
    """A pseudo-terminal of a given size, and what was written to it."""

    def __init__(self, columns=100, rows=40):
        self.reader, self.writer = pty.openpty()
        fcntl.ioctl(self.writer, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
        self.text = b""

    def close(self):
        os.close(self.reader)


def on_screens(args, limit, out=None, err=None, **changes):
    """Runs juggle with stdout and stderr on screens of their own, or piped where there is none."""
    begin = time.monotonic()
    process = start(*args, env=environment(**changes), stdout=out.writer if out else subprocess.PIPE,
                    stderr=err.writer if err else subprocess.PIPE)
    screens = [screen for screen in (out, err) if screen]
    for screen in screens:
        os.close(screen.writer)
    open_ones = list(screens)
    try:
        while open_ones:
            left = begin + limit * SLOWER - time.monotonic()
            check(left > 0, "the demo takes too long", args)
            for reader in select.select([screen.reader for screen in open_ones], [], [], left)[0]:
                screen = next(one for one in open_ones if one.reader == reader)
                try:
                    screen.text += os.read(reader, 65536)
                except OSError:  # EIO: the last writer has closed it
                    open_ones.remove(screen)
    finally:
        if open_ones:
            process.kill()
        ended = finish(process, 5, args)
        for screen in screens:
            screen.close()
    return ended


def rows_of(text):
    """The first words of the table's rows."""
    plain = re.sub("\x1b\\[[0-9;]*m", "", text)
    return [words[0] for words in map(str.split, plain.splitlines()) if len(words) > 5 and words[0] in MODELS]


def check_sentence(text):
    """The verdict is a sentence about the models, in plain words."""
    flat = " ".join(re.sub("\x1b\\[[0-9;]*m", "", text).split())
    check(re.search(r"[A-Z][^.]*(requests|cores|models)[^.]*\. .*(Threads|Processes|Coroutines|Sync) ", flat),
          "no sentence of verdict:", flat)


def check_demo(report):
    """Everything was answered, by every model. Returns the models by name."""
    models = check_report(report, ORDER)
    settings = report["settings"]
    for name, model in models.items():
        equal(model["requests_failed"], dict.fromkeys(CAUSES, 0), f"{name}: failures")
        if name != "sync":
            equal(model["requests_ok"], settings["requests"] * settings["rounds"], f"{name}: answered")
    check(report["verdict"] and report["exit"]["code"] == GOOD, "the end", report["exit"])
    return models


def cpu(model):
    return model["cpu_user_s"] + model["cpu_sys_s"]


def switches(model):
    return model["switches_voluntary"] + model["switches_involuntary"]


def claims(models):
    """What the demo claims, and its numbers do not bear out."""
    ours, broken = models["coroutines"], []
    if ours["wall_s"] > models["threads"]["wall_s"] * WALL_TOLERANCE:
        broken.append(("wall", ours["wall_s"], "threads", models["threads"]["wall_s"]))
    for name in ORDER[:-1]:
        for what, cost in (("cpu", cpu), ("switches", switches)):
            if cost(ours) >= cost(models[name]):
                broken.append((what, cost(ours), name, cost(models[name])))
    for name in ("threads", "processes"):
        if ours["memory_bytes"] >= models[name]["memory_bytes"]:
            broken.append(("memory", ours["memory_bytes"], name, models[name]["memory_bytes"]))
    return broken


@suite.test
def as_it_comes():
    """On a terminal, without options: within 30 s, a table, a verdict, and numbers that bear it out."""
    if SANITIZED:
        raise Skip("a sanitized build has other costs")
    out, err = Screen(), Screen()
    begin = time.monotonic()
    ended = on_screens(["demo", "-o", "report.json"], 30, out, err)
    taken = time.monotonic() - begin
    equal(ended.code, GOOD, f"exit code; {out.text!r} {err.text!r}")
    check(taken < 30, "it took", taken)
    text = out.text.decode()
    equal(rows_of(text), list(ORDER), "rows")
    check_sentence(text)
    check("10,000 requests, 1,000 in flight" in text or "limits of this machine" in text, text)
    check("Next: juggle serve" in text and "not run in full" in text, text)
    check(TAKE_BACK not in out.text and err.text.count(TAKE_BACK) > 10, "progress", err.text[:200])
    check(err.text.endswith(TAKE_BACK), "the progress line stays", err.text[-80:])
    check(all(name.encode() in err.text for name in ORDER), "progress of every model")
    with open("report.json", encoding="utf-8") as file:
        models = check_demo(parse_json(file.read()))
    os.unlink("report.json")
    check(models["sync"]["extrapolated"], "sync in full?")
    equal(claims(models), [], "claims that its own numbers do not bear out")


@suite.test
def piped():
    """No escapes, no progress, nothing on stderr."""
    ended = run("demo", *SMALL)
    equal((ended.code, ended.err), (GOOD, ""), str(ended))
    equal(rows_of(ended.out), list(ORDER), "rows")
    check("\x1b" not in ended.out and "\r" not in ended.out, "escapes", ended.out)
    check_sentence(ended.out)


@suite.test
def as_json():
    """One object and nothing else, also on a terminal; no progress where only stdout is one."""
    ended = run("demo", *SMALL, "--json")
    equal((ended.code, ended.err), (GOOD, ""), str(ended))
    report = ended.json()
    check_demo(report)
    equal((report["settings"]["requests"], report["settings"]["concurrency"]), (300, 30), "settings")
    screen = Screen()
    ended = on_screens(["demo", *SMALL, "--json"], 15, screen)
    equal(ended.err, "", "stderr")
    check(b"\x1b" not in screen.text, "colours in JSON", screen.text[:200])
    check_demo(parse_json(screen.text))


@suite.test
def progress_goes_to_a_terminal_only():
    """It is shown where stderr is a terminal, wherever the table goes, and not with --quiet."""
    for args, shows in (([], True), (["--quiet"], False)):
        screen = Screen()
        ended = on_screens(["demo", *SMALL, *args], 15, err=screen)
        equal(TAKE_BACK in screen.text, shows, f"progress with {args}")
        check("\x1b" not in ended.out, "escapes in a pipe")


@suite.test
def colours():
    """On a terminal, unless NO_COLOR, TERM=dumb or --color say otherwise; never in a pipe by itself."""
    cases = (([], {}, True), ([], {"NO_COLOR": "1"}, False), ([], {"NO_COLOR": ""}, True),
             ([], {"TERM": "dumb"}, False), ([], {"TERM": None}, False), (["--color=never"], {}, False),
             (["--color=always"], {"NO_COLOR": "1"}, True))
    for args, changes, coloured in cases:
        screen = Screen()
        on_screens(["race", "http://127.0.0.1:1/", "-w", "cpu:10us", "-n", "4", "-c", "2", "-r", "1", *args], 15,
                   screen, **changes)
        equal(b"\x1b[" in screen.text, coloured, f"colour with {args} {changes}")
    for args, changes, coloured in (([], {"CLICOLOR_FORCE": "1"}, True), (["--color=always"], {}, True),
                                    ([], {"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, False)):
        ended = run("race", "http://127.0.0.1:1/", "-w", "cpu:10us", "-n", "4", "-c", "2", "-r", "1", *args,
                    env=environment(**changes))
        equal("\x1b[" in ended.out, coloured, f"colour in a pipe with {args} {changes}")


@suite.test
def narrow_and_plain_terminals():
    """The text fits the width; without UTF-8 it is ASCII."""
    for columns in (60, 80):
        out, err = Screen(columns), Screen(columns)
        on_screens(["demo", *SMALL, "--color=never"], 15, out, err)
        lines = out.text.decode().replace("\r\n", "\n").split("\n")
        prose = [line for line in lines if line and not line.startswith(("  ", "stand-in", "same", "Next"))]
        check(max(map(len, prose)) <= min(columns, 100), f"too wide for {columns} columns", prose)
        lines = err.text.decode().replace("\x1b[K", "").split("\r")
        check(max(map(len, lines)) < columns, f"progress too wide for {columns} columns", lines[:5])
    ended = run("demo", *SMALL, env=environment(LC_ALL="C"))
    check(ended.out.isascii() and rows_of(ended.out) == list(ORDER), str(ended))


if __name__ == "__main__":
    sys.exit(suite.main())
