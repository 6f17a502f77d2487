"""What a target is called in a line of text."""

from explainkit.explanation import TargetName


def target_in_words(target: TargetName) -> str:
    """Call a target by its unit, and by its output where there are several.

    Examples
    --------
    >>> target_in_words(243), target_in_words(("boxes", 3)), target_in_words("margin")
    ('243', 'boxes:3', 'margin')
    """
    return f"{target[0]}:{target[1]}" if isinstance(target, tuple) else str(target)
