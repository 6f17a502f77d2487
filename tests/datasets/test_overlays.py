"""Overlays: pictures with their heatmaps, beside the rows."""

import weakref

import pytest
from PIL import Image, ImageChops

from explainkit import explain_prediction
from explainkit.datasets.preparing import OVERLAY_SIDE
from explainkit.formatters import format_as_image

from .conftest import as_doc, draw_picture, explain, files_in, load_squares, rows_of


def test_an_overlay_is_the_picture_with_its_heatmap(tmp_path):
    pictures = {seed: draw_picture(seed, (40, 24)) for seed in range(7)}
    pictures[3] = Image.new("RGBA", (9, 30), (200, 10, 10, 128))
    explain(pictures, tmp_path, overlays=True)
    for row, picture in zip(rows_of(tmp_path).to_pylist(), pictures.values(), strict=True):
        expl = explain_prediction(load_squares(), as_doc(picture), image=picture)
        expected = format_as_image(expl, target=0).convert("RGBA")
        with Image.open(tmp_path / row["overlay"]) as overlay:
            assert overlay.size == picture.size
            assert ImageChops.difference(overlay.convert("RGBA"), expected).getbbox() is None


def test_several_targets_are_drawn_together_and_what_failed_is_not(tmp_path):
    pictures = [("good", draw_picture(0, (40, 24))), ("bad", b"no picture")]
    explain(pictures, tmp_path, overlays=True, targets=[0, 2])
    rows = {(row["key"], row["rank"]): row["overlay"] for row in rows_of(tmp_path).to_pylist()}
    assert rows["bad", 0] is None
    assert rows["good", 0] == rows["good", 1]
    assert files_in(tmp_path / "overlays") == {rows["good", 0].removeprefix("overlays/")}
    with Image.open(tmp_path / rows["good", 0]) as overlay:
        assert overlay.width >= 2 * 40


def test_documents_that_are_no_pictures_have_none(tmp_path):
    explain([("a", as_doc(draw_picture(0)))], tmp_path, overlays=True, preprocess=None)
    assert rows_of(tmp_path)["overlay"].to_pylist() == [None]
    assert not (tmp_path / "overlays").exists()


@pytest.fixture
def large(tmp_path):
    folder = tmp_path / "large"
    folder.mkdir()
    for seed in range(12):
        draw_picture(seed, (1600, 40)).save(folder / f"{seed:02d}.png", compress_level=1)
    return folder


def test_large_pictures_are_drawn_small(large, tmp_path):
    explain(large, tmp_path / "output", overlays=True)
    sizes = set()
    for name in rows_of(tmp_path / "output")["overlay"].to_pylist():
        with Image.open(tmp_path / "output" / name) as overlay:
            sizes.add(overlay.size)
    assert sizes == {(OVERLAY_SIDE, round(40 * OVERLAY_SIDE / 1600))}


def test_nothing_holds_large_pictures_until_they_are_drawn(large, tmp_path):
    seen, most = [], 0

    def preprocess(picture):
        nonlocal most
        seen.append(weakref.ref(picture))
        most = max(most, sum(one() is not None for one in seen))
        return as_doc(picture)

    explain(large, tmp_path / "output", overlays=True, preprocess=preprocess, threads=1)
    assert len(seen) == 13  # one was looked at before
    assert most <= 2
