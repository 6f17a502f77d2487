import io

import numpy as np
import pytest
from PIL import Image

from explainkit import format_as_image
from explainkit.formatters import format_as_png
from explainkit.formatters.boxes import LINE, OUTLINE, draw_boxes
from explainkit.formatters.colour_mode import in_colour_mode
from explainkit.formatters.image import check_drawing
from explainkit.localization import Box, find_box

SPOT = np.zeros((6, 8), np.float32)
SPOT[2:4, 3:6] = 1


def changed(picture, before):
    """Where the line, and where its outline, differ from a picture that has neither colour."""
    levels = np.asarray(picture.convert("RGB"))
    colours = [tuple(bytes.fromhex(ink[1:])) for ink in (LINE, OUTLINE)]
    line, outline = ((levels == colour).all(axis=2) for colour in colours)
    untouched = ~(line | outline)
    np.testing.assert_array_equal(levels[untouched], np.asarray(before.convert("RGB"))[untouched])
    return line, outline


def edge_of(box, width, size):
    """The pixels of a box that are nearer than the width to its outside; negative: around it."""
    left, top, right, bottom = box
    rows, columns = np.mgrid[: size[1], : size[0]]
    depth = np.minimum.reduce([columns - left, right - 1 - columns, rows - top, bottom - 1 - rows])
    return (depth < width) & (depth >= 0) if width > 0 else (depth < 0) & (depth >= width)


@pytest.mark.parametrize(
    ("size", "line", "beside"), [((30, 20), 1, 1), ((420, 300), 3, 1), ((500, 400), 4, 2)]
)
def test_lines_are_exact_and_grow_with_the_picture(size, line, beside):
    before = Image.new("RGB", size, "red")
    box = (5, 6, size[0] - 8, size[1] - 4)
    light, dark = changed(draw_boxes(before, [Box(*box)]), before)
    inside = edge_of(box, line + beside, size) & ~edge_of(box, line, size)
    np.testing.assert_array_equal(light, edge_of(box, line, size))
    np.testing.assert_array_equal(dark, inside | edge_of(box, -beside, size))


@pytest.mark.parametrize(
    ("box", "shown"),
    [
        ((0, 0, 30, 20), (0, 0, 30, 20)),
        ((-9, 4, 12, 99), (0, 4, 12, 20)),
        ((29, 19, 30, 20), (29, 19, 30, 20)),
    ],
)
def test_a_box_is_closed_within_the_picture(box, shown):
    before = Image.new("RGB", (30, 20), "red")
    light, _ = changed(draw_boxes(before, [Box(*box)]), before)
    np.testing.assert_array_equal(light, edge_of(shown, 1, (30, 20)))


@pytest.mark.parametrize("box", [(30, 0, 40, 9), (-9, -9, 0, 0), (3, 3, 3, 9)])
def test_a_box_without_a_pixel_in_the_picture_is_not_drawn(box):
    before = Image.new("L", (30, 20), 128)
    assert draw_boxes(before, [Box(*box)]) is before


def test_true_draws_the_box_that_is_found(explain, photo):
    expl = explain(photo, SPOT, labels=["spot"])
    bare = format_as_image(expl)
    found = find_box(expl)
    assert format_as_image(expl, boxes=True) == draw_boxes(bare, [found]) != bare
    light, _ = changed(format_as_image(expl, boxes=True), bare)
    np.testing.assert_array_equal(light, edge_of(found, 1, photo.size))
    assert format_as_image(expl, boxes=False) == bare


def test_the_box_does_not_depend_on_how_the_heat_is_drawn(explain, photo):
    strong = SPOT * 0.1
    strong[0, 0] = 1
    expl = explain(photo, strong)
    for options in ({"saturated": 0.1}, {"resampling_filter": "nearest"}, {"alpha_limit": 0}):
        light, _ = changed(
            format_as_image(expl, boxes=True, **options), format_as_image(expl, **options)
        )
        np.testing.assert_array_equal(light, edge_of(find_box(expl), 1, photo.size))


