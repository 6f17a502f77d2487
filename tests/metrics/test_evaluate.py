import sys
import warnings

import attrs
import numpy as np
import pytest

from explainkit import ExplanationWarning, explain_predictions
from explainkit.metrics import METRICS as METRICS_THERE_ARE
from explainkit.metrics import (
    AverageDrop,
    Deletion,
    Insertion,
    MaxSensitivity,
    RandomLogit,
    RelevanceMass,
    ROADMostRelevantFirst,
    Sparseness,
    evaluate,
    relevance_mass,
)

from . import given
from .counting import Counting, Endless, Odd
from .given import BIASES, CLASSES, DOCS, SIZES, TOPS, WEIGHTS
from .methods import Brightness

COUNT = len(DOCS)
METHODS = ["input_x_gradient", "gradients"]
METRICS = ["deletion", "average_drop", "relevance_mass", "sparseness"]


@pytest.fixture(scope="module")
def model():
    return given.given("keras", "softmax").model


@pytest.fixture(scope="module")
def docs():
    return given.given("keras").docs


@pytest.fixture(scope="module")
def masks():
    found = np.random.default_rng(5).random((COUNT, *SIZES)) < 0.3
    found[:, 0, 0] = True
    return found


@pytest.fixture(scope="module")
def table(model, docs, masks):
    return evaluate(model, docs, METHODS, METRICS, masks=masks, progress=False)


def assert_same(one, other, close=1e-6):
    assert len(one.measurements) == len(other.measurements)
    for a, b in zip(one.measurements, other.measurements, strict=True):
        assert attrs.evolve(a, value=0.0) == attrs.evolve(b, value=0.0)
        np.testing.assert_allclose(a.value, b.value, rtol=0, atol=close)


# The table


def test_there_is_a_row_for_each_doc_method_and_metric_in_order(table):
    found = [(one.method, one.doc, one.metric) for one in table.measurements]
    assert found == [
        (method, doc, metric) for method in METHODS for doc in range(COUNT) for metric in METRICS
    ]
    assert all(np.isfinite(one.value) and one.reason is None for one in table.measurements)
    assert [one.target for one in table.measurements[:: len(METRICS)]] == 2 * TOPS.tolist()
    assert table.methods == tuple(METHODS)
    assert list(table.metrics) == METRICS


@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_how_many_are_measured_at_once_does_not_matter(table, model, docs, masks, batch_size):
    found = evaluate(model, docs, METHODS, METRICS, masks=masks, batch_size=batch_size)
    for method in METHODS:
        for metric in METRICS:
            np.testing.assert_allclose(
                found.values(method, metric), table.values(method, metric), rtol=0, atol=1e-6
            )
    starts = range(0, COUNT, batch_size)
    parts = [range(at, min(at + batch_size, COUNT)) for at in starts]
    order = [(one.method, one.doc) for one in found.measurements[:: len(METRICS)]]
    assert order == [(method, doc) for part in parts for method in METHODS for doc in part]


@pytest.mark.parametrize(
    "metric",
    [MaxSensitivity(samples=2), RandomLogit(similarity="pearson"), ROADMostRelevantFirst()],
)
def test_what_is_drawn_does_not_depend_on_the_neighbours(model, docs, metric):
    whole, one_by_one = (
        evaluate(model, docs, METHODS[:1], metric, batch_size=size) for size in (32, 1)
    )
    assert_same(whole, one_by_one)


def test_docs_may_come_one_by_one(table, model, docs, masks):
    for given_docs in (
        [doc[None] for doc in docs],
        (doc[None] for doc in docs),
        tuple(doc[None] for doc in docs),
    ):
        found = evaluate(model, given_docs, METHODS, METRICS, masks=iter(masks))
        assert_same(found, table)


