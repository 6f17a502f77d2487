import numpy as np
import pytest

from explainkit.methods.base import Canvas
from explainkit.methods.perturbation import (
    RISE,
    Occlusion,
    crossed,
    flat_turns,
    occlusion_map,
    outer,
    patch_masks,
    patch_starts,
    rise_map,
    rise_masks,
    shifted_weights,
)
from explainkit.methods.turns import in_turns


@pytest.mark.parametrize(
    ("size", "patch", "stride", "expected"),
    [
        (10, 4, 3, [0, 3, 6]),
        (10, 4, 4, [0, 4, 6]),
        (10, 10, 1, [0]),
        (10, 10, 10, [0]),
        (1, 1, 1, [0]),
        (5, 2, 2, [0, 2, 3]),
        (5, 1, 1, [0, 1, 2, 3, 4]),
    ],
)
def test_patches_begin_a_stride_apart_and_the_last_ends_with_the_axis(
    size, patch, stride, expected
):
    assert patch_starts(size, patch, stride) == expected


@pytest.mark.parametrize("size", [1, 2, 7, 10, 16])
def test_patches_cover_each_pixel_and_none_comes_twice(size):
    for patch in range(1, size + 1):
        for stride in range(1, patch + 1):
            masks = patch_masks(size, patch, stride)
            assert (masks.sum(axis=1) == patch).all()
            assert (masks.sum(axis=0) >= 1).all()
            starts = masks.argmax(axis=1).tolist()
            assert starts == sorted(set(starts))
            for start, mask in zip(starts, masks, strict=True):
                assert mask[start : start + patch].all()


def test_masks_are_crossed_in_every_combination():
    rows, columns, layers = np.eye(2), 10 * np.eye(3), 100 * np.eye(2)
    found = crossed([rows, columns, layers])
    expected = [(r, c, d) for r in rows for c in columns for d in layers]
    assert len(found) == 3
    for one, of_all in zip(found, zip(*expected, strict=True), strict=True):
        np.testing.assert_array_equal(one, np.array(of_all))


@pytest.mark.parametrize("sizes", [(4,), (4, 5), (4, 5, 3)])
def test_masks_of_axes_are_multiplied(sizes):
    rng = np.random.default_rng(0)
    along = [rng.normal(size=(6, size)) for size in sizes]
    found = outer(np, along)
    assert found.shape == (6, *sizes)
    for n, *cell in np.ndindex(found.shape):
        expected = np.prod([one[n, i] for one, i in zip(along, cell, strict=True)])
        assert found[(n, *cell)] == pytest.approx(expected, abs=1e-12)


def patches(sizes, patch, stride):
    # The masks are float32 on purpose; 0 and 1 are exact.
    return [one.astype(float) for one in crossed([patch_masks(s, patch, stride) for s in sizes])]


@pytest.mark.parametrize("sizes", [(7,), (7, 5), (4, 5, 3)])
@pytest.mark.parametrize(("patch", "stride"), [(1, 1), (2, 1), (3, 2), (3, 3)])
def test_occlusion_gives_a_pixel_the_mean_of_the_drops_of_its_patches(sizes, patch, stride):
    along = patches(sizes, patch, stride)
    drops = np.random.default_rng(patch).normal(size=(len(along[0]), 4))
    found = occlusion_map(np, drops, along)
    assert found.shape == (4, *sizes)
    starts = np.stack(np.meshgrid(*(patch_starts(s, patch, stride) for s in sizes), indexing="ij"))
    corners = starts.reshape(len(sizes), -1).T
    for k, *cell in np.ndindex(found.shape):
        over = [
            drops[p, k]
            for p, corner in enumerate(corners)
            if all(at <= i < at + patch for i, at in zip(cell, corner, strict=True))
        ]
        assert found[(k, *cell)] == pytest.approx(sum(over) / len(over), abs=1e-10)


