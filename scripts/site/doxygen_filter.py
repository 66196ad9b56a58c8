#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""doxygen_filter.py HEADER: the header on stdout, its comments as Doxygen wants them.

Holds      nothing; line numbers are not kept.
Invariant  only what users may rely on gets a Doxygen comment: what is marked private stays undocumented,
           and with that out of the reference.
Called by  doxygen, as INPUT_FILTER, for each header (see build.py).
Why        the headers are written for people who read them in an editor; Doxygen's marks would stand in
           their way, and everything it needs can be told from the way the comments are laid out.
"""
import re
import sys

LABEL = re.compile(r"(Returns|Owns|Threads|Suspends|Holds|Invariant|Why|Quirks|Called by)\s{2,}(\S.*)")
COMMENT = re.compile(r"^/\*(.*?)\*/[^\S\n]*\n((?:[^\n]+\n)*)", re.M | re.S)
TRAILING = re.compile(r"([;,{]|\w)(\s*)/\*(?!\*)(.*?)\*/", re.S)
TWIN = re.compile(r"\bconst char \*(?:site|where)\b[^;{]*\)")  # takes the place of the call, which a macro gives it
NAME = re.compile(r"^#define (\w+)|(?:^|[\s*])(jg_\w+)\(|\b(jg_\w+)\b[^\n]*\{$|\} (jg_\w+);", re.M)


def escaped(text):
    """Text for Doxygen: its own marks are plain characters, except inside backticks."""
    pieces = re.sub(r"(?<![`\w])-E[A-Z0-9]{2,}\b(?!`)", r"`\g<0>`", text).split("`")
    pieces[::2] = [re.sub(r"([\\@<>&#%$])", r"\\\1", piece) for piece in pieces[::2]]
    return "`".join(pieces)


def body_lines(comment):
    return [re.sub(r"^ \* ?", "", line).rstrip() for line in comment.strip().split("\n")]


def documentation(comment):
    """The lines of a comment: labels become paragraphs with a title, indented blocks become code."""
    out, code, before = [], False, ""
    for line in body_lines(comment):
        label = LABEL.fullmatch(line)
        begins = line.startswith("    ") and before == "" and not code
        if code and line and not line.startswith("    "):
            out.append("@endcode")
            code = False
        if begins:
            if len(out) > 1 and out[-1] == "" and out[-2].endswith(":"):
                out.pop()  # else the block would not belong to the paragraph with the title
            out.append("@code{.c}")
            code = True
        if code:
            out.append(line[4:])
        elif label:
            out += ["", f"@par {label[1]}", escaped(label[2])]
        else:
            out.append(escaped(line.strip()))
        before = line
    return out + ["@endcode"] * code


def commented(lines):
    return "/**\n" + "".join(f" * {line}\n" for line in lines) + " */\n"


def with_fields(code):
    """Comments behind fields and enumerators."""
    def mark(match):
        words = escaped(re.sub(r"\s*\n\s*\*?\s*", " ", match[3].strip()))
        return f"{match[1]}{match[2]}/**< {words} */"
    return TRAILING.sub(mark, code)


def declarations(block):
    """The declarations that follow a comment without a blank line, each as text."""
    found, current, depth = [], "", 0
    for line in block.splitlines(keepends=True):
        current += line
        code = re.sub(r"/\*.*?\*/", "", line)
        depth += code.count("{") + code.count("(") - code.count("}") - code.count(")")
        ends = current.startswith("#define") or re.search(r"[;}]\s*$", code)
        if depth == 0 and ends and not code.rstrip().endswith("\\"):
            found.append(current)
            current = ""
    return found + ([current] if current else [])


def without_private_fields(text, all_of_them):
    """A struct with the fields that users may touch."""
    inside = re.search(r"\{\n(.*?)^\}", text, re.M | re.S)
    private = re.search(r"^ *\w[^\n]*/\* Private|^ */\* Private|[^\n]*the rest is private", text, re.M)
    if all_of_them and inside:
        return text[:inside.start(1)] + text[inside.end(1):]
    if private and inside:
        return text[:private.start()] + text[inside.end(1):]
    return text


def converted(comment, block):
    """A comment and what it is about; the comment is repeated for each declaration it stands above."""
    if block.strip() == "" or comment.startswith(" ----") or re.search(r"\bPrivate\b", comment):
        return ""
    lines = documentation(comment)
    closed = re.search(r"[Ff]ields\s+(?:\* )?are\s+(?:\* )?private", comment) is not None
    out = ""
    for text in declarations(block):
        names = NAME.search(text)
        name = next((part for part in names.groups() if part), "") if names else ""
        if not name.endswith("_") and not TWIN.search(text):
            suspends = ["", "@par Suspends", "a cancellation point."] if "JG_SUSPENDS" in text else []
            out += commented(lines + suspends) + with_fields(without_private_fields(text, closed))
    return out + "\n"


def header(text):
    """The whole header: its own comment describes the file, and nothing below `private` is shown."""
    text = re.sub(r"^// SPDX.*\n", "", text)
    own = re.match(r"/\*(.*?)\*/\n", text, re.S)
    first, _, rest = own[1].strip().partition("\n")
    about = first.partition("–")[2].strip() or first
    private = re.search(r"^/\* (?:Private below|The machinery of the blocks)", text, re.M)
    public = text[own.end():private.start() if private else len(text)]
    public = re.sub(r"\{\n[^{}]*^\}", lambda match: match[0].replace("\n\n", "\n"), public, flags=re.M)
    shown = COMMENT.sub(lambda match: converted(match[1], match[2]), public + "\n")
    # A type that says all in its fields has no comment of its own.
    shown = re.sub(r"^typedef (?:struct|enum) \w+ \{\n.*?^\}", lambda match: with_fields(match[0]), shown,
                   flags=re.M | re.S)
    return commented(["@file", *documentation(about[0].upper() + about[1:] + "\n" + rest)]) + shown


if __name__ == "__main__":
    sys.stdout.write(header(open(sys.argv[1], encoding="utf-8").read()))
