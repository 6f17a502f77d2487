"""What may be explained: the targets a person gives, as units of the model's outputs."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from explainkit.explanation import TargetName
from explainkit.suggestions import did_you_mean

#: Names of the units of an output, in order or by unit; by output where a model
#: has several.
TargetNames = Sequence[str] | Mapping[int, str] | Mapping[str, Sequence[str]]


@attrs.frozen
class Output:
    """One output of a model, as far as its units can be explained.

    Attributes
    ----------
    name : str
    shape : tuple of (int or None), or None
        Without the documents' axis; None where it is no tensor of real numbers.
    activation : "softmax", "sigmoid" or None
        The final activation of the output.
    """

    name: str
    shape: tuple[int | None, ...] | None
    activation: str | None

    @property
    def units(self) -> int:
        """The number of its classes. A single sigmoid tells two apart, 0 and 1."""
        if not self.has_units:
            return 0
        return 2 if self.is_binary else int((self.shape or (0,))[0] or 0)

    @property
    def has_units(self) -> bool:
        """Whether it is a row of numbers for each document."""
        return self.shape is not None and len(self.shape) == 1 and self.shape[0] is not None

    @property
    def is_binary(self) -> bool:
        """Whether it is a single sigmoid: the class 0 has the negated logit."""
        return self.shape == (1,) and self.activation == "sigmoid"

    @property
    def is_regression(self) -> bool:
        """Whether it is one number that no activation turns into a probability."""
        return self.shape == (1,) and self.activation is None


@attrs.frozen(eq=False)
class Chosen:
    """The targets of some documents, resolved: exactly one of the three is given.

    Attributes
    ----------
    top : int or None
        The so many highest classes of an output, for each document.
    indices : ndarray of int32, shape (1, K) or (N, K), or None
        Units, counted through all outputs one after the other.
    functions : tuple of callables or None
        Each takes the outputs and gives a score per document, shape (N,).
    outputs : tuple of int
        The positions of the outputs that the units belong to.
    """

    top: int | None = None
    indices: NDArray[np.int32] | None = None
    functions: tuple[Callable[[Any], Any], ...] | None = None
    outputs: tuple[int, ...] = ()


@attrs.frozen
class TargetSpace:
    """All the units of a model, the names they have, and the errors for those they have not."""

    outputs: tuple[Output, ...]
    names: TargetNames | None = None

    def __attrs_post_init__(self) -> None:
        if self.names is None:
            return
        if isinstance(self.names, str) or not isinstance(self.names, Sequence | Mapping):
            raise TypeError(
                f"target_names is a {type(self.names).__name__}; give a list of names in the "
                "order of the units, or a dict from unit to name"
            )
        for output in self.outputs:
            names = self._names_of(output)
            if isinstance(names, Sequence) and output.has_units and len(names) != output.units:
                raise ValueError(
                    f"target_names has {len(names)} names, but output '{output.name}' has "
                    f"{output.units} units"
                )

    def choose(self, targets: Any, top_targets: int, docs: int | None = None) -> Chosen:
        """Resolve the targets of one or several documents.

        Parameters
        ----------
        targets
            None, a unit, a label, ``(output, unit)``, a callable, a list of
            these, or an integer array (N, K), one row for each document.
        top_targets
            How many classes to explain where `targets` is None.
        docs
            The number of documents, for an array with a row for each.

        Raises
        ------
        TypeError, ValueError, LookupError
            If the targets are none that the model has.
        """
        if targets is None:
            position = self.default_output()
            return Chosen(top=self._check_top(top_targets, position), outputs=(position,))
        if isinstance(targets, np.ndarray) and targets.ndim == 2:
            return self._at(self._rows(targets, docs))
        given = list(targets) if isinstance(targets, list | np.ndarray) else [targets]
        if not given:
            raise ValueError("targets is empty; give None for the top classes")
        functions = [target for target in given if callable(target)]
        if functions:
            if len(functions) != len(given):
                raise TypeError(f"targets mixes callables with units: {given}; ask for them apart")
            return Chosen(functions=tuple(functions))
        return self._at(np.asarray([self._distinct(given)], np.int32))

    def name(self, index: int) -> TargetName:
        """Name a unit, counted through all outputs, as a person would give it."""
        output, unit = self._locate(index)
        return unit if len(self.outputs) == 1 else (output.name, unit)

    def label(self, index: int) -> str | None:
        """Give the label of a unit, if it has one."""
        output, unit = self._locate(index)
        names = self._names_of(output)
        if names is None:
            return None
        return str(names[unit]) if isinstance(names, Sequence) else names.get(unit)

    def output(self, index: int) -> Output:
        """Give the output that a unit, counted through all outputs, belongs to."""
        return self._locate(index)[0]

    def _locate(self, index: int) -> tuple[Output, int]:
        for output in self.outputs:
            if index < output.units:
                return output, index
            index -= output.units
        raise AssertionError("no such unit")  # pragma: no cover - indices were checked

    def _names_of(self, output: Output) -> Sequence[str] | Mapping[int, str] | None:
        names: Any = self.names
        if isinstance(names, Mapping) and any(isinstance(key, str) for key in names):
            return names.get(output.name)
        # Plain names are those of the output that is explained when nothing is said.
        return names if output is self.outputs[self.default_output()] else None

    def _at(self, indices: NDArray[np.int32]) -> Chosen:
        used = {self.outputs.index(self.output(int(index))) for index in np.unique(indices)}
        return Chosen(indices=indices, outputs=tuple(sorted(used)))

    def units_of(self, positions: tuple[int, ...]) -> NDArray[np.int32]:
        """List the units of some outputs, counted through all, in ascending order."""
        starts = np.cumsum([0, *(output.units for output in self.outputs)])
        return np.concatenate(
            [np.arange(starts[i], starts[i + 1], dtype=np.int32) for i in positions]
        )

    def default_output(self) -> int:
        """Find the output whose top classes are meant: the first that tells classes apart.

        One that is called "logits" does, whatever else there is.
        """
        called_so = self._called_logits()
        if called_so is not None and called_so.has_units:
            return self.outputs.index(called_so)
        with_units = [i for i, output in enumerate(self.outputs) if output.has_units]
        telling_apart = [i for i in with_units if self.outputs[i].activation]
        return next(iter(telling_apart or with_units), 0)

    def _called_logits(self) -> Output | None:
        return next((output for output in self.outputs if output.name == "logits"), None)

    def _check_top(self, top_targets: Any, position: int) -> int:
        first = self._with_units(self.outputs[position])
        if isinstance(top_targets, bool) or not isinstance(top_targets, int | np.integer):
            raise TypeError(f"top_targets is {top_targets!r}; give a number of targets")
        if not 1 <= top_targets <= first.units:
            raise ValueError(
                f"top_targets is {top_targets}; output '{first.name}' has {first.units} units"
            )
        return int(top_targets)

    def _rows(self, targets: NDArray[Any], docs: int | None) -> NDArray[np.int32]:
        if not np.issubdtype(targets.dtype, np.integer):
            raise TypeError(f"targets is an array of {targets.dtype}; give integers")
        if docs is not None and len(targets) != docs:
            raise ValueError(f"targets has {len(targets)} rows, but there are {docs} docs")
        if targets.shape[1] == 0:
            raise ValueError("targets is empty; give None for the top classes")
        # Rows repeat each other in a data set: each distinct one is checked once.
        for row in np.unique(targets, axis=0):
            self._distinct(list(row))
        return targets.astype(np.int32)

    def _distinct(self, given: list[Any]) -> list[int]:
        indices = [self._index(target) for target in given]
        for position, index in enumerate(indices):
            if index in indices[:position]:
                raise ValueError(f"target {given[position]!r} is given twice in {given}")
        return indices

    def _index(self, target: Any) -> int:
        if isinstance(target, tuple):
            return self._index_in_output(target)
        called_so = self._called_logits()
        if called_so is not None:
            return self._index_in_output((called_so.name, target))
        if len(self.outputs) > 1:
            raise ValueError(
                f"target {target!r} is of no output; the model has several "
                f"({self._output_names()}): give (output, unit), such as "
                f"({self.outputs[0].name!r}, {target!r})"
            )
        return self._unit(self.outputs[0], target)

    def _index_in_output(self, target: tuple[Any, ...]) -> int:
        if len(target) != 2:
            raise ValueError(
                f"target {target!r}: a tuple is (output, unit); give several targets as a list"
            )
        which, unit = target
        names = [output.name for output in self.outputs]
        if isinstance(which, str):
            if which not in names:
                raise LookupError(
                    f"no output {which!r}; the model has {self._output_names()}"
                    + did_you_mean(which, names)
                )
            position = names.index(which)
        else:
            position = _as_int(which, "output")
            if not 0 <= position < len(names):
                raise ValueError(
                    f"target {target!r}: no output {which}, the model has {len(names)}; a tuple "
                    "is (output, unit), several targets are a list"
                )
        before = sum(output.units for output in self.outputs[:position])
        return before + self._unit(self.outputs[position], unit)

    def _unit(self, output: Output, target: Any) -> int:
        self._with_units(output)
        if isinstance(target, str):
            return self._unit_of_label(output, target)
        unit = _as_int(target, "target")
        if not 0 <= unit < output.units:
            raise ValueError(
                f"target {unit} is out of range; output '{output.name}' has {output.units} "
                f"units, 0 to {output.units - 1}"
            )
        return unit

    def _unit_of_label(self, output: Output, label: str) -> int:
        names = self._names_of(output)
        if names is None:
            raise LookupError(
                f"target {label!r} is a name, but no names were given; give target_names="
            )
        pairs = enumerate(names) if isinstance(names, Sequence) else names.items()
        found = [unit for unit, name in pairs if name == label]
        if not found:
            known = list(names) if isinstance(names, Sequence) else list(names.values())
            raise LookupError(f"no target is named {label!r}" + did_you_mean(label, known))
        if len(found) > 1:
            raise LookupError(f"several targets are named {label!r}: {found}; give one by number")
        return found[0]

    def _with_units(self, output: Output) -> Output:
        if not output.has_units:
            raise ValueError(
                f"output '{output.name}' {_described(output.shape)}, not a row of units; give "
                "targets= a callable from the outputs to a score for each doc"
            )
        return output

    def _output_names(self) -> str:
        return ", ".join(repr(output.name) for output in self.outputs)


def _as_int(value: Any, what: str) -> int:
    # operator.index takes numpy's integers and refuses floats; a bool is no unit.
    if not isinstance(value, bool | np.bool_):
        try:
            return operator.index(value)
        except TypeError:
            pass
    raise TypeError(
        f"{what} {value!r} is a {type(value).__name__}; give a unit (int), a label (str), "
        "(output, unit), a callable, or a list of these"
    )


def _described(shape: tuple[int | None, ...] | None) -> str:
    return "holds no real numbers" if shape is None else f"has the shape {shape} for each doc"
