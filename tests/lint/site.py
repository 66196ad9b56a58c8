#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tools that make the site: what they should find they find, without Doxygen and Sphinx.

If this fails a declaration is missing from the reference, or ./run docs passes over a dead link.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "scripts/site"))
import doxygen_filter  # noqa: E402
import measure  # noqa: E402

HEADERS = sorted((ROOT / "include/juggle").glob("*.h"))
FUNCTION = re.compile(r"^(JG_API) [^;{]*?\b(jg_\w+)\([^;{]*[;{]|^(#define) (jg_\w+)\(", re.M)
PRIVATE = re.compile(r"^/\* (?:Private below|The machinery of the blocks).*", re.M | re.S)


def every_function_is_documented():
    """Each public function of each header, macros among them, has a comment of its own right above it."""
    wrong = []
    for header in HEADERS:
        text = header.read_text(encoding="utf-8")
        shown = doxygen_filter.header(text)
        for match in FUNCTION.finditer(PRIVATE.sub("", text)):
            begins, name = match[1] or match[3], match[2] or match[4]
            twin = name.endswith("_at") and doxygen_filter.TWIN.search(match[0])
            if not twin and not re.search(rf"\*/\n{begins} [^;{{]*?\b{name}\(", shown):
                wrong.append(f"{header.name}: {name}")
    return wrong


def what_is_private_stays_out():
    """Fields that are private, and the machinery of macros, are not shown."""
    shown = {header.stem: doxygen_filter.header(header.read_text(encoding="utf-8")) for header in HEADERS}
    hidden = {"sync": "next_held", "scope": "jg_scope_block_step", "task": "*jg_spawn_at", "wait": "jg_many_node"}
    wrong = [f"{stem}.h: {word}" for stem, word in hidden.items() if word in shown[stem]]
    return wrong + [stem for stem, text in shown.items()
                    if re.search(r"^ .*/\* ", re.sub(r"/\*\*.*?\*/", "", text, flags=re.S), re.M)]


def only_true_records():
    """What ./run measure would put into the guide is refused where it does not show what the page says."""
    lesson = "one after another  0.15 s  1.0 x  5 primes\nthreads  0.08 s  {} x  5 primes\nprocesses  0.08 s  {} x  5 primes\n"
    cases = ((lesson.format("1.9", "2.0"), 2, True), (lesson.format("1.0", "2.0"), 2, False),
             (lesson.format("1.9", "1.4"), 2, False), (lesson.format("1.0", "1.0"), 1, True),
             ("  coroutines  1 s\n  (too narrow for: cores)\n", 2, False), ("a race with all its columns\n", 2, True))
    return [text for text, cores, good in cases if (measure.why_not(text, cores) is None) != good]


def dead_links_are_found():
    """A missing file, a missing anchor and a page loaded from elsewhere fail the check; a good link does not."""
    wrong = []
    for link, good in (("other.html#there", True), ("#here", True), ("https://example.net/x", True),
                       ("none.html", False), ("other.html#gone", False), ("//example.net/x.js", False)):
        with tempfile.TemporaryDirectory() as directory:
            pages = pathlib.Path(directory)
            (pages / "page.html").write_text(f'<a id="here" href="{link}">x</a>', encoding="utf-8")
            (pages / "other.html").write_text('<p id="there">x</p>', encoding="utf-8")
            done = subprocess.run([sys.executable, ROOT / "scripts/site/check.py", pages], check=False,
                                  capture_output=True)
            wrong += [] if (done.returncode == 0) == good else [link]
    return wrong


def main():
    checks = (every_function_is_documented, what_is_private_stays_out, only_true_records, dead_links_are_found)
    failed = 0
    for check in checks:
        wrong = check()
        failed += bool(wrong)
        for what in wrong:
            print(f"FAIL {check.__name__}: {what}")
    print(f"lint/site: {len(checks) - failed} passed, {failed} failed, 0 skipped")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
