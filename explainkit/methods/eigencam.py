"""Eigen-CAM: what a layer's channels have in common, whatever the target."""

from typing import Any, ClassVar

import attrs

from explainkit.engines.base import Tensor
from explainkit.methods.base import Cost, LayerMethod, Mapped
from explainkit.methods.subject import Subject


def eigencam_map(xp: Any, activations: Tensor) -> Tensor:
    """Project the cells on the first right singular vector of the cells-by-channels matrix.

    A singular vector has no sign of its own: the map is given the one with which it
    goes along with the sum of the channels.

    Parameters
    ----------
    xp
        A namespace of array functions under numpy's names.
    activations : array, shape (N, ..., C)

    Returns
    -------
    array, shape (N, ...)
    """
    sizes = tuple(int(size) for size in activations.shape[1:-1])
    matrix = xp.reshape(activations, (-1, _product(sizes), activations.shape[-1]))
    if int(matrix.shape[1]) <= int(matrix.shape[2]):
        # Of the smaller of the two products, the vectors come with ascending values.
        values, vectors = xp.linalg.eigh(xp.einsum("nic,njc->nij", matrix, matrix))
        largest = xp.where(values > 0, values, xp.zeros_like(values))[:, -1:]
        projection = vectors[:, :, -1] * xp.sqrt(largest)
    else:
        _, vectors = xp.linalg.eigh(xp.einsum("nic,nid->ncd", matrix, matrix))
        projection = xp.einsum("nic,nc->ni", matrix, vectors[:, :, -1])
    projection = projection * _sign(xp, projection, xp.sum(matrix, axis=2))
    return xp.reshape(projection, (-1, *sizes))


def _sign(xp: Any, projection: Tensor, sums: Tensor) -> Tensor:
    centred = projection - xp.mean(projection, axis=1, keepdims=True)
    along = sums - xp.mean(sums, axis=1, keepdims=True)
    together = xp.einsum("ni,ni->n", centred, along)
    # A layer that is even over its cells correlates with nothing.
    products = xp.einsum("ni,ni->n", projection, sums)
    together = xp.where(xp.abs(together) > 1e-6 * xp.abs(products), together, products)
    return xp.where(together < 0, -xp.ones_like(together), xp.ones_like(together))[:, None]


def _product(sizes: tuple[int, ...]) -> int:
    product = 1
    for size in sizes:
        product *= size
    return product


@attrs.frozen
class EigenCAM(LayerMethod):
    """Eigen-CAM: the strongest pattern in a layer; all targets have the same map.

    Parameters
    ----------
    fusion : {"mean", "max"}
        How the maps of several layers are made one.
    """

    name: ClassVar[str] = "eigencam"
    title: ClassVar[str] = "Eigen-CAM"
    formula: ClassVar[str] = "A v₁, v₁ the first right singular vector of A (cells × channels)"
    source: ClassVar[str] = "Muhammad and Yeasin 2020, arXiv:2008.00299"
    cost: ClassVar[Cost] = Cost("1", "0")

    def maps(self, subject: Subject, drawn: Any) -> Mapped:  # noqa: ARG002
        """Map each tap, and fuse the maps of several."""
        engine, xp = subject.engine, subject.engine.xp
        seen = subject.look([tap.place for tap in subject.taps])
        alike = []
        for tap in subject.taps:
            activations = engine.widen(seen.activations[tap.place])
            found = eigencam_map(xp, tap.form.fold(xp, activations, leading=1))
            alike.append(xp.repeat(found[:, None], int(seen.scores.shape[1]), axis=1))
        return Mapped(seen.scores, seen.kept, self.fused(subject, alike))
