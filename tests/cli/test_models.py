import shutil

import numpy as np
import pytest


@pytest.fixture
def explain(photo):
    return lambda model, *options: ("explain", photo, "--model", model, "--json", *options)


def test_names_of_models(fails, explain):
    line = fails(2, *explain("mobilenet_v2"))
    assert line == (
        "'mobilenet_v2' is neither a file nor a model of keras.applications, such as MobileNetV2; "
        "did you mean 'mobilenetv2'?"
    )


def test_missing_files(fails, explain, model_file, tmp_path):
    missing = tmp_path / "none.keras"
    assert fails(1, *explain(missing)) == f"{missing}: there is no such file to read a model from"
    line = fails(1, *explain(model_file, "--weights", "w.h5"))
    assert line == "w.h5: there is no such file to read weights from"
    line = fails(1, *explain("MobileNetV2", "--weights", "w.h5"))
    assert line == "w.h5: there is no such file to read weights from"


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_files_that_are_no_models(fails, explain, tmp_path, suffix):
    file = tmp_path / f"model.{suffix}"
    file.write_bytes(b"no model")
    assert fails(1, *explain(file)).startswith(f"{file} cannot be loaded as a model: ")


def test_a_file_that_is_cut_off(fails, explain, tmp_path, model_file):
    file = tmp_path / "cut.keras"
    file.write_bytes(model_file.read_bytes()[:5000])
    assert "it is cut off, or never was a .keras file" in fails(1, *explain(file))


def test_code_in_a_file_is_not_run(fails, explain, tmp_path, small_model):
    import keras

    small_model(first=[keras.layers.Lambda(lambda x: x / 2)]).save(tmp_path / "code.keras")
    assert fails(1, *explain(tmp_path / "code.keras")) == (
        f"{tmp_path / 'code.keras'} holds Python code, as in a Lambda layer, and code out of a "
        "file is not run here (Keras's safe mode); if you trust it, load it in Python and give "
        "it to explainkit.explain_prediction"
    )


def test_a_class_that_nobody_knows(fails, explain, tmp_path, small_model):
    import keras

    class Odd(keras.layers.Layer):
        def call(self, x):
            return x

    small_model(first=[Odd()]).save(tmp_path / "odd.keras")
    assert "cannot be loaded as a model: " in fails(1, *explain(tmp_path / "odd.keras"))


@pytest.mark.parametrize("name", ["older.h5", "no-suffix"])
def test_other_files_that_keras_opens(run, fails, explain, tmp_path, model_file, small_model, name):
    if name == "older.h5":
        small_model().save(tmp_path / name)
        assert run(*explain(tmp_path / name)).exit_code == 0
    else:
        shutil.copy(model_file, tmp_path / name)
        assert "cannot be loaded as a model" in fails(1, *explain(tmp_path / name))


def test_weights_for_a_file(run, fails, explain, tmp_path, model_file, small_model):
    model = small_model()
    model.get_layer("classes").bias.assign([9, 0, 0])
    model.save_weights(tmp_path / "w.weights.h5")
    result = run(*explain(model_file, "--weights", tmp_path / "w.weights.h5"))
    assert '"target": 0' in result.stdout
    small_model(classes=5).save_weights(tmp_path / "five.weights.h5")
    line = fails(1, *explain(model_file, "--weights", tmp_path / "five.weights.h5"))
    assert line.startswith(f"{tmp_path / 'five.weights.h5'} holds no weights for small: ")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MobileNetV2", "MobileNet"])
def test_classes_follow_the_weights(run, explain, tmp_path, name):
    import keras

    file = tmp_path / "three.weights.h5"
    getattr(keras.applications, name)(weights=None, classes=3).save_weights(file)
    result = run(*explain(name.lower(), "--weights", file, "--top", 3))
    assert result.exit_code == 0, result.stderr


def test_weights_that_are_none(fails, explain, tmp_path):
    file = tmp_path / "w.weights.h5"
    file.write_bytes(b"\x89HDF\r\n\x1a\n and no more")
    assert f"{file} holds no weights for mobilenet" in fails(
        1, *explain("MobileNetV2", "--weights", file)
    )


def test_a_download_that_fails(run, explain, monkeypatch, tmp_path):
    import urllib.error

    from keras.src.utils import file_utils

    def no_network(*args, **kwargs):
        print("Downloading")
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(file_utils, "urlretrieve", no_network)
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))
    result = run(*explain("MobileNetV2"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1] == (
        "explainkit: error: "
        "the ImageNet weights of MobileNetV2 cannot be downloaded (<urlopen error no network>); "
        "give a file of weights with --weights"
    )


def test_families_of_three_channels(fails, explain, tmp_path, small_model):
    small_model(shape=(24, 32, 1)).save(tmp_path / "grey.keras")
    line = fails(2, *explain(tmp_path / "grey.keras", "--preprocess", "resnet"))
    assert line.startswith("--preprocess is 'resnet', which is for 3 channels; model 'small' takes")


def test_models_that_take_no_pictures(fails, explain, tmp_path):
    import keras

    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="rows").save(
        tmp_path / "rows.keras"
    )
    line = fails(1, *explain(tmp_path / "rows.keras"))
    assert line.startswith("model 'rows' takes (4,); pictures can be given to models with one")


def test_models_without_a_place_for_a_heatmap(fails, explain, tmp_path):
    import keras

    keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)], name="flat"
    ).save(tmp_path / "flat.keras")
    assert "model 'flat' has no layer whose output" in fails(1, *explain(tmp_path / "flat.keras"))


def test_another_backend(fails, explain, model_file, monkeypatch):
    import keras

    monkeypatch.setattr(keras.backend, "backend", lambda: "openvino")
    assert "Keras runs on openvino, for which explainkit has no engine" in fails(
        1, *explain(model_file)
    )


def test_scaling_is_told(run, explain, tmp_path, model_file, small_model):
    import keras

    result = run(*explain(model_file))
    assert "remark" not in result.stderr
    assert "pictures are scaled to 0..1, for the model does not begin with" in result.stderr
    small_model(first=[keras.layers.Rescaling(1 / 255)]).save(tmp_path / "scaling.keras")
    other = run(*explain(tmp_path / "scaling.keras"))
    assert "pictures are scaled to 0..255, for the model begins with" in other.stderr
    told = [one.stdout.replace('"estimator": "small"', "") for one in (result, other)]
    assert told[0] == told[1]
    assert run(*explain(model_file, "--preprocess", "-1..1")).stderr == ""


def test_channels_first(run, explain, tmp_path, photo):
    import json

    import keras

    doc = keras.Input((3, 24, 32))
    x = keras.layers.Permute((2, 3, 1))(doc)
    x = keras.layers.Conv2D(2, 3, activation="relu")(x)
    model = keras.Model(doc, keras.layers.GlobalAveragePooling2D()(x))
    model.save(tmp_path / "first.keras")
    result = run(*explain(tmp_path / "first.keras", "--preprocess", "mobilenet_v2"))
    assert result.exit_code == 0, result.stderr
    heatmap = json.loads(result.stdout)[0]["targets"][0]["heatmap"]
    assert np.shape(heatmap) == (22, 30)
