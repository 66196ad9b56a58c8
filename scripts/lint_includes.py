#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fails on an #include that goes up the house.

    lint_includes.py [TREE]

A room of src/ may include itself and the rooms below it. What stands outside src/ sees include/ only.
"""
import re
import sys

import lintlib

# From the ground up. Rooms on one floor do not see each other.
FLOORS = (("base",), ("rt",), ("sync",), ("task",), ("exec",), ("io",), ("net", "os", "sim"), ("tls",),
          ("http", "obs"))
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# Who sees public headers only, and the files of its own that it may quote.
OUTSIDE = {"cli": "cli", "lessons": "lessons", "examples": "examples", "bench": "bench",
           "tests/api": "tests", "include": "include"}
# Parts of the command that others may quote: they see include/ only as well.
LENT = {"lessons": ("cli/output.h", "cli/standin.h", "cli/terminal.h")}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def includes(path):
    text = lintlib.without_comments(path.read_text(encoding="utf-8"))
    for match in INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match[1], match[2]


def check_room(report, path, room):
    """A file of src/<room>/."""
    root = report.root
    own = f"{room}/{path.stem}.h"
    first = True
    for line, mark, name in includes(path):
        other = name.split("/")[0]
        if mark == '"' and not (root / "src" / name).is_file():
            report.fail(path, line, f'"{name}" is not relative to src/')
        elif (root / "src" / name).is_file() and other not in FLOOR_OF:
            report.fail(path, line, f"{other}/ is not a room; the rooms are listed in this script")
        elif (root / "src" / name).is_file() and other != room and \
                FLOOR_OF[other] >= FLOOR_OF[room]:
            report.fail(path, line, f"{room} may not include {name}: {other} is not below it")
        if first and path.suffix == ".c" and (root / "src" / own).is_file() and name != own:
            report.fail(path, line, f'the first include is "{own}", so that it stands alone')
        first = False


def check_outside(report, path, home, lent=()):
    """A file that sees public headers and its own directory."""
    root = report.root
    for line, mark, name in includes(path):
        places = [(start / name).resolve() for start in (path.parent, root / home, root)]
        mine = name in lent or any(p.is_file() and p.is_relative_to(root / home) for p in places)
        if mark == '"' and not mine:
            report.fail(path, line, f'"{name}" is internal; only <juggle.h> and <juggle/...> are seen')
        elif mark == "<" and (root / "src" / name).is_file():
            report.fail(path, line, f"<{name}> is internal; only <juggle.h> and <juggle/...> are seen")


def check_everywhere(report, path):
    in_tls = path.is_relative_to(report.root / "src" / "tls")
    for line, _, name in includes(path):
        if name.startswith("openssl/") and not in_tls:
            report.fail(path, line, "only src/tls names OpenSSL")
        if name.endswith(".c"):
            report.fail(path, line, "no .c file includes another")


def check_src(report):
    src = report.root / "src"
    for path in lintlib.files(report.root, ("src",), ".c", ".h", ".S"):
        room = path.relative_to(src).parts[0]
        if room in FLOOR_OF:
            check_room(report, path, room)
        else:
            report.fail(path, 1, "lies in no room; the rooms are listed in scripts/lint_includes.py")


def main():
    report = lintlib.Report("lint_includes", lintlib.root_from_args())
    check_src(report)
    for place, home in OUTSIDE.items():
        for path in lintlib.files(report.root, (place,), ".c", ".h"):
            check_outside(report, path, home, LENT.get(place, ()))
    for path in lintlib.files(report.root, lintlib.C_DIRS, ".c", ".h"):
        check_everywhere(report, path)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