def test_what_an_iterable_gives_may_hold_several_docs_if_each_is_counted(table, model, docs, masks):
    # As loaders of data give them: or else it must be refused.
    batches = [docs[:2], docs[2:4], docs[4:]]
    try:
        found = evaluate(model, iter(batches), METHODS, METRICS, masks=masks, batch_size=2)
    except ValueError:
        return
    assert sorted({one.doc for one in found.measurements}) == list(range(COUNT))
    for metric in METRICS:
        np.testing.assert_allclose(
            found.values(METHODS[0], metric), table.values(METHODS[0], metric), atol=1e-6
        )


def test_no_more_docs_of_an_iterable_are_held_than_pass_at_once(model, docs):
    taken, most = 0, 0

    def one_by_one():
        nonlocal taken
        for doc in docs:
            taken += 1
            yield doc[None]

    @attrs.frozen
    class Watching(Counting):
        def measure(self, batch):
            nonlocal most
            most = max(most, taken - max(batch.positions))
            return super().measure(batch)

    evaluate(model, one_by_one(), METHODS[0], Watching(), batch_size=2)
    assert taken == COUNT
    assert most <= 2


def test_docs_of_another_size_begin_a_batch_of_their_own():
    keras = pytest.importorskip("keras")
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    rng = np.random.default_rng(0)
    sizes = [(8, 8), (8, 8), (7, 9), (8, 8)]
    docs = [rng.normal(size=(1, *size, 3)).astype(np.float32) for size in sizes]
    masks = [rng.random(size) < 0.5 for size in sizes]
    asked = {"methods": "gradcam", "metrics": ["deletion", "relevance_mass"]}
    found = evaluate(network, docs, masks=masks, **asked)
    for row, (doc, mask) in enumerate(zip(docs, masks, strict=True)):
        alone = evaluate(network, doc, masks=[mask], **asked)
        for name in asked["metrics"]:
            assert found.values("gradcam", name)[row] == pytest.approx(
                alone.values("gradcam", name)[0], abs=1e-5
            )


# Methods and metrics


def test_methods_and_metrics_may_have_names_of_ones_own(model, docs):
    found = evaluate(
        model,
        docs,
        {
            "products": "input_x_gradient",
            "noisy": {"method": "smoothgrad", "samples": 2, "noise": 0.5},
            "bright": Brightness(),
        },
        {"few": Deletion(steps=3), "many": Deletion(steps=9), "insertion": "insertion"},
    )
    assert found.methods == ("products", "noisy", "bright")
    assert list(found.metrics) == ["few", "many", "insertion"]
    plain = evaluate(model, docs, METHODS[0], Deletion(steps=3))
    np.testing.assert_array_equal(
        found.values("products", "few"), plain.values(METHODS[0], "deletion")
    )
    assert (found.values("products", "few") != found.values("products", "many")).any()
    assert (found.values("noisy", "few") != found.values("products", "few")).any()


def test_options_are_for_all_methods_and_layers_for_those_that_are_built_at_one():
    keras = pytest.importorskip("keras")
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, activation="relu", name="early"),
            layers.Conv2D(5, 3, activation="relu", name="late"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
        ]
    )
    docs = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    asked = {"metrics": ["deletion", "sparseness"]}
    found = evaluate(network, docs, ["gradcam", "gradients"], layer="early", **asked)
    own = evaluate(
        network,
        docs,
        {
            "early": {"method": "gradcam", "layer": "early"},
            "late": {"method": "gradcam"},
            "last": "gradcam",
        },
        **asked,
    )
    for name in asked["metrics"]:
        np.testing.assert_array_equal(found.values("gradcam", name), own.values("early", name))
        np.testing.assert_array_equal(own.values("late", name), own.values("last", name))
    assert (own.values("early", "sparseness") != own.values("late", "sparseness")).any()


# Targets


def by_targets(model, docs, targets, **more):
    return evaluate(model, docs, METHODS, ["deletion", "sparseness"], targets=targets, **more)


def test_the_class_of_the_highest_score_is_kept_for_all_methods_and_pictures(model, docs):
    assert_same(by_targets(model, docs, None), by_targets(model, docs, TOPS))