def test_boxes_that_are_given_are_drawn_over_every_picture(explain, photo):
    expl = explain(photo, SPOT, np.flip(SPOT))
    truth = [(1, 2, 9, 8), Box(10, 3, 20, 17)]
    for given in (truth, tuple(truth), iter(truth), np.array(truth)):
        assert format_as_image(expl, boxes=given) == draw_boxes(
            format_as_image(expl), [Box(*one) for one in truth]
        )
    assert format_as_image(expl, boxes=truth[0]) == format_as_image(expl, boxes=truth[:1])
    assert format_as_image(expl, boxes=[]) == format_as_image(expl)
    sheet = np.asarray(format_as_image(expl, target=None, boxes=iter(truth[:1])))
    bare = np.asarray(format_as_image(expl, target=None))
    columns = np.flatnonzero((sheet != bare).any(axis=(0, 2)))
    assert columns[0] < sheet.shape[1] / 2 < columns[-1]


def test_each_of_several_targets_has_its_own_box(explain, photo):
    corner = np.zeros((6, 8), np.float32)
    corner[0, 0] = 1
    sheet = format_as_image(explain(photo, SPOT, corner), target=None, boxes=True)
    assert sheet == format_as_image(explain(photo, SPOT, corner), target=(0, 1), boxes=True)
    bare = format_as_image(explain(photo, SPOT, corner), target=None)
    light, _ = changed(sheet, bare)
    wanted = [
        edge_of(find_box(one, size=photo.size), 1, photo.size).sum() for one in (SPOT, corner)
    ]
    middle = sheet.width // 2
    # The paper is no line, nor are letters.
    bare_light, _ = changed(bare, bare)
    assert [light[:, :middle].sum(), light[:, middle:].sum()] == [
        wanted[0] + bare_light[:, :middle].sum(),
        wanted[1] + bare_light[:, middle:].sum(),
    ]


def test_a_heatmap_of_zeros_has_no_box(explain, photo):
    grey = photo.convert("L")
    expl = explain(grey, np.zeros((3, 3)))
    drawn = format_as_image(expl, boxes=True)
    assert drawn == grey
    assert drawn is not grey


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F"])
@pytest.mark.parametrize("alpha_limit", [0, 0.65])
def test_pictures_of_every_mode_are_drawn_on_and_stay_as_they_were(
    explain, photo, mode, alpha_limit
):
    picture = (photo.convert("L") if mode in "IF" else photo).convert(mode)
    before = picture.copy()
    expl = explain(picture, SPOT)
    drawn = format_as_image(expl, boxes=True, alpha_limit=alpha_limit)
    assert drawn.mode == ("RGBA" if mode in ("LA", "RGBA") else "RGB")
    assert picture.tobytes() == before.tobytes()
    light, _ = changed(drawn, in_colour_mode(format_as_image(expl, alpha_limit=alpha_limit)))
    np.testing.assert_array_equal(light, edge_of(find_box(expl), 1, photo.size))


def test_a_png_has_boxes_too(explain, photo):
    expl = explain(photo, SPOT)
    with Image.open(io.BytesIO(format_as_png(expl, target=0, boxes=True))) as drawn:
        assert drawn.tobytes() == format_as_image(expl, boxes=True).tobytes()


@pytest.mark.parametrize(
    ("boxes", "error", "message"),
    [
        (None, TypeError, "boxes is None, of type NoneType; give True for the boxes of the heat"),
        (1, TypeError, "boxes is 1, of type int"),
        ("truth", TypeError, "boxes is 'truth'"),
        ([(1, 2, 3)], ValueError, "a box has 3 numbers; give four whole numbers"),
        ([(5, 2, 3, 4)], ValueError, "ends before it begins"),
    ],
)
def test_what_is_no_boxes_is_refused_before_anything_is_drawn(
    explain, photo, boxes, error, message
):
    with pytest.raises(error, match=message):
        format_as_image(explain(photo, SPOT), boxes=boxes)
    with pytest.raises(error, match=message):
        check_drawing(boxes=boxes)


def test_checking_leaves_what_can_be_read_once_to_the_drawing():
    boxes = iter([(1, 2, 3, 4)])
    check_drawing(boxes=boxes)
    assert list(boxes) == [(1, 2, 3, 4)]
    check_drawing(boxes=[(1, 2, 3, 4)])
