import numpy as np
import pytest
from PIL import Image, ImageChops

from explainkit.explanation import TargetExplanation
from explainkit.formatters import format_as_image
from explainkit.formatters.captions import caption_of, side_by_side
from explainkit.formatters.lettering import font_with, own_font, spelled

HEAT = np.zeros((7, 7), np.float32)
AWKWARD = {
    "newlines": "two\nlines\r\nand\ttabs",
    "emoji": "🐶👩‍👩‍👧 dog",
    "right to left": "שלום עולם مرحبا",
    "unprintable": "nul\x00 bell\x07 surrogate\ud800",
    "accents": "Z" + "\u0351\u036b\u0343" * 40 + "algo",
    "empty": "",
    "blank": " \n ",
    "markup": "<b>&amp;</b> %s {0}",
    "long word": "W" * 100_000,
    "wide": "﷽" * 300,
}


def dark(picture):
    """Where the ink is: the box around all that is not white."""
    return ImageChops.invert(picture.convert("L")).point(lambda level: 255 * (level > 40)).getbbox()


@pytest.mark.parametrize(
    ("target", "label", "proba", "lines"),
    [
        (243, None, None, ("target 243", "score 12.3")),
        (243, "bull mastiff", 0.5, ("bull mastiff", "score 12.3, proba 0.5")),
        (("boxes", 3), None, None, ("target boxes[3]", "score 12.3")),
        ("top_left", None, None, ("target top_left", "score 12.3")),
        (243, "", 1.2e-7, ("target 243", "score 12.3, proba 1.2e-07")),
    ],
)
def test_what_a_caption_says(target, label, proba, lines):
    assert caption_of(TargetExplanation(target, label, 12.345, proba, HEAT, HEAT)) == lines


@pytest.mark.parametrize("size", [(1, 1), (32, 32), (96, 40), (224, 224), (640, 480), (40, 700)])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_panels_in_a_row_each_with_ink_above(size, count):
    picture = Image.new("RGB", size, "red")
    sheet = side_by_side([picture] * count, [("a label", "score 1, proba 0.5")] * count, size)
    assert sheet.mode == "RGB"
    red = np.all(np.asarray(sheet) == (255, 0, 0), axis=-1)
    assert red.sum() == count * size[0] * size[1]
    top = np.flatnonzero(red.any(axis=1))[0]
    for panel in np.array_split(np.asarray(sheet)[:top], count, axis=1):
        left, _, right, _ = dark(Image.fromarray(panel))
        assert 0 < left < right < panel.shape[1]
        assert right - left > 60  # no letters too small to read


def test_the_letters_grow_with_the_picture():
    def letters(width):
        sheet = side_by_side(
            [Image.new("L", (width, 10), "white")], [("label", "score 1")], (width, 10)
        )
        _, top, _, bottom = dark(sheet)
        return bottom - top

    assert letters(32) == letters(184)
    assert letters(1000) > 3 * letters(200)


@pytest.mark.parametrize("text", AWKWARD.values(), ids=AWKWARD)
@pytest.mark.parametrize("width", [8, 300])
def test_no_text_leaves_its_panel(text, width):
    blank = Image.new("RGB", (width, 20), "white")
    plain = side_by_side([blank] * 3, [("", "")] * 3, blank.size)
    sheet = side_by_side([blank] * 3, [("", ""), (text, text), ("", "")], blank.size)
    assert sheet.size == plain.size
    inked = np.flatnonzero((np.asarray(sheet.convert("L")) < 200).any(axis=0))
    third = sheet.width / 3
    if inked.size:
        assert third - 5 <= inked[0] <= inked[-1] <= 2 * third + 5


def test_line_breaks_become_spaces_and_the_unprintable_is_left_out():
    def drawn(name):
        return side_by_side([Image.new("L", (200, 10))], [(name, "score 1")], (200, 10))

    assert drawn(" two\n\n\tli\x00nes\u200b\r\n") == drawn("two lines")
    assert drawn("twolines") != drawn("two lines")


def test_letters_that_no_font_has_are_spelled(monkeypatch):
    from explainkit.formatters import lettering

    monkeypatch.setattr(lettering, "_font_file_with", lambda letters: None)
    drawn = [
        side_by_side([Image.new("L", (400, 10))], [(name, "")], (400, 10))
        for name in ("two 🐶🦊", "two [dog face][fox face]", "two 🐶🐶")
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert spelled("\U000e0fff\ufe0f", own_font(12)) == "[U+E0FFF]\ufe0f"


def test_letters_of_another_font_of_this_machine_are_drawn(monkeypatch):
    from explainkit.formatters import lettering

    own = own_font(20)
    known = lettering._letters_of

    def letters_of(path):
        return known(path) - {ord("β")} if path == str(own.path) else known(path)

    assert font_with("αβ", own) is own
    monkeypatch.setattr(lettering, "_letters_of", letters_of)
    lettering._font_file_with.cache_clear()
    found = font_with("αβ", own)
    assert found.path != own.path
    assert found.size == 20
    assert spelled("αβ", found) == "αβ"
    assert font_with("αγ", own) is own


def test_no_font_of_boxes_for_everything_is_taken():
    assert "LastResort" not in str(font_with("\U0001f436\u72ac", own_font(20)).path)


def test_long_labels_end_in_an_ellipsis():
    def drawn(name):
        return side_by_side([Image.new("L", (200, 10))], [(name, "")], (200, 10))

    assert drawn("tiger cat " * 20) == drawn("tiger cat " * 30)
    assert drawn("tiger cat " * 20) != drawn("tiger cat")


def test_several_targets_are_their_overlays(explain, photo):
    heats = [np.eye(3), 1 - np.eye(3), np.ones((2, 2))]
    expl = explain(photo, *heats, labels=["dog", "cat", None], probas=[0.75, 0.2, None])
    sheet = format_as_image(expl, target=[2, 0])
    for position, centre in ((2, 0.25), (0, 0.75)):
        overlay = np.asarray(format_as_image(expl, target=position))
        around = np.asarray(sheet)[:, round(sheet.width * centre) - 20 :]
        windows = np.lib.stride_tricks.sliding_window_view(around, overlay.shape)
        assert (windows[..., :16, 0, :, :, :] == overlay).all(axis=(-1, -2, -3)).any()
    assert format_as_image(expl, target=None).width > sheet.width
    assert format_as_image(expl, target=(0,)) != format_as_image(expl, target=0)


def test_transparent_pictures_lie_on_white(explain):
    clear = Image.new("RGBA", (200, 50), (255, 0, 0, 0))
    sheet = format_as_image(explain(clear, HEAT), target=None)
    assert sheet.getpixel((100, sheet.height - 30)) == (255, 255, 255)


def test_grey_pictures_side_by_side(explain):
    grey = Image.new("L", (200, 50), 77)
    sheet = format_as_image(explain(grey, HEAT, np.ones((2, 2))), target=None)
    assert sheet.getpixel((100, sheet.height - 30)) == (77, 77, 77)
