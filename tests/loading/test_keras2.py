"""Files that only tf_keras opens; tests/cli has what is said of them."""

import logging
import sys

import pytest

tf_keras = pytest.importorskip("tf_keras")

from explainkit.loading import load_model  # noqa: E402
from tests.estimators import tf_keras_models  # noqa: E402


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "keras_model.h5"
    tf_keras_models.mobile().save(path)
    return path


def test_it_is_opened_and_noted(exported, caplog):
    with caplog.at_level(logging.INFO, "explainkit"):
        assert isinstance(load_model(exported), tf_keras.Model)
    assert f"{exported}, of Keras {tf_keras.__version__}, was opened with tf_keras" in caplog.text


def test_what_to_install_is_said(exported, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf_keras", None)
    with pytest.raises(ModuleNotFoundError, match="which is not installed: pip install"):
        load_model(exported)
