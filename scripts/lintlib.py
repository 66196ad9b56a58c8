# SPDX-License-Identifier: MIT
"""What the lint scripts share: finding files, reading C without its comments, reporting."""
import pathlib
import re
import sys

C_DIRS = ("src", "include", "cli", "lessons", "examples", "bench", "fuzz", "tests")
COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


class Report:
    """Collects what is wrong; `warn` is shown but does not fail."""

    def __init__(self, name, root):
        self.name = name
        self.root = root
        self.failures = 0

    def fail(self, path, line, text):
        self.failures += 1
        print(f"{path.relative_to(self.root)}:{line}: {text}")

    def warn(self, path, line, text):
        print(f"{path.relative_to(self.root)}:{line}: warning: {text}")

    def end(self):
        if self.failures:
            print(f"{self.name}: {self.failures} to mend")
        return 1 if self.failures else 0


def root_from_args():
    """The tree to look at: the first argument, or the one this script lies in."""
    here = pathlib.Path(__file__).resolve().parent.parent
    return pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else here


def files(root, dirs, *suffixes):
    found = []
    for name in dirs:
        found += [p for p in (root / name).rglob("*") if p.suffix in suffixes and p.is_file()]
    return sorted(found)


def without_comments(text):
    """C text whose comments are blank and whose lines stay where they are."""
    def blank(match):
        piece = match[0]
        return re.sub(r"[^\n]", " ", piece) if piece.startswith("/") else piece
    return COMMENT_OR_STRING.sub(blank, text)


def without_strings(text):
    """The same, and string and character literals empty."""
    def blank(match):
        piece = match[0]
        return piece[0] + " " * (len(piece) - 2) + piece[-1] if piece[0] in "\"'" else piece
    return COMMENT_OR_STRING.sub(blank, without_comments(text))
