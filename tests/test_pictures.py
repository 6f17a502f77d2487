import io
import logging
import os
import pickle
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explainkit.explanation import Explanation, ExplanationWarning
from explainkit.pictures import DocPicture, as_picture, picture_to_array, read_image


@pytest.fixture
def photo():
    """A smooth picture in RGB, 40 x 30."""
    y, x = np.mgrid[:30, :40]
    return Image.fromarray(np.stack([6 * x, 8 * y, 3 * (x + y)], axis=-1).astype(np.uint8))


@pytest.fixture
def saved(tmp_path):
    """Save a picture, and give the path back."""

    def save(picture, name, **options):
        path = tmp_path / name
        picture.save(path, **options)
        return path

    return save


def same(one, other):
    """Compare what is seen, and leave out what is said of it."""
    return (one.mode, one.size, one.tobytes()) == (other.mode, other.size, other.tobytes())


# Documents


def test_a_doc_becomes_a_picture_when_called(photo, caplog):
    source = DocPicture(np.asarray(photo, np.float32) / 127.5 - 1)
    with caplog.at_level(logging.INFO, logger="explainkit"):
        picture = source()
    assert same(picture, photo)
    assert picture.info["value_range"] == "values in [-1, 1]"
    assert caplog.messages == ["a picture was made of an array of values in [-1, 1]"]


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")])
def test_modes_by_channels(channels, mode):
    array = np.random.default_rng(0).integers(0, 256, (5, 7, channels))
    picture = DocPicture(array / 255)()
    assert (picture.mode, picture.size) == (mode, (7, 5))
    assert (np.asarray(picture).reshape(array.shape) == array).all()


@pytest.mark.parametrize("shape", [(5, 7, 5), (5, 7, 0), (0, 7, 3), (7,), (2, 5, 7, 3), ()])
def test_docs_that_are_no_pictures(shape):
    assert DocPicture(np.zeros(shape))() is None


def test_constructing_only_stores():
    array = np.full((3, 3, 3), np.nan)
    source = DocPicture(array)
    assert source.array is array
    explanation = Explanation("model", "gradcam", image=DocPicture(np.ones((4, 5))))
    assert explanation.image.size == (5, 4)
    assert explanation.image is explanation.image


def test_docs_can_be_pickled(photo):
    source = DocPicture(np.asarray(photo) / 255)
    assert same(pickle.loads(pickle.dumps(source))(), photo)


# Pictures that callers give


def test_pil_pictures_stay_as_they_are(photo):
    for picture in (photo, photo.convert("CMYK"), photo.convert("I")):
        assert as_picture(picture) is picture


def test_arrays(photo):
    array = np.asarray(photo)
    for given in (
        array,
        array[np.newaxis],
        array / 255,
        array.astype(np.float32),
        array.astype(int),
    ):
        assert same(as_picture(given), photo)
    for given in (array[..., 0], array[..., :1]):
        assert same(as_picture(given), photo.getchannel("R"))


def test_bgr_views_and_constants():
    caffe = np.full((4, 4, 3), (255 - 103.939, -116.779, -123.68), np.float32)
    assert as_picture(caffe).getpixel((0, 0)) == (0, 0, 255)
    with pytest.warns(ExplanationWarning, match="pass image="):
        assert as_picture(np.full((4, 4), 1e6)).getextrema() == (0, 0)


def test_paths(photo, saved):
    path = saved(photo, "a.png")
    assert same(as_picture(path), photo)
    assert same(as_picture(str(path)), photo)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (None, TypeError, "image is of type NoneType; give a PIL picture, a numpy array or a path"),
        (b"\x89PNG", TypeError, "image is of type bytes"),
        ([[1, 2]], TypeError, "image is of type list"),
        (np.zeros((3, 20, 30)), ValueError, r"shape \(3, 20, 30\); .* np.moveaxis\(image, 0, -1\)"),
        (np.zeros((20, 30, 7)), ValueError, r"channels\) with 1 to 4 channels$"),
        (np.zeros((2, 20, 30, 3)), ValueError, r"shape \(2, 20, 30, 3\)"),
        (np.zeros((0, 4)), ValueError, r"shape \(0, 4\)"),
        (np.full((4, 4), np.nan), ValueError, "NaN"),
        (np.array([["a"]]), TypeError, "a picture needs real numbers"),
    ],
)
def test_what_is_no_picture(given, error, message):
    with pytest.raises(error, match=message):
        as_picture(given)


# Files


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "ppm", "webp"])
def test_files_without_loss(photo, saved, suffix):
    options = {"lossless": True} if suffix == "webp" else {}
    picture = read_image(saved(photo, f"a.{suffix}", **options))
    assert same(picture, photo)
    assert type(picture) is Image.Image


