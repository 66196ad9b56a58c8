#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""run.py: the benchmarks: juggle beside its peers and beside what the machine allows, in one run.

Holds      the figures of this run.
Invariant  every figure is the median of interleaved rounds (A B C A B C; five, or one with
           --quick), each made by a fresh process on a core of its own after a warm-up; one run is
           enough for a count; work that was not checked, a peer that is missing and a run that
           failed are named, never guessed.
Called by  ./run bench, after it has built target `bench`; $JUGGLE_BUILD is that build.
Why        absolute figures move from machine to machine; side by side in one run, ratios hold.
Quirks     the first core it may use is the client's, the last the server's; with only one core both
           share it, and it says so. Needs nothing but Python 3.
"""

import argparse
import json
import os
import signal
import statistics
import sys

sys.dont_write_bytecode = True

from harness import process, suites  # noqa: E402 (no byte code is to be written for these)

ROUNDS = 5
OTHERS_MOST = 0.05  # of the machine; above that a figure is worth little


def arguments():
    parser = argparse.ArgumentParser(
        prog="bench", description="Measures juggle beside its peers.",
        epilog="Prints a table; the exit code is 1 if a subject failed or juggle was not measured.")
    parser.add_argument("what", nargs="*", metavar="core|instructions|http|BENCH",
                        help="which benches (default: all)")
    parser.add_argument("--json", metavar="FILE",
                        help="also write [{bench, subject, unit, value}, ...]; - is stdout")
    parser.add_argument("--quick", action="store_true",
                        help="one round and no warm-up round: the same figures, noisier")
    parser.add_argument("--rounds", type=int, metavar="N", help=f"rounds that count (default {ROUNDS})")
    given = parser.parse_args()
    if given.rounds is not None and not 1 <= given.rounds <= 1000:
        parser.error("--rounds: a number from 1 to 1000")
    return parser, given


def chosen(parser, setting, what):
    everything = suites.suites(setting)
    kinds = {kind for kind, _ in everything}
    names = kinds | {bench for _, suite in everything for bench in suite.units}
    for name in what:
        if name not in names:
            parser.error(f"no bench named {name}; there are {', '.join(sorted(names))}")
    return [suite for kind, suite in everything
            if not what or kind in what or set(what) & set(suite.units)]


class Others:
    """How much of this machine others use meanwhile: what is busy and is neither us nor ours."""

    def __init__(self):
        self.busy_s, self.all_s = self.read()

    @staticmethod
    def read():
        with open("/proc/stat", encoding="ascii") as stat:
            ticks = [int(t) for t in stat.readline().split()[1:9]]
        busy_s = (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
        return busy_s - sum(os.times()[:4]), sum(ticks) / os.sysconf("SC_CLK_TCK")

    def share(self):
        busy_s, all_s = self.read()
        return max(busy_s - self.busy_s, 0) / max(all_s - self.all_s, 0.01)


def measure(suite, rounds, say):
    """Runs the suite's subjects in turn; returns {(bench, subject): values}, and the failures."""
    values, failures = {}, {}
    warm_up_rounds = 1 if suite.warm_up and rounds > 1 else 0
    for number in range(rounds + warm_up_rounds):
        for subject, once in suite.runs.items():
            if subject in failures:
                continue
            say(f"{suite.name}: {subject}, round {number + 1} of {rounds + warm_up_rounds}")
            try:
                result = once()
            except process.Failed as failure:
                failures[subject] = str(failure)
                continue
            if number >= warm_up_rounds:
                for bench, value in result.items():
                    values.setdefault((bench, subject), []).append(value)
    return {key: v for key, v in values.items() if key[1] not in failures}, failures


def shown(value, unit):
    """A figure as people read it: memory in MB, rates without decimals, the rest to 3 digits."""
    if unit == "bytes":
        return f"{value / 1e6:,.1f} MB"
    if unit == "requests/s":
        return f"{value:,.0f} /s"
    return f"{value:,.{0 if value >= 1000 else 1 if value >= 100 else 2}f} {unit}"


