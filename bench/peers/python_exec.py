#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""python_exec.py: Python's ProcessPoolExecutor: a function in a process of a pool, and back.

Holds      one pool.
Invariant  every future's result is checked inside the pass that submitted it.
Called by  run.py, `python_exec.py process_pool WIDTH`.
Why        the pool people know. The function hands back its argument, so what is left is the way
           there and back. Prints the line of common/measure.c.
"""
import json
import resource
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait

WARM_UP = 200
MEASURED_S = 0.3


def hand_back(value):
    return value


def one_pass(pool, width, count):
    """`width` jobs under way, until `count` have been done."""
    left = count
    under_way = set()
    while left or under_way:
        while left and len(under_way) < width:
            under_way.add(pool.submit(hand_back, left))
            left -= 1
        done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
        for future in done:
            if not 0 < future.result() <= count:
                sys.exit("a wrong answer")


def cpu_s():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main():
    if len(sys.argv) != 3 or sys.argv[1] != "process_pool":
        sys.exit("usage: python_exec.py process_pool WIDTH")
    width = int(sys.argv[2])
    with ProcessPoolExecutor() as pool:
        one_pass(pool, width, WARM_UP)
        start = time.monotonic()
        one_pass(pool, width, WARM_UP)
        count = max(width, int(WARM_UP * MEASURED_S / (time.monotonic() - start)))
        start, start_cpu = time.monotonic(), cpu_s()
        one_pass(pool, width, count)
        wall, cpu = time.monotonic() - start, cpu_s() - start_cpu
    print(json.dumps({"value": cpu / count * 1e9, "count": count, "cpu_s": cpu, "wall_s": wall}))


if __name__ == "__main__":
    main()
