"""From documents and files to pictures.

A model's input is seldom a picture any more: it has been scaled and shifted, its
channels swapped. Here it becomes one again, when somebody looks.
"""

import contextlib
import errno
import io
import logging
import math
import os
import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import attrs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from explainkit.value_ranges import WORDS, ValueRange, recognise_range

__all__ = [
    "DocPicture",
    "ValueRange",
    "as_picture",
    "decode_image",
    "picture_suffixes",
    "picture_to_array",
    "read_image",
    "recognise_range",
]

logger = logging.getLogger("explainkit")

#: The mode of a picture with so many channels.
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}

#: What Pillow's readers raise when a file is damaged.
_DAMAGE = (OSError, SyntaxError, ValueError, RuntimeError, EOFError, struct.error, zlib.error)


@attrs.frozen(eq=False)
class DocPicture:
    """The picture of a document, made when it is called for.

    Attributes
    ----------
    array : ndarray of numbers, shape (H, W) or (H, W, C)
        The document without its batch axis, channels last. It is not copied.

    Examples
    --------
    >>> DocPicture(np.zeros((224, 224, 3)))().size
    (224, 224)
    """

    array: NDArray[Any]

    def __call__(self) -> Image.Image | None:
        """Make the picture; None where the array has no picture's shape."""
        return _picture_of(self.array) if _is_picture(self.array) else None


def as_picture(image: Image.Image | NDArray[Any] | str | os.PathLike[str]) -> Image.Image:
    """Make a picture of what a caller gave as one.

    Parameters
    ----------
    image : PIL.Image.Image, ndarray, str or path
        A PIL picture, which is returned as it is; an array, channels last, of shape
        (H, W), (H, W, 1 to 4) or a batch of one, its values as for
        `recognise_range`; the path of a file, as for `read_image`.

    Returns
    -------
    PIL.Image.Image
        Of an array: in mode L, LA, RGB or RGBA, with ``info["value_range"]`` saying
        what its values were taken for.

    Raises
    ------
    TypeError
        If it is none of these, or an array that does not hold real numbers.
    ValueError
        If the array has another shape, or holds NaN or infinity.
    OSError, ValueError
        As `read_image` does.

    Examples
    --------
    >>> picture = as_picture(np.ones((4, 6, 3)) / 2)
    >>> picture.mode, picture.size, picture.info["value_range"]
    ('RGB', (6, 4), 'values in [0, 1]')
    """
    if isinstance(image, Image.Image):
        return image
    if isinstance(image, str | os.PathLike):
        return read_image(image)
    if not isinstance(image, np.ndarray):
        raise TypeError(
            f"image is of type {type(image).__name__}; give a PIL picture, a numpy array or a path"
        )
    array = image[0] if image.ndim == 4 and len(image) == 1 else image
    if not _is_picture(array):
        first = array.ndim == 3 and array.shape[0] in MODES
        raise ValueError(
            f"image is an array of shape {image.shape}; give (height, width) or (height, width, "
            "channels) with 1 to 4 channels"
            + ("; np.moveaxis(image, 0, -1) puts the channels last" if first else "")
        )
    return _picture_of(array)


