#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check.py DIR: whether every link of the HTML pages below DIR leads somewhere.

Holds      the anchors of every page, and its links.
Invariant  links to other sites are not followed; all that stays on the site must exist, anchors included.
Called by  build.py.
Why        Sphinx checks the links it makes itself, not those that stand in the text as they are.
"""
import html.parser
import pathlib
import sys
import urllib.parse


class Page(html.parser.HTMLParser):
    """What a page can be linked to by, and where it links to."""

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.anchors = set()
        self.links = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.anchors.add(value)
            if name in ("href", "src") and value and tag != "form":
                self.links.append(value)


def broken(page, link, pages):
    """What is wrong with a link, or nothing."""
    parts = urllib.parse.urlsplit(link)
    if parts.scheme or parts.netloc:
        return f"{parts.scheme or 'https'}: is loaded from elsewhere" if link.startswith("//") else None
    path = urllib.parse.unquote(parts.path)
    target = (page.path.parent / path).resolve() if path else page.path
    if not target.is_file():
        return "no such file"
    if parts.fragment and target in pages:
        anchor = urllib.parse.unquote(parts.fragment)
        return None if anchor in pages[target].anchors else "no such anchor"
    return None


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    pages = {path: Page(path) for path in sorted(root.rglob("*.html"))}
    count = failures = 0
    for page in pages.values():
        for link in page.links:
            count += 1
            wrong = broken(page, link, pages)
            if wrong:
                failures += 1
                print(f"{page.path.relative_to(root)}: {link}: {wrong}")
    print(f"site: {len(pages)} pages, {count} links, {failures} broken")
    return 1 if failures or not pages else 0


if __name__ == "__main__":
    sys.exit(main())
