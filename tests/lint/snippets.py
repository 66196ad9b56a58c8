#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What pages show of C is compiled, and what they say it prints it prints.

If this fails a reader who copies from a page gets something that does not build, or does something else.
"""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = pathlib.Path(os.environ.get("JUGGLE_BUILD", ROOT / "build/release")) / "examples"


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def run(*command):
    return subprocess.run(command, text=True, capture_output=True, timeout=60, check=True).stdout


def pages_include_their_c():
    """A page of the guide has no C of its own: it includes a lesson or an example, which CI compiles."""
    pages = [*(ROOT / "docs/guide").glob("*.md"), ROOT / "docs/index.md", ROOT / "docs/asyncio.md"]
    return not [page for page in pages if re.search(r"^```c$", page.read_text(encoding="utf-8"), re.M)]


def readme_shows_fetch():
    """The first program of the README is examples/fetch.c."""
    listing = re.search(r"^```c\n(.*?)^```$", text_of("README.md"), re.M | re.S)[1]
    return text_of("examples/fetch.c").endswith(listing)


def python_and_c_print_the_same():
    """asyncio's program and ours, side by side on the page, print the same."""
    program = re.search(r"^```python\n(.*?)^```$", text_of("docs/guide/coming-from-asyncio.md"), re.M | re.S)[1]
    return run(sys.executable, "-c", program) == run(EXAMPLES / "first")


def goodbye_prints_what_is_shown():
    return run(EXAMPLES / "goodbye") == text_of("docs/guide/measured/goodbye.txt")


def pages_build_before_they_install():
    """`./run` builds only what it is asked for: what is installed has to be built first."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    lines = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    installs = re.findall(r"(?:cmake --build (\S+) && )?cmake --install ([^\s`]+)", lines)
    return len(installs) >= 2 and all(built == installed for built, installed in installs)


def main():
    checks = (pages_build_before_they_install, pages_include_their_c, readme_shows_fetch,
              python_and_c_print_the_same, goodbye_prints_what_is_shown)
    failed = [check.__name__ for check in checks if not check()]
    for name in failed:
        print(f"FAIL {name}")
    print(f"lint/snippets: {len(checks) - len(failed)} passed, {len(failed)} failed, 0 skipped")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