def test_targets_are_given_as_a_list_or_an_array(model, docs):
    units = [3, 1, 0, 2, 2]
    found = by_targets(model, docs, units)
    assert [one.target for one in found.measurements[: 2 * COUNT : 2]] == units
    assert_same(by_targets(model, docs, np.array(units)), found)
    maps = [
        one.targets[0].map
        for one in explain_predictions(
            model, docs, method="gradients", targets=np.array(units)[:, None]
        )
    ]
    for row, map_ in enumerate(maps):
        np.testing.assert_allclose(map_, WEIGHTS[..., units[row]].sum(axis=2), atol=1e-5)


@pytest.mark.parametrize("library", ["torch", "pandas", "tensorflow"])
def test_targets_and_masks_may_come_from_other_libraries(model, docs, masks, library):
    units = [3, 1, 0, 2, 2]
    lib = pytest.importorskip(library)
    made = {"torch": "tensor", "pandas": "Series", "tensorflow": "constant"}[library]
    found = by_targets(model, docs, getattr(lib, made)(units))
    assert [one.target for one in found.measurements[: 2 * COUNT : 2]] == units
    assert_same(found, by_targets(model, docs, units))
    if library == "pandas":  # whatever its index
        assert_same(by_targets(model, docs, lib.Series(units, index=range(9, 4, -1))), found)
        return
    asked = (model, docs, METHODS[0], "relevance_mass")
    tensors = getattr(lib, made)(masks)
    assert_same(evaluate(*asked, masks=tensors), evaluate(*asked, masks=masks))


@pytest.mark.parametrize(
    "metrics",
    [
        {"sparseness", "complexity"},
        dict.fromkeys(["sparseness", "complexity"]).keys(),
        (METRICS_THERE_ARE[name] for name in ("sparseness", "complexity")),
        [Sparseness, "complexity"],
        {"sparseness": Sparseness, "complexity": "complexity"},
    ],
)
def test_metrics_may_be_given_in_any_collection(model, docs, metrics):
    found = evaluate(model, docs, METHODS[0], metrics)
    assert set(found.metrics) == {"sparseness", "complexity"}
    plain = evaluate(model, docs, METHODS[0], ["sparseness", "complexity"])
    for name in found.metrics:
        np.testing.assert_array_equal(
            found.values(METHODS[0], name), plain.values(METHODS[0], name)
        )


def test_one_metric_may_be_given_by_its_class(model, docs):
    assert evaluate(model, docs[:1], METHODS[0], Sparseness).metrics == {"sparseness": Sparseness()}


def test_one_target_is_for_all(model, docs):
    found = by_targets(model, docs, [2] * COUNT)
    assert_same(by_targets(model, docs, 2), found)
    names = ["ant", "bee", "cat", "dog"]
    assert_same(by_targets(model, docs, "cat", target_names=names), found)
    assert_same(by_targets(model, docs, ["cat"] * COUNT, target_names=names), found)


def test_a_label_may_be_given_for_each(model, docs):
    names = ["ant", "bee", "cat", "dog"]
    units = [3, 1, 3, 0, 1]
    found = by_targets(model, docs, [names[unit] for unit in units], target_names=names)
    assert_same(found, by_targets(model, docs, units))


def third(outputs):
    return outputs[:, 2]


def test_a_function_may_choose_the_score(docs):
    raw = given.given("keras").model
    found = by_targets(raw, docs, third)
    assert {one.target for one in found.measurements} == {"third"}
    other = by_targets(raw, docs, 2)
    for method in METHODS:
        np.testing.assert_allclose(
            found.values(method, "deletion"), other.values(method, "deletion"), atol=1e-6
        )


def test_a_unit_of_one_of_several_outputs_may_be_given():
    keras = pytest.importorskip("keras")
    layers = keras.layers
    picture = keras.Input((*SIZES, 3))
    flat = layers.Flatten()(picture)
    heads = {name: layers.Dense(CLASSES, name=name) for name in ("left", "right")}
    network = keras.Model(picture, {name: head(flat) for name, head in heads.items()})
    heads["left"].set_weights([WEIGHTS.reshape(-1, CLASSES), BIASES])
    alone = given.keras_model(keras, dtype="float32")
    docs = np.float32(DOCS)
    found = by_targets(network, docs, ("left", 1))
    assert {one.target for one in found.measurements} == {("left", 1)}
    other = by_targets(alone, docs, 1)
    for method in METHODS:
        np.testing.assert_allclose(
            found.values(method, "deletion"), other.values(method, "deletion"), atol=1e-4
        )


