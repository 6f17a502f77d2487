import numpy as np
import pytest

from explainkit import scenes
from explainkit.asking import redrawn
from explainkit.metrics import ParameterRandomization, RandomLogit, evaluate
from explainkit.similarity import pearson, spearman, ssim

from . import given
from .given import (
    BIASES,
    CHANNELS,
    CLASSES,
    DOCS,
    PIXELS,
    SIZES,
    TOPS,
    WEIGHTS,
    on_each_framework,
)
from .methods import Brightness, EdgeDetector

METHOD = "gradients"


def redrawn_by_hand(rng):
    """The numbers of each weight change places: those of the kernel, then those of the bias."""
    kernel = rng.permuted(WEIGHTS.reshape(-1, CLASSES), axis=None)
    rng.permuted(BIASES)
    return kernel.reshape(WEIGHTS.shape)


def compared(map_):
    """A map as it is compared: of 32 cells along each axis at least, as a share of its largest."""
    found = np.float64(map_)
    for axis in (0, 1):
        size = found.shape[axis]
        if size < 32:
            places = [(i + 0.5) * size / 32 - 0.5 for i in range(32)]
            found = np.apply_along_axis(
                lambda line, places=places: np.interp(places, range(len(line)), line), axis, found
            )
    return found / np.abs(found).max()


@pytest.fixture(scope="module")
def network():
    return scenes.load_network()


@pytest.fixture(scope="module")
def pictures():
    return np.concatenate([scene.doc for scene in scenes.draw_scenes(3)])


@pytest.fixture(scope="module")
def sanity(network, pictures):
    before = [weight.copy() for weight in network.get_weights()]
    scores = np.asarray(network(pictures))
    found = evaluate(network, pictures, ["gradcam", EdgeDetector()], "parameter_randomization")
    return before, scores, found


# The weights drawn anew


def test_what_does_not_look_at_the_weights_is_found_out(sanity):
    *_, found = sanity
    np.testing.assert_allclose(found.values("edges", "parameter_randomization"), 1, atol=1e-12)


def test_what_looks_at_the_weights_changes_with_them(sanity):
    *_, found = sanity
    assert np.abs(found.values("gradcam", "parameter_randomization")).mean() < 0.35


def test_the_model_keeps_its_weights(sanity, network, pictures):
    before, scores, _ = sanity
    for one, other in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(np.asarray(network(pictures)), scores)


def test_stages_go_through_all_layers_together(network, pictures):
    learning = [layer for layer in network.layers if layer.weights]
    assert sum(1 for _ in redrawn(network, pictures)) == len(learning) == 17
    assert sum(1 for _ in redrawn(network, pictures, stages=4)) == 4
    # There are no more steps than layers.
    assert sum(1 for _ in redrawn(network, pictures, stages=100)) == 17


@on_each_framework
@pytest.mark.parametrize("similarity", ["spearman", "pearson"])
def test_of_a_linear_model_the_maps_are_worked_out_by_hand(framework, similarity):
    case = given.given(framework)
    before = [np.array(one) for one in weights_of(case.model)]
    metric = ParameterRandomization(similarity=similarity, seed=4)
    found = evaluate(case.model, case.docs, METHOD, metric, batch_size=3)
    values = found.values(METHOD, "parameter_randomization")
    for one, other in zip(before, weights_of(case.model), strict=True):
        np.testing.assert_array_equal(one, other)
    if framework == "torch":
        # Its kernel lies otherwise in memory, so that its numbers change other places.
        assert (np.abs(values) < 0.6).all()
        return
    other = redrawn_by_hand(np.random.default_rng(4))
    alike = {"spearman": spearman, "pearson": pearson}[similarity]
    for row, target in enumerate(TOPS):
        maps = [compared(weights[..., target].sum(axis=2)) for weights in (WEIGHTS, other)]
        assert values[row] == pytest.approx(alike(*maps), abs=1e-4)


@pytest.mark.parametrize(("stages", "steps"), [(None, [1, 2]), (2, [1, 2]), (1, [2])])
def test_the_weights_are_drawn_from_the_output_on_and_the_mean_is_told(stages, steps):
    keras = pytest.importorskip("keras")
    layers = keras.layers
    rng = np.random.default_rng(0)
    shapes = [(PIXELS * CHANNELS, 7), (7,), (7, CLASSES), (CLASSES,)]
    drawn = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    network = keras.Sequential(
        [
            keras.Input((*SIZES, CHANNELS)),
            layers.Flatten(),
            layers.Dense(7, activation="relu"),
            layers.Dense(CLASSES),
        ]
    )
    network.set_weights(drawn)
    docs = np.float32(DOCS)
    metric = ParameterRandomization(stages=stages, seed=1, similarity="pearson")
    found = evaluate(network, docs, METHOD, metric, targets=1)

    def map_of(doc, weights):
        first, bias, last, _ = weights
        active = doc.ravel() @ first + bias > 0
        gradient = first @ (active * last[:, 1])
        return compared(gradient.reshape(*SIZES, CHANNELS).sum(axis=2))

    anew = [list(drawn)]
    permuting = np.random.default_rng(1)
    for layer in (slice(2, 4), slice(0, 2)):
        weights = list(anew[-1])
        weights[layer] = [permuting.permuted(one, axis=None) for one in weights[layer]]
        anew.append(weights)
    for row, doc in enumerate(docs):
        maps = [map_of(doc, weights) for weights in anew]
        alike = [pearson(maps[0], maps[step]) for step in steps]
        value = found.values(METHOD, "parameter_randomization")[row]
        assert value == pytest.approx(np.mean(alike), abs=1e-4)


