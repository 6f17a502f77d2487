"""Every kind of estimator, on every engine that is there, with every method.

All are compared with one reference, so all find the same. Keras runs on one backend
in a process: the suite is run once for each.

Methods differ in what they ask of an engine. One of each kind passes the whole contract;
of the others, which go the same ways, answers are compared.
"""

import pytest

from explainkit.methods import METHODS
from tests.estimators import backend

from . import network, subjects

#: A layer's gradients, many pictures' gradients, rewritten relus, biases, many pictures'
#: scores, other tensors at a layer, and a method within methods.
WHOLE = (
    *("gradcam", "guided_gradcam", "fullgrad"),
    *("integrated_gradients", "scorecam", "ablationcam", *subjects.WRAPPERS),
)
#: With Keras on another backend, what is an engine's own: the rest was seen on TensorFlow.
OF_KERAS = WHOLE if backend.NAME == "tensorflow" else WHOLE[:3]
#: The forms of targets that make other programs: whatever the method, the rest are lists to it.
FORMS = ("None", "rows", "callable")
#: Of five docs: one by one, with a batch that is not full, all at once. How docs become batches
#: has nothing to do with the method, and batches of four have a test of their own.
BATCH_SIZES = (1, 2, 5)


class WithMethods:
    """The contract, for each of some methods."""

    methods = WHOLE

    @pytest.fixture(autouse=True)
    def _method(self, request):
        self.method = request.param

    def pytest_generate_tests(self, metafunc):
        for argument, values_of in (
            ("stage", subjects.stages_of),
            ("form", self.forms_of),
            ("batch_size", self.batch_sizes_of),
        ):
            if argument in metafunc.fixturenames:
                pairs = [(name, value) for name in self.methods for value in values_of(name)]
                metafunc.parametrize(("_method", argument), pairs, indirect=["_method"])
                return
        metafunc.parametrize("_method", self.methods, indirect=True)

    def forms_of(self, method):
        every = method == "gradcam"
        return [form for form in self.target_forms if every or form in FORMS]

    def batch_sizes_of(self, method):
        return BATCH_SIZES if method == "gradcam" else (2,)

    # Without the contract's own mark, which has all the sizes for each method.
    def test_docs_in_a_batch_are_explained_as_each_alone(self, batch_size):
        super().test_docs_in_a_batch_are_explained_as_each_alone(batch_size)


class TestKeras(WithMethods, subjects.KerasNetwork):
    methods = OF_KERAS


class TestTorch(WithMethods, subjects.TorchNetwork):
    @classmethod
    def setup_class(cls):
        pytest.importorskip("torch")
        super().setup_class()


class TestTorchOfSeveralOutputs(WithMethods, subjects.TorchNetworkOfSeveralOutputs):
    methods = ("gradcam", "fullgrad", "scorecam")

    @classmethod
    def setup_class(cls):
        pytest.importorskip("torch")
        super().setup_class()


class TestTfKeras(WithMethods, subjects.TfKerasNetwork):
    # Its engine is that of Keras on TensorFlow. How layers and their relus and biases
    # are met is its own.
    methods = ("gradcam", "guided_gradcam", "fullgrad")

    @classmethod
    def setup_class(cls):
        pytest.importorskip("tf_keras")
        super().setup_class()


class OtherMethods:
    """What is left of the contract where the machinery is that of another method."""

    kind, framework, whole = subjects.KerasNetwork, "keras", WHOLE

    @pytest.fixture
    def contract(self, request):
        pytest.importorskip(self.framework)
        contract = self.kind()
        contract.method = request.param
        return contract

    def pytest_generate_tests(self, metafunc):
        others = [name for name in network.MAPS if name not in self.whole]
        metafunc.parametrize("contract", others, indirect=True)

    def test_answers_equal_the_reference(self, contract):
        contract.test_answers_equal_the_reference()

    def test_docs_in_a_batch_are_explained_as_each_alone(self, contract):
        contract.test_docs_in_a_batch_are_explained_as_each_alone(batch_size=2)

    def test_an_explanation_leaves_the_model_as_it_was(self, contract):
        contract.test_an_explanation_leaves_the_model_as_it_was()


class TestOtherMethodsOfKeras(OtherMethods):
    whole = OF_KERAS


class TestOtherMethodsOfTorch(OtherMethods):
    kind, framework = subjects.TorchNetwork, "torch"


class TestOtherMethodsOfTfKeras(OtherMethods):
    kind, framework, whole = subjects.TfKerasNetwork, "tf_keras", TestTfKeras.methods


def test_every_method_has_a_reference():
    assert set(network.MAPS) == {*METHODS, *subjects.WRAPPERS}
