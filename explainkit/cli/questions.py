"""What is asked of a model, in the words of a shell and in those of the library."""

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from explainkit import methods
from explainkit.cli.shell import CommandError, UsageError, in_words_of_a_shell
from explainkit.explanation import TargetName


@attrs.frozen
class Method:
    """How explanations are worked out: options of ``explain``."""

    name: str = "gradcam"
    options: Sequence[str] = ()
    counterfactual: bool = False
    smooth: int | None = None
    tta: bool = False

    def make(self) -> methods.Method:
        """Make the method.

        Raises
        ------
        ValueError, TypeError, UsageError
            If there is no such method, or it has no such option.
        """
        made = methods.find_method(self.name, dict(map(_option, self.options)))
        if self.counterfactual:
            made = methods.counterfactual(made)
        if self.smooth is not None:
            made = methods.smooth(made, samples=self.smooth)
        return methods.tta(made) if self.tta else made


def _option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set is {text!r}; give NAME=VALUE, such as steps=20")
    try:
        return name.strip(), ast.literal_eval(value.strip())
    except (SyntaxError, ValueError):
        # A word without quotes, as people type it.
        return name.strip(), value.strip()


@attrs.frozen
class Asking:
    """What is asked of the model: options of ``explain``."""

    method: Method = Method()
    targets: Sequence[str] = ()
    top: int | None = None
    layers: Sequence[str] = ()
    labels: Path | None = None
    logits: bool = True


def check_asking(asking: Asking) -> None:
    """Refuse what can be refused before a model is loaded.

    Raises
    ------
    ValueError, TypeError, UsageError
        If there is no such method, or options exclude each other.
    """
    asking.method.make()
    if asking.targets and asking.top is not None:
        raise UsageError("--target says what to explain, and so does --top; give one of them")


def read_labels(path: Path) -> list[str]:
    """Read the names of the classes, one a line, in the order of the units.

    Raises
    ------
    CommandError
        If there are none.
    """
    try:
        labels = path.read_text("utf-8-sig").rstrip().splitlines()
    except OSError as error:
        raise CommandError(in_words_of_a_shell(error)) from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is no text in UTF-8; give one label a line") from error
    if not labels:
        raise CommandError(f"{path} is empty; give one label a line")
    return [label.strip() for label in labels]


def arguments_of(asking: Asking, labels: list[str] | None) -> dict[str, Any]:
    """Say in arguments of `explain_predictions` what the options say.

    Parameters
    ----------
    asking : Asking
    labels : list of str or None
        The names of the classes.
    """
    layers = [int(one) if _is_whole(one) else one for one in asking.layers]
    return {
        "method": asking.method.make(),
        "targets": [parse_target(text, labels) for text in asking.targets] or None,
        "top_targets": 1 if asking.top is None else asking.top,
        "layer": layers[0] if len(layers) == 1 else layers or None,
        "target_names": labels,
        "logits": asking.logits,
    }


def parse_target(text: str, labels: Sequence[str] | None) -> TargetName:
    """Read a target, without knowing the model: a label, a unit, or ``OUTPUT:UNIT``.

    A label is one even if it looks like a unit.

    Examples
    --------
    >>> parse_target("3", None), parse_target("boxes:3", None), parse_target("cat", ["cat"])
    (3, ('boxes', 3), 'cat')
    >>> parse_target("3", ["1", "3"]), parse_target("ratio 4:3", ["ratio 4:3"])
    ('3', 'ratio 4:3')
    """
    if text in (labels or ()):
        return text
    output, colon, unit = text.rpartition(":")
    if colon and output and _is_whole(unit):
        return output, int(unit)
    return int(text) if _is_whole(text) else text


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal()
