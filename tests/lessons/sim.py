#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sim.py [--update]: every lesson under the virtual clock prints exactly what is kept beside this file.

The pages of the guide show these outputs. If this fails after a change of a lesson, look at what it prints
now and, if that is as it should be, run this with --update.
"""
import sys

sys.dont_write_bytecode = True
from lib_lessons import LESSONS, ROOT, Results, expected, is_real, masked, recorded_err, run, without_lines  # noqa: E402

# What a lesson is meant to say on standard error, the guide shows.
SAYS = ("13_retrieving_errors",)


def output(name, seed=None):
    # Debug mode, which lesson 6 switches on, looks at the real clock: a busy machine is no finding.
    changes = {"JUGGLE_BACKEND": "sim", "JUGGLE_DEBUG": "0"} | ({"JUGGLE_SEED": seed} if seed else {})
    code, out, err = run(name, **changes)
    return code, masked(out) if is_real(name) else out, err


def has_lines(source):
    return len(source.read_text(encoding="utf-8").splitlines()) <= 80


def check(results, name):
    code, out, err = output(name)
    results.check(code == 0 and out == expected(name), f"{name}: exit code {code}; it prints now:", out, err)
    said = recorded_err(name) if name in SAYS else ""
    results.check(without_lines(err) == said, f"{name}: standard error:", err)
    results.check(has_lines(ROOT / "lessons" / f"{name}.c"), f"{name}.c has more than 80 lines")


def update():
    for name in LESSONS:
        (ROOT / "tests/lessons" / f"{name}.expected").write_text(output(name)[1], encoding="utf-8")


def main():
    if "--update" in sys.argv:
        update()
        return 0
    results = Results("lessons/sim")
    for name in LESSONS:
        check(results, name)
    other = output("07_order_of_execution", seed="2")[1]
    results.check(other != expected("07_order_of_execution"), "another seed draws no other delays")
    results.check(len(LESSONS) >= 19, "lessons are missing")
    return results.end()


if __name__ == "__main__":
    sys.exit(main())
