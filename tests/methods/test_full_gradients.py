import numpy as np
import pytest

from explainkit.methods.full_gradients import contributions_map, fullgrad_map

from .by_loops import enlarged

#: The picture, and layers that are enlarged, shrunk, of its own size or of a single cell.
#: Of these sizes the weights, float32 on purpose, are exact.
SHAPES = [
    [(8, 3), (4, 5), (8, 2), (1, 6)],
    [(8, 8, 3), (4, 2, 5), (16, 8, 2), (3, 3, 4), (1, 1, 2)],
    [(4, 4, 2, 1), (2, 4, 1, 3)],
]


def drawn(seed, shapes, docs=2, targets=3):
    rng = np.random.default_rng(seed)
    # Layers differ in the size of what they contribute.
    return [10.0**i * rng.normal(size=(docs, targets, *shape)) for i, shape in enumerate(shapes)]


def fullgrad_by_loops(parts):
    """ψ of each part of each document, channel by channel, as the paper's authors do it."""
    docs, targets, *sizes, _ = parts[0].shape
    maps = np.zeros((docs, targets, *sizes))
    for n, k in np.ndindex(docs, targets):
        for part in parts:
            size = np.abs(part[n, k])
            scaled = (size - size.min()) / (size.max() - size.min())
            for c in range(part.shape[-1]):
                maps[n, k] += enlarged(scaled[..., c], sizes, leading=0)
    return maps


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("seed", range(2))
def test_fullgrad_adds_up_what_was_scaled_and_enlarged(seed, shapes):
    picture, *layers = drawn(seed, shapes)
    expected = fullgrad_by_loops([picture, *layers])
    np.testing.assert_allclose(fullgrad_map(np, picture, layers), expected, atol=1e-10)


@pytest.mark.parametrize("which", range(5))
def test_fullgrad_does_not_depend_on_how_large_one_layers_contributions_are(which):
    parts = drawn(2, SHAPES[1])
    found = fullgrad_map(np, parts[0], parts[1:])
    parts[which] = -1000 * parts[which]
    np.testing.assert_allclose(fullgrad_map(np, parts[0], parts[1:]), found, atol=1e-10)


def test_fullgrad_scales_each_document_and_target_by_itself():
    parts = drawn(3, SHAPES[1])
    together = fullgrad_map(np, parts[0], parts[1:])
    for n, k in np.ndindex(2, 3):
        picture, *layers = (part[n : n + 1, k : k + 1] for part in parts)
        alone = fullgrad_map(np, picture, layers)
        np.testing.assert_allclose(together[n, k], alone[0, 0], atol=1e-10)


def test_fullgrad_scales_all_channels_together():
    # Were each channel scaled by itself, a weak one would count as much as a strong one.
    picture = np.array([[[[0.0, 0.0], [8.0, 2.0]]]])
    np.testing.assert_allclose(fullgrad_map(np, picture, []), [[[0.0, 1.25]]])


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_layers_that_are_even_add_nothing(value, recwarn):
    picture, layer = drawn(4, [(4, 4, 3), (2, 2, 5)])
    alone = fullgrad_map(np, picture, [layer])
    even = np.full((2, 3, 2, 2, 4), value)
    np.testing.assert_allclose(fullgrad_map(np, picture, [layer, even]), alone, atol=1e-10)
    assert not recwarn.list


@pytest.mark.parametrize("shapes", SHAPES)
def test_fullgrad_is_never_below_zero(shapes):
    picture, *layers = drawn(5, shapes)
    assert fullgrad_map(np, picture, layers).min() > -1e-10


def spread(line, new_size):
    """Spread each cell of a line over the pixels that are made of it, so that its sum stays."""
    size = len(line)
    centres = [(i + 0.5) * size / new_size - 0.5 for i in range(new_size)]
    made = np.zeros(new_size)
    for cell in range(size):
        shares = np.interp(centres, np.arange(size), np.arange(size) == cell)
        if shares.sum() > 0:
            made += line[cell] * shares / shares.sum()
        else:  # passed over: to the pixel that it lies in
            made[cell * new_size // size] += line[cell]
    return made


@pytest.mark.parametrize("shapes", SHAPES)
def test_contributions_are_spread_over_the_pixels_of_their_cells(shapes):
    picture, *layers = drawn(6, shapes)
    found = contributions_map(np, picture, layers, [])
    expected = picture.sum(axis=-1)
    for layer in layers:
        part = layer.sum(axis=-1)
        for axis, size in enumerate(picture.shape[2:-1], start=2):
            part = np.apply_along_axis(spread, axis, part, size)
        expected = expected + part
    # A weight of a third is no exact float32.
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found / scale, expected / scale, atol=1e-6)


@pytest.mark.parametrize("shapes", [*SHAPES, [(7, 10, 3), (5, 3, 4), (13, 20, 2), (2, 9, 1)]])
def test_contributions_add_up_to_their_total(shapes):
    picture, *layers = drawn(7, shapes)
    rng = np.random.default_rng(7)
    others = [rng.normal(size=(2, 3, 11)), rng.normal(size=(2, 3, 4, 5)), np.ones((2, 3))]
    found = contributions_map(np, picture, layers, others)
    for n, k in np.ndindex(2, 3):
        parts = [part[n, k] for part in (picture, *layers, *others)]
        scale = sum(np.abs(part).sum() for part in parts)
        # The weights are float32 on purpose; what is lost is next to what was added up.
        total = sum(part.sum() for part in parts)
        assert found[n, k].sum() == pytest.approx(total, abs=1e-7 * scale)


def test_the_total_is_exact_where_the_weights_are():
    picture, *layers = drawn(8, [(8, 8, 3), (4, 2, 5), (8, 8, 2), (1, 1, 2)])
    found = contributions_map(np, picture, layers, [])
    total = sum(part.sum(axis=(2, 3, 4)) for part in (picture, *layers))
    np.testing.assert_allclose(found.sum(axis=(2, 3)), total, atol=1e-9)


def test_what_has_no_place_in_the_picture_is_spread_over_all_of_it():
    picture = np.zeros((2, 1, 3, 4, 3))
    others = [np.array([[[5.0, -2.0]], [[1.0, 1.0]]]), np.array([[9.0], [10.0]])]
    found = contributions_map(np, picture, [], others)
    np.testing.assert_allclose(found, np.full((2, 1, 3, 4), 1.0))


def test_contributions_keep_their_signs():
    picture = np.random.default_rng(9).normal(size=(1, 1, 4, 4, 3))
    layers = [np.random.default_rng(10).normal(size=(1, 1, 2, 2, 5))]
    found = contributions_map(np, picture, layers, [])
    turned = contributions_map(np, -picture, [-layers[0]], [])
    np.testing.assert_allclose(turned, -found, atol=1e-12)
