#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""build.py OUT: the whole site, as HTML in OUT/html.

Holds      the steps: lay the tree out, read the headers, make the pages, follow every link.
Invariant  a warning of any step is a failure.
Called by  ./run docs.
Why        the pages of docs/ are read where they lie, also by people who look at the repository; only the
           reference, a page per public header, is made here.
Quirks     the tree is made of links, so that paths from a page to a lesson are the same as in docs/.
"""
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]

DOXYFILE = """\
PROJECT_NAME = juggle
INPUT = {include}
RECURSIVE = YES
FILE_PATTERNS = *.h
INPUT_FILTER = "python3 {filter}"
OUTPUT_DIRECTORY = {out}
GENERATE_HTML = NO
GENERATE_LATEX = NO
GENERATE_XML = YES
XML_PROGRAMLISTING = NO
OPTIMIZE_OUTPUT_FOR_C = YES
TYPEDEF_HIDES_STRUCT = YES
EXTRACT_STATIC = YES
MACRO_EXPANSION = YES
EXPAND_ONLY_PREDEF = YES
PREDEFINED = JG_API= JG_SUSPENDS= JG_BEGIN_DECLS= JG_END_DECLS= __attribute__(x)= inline=
WARN_IF_UNDOCUMENTED = NO
WARN_IF_DOC_ERROR = YES
WARN_AS_ERROR = FAIL_ON_WARNINGS
QUIET = YES
"""


def lay_out(tree):
    """Links to all of the repository, with docs/ as a directory that the reference can be put into."""
    shutil.rmtree(tree, ignore_errors=True)
    (tree / "docs").mkdir(parents=True)
    for entry in sorted(ROOT.iterdir()):
        if entry.name not in ("docs", "build", ".git"):
            (tree / entry.name).symlink_to(entry)
    for entry in sorted((ROOT / "docs").iterdir()):
        (tree / "docs" / entry.name).symlink_to(entry)


def title_of(header):
    """The name of a header, and the sentence its first comment begins with."""
    comment = header.read_text(encoding="utf-8").partition("–")[2]
    sentence = " ".join(line.strip(" *") for line in comment.partition("\n *\n")[0].split("\n"))
    return f"<{header.relative_to(ROOT / 'include')}>", sentence.strip().rstrip(".")


def write_reference(directory):
    directory.mkdir()
    headers = sorted((ROOT / "include/juggle").glob("*.h"))
    rows = []
    for header in headers:
        title, about = title_of(header)
        page = [title, "=" * len(title), "", f".. doxygenfile:: juggle/{header.name}", ""]
        (directory / f"{header.stem}.rst").write_text("\n".join(page), encoding="utf-8")
        rows.append(f"* :doc:`{title.replace('<', '').replace('>', '')} <{header.stem}>` – {about}")
    conventions = (HERE / "reference.rst").read_text(encoding="utf-8")
    entries = "\n".join(f"   {header.stem}" for header in headers)
    index = f"{conventions}\n" + "\n".join(rows) + f"\n\n.. toctree::\n   :hidden:\n\n{entries}\n"
    (directory / "index.rst").write_text(index, encoding="utf-8")


def step(name, command, **more):
    print(f"docs: {name}", flush=True)
    if subprocess.run(command, check=False, **more).returncode != 0:
        sys.exit(f"docs: failed: {name}")


def main():
    out = pathlib.Path(sys.argv[1]).resolve()
    tree = out / "tree"
    lay_out(tree)
    write_reference(tree / "docs/reference")
    doxyfile = out / "Doxyfile"
    doxyfile.write_text(DOXYFILE.format(include=ROOT / "include", filter=HERE / "doxygen_filter.py", out=out),
                        encoding="utf-8")
    for made in ("xml", "html", "doctrees"):
        shutil.rmtree(out / made, ignore_errors=True)
    step("reading the headers", ["doxygen", str(doxyfile)])
    environment = {**os.environ, "JUGGLE_SITE": str(out), "PYTHONDONTWRITEBYTECODE": "1"}
    step("making the pages", [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-c", str(HERE),
                              "-d", str(out / "doctrees"), str(tree / "docs"), str(out / "html")],
         env=environment)
    step("following the links", [sys.executable, str(HERE / "check.py"), str(out / "html")])
    print(f"docs: {out / 'html/index.html'}")


if __name__ == "__main__":
    main()
