#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Adds up what a test run reached: one line per room, and whether the engine's rooms are reached well.

    coverage.py BUILD_DIR [--any]

Reads the counters under BUILD_DIR by gcovr and leaves the lines, one by one, in BUILD_DIR/html. The exit
code is 1 when lines or branches of a room in WANTED are reached to less than its share; with --any, when
only some of the tests ran, never.
"""
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

WANTED = {"src/rt": 98.0, "src/sync": 98.0, "src/task": 98.0}

# What nothing can provoke, with the reason; reviewed, and for the whole line. Of the first kind the lines
# count all the same.
EXCLUDED_BRANCHES = [
    (r"\bmust\(.*\)", "only a bug of ours breaks an invariant; misuse goes to check_misuse, and is tested"),
    (r"on_valgrind\(\)|valgrind_ids", "taken under valgrind, where no test counts"),
]
EXCLUDED_LINES = [
    (r"__builtin_unreachable\(\);", "is no code"),
    (r"VALGRIND_STACK_DEREGISTER|sanitize_stack_forget\(unsigned|forget\(region->valgrind|"
     r"valgrind_ids\S* = ", "runs under valgrind only"),
]


def one_of(expressions):
    return "|".join(f".*(?:{expression})" for expression, _ in expressions)


def run_gcovr(build):
    html = build / "html"
    html.mkdir(parents=True, exist_ok=True)
    summary = build / "coverage.json"
    subprocess.run(["gcovr", "--root", str(ROOT), "--filter", "src/", "--filter", "cli/",
                    "--object-directory", str(build), "--exclude-branches-by-pattern", one_of(EXCLUDED_BRANCHES),
                    "--exclude-lines-by-pattern", one_of(EXCLUDED_LINES),
                    "--json-summary", str(summary), "--html-details", str(html / "index.html"), str(build)],
                   check=True, cwd=ROOT)
    return json.loads(summary.read_text(encoding="utf-8"))


def add_up(files):
    """Returns room -> [lines reached, lines, branches taken, branches]."""
    rooms = {}
    for file in files:
        parts = pathlib.PurePath(file["filename"]).parts
        sums = rooms.setdefault("/".join(parts[:2]) if parts[0] == "src" else parts[0], [0, 0, 0, 0])
        for place, key in enumerate(("line_covered", "line_total", "branch_covered", "branch_total")):
            sums[place] += file[key]
    return rooms


def share(part, whole):
    return 100.0 * part / whole if whole else 100.0


def print_row(name, sums):
    lines, branches = share(*sums[:2]), share(*sums[2:])
    print(f"{name:10} lines {lines:5.1f} % ({sums[0]} of {sums[1]})".ljust(44) +
          f"branches {branches:5.1f} % ({sums[2]} of {sums[3]})")
    return lines, branches


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    rooms = add_up(run_gcovr(build)["files"])
    print_row("all", [sum(column) for column in zip(*rooms.values())])
    low = []
    for name in [*WANTED, *sorted(set(rooms) - set(WANTED))]:
        shares = print_row(name, rooms.get(name, [0, 1, 0, 1]))
        if min(shares) < WANTED.get(name, 0.0):
            low.append(f"{name} is below {WANTED[name]:.0f} %")
    print(f"line by line: {build}/html/index.html")
    if low and "--any" not in sys.argv[2:]:
        print("coverage: " + ", ".join(low))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
