"""Documents that fail alone: what that may be, and how it is told."""

from typing import Any, Literal

from explainkit.explanation import Explanation

#: What becomes of a document that cannot be explained.
OnError = Literal["raise", "record"]

#: What a document that cannot be explained may raise, beside an engine's own errors.
FAILURES = (ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError)


def check_on_error(on_error: Any) -> None:
    """Raise a ValueError if `on_error` is neither "raise" nor "record"."""
    if on_error not in ("raise", "record"):
        raise ValueError(f"on_error is {on_error!r}; give 'raise' or 'record'")


def naming_doc(position: int, error: Exception) -> Exception:
    """Make an error that says which document it was, of the same type where that is plain."""
    message = f"doc {position}: {error}"
    plain = (LookupError, TypeError, ValueError)
    return type(error)(message) if type(error) in plain else RuntimeError(message)


def recorded(estimator: str, method: str, error: BaseException) -> Explanation:
    """Make the record of a document that has no explanation."""
    return Explanation(estimator=estimator, method=method, error=f"{type(error).__name__}: {error}")
