"""What pages are made of: templates, scripts and styles, and the policy that names them."""

import base64
import functools
import hashlib
from collections.abc import Iterable
from importlib import resources
from typing import Any


@functools.cache
def page_file(name: str) -> str:
    """Read one of the files beside this module."""
    return resources.files("explainkit.formatters.pages").joinpath(name).read_text("utf-8")


@functools.cache
def _templates() -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("explainkit.formatters.pages", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def filled(template: str, **values: Any) -> str:
    """Fill a template: values go in as text, unless the template calls them safe."""
    return str(_templates().get_template(template).render(values))


def parts_of(template: str) -> Any:
    """Give the macros of a template, for pages that are written one part after the other."""
    return _templates().get_template(template).module


def content_security_policy(scripts: Iterable[str], styles: Iterable[str]) -> str:
    """Write the policy of a page: what is in it may run, and nothing else.

    Parameters
    ----------
    scripts, styles : iterable of str
        What stands between the tags, to the letter.

    Returns
    -------
    str

    Examples
    --------
    >>> content_security_policy([], ["p { margin: 0 }"])[:50]
    "default-src 'none'; img-src data:; script-src 'non"
    """
    return (
        f"default-src 'none'; img-src data:; script-src {_sources(scripts)}; "
        f"style-src {_sources(styles)}; base-uri 'none'; form-action 'none'"
    )


def _sources(contents: Iterable[str]) -> str:
    digests = (hashlib.sha256(content.encode()).digest() for content in contents)
    hashes = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    return " ".join(hashes) or "'none'"
