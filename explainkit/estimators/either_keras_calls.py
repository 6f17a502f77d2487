"""Run a model of some Keras, as it infers, under the eyes of a visitor."""

import inspect
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from explainkit.estimators.calls import Entrance, Visitor, unchanged


class ObservedModel(ABC):
    """A model to be run, as it infers, under the eyes of a visitor.

    It holds the model weakly, so that compiled programs do not keep it alive.
    """

    def __init__(self, model: Any) -> None:
        self._model = weakref.ref(model)
        self._mode = {"training": False} if _takes_training(model) else {}

    @property
    def model(self) -> Any:
        """The model, while it lives."""
        model = self._model()
        if model is None:
            raise ReferenceError("the model was deleted while it was being explained")
        return model

    def is_built(self) -> bool:
        """Tell whether the model and every layer in it are built."""
        return all(layer.built for layer in self.model._flatten_layers())  # noqa: SLF001

    def infer(self, docs: Any) -> Any:
        """Call the model."""
        return self.model(docs, **self._mode)

    @abstractmethod
    def build(self, docs: Any) -> None:
        """Let layers that are built when they are first called be built now.

        Keras calls what is inside them to do so, which is no run to be observed.

        Parameters
        ----------
        docs
            Arrays, or what has a shape and a dtype, in the model's own structure.
        """

    @abstractmethod
    def run(self, state: Any, docs: Any, visit: Visitor, enter: Entrance = unchanged) -> Any:
        """Run the model once, and show each layer's output to the visitor.

        The state holds values for the model's variables, or nothing where their own
        will do. Nothing that the layers do is kept by the model.
        """

    @abstractmethod
    def read(self, state: Any, variables: Callable[[Callable[[Any], Any]], Any]) -> Any:
        """Give what a function makes of variables, whose values the state may hold.

        Parameters
        ----------
        state
            As for `run`.
        variables
            Is called with a function that gives a variable's value.
        """


def _takes_training(model: Any) -> bool:
    """Tell whether a model's `call` has an argument for training or inference."""
    parameters = inspect.signature(model.call).parameters.values()
    return any(p.name == "training" or p.kind is p.VAR_KEYWORD for p in parameters)