def test_the_file_is_closed_and_decoded(photo, saved):
    path = saved(photo, "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        picture = read_image(path)
    path.unlink()
    assert picture.getpixel((3, 2)) == photo.getpixel((3, 2))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(photo, saved, orientation):
    # What a camera stores of a scene so that the tag, by its definition, tells how to
    # turn it: where the first row and the first column of what is stored are seen.
    scene = np.asarray(photo)
    stored = {
        1: scene,
        2: scene[:, ::-1],
        3: scene[::-1, ::-1],
        4: scene[::-1],
        5: scene.transpose(1, 0, 2),
        6: scene.transpose(1, 0, 2)[::-1],
        7: scene.transpose(1, 0, 2)[::-1, ::-1],
        8: scene.transpose(1, 0, 2)[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(Image.fromarray(np.ascontiguousarray(stored)), "a.png", exif=exif)
    assert (np.asarray(read_image(path)) == scene).all()


def test_every_mode_becomes_one_of_four(photo, saved):
    palette = photo.quantize(64)
    alpha = photo.copy()
    alpha.putalpha(128)
    cases = [
        (photo.convert("1"), "a.png", "L", {}),
        (photo.convert("L"), "b.png", "L", {}),
        (photo.convert("LA"), "c.png", "LA", {}),
        (alpha, "d.png", "RGBA", {}),
        (palette, "e.png", "RGB", {}),
        (palette, "f.png", "RGBA", {"transparency": 3}),
        (photo.convert("L"), "g.png", "LA", {"transparency": 3}),
        (photo, "h.png", "RGBA", {"transparency": photo.getpixel((0, 0))}),
        (photo.convert("CMYK"), "i.jpg", "RGB", {}),
        (photo.convert("CMYK"), "j.tiff", "RGB", {}),
        (palette, "l.gif", "RGB", {}),
    ]
    for picture, name, mode, options in cases:
        assert read_image(saved(picture, name, **options)).mode == mode, name
    assert same(read_image(saved(palette, "m.png")), palette.convert("RGB"))
    clear = read_image(saved(palette, "n.png", transparency=palette.getpixel((0, 0))))
    assert clear.getpixel((0, 0))[3] == 0
    assert clear.getpixel((39, 29))[3] == 255


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_16_bit_files_are_scaled_not_cut(saved, suffix):
    wide = np.array([[0, 257, 12345, 65535], [128, 129, 32768, 65280]], np.uint16)
    picture = read_image(saved(Image.fromarray(wide), f"a.{suffix}"))
    assert picture.mode == "L"
    assert (np.asarray(picture) == np.rint(wide / 257)).all()
    dark = read_image(saved(Image.fromarray(wide // 512), f"b.{suffix}"))
    assert np.asarray(dark).max() == 0


def test_integers_and_floats_in_files(saved):
    wide = np.array([[0, 257, 12345, 65535]], np.int32)
    assert read_image(saved(Image.fromarray(wide), "a.tiff")).tobytes() == bytes([0, 1, 48, 255])
    unit = np.array([[0, 0.25, 1]], np.float32)
    assert read_image(saved(Image.fromarray(unit), "b.tiff")).tobytes() == bytes([0, 64, 255])


def test_the_first_frame_of_an_animation(photo, saved):
    frames = [Image.new("RGB", photo.size, colour) for colour in ("red", "lime", "blue")]
    for name in ("a.gif", "a.png", "a.webp", "a.tiff"):
        path = saved(frames[0], name, save_all=True, append_images=frames[1:])
        red, green, blue = read_image(path).convert("RGB").getpixel((5, 5))
        assert red > 240, name
        assert max(green, blue) < 15, name


def test_missing_files_and_directories(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No such file .*nowhere\.png"):
        read_image(tmp_path / "nowhere.png")
    with pytest.raises(
        IsADirectoryError, match=rf"a directory; give a picture's file.*{tmp_path.name}"
    ):
        read_image(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_pipes_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe is no regular file"):
        read_image(tmp_path / "pipe")


def test_files_that_may_not_be_read(photo, saved):
    path = saved(photo, "a.png")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")
    with pytest.raises(PermissionError, match=r"a\.png"):
        read_image(path)


@pytest.mark.parametrize("content", [b"", b"not a picture at all", b"\x89PNG\r\n\x1a\n"])
def test_files_that_are_no_pictures(tmp_path, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.png is no picture that Pillow can read"):
        read_image(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "tiff"])
def test_files_that_are_cut_off(photo, saved, suffix):
    path = saved(photo.resize((400, 300)), f"a.{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(ValueError, match=rf"a\.{suffix} is cut off: "):
        read_image(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "webp", "bmp", "tiff", "ppm"])
@pytest.mark.filterwarnings("ignore")  # Pillow warns of some damage before it raises
def test_damage_is_a_value_error_that_names_the_file(photo, saved, suffix):
    path = saved(photo, f"a.{suffix}", **({"exif": b"Exif\0\0II*\0"} if suffix == "jpg" else {}))
    content, rng, messages = path.read_bytes(), np.random.default_rng(0), []
    for _ in range(150):
        damaged = bytearray(content)
        for position in rng.integers(0, min(len(content), 80), 4):
            damaged[position] = rng.integers(256)
        path.write_bytes(damaged[: rng.integers(1, len(content) + 1)])
        try:
            read_image(path)
        except ValueError as error:
            messages.append(str(error))
    assert len(messages) > 30
    assert all(str(path) in message for message in messages)


def gigantic_png(path, width, height):
    """Write the head of a PNG, and a drop of what it promises."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + body)
    return path


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(10_000, 10_000), (60_000, 50_000), (2_000_000_000, 1)])
def test_gigantic_pictures_are_refused_before_decoding(tmp_path, size):
    path = gigantic_png(tmp_path / "a.png", *size)
    message = (
        rf"a\.png is too large to open: {size[0]} x {size[1]} pixels are more than the 89478485 "
    )
    with pytest.raises(ValueError, match=message):
        read_image(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # as under python -W error
        with pytest.raises(ValueError, match=message):
            read_image(path)


def test_gigantic_pictures_in_other_formats(tmp_path, photo):
    content = io.BytesIO()
    photo.save(content, "BMP")
    path = tmp_path / "a.bmp"
    path.write_bytes(
        content.getvalue()[:18] + struct.pack("<ii", 60_000, 50_000) + content.getvalue()[26:]
    )
    with pytest.raises(ValueError, match="60000 x 50000 pixels"):
        read_image(path)


def test_a_callers_own_limit(photo, saved, monkeypatch):
    path = saved(photo, "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1199)
    with (
        pytest.warns(Image.DecompressionBombWarning),
        pytest.raises(ValueError, match=r"40 x 30 .* 1199"),
    ):
        read_image(path)
    for limit in (1200, None):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        assert same(read_image(path), photo)


def test_real_photos():
    default = Path(__file__).resolve().parents[2] / "shared"
    images = Path(os.environ.get("EXPLAINKIT_SHARED", default)) / "images"
    if not images.is_dir():
        pytest.skip("the project's shared folder, with its pictures, is not here")
    for path in sorted(images.iterdir()):
        picture = read_image(path)
        assert picture.mode == "RGB"
        doc = picture_to_array(picture, (224, 224), 3)[0]
        for given in (doc, doc / 255, doc / 127.5 - 1):
            assert (np.asarray(as_picture(given)) == doc).all()


# From pictures to arrays


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "F"])
def test_arrays_of_every_mode(photo, mode, channels):
    if mode in ("I;16", "F"):
        levels = np.asarray(photo)[..., 0].astype(np.uint16 if mode == "I;16" else np.float32)
        picture = Image.fromarray(levels * (257 if mode == "I;16" else 1))
    else:
        picture = photo.convert(mode)
    array = picture_to_array(picture, (12, 17), channels)
    assert array.shape == (1, 12, 17, channels)
    assert array.dtype == np.float32
    assert 0 <= array.min() < 20
    assert 150 < array.max() <= 255


def test_the_same_size_is_the_same_picture(photo):
    assert (picture_to_array(photo, (30, 40), 3)[0] == np.asarray(photo)).all()
    grey = photo.convert("L")
    for channel in range(3):
        assert (picture_to_array(grey, (30, 40), 3)[0, ..., channel] == np.asarray(grey)).all()


def test_resampling(photo):
    small = picture_to_array(photo, (15, 20), 3, resampling=Image.Resampling.NEAREST)[0]
    assert (small == np.asarray(photo)[1::2, 1::2]).all()
    assert (small != picture_to_array(photo, (15, 20), 3)[0]).any()


def test_transparent_is_white():
    picture = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    picture.putpixel((1, 0), (0, 0, 0, 128))
    assert picture_to_array(picture, (1, 2), 3)[0, 0].tolist() == [[255] * 3, [127] * 3]
    assert picture_to_array(picture, (1, 2), 1)[0, 0].tolist() == [[255], [127]]
    assert picture_to_array(picture, (1, 2), 4)[0, 0, 1].tolist() == [0, 0, 0, 128]


def test_channels_that_no_picture_has(photo):
    with pytest.raises(ValueError, match="channels is 2; a picture can be given as 1, 3 or 4"):
        picture_to_array(photo, (10, 10), 2)
