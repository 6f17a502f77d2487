import json
import warnings

import numpy as np
import pytest
from PIL import Image


def explain_json(run, *arguments):
    result = run("explain", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_overlay_has_the_size_of_the_picture(run, photo, model_file, tmp_path):
    out = tmp_path / "out.png"
    result = run("explain", photo, "--model", model_file, "-o", out)
    assert result.exit_code == 0, result.stderr
    with Image.open(out) as picture:
        assert (picture.size, picture.format) == ((50, 40), "PNG")
        assert np.asarray(picture).tobytes() != np.asarray(Image.open(photo)).tobytes()
    assert f"Wrote {out}" in result.stdout
    assert list(tmp_path.glob(".*")) == []


def test_several_targets_stand_side_by_side(run, photo, model_file, labels_file, tmp_path):
    out = tmp_path / "out.jpg"
    options = ("--labels", labels_file, "--top", 2, "-o", out)
    result = run("explain", photo, "--model", model_file, *options)
    assert result.exit_code == 0, result.stderr
    with Image.open(out) as picture:
        assert picture.width > 2 * 50
        assert picture.format == "JPEG"


HOSTILE = "\x1b[2Jwiped\x9b31mred\u202eleft\x07 猫 \U000e0041end"


def test_nothing_in_a_label_or_a_name_can_disturb_a_terminal(run, make_photo, model_file, tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text(f"{HOSTILE}\ndog\nbird\n", "utf-8")
    photo = make_photo(tmp_path / "\x1b[31mphoto\u202e.png")
    explain = ("explain", photo, "--model", model_file, "--labels", labels, "--target", 0)
    out = tmp_path / "\x9bout\u202e.png"
    table = run(*explain, "-o", out).stdout
    told = run(*explain, "--json").stdout
    for shown in (table, told):
        assert not [c for c in shown if not c.isprintable() and c != "\n"]
        assert "猫" in shown  # what can be read stays
    assert f"Wrote {tmp_path / 'out.png'}" in table.splitlines()
    assert "wiped" in table
    [record] = json.loads(told)
    assert record["image"] == str(photo)
    assert record["targets"][0]["label"] == HOSTILE


def test_a_name_that_is_no_unicode_is_told_as_json(run, make_photo, model_file, tmp_path):
    photo = make_photo(tmp_path / "photo.png").rename(tmp_path / "half\udcff.png")
    [record] = explain_json(run, photo, "--model", model_file)
    assert record["image"] == str(photo)


def test_boxes_are_drawn_where_they_are_asked_for(run, photo, model_file, tmp_path):
    bare, boxed = tmp_path / "bare.png", tmp_path / "boxed.png"
    for out, options in ((bare, ()), (boxed, ("--boxes",))):
        result = run("explain", photo, "--model", model_file, "-o", out, *options)
        assert result.exit_code == 0, result.stderr
    with Image.open(bare) as one, Image.open(boxed) as other:
        assert not (np.asarray(one) == (255, 251, 230)).all(axis=2).any()
        assert (np.asarray(other) == (255, 251, 230)).all(axis=2).sum() >= 4


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"])
def test_every_format_takes_transparent_pictures(run, make_photo, model_file, tmp_path, suffix):
    photo = make_photo(tmp_path / "photo.png", mode="RGBA")
    out = tmp_path / f"out{suffix.upper()}"
    result = run("explain", photo, "--model", model_file, "-o", out)
    assert result.exit_code == 0, result.stderr
    assert Image.open(out).size == (50, 40)


def test_json_says_what_the_library_says(run, photo, model_file, labels_file):
    import keras

    from explainkit import explain_prediction
    from explainkit.pictures import picture_to_array, read_image

    options = ("--labels", labels_file, "--target", "cat", "--target", 2)
    [record] = explain_json(run, photo, "--model", model_file, *options)
    doc = picture_to_array(read_image(photo), (24, 32), 3) / 255
    expl = explain_prediction(keras.models.load_model(model_file), doc, targets=[0, 2])
    assert {key: record[key] for key in ("image", "output", "estimator", "method", "layer")} == {
        "image": str(photo),
        "output": None,
        "estimator": "small",
        "method": "gradcam",
        "layer": "conv",
    }
    assert record["error"] is None
    assert record["description"] == expl.description
    assert [one["target"] for one in record["targets"]] == [0, 2]
    assert [one["label"] for one in record["targets"]] == ["cat", "[red]bird[/red]"]
    for told, known in zip(record["targets"], expl.targets, strict=True):
        np.testing.assert_allclose(told["heatmap"], known.heatmap, atol=1e-4)
        np.testing.assert_allclose(told["score"], known.score, rtol=1e-4)
        np.testing.assert_allclose(told["proba"], known.proba, rtol=1e-4)


def test_many_pictures_go_to_a_folder_under_distinct_names(run, make_photo, model_file, tmp_path):
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
    first = make_photo(tmp_path / "a" / "cat.png")
    second = make_photo(tmp_path / "b" / "Cat.bmp", seed=1, size=(30, 20))
    third = make_photo(tmp_path / "cat-2.png", seed=2)
    out = tmp_path / "out"
    result = run("explain", first, tmp_path / "b", third, "--model", model_file, "-o", out)
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in out.iterdir()) == ["Cat-2.png", "cat-2-2.png", "cat.png"]
    assert Image.open(out / "Cat-2.png").size == (30, 20)
    assert second.stem in result.stdout
    assert f"Wrote 3 pictures to {out}" in "".join(result.stdout.split("\n"))
    assert result.stderr.count("\n") == 1  # how they are scaled, and no bar


def test_of_a_folder_pictures_are_taken(run, make_photo, model_file, tmp_path):
    folder = tmp_path / "photos"
    (folder / "deeper.png").mkdir(parents=True)
    for name in ("b.JPG", "a.png", "c.webp"):
        make_photo(folder / name)
    for name in ("model.h5", "notes.txt", "report.pdf", ".hidden"):
        (folder / name).write_text("no picture")
    records = explain_json(run, folder, "--model", model_file)
    assert [record["image"] for record in records] == [
        str(folder / name) for name in ("a.png", "b.JPG", "c.webp")
    ]


@pytest.mark.parametrize("output", ["out", "out/"])
def test_a_folder_will_do_for_one_picture(run, photo, model_file, tmp_path, output):
    result = run("explain", photo, "--model", model_file, "-o", f"{tmp_path}/{output}")
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "out" / "photo.png").is_file()


