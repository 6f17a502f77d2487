"""What an object is painted with: how much of its second colour each point gets.

A texture takes points of the plane, in units of its own pattern, and gives
shares in [0, 1]. Which texture an object wears says nothing of its kind.
"""

from collections.abc import Callable

import numpy as np

from explainkit.scenes.plane import Points, Shares

Texture = Callable[[Points], Shares]


def plain(z: Points) -> Shares:
    """One colour."""
    return np.zeros(z.shape)


def shaded(z: Points) -> Shares:
    """One colour that turns slowly into the other and back."""
    return 0.5 + 0.5 * np.sin(z.real / 5)


def striped(z: Points) -> Shares:
    """Stripes of equal width."""
    return np.clip(0.5 + 2 * np.sin(z.real), 0, 1)


def dotted(z: Points) -> Shares:
    """Round dots on a grid."""
    height: Shares = np.cos(z.real) + np.cos(z.imag)
    return np.clip(2 * height - 1, 0, 1)


def checked(z: Points) -> Shares:
    """Squares of either colour in turn."""
    return np.clip(0.5 + 3 * np.sin(z.real) * np.sin(z.imag), 0, 1)


def marbled(z: Points) -> Shares:
    """Stripes that were stirred."""
    return 0.5 + 0.5 * np.sin(z.real + 2.0 * np.sin(z.imag / 2))


TEXTURES: tuple[Texture, ...] = (plain, shaded, striped, dotted, checked, marbled)
