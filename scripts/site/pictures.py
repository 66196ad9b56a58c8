#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""pictures.py BUILD [--check]: draws the pictures of the guide from the lessons' own runs.

Holds      nothing: which pictures there are, the pages say; what stands above one, its lesson.
Invariant  a picture is a trace of the lesson under the simulated clock, and so the same on every machine.
           With --check nothing is written: it fails when a picture is not what the lesson does now.
Called by  ./run pictures, and tests/lint/pictures.py.
Why        pictures lie in the repository, so that pages can be read there, and a change of the runtime or of
           a lesson shows in the pictures it changes.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs/guide"
WIDTH = "900"  # pixels; what fits into a page's column


def wanted():
    """The lessons whose pictures the pages show."""
    names = set()
    for page in GUIDE.glob("*.md"):
        names |= set(re.findall(r"\(pictures/(\w+)\.svg\)", page.read_text(encoding="utf-8")))
    return sorted(names)


def title_of(lesson):
    """What a lesson's first comment says it shows."""
    text = (ROOT / "lessons" / f"{lesson}.c").read_text(encoding="utf-8")
    words = re.search(r"^/\* \S+ – (.*?[.])(?:\s|$)", text, re.M | re.S)[1]
    return f"Lesson {lesson.split('_')[0].lstrip('0')}: {' '.join(words.split()).rstrip('.')}"


def place_of(match):
    """Where a task was spawned: the lesson's own lines, of all else the file, wherever it was built."""
    path, name, line = match.groups()
    return f"spawned at {name}:{line}" if path.endswith("lessons/") else f"spawned at {name}"


def draw_trace(build, lesson, trace, out):
    """Makes the picture of a trace."""
    subprocess.run([build / "juggle", "trace", trace, "--output", out, "--title", title_of(lesson),
                    "--width", WIDTH], check=True, timeout=60)
    picture = out.read_text(encoding="utf-8")
    out.write_text(re.sub(r"spawned at ([^<:]*?)([\w.]+):(\d+)", place_of, picture), encoding="utf-8")


def draw(build, lesson, out):
    """Runs the lesson and draws what it did."""
    with tempfile.TemporaryDirectory() as directory:
        trace = pathlib.Path(directory) / "trace.json"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("JUGGLE")}
        environment["JUGGLE_TRACE"] = str(trace)
        subprocess.run([build / "lessons" / lesson, "--sim"], env=environment, check=True, timeout=60,
                       cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        draw_trace(build, lesson, trace, out)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    check = "--check" in sys.argv[2:]
    wrong = 0
    (GUIDE / "pictures").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        for lesson in wanted():
            picture = GUIDE / "pictures" / f"{lesson}.svg"
            new = pathlib.Path(directory) / picture.name
            draw(build, lesson, new)
            same = picture.exists() and picture.read_bytes() == new.read_bytes()
            if not same and not check:
                picture.write_bytes(new.read_bytes())
                print(f"pictures: {picture.relative_to(ROOT)}")
            elif not same:
                wrong += 1
                print(f"FAIL {picture.relative_to(ROOT)} is not what the lesson does; ./run pictures draws it anew")
    if check:
        print(f"lint/pictures: {len(wanted()) - wrong} passed, {wrong} failed, 0 skipped")
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
