"""Pictures in files, of every kind that is met: explained, or told as an error row."""

import io
import os
import sys

import numpy as np
import pytest
from PIL import Image

from explainkit import datasets

from .conftest import (
    Squares,
    as_doc,
    draw_doc,
    draw_picture,
    explain,
    load_squares,
    rows_of,
    squares_of,
)


def encoded(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def noise(mode, size=(20, 16)):
    return draw_picture(3, size).convert(mode)


def deep(dtype, size=(20, 16)):
    high = 65535 if dtype == np.uint16 else 1
    pixels = np.random.default_rng(5).random((size[1], size[0])) * high
    return Image.fromarray(pixels.astype(dtype))


def frames():
    return [draw_picture(seed, (20, 16)) for seed in range(3)]


def turned(orientation):
    """Save a picture lying down, and say in its EXIF how it is to be turned."""
    undo = {
        3: Image.Transpose.ROTATE_180,
        6: Image.Transpose.ROTATE_90,
        8: Image.Transpose.ROTATE_270,
    }
    lying = draw_picture(3, (16, 16)).transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(lying, "PNG", exif=exif)


def palette_with_transparency():
    picture = noise("RGB").quantize(16)
    return encoded(picture, "PNG", transparency=3)


def bomb():
    """Write a picture whose header promises more than may be opened."""
    small = encoded(Image.new("L", (8, 8)), "BMP")
    return small[:18] + (60_000).to_bytes(4, "little") + (60_000).to_bytes(4, "little") + small[26:]


#: What has an explanation.
GOOD = {
    "mode 1.png": lambda: encoded(noise("1"), "PNG"),
    "mode L.png": lambda: encoded(noise("L"), "PNG"),
    "mode LA.png": lambda: encoded(noise("LA"), "PNG"),
    "mode RGBA.png": lambda: encoded(noise("RGBA"), "PNG"),
    "palette.gif": lambda: encoded(noise("P"), "GIF"),
    "palette, transparent.png": palette_with_transparency,
    "16 bits.png": lambda: encoded(deep(np.uint16), "PNG"),
    "16 bits.tiff": lambda: encoded(deep(np.uint16), "TIFF"),
    "float.tiff": lambda: encoded(deep(np.float32), "TIFF"),
    "cmyk.jpg": lambda: encoded(noise("CMYK"), "JPEG"),
    "cmyk.tiff": lambda: encoded(noise("CMYK"), "TIFF"),
    "animated.gif": lambda: encoded(frames()[0], "GIF", save_all=True, append_images=frames()[1:]),
    "animated.png": lambda: encoded(frames()[0], "PNG", save_all=True, append_images=frames()[1:]),
    "animated.webp": lambda: encoded(
        frames()[0], "WEBP", save_all=True, append_images=frames()[1:], lossless=True
    ),
    "grey.jpeg": lambda: encoded(noise("L"), "JPEG"),
    "one pixel.png": lambda: encoded(noise("RGB", (1, 1)), "PNG"),
    "long.png": lambda: encoded(noise("RGB", (3000, 1)), "PNG"),
    "upright.png": lambda: encoded(draw_picture(3, (16, 16)), "PNG"),
    **{f"turned {way}.png": lambda way=way: turned(way) for way in (3, 6, 8)},
}
#: What has an error row, with a word of its message.
BAD = {
    "zero bytes.png": (lambda: b"", "no picture"),
    "cut off.png": (lambda: encoded(noise("RGB", (64, 64)), "PNG")[:2000], "cut off"),
    "cut off.jpg": (lambda: encoded(noise("RGB", (64, 64)), "JPEG")[:1000], "cut off"),
    "header alone.png": (lambda: encoded(noise("RGB"), "PNG")[:20], ""),
    "damaged.png": (lambda: encoded(noise("RGB"), "PNG")[:60] + os.urandom(500), ""),
    "bomb.bmp": (bomb, "too large to open: 60000 x 60000 pixels"),
    "text.png": (lambda: b"this is no picture\n" * 9, "no picture"),
    "page.jpg": (lambda: b"<html><body>404</body></html>", "no picture"),
    "archive.png": (lambda: b"PK\x03\x04" + bytes(100), "no picture"),
    "zeros.tiff": (lambda: bytes(4096), "no picture"),
}


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zoo")
    for name, make in GOOD.items():
        (folder / name).write_bytes(make())
    for name, (make, _) in BAD.items():
        (folder / name).write_bytes(make())
    (folder / "gone.png").symlink_to(folder / "nowhere")
    return folder


@pytest.fixture(scope="module")
def rows(zoo, tmp_path_factory):
    output = tmp_path_factory.mktemp("output")
    summary = explain(zoo, output, overlays=True)
    assert summary.docs == len(GOOD) + len(BAD) + 1
    assert summary.failed == len(BAD) + 1
    return {row["key"]: row for row in rows_of(output).to_pylist()}


def test_each_file_has_one_row(rows, zoo):
    assert set(rows) == {*GOOD, *BAD, "gone.png"}


@pytest.mark.parametrize("name", GOOD)
def test_pictures_of_every_mode_are_explained(rows, zoo, name):
    row = rows[name]
    assert row["error"] is None
    assert row["map_shape"] == [4, 4]
    assert row["overlay"]
    with Image.open(zoo / name) as picture:
        if picture.mode == "RGB" and not picture.getexif():
            # Of an animation it is the first frame.
            scores = squares_of(np.float64(as_doc(picture)[0])).mean((0, 1))
            assert row["score"] == scores[row["target"]]


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_picture_has_a_row_with_its_error(rows, name):
    row = rows[name]
    assert (row["score"], row["overlay"]) == (None, None)
    assert np.isnan(row["heatmap"]).all()
    assert row["error_type"] == "ValueError"
    assert BAD[name][1] in row["error"]
    assert name in row["error"]


def test_a_file_that_is_gone_has_a_row_with_its_error(rows):
    assert rows["gone.png"]["error_type"] == "FileNotFoundError"


@pytest.mark.parametrize("way", [3, 6, 8])
def test_a_picture_that_lies_down_is_explained_upright(rows, way):
    upright, found = rows["upright.png"], rows[f"turned {way}.png"]
    assert found["heatmap"] == upright["heatmap"]
    assert (found["score"], found["target"]) == (upright["score"], upright["target"])


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_the_limit_of_pixels_is_pillows(zoo, tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)
    explain([str(zoo / "long.png"), str(zoo / "upright.png")], tmp_path)
    long, upright = rows_of(tmp_path).to_pylist()
    assert "too large to open: 3000 x 1 pixels are more than the 2000" in long["error"]
    assert upright["error"] is None


class Panic(BaseException):
    """As what is written in Rust raises: no Exception."""


#: What a function of the user's may give for a picture, and the error that the row then has.
NONSENSE = {
    "None": (lambda picture: None, "ValueError"),
    "a text": (lambda picture: "a picture", "ValueError"),
    "a number": (lambda picture: 3, "ValueError"),
    "a shape": (lambda picture: np.zeros((1, 2, 3)), "ValueError"),
    "a batch": (lambda picture: np.zeros((2, 16, 16, 3)), "ValueError"),
    "NaN": (lambda picture: np.full((1, 16, 16, 3), np.nan), "ValueError"),
    "what the model fails at": (lambda picture: np.full((1, 16, 16, 3), -1.0), "RuntimeError"),
    "the picture": (lambda picture: picture, "ValueError"),
    "an object": (lambda picture: np.array([object()]), "TypeError"),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_a_function_that_gives_nonsense_for_one_picture_spoils_no_other(tmp_path, name):
    make, error = NONSENSE[name]

    def preprocess(picture):
        return make(picture) if picture.size == (20, 16) else as_doc(picture)

    pictures = [
        (seed, draw_picture(seed, (20, 16) if seed == 3 else (16, 16))) for seed in range(6)
    ]
    summary = explain(pictures, tmp_path, preprocess=preprocess)
    assert (summary.docs, summary.errors) == (6, {error: 1})
    assert [row["key"] for row in rows_of(tmp_path).to_pylist() if row["error"]] == ["3"]


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), AssertionError(), MemoryError(), AttributeError("odd"), Panic("panicked")],
    ids=repr,
)
@pytest.mark.parametrize("where", ["preprocess", "model"])
def test_whatever_one_document_raises_spoils_no_other(tmp_path, error, where):
    if where == "model" and isinstance(error, Panic):
        pytest.skip("what a model raises beside Exceptions stops it")
    seen = []

    def preprocess(picture):
        seen.append(picture.size)
        if where == "preprocess" and picture.size == (20, 16):
            raise error
        return as_doc(picture) + (0 if picture.size == (16, 16) else 5)

    class Fussy(Squares):
        """Fails at what is too bright."""

        @property
        def gain(self):
            if sys._getframe(1).f_locals.get("doc", np.zeros(1)).max() > 2:
                raise error
            return 1.0

        @gain.setter
        def gain(self, value):
            pass

    pictures = [
        (seed, draw_picture(seed, (20, 16) if seed == 3 else (16, 16))) for seed in range(9)
    ]
    summary = datasets.explain_dataset(
        Fussy(), pictures, tmp_path, preprocess=preprocess, shard_size=4, progress=False
    )
    assert (summary.docs, summary.errors) == (9, {type(error).__name__: 1})
    assert [row["key"] for row in rows_of(tmp_path).to_pylist() if row["error_type"]] == ["3"]
    assert len(seen) >= 9


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_who_wants_to_stop_in_a_function_stops_the_run(tmp_path, stop):
    def preprocess(picture):
        if picture.size == (20, 16):
            raise stop
        return as_doc(picture)

    pictures = [
        (seed, draw_picture(seed, (20, 16) if seed == 30 else (16, 16))) for seed in range(40)
    ]
    with pytest.raises(stop) as raised:
        explain(pictures, tmp_path, preprocess=preprocess)
    assert "documents are explained and kept" in raised.value.__notes__[0]


