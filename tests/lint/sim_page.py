#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/testing-with-sim.md shows the program as it is, and what it really prints.

The simulation repeats exactly, so the page can be checked word for word. If this fails after a change of
the runtime, run the commands of the page again and put in what they print now.
"""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/testing-with-sim.md").read_text(encoding="utf-8")
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
LISTING = re.compile(r"^```c\n(#include.*?)^```$", re.M | re.S)


def listing_is_true():
    source = (ROOT / "examples/find_race.c").read_text(encoding="utf-8")
    shown = LISTING.search(PAGE)
    return shown is not None and source.endswith(shown[1])


def run(command):
    """What a command of the page prints, its standard error included."""
    build = os.environ.get("JUGGLE_BUILD", str(ROOT / "build/release"))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("JUGGLE_SEED")}
    done = subprocess.run(command.replace("build/release", build), shell=True, env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
    return done.stdout


def console_is_true(block):
    commands = re.split(r"^\$ ", block, flags=re.M)[1:]
    true = bool(commands)
    for part in commands:
        command, _, shown = part.partition("\n")
        said = run(command)
        if said.strip() != shown.strip():
            print(f"FAIL $ {command}\nprints now:\n{said}")
            true = False
    return true


def main():
    results = [listing_is_true()] + [console_is_true(block) for block in CONSOLE.findall(PAGE)]
    if not results[0]:
        print("FAIL the listing is not examples/find_race.c")
    if len(results) < 4:
        print("FAIL the page shows too little")
        results.append(False)
    failed = results.count(False)
    print(f"lint/sim_page: {len(results) - failed} passed, {failed} failed, 0 skipped")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
