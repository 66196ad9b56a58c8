# SPDX-License-Identifier: MIT
"""conf.py – how Sphinx makes the site.

Called by  sphinx, with the tree that build.py has laid out; JUGGLE_SITE is where that lies.
Why        nothing is fetched from elsewhere, at build time or by the reader: the site works offline.
"""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
site = pathlib.Path(os.environ["JUGGLE_SITE"])
project = "juggle"
copyright = "the juggle authors, MIT licence"
extensions = ["myst_parser", "breathe", "links"]
breathe_projects = {"juggle": str(site / "xml")}
breathe_default_project = "juggle"
breathe_domain_by_extension = {"h": "c"}
breathe_show_include = False
primary_domain = "c"
highlight_language = "c"
suppress_warnings = ["misc.highlighting_failure"]  # a diagram, an ellipsis: shown as they are
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]
smartquotes = False
html_theme = "furo"
html_title = "juggle"
html_static_path = [str(pathlib.Path(__file__).parent / "static")]
html_css_files = ["juggle.css"]
html_copy_source = False
html_show_sphinx = False
# Light only: of Debian's furo, just the parts that are made here would follow a dark desktop. See juggle.css, too.
colours = {"color-brand-primary": "#0b5fa5", "color-brand-content": "#0b5fa5", "color-code-foreground": "black"}
html_theme_options = {"light_css_variables": colours, "dark_css_variables": colours}
pygments_style = pygments_dark_style = "friendly"
