"""Every error is one line that says what was given and what would do."""

import os

import pytest
from PIL import Image

# Options that need no model to be refused.
EARLY = {
    ("--method", "gradcan"): "; did you mean 'gradcam'?",
    ("--colormap", "virids"): "no colormap 'virids', its list is matplotlib.colormaps; "
    "did you mean 'viridis'?",
    ("--resampling", "lancos"): "no resampling filter 'lancos'",
    ("--alpha-limit", "1.5"): "--alpha-limit is 1.5; give a number from 0",
    ("--alpha-limit", "much"): "Invalid value for '--alpha-limit'",
    ("--size", "0x3"): "--size is '0x3'; give HEIGHTxWIDTH",
    ("--preprocess", "1..0"): "--preprocess is '1..0'; a range goes from the lower to the higher",
    ("--preprocess", "mobilenetv2"): "did you mean 'mobilenet_v2'?",
    ("--top", "2", "--target", "1"): "--target says what to explain, and so does --top",
    ("--set", "steps"): "--set is 'steps'; give NAME=VALUE, such as steps=20",
    (
        "--set",
        "steps=20",
    ): "'steps' is no argument of explain_prediction and no option of 'gradcam'",
    ("--method", "occlusion", "--set", "patch=0"): "patch is 0; give 1 or more",
    ("--method", "occlusion", "--counterfactual"): "'occlusion' takes no gradients",
    ("--smooth", "0"): "samples is 0; give 1 or more",
    ("--colour", "jet"): "No such option: --colour",
}
# Options that the model refuses.
LATE = {
    ("--top", "4"): "--top is 4; output 'classes' has 3 units",
    ("--target", "3"): "target 3 is out of range; output 'classes' has 3 units, 0 to 2",
    ("--target", "-1"): "target -1 is out of range",
    ("--target", "cat"): "target 'cat' is a name, but no names were given; give --labels",
    ("--target", "1", "--target", "1"): "target 1 is given twice",
    ("--layer", "convv"): "no layer 'convv' ran in model 'small'; did you mean 'conv'?",
    ("--layer", "classes"): "layer 'classes' gives the shape (3,)",
    ("--layer", "99"): "no layer 99; model 'small' has 4 layers",
    ("--size", "30"): "--size is 30x30, but model 'small' takes 24x32",
}


@pytest.mark.parametrize("options", [*EARLY, *LATE], ids=" ".join)
def test_wrong_options(fails, photo, model_file, tmp_path, options):
    line = fails(2, "explain", photo, "--model", model_file, *options, "-o", tmp_path / "o.png")
    assert (EARLY | LATE)[options] in line
    assert not (tmp_path / "o.png").exists()


@pytest.mark.parametrize("options", EARLY, ids=" ".join)
def test_wrong_options_are_refused_before_the_model_is_looked_for(fails, photo, tmp_path, options):
    line = fails(2, "explain", photo, "--model", "none.keras", *options, "-o", tmp_path / "o.png")
    assert EARLY[options] in line


def test_labels_that_do_not_fit(fails, photo, model_file, labels_file, tmp_path):
    explain = ("explain", photo, "--model", model_file, "--json", "--labels")
    assert "did you mean 'dog'?" in fails(2, *explain, labels_file, "--target", "dogs")
    short = tmp_path / "short.txt"
    short.write_text("cat\n")
    assert "--labels has 1 names, but output 'classes' has 3 units" in fails(2, *explain, short)
    short.write_text("\n")
    assert fails(1, *explain, short) == f"{short} is empty; give one label a line"
    short.write_bytes(b"\xff\xfe\x00")
    assert fails(1, *explain, short) == f"{short} is no text in UTF-8; give one label a line"
    missing = tmp_path / "missing.txt"
    assert fails(1, *explain, missing) == f"{missing}: no such file or directory"


