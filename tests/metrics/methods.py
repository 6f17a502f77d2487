"""Methods that are no explanations: what they give is known before any model is asked."""

from typing import Any, ClassVar

import attrs

from explainkit.methods import Method
from explainkit.methods.base import Cost, Mapped


class Blind(Method):
    """A method that looks at the pictures, and neither at the model nor at the target."""

    formula: ClassVar[str] = "whatever the model says"
    source: ClassVar[str] = "none"
    cost: ClassVar[Cost] = Cost("1", "0")

    def blind_maps(self, xp, pixels):
        raise NotImplementedError

    def maps(self, subject, drawn: Any):
        xp, seen = subject.engine.xp, subject.look()
        maps = self.blind_maps(xp, subject.pixels)
        return Mapped(
            seen.scores, seen.kept, xp.repeat(maps[:, None], int(seen.scores.shape[1]), axis=1)
        )


@attrs.frozen
class EdgeDetector(Blind):
    """The edges of the picture."""

    name: ClassVar[str] = "edges"
    title: ClassVar[str] = "Edges"

    def blind_maps(self, xp, pixels):
        grey = xp.mean(pixels, axis=3)
        down = grey[:, 2:] - grey[:, :-2]
        right = grey[:, :, 2:] - grey[:, :, :-2]
        return xp.abs(down[:, :, 1:-1]) + xp.abs(right[:, 1:-1])


@attrs.frozen
class Brightness(Blind):
    """The picture itself, which is blank where the picture is."""

    name: ClassVar[str] = "brightness"
    title: ClassVar[str] = "Brightness"

    def blind_maps(self, xp, pixels):
        return xp.mean(pixels, axis=3)
