#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs ctest, shows one line per test program as it ends, and adds up their closing lines.

    tally.py LABEL TOTALS_FILE CTEST_ARGS...

Each program ends with `name: N passed, N failed, N skipped`. A program that fails without saying so
(no closing line, killed, exit code not 0, not built) counts as one failure more. "P F S" is appended
to TOTALS_FILE; lines `SCHEDULES name: N from seed S` become one; the exit code is 0 only if nothing failed.
"""
import re
import subprocess
import sys

SCHEDULES = re.compile(r"^SCHEDULES \S+: (\d+) from seed (0x[0-9a-f]+)$")
OUTPUT = re.compile(r"^(\d+): ?(.*)$")
CLOSING = re.compile(r"^\S+: (\d+) passed, (\d+) failed, (\d+) skipped$")
RESULT = re.compile(r"^ *\d+/\d+ Test +#(\d+): (\S+) [.]*(.*?) +([0-9.]+) sec")
CTEST_NOISE = re.compile(r"^(Test command:|Working Directory:|Environment variables:| \S+=|"
                         r"Test timeout computed to be:)")
SHOWN_LINES = 80


class Program:
    """What one test program has printed so far."""

    def __init__(self):
        self.lines = []
        self.counts = None
        self.schedules = 0
        self.first_seed = ""

    def add(self, line):
        closing, schedules = CLOSING.match(line), SCHEDULES.match(line)
        if closing:
            self.counts = [int(n) for n in closing.groups()]
        elif schedules:
            self.schedules += int(schedules[1])
            self.first_seed = schedules[2]
        elif not CTEST_NOISE.match(line):
            self.lines.append(line)

    def verdict(self, status):
        """Returns [passed, failed, skipped], never without a failure when ctest saw one."""
        counts = list(self.counts or [0, 0, 0])
        if counts[1] == 0 and (status != "Passed" or self.counts is None):
            counts[1] = 1
        return counts


def report(label, name, status, seconds, program):
    counts = program.verdict(status)
    words = [f"{n} {word}" for n, word in zip(counts, ("passed", "failed", "skipped"))
             if n or word == "passed"]
    note = "" if status == "Passed" else f"  {status.strip('*')}"
    print(f"{label:8} {name:36} {', '.join(words)}{note}  ({seconds:.1f} s)")
    if program.schedules:
        print(f"    {program.schedules} schedules from seed {program.first_seed}")
    shown = program.lines if counts[1] else [s for s in program.lines if s.startswith("SKIP ")]
    early = shown[:-SHOWN_LINES]
    if early:
        print(f"    ... {len(early)} lines left out, but for the verdicts")
    for line in [s for s in early if s.startswith("FAIL ")] + shown[-SHOWN_LINES:]:
        print(f"    {line}")
    sys.stdout.flush()
    return counts


def run(label, ctest_args):
    totals = [0, 0, 0]
    programs = {}
    command = ["ctest", "-V", "--no-tests=ignore", *ctest_args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", bufsize=1) as ctest:
        for line in ctest.stdout:
            line = line.rstrip("\n")
            output, result = OUTPUT.match(line), RESULT.match(line)
            if output:
                programs.setdefault(output[1], Program()).add(output[2])
            elif result:
                program = programs.pop(result[1], Program())
                counts = report(label, result[2], result[3].strip(), float(result[4]), program)
                totals = [a + b for a, b in zip(totals, counts)]
    if ctest.returncode != 0 and totals[1] == 0:
        print(f"{label}: ctest ended with code {ctest.returncode}")
        totals[1] = 1
    return totals


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    totals = run(sys.argv[1], sys.argv[3:])
    with open(sys.argv[2], "a", encoding="utf-8") as file:
        print(*totals, file=file)
    return 0 if totals[1] == 0 else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
