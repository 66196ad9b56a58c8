# SPDX-License-Identifier: MIT
"""instructions.py – how many instructions a yield, and a spawn with its join, take where nobody looks on.

Holds      the limits.
Invariant  counts, not times: a busy machine changes nothing.
Called by  ctest. Compiles a program against the static library, and runs it under callgrind.
Why        debug mode and traces promise to cost nothing when off; a hook in the hot path would be
           noticed by nobody.
Quirks     the limits are of gcc on x86-64 in a release build; elsewhere the test is skipped.
"""
import os
import platform
import re
import shutil
import subprocess
import tempfile

BUILD = os.environ["JUGGLE_BUILD"]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NAME = "e2e/instructions"
FEW, MANY = 1000, 11000
MOST = {"yield": 57, "spawn": 530}  # measured: 56.7; 528.4
LIMIT_S = 120

PROGRAM = """
#include <juggle.h>
#include <stdlib.h>
static intptr_t nothing(void *arg) {
    return (intptr_t)arg;
}
static intptr_t yield(void *arg) {
    for (long left = (long)arg; left > 0; left--) {
        jg_yield();
    }
    return 0;
}
static intptr_t yield_twice(void *arg) {
    jg_task *other = jg_spawn(yield, arg);
    yield(arg);
    return jg_join(other);
}
static intptr_t spawn(void *arg) {
    for (long left = (long)arg; left > 0; left--) {
        jg_join(jg_spawn(nothing, NULL));
    }
    return 0;
}
int main(int argc, char **argv) {
    return (int)jg_run(argc == 3 && argv[1][0] == 'y' ? yield_twice : spawn, (void *)atol(argv[2]));
}
"""


def why_not():
    with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as file:
        cache = file.read()
    if "CMAKE_BUILD_TYPE:STRING=Release" not in cache or "JUGGLE_SANITIZE:STRING=none" not in cache:
        return "counted in a release build only"
    if platform.machine() != "x86_64" or not re.search(r"CMAKE_C_COMPILER:\w+=.*gcc", cache):
        return "the limits are of gcc on x86-64"
    return None if shutil.which("valgrind") else "valgrind is not installed"


def count(program, what, times):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("JUGGLE_")}
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, what, str(times)],
        capture_output=True, text=True, env=environment, timeout=LIMIT_S, check=True)
    return int(re.search(r"Collected : (\d+)", run.stderr)[1])


def main():
    reason = why_not()
    if reason:
        print(f"SKIP {NAME}: {reason}")
        print(f"{NAME}: 0 passed, 0 failed, {len(MOST)} skipped")
        return 0
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        program = os.path.join(directory, "program")
        subprocess.run(["gcc", "-O2", "-x", "c", "-", "-x", "none", f"-I{ROOT}/include",
                        f"{BUILD}/libjuggle.a", "-pthread", "-o", program],
                       input=PROGRAM, text=True, check=True, timeout=LIMIT_S)
        for what, most in MOST.items():
            each = 2 if what == "yield" else 1
            taken = (count(program, what, MANY) - count(program, what, FEW)) / (MANY - FEW) / each
            verdict = "PASS" if taken <= most else "FAIL"
            failed += verdict == "FAIL"
            print(f"{verdict} {what}: {taken:.1f} instructions, at most {most}")
    print(f"{NAME}: {len(MOST) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


raise SystemExit(main())
