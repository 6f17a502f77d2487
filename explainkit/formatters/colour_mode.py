"""Pictures of any mode made ready to be drawn on in colour."""

import numpy as np
from PIL import Image


def in_colour_mode(picture: Image.Image) -> Image.Image:
    """Convert a picture of any mode to RGBA if it has transparency, else to RGB.

    Parameters
    ----------
    picture : PIL.Image.Image

    Returns
    -------
    PIL.Image.Image
        The picture itself where its mode is the one wanted.

    Examples
    --------
    >>> in_colour_mode(Image.new("L", (4, 2))).mode
    'RGB'
    """
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    if picture.mode == mode:
        return picture
    if picture.mode == "F" or picture.mode.startswith("I"):
        # Nothing says how bright 1000 is: from black to white there is all that there is.
        levels = np.asarray(picture, np.float64)
        low, high = levels.min(), levels.max()
        stretched = (levels - low) * (255 / (high - low) if high > low else 0)
        return Image.fromarray(np.rint(stretched).astype(np.uint8)).convert("RGB")
    canvas = picture.convert(mode)
    if picture.mode in ("CMYK", "L", "LA"):
        canvas.info.pop("icc_profile", None)  # it speaks of inks or greys that are gone
    return canvas
