"""Explanations in files that are whole or not there: JSON, pages and pictures."""

import binascii
import json
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from explainkit.explanation import Explanation
from explainkit.formatters.as_dict import format_as_dict, from_dict
from explainkit.formatters.image import format_as_png
from explainkit.formatters.lines import shown
from explainkit.whole_files import whole_file

#: The record's chunk in a PNG: of no standard, not needed to see the picture, and not to be
#: copied by who edits it, for the record would speak of another picture.
CHUNK = b"exKT"
#: A PNG begins with its signature and the chunk of its header, which are so many bytes.
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEAD = len(_SIGNATURE) + 25
#: What marks the record in a page.
MARK = "data-explainkit-record"


def write_json(expl: Explanation, path: Path) -> None:
    """Write the record as JSON."""
    _write(path, _as_json(expl, indent=2).encode() + b"\n")


def read_json(path: Path) -> Explanation:
    """Read what `write_json` wrote."""
    return _record_of(path, path.read_bytes())


def write_html(expl: Explanation, path: Path) -> None:
    """Write the page of `format_as_html`, with the record in it as data that nothing runs."""
    from explainkit.formatters.html import format_as_html

    page, end, rest = format_as_html(expl, page=True).rpartition("</body>")
    # So that no label can end the element, or begin a comment in it.
    record = _as_json(expl).replace("<", r"\u003c")
    element = f'<script type="application/json" {MARK}>{record}</script>\n'
    _write(path, f"{page}{element}{end}{rest}".encode())


def read_html(path: Path) -> Explanation:
    """Read the record from a page that `write_html` wrote."""
    finder = _RecordFinder()
    try:
        finder.feed(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no page in UTF-8: {error}") from error
    finder.close()
    _check_one(path, finder.records)
    return _record_of(path, finder.records[0])


def write_png(expl: Explanation, path: Path) -> None:
    """Write the picture of `format_as_png`, with the record in a chunk of its own."""
    data = format_as_png(expl)
    record = CHUNK + _as_json(expl).encode()
    chunk = (
        (len(record) - len(CHUNK)).to_bytes(4, "big")
        + record
        + binascii.crc32(record).to_bytes(4, "big")
    )
    _write(path, data[:_HEAD] + chunk + data[_HEAD:])


def read_png(path: Path) -> Explanation:
    """Read the record from a picture that `write_png` wrote."""
    try:
        found = [content for kind, content in _chunks(path.read_bytes()) if kind == CHUNK]
    except ValueError as error:
        raise ValueError(f"{path} is no PNG that can be read: {error}") from error
    _check_one(path, found)
    return _record_of(path, found[0])


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Go through the chunks of a PNG. What is drawn, of whatever size, is not unpacked."""
    if not data.startswith(_SIGNATURE):
        raise ValueError("it does not begin as a PNG does")
    kind, place = b"", len(_SIGNATURE)
    while kind != b"IEND":
        start = place + 8
        end = start + int.from_bytes(data[place : place + 4], "big")
        place = end + 4
        if place > len(data):
            raise ValueError("it is cut off")
        kind, content = data[start - 4 : start], data[start:end]
        if binascii.crc32(kind + content) != int.from_bytes(data[end:place], "big"):
            raise ValueError("it is damaged: a sum of its bytes is wrong")
        yield kind, content


def _write(path: Path, data: bytes) -> None:
    with whole_file(path) as file:
        file.write(data)


class _RecordFinder(HTMLParser):
    """Find what stands in the elements that hold records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a record."""
        self._inside = tag == "script" and MARK in dict(attrs)
        if self._inside:
            self.records.append("")

    def handle_data(self, data: str) -> None:
        """Add to it."""
        if self._inside:
            self.records[-1] += data

    def handle_endtag(self, tag: str) -> None:
        """End it."""
        if tag == "script":
            self._inside = False


def _as_json(expl: Explanation, **options: Any) -> str:
    return json.dumps(format_as_dict(expl), ensure_ascii=False, allow_nan=False, **options)


def _check_one(path: Path, found: list[Any]) -> None:
    if not found:
        raise ValueError(
            f"{path} has no explanation in it; give a file that Explanation.save wrote, and that "
            "no other program wrote anew"
        )
    if len(found) > 1:
        raise ValueError(f"{path} has {len(found)} explanations in it; give a file of one")


def _record_of(path: Path, data: str | bytes) -> Explanation:
    try:
        return from_dict(json.loads(data, object_pairs_hook=_without_twins))
    except RecursionError:
        raise ValueError(f"{path}: its record is nested too deeply") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        [(twin, count)] = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {shown(twin)} is there {count} times in one place")
    return found