# Docs that have no number


def test_a_doc_of_nan_has_none_and_the_others_theirs(table, model, docs, masks):
    bad = docs.copy()
    bad[3, 1, 1, 1] = np.nan
    found = evaluate(model, bad, METHODS, METRICS, masks=masks)
    for one, other in zip(found.measurements, table.measurements, strict=True):
        if one.doc == 3:
            assert np.isnan(one.value)
            assert "NaN" in one.reason
            assert one.target is None
        else:
            np.testing.assert_allclose(one.value, other.value, rtol=0, atol=1e-6)
            assert one.target == other.target
    assert "input_x_gradient, deletion: 1 of 5 have no number: ValueError: " in str(found)
    everywhere = evaluate(model, np.full_like(docs, np.nan), METHODS[0], "deletion")
    assert np.isnan(everywhere.values(METHODS[0], "deletion")).all()
    assert str(everywhere).splitlines()[1].endswith("–")


def test_a_blank_map_has_no_number_and_says_why(model, docs, masks):
    blank = docs.copy()
    blank[2] = 0
    metrics = ["deletion", "insertion", "road_morf", "sparseness", "relevance_mass", "iou"]
    found = evaluate(model, blank, Brightness(), metrics, masks=masks)
    reasons = {one.metric: one.reason for one in found.measurements if one.doc == 2}
    same = "the map is the same everywhere: it ranks no pixel before another"
    assert reasons == {
        "deletion": same,
        "insertion": same,
        "road_morf": same,
        "sparseness": "the map is zero everywhere",
        "relevance_mass": "the map has no positive part: nothing speaks for the target",
        "iou": "the map has no positive part: nothing speaks for the target",
    }
    assert all(np.isnan(one.value) == (one.doc == 2) for one in found.measurements)


def test_an_empty_mask_has_no_number_and_says_why(model, docs, masks):
    empty = masks.copy()
    empty[1] = False
    names = ["pointing_game", "energy_pointing", "relevance_mass", "relevance_rank"]
    names += ["top_k_intersection", "iou", "localization_error"]
    found = evaluate(model, docs, METHODS[0], names, masks=empty)
    for one in found.measurements:
        assert np.isnan(one.value) == (one.doc == 1)
        said = "the mask is empty: no pixel belongs to the target"
        assert one.reason == (said if one.doc == 1 else None)


def test_what_overflows_has_no_number(model, docs):
    found = evaluate(model, docs, METHODS[0], [Endless(), Odd()])
    assert {one.reason for one in found.measurements if one.metric == "endless"} == {
        "it comes to inf"
    }


def own(found):
    """A metric of somebody's own, which gives these numbers."""

    @attrs.frozen
    class Own(Odd):
        name = "own"

        def measure(self, batch):
            return found

    return Own()


@pytest.mark.parametrize(
    "numbers",
    [
        [np.float32(0.5), np.float64(0.25)],
        [1, 0],
        [True, False],
        [np.int64(3), np.uint8(2)],
        [np.bool_(True), np.bool_(False)],
        np.array([0.5, 0.25]),
        np.array([True, False]),
        (np.array(0.5), 2),
    ],
)
def test_a_number_is_a_number(model, docs, tmp_path, numbers):
    asked = (model, docs[:2], METHODS[0], own(numbers))
    for _ in range(2):  # the second time, of a file
        found = evaluate(*asked, save=tmp_path / "own.jsonl")
        assert found.values(METHODS[0], "own").tolist() == [float(one) for one in numbers]
        assert {type(one.value) for one in found.measurements} == {float}
        assert {one.reason for one in found.measurements} == {None}


