"""From a seed to a scene.

All chance comes from one generator seeded with the scene's own number, so a
scene does not depend on which others were drawn, in what order, or where.
"""

import operator
from collections.abc import Iterator

import numpy as np

from explainkit.scenes.arranging import arrange
from explainkit.scenes.painting import develop, paint_background, paint_object
from explainkit.scenes.scene import Scene, SceneObject
from explainkit.scenes.shapes import KINDS

MIN_SIZE = 32  # below, a thin object would be thinner than a pixel


def draw_scene(seed: int, size: int = 96) -> Scene:
    """Draw a cluttered picture of two or three objects, and say what is where.

    Parameters
    ----------
    seed : int
        Not negative. Equal seeds give equal scenes, in every process. The
        network was trained on seeds from 1,000,000 up; those below it never saw.
    size : int
        Height and width in pixels, at least 32. The network takes 96.

    Returns
    -------
    Scene
        The picture, and each object's kind, visible pixels and box.

    Raises
    ------
    TypeError
        If `seed` or `size` is no integer.
    ValueError
        If `seed` is negative, or `size` too small to tell the kinds apart.

    Examples
    --------
    >>> from explainkit.scenes import draw_scene
    >>> scene = draw_scene(seed=7)
    >>> scene.image.size
    (96, 96)
    >>> all(thing.mask.any() for thing in scene.objects)
    True
    """
    seed = _whole("seed", seed, at_least=0)
    size = _whole("size", size, at_least=MIN_SIZE)
    rng = np.random.default_rng(seed)
    targets = rng.choice(len(KINDS), size=rng.integers(2, 4), replace=False).tolist()
    placed = arrange([KINDS[target] for target in targets], size, rng)
    canvas = paint_background(size, rng)
    for thing in placed:
        canvas = paint_object(canvas, thing.cover, rng)
    return Scene(
        seed=seed,
        image=develop(canvas, rng),
        objects=tuple(
            SceneObject(KINDS[target], target, thing.seen > 0.5, thing.visible)
            for target, thing in zip(targets, placed, strict=True)
        ),
    )


def draw_scenes(n: int, seed: int = 0, size: int = 96) -> Iterator[Scene]:
    """Draw the scenes of `n` seeds in a row, each when it is asked for.

    Parameters
    ----------
    n : int
        How many.
    seed : int
        The first seed.
    size : int
        Height and width in pixels.

    Returns
    -------
    iterator of Scene
        What `draw_scene` gives for ``seed``, ``seed + 1``, …

    Raises
    ------
    TypeError, ValueError
        As `draw_scene` does, at once; also if `n` is negative.

    Examples
    --------
    >>> from explainkit.scenes import draw_scenes
    >>> [scene.seed for scene in draw_scenes(3, seed=40)]
    [40, 41, 42]
    """
    n = _whole("n", n, at_least=0)
    seed = _whole("seed", seed, at_least=0)
    size = _whole("size", size, at_least=MIN_SIZE)
    return (draw_scene(one, size) for one in range(seed, seed + n))


def _whole(name: str, value: int, at_least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, not {value!r}") from None
    if number < at_least:
        raise ValueError(f"{name} must be at least {at_least}, not {number}")
    return number
