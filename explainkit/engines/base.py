"""The contract of an engine: the gradient backend of one array framework.

Every gradient method is the same primitive: run the model once, keep the tensors
at some taps, and pull the chosen scores back to them. An engine gives that, and
a numpy-like namespace for the formulas. It knows nothing of layers: whoever runs
the model calls `tap(place, tensor)` where a place is reached, and goes on with
the tensor it gets back.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, Literal

import attrs

#: An array of the engine's framework.
Tensor = Any
#: Where a tap sits, in whatever words the estimator uses.
Place = Hashable
#: Called with a place and its tensor; gives the tensor to go on with.
Tap = Callable[[Place, Tensor], Tensor]
#: Runs the model: gives the scores, shape (N, K), and what else is worth keeping, in
#: nested tuples, lists or dicts of tensors or None.
Run = Callable[[Tap], tuple[Tensor, Any]]
#: The same for any documents, in the model's own structure, and for the targets, shape
#: (N, K), that were chosen before, or None.
Ask = Callable[[Any, Tap, Tensor | None], tuple[Tensor, Any]]
#: The activations that turn a model's logits into probabilities.
ActivationName = Literal["softmax", "log_softmax", "sigmoid"]
#: How relus may be differentiated otherwise: "guided" lets only what is positive through of
#: the gradient, "deconvnet" does that alone and forgets where the relu was active.
ReluRule = Literal["guided", "deconvnet"]


class UnreachableTapError(ValueError):
    """The scores do not depend on the tensors at some taps.

    Parameters
    ----------
    places
        The taps that no score depends on.
    """

    def __init__(self, places: tuple[Place, ...]) -> None:
        super().__init__(f"no score depends on the taps {places}")
        self.places = places


@attrs.frozen
class PulledBack:
    """Scores, and how each of them depends on the tensors at the taps.

    Attributes
    ----------
    scores : tensor, shape (N, K)
    kept : nested tuples, lists or dicts of tensors or None
        What the run gave beside the scores.
    activations : mapping from place to tensor, shape (N, ...)
    gradients : mapping from place to tensor, shape (N, K, ...)
        The derivative of each document's scores with respect to its own tensor.
    """

    scores: Tensor
    kept: Any
    activations: Mapping[Place, Tensor]
    gradients: Mapping[Place, Tensor]


@attrs.frozen
class Flow:
    """Where a tensor comes from, and where it goes.

    Attributes
    ----------
    sources : frozenset of int
        The positions of the inputs that it is made of.
    sinks : frozenset of int
        The positions of the outputs that are made of it.
    """

    sources: frozenset[int]
    sinks: frozenset[int]


@attrs.define
class Rewrites:
    """The relus of a run, as far as their gradients could be rewritten.

    Attributes
    ----------
    count : int
        How many were.
    missed : set of str
        What computes a relu, too, but keeps its own gradient.
    """

    count: int = 0
    missed: set[str] = attrs.field(factory=set)


class Engine(ABC):
    """What explainkit asks of an array framework.

    A *program* is a Python function ``program(state, *arguments)`` of tensors that
    may call the engine's other methods and its namespace `xp`. `compile` makes it
    fast; where the framework compiles, the Python code in it runs only while it is
    traced. A tensor does not tell everywhere which operation made it: `before_activation`
    and `originals` look back at what was called under `watching`, and `flow` while a
    program is traced.

    The state holds the variables' values where compiled programs would take them
    for constants (`reads_variables` is False), and nothing elsewhere.

    Documents in a batch must not influence each other, as they do not when a
    model infers: that is why one pull-back serves all documents at once.
    """

    #: The name of the framework's package.
    name: ClassVar[str]
    #: Whether compiled programs see new values of the model's variables by themselves.
    reads_variables: ClassVar[bool]
    #: Whether compiled programs run without the Python that they were written in.
    compiles: ClassVar[bool]
    #: What a compiled program may raise beside Python's own errors.
    errors: ClassVar[tuple[type[Exception], ...]]
    #: Array functions under numpy's names, for formulas that are written once.
    xp: ClassVar[Any]

    @abstractmethod
    def trace(self, program: Callable[..., Any], state: Any, *arguments: Any) -> Any:
        """Run a program on stand-ins for arrays, and return what it says.

        Where the framework has tensors of shapes and dtypes only, nothing is computed.
        Elsewhere the program runs on one document.

        Parameters
        ----------
        program
            A function of the state and tensors; what it returns must hold no tensors.
        state
            Arrays, nested or none.
        *arguments
            Arrays, or what has a shape and a dtype, or nested lists, tuples and dicts
            of them. The first axis of each counts documents.
        """

    @abstractmethod
    def compile(
        self, program: Callable[..., Any], state: Any, *arguments: Any
    ) -> Callable[..., Any]:
        """Compile a program for arguments like these, and for any number of documents.

        Parameters
        ----------
        program
            A function of the state and tensors, that returns a nested tuple or dict
            of tensors or None.
        state, *arguments
            As in `trace`.

        Returns
        -------
        callable
            Takes a state and arrays of numpy, gives arrays of numpy. It neither
            adds to what somebody records for gradients of their own, nor minds.
        """

    def watching(self) -> AbstractContextManager[None]:
        """Note which activations are called, where tensors do not know their makers."""
        return nullcontext()

    @abstractmethod
    def pull_back(self, run: Run) -> PulledBack:
        """Run once, and pull each score back to every place that was tapped.

        Nothing before a tap is differentiated, nor are the model's weights.

        Raises
        ------
        UnreachableTapError
            If no score depends on some tapped tensor.
        """

    def run_on(self, run: Run, replacements: Mapping[Place, Tensor]) -> tuple[Tensor, Any]:
        """Run with other tensors in the place of those at some taps.

        In a compiled program what only the replaced tensors needed is not
        computed: only the model behind the taps runs again.
        """
        return run(replacements.get)

    @abstractmethod
    def collect(self, step: Callable[[Any], Tensor], items: Any, like: Tensor) -> Tensor:
        """Stack what a step makes of each item, one after another.

        Parameters
        ----------
        step
            Gives a tensor of one shape, and of the dtype of `like`.
        items : nested tensors
            The first axis of each counts the items. The program is written once, whatever
            their number.
        like : tensor
        """

    @abstractmethod
    def rewriting_relus(self, rule: ReluRule) -> AbstractContextManager[Rewrites]:
        """Have `pull_back` differentiate the relus of what runs in here by a rule.

        Only for this thread; the model is not touched. What the context gives is filled
        while the run is traced.
        """

    @abstractmethod
    def before_activation(self, output: Tensor) -> tuple[Tensor, ActivationName | None]:
        """Find the tensor that a final activation made this output of.

        An output that was made while nobody was watching counts as none's.

        Returns
        -------
        tensor
            The logits; the output itself where there is no such activation.
        name
            Which activation it was, or None.
        """

    @abstractmethod
    def widen(self, tensor: Tensor) -> Tensor:
        """Make half-precision numbers single, and leave others as they are.

        Means over a map, and gradients of a probability, leave the range of half
        precision soon.
        """

    def beside(self, array: Any, tensor: Tensor) -> Tensor:  # noqa: ARG002 - devices are torch's
        """Make an array of numpy a constant of the program, on the device of a tensor."""
        return self.xp.asarray(array)

    @abstractmethod
    def is_tappable(self, value: Any) -> bool:
        """Tell whether a value is one tensor of the program that is being traced.

        Tensors inside a loop, a branch or a compiled function within the program
        are not: they have no one value that the program could reach.
        """

    @abstractmethod
    def is_floating(self, value: Any) -> bool:
        """Tell whether a value is a tensor of floating-point numbers."""

    @abstractmethod
    def originals(self, tensor: Tensor) -> Sequence[Tensor]:
        """List the tensor, and those before it that it merely casts, reshapes or copies."""

    @abstractmethod
    def flow(
        self, inputs: Sequence[Tensor], tensors: Sequence[Tensor], outputs: Sequence[Tensor]
    ) -> list[Flow]:
        """Tell for each of some tensors which inputs it is made of, and which outputs of it."""
