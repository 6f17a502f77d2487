"""Small overlays for pages that show many of them."""

from typing import Any

import attrs

from explainkit.explanation import Explanation
from explainkit.formatters.drawing import as_drawing
from explainkit.formatters.image import format_as_image
from explainkit.formatters.pages.maps import draw_alone
from explainkit.formatters.pages.pictures import data_uri, reduced

#: WebP, which every browser knows, takes half the bytes of JPEG, and keeps transparency.
_FORMAT: dict[str, Any] = {"kind": "WEBP", "quality": 78, "method": 3}


@attrs.frozen
class Thumbnail:
    """A small picture, as a page holds it.

    Attributes
    ----------
    uri : str
        The picture itself, as a data URI.
    width, height : int
        In pixels.
    """

    uri: str
    width: int
    height: int


def thumbnail_of(expl: Explanation, largest: int, **options: Any) -> Thumbnail | None:
    """Draw the overlay of the first target, small.

    Parameters
    ----------
    expl : Explanation
    largest : int
        The pixels of the longer side.
    **options
        As for `format_as_image`.

    Returns
    -------
    Thumbnail or None
        The heatmap in colours where there is no picture; None where there is neither, or
        the map is that of a signal or a volume.

    Examples
    --------
    >>> import numpy as np
    >>> from PIL import Image
    >>> heat = np.eye(7, dtype=np.float32)
    >>> from explainkit.explanation import TargetExplanation
    >>> target = TargetExplanation(243, "bull mastiff", 12.3, 0.81, heat, heat)
    >>> picture = Image.new("RGB", (640, 480), "navy")
    >>> expl = Explanation("a model", "gradcam", targets=[target], image=picture)
    >>> found = thumbnail_of(expl, largest=160)
    >>> found.uri[:16], found.width, found.height
    ('data:image/webp;', 160, 120)
    """
    if expl.error or not expl.targets or expl.targets[0].heatmap.ndim != 2:
        return None
    if expl.image is None:
        drawn = draw_alone(expl.targets[0], as_drawing(**options), largest)
    else:
        # Made small first: what is drawn costs by its pixels.
        small = attrs.evolve(expl, image=reduced(expl.image, largest))
        drawn = format_as_image(small, **options)
    return Thumbnail(data_uri(drawn, **_FORMAT), *drawn.size)