def weights_of(model):
    if hasattr(model, "get_weights"):
        return model.get_weights()
    return [one.detach().numpy().copy() for one in model.parameters()]


def test_seeds_draw_other_weights():
    case = given.given("keras")
    metrics = {str(seed): ParameterRandomization(seed=seed) for seed in (0, 0, 1)}
    metrics["again"] = ParameterRandomization()
    found = evaluate(case.model, case.docs, METHOD, metrics)
    assert (found.values(METHOD, "0") == found.values(METHOD, "again")).all()
    assert (found.values(METHOD, "0") != found.values(METHOD, "1")).all()


def test_a_model_without_weights_has_none_to_be_drawn():
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    docs = np.random.default_rng(0).normal(size=(2, 3, 6, 5)).astype(np.float32)
    found = evaluate(model, docs, METHOD, ["parameter_randomization", "sparseness"])
    assert np.isnan(found.values(METHOD, "parameter_randomization")).all()
    assert np.isfinite(found.values(METHOD, "sparseness")).all()
    assert "has no weights that could be drawn anew" in str(found)


@pytest.mark.parametrize("framework", ["keras", "torch"])
def test_a_layer_may_be_given_by_itself_or_by_its_name(framework):
    docs = np.random.default_rng(0).normal(size=(3, 8, 8, 3)).astype(np.float32)
    if framework == "torch":
        torch = pytest.importorskip("torch")
        nn = torch.nn
        torch.manual_seed(0)
        early, late = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3)
        model = nn.Sequential(
            early,
            nn.ReLU(),
            late,
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(5, 3),
        ).eval()
        docs, names = docs.transpose(0, 3, 1, 2).copy(), ["0", "2"]
    else:
        keras = pytest.importorskip("keras")
        layers = keras.layers
        early, late = layers.Conv2D(4, 3, activation="relu"), layers.Conv2D(5, 3)
        last = [layers.GlobalAveragePooling2D(), layers.Dense(3)]
        model = keras.Sequential([keras.Input((8, 8, 3)), early, late, *last])
        names = [early.name, late.name]
    methods = {
        "layer": {"method": "gradcam", "layer": early},
        "name": {"method": "gradcam", "layer": names[0]},
        "layers": {"method": "gradcam", "layer": [early, late]},
        "names": {"method": "gradcam", "layer": names},
    }
    metric = ParameterRandomization(stages=2, similarity="pearson")
    found = evaluate(model, docs, methods, metric, targets=1, batch_size=2)
    for one, other in (("layer", "name"), ("layers", "names")):
        values = found.values(one, metric.name)
        np.testing.assert_allclose(values, found.values(other, metric.name), atol=1e-6)
        assert np.isfinite(values).all()
    assert (found.values("layer", metric.name) != found.values("layers", metric.name)).any()


def test_all_batches_are_explained_by_programs_that_are_compiled_once():
    keras = pytest.importorskip("keras")
    if keras.backend.backend() == "torch":
        pytest.skip("PyTorch runs the Python of a model each time: nothing is compiled")
    runs = []

    class Noting(keras.layers.Layer):
        def call(self, inputs):
            runs.append(inputs.shape)
            return inputs

    layers = keras.layers
    docs = np.random.default_rng(0).normal(size=(6, *SIZES, CHANNELS)).astype(np.float32)

    def runs_of(count, methods):
        model = keras.Sequential(
            [
                keras.Input((*SIZES, CHANNELS)),
                layers.Flatten(),
                Noting(),
                layers.Dense(CLASSES),
                layers.Dense(CLASSES),
            ]
        )
        runs.clear()
        metric = ParameterRandomization(stages=2, similarity="pearson")
        found = evaluate(model, docs[:count], methods, metric, targets=1, batch_size=2)
        for method in found.methods:
            assert np.isfinite(found.values(method, metric.name)).all()
        return len(runs)

    methods = [METHOD, "input_x_gradient"]
    assert runs_of(6, METHOD) == runs_of(2, METHOD) > 0
    # Each method has its own.
    assert runs_of(6, methods) == runs_of(2, methods)