def test_documents_of_another_size_have_their_own_rows(tmp_path):
    docs = [(key, draw_doc(key)) for key in range(4)]
    docs[2] = "2", np.tile(draw_doc(2), (1, 2, 2, 1))
    summary = explain(docs, tmp_path, preprocess=None)
    assert summary.errors == {"ValueError": 1}
    row = rows_of(tmp_path).to_pylist()[2]
    assert row["error"] == (
        "its heatmap has the shape (8, 8), and those of this run (4, 4); give documents of one size"
    )


def test_the_first_files_may_all_be_broken(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(70):
        (folder / f"{seed:03d}.png").write_bytes(b"")
    draw_picture(1).save(folder / "100.png")
    summary = explain(folder, tmp_path / "output")
    assert (summary.docs, summary.failed) == (71, 70)


def test_a_question_that_fits_no_document_is_told_before_anything_is_written(tmp_path):
    docs = [(key, np.zeros((1, 16, 16, 5))) for key in range(50)]
    told = "none of the first 32 documents can be explained; the first, '0'"
    with pytest.raises(ValueError, match=told) as raised:
        explain(docs, tmp_path / "output", preprocess=None)
    assert "doc has the shape (1, 16, 16, 5)" in str(raised.value)
    assert not list((tmp_path / "output").iterdir())


def test_the_model_is_not_asked_about_what_cannot_be_read(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.png").write_bytes(b"")
    summary = explain(tmp_path, tmp_path / "output")
    assert (summary.docs, summary.failed, summary.rows) == (2, 2, 2)
    assert load_squares().name == rows_of(tmp_path / "output")["estimator"][0].as_py()