@pytest.mark.parametrize("sizes", [(7,), (7, 5), (4, 5, 3)])
def test_equal_drops_are_that_drop_everywhere(sizes):
    along = patches(sizes, 3, 2)
    drops = np.ones((len(along[0]), 1)) * [0.3, -2.0]
    found = occlusion_map(np, drops, along)
    np.testing.assert_allclose(found[0], 0.3, rtol=1e-12)
    np.testing.assert_allclose(found[1], -2.0, rtol=1e-12)


def test_a_patch_as_large_as_the_picture_is_one_drop():
    found = occlusion_map(np, np.array([[5.0]]), patches((4, 4), 4, 2))
    np.testing.assert_array_equal(found, np.full((1, 4, 4), 5.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patch": 9}, "patch is 9 pixels; the picture has only 8"),
        ({"patch": 2, "stride": 3}, "stride is 3, more than the 2 pixels of a patch"),
        ({"stride": 2}, "stride is 2, more than the 1 pixels of a patch"),
        ({"baseline": np.zeros((3, 3, 3))}, r"shape \(3, 3, 3\).*\(8, 8, 3\)"),
    ],
)
def test_patches_that_do_not_fit_the_picture_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Occlusion(**options).drawn(Canvas((8, 8, 3)), 4)


def test_a_patch_must_fit_each_axis():
    with pytest.raises(ValueError, match="patch is 5 pixels; the picture has only 4"):
        Occlusion(patch=5).drawn(Canvas((8, 4, 3)), 4)


@pytest.mark.parametrize(("shape", "count"), [((224, 224, 3), 225), ((64, 1), 15), ((4, 3), 4)])
def test_patches_are_an_eighth_of_the_picture_when_nothing_is_said(shape, count):
    turns, baseline = Occlusion().drawn(Canvas(shape), 1)
    assert baseline == ()
    assert len(turns) == len(shape) - 1
    for masks, size in zip(turns, shape[:-1], strict=True):
        assert masks.shape == (count, 1, size)
        # Of a tiny picture, a pixel.
        assert (masks.sum(axis=-1) == max(1, size / 8)).all()


@pytest.mark.parametrize("sizes", [(6,), (6, 8), (4, 3, 5)])
@pytest.mark.parametrize("seed", range(2))
def test_masks_are_made_of_the_cells_of_their_grids(seed, sizes):
    rng = np.random.default_rng(seed)
    cells = (3, 2, 4)[: len(sizes)]
    grids = rng.normal(size=(5, *cells))
    along = [rng.normal(size=(5, s, c)) for s, c in zip(sizes, cells, strict=True)]
    found = rise_masks(np, grids, along)
    assert found.shape == (5, *sizes)
    for p, *pixel in np.ndindex(found.shape):
        expected = 0.0
        for cell in np.ndindex(cells):
            weights = [one[p, i, c] for one, i, c in zip(along, pixel, cell, strict=True)]
            expected += grids[(p, *cell)] * np.prod(weights)
        assert found[(p, *pixel)] == pytest.approx(expected, abs=1e-10)


def rise_case(seed, sizes, count=7):
    rng = np.random.default_rng(seed)
    grids = (rng.random((count, *[4] * len(sizes))) < 0.4).astype(float)
    along = [shifted_weights(3, s, rng.random(count)).astype(float) for s in sizes]
    return rng.normal(size=(count, 2)), grids, along


@pytest.mark.parametrize("sizes", [(6,), (6, 8), (4, 3, 5)])
def test_rise_weighs_masks_by_how_much_better_than_the_mean_they_score(sizes):
    scores, grids, along = rise_case(0, sizes)
    found = rise_map(np, scores, grids, along, visible=0.4)
    assert found.shape == (2, *sizes)
    masks = rise_masks(np, grids, along)
    for k, *pixel in np.ndindex(found.shape):
        mean = sum(scores[:, k]) / 7
        parts = [(scores[p, k] - mean) * masks[(p, *pixel)] for p in range(7)]
        assert found[(k, *pixel)] == pytest.approx(sum(parts) / (7 * 0.4), abs=1e-10)


