"""The records: a scene, and the objects whose place and kind are known to the pixel."""

from collections.abc import Iterable

import attrs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Doc = NDArray[np.float32]
Mask = NDArray[np.bool_]


@attrs.frozen(eq=False)
class SceneObject:
    """One object of a scene.

    Attributes
    ----------
    kind : str
        What it is: one of `KINDS`.
    target : int
        Its kind's place in `KINDS`: the unit of the network's output.
    mask : ndarray of bool, shape (size, size)
        The pixels where it can be seen: those that are more its own than
        anything else's. Masks of one scene have no pixel in common.
    visible : float
        The share of it that no other object hides, in [0.6, 1].
    """

    kind: str
    target: int
    mask: Mask = attrs.field(repr=False)
    visible: float

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the mask in pixels, as Pillow counts them.

        The pixels in it are ``mask[top:bottom, left:right]``.
        """
        rows, columns = (np.flatnonzero(self.mask.any(axis)) for axis in (1, 0))
        return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


@attrs.frozen(eq=False)
class Scene:
    """A picture of which everything is known.

    Attributes
    ----------
    seed : int
        The number it was drawn from.
    image : PIL.Image.Image
        The picture: RGB, square.
    objects : tuple of SceneObject
        Two or three objects of different kinds, the hindmost first.
    """

    seed: int
    image: Image.Image = attrs.field(repr=False)
    objects: tuple[SceneObject, ...]

    @property
    def doc(self) -> Doc:
        """What the network takes: float32 in [0, 1], shape (1, size, size, 3)."""
        return as_docs([self])


def as_docs(scenes: Iterable[Scene]) -> Doc:
    """Stack scenes of one size into a batch for the network.

    Parameters
    ----------
    scenes : iterable of Scene
        At least one.

    Returns
    -------
    ndarray of float32, shape (N, size, size, 3)
        Their pixels, in [0, 1].

    Examples
    --------
    >>> from explainkit.scenes import as_docs, draw_scenes
    >>> as_docs(draw_scenes(4)).shape
    (4, 96, 96, 3)
    """
    return np.stack([np.asarray(scene.image, np.float32) for scene in scenes]) / np.float32(255)
