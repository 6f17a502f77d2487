"""The page of a report, which grows by one document at a time."""

import shutil
from collections.abc import Iterable
from typing import IO, Any

import attrs
from PIL import Image

from explainkit.explanation import Explanation
from explainkit.formatters.boxes import scaled_box
from explainkit.formatters.drawing import as_drawing
from explainkit.formatters.pages import viewer
from explainkit.formatters.pages.parts import content_security_policy, page_file, parts_of
from explainkit.formatters.pages.pictures import data_uri, reduced
from explainkit.formatters.reports.agreement import Agreement, Truth, agreement_of
from explainkit.formatters.reports.items import Item, Totals, item_of
from explainkit.localization.box import Box

#: The longer side of the small pictures, and of those that are looked at closer, in pixels.
SMALL, CLOSER = 160, 320
#: The longer side of the maps that are looked at closer, in cells: of methods whose maps are as
#: fine as the picture, they would be most of the page.
MAPS = 112
_UNDRAWABLE = (OSError, TypeError, ValueError)


@attrs.define
class ReportPage:
    """What a report says so far.

    Attributes
    ----------
    items, details : file
        Where the items of the page go, and what is needed to look closer at them. On the
        disk, since it may be much.
    drawing : dict
        How overlays are drawn: options of `format_as_image`.
    totals : Totals
    """

    items: IO[str]
    details: IO[str]
    drawing: dict[str, Any]
    totals: Totals = attrs.field(factory=Totals)
    _parts: Any = attrs.field(factory=lambda: parts_of("report.html.jinja"), init=False)

    def add(self, expl: Explanation, name: str, truth: Truth) -> None:
        """Add one document; one that cannot be drawn is shown as failed.

        Raises
        ------
        ValueError
            If the truth cannot be compared with the explanation.
        """
        place = self.totals.count
        try:
            item, closer = self._drawn(place, expl, name, truth)
        except _UNDRAWABLE as error:
            # Hours may have gone into the others.
            reason = f"{type(error).__name__}: {error}"
            expl = Explanation(expl.estimator, expl.method, error=reason)
            item, closer = self._drawn(place, expl, name, truth)
        try:
            item = attrs.evolve(item, agreement=agreement_of(expl, truth))
        except ValueError as error:
            raise ValueError(f"truth[{place}]: {error}") from error
        self.items.write(self._parts.item(item))
        if closer is not None:
            self.details.write(self._parts.details(place, closer))
        self.totals.add(item, expl)

    def write(self, page: IO[str], title: str) -> None:
        """Write the page of what was added."""
        styles, scripts = [page_file("report.css")], [viewer.script(), page_file("report.js")]
        page.write(
            self._parts.top(
                title,
                self.totals,
                content_security_policy(scripts, styles),
                styles,
                viewer.element(),
            )
        )
        _append(page, self.items)
        page.write(self._parts.bottom(scripts))
        # What is looked at closer comes last: the page is of use before that is read.
        _append(page, self.details)
        page.write(self._parts.end())

    def _drawn(
        self, place: int, expl: Explanation, name: str, truth: Truth
    ) -> tuple[Item, dict[str, Any] | None]:
        # It is all about small pictures: what is drawn costs by its pixels.
        small = _with_small_picture(expl)
        item = item_of(place, small, name, truth, Agreement(), largest=SMALL, **self.drawing)
        if item.label is None:
            return item, None
        return item, self._closer(small, _scaled(truth.boxes, expl, small))

    def _closer(self, expl: Explanation, true_boxes: list[list[int]]) -> dict[str, Any]:
        told = viewer.payload_of([expl], as_drawing(**self.drawing), CLOSER, MAPS, _as_uri)
        told["given"] = true_boxes
        return told


def _as_uri(picture: Image.Image) -> str:
    # The viewer's own pictures are nearer to lossless, and several times as large.
    return data_uri(picture, "WEBP", quality=80)


def _with_small_picture(expl: Explanation) -> Explanation:
    image = expl.image
    return expl if image is None else attrs.evolve(expl, image=reduced(image, CLOSER))


def _scaled(boxes: Iterable[Box], expl: Explanation, small: Explanation) -> list[list[int]]:
    """Say where boxes are in the small picture."""
    if expl.image is None or small.image is None:
        return []
    return [list(scaled_box(box, expl.image.size, small.image.size)) for box in boxes]


def _append(page: IO[str], part: IO[str]) -> None:
    part.seek(0)
    shutil.copyfileobj(part, page)
