"""Models as they were given: one that is there, a file or name, or a function that loads it."""

import os
from typing import Any

import attrs

from explainkit.explain import explain_prediction, find
from explainkit.function_words import place_of
from explainkit.loading import family_of, load_model


@attrs.frozen
class ModelSource:
    """Where a worker gets the model from.

    Attributes
    ----------
    given : estimator, path, name or callable
    weights : path or None
        A file of weights for a model that is a file or a name.
    """

    given: Any = attrs.field()
    weights: str | os.PathLike[str] | None = attrs.field(default=None)

    @given.validator
    def _check_given(self, _attribute: Any, given: Any) -> None:
        if isinstance(given, str | os.PathLike) or self.is_there:
            return
        if isinstance(given, type) or not callable(given):
            raise TypeError(
                f"model is {'the class' if isinstance(given, type) else 'a'} "
                f"{given.__name__ if isinstance(given, type) else type(given).__name__}; give a "
                "model, the file it is saved in, or a function that loads it"
            )

    @weights.validator
    def _check_weights(self, _attribute: Any, weights: Any) -> None:
        if weights is not None and not isinstance(self.given, str | os.PathLike):
            raise ValueError(
                f"weights is {str(weights)!r}, which is for a model that is a file or a name; load "
                "them into the model, or in the function"
            )

    @property
    def is_there(self) -> bool:
        """Whether the model itself was given."""
        return not isinstance(self.given, str | os.PathLike | type) and bool(
            find(explain_prediction, self.given)
        )

    @property
    def family(self) -> str | None:
        """The family of keras.applications that the model is of, where its name says so."""
        return family_of(self.given) if isinstance(self.given, str | os.PathLike) else None

    def load(self) -> Any:
        """Load the model.

        Raises
        ------
        TypeError
            If the function gives something else.
        Exception
            As `explainkit.loading.load_model` does, or the function.
        """
        if isinstance(self.given, str | os.PathLike):
            return load_model(self.given, self.weights)
        if self.is_there:
            return self.given
        model = self.given()
        if find(explain_prediction, model) is None:
            raise TypeError(
                f"model is the function {place_of(self.given)}, which gave a "
                f"{type(model).__name__}; a function that loads a model returns it"
            )
        return model
