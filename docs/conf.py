"""Sphinx: Markdown by MyST, docstrings by numpydoc, furo's looks."""

import explainkit

project = "explainkit"
author = "The explainkit authors"
copyright = "2026, the explainkit authors"
release = explainkit.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"explainkit {release}"

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc's sections say more than the annotations
numpydoc_show_class_members = False