@pytest.mark.parametrize("number", [np.nan, np.float32(np.nan), -np.inf, np.float16(np.inf)])
def test_what_is_no_number_says_what_it_is(model, docs, number):
    found = evaluate(model, docs[:2], METHODS[0], [own([number, 1]), Deletion(steps=2)])
    assert [one.reason for one in found.measurements] == [f"it comes to {number}", *[None] * 3]
    assert np.isnan(found.measurements[0].value)
    assert "own: 1 of 2 have no number: it comes to" in str(found)


@pytest.mark.parametrize("numbers", [[], [1.0], [1.0, 2.0, 3.0]])
def test_there_is_a_number_for_each_explanation(model, docs, numbers):
    message = f"^metric 'own' measured {len(numbers)} of 2 explanations; give a number, or an"
    with pytest.raises(ValueError, match=message):
        evaluate(model, docs[:2], METHODS[0], ["deletion", own(numbers)])


def test_what_is_blank_is_told_by_the_table_and_by_no_warning(model, docs):
    blank = docs.copy()
    blank[2] = 0
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        filters = list(warnings.filters)
        evaluate(model, blank, [*METHODS, Brightness()], ["sparseness", MaxSensitivity(samples=1)])
        assert [one for one in told if issubclass(one.category, ExplanationWarning)] == []
        assert warnings.filters == filters
        # Who looks at the explanations themselves is told.
        list(explain_predictions(model, blank, method=Brightness()))
    assert any(issubclass(one.category, ExplanationWarning) for one in told)


def test_masks_belong_to_their_docs(table, model, docs, masks):
    explained = explain_predictions(model, docs, method=METHODS[0])
    for row, one in enumerate(explained):
        expected = relevance_mass(one.targets[0].heatmap, masks[row])
        found = table.values(METHODS[0], "relevance_mass")[row]
        assert found == pytest.approx(expected, abs=1e-6)


# What the table says


def test_the_summary_has_means_and_intervals(table):
    summary = table.summary()
    assert [(one.method, one.metric) for one in summary] == [
        (method, metric) for method in METHODS for metric in METRICS
    ]
    for one in summary:
        values = table.values(one.method, one.metric)
        assert one.mean == pytest.approx(values.mean())
        assert values.min() <= one.low <= one.mean <= one.high <= values.max()
        assert (one.count, one.missing, one.reason) == (COUNT, 0, None)
        assert one.better == table.metrics[one.metric].better


def test_missing_numbers_are_counted_and_shares_have_wilsons_interval(model, docs):
    [one] = evaluate(model, docs, METHODS[0], Odd(), confidence=0.9).summary()
    assert (one.mean, one.count, one.missing, one.reason) == (1.0, 3, 2, "it is odd")
    z = 1.6448536269514722
    assert one.low == pytest.approx(3 / (3 + z**2), abs=1e-9)
    assert one.high == pytest.approx(1)


def test_one_doc_has_a_mean_and_an_interval_if_it_is_a_share(model, docs):
    found = evaluate(model, docs[:1], METHODS[0], ["deletion", Odd()])
    mean, share = found.summary()
    assert mean.mean == found.values(METHODS[0], "deletion")[0]
    assert np.isnan([mean.low, mean.high]).all()
    assert mean.reason == "one document has no interval: give more"
    z = 1.9599639845400545
    assert (share.mean, share.count, share.reason) == (1, 1, None)
    assert (share.low, share.high) == pytest.approx((1 / (1 + z**2), 1))
    assert str(found).count("[") == 1
    assert str(found).splitlines()[1].split() == [
        METHODS[0],
        f"{mean.mean:.3f}",
        "1.000",
        "[0.207,",
        "1.000]",
    ]


