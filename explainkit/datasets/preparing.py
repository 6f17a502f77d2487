"""From contents to documents: what a worker does with each before the model sees it."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import attrs
import numpy as np
from PIL import Image

from explainkit.datasets.items import Item, open_content
from explainkit.function_words import name_function
from explainkit.intake import Intake, make_intake
from explainkit.option_words import in_words
from explainkit.pictures import as_picture

#: The longer side of overlays, in pixels, at most.
OVERLAY_SIDE = 1024
#: Names how pictures are scaled, or makes a document of a picture.
Preprocess = str | Callable[[Image.Image], Any] | None


def family_or_function(preprocess: Any) -> Preprocess:
    """Take the functions of keras.applications for the names of their families.

    Raises
    ------
    TypeError
        If it is neither a name nor a function.
    """
    module = getattr(preprocess, "__module__", None) or ""
    if getattr(preprocess, "__name__", "") == "preprocess_input" and "applications" in module:
        return str(module.rpartition(".")[2])
    if preprocess is None or isinstance(preprocess, str) or callable(preprocess):
        return preprocess  # type: ignore[no-any-return]
    raise TypeError(
        f"preprocess is a {type(preprocess).__name__}; give a function from a picture to a "
        "document, a range such as '0..1', or the name of a family of keras.applications"
    )


@attrs.frozen
class Prepared:
    """One document, ready for the model, or the error that it gave."""

    key: str
    doc: Any = None
    picture: Image.Image | None = None
    error: BaseException | None = None
    is_read: bool = True


@attrs.define(slots=False)
class Preparer:
    """Makes documents for one model.

    Attributes
    ----------
    model : estimator
    preprocess : str, callable or None
    size : tuple of (int, int), or None
    family : str or None
    keeps_pictures : bool
        Whether pictures are kept, to be drawn on.
    """

    model: Any
    preprocess: Preprocess
    size: tuple[int, int] | None
    family: str | None
    keeps_pictures: bool

    @cached_property
    def intake(self) -> Intake:
        """What pictures the model takes.

        Raises
        ------
        ValueError, LookupError
            If it does not say, or there is no such way to scale them.
        """
        name = self.preprocess if isinstance(self.preprocess, str) else None
        return make_intake(self.model, name, self.size, self.family)

    @property
    def pictures(self) -> str:
        """How pictures are made ready, in words, where any came so far."""
        made: Intake | None = self.__dict__.get("intake")
        return in_words(attrs.evolve(made, assumed=""), name_function) if made else ""

    @property
    def assumed(self) -> str:
        """What nobody said of that, and was assumed."""
        made: Intake | None = self.__dict__.get("intake")
        return made.assumed if made else ""

    def check(self, item: Item) -> None:
        """Refuse now what could be done with no picture, looking at the first item."""
        if not callable(self.preprocess) and self._is_picture(item.content):
            _ = self.intake

    def prepare(self, item: Item) -> Prepared:
        """Make the document of an item; its error is kept, whatever it is."""
        is_read = False
        try:
            content = open_content(item.content)
            is_read = True
            if not self._is_picture(content):
                return Prepared(item.key, content)
            picture = as_picture(content)
            doc = (
                self.preprocess(picture) if callable(self.preprocess) else self.intake.doc(picture)
            )
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - what panics in Rust is no Exception
            return Prepared(item.key, error=error, is_read=is_read)
        return Prepared(item.key, doc, _small(picture) if self.keeps_pictures else None)

    def _is_picture(self, content: Any) -> bool:
        """Tell pictures from documents: arrays are pictures where somebody says how they scale."""
        if hasattr(content, "__array__") and not isinstance(content, Image.Image):
            return self.preprocess is not None
        return not isinstance(content, list | tuple | dict | np.ndarray)


def _small(picture: Image.Image) -> Image.Image:
    """Make a picture small enough that many can wait to be drawn on."""
    if max(picture.size) <= OVERLAY_SIDE:
        return picture
    small = picture.copy()
    small.thumbnail((OVERLAY_SIDE, OVERLAY_SIDE))
    return small
