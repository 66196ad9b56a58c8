#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The pages of docs/ speak of what exists, and lead somewhere; that of asyncio leaves no name out.

If this fails a page names a function we do not have, a link is dead, a page of the guide shows a lesson
without its output, a lesson has no page, or docs/asyncio.md lacks a name of asyncio.
"""
import asyncio
import asyncio.subprocess
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests/lessons"))
from lib_lessons import LESSONS, expected, masked  # noqa: E402
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
OURS = re.compile(r"\b(?:jg|JG)_\w*[A-Za-z0-9]\b(?!\*)")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
INCLUDE = re.compile(r"^```\{literalinclude\} (\S+)$", re.M)
PICTURE = re.compile(r"!\[[^\]]+\]\(([^)\s]+)\)")

# What came after the Python that may run this, up to 3.14.
LATER = """
eager_task_factory create_eager_task_factory QueueShutDown EventLoop capture_call_graph print_call_graph
format_call_graph FrameCallGraphEntry FutureCallGraph future_add_to_awaited_by future_discard_from_awaited_by
Queue.shutdown Server.close_clients Server.abort_clients Task.get_context StreamWriter.start_tls
Handle.get_context
""".split()
# Classes whose methods have rows of their own: how the page calls them.
CLASSES = {
    "AbstractEventLoop": "loop", "Future": "Future", "Task": "Task", "TaskGroup": "TaskGroup", "Timeout": "Timeout",
    "Runner": "Runner", "Lock": "Lock", "Event": "Event", "Condition": "Condition", "Semaphore": "Semaphore",
    "Barrier": "Barrier", "Queue": "Queue", "StreamReader": "StreamReader", "StreamWriter": "StreamWriter",
    "Server": "Server", "BaseTransport": "BaseTransport", "BaseProtocol": "BaseProtocol", "Handle": "Handle",
    "SubprocessTransport": "SubprocessTransport", "SubprocessProtocol": "SubprocessProtocol",
}


def text_of(page):
    return page.read_text(encoding="utf-8")


def without_changes(page):
    """The changelog also speaks of what is no more."""
    return page.name != "CHANGELOG.md"


def names_exist():
    """Each jg_ and JG_ name of a page is a word of a public header."""
    known = set()
    for header in (ROOT / "include").rglob("*.h"):
        known |= set(re.findall(r"\b\w+\b", text_of(header)))
    for page in filter(without_changes, PAGES):
        for name in sorted(set(OURS.findall(text_of(page))) - known):
            yield f"{page.relative_to(ROOT)}: no header has {name}"


def links_lead_somewhere():
    """Each relative link, picture and included file of a page exists."""
    for page in PAGES:
        text = text_of(page)
        for target in LINK.findall(text) + INCLUDE.findall(text):
            path = target.partition("#")[0]
            made = path.endswith("reference/index.rst")
            if path and not re.match(r"[a-z]+:", path) and not made and not (page.parent / path).exists():
                yield f"{page.relative_to(ROOT)}: {target} does not exist"


def guide_is_whole():
    """Each lesson has a page with its code, its output and its picture."""
    shown = {}
    for page in sorted((ROOT / "docs/guide").glob("*.md")):
        text = text_of(page)
        pictures = [pathlib.Path(path).stem for path in PICTURE.findall(text)]
        includes = [pathlib.Path(path) for path in INCLUDE.findall(text)]
        outputs = {path.stem for path in includes if path.suffix in (".expected", ".txt")}
        for lesson in (path.stem for path in includes if path.suffix == ".c" and "lessons" in path.parts):
            shown[lesson] = page
            if lesson not in outputs:
                yield f"{page.name}: shows {lesson}.c, and not what it prints"
            elif lesson not in pictures:
                yield f"{page.name}: shows {lesson}.c, and no picture of it"
    for lesson in LESSONS:
        if lesson not in shown:
            yield f"lessons/{lesson}.c: is on no page"


def talk_is_shown():
    """The page that talk.md names for a part of the talk shows its lesson."""
    guide = ROOT / "docs/guide"
    for lesson, page in re.findall(r"^\| \d+ \|.*lessons/(\w+\.c)\).*?\]\(([\w-]+\.md)\)", text_of(guide / "talk.md"), re.M):
        if f"lessons/{lesson}" not in text_of(guide / page):
            yield f"talk.md: {page} does not show {lesson}"


def choices_have_races():
    """Each row of the table to decide by names a model of the race, and each race on record is on a page."""
    guide = ROOT / "docs/guide"
    page = text_of(guide / "when-not-to-use-concurrency.md")
    table = page[page.index("| the work | choose |"):page.index("Three questions")]
    for row in table.splitlines()[2:]:
        look_at = row.rstrip(" |").rpartition("|")[2]
        if row and not re.search(r"`(sync|threads|processes|coroutines|multicore|offload)`", look_at):
            yield f"when-not-to-use-concurrency.md: no race is behind {row}"
    shown = "".join(text_of(other) for other in guide.glob("*.md"))
    for record in sorted((guide / "measured").glob("race-*.txt")):
        if f"measured/{record.name}" not in shown:
            yield f"{record.relative_to(ROOT)}: is on no page"


def records_are_true():
    """What was recorded of a lesson on the real clock is what it still prints, but for the figures."""
    for record in sorted((ROOT / "docs/guide/measured").glob("*.txt")):
        lesson = record.stem
        if lesson in LESSONS and masked(text_of(record)) != expected(lesson):
            yield f"{record.relative_to(ROOT)}: the lesson prints something else now; ./run measure records it"


def asyncio_names():
    for name in asyncio.__all__:
        yield name
    for name, called in CLASSES.items():
        methods = [method for method in vars(getattr(asyncio, name)) if not method.startswith("_")]
        yield from (f"{called}.{method}" for method in methods)
    yield from (f"Process.{name}" for name in dir(asyncio.subprocess.Process) if not name.startswith("_"))
    yield from LATER


def asyncio_is_covered():
    """Each public name of asyncio is in a table."""
    text = text_of(ROOT / "docs/asyncio.md")
    said = set(re.findall(r"`([\w.]+)[`(]", text))
    for name in asyncio_names():
        if name not in said:
            yield f"docs/asyncio.md: nothing about {name}"


def main():
    checks = (names_exist, links_lead_somewhere, guide_is_whole, talk_is_shown, choices_have_races, records_are_true, asyncio_is_covered)
    failed = 0
    for check in checks:
        wrong = list(check())
        failed += bool(wrong)
        for line in wrong:
            print(f"FAIL {check.__name__}: {line}")
    print(f"lint/docs: {len(checks) - failed} passed, {failed} failed, 0 skipped")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