def test_the_table_is_printed(table):
    lines = str(table).splitlines()
    assert len(lines) == 1 + len(METHODS)
    arrows = dict(zip(METRICS, "↓↓↑↑", strict=True))
    heads = [word for metric, arrow in arrows.items() for word in (metric, arrow)]
    assert lines[0].split() == ["method", *heads]
    for method, line in zip(METHODS, lines[1:], strict=True):
        assert line.startswith(method)
        for one in table.summary():
            if one.method == method:
                assert f"{one.mean:.3f} [{one.low:.3f}, {one.high:.3f}]" in line
    # The columns are in line.
    at = lines[0].index("relevance_mass")
    assert all(line[at - 1] == " " and line[at] != " " for line in lines)


def test_numbers_are_those_of_the_rows_of_a_cell(table):
    for method in METHODS:
        for metric in METRICS:
            rows = [
                one for one in table.measurements if (one.method, one.metric) == (method, metric)
            ]
            assert table.values(method, metric).tolist() == [one.value for one in rows]


def test_cells_without_rows_are_empty(table):
    only = [one for one in table.measurements if one.metric == "deletion"]
    part = attrs.evolve(table, measurements=tuple(only))
    full = {(one.method, one.metric): one for one in table.summary()}
    for one in part.summary():
        if one.metric == "deletion":
            assert one == full[one.method, one.metric]
            continue
        assert part.values(one.method, one.metric).shape == (0,)
        assert np.isnan([one.mean, one.low, one.high]).all()
        assert (one.count, one.missing, one.reason) == (0, 0, None)
    assert str(part).splitlines()[1].endswith("–")
    assert attrs.evolve(table, measurements=()).values(METHODS[0], "deletion").shape == (0,)


def test_rows_are_plain_data(table):
    rows = table.rows()
    assert len(rows) == len(table.measurements)
    assert list(rows[0]) == ["doc", "target", "method", "metric", "value", "reason"]
    assert rows[1] == attrs.asdict(table.measurements[1])


def test_numbers_are_given_in_the_order_of_the_docs(table):
    turned = attrs.evolve(table, measurements=table.measurements[::-1])
    for method in METHODS:
        np.testing.assert_array_equal(
            turned.values(method, "deletion"), table.values(method, "deletion")
        )


def test_dataframes_hold_the_same(table):
    pandas = pytest.importorskip("pandas")
    frame = table.dataframe()
    assert isinstance(frame, pandas.DataFrame)
    assert len(frame) == len(table.measurements)
    mean = frame.groupby(["method", "metric"])["value"].mean()
    summary = table.summary_dataframe()
    assert len(summary) == len(METHODS) * len(METRICS)
    for one in summary.itertuples():
        assert mean[one.method, one.metric] == pytest.approx(one.mean)