def print_suite(out, suite, values):
    for bench, unit in suite.units.items():
        rows = {s: values[bench, s] for s in suites.SUBJECT_ORDER if (bench, s) in values}
        mine = statistics.median(rows["juggle"]) if "juggle" in rows else None
        for subject, all_values in rows.items():
            median = statistics.median(all_values)
            spread = f"{shown(min(all_values), unit)} .. {shown(max(all_values), unit)}"
            ratio = f"{median / mine:7.2f} x" if mine else ""
            print(f"{bench:<18} {subject:<14} {shown(median, unit):>14}   {spread:<30} {ratio}",
                  file=out)
    out.flush()


def print_targets(out, medians):
    """Says of every target that applies whether it is met, and by how much it is missed."""
    for bench, relation, limit, other in suites.TARGETS:
        if (bench, "juggle") not in medians or (other and (bench, other) not in medians):
            continue
        value, unit = medians[bench, "juggle"]
        bound = limit * medians[bench, other][0] if other else limit
        met = value <= bound if relation == "<=" else value >= bound
        text = f"{limit:g} x {other}" if other else shown(limit, unit)
        verdict = "met" if met else f"MISSED by {abs(value / bound - 1) * 100:.0f} %"
        print(f"must  {bench:<18} {relation} {text:<17} {shown(value, unit):>14}   {verdict}",
              file=out)


def run(parser, given, out):
    cores = sorted(os.sched_getaffinity(0))
    setting = suites.Setting(os.environ.get("JUGGLE_BUILD", "build/release"), cores[0], cores[-1],
                             given.quick)
    selected = chosen(parser, setting, given.what)
    # This script keeps off the client's core.
    os.sched_setaffinity(0, {setting.server_core})
    if len(cores) == 1:
        print("note: one core only: client and server share it", file=out)
    progress = sys.stderr.isatty()

    def say(text):
        if progress:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    for line in dict.fromkeys(line for suite in selected for line in suite.missing):
        print(f"skipped: {line}", file=out)
    medians, failed = {}, []
    rounds = given.rounds or (1 if given.quick else ROUNDS)
    print(f"{'bench':<18} {'subject':<14} {'median':>14}   {'lowest .. highest':<30} to juggle",
          file=out)
    for suite in selected:
        others = Others()
        values, failures = measure(suite, 1 if suite.exact else rounds, say)
        say("")
        print_suite(out, suite, values)
        if suite.runs and not suite.exact and others.share() > OTHERS_MOST:
            print(f"{suite.name:<18} note: others used {others.share() * 100:.0f} % of this machine "
                  "meanwhile; do not trust this figure", file=out)
        for subject, why in failures.items():
            failed.append(subject)
            print(f"{suite.name:<18} {subject:<14} FAILED: {why}", file=out)
        medians.update({key: (statistics.median(v), suite.units[key[0]])
                        for key, v in values.items()})
    print_targets(out, medians)
    unmeasured = any("juggle" not in suite.runs for suite in selected)
    return medians, 1 if failed or unmeasured else 0


def interrupted(number, _frame):
    sys.exit(128 + number)


def main():
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)
    parser, given = arguments()
    if given.json and given.json != "-":
        try:
            with open(given.json, "a", encoding="ascii"):
                pass
        except OSError as error:
            parser.error(f"--json {given.json}: {error.strerror}")
    out = sys.stderr if given.json == "-" else sys.stdout
    try:
        medians, code = run(parser, given, out)
    finally:
        process.end_all()
    if given.json:
        rows = [{"bench": bench, "subject": subject, "unit": unit, "value": value}
                for (bench, subject), (value, unit) in medians.items()]
        with (sys.stdout if given.json == "-" else open(given.json, "w", encoding="ascii")) as file:
            json.dump(rows, file, indent=1)
            file.write("\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
