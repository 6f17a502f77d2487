"""Files that Keras 2 saved, as Teachable Machine exports them."""

import json
import sys

import numpy as np
import pytest

tf_keras = pytest.importorskip("tf_keras")

from tests.estimators import tf_keras_models  # noqa: E402


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A keras_model.h5 that Keras 3 does not open."""
    path = tmp_path_factory.mktemp("exported") / "keras_model.h5"
    tf_keras_models.mobile().save(path)
    return path


@pytest.fixture
def explain(photo):
    return lambda model, *options: ("explain", photo, "--model", model, "--json", *options)


def opened(path):
    return f"explainkit: {path} was saved by Keras {tf_keras.__version__}: opened with tf_keras"


def test_it_is_explained_and_said(run, explain, exported, labels_file):
    result = run(*explain(exported, "--labels", labels_file, "--preprocess=-1..1", "--top", 3))
    assert (result.exit_code, result.stderr) == (0, opened(exported) + "\n")
    [record] = json.loads(result.stdout)
    assert record["layer"] == "features/backbone/out_relu"
    assert {target["label"] for target in record["targets"]} == {"cat", "dog", "[red]bird[/red]"}


def test_its_layers_are_listed(run, exported):
    result = run("layers", exported, "--json")
    assert (result.exit_code, result.stderr) == (0, opened(exported) + "\n")
    found = json.loads(result.stdout)
    assert found[-1]["layer"] == "features/backbone/out_relu"
    assert found[-1]["default"]


def test_what_to_install_is_said(fails, explain, exported, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf_keras", None)
    assert fails(1, *explain(exported)) == (
        f"{exported} was saved by Keras {tf_keras.__version__}, and Keras 3 cannot open it; "
        "tf_keras does, which is not installed: pip install 'explainkit[tf_keras]'"
    )


def test_what_keras_3_opens_it_opens(run, explain, tmp_path):
    import keras

    path = tmp_path / "flat.h5"
    tf_keras_models.sequential().save(path)
    keras.models.load_model(path, compile=False)
    assert "tf_keras" not in run(*explain(path)).stderr


@pytest.mark.parametrize("layer", ["lambda", "operation"])
def test_code_in_it_is_not_run(fails, explain, tmp_path, layer):
    path = tmp_path / "code.h5"
    model = tf_keras_models.mobile()
    inputs = tf_keras.Input((32, 32, 3))
    if layer == "lambda":
        x = tf_keras.layers.Lambda(lambda x: x / 2)(inputs)
    else:
        import tensorflow as tf

        x = tf.debugging.check_numerics(inputs, "text")
    tf_keras.Model(inputs, model(x)).save(path)
    assert f"{path} holds Python code" in fails(1, *explain(path))


def test_a_file_that_is_broken(fails, explain, tmp_path, exported):
    import h5py

    path = tmp_path / "broken.h5"
    path.write_bytes(exported.read_bytes())
    with h5py.File(path, "a") as file:
        del file["model_weights"]
    assert f"{path} cannot be loaded as a model: " in fails(1, *explain(path))


def test_overlays_are_written(run, photo, exported, tmp_path):
    from PIL import Image

    result = run("explain", photo, "--model", exported, "-o", tmp_path / "why.png")
    assert result.exit_code == 0, result.stderr
    assert np.asarray(Image.open(tmp_path / "why.png")).std() > 0
