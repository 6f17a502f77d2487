"""Checks of documents, before any forward pass."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from explainkit.estimators.open_sizes import SIZES, Spec


@attrs.frozen
class Input:
    """One input of a model.

    Attributes
    ----------
    name : str
    shape : tuple of (int or None), or None
        Without the documents' axis; None where the model does not say.
    dtype : str or None
    """

    name: str
    shape: tuple[int | None, ...] | None = None
    dtype: str | None = None


@attrs.frozen
class Inputs:
    """The inputs of a model, and the errors for documents that do not fit them.

    Attributes
    ----------
    inputs : tuple of Input
    float_dtype : str
        What double precision is made where the model does not say.
    named : bool
        Whether the model takes its inputs by name only.
    picture : str
        The shape of pictures, for messages where the model does not say what it takes.
    """

    inputs: tuple[Input, ...]
    float_dtype: str = "float32"
    named: bool = False
    picture: str = "(N, height, width, channels)"

    def check_doc(self, doc: Any) -> Any:
        """Return one document, a batch of one, as arrays of a shape that the model takes.

        Raises
        ------
        TypeError, ValueError
            If it is not one.
        """
        return self._check_single(
            doc,
            "explain_prediction explains one, shape (1, ...): give doc[:1], or use "
            "explain_predictions for all",
        )

    def _check_single(self, doc: Any, remedy: str) -> Any:
        checked = self.check_docs(doc, "doc")
        count = len(arrays_of(checked)[0])
        if count != 1:
            raise ValueError(f"doc is a batch of {count}; {remedy}{self._hint_at_picture(checked)}")
        return checked

    def _hint_at_picture(self, docs: Any) -> str:
        undeclared = self.inputs[0].shape is None
        if undeclared and arrays_of(docs)[0].ndim == 3:
            return (
                f"; a picture of this shape lacks the axis of docs, {self.picture}: give "
                "doc[np.newaxis]"
            )
        return ""

    def check_docs(self, docs: Any, what: str = "docs") -> Any:
        """Return a batch of documents as arrays of shapes that the model takes, uncopied."""
        if isinstance(docs, Mapping):
            checked: Any = self._check_mapping(docs, what)
        elif self._is_sequence_of_inputs(docs):
            checked = self._check_sequence(docs, what)
        else:
            self._check_alone(what)
            checked = self._check_array(docs, self.inputs[0], what)
        counts = sorted({len(array) for array in arrays_of(checked)})
        if len(counts) > 1:
            raise ValueError(f"the inputs in {what} differ in their number of docs: {counts}")
        return checked

    def check_one_of_many(self, doc: Any) -> Any:
        """Return one of several documents, with or without the axis of docs, as `check_doc`."""
        return self._check_single(
            self._with_docs_axis(doc), "an iterable gives docs one by one, an array all at once"
        )

    def are_batched(self, docs: Any) -> bool:
        """Tell arrays that hold all documents from an iterable of documents."""
        if isinstance(docs, list | tuple):
            return len(docs) == len(self.inputs) > 1 and all(map(_is_array, docs))
        return isinstance(docs, Mapping) or _is_array(docs)

    def prepare(self, docs: Any) -> Any:
        """Give checked documents the dtypes that the model takes.

        Raises
        ------
        ValueError
            If a number is NaN or infinite, or would be lost.
        """
        specs = {one.name: one for one in self.inputs}
        if isinstance(docs, Mapping):
            return {
                name: self._cast(array, specs.get(name, Input(name)))
                for name, array in docs.items()
            }
        if isinstance(docs, list | tuple):
            padded = [*self.inputs, *[Input("")] * len(docs)]
            return [self._cast(array, one) for array, one in zip(docs, padded, strict=False)]
        return self._cast(docs, self.inputs[0])

    def _cast(self, array: NDArray[Any], expected: Input) -> NDArray[Any]:
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            bad = np.argwhere(~np.isfinite(array))[0]
            raise ValueError(
                f"doc holds NaN or infinite numbers, the first at {tuple(map(int, bad))}"
            )
        doubles = self.float_dtype if array.dtype == np.float64 else array.dtype
        cast = array.astype(expected.dtype or doubles, copy=False)
        if array.dtype.kind == "f" and cast.dtype.kind in "iub" and (cast != array).any():
            raise ValueError(
                f"doc holds fractions or numbers out of range, dtype {array.dtype}; input "
                f"'{expected.name}' takes {expected.dtype}, which would lose them"
            )
        return cast

    def _with_docs_axis(self, doc: Any) -> Any:
        if isinstance(doc, Mapping):
            ranks = {one.name: _rank(one) for one in self.inputs}
            return {key: _lifted(one, ranks.get(key)) for key, one in doc.items()}
        if isinstance(doc, list | tuple) and len(doc) == len(self.inputs):
            return [_lifted(one, _rank(spec)) for one, spec in zip(doc, self.inputs, strict=True)]
        return _lifted(doc, _rank(self.inputs[0]))

    def _is_sequence_of_inputs(self, docs: Any) -> bool:
        if not isinstance(docs, list | tuple) or not docs:
            return False
        # A model that does not say what it takes may take several inputs.
        undeclared = self.inputs[0].shape is None
        alone = len(self.inputs) == 1
        return not alone or ((len(docs) == 1 or undeclared) and all(map(_is_array, docs)))

    def _check_alone(self, what: str) -> None:
        if len(self.inputs) > 1:
            names = ", ".join(repr(one.name) for one in self.inputs)
            raise ValueError(
                f"the model has {len(self.inputs)} inputs ({names}); give {what} as a list or a "
                "dict of arrays"
            )

    def _check_mapping(self, docs: Mapping[str, Any], what: str) -> dict[str, NDArray[Any]]:
        if all(one.shape is None for one in self.inputs):
            return {key: self._check_array(a, Input(key), what) for key, a in docs.items()}
        known = [one.name for one in self.inputs]
        if set(docs) != set(known):
            raise ValueError(
                f"{what} has the inputs {sorted(docs)}; the model takes {sorted(known)}"
            )
        # In the model's order, whatever that of the dict.
        return {one.name: self._check_array(docs[one.name], one, what) for one in self.inputs}

    def _check_sequence(self, docs: Sequence[Any], what: str) -> Any:
        if self.inputs[0].shape is None:
            return [self._check_array(array, Input("docs"), what) for array in docs]
        if len(docs) != len(self.inputs):
            raise ValueError(
                f"{what} has {len(docs)} arrays; the model has {len(self.inputs)} inputs"
            )
        checked = {
            one.name: self._check_array(array, one, what)
            for array, one in zip(docs, self.inputs, strict=True)
        }
        return checked if self.named else list(checked.values())

    def _check_array(self, doc: Any, expected: Input, what: str) -> NDArray[Any]:
        array = self._as_array(doc, what)
        wanted = self.picture if expected.shape is None else _say(expected.shape)
        if expected.shape is not None and array.ndim != len(expected.shape) + 1:
            hint = (
                f": it lacks the axis of docs, give {what}[np.newaxis]"
                if array.ndim == len(expected.shape)
                else ""
            )
            raise ValueError(
                f"{what} has the shape {array.shape}, of rank {array.ndim}; the model takes "
                f"{wanted}, of rank {len(expected.shape) + 1}{hint}"
            )
        if array.ndim < 2:
            raise ValueError(f"{what} has the shape {array.shape}; the model takes {wanted}")
        if array.size == 0:
            raise ValueError(f"{what} is empty: its shape is {array.shape}")
        if expected.shape is not None and not _fits(array.shape[1:], expected.shape):
            raise ValueError(
                f"{what} has the shape {array.shape}; the model takes {wanted}, so resize or "
                "convert it first"
            )
        return array

    @staticmethod
    def _as_array(doc: Any, what: str) -> NDArray[Any]:
        if not _is_array(doc):
            raise TypeError(
                f"{what} is a {type(doc).__name__}; give an array, such as "
                "np.asarray(picture)[np.newaxis], preprocessed as the model takes it"
            )
        try:
            array = np.asarray(on_the_host(doc) if hasattr(doc, "detach") else doc)
        except (NotImplementedError, TypeError) as error:
            # TensorFlow and PyTorch say the former, JAX a TypeError of its own.
            if isinstance(error, TypeError) and "Tracer" not in type(error).__name__:
                raise
            raise TypeError(
                f"{what} is a tensor without numbers, of a function that is being traced; "
                "explain outside of it"
            ) from None
        if array.dtype.name == "bfloat16":
            array = array.astype(np.float32)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{what} is an array of {array.dtype}; give numbers")
        return array


def arrays_of(docs: Any) -> list[NDArray[Any]]:
    """List the arrays in a batch of documents."""
    if isinstance(docs, Mapping):
        return list(docs.values())
    return list(docs) if isinstance(docs, list | tuple) else [docs]


def rearranged(docs: Any, arrays: Sequence[Any]) -> Any:
    """Put other arrays into the structure of a batch of documents."""
    if isinstance(docs, Mapping):
        return dict(zip(docs, arrays, strict=True))
    return list(arrays) if isinstance(docs, list | tuple) else arrays[0]


def rows_of(docs: Any, rows: Any) -> Any:
    """Take some documents out of a batch, whatever its structure."""
    return rearranged(docs, [array[rows] for array in arrays_of(docs)])


def blank_like(docs: Any) -> Any:
    """Make documents of the same shapes and dtypes that show nothing."""
    return rearranged(docs, [np.zeros_like(array) for array in arrays_of(docs)])


def closed_like(docs: Any) -> Any:
    """Describe documents of the same structure, of some size where it is open."""
    specs = [Spec(tuple(one.shape), str(one.dtype)).closed(SIZES[0]) for one in arrays_of(docs)]
    return rearranged(docs, specs)


def noise_like(docs: Any) -> Any:
    """Make one document of the same structure that shows noise."""
    return rearranged(docs, [_noise(one.shape[1:], np.dtype(one.dtype)) for one in arrays_of(docs)])


def _noise(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    # Whole numbers may be those of words, of which there is a first.
    noise = np.random.default_rng(0).normal(size=(1, *shape))
    return (noise if dtype.kind == "f" else np.zeros((1, *shape))).astype(dtype)


def signature(value: Any) -> Hashable:
    """Shapes and dtypes of nested arrays, without the documents' axis."""
    if isinstance(value, dict):
        return tuple((key, signature(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return tuple(signature(item) for item in value)
    return value.shape[1:], str(value.dtype)


def joined(docs: Iterable[Any]) -> Any:
    """Make one batch of several, all of one structure."""
    batches = list(docs)
    first = batches[0]
    if len(batches) == 1:
        return first
    columns = zip(*map(arrays_of, batches), strict=True)
    return rearranged(first, [np.concatenate(arrays) for arrays in columns])


def _rank(spec: Input) -> int:
    # A model that does not say takes pictures, as far as anyone can tell.
    return 3 if spec.shape is None else len(spec.shape)


def _lifted(array: Any, rank: int | None) -> Any:
    if _is_array(array) and len(array.shape) == rank:
        return array[None]
    return array


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array__") and hasattr(value, "shape")


def on_the_host(tensor: Any) -> Any:
    """Bring a tensor of PyTorch where numpy can read it."""
    tensor = tensor.detach().cpu()
    return tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor


def _say(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join(['N', *('any' if size is None else str(size) for size in shape)])})"


def _fits(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    return all(wanted in (None, size) for size, wanted in zip(shape, expected, strict=True))