def test_one_bad_picture_does_not_stop_the_others(run, make_photo, model_file, tmp_path):
    pictures = [make_photo(tmp_path / f"{name}.png", seed=ord(name)) for name in "ace"]
    bad = tmp_path / "b.png"
    bad.write_bytes(b"no picture")
    given = [pictures[0], bad, pictures[1], tmp_path / "d.png", pictures[2]]
    out = tmp_path / "out"
    result = run("explain", *given, "--model", model_file, "-o", out, "--json")
    assert result.exit_code == 1
    assert f"explainkit: error: {bad} is no picture that Pillow can read\n" in result.stderr
    assert f"error: {given[3]}: no such file or directory\n" in result.stderr
    records = json.loads(result.stdout)
    assert [record["image"] for record in records] == [str(one) for one in given]
    assert [bool(record["error"]) for record in records] == [False, True, False, True, False]
    assert [bool(record["output"]) for record in records] == [True, False, True, False, True]
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "c.png", "e.png"]
    alone = run("explain", pictures[2], "--model", model_file, "--json")
    assert json.loads(alone.stdout)[0]["targets"] == records[4]["targets"]


def test_markup_in_names_is_shown_as_it_is(run, make_photo, model_file, labels_file, tmp_path):
    photo = make_photo(tmp_path / "[b]x.png")
    out = tmp_path / "[i]y.png"
    options = ("--labels", labels_file, "--target", 2, "-o", out)
    result = run("explain", photo, "--model", model_file, *options)
    told = "".join(result.stdout.split())
    assert all(text in told for text in ("[b]x.png", "[red]bird[/red]", "[i]y.png"))


def test_options_of_the_question(run, photo, model_file):
    [usual] = explain_json(run, photo, "--model", model_file, "--target", 0)
    [against] = explain_json(run, photo, "--model", model_file, "--target", 0, "--counterfactual")
    [after] = explain_json(run, photo, "--model", model_file, "--target", 0, "--probability")
    [first] = explain_json(run, photo, "--model", model_file, "--target", 0, "--layer", 1)
    assert against["targets"][0]["heatmap"] != usual["targets"][0]["heatmap"]
    assert after["targets"][0]["score"] == pytest.approx(usual["targets"][0]["proba"], rel=1e-5)
    assert first == usual


