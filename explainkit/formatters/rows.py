"""The rows of tables: one for each target of each explanation."""

from collections.abc import Iterable, Iterator

import attrs

from explainkit.explanation import Explanation, TargetExplanation
from explainkit.formatters.target_names import target_in_words


@attrs.frozen
class Row:
    """What a table says of a target, or of an explanation that has none.

    Attributes
    ----------
    doc : int
        The position of the explanation among those given.
    estimator, method : str
    layer : str or None
    target : str or None
        What the target is called: "243", "boxes:3", or the name of a function.
    output : str or None
        Where the model has several, the target's.
    unit : int or None
        The target's unit of the output; None where a function chose the score.
    label : str or None
    score, proba : float or None
    map_size : str or None
        The map's height and width, such as "7x7".
    error : str or None
        Why there is no explanation.
    """

    doc: int
    estimator: str
    method: str
    layer: str | None
    target: str | None = None
    output: str | None = None
    unit: int | None = None
    label: str | None = None
    score: float | None = None
    proba: float | None = None
    map_size: str | None = None
    error: str | None = None


COLUMNS = tuple(field.name for field in attrs.fields(Row))


def rows_of(
    expls: Explanation | Iterable[Explanation],
) -> Iterator[tuple[Row, TargetExplanation | None]]:
    """Go through explanations, a row for each target, or one where there is none.

    Parameters
    ----------
    expls : Explanation or iterable of Explanation

    Yields
    ------
    Row, TargetExplanation or None
        The row, and the target that it is of.

    Raises
    ------
    TypeError
        If something else is given.
    """
    wanted = "give an Explanation, or several, such as explain_predictions returns"
    if isinstance(expls, Explanation):
        expls = [expls]
    if not isinstance(expls, Iterable):
        raise TypeError(f"a table of a {type(expls).__name__} cannot be made; {wanted}")
    for doc, expl in enumerate(expls):
        if not isinstance(expl, Explanation):
            raise TypeError(f"at position {doc} there is a {type(expl).__name__}; {wanted}")
        for target in expl.targets or (None,):
            yield _row(doc, expl, target), target


def _row(doc: int, expl: Explanation, one: TargetExplanation | None) -> Row:
    asked = (doc, expl.estimator, expl.method, expl.layer)
    if one is None:
        return Row(*asked, error=expl.error)
    output, unit = one.target if isinstance(one.target, tuple) else (None, one.target)
    return Row(
        *asked,
        target_in_words(one.target),
        output,
        None if isinstance(unit, str) else int(unit),
        one.label,
        float(one.score),
        None if one.proba is None else float(one.proba),
        "x".join(map(str, one.map.shape)) or None,
        expl.error,
    )
