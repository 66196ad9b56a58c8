# SPDX-License-Identifier: MIT
"""links.py – wherever a page names a public declaration, the name leads to its entry in the reference.

Holds      nothing.
Invariant  only names the reference has become links: what else looks like one stays as it is.
Called by  sphinx, when all pages have been read.
Why        neither the pages nor the headers then need marks that only a generator understands.
"""
import re

from docutils import nodes
from sphinx import addnodes

NAME = re.compile(r"\b((?:jg|JG)_[A-Za-z0-9_]+)\b")
OUTSIDE = (nodes.reference, nodes.literal_block, nodes.title, addnodes.desc_signature, addnodes.pending_xref)


def is_inside(node, kinds):
    while node is not None:
        if isinstance(node, kinds):
            return True
        node = node.parent
    return False


def entries(app):
    """Name of a declaration -> where its entry is. The first one counts: a type may be declared twice."""
    found = {}
    for name, _, kind, page, anchor, _ in app.env.get_domain("c").get_objects():
        if kind != "functionParam":
            found.setdefault(name, (page, anchor))
    return found


def reference(app, page, target, text):
    uri = app.builder.get_relative_uri(page, target[0]) + "#" + target[1]
    return nodes.reference("", text, refuri=uri, internal=True)


def pieces(app, page, text, known):
    """A text, cut up into words and links."""
    at = 0
    for match in NAME.finditer(text):
        if match[1] in known:
            yield nodes.Text(text[at:match.start()])
            yield reference(app, page, known[match[1]], match[1])
            at = match.end()
    yield nodes.Text(text[at:])


def link_names(app, doctree, page):
    known = entries(app)
    for node in list(doctree.findall(nodes.Text)):
        if NAME.search(node.astext()) and not is_inside(node.parent, OUTSIDE):
            new = [piece for piece in pieces(app, page, node.astext(), known)
                   if isinstance(piece, nodes.reference) or piece.astext()]
            node.parent.replace(node, new)


def setup(app):
    app.connect("doctree-resolved", link_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
