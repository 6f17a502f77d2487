"""Every kind of estimator, on every engine that is there, with every method.

All are compared with one reference, so all find the same. Keras runs on one backend
in a process: the suite is run once for each.
"""

import pytest

from explainkit.methods import METHODS

from . import network, subjects


class EveryMethod:
    @pytest.fixture(autouse=True, params=METHODS)
    def _method(self, request):
        self.method = request.param


class TestKeras(EveryMethod, subjects.KerasNetwork):
    pass


class TestTorch(EveryMethod, subjects.TorchNetwork):
    @classmethod
    def setup_class(cls):
        pytest.importorskip("torch")
        super().setup_class()


class TestTorchOfSeveralOutputs(EveryMethod, subjects.TorchNetworkOfSeveralOutputs):
    @classmethod
    def setup_class(cls):
        pytest.importorskip("torch")
        super().setup_class()


class TestTfKeras(EveryMethod, subjects.TfKerasNetwork):
    @classmethod
    def setup_class(cls):
        pytest.importorskip("tf_keras")
        super().setup_class()


def test_every_method_has_a_reference():
    assert set(network.MAPS) == set(METHODS)