@on_each_framework
def test_what_is_compiled_once_is_begun_anew_for_each_batch(framework):
    case = given.given(framework)
    metric = ParameterRandomization(stages=None, similarity="pearson")
    methods = [METHOD, "input_x_gradient"]
    whole, parted = (
        evaluate(case.model, case.docs, methods, metric, batch_size=size) for size in (32, 2)
    )
    for method in methods:
        np.testing.assert_allclose(
            parted.values(method, metric.name), whole.values(method, metric.name), atol=1e-5
        )


# Another class


def test_what_ignores_the_target_is_found_out(network, pictures):
    found = evaluate(network, pictures, EdgeDetector(), "random_logit")
    np.testing.assert_allclose(found.values("edges", "random_logit"), 1, atol=1e-12)


@pytest.mark.parametrize("similarity", ["pearson", "spearman"])
def test_the_map_is_compared_with_that_of_another_class(similarity):
    case = given.given("keras")
    alike = {"spearman": spearman, "pearson": pearson}[similarity]
    drawn = set()
    metrics = {str(seed): RandomLogit(similarity=similarity, seed=seed) for seed in range(4)}
    found = evaluate(case.model, case.docs, METHOD, metrics, batch_size=2)
    for row, target in enumerate(TOPS):
        maps = WEIGHTS.sum(axis=2)
        possible = {
            unit: alike(compared(maps[..., target]), compared(maps[..., unit]))
            for unit in range(CLASSES)
            if unit != target
        }
        for name in metrics:
            value = found.values(METHOD, name)[row]
            [unit] = [u for u, one in possible.items() if abs(one - value) < 1e-4]
            drawn.add((unit - target) % CLASSES)
    assert drawn == {1, 2, 3}


def test_ssim_is_asked_where_nothing_is_said():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12 * 13, 2)).eval()
    docs = rng.normal(size=(2, 1, 12, 13)).astype(np.float32)
    weights = model[1].weight.detach().numpy().reshape(2, 12, 13)
    found = evaluate(model, docs, METHOD, "random_logit")
    expected = ssim(compared(weights[0]), compared(weights[1]))
    np.testing.assert_allclose(found.values(METHOD, "random_logit"), expected, atol=1e-5)


def test_units_that_are_equal_have_equal_maps():
    keras = pytest.importorskip("keras")
    model = given.keras_model(keras, dtype="float32")
    kernel = np.repeat(WEIGHTS[..., :1], CLASSES, axis=3)
    model.set_weights([kernel.reshape(-1, CLASSES), BIASES])
    found = evaluate(model, np.float32(DOCS), METHOD, RandomLogit(similarity="pearson"))
    np.testing.assert_allclose(found.values(METHOD, "random_logit"), 1, atol=1e-6)


def test_a_single_sigmoid_tells_two_classes_apart():
    keras = pytest.importorskip("keras")
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((*SIZES, 3)), layers.Flatten(), layers.Dense(1, activation="sigmoid")]
    )
    found = evaluate(model, np.float32(DOCS), METHOD, RandomLogit(similarity="pearson"))
    np.testing.assert_allclose(found.values(METHOD, "random_logit"), -1, atol=1e-6)


def test_a_quantity_has_no_other_class():
    keras = pytest.importorskip("keras")
    layers = keras.layers
    model = keras.Sequential([keras.Input((*SIZES, 3)), layers.Flatten(), layers.Dense(1)])
    found = evaluate(model, np.float32(DOCS), METHOD, RandomLogit(similarity="pearson"))
    assert np.isnan(found.values(METHOD, "random_logit")).all()
    assert found.measurements[0].reason


def test_another_class_is_none_where_a_function_chose_the_score():
    case = given.given("keras")
    metric = RandomLogit(similarity="pearson")
    found = evaluate(case.model, case.docs, METHOD, metric, targets=lambda scores: scores[:, 0])
    assert np.isnan(found.values(METHOD, "random_logit")).all()
    assert found.measurements[0].reason.startswith("another class is drawn where the target is")


# Maps that are the same everywhere


def test_a_map_that_is_the_same_everywhere_is_like_no_other():
    case = given.given("keras")
    docs = DOCS.copy()
    docs[1] = 2.0
    metrics = ["parameter_randomization", RandomLogit(similarity="pearson")]
    found = evaluate(case.model, docs, Brightness(), metrics)
    for name in ("parameter_randomization", "random_logit"):
        values = found.values("brightness", name)
        assert np.isnan(values[1])
        np.testing.assert_allclose(np.delete(values, 1), 1, atol=1e-6)
    reasons = {one.reason for one in found.measurements if one.doc == 1}
    assert reasons == {"a map is the same everywhere: it is like no other, nor unlike"}
