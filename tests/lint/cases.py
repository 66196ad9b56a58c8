#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every case of docs/semantics.md has a test that is named after it.

    cases.py [--update]

A case is a row of the page, `| S44 | the rule | files |`; its tests are called s44_something, those of
S50 (a) s50a_something, those of X4 x04_something, those of R12 r12_something, in C or in tests/e2e. The
page says in which files they are; --update writes that column anew.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/semantics.md"
CASES = [f"S{n}" for n in range(1, 50)] + [f"S50{letter}" for letter in "abcdefghijkl"] + \
        [f"X{n}" for n in range(1, 13)] + \
        [f"R{n}" for n in (*range(1, 17), *range(19, 37), 38, 41, 42, 43)]
TEST = re.compile(r"^START_TEST\(([sxr]\d\w*)\)|^@suite\.test\ndef (r\d\w*)\(", re.M)
SWEEPS = {"R2": "cancel_sweep", "R14": "fault_sweep", "R15": "alloc_sweep", "R16": "weather", "R32": "weather"}
NAMED = re.compile(r"^([sxr])(\d\d)([a-l]?)_[a-z]\w*$")
ROW = re.compile(r"^\| ([SXR]\d+[a-l]?) \| (.*?) \| ([^|]*) \|$", re.M)


def find_tests(failures):
    """Which files have tests of which case: {"S44": {"api/test_sync"}}."""
    found = {}
    for path in sorted([*(ROOT / "tests").rglob("test_*.c"), *(ROOT / "tests/e2e").glob("*.py")]):
        place = str(path.relative_to(ROOT / "tests").with_suffix(""))
        for name in map("".join, TEST.findall(path.read_text(encoding="utf-8"))):
            match = NAMED.match(name)
            if match is None:
                failures.append(f"{place}: {name} is not called like s44_…, s50a_…, x04_…, r12_…")
                continue
            letter, number, sub = match.groups()
            case = f"{letter.upper()}{int(number)}{sub}"
            if case not in CASES:
                failures.append(f"{place}: {name}: there is no case {case}")
            found.setdefault(case, set()).add(place)
    # Sweeps are a file each, and their tests are called after the scenarios.
    for case, sweep in SWEEPS.items():
        found.setdefault(case, set()).add(f"sim/test_{sweep}")
    return found


def check(text, found, failures):
    rows = {match[1]: match for match in ROW.finditer(text)}
    for case in CASES:
        if case not in found:
            failures.append(f"{case}: no test is named after it")
        if case not in rows:
            failures.append(f"{case}: docs/semantics.md has no row for it")
    for case, row in rows.items():
        listed = set(row[3].split(", "))
        for place in sorted(listed - found.get(case, set())):
            failures.append(f"{case}: docs/semantics.md says {place}, which has no test of it")


def update(text, found):
    def fill(match):
        return f"| {match[1]} | {match[2]} | {', '.join(sorted(found.get(match[1], {'–'})))} |"
    PAGE.write_text(ROW.sub(fill, text), encoding="utf-8")


def main():
    failures = []
    found = find_tests(failures)
    if sys.argv[1:] == ["--update"]:
        update(PAGE.read_text(encoding="utf-8"), found)
    check(PAGE.read_text(encoding="utf-8"), found, failures)
    for failure in failures:
        print(f"FAIL {failure}")
    passed = len(CASES) - len({failure.split(":")[0] for failure in failures} & set(CASES))
    print(f"lint/cases: {passed} passed, {len(failures)} failed, 0 skipped")
    return len(failures) != 0


if __name__ == "__main__":
    sys.exit(main())
