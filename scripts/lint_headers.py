#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that whatever the public headers declare has a comment.

    lint_headers.py [TREE]

Functions, macros, types, fields and the names of enums. A comment is for all that follows it without an
empty line; a field's stands behind it or above it. Private is what a comment calls so: a type's fields, the
rest of a type or of a header ("Private below."), and macros that end in an underscore.
"""
import re
import sys

import lintlib

COMMENT = re.compile(r"/\*.*?\*/", re.S)
PRIVATE = re.compile(r"\bprivate\b", re.I)
REST_PRIVATE = re.compile(r"private below|below is private", re.I)
MACRO = re.compile(r"#\s*define\s+(\w*[^\W_])(?!\w)")
FUNCTION = re.compile(r"\b(jg_\w+)\s*\(")
NAME = re.compile(r"(\w+)\s*(?:\[[^\]]*\]\s*|:\s*\d+\s*|=[^,]*|\)\s*\(.*)?$", re.S)
BODY = re.compile(r"^(?:typedef\s+)?(struct|union|enum)\b[^;{}]*\{", re.M)


def says(comment):
    """Its words, without the marks at the lines' beginnings."""
    return re.sub(r"\s*\n \*\s*", " ", comment)


def paragraphs(text):
    """Offset and text of each stretch without an empty line, those in braces and comments left whole."""
    depth, start, found = 0, None, []
    for match in re.finditer(r"/\*.*?\*/|[{}]|\n(?=[ \t]*\n)|\n|[^\n/{}]+|/", text, re.S):
        piece = match[0]
        depth += (piece == "{") - (piece == "}")
        if start is None and piece.strip():
            start = match.start()
        if piece == "\n" and start is not None and text[match.end():match.end() + 1] == "\n" and depth == 0:
            found.append((start, text[start:match.start()]))
            start = None
    return found + ([(start, text[start:])] if start is not None else [])


def plain(text):
    """C without comments, guards, conditions and what opens or ends extern "C"."""
    text = lintlib.without_comments(text)
    text = re.sub(r'^JG_(BEGIN|END)_DECLS$|extern "C" \{', lambda m: " " * len(m[0]), text, flags=re.M)
    return re.sub(r"^#\s*(?!define)[^\n]*|^#\s*define \w+_H$", lambda m: " " * len(m[0]), text, flags=re.M)


def declared(text):
    """Offset and name of the macros and declarations at the top of a paragraph."""
    code = re.sub(r"\{[^{}]*\}", lambda m: re.sub(r"[^\n]", " ", m[0]), plain(text))
    code = re.sub(r"\{.*?^\}", lambda m: re.sub(r"[^\n]", " ", m[0]), code, flags=re.S | re.M)
    for match in MACRO.finditer(code):
        yield match.start(1), match[1]
    code = re.sub(r"^#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m[0]), code, flags=re.M)
    for match in re.finditer(r"[^\s;][^;]*", code):
        name = FUNCTION.search(match[0]) or NAME.search(match[0].rstrip())
        yield match.start(), name[1] if name else match[0].strip()


def fields(kind, body):
    """Offset, name and comment of each field or name of an enum; the comment of a private rest ends it."""
    comments = [(m.start(), m.end()) for m in COMMENT.finditer(body)]
    blank = COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), body)
    ends = [m.end() for m in re.finditer("," if kind == "enum" else ";", blank)]
    if blank[ends[-1] if ends else 0:].strip():
        ends.append(len(blank))
    start = 0
    for end in ends:
        code = blank[start:end].rstrip().rstrip(";,")
        line_end = body.find("\n", end)
        behind = [c for c in comments if end <= c[0] < (line_end if line_end >= 0 else len(body))]
        mine = [c for c in comments if start <= c[0] < end] + behind
        name = NAME.search(code)
        at = start + len(code) - len(code.lstrip())
        yield at, name[1] if name else code.strip(), " ".join(says(body[a:b]) for a, b in mine)
        start = behind[-1][1] if behind else end


def check_fields(report, path, text, offset, paragraph):
    for match in BODY.finditer(lintlib.without_comments(paragraph)):
        end = paragraph.find("\n}", match.end())
        end = end if end >= 0 else paragraph.find("}", match.end())
        for at, name, comment in fields(match[1], paragraph[match.end():end]):
            if REST_PRIVATE.search(comment):
                break
            if not comment:
                place = text.count("\n", 0, offset + match.end() + at) + 1
                report.fail(path, place, f"{name}: a field without a comment")


def check_header(report, path):
    text = path.read_text(encoding="utf-8")
    head = COMMENT.search(text)  # the file's own
    body = " " * head.end() + text[head.end():] if head else text
    for offset, paragraph in paragraphs(body):
        first = re.match(r"(?:\s*(?:#(?!\s*define)[^\n]*|JG_\w+_DECLS)\n)*\s*(/\*.*?\*/)", paragraph, re.S)
        comment = says(first[1]) if first else ""
        if REST_PRIVATE.search(comment):
            return
        if not comment:
            for at, name in declared(paragraph):
                report.fail(path, text.count("\n", 0, offset + at) + 1, f"{name}: declared without a comment")
        if not PRIVATE.search(comment):
            check_fields(report, path, text, offset, paragraph)


def main():
    report = lintlib.Report("lint_headers", lintlib.root_from_args())
    for path in lintlib.files(report.root, ("include",), ".h"):
        check_header(report, path)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