def test_without_pandas_it_is_said_what_to_install(table, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    for ask in (table.dataframe, table.summary_dataframe):
        with pytest.raises(ImportError, match=r"needs pandas: pip install 'explainkit\[tables\]'"):
            ask()


def test_the_plot_has_a_panel_for_each_metric(table, tmp_path):
    from matplotlib.figure import Figure

    figure = table.plot()
    assert isinstance(figure, Figure)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title().splitlines()[0] for axes in shown] == [
        "Deletion",
        "Average drop",
        "Relevance mass",
        "Sparseness",
    ]
    assert [axes.get_title().splitlines()[1] for axes in shown][1:3] == [
        "(lower is better)",
        "(higher is better)",
    ]
    assert [label.get_text() for label in shown[0].get_yticklabels()] == METHODS
    for axes, metric in zip(shown, METRICS, strict=True):
        means = [one.mean for one in table.summary() if one.metric == metric]
        np.testing.assert_allclose(axes.lines[0].get_xdata(), means)
    figure.savefig(tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000


def test_a_plot_is_drawn_where_there_is_no_interval_or_no_number(model, docs, tmp_path):
    found = evaluate(model, docs[:1], METHODS[0], {"mine": "deletion", "none": Endless()})
    figure = found.plot()
    assert figure.axes[0].get_title().startswith("mine\n")
    figure.savefig(tmp_path / "plot.png")


def test_what_is_not_in_the_table_is_named(table):
    with pytest.raises(LookupError, match="no method 'gradient'; it has: .*mean 'gradients'"):
        table.values("gradient", "deletion")
    with pytest.raises(LookupError, match="the table has no metric 'insertion'; it has: deletion"):
        table.values("gradients", "insertion")


# Progress


def test_a_bar_is_shown_where_it_is_asked_for(model, docs, capfd):
    evaluate(model, docs, METHODS, Odd(), progress=True)
    assert "10/10" in capfd.readouterr().err
    evaluate(model, (doc[None] for doc in docs), METHODS, Odd(), progress=True)
    assert "10explanation" in capfd.readouterr().err
    for progress in (False, None):
        evaluate(model, docs, METHODS, Odd(), progress=progress)
        assert "explanation" not in capfd.readouterr().err


# Models of several kinds


def test_a_model_of_a_picture_and_a_vector_is_measured_by_its_picture():
    keras = pytest.importorskip("keras")
    layers = keras.layers
    picture, vector = keras.Input((*SIZES, 3), name="picture"), keras.Input((2,), name="vector")
    both = layers.Concatenate()([layers.Flatten()(picture), vector])
    network = keras.Model([picture, vector], layers.Dense(CLASSES)(both))
    on_vector = np.random.default_rng(1).normal(size=(2, CLASSES))
    network.set_weights([np.concatenate([WEIGHTS.reshape(-1, CLASSES), on_vector]), BIASES])
    vectors = np.random.default_rng(2).normal(size=(COUNT, 2)).astype(np.float32)
    docs = [np.float32(DOCS), vectors]
    found = evaluate(
        network,
        docs,
        "input_x_gradient",
        [Deletion(steps=7, baseline=0.0), MaxSensitivity(samples=2), "infidelity"],
        targets=[1] * COUNT,
        batch_size=2,
    )
    alone = evaluate(
        given.given("keras").model,
        given.given("keras").docs,
        "input_x_gradient",
        [Deletion(steps=7, baseline=0.0), MaxSensitivity(samples=2), "infidelity"],
        targets=[1] * COUNT,
    )
    method = "input_x_gradient"
    np.testing.assert_allclose(
        found.values(method, "deletion"),
        # The vector stays whatever of the picture is hidden.
        alone.values(method, "deletion") + vectors @ on_vector[:, 1],
        rtol=0,
        atol=1e-4,
    )
    for name in ("max_sensitivity", "infidelity"):
        np.testing.assert_allclose(
            found.values(method, name), alone.values(method, name), rtol=0, atol=1e-4
        )
    by_name = evaluate(
        network,
        {"picture": docs[0], "vector": docs[1]},
        method,
        Deletion(steps=7, baseline=0.0),
        targets=[1] * COUNT,
    )
    np.testing.assert_allclose(
        by_name.values(method, "deletion"), found.values(method, "deletion"), atol=1e-5
    )


@pytest.mark.parametrize(
    "name",
    ["deletion", "insertion", "road_morf", "road_lerf", "infidelity", "max_sensitivity"],
)
def test_pictures_of_whole_numbers_are_changed_as_others_are(name):
    keras = pytest.importorskip("keras")
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((*SIZES, 3)),
            layers.Rescaling(1 / 64),
            layers.Flatten(),
            layers.Dense(CLASSES),
        ]
    )
    network.set_weights([WEIGHTS.reshape(-1, CLASSES), BIASES])
    docs = np.random.default_rng(0).integers(0, 256, (2, *SIZES, 3), np.uint8)
    docs[:, :3] = 0  # below which no whole number lies
    found, other = (
        evaluate(network, one, "input_x_gradient", name, targets=[0, 1])
        for one in (docs, docs.astype(np.float32))
    )
    np.testing.assert_allclose(
        found.values("input_x_gradient", name),
        other.values("input_x_gradient", name),
        rtol=1e-5,
        atol=1e-6,
    )


TWO_PICTURES = [
    Deletion(steps=4),
    Insertion(steps=4),
    MaxSensitivity(samples=2),
    ROADMostRelevantFirst(shares=(0.3, 0.6)),
    RelevanceMass(),
]


