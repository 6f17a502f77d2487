"""Sphinx: Markdown and notebooks by MyST, docstrings by numpydoc, furo's looks.

The tutorials are the notebooks of ``examples/notebooks``. They run while the site is built.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import latex2mathml.converter
from docutils import nodes

import explainkit

# Sphinx takes documents of its own folder alone, and its links do not find their way through a
# symbolic one: so notebooks are copied here, where git ignores them.
notebooks = Path(__file__).parents[1] / "examples" / "notebooks"
tutorials = Path(__file__).parent / "tutorials"
shutil.copytree(
    notebooks, tutorials, ignore=shutil.ignore_patterns(".*", "*.toml"), dirs_exist_ok=True
)
for copied in tutorials.iterdir():
    if not (notebooks / copied.name).exists():
        copied.unlink()

project = "explainkit"
author = "The explainkit authors"
copyright = "2026, the explainkit authors"
release = explainkit.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"explainkit {release}"

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

# Run each time, not kept from an earlier build: what they show depends on the package, which a
# cache of notebooks does not look at.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_in_temp = True  # they write files
nb_execution_timeout = 300  # seconds for a cell; the slowest takes some
nb_merge_streams = True  # lines printed in one cell come in pieces, by chance
nb_output_stderr = "remove"  # what TensorFlow says of the machine

html_math_renderer = "mathml"  # which browsers draw themselves, without a script from elsewhere

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc's sections say more than the annotations
numpydoc_show_class_members = False


def draw_math(display: str) -> Callable[[Any, Any], None]:
    """Write formulas as MathML, each for itself or in a line of text."""

    def draw(writer: Any, node: Any) -> None:
        written = latex2mathml.converter.convert(node.astext(), display=display)
        writer.body.append(f"<p>{written}</p>" if display == "block" else written)
        raise nodes.SkipNode

    return draw


def setup(app: Any) -> None:
    """Tell Sphinx who writes formulas."""
    app.add_html_math_renderer("mathml", (draw_math("inline"), None), (draw_math("block"), None))
