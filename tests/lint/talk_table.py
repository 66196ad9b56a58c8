#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""talk_table.py: docs/guide/talk.md names every part of the talk, and what it names is there.

If this fails, a part of the talk has no lesson, or a lesson no place in the table.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs/guide"
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.M)
LINK = re.compile(r"\]\(([^)#:]+)\)")


def main():
    text = (GUIDE / "talk.md").read_text(encoding="utf-8")
    rows = ROW.findall(text)
    named = {pathlib.Path(link).stem for row in rows for link in LINK.findall(row[2])}
    lessons = {path.stem for path in (ROOT / "lessons").glob("[0-9]*.c")}
    results = {
        "rows 1 to 19": {int(row[0]) for row in rows} == set(range(1, 20)),
        "every lesson has a row": named == lessons,
        "every row has a page": all(re.search(r"\]\([a-z-]+\.md\)", row[3]) for row in rows),
        "every row has tests": all({"sim", "real"} <= set(re.findall(r"\w+", row[4])) for row in rows),
    }
    # Pages beside this one are checked by the guide's own links.
    for link in LINK.findall(text):
        if link.startswith("../"):
            results[link] = (GUIDE / link).is_file()
    failed = [what for what, good in results.items() if not good]
    for what in failed:
        print(f"FAIL {what}")
    print(f"lint/talk_table: {len(results) - len(failed)} passed, {len(failed)} failed, 0 skipped")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