@pytest.mark.parametrize("sizes", [(6,), (6, 8), (4, 3, 5)])
def test_rise_asks_for_differences_of_scores_only(sizes):
    scores, grids, along = rise_case(1, sizes)
    found = rise_map(np, scores, grids, along, visible=0.5)
    shifted = rise_map(np, scores + np.array([1000, -7]), grids, along, visible=0.5)
    np.testing.assert_allclose(shifted, found, atol=1e-10)
    # A model that is blind has a map of zeros.
    blind = rise_map(np, np.full_like(scores, 3.0), grids, along, visible=0.5)
    np.testing.assert_allclose(blind, 0, atol=1e-12)


def test_rise_finds_the_pixel_that_matters():
    rng = np.random.default_rng(2)
    grids = (rng.random((2000, 5, 5)) < 0.5).astype(float)
    along = [shifted_weights(4, 12, rng.random(2000)).astype(float) for _ in range(2)]
    scores = rise_masks(np, grids, along)[:, 3, 8][:, None]
    found = rise_map(np, scores, grids, along, visible=0.5)[0]
    row, column = np.unravel_index(found.argmax(), found.shape)
    assert abs(row - 3) <= 1
    assert abs(column - 8) <= 1


@pytest.mark.parametrize(("cells", "size"), [(1, 1), (1, 5), (7, 32), (3, 8), (8, 4)])
def test_shifted_weights_enlarge_linearly_from_where_they_are_shifted_to(cells, size):
    shifts = np.array([0.0, 0.25, 0.999, 1.0])
    weights = shifted_weights(cells, size, shifts)
    assert weights.shape == (4, size, cells + 1)
    # They are float32 on purpose: all of a picture's masks are laid out at once.
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-6)
    values = np.random.default_rng(cells).normal(size=cells + 1)
    for shift, found in zip(shifts, weights @ values, strict=True):
        places = [(i + 0.5) / size * cells - 0.5 + shift for i in range(size)]
        expected = np.interp(places, np.arange(cells + 1), values)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_shift_by_a_cell_is_the_next_cell():
    here, there = shifted_weights(4, 16, np.array([0.0, 1.0]))
    # But for the edge, which repeats its cell.
    np.testing.assert_allclose(there[2:-2, 1:], here[2:-2, :-1], atol=1e-6)


@pytest.mark.parametrize("visible", [0.1, 0.5, 0.9])
def test_rise_shows_as_much_as_it_was_told(visible):
    turns, _ = RISE(masks=400, cells=5, visible=visible, seed=1).drawn(Canvas((10, 10, 3)), 50)
    grids, *along = [flat_turns(np, one, 400).astype(float) for one in turns]
    masks = rise_masks(np, grids, along)
    assert masks.min() >= 0
    assert masks.max() <= 1 + 1e-6
    assert masks.mean() == pytest.approx(visible, abs=0.02)


def test_a_seed_says_which_masks_are_drawn():
    def drawn(seed):
        return RISE(masks=6, seed=seed).drawn(Canvas((10, 12, 3)), 4)[0]

    for one, same, other in zip(drawn(3), drawn(3), drawn(4), strict=True):
        np.testing.assert_array_equal(one, same)
        assert (one != other).any()


def test_the_masks_do_not_depend_on_how_many_pass_through_a_model_at_once():
    canvas, method = Canvas((10, 12, 3)), RISE(masks=10)
    for few, many in zip(method.drawn(canvas, 3)[0], method.drawn(canvas, 100)[0], strict=True):
        np.testing.assert_array_equal(flat_turns(np, few, 10), flat_turns(np, many, 10))


@pytest.mark.parametrize(("count", "batch_size"), [(5, 3), (6, 3), (1, 4), (7, 2)])
def test_turns_are_laid_out_again_without_what_they_were_filled_up_with(count, batch_size):
    variants = np.random.default_rng(0).normal(size=(count, 2, 3))
    found = flat_turns(np, in_turns(variants, batch_size), count)
    np.testing.assert_array_equal(found, variants)