def test_layers_are_fused(run, photo, small_model, tmp_path):
    import keras

    small_model(first=[keras.layers.Conv2D(2, 3, name="early")]).save(tmp_path / "two.keras")
    layers = ("--layer", "conv", "--layer", "early")
    [record] = explain_json(run, photo, "--model", tmp_path / "two.keras", *layers)
    assert record["layer"] == "conv + early"


def test_units_of_several_outputs(run, photo, small_model, tmp_path):
    import keras

    model = small_model()
    other = keras.layers.Dense(2, name="other")(model.get_layer("classes").input)
    both = keras.Model(model.input, [model.output, other], name="both")
    both.save(tmp_path / "both.keras")
    [record] = explain_json(run, photo, "--model", tmp_path / "both.keras", "--target", "other:1")
    assert record["targets"][0]["target"] == ["other", 1]
    result = run("explain", photo, "--model", tmp_path / "both.keras", "--target", "other:1",
                 "-o", tmp_path / "out.png")  # fmt: skip
    assert "other:1" in result.stdout


def test_options_of_the_drawing(run, photo, model_file, tmp_path):
    out = tmp_path / "out.png"
    run("explain", photo, "--model", model_file, "-o", out, "--alpha-limit", 0)
    assert np.array_equal(np.asarray(Image.open(out)), np.asarray(Image.open(photo)))
    drawn = set()
    for options in ((), ("--colormap", "magma"), ("--resampling", "nearest")):
        result = run("explain", photo, "--model", model_file, "-o", out, *options)
        assert result.exit_code == 0, result.stderr
        drawn.add(out.read_bytes())
    assert len(drawn) == 3


def test_warnings_become_remarks(run, photo, model_file, tmp_path, monkeypatch):
    from explainkit.cli import explaining
    from explainkit.explanation import ExplanationWarning

    def draw(expl, drawing):
        print("chatter of a library")
        warnings.warn("all is blank", ExplanationWarning, stacklevel=1)
        warnings.warn("an API will go", DeprecationWarning, stacklevel=1)
        return expl.image

    monkeypatch.setattr(explaining, "_draw", draw)
    result = run("explain", photo, "--model", model_file, "-o", tmp_path / "out.png", "--json")
    json.loads(result.stdout)
    assert "explainkit: warning: all is blank\n" in result.stderr
    assert "will go" not in result.stderr
    assert "chatter" in result.stderr


def test_ctrl_c_ends_quietly(run, photo, model_file, tmp_path, monkeypatch):
    from explainkit.cli import outputs

    def interrupted(picture, kind):
        raise KeyboardInterrupt

    monkeypatch.setattr(outputs, "_flat", interrupted)
    result = run("explain", photo, "--model", model_file, "-o", tmp_path / "out.png")
    assert (result.exit_code, result.stdout) == (130, "")
    assert "Traceback" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


def test_real_weights_on_a_real_picture(run, shared, tmp_path):
    out = tmp_path / "out.png"
    arguments = (
        shared / "images" / "cat_dog.jpg",
        *("--model", "MobileNetV2"),
        *("--weights", shared / "models" / "mobilenet_v2_imagenet.weights.h5"),
        *("--labels", shared / "models" / "imagenet_labels.txt"),
    )
    result = run("explain", *arguments, "--top", 2, "-o", out)
    assert result.exit_code == 0, result.stderr
    assert "243 bull mastiff" in result.stdout
    with Image.open(out) as picture:
        assert picture.width > 2 * 640
        assert picture.height > 480
    [record] = explain_json(run, *arguments, "--target", "tabby, tabby cat", "-o", out)
    assert Image.open(out).size == (640, 480)
    assert record["targets"][0]["target"] == 281
    heatmap = np.asarray(record["targets"][0]["heatmap"])
    assert heatmap.shape == (7, 7)
    assert heatmap[4:].sum() > heatmap[:3].sum()  # the cat lies below the dog