def read_image(path: str | os.PathLike[str]) -> Image.Image:
    """Read a picture from a file: whole, upright, in one of four modes.

    Parameters
    ----------
    path : str or path
        A file of any format that Pillow reads. Of an animation, the first frame.

    Returns
    -------
    PIL.Image.Image
        In mode L, LA, RGB or RGBA, turned as its EXIF orientation says.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        If there is no file that may be read.
    ValueError
        If the file is no picture, is cut off or damaged, or has more pixels than
        ``PIL.Image.MAX_IMAGE_PIXELS``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("1", (640, 480)).save(f"{folder}/night.png")
    ...     picture = read_image(f"{folder}/night.png")
    >>> picture.mode, picture.size
    ('L', (640, 480))
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "a directory; give a picture's file", str(path))
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is no regular file; give a picture's file")
    with path.open("rb") as file:
        return _read(file, str(path))


def decode_image(data: bytes, name: str = "the picture") -> Image.Image:
    """Read a picture from the bytes of a file, as `read_image` does from a file.

    Parameters
    ----------
    data : bytes
        All of a file of any format that Pillow reads.
    name : str
        What errors call it.

    Returns
    -------
    PIL.Image.Image
        In mode L, LA, RGB or RGBA, turned as its EXIF orientation says.

    Raises
    ------
    ValueError
        If it is no picture, is cut off or damaged, or has more pixels than
        ``PIL.Image.MAX_IMAGE_PIXELS``.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> Image.new("1", (640, 480)).save(file, "PNG")
    >>> decode_image(file.getvalue()).size
    (640, 480)
    """
    return _read(io.BytesIO(data), name)


def _read(source: BinaryIO, name: str) -> Image.Image:
    try:
        with Image.open(source) as file:
            if file.width * file.height > (Image.MAX_IMAGE_PIXELS or math.inf):
                raise Image.DecompressionBombError  # where Pillow itself only warns
            file.load()
            return _plain(ImageOps.exif_transpose(file))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(
            f"{name} is too large to open: {_size_in_header(source, name)} pixels are more than "
            f"the {Image.MAX_IMAGE_PIXELS} that PIL.Image.MAX_IMAGE_PIXELS allows"
        ) from error
    except UnidentifiedImageError as error:
        raise ValueError(f"{name} is no picture that Pillow can read") from error
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system's own: a disk that fails
        cut = "truncated" in str(error).lower() or "not enough" in str(error)
        raise ValueError(f"{name} is {'cut off' if cut else 'damaged'}: {error}") from error


def picture_suffixes() -> set[str]:
    """Give the endings of files of pictures, in small letters and with their dots.

    Examples
    --------
    >>> {".png", ".jpg", ".webp"} <= picture_suffixes(), ".pdf" in picture_suffixes()
    (True, False)
    """
    # Pillow knows data formats too, such as .h5 and .pdf, that are no pictures.
    return {
        suffix
        for suffix, kind in Image.registered_extensions().items()
        if kind in Image.OPEN and Image.MIME.get(kind, "").startswith("image/")
    }


def picture_to_array(
    picture: Image.Image,
    size: tuple[int, int],
    channels: int,
    resampling: Image.Resampling = Image.Resampling.BILINEAR,
) -> NDArray[np.float32]:
    """Turn a picture into a batch of one, not yet preprocessed for any model.

    Parameters
    ----------
    picture : PIL.Image.Image
        In any mode.
    size : tuple of (int, int)
        The height and the width that the model takes.
    channels : {1, 3, 4}
        Grey, RGB, or RGBA. For 1 and 3, what is transparent becomes white.
    resampling : PIL.Image.Resampling
        The filter. ``keras.utils.load_img`` uses NEAREST unless told otherwise.

    Returns
    -------
    ndarray of float32, shape (1, height, width, channels)
        In [0, 255].

    Raises
    ------
    ValueError
        If no picture has so many channels.

    Examples
    --------
    >>> picture_to_array(Image.new("L", (640, 480)), (224, 224), channels=3).shape
    (1, 224, 224, 3)
    """
    if channels not in (1, 3, 4):
        raise ValueError(f"channels is {channels}; a picture can be given as 1, 3 or 4 channels")
    plain = _plain(picture)
    if channels != 4 and plain.mode in ("LA", "RGBA"):
        white = Image.new("RGBA", plain.size, "white")
        plain = Image.alpha_composite(white, plain.convert("RGBA"))
    height, width = size
    resized = plain.convert(MODES[channels]).resize((width, height), resampling)
    return np.asarray(resized, np.float32).reshape(1, height, width, channels)


def _is_picture(array: NDArray[Any]) -> bool:
    return array.size > 0 and (array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in MODES))


def _picture_of(array: NDArray[Any]) -> Image.Image:
    recognised = recognise_range(array)
    logger.info("a picture was made of an array of %s", recognised.description)
    levels = recognised.to_uint8(array if array.ndim == 3 else array[..., np.newaxis])
    if levels.shape[-1] == 1:
        levels = levels[..., 0]
    picture = Image.fromarray(np.ascontiguousarray(levels))
    picture.info["value_range"] = recognised.description
    return picture


def _plain(picture: Image.Image) -> Image.Image:
    """Convert a picture of any mode to L, LA, RGB or RGBA."""
    if picture.mode.startswith("I;16"):
        return Image.fromarray(WORDS.to_uint8(np.asarray(picture)))
    if picture.mode in ("I", "F"):
        return _picture_of(np.asarray(picture))
    mode = "L" if picture.mode in ("1", "L", "LA", "La") else "RGB"
    mode += "A" * picture.has_transparency_data
    if picture.mode == mode:
        return picture
    plain = picture.convert(mode)
    if picture.mode == "CMYK":
        plain.info.pop("icc_profile", None)  # it speaks of inks that are gone
    return plain


def _size_in_header(file: BinaryIO, name: str) -> str:
    """Read the size of a picture that `Image.open` refused, with the same readers."""
    file.seek(0)
    start = file.read(16)
    for reader, accepts in Image.OPEN.values():
        if accepts is None or accepts(start) is not True:
            continue
        file.seek(0)
        with contextlib.suppress(*_DAMAGE):
            width, height = reader(file, name).size
            return f"{width} x {height}"
    return "its"  # the error it is part of tells the number
