#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every declaration marked JG_SUSPENDS is tried by tests/api/test_every_wait.c.

If this fails a call that may suspend is new, and nobody has looked whether it is refused where suspending is
not possible, in a forked child, and while a cancel stands: give it a row in that table.
"""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAME = "lint/waits"
TABLE = ROOT / "tests/api/test_every_wait.c"
# Ends of blocks and steps of loops, which other rows go through; what has no result, or closes whatever stands.
ELSEWHERE = set("""
jg_group_block_close jg_group_close jg_as_completed_step jg_process_cleanup jg_process_close jg_file_close
""".split())


def main():
    declared = set()
    for header in (ROOT / "include").rglob("*.h"):
        text = header.read_text(encoding="utf-8")
        declared |= set(re.findall(r"\bJG_SUSPENDS\s[^;{(]*?\b(jg_\w+)\(", text))
    declared = {re.sub(r"_at$", "", name) for name in declared}
    tried = set(re.findall(r"\bWAIT\((jg_\w+),", TABLE.read_text(encoding="utf-8")))
    failures = [f"{name} may suspend, and has no row in {TABLE.relative_to(ROOT)}"
                for name in sorted(declared - tried - ELSEWHERE)]
    failures += [f"{name} has a row, or is excused, and is not declared so"
                 for name in sorted((tried | ELSEWHERE) - declared)]
    for failure in failures:
        print(f"FAIL {failure}")
    print(f"{NAME}: {len(tried)} passed, {len(failures)} failed, 0 skipped")
    return 1 if failures or not tried else 0


raise SystemExit(main())
