#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""restaurant.py: lesson 3, as a film on a terminal, and its claims for other guests.

If this fails, the first picture of the talk is torn, is shown where no cursor can be moved, or says
something that its own figures do not bear out.
"""
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

sys.dont_write_bytecode = True
from lib_lessons import PROGRAMS, Results, environment, run  # noqa: E402

NAME = "03_restaurant"
ROW = re.compile(r"^(.{32}) +(\d+) +([\d.]+) min +(\d+) % +(\d+) +([\d.]+)$", re.M)
UP = re.compile(rb"\x1b\[(\d+)A")
COLOUR = re.compile(rb"\x1b\[[0-9;]*m")


def resize(terminal, columns, rows):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))


def on_terminal(columns, rows, then=None, **changes):
    """Shown in a window of that size, which changes to `then` when the film has begun."""
    reader, writer = pty.openpty()
    resize(writer, columns, rows)
    process = subprocess.Popen([PROGRAMS / NAME], stdin=subprocess.DEVNULL, stdout=writer, stderr=writer,
                               env=environment(**{"TERM": "xterm"} | changes))
    os.close(writer)
    text = b""
    try:
        while piece := os.read(reader, 65536):
            text += piece
            if then and UP.search(text):
                resize(reader, *then)
    except OSError:  # EIO: the last writer has closed it
        pass
    os.close(reader)
    return process.wait(), text


def film(results):
    """Every frame is drawn over the one before, and the end is what a pipe gets, but for colours."""
    code, text = on_terminal(80, 24)
    frames = UP.split(text)[0::2]
    results.check(code == 0 and len(frames) == 240, f"exit code {code}, {len(frames)} frames")
    results.check({frame.count(b"\n") for frame in frames[:-1]} == {int(UP.search(text)[1])},
                  "the cursor goes back to another line than the first")
    last = COLOUR.sub(b"", frames[-1]).replace(b"\x1b[K", b"").replace(b"\r\n", b"\n").decode()
    results.check(last == run(NAME)[1], "the last frame is not what a pipe gets", last)
    results.check(max(map(len, last.splitlines())) <= 80, "wider than the terminal")


def smaller_window(results):
    """Where the film no longer fits it ends, and the whole evening is drawn once more, as wide as the window is now."""
    code, text = on_terminal(80, 24, then=(60, 24), NO_COLOR="1")
    frames = UP.split(text)[0::2]
    last = frames[-1].rpartition(b"\x1b[K")[2].partition(b"4:00 h")[2].decode()
    tables = [line for line in last.splitlines() if line.startswith("table ")]
    results.check(code == 0 and len(frames) < 240 and len(tables) == 15 and max(map(len, tables)) <= 60,
                  f"a film in a window that has become smaller: {len(frames)} frames", last)


def no_film(results):
    for what, columns, rows, changes in (("low", 100, 20, {}), ("narrow", 79, 40, {}),
                                         ("TERM unset", 100, 40, {"TERM": ""}), ("TERM=dumb", 100, 40, {"TERM": "dumb"}),
                                         ("COLUMNS too large", 80, 24, {"COLUMNS": "120"})):
        code, text = on_terminal(columns, rows, **changes)
        results.check(code == 0 and not UP.search(text) and b"\x1b[K" not in text, f"a film although {what}")
    _, text = on_terminal(100, 20)
    results.check(COLOUR.search(text), "no colours on a terminal")
    _, text = on_terminal(100, 20, NO_COLOR="1")
    results.check(b"\x1b" not in text, "NO_COLOR")


def plain(results):
    _, text, _ = run(NAME, LC_ALL="C")
    results.check(text.isascii() and "#" in text and "\x1b" not in text, "ASCII", text)
    _, text, _ = run(NAME, COLUMNS="60")
    tables = [line for line in text.splitlines() if line.startswith("table ")]
    results.check(len(tables) == 15 and max(map(len, tables)) <= 60, "COLUMNS=60", *tables)


def claims(results):
    """One waiter who minds all tables: about as many guests, at a fifth of the wages; who stays, few."""
    for seed in range(1, 31):
        rows = ROW.findall(run(NAME, "--seed", str(seed))[1])
        all_tables, each, stays = ({"served": int(row[1]), "waiting": float(row[2]), "idle": int(row[3]),
                                    "wages": int(row[4])} for row in rows)
        results.check(all_tables["served"] >= 0.8 * each["served"] and all_tables["wages"] * 5 == each["wages"]
                      and stays["served"] < all_tables["served"] / 2 and each["waiting"] == 0
                      and stays["waiting"] > 10 * all_tables["waiting"] and all_tables["idle"] < each["idle"],
                      f"the claim with --seed {seed}", *rows)


def main():
    results = Results("lessons/restaurant")
    film(results)
    smaller_window(results)
    no_film(results)
    plain(results)
    claims(results)
    return results.end()


if __name__ == "__main__":
    sys.exit(main())
