#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the house rules that no compiler or formatter checks.

    lint_style.py [TREE]

Licence line and file comment, length of files and functions, words that mean "not finished", paths of
somebody's machine, allocation past base/mem, hooks past rt/observe.h, sleeping tests, and that what the public headers declare
exists.
"""
import re
import sys

import lintlib

FILE_WARN, FILE_MAX = 500, 600
TEST_MAX = 800  # a list of cases that share their helpers may be longer
FUNCTION_WARN, FUNCTION_MAX = 60, 80
WIDTH_MAX = 110

SPDX = "SPDX-License-Identifier: MIT"
ANSWERS = ("Holds", "Invariant", "Called by", "Why")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
MACHINE_PATH = re.compile(r"(?<![\w.}-])/(?:work|root|home)/\w|/tmp/b[r]ief")
HEAP = re.compile(r"(?<![\w.>])(malloc|calloc|realloc|reallocarray|strdup|strndup|free)\(")
SLEEP = re.compile(r"(?<!\w)(sleep|usleep|nanosleep)\(")
OBSERVER = re.compile(r"(?:\.|->)observer\b")
OBSERVED_BY = ("src/obs", "src/rt/observe.h", "src/rt/loop.c")
DECLARED = re.compile(r"^JG_API\b([^;{}]*?)\b(jg_\w+)\s*\(", re.M)
DEFINED = re.compile(r"^[A-Za-z_][^;{}=#]*?\b(jg_\w+)\s*\([^;{}]*\)\s*\{", re.M)
FUNCTION = re.compile(r"^(?!struct\s+\w+\s*\{|union\b|enum\b|typedef\b)[A-Za-z_][^;{}=#]*?"
                      r"\b(\w+)\s*\([^;{}=]*\)[^;{}=()]*\{\n", re.M)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def check_head(report, path, text):
    """The licence line, and in C the file comment below it."""
    lines = text.split("\n")
    at = 1 if lines[0].startswith("#!") else 0
    if SPDX not in lines[at]:
        report.fail(path, at + 1, f"the first line is not {SPDX}")
        return
    if path.suffix not in (".c", ".h", ".S"):
        return
    comment = "\n".join(lines[1:]).lstrip()
    if not re.match(rf"(/\*|//) (\S*/)?{re.escape(path.name)}\W", comment):
        report.fail(path, 2, f"no file comment: /* {path.name} – what it is")
        return
    if path.is_relative_to(report.root / "src"):
        head = "\n".join(lines[:60])
        for answer in ANSWERS:
            if not re.search(rf"^(?: \*|//)\s+{answer}\b", head, re.M):
                report.fail(path, 2, f"the file comment does not answer: {answer}")


def check_length(report, path, text):
    count = text.count("\n")
    for number, line in enumerate(text.split("\n"), 1):  # code is the formatter's, who lets comments be
        if len(line) > WIDTH_MAX and path.suffix in (".c", ".h", ".S"):
            report.fail(path, number, f"{len(line)} columns; a line has at most {WIDTH_MAX}")
    if count > (TEST_MAX if 'tests' in str(path).split('/') else FILE_MAX):
        report.fail(path, count, f"{count} lines; a file has at most {FILE_WARN}")
    elif count > FILE_WARN:
        report.warn(path, count, f"{count} lines; a file has at most {FILE_WARN}")


def check_functions(report, path, text):
    plain = lintlib.without_strings(text)
    for match in FUNCTION.finditer(plain):
        end = plain.find("\n}", match.end() - 1)
        if end < 0:
            continue
        lines = plain.count("\n", match.start(), end + 1) + 1
        place = line_of(plain, match.start())
        if lines > FUNCTION_MAX:
            report.fail(path, place, f"{match[1]}: {lines} lines; a function has at most {FUNCTION_WARN}")
        elif lines > FUNCTION_WARN:
            report.warn(path, place, f"{match[1]}: {lines} lines; a function has at most {FUNCTION_WARN}")


def check_words(report, path, text):
    for match in UNFINISHED.finditer(text):
        report.fail(path, line_of(text, match.start()), f"{match[0]}: finish it or open an issue")


def check_heap(report, path, text):
    plain = lintlib.without_strings(text)
    for match in HEAP.finditer(plain):
        report.fail(path, line_of(plain, match.start()), f"{match[1]}: all allocation goes through base/mem.h")


def check_hooks(report, path, text):
    """A library without hooks, which bench/ compares with, is one only if observe.h has them all."""
    plain = lintlib.without_strings(text)
    for match in OBSERVER.finditer(plain):
        report.fail(path, line_of(plain, match.start()), "who looks on is asked through rt/observe.h")


def check_sleep(report, path, text):
    plain = lintlib.without_strings(text)
    for match in SLEEP.finditer(plain):
        report.warn(path, line_of(plain, match.start()), f"{match[1]} in a test: time comes from the sim clock")


def check_declarations(report):
    """Every function a public header declares is defined in src/."""
    defined = set()
    for path in lintlib.files(report.root, ("src",), ".c"):
        defined |= set(DEFINED.findall(lintlib.without_strings(path.read_text(encoding="utf-8"))))
    for path in lintlib.files(report.root, ("include",), ".h"):
        text = lintlib.without_strings(path.read_text(encoding="utf-8"))
        for match in DECLARED.finditer(text):
            if match[2] not in defined:
                mark = " JG_SUSPENDS" if "JG_SUSPENDS" in match[1] else ""
                report.fail(path, line_of(text, match.start(2)), f"{match[2]}:{mark} declared, not defined in src/")


def text_files(root):
    """Everything a person wrote, build output apart."""
    found = [root / name for name in ("run", ".ci/run", "CMakeLists.txt", "CMakePresets.json")]
    found += root.glob("*.md")
    found += lintlib.files(root, (*lintlib.C_DIRS, "cmake", "scripts", "docs", ".ci"), ".c", ".h", ".S",
                           ".cpp", ".go", ".py", ".sh", ".cmake", ".txt", ".md", ".in", ".json")
    return sorted({path for path in found if path.is_file()})


def main():
    report = lintlib.Report("lint_style", lintlib.root_from_args())
    root = report.root
    for path in text_files(root):
        text = path.read_text(encoding="utf-8")
        place = path.relative_to(root).parts[0]
        for match in MACHINE_PATH.finditer(text):
            report.fail(path, line_of(text, match.start()), f"a path of somebody's machine: {match[0]}")
        if path.suffix in (".c", ".h", ".S", ".cpp", ".go", ".py", ".sh", ".cmake") or \
                path.name in ("run", "CMakeLists.txt"):
            check_head(report, path, text)
        if path.suffix in (".c", ".h"):
            check_length(report, path, text)
            check_functions(report, path, text)
        if place in ("src", "include", "cli"):
            check_words(report, path, text)
        if place == "src" and path.suffix == ".c" and path != root / "src/base/mem.c":
            check_heap(report, path, text)
        if place == "src" and not any(path.is_relative_to(root / by) for by in OBSERVED_BY):
            check_hooks(report, path, text)
        if place == "tests" and path.suffix == ".c":
            check_sleep(report, path, text)
    check_declarations(report)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
