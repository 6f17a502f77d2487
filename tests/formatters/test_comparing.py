"""Comparisons: what is compared, what it is called, and the picture of it."""

import io

import attrs
import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from explainkit.explanation import Explanation, TargetExplanation
from explainkit.formatters import Comparison, compare, format_as_image
from explainkit.formatters.grid import fitted
from explainkit.similarity import SIMILARITIES

RNG = np.random.default_rng(5)
SMALL, LARGE = RNG.normal(size=(4, 5)), RNG.normal(size=(12, 14))


def explained(*maps, image=None, method="gradcam", layer="conv", estimator="model", labels=None):
    targets = [
        TargetExplanation(
            i, labels and labels[i], 12.345 - i, 0.5, np.maximum(one, 0) / np.abs(one).max(), one
        )
        for i, one in enumerate(map(np.float32, maps))
    ]
    return Explanation(estimator, method, layer, targets=targets, image=image)


def picture(colour="red", size=(200, 200)):
    return Image.new("RGB", size, colour)


def pixels(shown):
    return np.asarray(shown.convert("RGB"))


def corner_of(sheet, part):
    """The only place where a picture holds another: left and top."""
    windows = np.lib.stride_tricks.sliding_window_view(pixels(sheet), (*part.size[::-1], 3))
    [[top, left, _]] = np.argwhere(
        # A row of each is enough to find it, and all of it to be sure.
        (windows[..., part.height // 2, :, :] == pixels(part)[part.height // 2]).all(axis=(-1, -2))
    )
    assert (
        pixels(sheet.crop((left, top, left + part.width, top + part.height))) == pixels(part)
    ).all()
    return left, top


def test_maps_of_one_size_are_compared_as_they_are():
    others = [LARGE, -3 * LARGE, RNG.normal(size=LARGE.shape)]
    found = compare([explained(one, method=str(i)) for i, one in enumerate(others)])
    assert found.similarities.dtype == np.float64
    for i, one in enumerate(others):
        for j, other in enumerate(others):
            oracle = SIMILARITIES["spearman"](np.float32(one), np.float32(other))
            assert found.similarities[i, j] == pytest.approx(oracle, abs=1e-12)
    assert found.similarities[0, 1] == -1  # signs count: heatmaps would know nothing of this


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_small_maps_are_brought_to_the_largest_bilinearly(similarity):
    found = compare([explained(SMALL), explained(LARGE, method="rise")], similarity=similarity)
    one, other = (np.float32(array / np.abs(array).max()) for array in (SMALL, LARGE))
    enlarged = Image.fromarray(one).resize((14, 12), Image.Resampling.BILINEAR)
    oracle = SIMILARITIES[similarity](np.asarray(enlarged), other)
    assert found.similarities[0, 1] == pytest.approx(oracle, abs=1e-6)
    assert found.similarities[1, 0] == found.similarities[0, 1]
    assert found.similarity == similarity


def test_the_largest_height_and_the_largest_width():
    wide, tall = np.float32(RNG.normal(size=(2, 9))), np.float32(RNG.normal(size=(9, 2)))
    found = compare({"wide": explained(wide), "tall": explained(tall)}, similarity="pearson")
    resized = [
        np.asarray(Image.fromarray(one).resize((9, 9), Image.Resampling.BILINEAR))
        for one in (wide, tall)
    ]
    oracle = SIMILARITIES["pearson"](*resized)
    assert found.similarities[0, 1] == pytest.approx(oracle, abs=1e-6)


@pytest.mark.parametrize(
    ("picture_size", "compared_at"),
    [((40, 30), (40, 30)), ((1024, 512), (256, 128)), ((8, 4), (14, 12))],
)
def test_maps_are_brought_to_the_size_of_a_common_picture(picture_size, compared_at):
    image = picture(size=picture_size)
    found = compare(
        {"small": explained(SMALL, image=image), "large": explained(LARGE, image=image)},
        similarity="pearson",
    )
    resized = [
        np.asarray(Image.fromarray(np.float32(one)).resize(compared_at, Image.Resampling.BILINEAR))
        for one in (SMALL, LARGE)
    ]
    oracle = SIMILARITIES["pearson"](*resized)
    assert found.similarities[0, 1] == pytest.approx(oracle, abs=1e-6)


def test_pictures_of_different_sizes_say_no_size():
    maps = {"one": explained(SMALL, image=picture()), "other": explained(LARGE)}
    without = {name: attrs.evolve(expl, image=None) for name, expl in maps.items()}
    assert (compare(maps).similarities == compare(without).similarities).all()


def test_units_do_not_count():
    other = RNG.normal(size=LARGE.shape)
    ssims = [
        compare([explained(LARGE), explained(size * other, method="b")], similarity="ssim")
        for size in (1e-6, 1e6)
    ]
    assert ssims[0].similarities[0, 1] == pytest.approx(ssims[1].similarities[0, 1], abs=1e-6)


def test_a_constant_map_has_no_similarity():
    found = compare({"even": explained(np.ones((4, 5))), "other": explained(SMALL)})
    assert np.isnan(found.similarities).tolist() == [[True, True], [True, False]]


A, B, C = SMALL, -SMALL, np.abs(SMALL)


@pytest.mark.parametrize(
    ("explanations", "names"),
    [
        ([explained(A), explained(B, method="rise")], ("gradcam", "rise")),
        ([explained(A), explained(B, layer="late")], ("conv", "late")),
        ([explained(A), explained(B, estimator="other")], ("model", "other")),
        ([explained(A, labels=["dog"]), explained(B, labels=["cat"])], ("dog", "cat")),
        # What tells no more is not said: gradients have no layer.
        ([explained(A), explained(B, method="gradients", layer=None)], ("gradcam", "gradients")),
        (
            [
                explained(A),
                explained(B, layer="late"),
                explained(C, method="gradients", layer=None),
            ],
            ("gradcam, conv", "gradcam, late", "gradients"),
        ),
        ([explained(A, labels=["dog"]), explained(B, labels=["dog"])], ("dog (1)", "dog (2)")),
        (
            [explained(A), explained(B), explained(C, method="rise")],
            ("gradcam (1)", "gradcam (2)", "rise (3)"),
        ),
        ({"mine": explained(A), 2: explained(B)}, ("mine", "2")),
        (iter([explained(A), explained(B, method="rise")]), ("gradcam", "rise")),
        (explained(A, B, C, labels=["dog", None, "cat"]), ("dog", "target 1", "cat")),
        (explained(A, B, labels=["crane", "crane"]), ("crane (1)", "crane (2)")),
    ],
)
def test_names(explanations, names):
    assert compare(explanations).names == names


def test_the_targets_of_one_explanation():
    whole = explained(A, B, C)
    found = compare(whole)
    assert [expl.targets for expl in found.explanations] == [(one,) for one in whole.targets]
    assert found.similarities[0, 1] == -1
    assert {expl.method for expl in found.explanations} == {"gradcam"}


@pytest.mark.parametrize("target", [1, np.int64(1), -1])
def test_which_target(target):
    found = compare([explained(A, B), explained(A, C, method="rise")], target=target)
    assert [expl.targets[0].target for expl in found.explanations] == [1, 1]
    assert (
        found.similarities[0, 1]
        == compare({"b": explained(B), "c": explained(C)}).similarities[0, 1]
    )


@pytest.fixture
def found():
    """Two explanations, of pictures of their own."""
    return compare(
        {
            "before": explained(np.eye(4), image=picture("navy")),
            "after": explained(1 - np.eye(4), image=picture("olive")),
        },
        colormap="magma",
        alpha_limit=0.5,
    )


def test_a_panel_for_each_over_its_own_picture(found):
    corners = []
    for expl in found.explanations:
        overlay = format_as_image(expl, colormap="magma", alpha_limit=0.5)
        corners.append(corner_of(found.image, overlay))
    assert corners[1] == (corners[0][0] + 206, corners[0][1])
    assert found.image.mode == "RGB"


def test_captions_are_above_their_panels(found):
    left, top = corner_of(found.image, format_as_image(found.explanations[1], **found.options))
    other = attrs.evolve(found, names=("before", "what came of it"))
    changed = (pixels(found.image) != pixels(other.image)).any(axis=-1)
    columns = np.flatnonzero(changed[:top].any(axis=0))
    assert left <= columns[0] <= columns[-1] <= left + 200
    assert not changed[top:, : left + 200].any()
    assert changed[:, left + 200 :].any()  # and in the table


def test_the_scores_are_told(found):
    target = attrs.evolve(found.explanations[0].targets[0], score=-7.5)
    first = attrs.evolve(found.explanations[0], targets=[target])
    other = attrs.evolve(found, explanations=(first, found.explanations[1]))
    changed = (pixels(found.image) != pixels(other.image)).any(axis=-1)
    rows, columns = np.nonzero(changed)
    assert rows.size
    assert rows.max() < corner_of(found.image, format_as_image(first, **found.options))[1]
    assert columns.max() < 206


def colour_of(value):
    shade = round((value + 1) / 2 * 255) / 255
    return np.rint(np.array(mpl.colormaps["coolwarm"](shade)[:3]) * 255)


def cell_of(comparison, i, j):
    """Find a cell of the table by what changes with its number."""
    values = comparison.similarities.copy()
    values[i, j] = 0.7 if np.isnan(values[i, j]) else np.nan
    shown = pixels(comparison.image)
    other = pixels(attrs.evolve(comparison, similarities=values).image)
    rows, columns = np.nonzero((shown != other).any(axis=-1))
    return shown[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


@pytest.mark.parametrize("value", [-1.0, -0.25, 0.0, 0.5, 1.0])
@pytest.mark.parametrize("count", [2, 6])
def test_cells_have_the_colours_of_their_numbers_and_legible_letters(found, value, count):
    values = np.eye(count)
    values[0, -1] = value
    filled = attrs.evolve(
        found,
        names=tuple("abcdef"[:count]),
        explanations=(found.explanations * 3)[:count],
        similarities=values,
    )
    cell = cell_of(filled, 0, count - 1)
    around = np.concatenate([cell[:2].reshape(-1, 3), cell[-2:].reshape(-1, 3), cell[:, 0]])
    assert (around == colour_of(value)).all()
    light = cell @ [0.299, 0.587, 0.114]
    assert np.ptp(light) > 120  # the ink of the number


def test_nan_is_told_on_white(found):
    values = np.array([[np.nan, 0.5], [0.5, 1]])
    undefined = attrs.evolve(found, similarities=values)
    assert "    nan   0.50" in str(undefined)
    cell = cell_of(undefined, 0, 0)
    assert (cell[:2] == 255).all()
    assert cell.min() < 120


@pytest.mark.parametrize("count", [2, 3, 4, 7, 15])
@pytest.mark.parametrize("size", [(20, 20), (200, 30), (200, 120), (90, 400)])
def test_nothing_is_cut_off_or_covered(count, size):
    name = "a name that is rather long "
    many = {
        f"{i} {name}": explained(RNG.normal(size=(3, 3)), image=picture(size=size))
        for i in range(count)
    }
    sheet = pixels(compare(many, alpha_limit=0).image)
    edges = (sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1])
    assert all((edge == 255).all() for edge in edges)
    red = (sheet == (255, 0, 0)).all(axis=-1)
    shown = fitted(picture(size=size), (max(1, -(-184 // max(size))) * np.array(size)).tolist())
    assert red.sum() == count * shown.width * shown.height


def test_pictures_of_different_sizes_fit_equal_panels():
    wide, tall = picture("navy", (400, 200)), picture("olive", (100, 200))
    sheet = pixels(
        compare(
            {"w": explained(SMALL, image=wide), "t": explained(SMALL, image=tall)}, alpha_limit=0
        ).image
    )
    for colour, width in (((0, 0, 128), 400), ((128, 128, 0), 100)):
        rows, columns = np.nonzero((sheet == colour).all(axis=-1))
        assert (np.ptp(columns) + 1, np.ptp(rows) + 1) == (width, 200)


def test_boxes_that_can_be_read_once_are_drawn_on_each_picture():
    pair = {"a": explained(np.eye(4), image=picture()), "b": explained(A, image=picture())}
    truth = [(10, 20, 90, 80)]
    once = compare(pair, boxes=iter(truth))
    assert once.image == compare(pair, boxes=truth).image
    assert once.image != compare(pair).image


def test_the_text_is_a_table():
    found = compare({"one": explained(A), "another": explained(B), "third": explained(C)})
    values = [f"{value:.2f}" for value in found.similarities[2]]
    assert str(found) == (
        "spearman       1      2      3\n"
        f"1 one       1.00  -1.00{values[0]:>7}\n"
        f"2 another  -1.00   1.00{values[1]:>7}\n"
        f"3 third  {values[0]:>7}{values[1]:>7}   1.00"
    )


def test_no_minus_before_zero(found):
    assert "-0.00" not in str(attrs.evolve(found, similarities=np.full((2, 2), -0.001)))


def test_repr_is_short(found):
    assert len(repr(found)) < 300
    assert "names=('before', 'after')" in repr(found)


def test_it_shows_itself_in_ipython(found):
    shown = found._repr_mimebundle_()
    assert set(shown) == {"text/plain", "image/png"}
    assert shown["text/plain"] == str(found)
    assert Image.open(io.BytesIO(shown["image/png"])).tobytes() == found.image.tobytes()
    assert set(found._repr_mimebundle_(include=["image/png", "text/html"])) == {"image/png"}
    assert set(found._repr_mimebundle_(exclude=["image/png"])) == {"text/plain"}


def test_without_pictures_there_is_a_table_only():
    found = compare({"a": explained(A), "b": explained(B)})
    assert set(found._repr_mimebundle_()) == {"text/plain"}
    with pytest.raises(ValueError, match="this explanation has no picture to draw over"):
        _ = found.image
    half = compare({"a": explained(A), "b": explained(B, image=picture())})
    assert set(half._repr_mimebundle_()) == {"text/plain"}


def test_the_record_is_frozen(found):
    assert isinstance(found, Comparison)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        found.names = ()


FAILED = Explanation("model", "gradcam", error="no gradient reaches it")
FINE = explained(A)


@pytest.mark.parametrize(
    ("given", "options", "error", "message"),
    [
        (7, {}, TypeError, "explanations is of type int; give a dict of Explanations by name"),
        (
            [FINE, "gradcam"],
            {},
            TypeError,
            r"explanations\[1\] is of type str; give an Explanation",
        ),
        ({"a": FINE, "b": None}, {}, TypeError, r"explanations\['b'\] is of type NoneType; give"),
        (
            {"a": FINE, "b": FAILED},
            {},
            ValueError,
            r"explanations\['b'\] cannot be compared, for it failed: no gradient reaches it",
        ),
        (FAILED, {}, ValueError, "explanations cannot be compared, for it failed: no gradient"),
        ([FINE, explained()], {}, ValueError, r"explanations\[1\] .* for it has no targets"),
        ([], {}, ValueError, "there are no explanations to compare; give two or more"),
        ([FINE], {}, ValueError, "there is 1 explanation to compare; give two or more, or one"),
        (FINE, {}, ValueError, "there is 1 explanation to compare; .* two or more targets"),
        (
            [FINE, explained(np.ones(5))],
            {},
            ValueError,
            r"signal.* only maps of two axes .* numbers are in expl.targets\[0\].heatmap",
        ),
        (
            [FINE, explained(np.array([[np.nan, 1]]))],
            {},
            ValueError,
            r"explanations\[1\].targets\[0\].map holds NaN or infinity, and cannot be compared",
        ),
        ([FINE] * 2, {"target": 1}, IndexError, "target=1 is out of range: this explanation has 1"),
        ([FINE] * 2, {"target": "dog"}, TypeError, "target='dog' is not a position"),
        ([FINE] * 2, {"target": [0]}, TypeError, r"target is \[0\]; give the position of the one"),
        ([FINE] * 2, {"target": None}, TypeError, "target is None; give the position of the one"),
        (
            [FINE] * 2,
            {"similarity": "spearmen"},
            ValueError,
            "similarity 'spearmen'; give one of pearson, spearman, ssim; did you mean 'spearman'",
        ),
        (
            [FINE] * 2,
            {"similarity": 3},
            TypeError,
            "similarity is 3, of type int; give one of pear",
        ),
        ([FINE] * 2, {"similarity": "ssim"}, ValueError, "ssim looks through windows of 11 cells"),
        (
            [FINE] * 2,
            {"colourmap": "magma"},
            TypeError,
            "compare takes no argument 'colourmap'; did you mean 'colormap'",
        ),
        ([FINE] * 2, {"colormap": "virdis"}, ValueError, "did you mean 'viridis'"),
        ([FINE] * 2, {"alpha_limit": 2}, ValueError, "alpha_limit is 2"),
        ([FINE] * 2, {"saturated": 1}, ValueError, "saturated is 1"),
    ],
)
def test_what_cannot_be_compared(given, options, error, message):
    with pytest.raises(error, match=message):
        compare(given, **options)
