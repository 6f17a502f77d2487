"""The nearest valid choice, for error messages."""

import difflib
from collections.abc import Iterable


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Suggest the name most like the one given, as the end of a sentence.

    Examples
    --------
    >>> did_you_mean("out_rel", ["out_relu", "Conv_1"])
    "; did you mean 'out_relu'?"
    >>> did_you_mean("zebra", ["out_relu", "Conv_1"])
    ''
    """
    near = difflib.get_close_matches(given, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
