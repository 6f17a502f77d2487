"""What is explained, one by one: a key, and where its content is found."""

from collections.abc import Iterator
from typing import Any, Protocol

import attrs

from explainkit.datasets.places import is_url, opened
from explainkit.datasets.shards import Entry
from explainkit.pictures import decode_image, read_image

#: So many documents are lost at most, and made again, when a run is killed.
SHARD_SIZE = 256


@attrs.frozen
class PictureFile:
    """A picture in a file that fsspec opens.

    Attributes
    ----------
    url : str
        An absolute path, or a URL.
    """

    url: str


@attrs.frozen
class Item:
    """One document to be explained.

    Attributes
    ----------
    key : str
        What it is called.
    content : PictureFile, bytes, PIL.Image.Image or array
        What the document is made of.
    """

    key: str
    content: Any


class Shard(Protocol):
    """So many documents that follow each other, whose rows are one file.

    Attributes
    ----------
    name : str
        Of its file, without the ending: the same whoever makes it.
    """

    @property
    def name(self) -> str:
        """The name of its file, without the ending."""

    def items(self) -> Iterator[Item]:
        """Give the documents, in order."""

    def pass_over(self, entry: Entry) -> None:
        """Go past what is explained already; `entry` says what that was."""


@attrs.frozen
class ListedShard:
    """A shard whose documents travel with it."""

    name: str
    listed: tuple[Item, ...]

    def items(self) -> Iterator[Item]:
        """Give the documents, in order."""
        return iter(self.listed)

    def pass_over(self, entry: Entry) -> None:
        """Go on: nothing has to be gone through."""


def open_content(content: Any) -> Any:
    """Make a picture of a file or its bytes; what is an array or a picture stays as it is.

    Raises
    ------
    OSError, ValueError
        As `explainkit.pictures.read_image` does.
    TypeError
        If there is nothing.
    """
    if isinstance(content, PictureFile):
        if not is_url(content.url):
            return read_image(content.url)
        with opened(content.url) as file:
            return decode_image(file.read(), content.url)
    if isinstance(content, bytes | bytearray | memoryview):
        return decode_image(bytes(content))
    if content is None:
        raise TypeError("there is no picture: it is null")
    return content
