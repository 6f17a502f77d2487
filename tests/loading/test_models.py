"""Files and names, and what is said of those that are none; tests/cli has more of them."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras")

from explainkit.loading import family_of, import_keras, load_model
from tests.small_models import make_small_model


@pytest.fixture(scope="module")
def small():
    return make_small_model()


@pytest.fixture(scope="module")
def file(small, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "small.keras"
    small.save(path)
    return path


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_a_file_is_the_model_that_was_saved(file, small, kind):
    loaded = load_model(kind(file))
    for own, saved in zip(loaded.get_weights(), small.get_weights(), strict=True):
        np.testing.assert_array_equal(own, saved)


def test_weights_take_the_place_of_those_of_the_file(file, small, tmp_path):
    weights = tmp_path / "w.weights.h5"
    other = make_small_model()
    other.get_layer("classes").bias.assign([9, 0, 0])
    other.save_weights(weights)
    assert load_model(file, weights).get_layer("classes").bias[0] == 9
    make_small_model(classes=5).save_weights(weights)
    with pytest.raises(ValueError, match="w.weights.h5 holds no weights for small: "):
        load_model(file, str(weights))


def test_families_of_names():
    assert family_of("mobilenetv2") == "mobilenet_v2"
    assert family_of("ResNet50V2") == "resnet_v2"
    assert family_of("mine.keras") is None


def test_names_that_are_none():
    message = (
        "^'mobilenet_v2' is neither a file nor a model of keras.applications, such as "
        r"MobileNetV2; did you mean 'mobilenetv2'\?$"
    )
    for door in (load_model, family_of):
        with pytest.raises(LookupError, match=message):
            door("mobilenet_v2")
        with pytest.raises(TypeError, match="^model is a int; give the path of a file, or a name"):
            door(5)


def test_a_path_is_never_a_name():
    with pytest.raises(FileNotFoundError, match="no such file to read a model from.*MobileNetV2"):
        load_model(Path("MobileNetV2"))
    assert family_of(Path("MobileNetV2")) is None


def test_missing_files(file, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such file to read a model from"):
        load_model("none.keras")
    for model in (file, "MobileNetV2"):
        with pytest.raises(FileNotFoundError, match="to read weights from") as caught:
            load_model(model, tmp_path / "w.h5")
        assert caught.value.filename == str(tmp_path / "w.h5")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_files_that_are_no_models(tmp_path, suffix):
    (tmp_path / f"model{suffix}").write_bytes(b"no model")
    with pytest.raises(ValueError, match=f"model{suffix} cannot be loaded as a model: "):
        load_model(tmp_path / f"model{suffix}")


def test_code_in_a_file_is_not_run(tmp_path):
    import keras

    make_small_model(first=[keras.layers.Lambda(lambda x: x / 2)]).save(tmp_path / "code.keras")
    with pytest.raises(ValueError, match="code.keras holds Python code, as in a Lambda layer"):
        load_model(tmp_path / "code.keras")


def test_a_download_that_fails(monkeypatch, tmp_path):
    import urllib.error

    from keras.src.utils import file_utils

    def no_network(*args, **kwargs):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(file_utils, "urlretrieve", no_network)
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))
    message = (
        r"^the ImageNet weights of MobileNetV2 cannot be downloaded \(<urlopen error no "
        r"network>\); give a file of weights with weights=$"
    )
    with pytest.raises(ConnectionError, match=message):
        load_model("MobileNetV2")


def test_without_keras(monkeypatch, file):
    monkeypatch.setitem(sys.modules, "keras", None)
    message = (
        "^loading a model needs keras, which is not installed: "
        r"pip install 'explainkit\[tensorflow\]'$"
    )
    for load in (import_keras, lambda: load_model(file), lambda: family_of("MobileNetV2")):
        with pytest.raises(ModuleNotFoundError, match=message) as caught:
            load()
        assert caught.value.name == "keras"