def test_nothing_asked(run, fails, photo, model_file):
    assert "Missing option '--model'" in fails(2, "explain", photo)
    assert "Missing argument 'IMAGE" in fails(2, "explain", "--model", model_file)
    assert "give -o OUT, or --json" in fails(2, "explain", photo, "--model", model_file)
    assert fails(2, "explian") == (
        "No such command 'explian'. Did you mean 'explain'? (see 'explainkit --help')"
    )
    assert "Commands" in run().stdout


@pytest.fixture
def bad_pictures(tmp_path, make_photo):
    """Files that are no pictures, and what is said of them."""
    whole = make_photo(tmp_path / "whole.png", size=(300, 300)).read_bytes()
    files = {
        "text.png": (b"not a picture", "text.png is no picture that Pillow can read"),
        "empty.jpg": (b"", "empty.jpg is no picture that Pillow can read"),
        "cut.png": (whole[: len(whole) // 2], "cut.png is cut off"),
    }
    for name, (content, _) in files.items():
        (tmp_path / name).write_bytes(content)
    return {tmp_path / name: message for name, (_, message) in files.items()}


def test_bad_pictures(run, bad_pictures, model_file, tmp_path):
    for picture, message in bad_pictures.items():
        result = run("explain", picture, "--model", model_file, "-o", tmp_path / "out.png")
        assert result.exit_code == 1
        assert message in result.stderr.splitlines()[-1]
        assert "Traceback" not in result.stderr
        assert not (tmp_path / "out.png").exists()


def test_a_gigantic_picture(run, photo, model_file, tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    result = run("explain", photo, "--model", model_file, "-o", tmp_path / "out.png")
    assert result.exit_code == 1
    line = result.stderr.splitlines()[-1]
    assert line.startswith(f"explainkit: error: {photo} is too large to open: 50 x 40 pixels")


def test_missing_pictures(fails, tmp_path, model_file):
    missing = tmp_path / "no\x1bwhere.png"
    line = fails(1, "explain", missing, "--model", "unread.keras", "-o", tmp_path / "out.png")
    assert line == f"{tmp_path}/no?where.png: no such file or directory"
    (tmp_path / "folder").mkdir()
    line = fails(1, "explain", tmp_path / "folder", "--model", "unread.keras", "--json")
    assert line == f"{tmp_path / 'folder'}: a folder without pictures"


def test_outputs_that_cannot_be_written(fails, photo, tmp_path):
    def says(exit_code, output, *more):
        return fails(exit_code, "explain", photo, *more, "--model", "unread.keras", "-o", output)

    file = tmp_path / "file.txt"
    file.write_text("a file")
    assert says(1, file / "o.png") == f"cannot write to the folder {file}: not a directory"
    assert "no such file or directory" in says(1, tmp_path / "none" / "o.png")
    assert "no such file or directory" in says(1, tmp_path / "none" / "folder")
    assert "is no format to write; give one of .png, .jpg" in says(2, tmp_path / "o.xyz")
    assert f"-o {file}: '.txt' is no format" in says(2, file)
    assert "is one file, but there are 2 pictures" in says(2, tmp_path / "o.png", photo)
    assert f"{photo} would overwrite a picture to explain" in says(2, photo)
    assert "would overwrite a picture" in says(2, tmp_path)
    (tmp_path / "out" / "photo.png").mkdir(parents=True)
    blocked = tmp_path / "out" / "photo.png"
    assert says(1, tmp_path / "out") == f"cannot write {blocked}: it is a folder"


def test_a_disk_that_is_full_leaves_what_was_there(run, photo, model_file, tmp_path, monkeypatch):
    out = tmp_path / "out.png"
    out.write_bytes(b"before")

    def save(self, file, *args, **kwargs):
        file.write(b"half")
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Image.Image, "save", save)
    result = run("explain", photo, "--model", model_file, "-o", out)
    assert result.exit_code == 1
    assert f"explainkit: error: cannot write {out}: No space left on device\n" in result.stderr
    assert out.read_bytes() == b"before"
    assert list(tmp_path.glob(".*")) == []
