#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plays random schedules of the scenarios of tests/sim for as long as it takes.

    seeds.py PROGRAM [N [BASE]]

N schedules in all (2,000,000) are shared out evenly, starting at seed BASE (a new one). One process per
scenario, as many at a time as there are processors. A failure says how to repeat it. The last line is
`N passed, N failed, N skipped`, in scenarios.
"""
import concurrent.futures
import os
import subprocess
import sys
import time


def play(program, scenario, each, base):
    """Returns whether it passed, and what it said."""
    environment = {**os.environ, "FIXTURE_SEED": hex(base), "FIXTURE_SEEDS": str(each),
                   "FIXTURE_LIMIT": "0"}
    started = time.monotonic()
    done = subprocess.run([program, scenario], env=environment, text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode == 0, done.stdout, time.monotonic() - started


def main():
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    program = sys.argv[1]
    wanted = int(sys.argv[2], 0) if len(sys.argv) > 2 else 2_000_000
    base = int(sys.argv[3], 0) if len(sys.argv) > 3 else time.time_ns()
    scenarios = subprocess.run([program, "--list"], stdout=subprocess.PIPE, text=True,
                               check=True).stdout.split()
    each = -(-wanted // len(scenarios))
    print(f"{each} schedules of each of {len(scenarios)} scenarios, from seed {hex(base)}")
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = {pool.submit(play, program, name, each, base): name for name in scenarios}
        for run in concurrent.futures.as_completed(runs):
            passed, said, seconds = run.result()
            failed += not passed
            print(f"{runs[run]:12} {'passed' if passed else 'FAILED'} ({seconds:.1f} s)", flush=True)
            if not passed:
                print(said)
    print(f"{each * len(scenarios)} schedules from seed {hex(base)}")
    print(f"{len(scenarios) - failed} passed, {failed} failed, 0 skipped")
    return failed != 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