@pytest.mark.parametrize("of", ["a", "b"])
def test_of_two_pictures_it_is_that_of_the_target_that_is_changed(of):
    keras = pytest.importorskip("keras")
    layers = keras.layers
    rng = np.random.default_rng(0)
    shapes = {"a": (*SIZES, 3), "b": (4, 7, 2)}
    inputs = {name: keras.Input(shape, name=name) for name, shape in shapes.items()}
    outputs = {f"p{name}": layers.Dense(3)(layers.Flatten()(one)) for name, one in inputs.items()}
    outputs = {name: layers.Activation("tanh", name=name)(one) for name, one in outputs.items()}
    network = keras.Model(inputs, outputs)
    alone = keras.Model(inputs[of], outputs[f"p{of}"])
    docs = {n: rng.normal(size=(3, *one)).astype(np.float32) for n, one in shapes.items()}
    masks = rng.random((3, *shapes[of][:2])) < 0.5
    asked = {"methods": METHODS[0], "metrics": TWO_PICTURES, "masks": masks, "batch_size": 2}
    found = evaluate(network, docs, targets=(f"p{of}", 1), **asked)
    expected = evaluate(alone, docs[of], targets=1, **asked)
    other = {name: one if name == of else one[::-1] + 1 for name, one in docs.items()}
    same = evaluate(network, other, targets=[(f"p{of}", 1)] * 3, **asked)
    for name in found.metrics:
        values = found.values(METHODS[0], name)
        assert np.isfinite(values).all()
        np.testing.assert_allclose(values, expected.values(METHODS[0], name), atol=1e-5)
        np.testing.assert_array_equal(values, same.values(METHODS[0], name))


@pytest.mark.parametrize("of", ["a", "b"])
def test_of_two_pictures_of_a_module_it_is_that_of_the_target_too(of):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    shapes = {"a": (3, *SIZES), "b": (2, 4, 7)}
    heads = {n: torch.nn.Linear(int(np.prod(one)), 3) for n, one in shapes.items()}

    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.heads = torch.nn.ModuleDict(heads)

        def forward(self, a, b):
            pictures = {"a": a, "b": b}
            return {f"p{n}": torch.tanh(h(pictures[n].flatten(1))) for n, h in self.heads.items()}

    alone = torch.nn.Sequential(torch.nn.Flatten(), heads[of], torch.nn.Tanh()).eval()
    docs = {n: rng.normal(size=(3, *one)).astype(np.float32) for n, one in shapes.items()}
    masks = rng.random((3, *shapes[of][1:])) < 0.5
    asked = {"methods": METHODS[0], "metrics": TWO_PICTURES, "masks": masks, "batch_size": 2}
    found = evaluate(Two().eval(), docs, targets=(f"p{of}", 1), **asked)
    expected = evaluate(alone, docs[of], targets=1, **asked)
    for name in found.metrics:
        values = found.values(METHODS[0], name)
        assert np.isfinite(values).all()
        np.testing.assert_allclose(values, expected.values(METHODS[0], name), atol=1e-5)


def test_tensors_are_taken_as_arrays_are():
    torch = pytest.importorskip("torch")
    case = given.given("torch", "softmax")
    metrics = [Insertion(steps=4), AverageDrop(), RelevanceMass()]
    masks = np.ones((COUNT, *SIZES), bool)
    found, other = (
        evaluate(case.model, docs, METHODS[0], metrics, masks=masks, batch_size=2)
        for docs in (case.docs, torch.tensor(case.docs, requires_grad=True))
    )
    assert_same(found, other)


def test_a_module_keeps_its_mode_and_its_weights():
    torch = pytest.importorskip("torch")
    case = given.fresh("torch", "softmax")
    case.model.train()
    before = [one.detach().clone() for one in case.model.parameters()]
    evaluate(case.model, case.docs, METHODS, ["deletion", "parameter_randomization"])
    assert case.model.training
    for one, other in zip(before, case.model.parameters(), strict=True):
        assert torch.equal(one, other)
        assert other.grad is None
        assert other.requires_grad
