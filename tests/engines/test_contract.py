"""What every engine promises. Nothing here knows a framework.

The model is a function whose derivatives are known in closed form: with a
document x of shape (P, C) and weights w of shape (K, P, C),

    hidden = x², tapped;    score_k = Σ_pc w_kpc hidden_pc³
    ∂score_k / ∂hidden = 3 w_k hidden²
"""

import threading

import numpy as np
import pytest

from explainkit.engines.base import UnreachableTapError

N, P, C = 4, 5, 3


def make(count, seed=0):
    rng = np.random.default_rng(seed)
    docs = rng.normal(size=(N, P, C)).astype(np.float32)
    weights = rng.normal(size=(count, P, C)).astype(np.float32)
    return docs, weights


def cubic(engine, weights):
    """Run the model above, with taps at "input" and "hidden"."""

    def run_on(docs):
        def run(tap):
            x = tap("input", docs)
            hidden = tap("hidden", x * x)
            cubes = hidden * hidden * hidden
            scores = engine.xp.einsum("npc,kpc->nk", cubes, engine.xp.asarray(weights))
            return scores, hidden

        return run

    return run_on


@pytest.mark.parametrize("count", [1, 2, 7])
def test_pull_back_gives_each_scores_own_derivative(engine, count):
    docs, weights = make(count)
    run_on = cubic(engine, weights)

    def program(state, docs):
        pulled = engine.pull_back(run_on(docs))
        gradients, activations = pulled.gradients, pulled.activations
        return pulled.scores, pulled.kept, activations["hidden"], gradients["hidden"]

    scores, kept, activations, gradients = engine.compile(program, (), docs)((), docs)

    hidden = docs.astype(np.float64) ** 2
    np.testing.assert_allclose(scores, np.einsum("npc,kpc->nk", hidden**3, weights), rtol=1e-4)
    np.testing.assert_allclose(activations, hidden, rtol=1e-5)
    np.testing.assert_array_equal(kept, activations)
    assert gradients.shape == (N, count, P, C)
    np.testing.assert_allclose(gradients, 3 * weights * hidden[:, None] ** 2, rtol=1e-4)


@pytest.mark.parametrize("count", [1, 3])
def test_the_gradient_at_a_tap_is_total_along_all_paths_behind_it(engine, count):
    # An earlier tap's gradient is cut by a later tap in no engine: ∂/∂x = 6 w x⁵.
    docs, weights = make(count)
    run_on = cubic(engine, weights)

    def program(state, docs):
        return engine.pull_back(run_on(docs)).gradients["input"]

    gradients = engine.compile(program, (), docs)((), docs)
    expected = 6 * weights * docs[:, None].astype(np.float64) ** 5
    np.testing.assert_allclose(gradients, expected, rtol=1e-4, atol=1e-5)


def test_gradients_agree_with_finite_differences(engine):
    docs, weights = make(2)
    docs, weights = docs.astype(np.float64), weights.astype(np.float64)
    run_on = cubic(engine, weights)
    step = 1e-6

    def program(state, docs):
        return engine.pull_back(run_on(docs)).gradients["input"]

    def scores(docs):
        return np.einsum("npc,kpc->nk", docs**6, weights)

    gradients = engine.compile(program, (), docs)((), docs)
    for p, c in np.ndindex(P, C):
        bump = np.zeros((P, C))
        bump[p, c] = step
        slope = (scores(docs + bump) - scores(docs - bump)) / (2 * step)
        np.testing.assert_allclose(gradients[:, :, p, c], slope, rtol=1e-4, atol=1e-6)


def test_documents_do_not_influence_each_other(engine):
    docs, weights = make(3)
    run_on = cubic(engine, weights)
    program = engine.compile(lambda _, d: engine.pull_back(run_on(d)).gradients["hidden"], (), docs)
    together = program((), docs)
    for i in range(N):
        np.testing.assert_allclose(program((), docs[i : i + 1])[0], together[i], rtol=1e-6)


@pytest.mark.parametrize("count", [1, 3])
def test_a_tap_that_no_score_depends_on_is_an_error(engine, count):
    docs, weights = make(count)

    def program(state, docs):
        def run(tap):
            tap("aside", docs + 1)
            used = tap("used", docs)
            return engine.xp.einsum("npc,kpc->nk", used, engine.xp.asarray(weights)), None

        return engine.pull_back(run).scores

    with pytest.raises(UnreachableTapError) as raised:
        engine.compile(program, (), docs)((), docs)
    assert raised.value.places == ("aside",)


def test_run_on_goes_on_with_the_replacement_and_needs_nothing_before_it(engine):
    docs, weights = make(2)
    run_on = cubic(engine, weights)
    replacement = np.full((N, P, C), 2, np.float32)

    def program(state, docs, replacement):
        return engine.run_on(run_on(docs), {"hidden": replacement})[0]

    # The document does not matter, even where its own numbers would spoil the score.
    docs[0] = np.nan
    scores = engine.compile(program, (), docs, replacement)((), docs, replacement)
    np.testing.assert_allclose(scores, np.tile(8 * weights.sum((1, 2)), (N, 1)), rtol=1e-4)


def test_a_compiled_program_is_not_traced_again_when_only_the_docs_change(engine):
    if not engine.compiles:
        pytest.skip(f"{engine.name} runs programs as they are")
    docs, weights = make(2)
    traces = []

    def program(state, docs):
        traces.append(docs.shape)
        return engine.pull_back(cubic(engine, weights)(docs)).scores

    compiled = engine.compile(program, (), docs)
    compiled((), docs)
    count = len(traces)
    for batch in (docs + 1, docs * 2):
        compiled((), batch)
    assert len(traces) == count


def test_a_compiled_program_takes_any_number_of_docs(engine):
    docs, weights = make(2)
    compiled = engine.compile(
        lambda _, d: engine.pull_back(cubic(engine, weights)(d)).scores, (), docs
    )
    for batch in (docs, docs[:1], np.concatenate([docs, docs])):
        expected = np.einsum("npc,kpc->nk", batch.astype(np.float64) ** 6, weights)
        np.testing.assert_allclose(compiled((), batch), expected, rtol=1e-4)


def test_the_state_may_change_between_calls(engine):
    docs, weights = make(2)

    def program(state, docs):
        return engine.xp.einsum("npc,kpc->nk", docs, state[0])

    compiled = engine.compile(program, (weights,), docs)
    for now in (weights, weights + 1):
        expected = np.einsum("npc,kpc->nk", docs, now)
        np.testing.assert_allclose(compiled((now,), docs), expected, rtol=1e-4, atol=1e-5)


def test_the_flow_through_a_program_is_told(engine):
    docs, _ = make(1)

    def program(state, one, other):
        left, right = one * 2, other * 3
        both = left + right
        dead_end = left + 1
        tensors, outputs = [left, right, both, dead_end], [both * 2, right - 1]
        flows = engine.flow([one, other], tensors, outputs)
        return [(set(flow.sources), set(flow.sinks)) for flow in flows]

    assert engine.trace(program, (), docs, docs) == [
        ({0}, {0}),
        ({1}, {0, 1}),
        ({0, 1}, {0}),
        ({0}, set()),
    ]


def test_results_are_numpys_and_none_stays_none(engine):
    docs, _ = make(1)
    plain, nothing = engine.compile(lambda _, docs: (docs * 2, None), (), docs)((), docs)
    assert type(plain) is np.ndarray
    assert nothing is None


def test_docs_may_be_nested(engine):
    docs, _ = make(1)
    arguments = {"a": docs, "b": docs[:, :, 0]}
    summed = engine.compile(lambda _, d: engine.xp.sum(d["a"], axis=2) + d["b"], (), arguments)(
        (), arguments
    )
    np.testing.assert_allclose(summed, docs.sum(2) + docs[:, :, 0], rtol=1e-5)


def test_nested_docs_keep_their_order_in_a_trace(engine):
    docs, _ = make(1)
    arguments = {"b": docs, "a": [docs[:, 0], docs[:, 0, 0]]}
    told = engine.trace(lambda _, d: (list(d), [x.ndim for x in d["a"]]), (), arguments)
    assert told == (["b", "a"], [2, 1])


def test_trace_says_what_the_program_says_and_computes_nothing(engine):
    class Unmade:
        shape = (None, P, C)
        dtype = "float32"

    seen = engine.trace(
        lambda _, docs: (tuple(docs.shape[1:]), engine.is_tappable(docs)), (), Unmade()
    )
    assert seen == ((P, C), True)


def test_a_cast_or_reshaped_tensor_has_its_original(engine):
    docs, _ = make(1)

    def program(state, docs):
        made = docs * 2
        handed_on = engine.xp.reshape(made, (-1, C * P))
        found = engine.originals(handed_on)
        return found[0] is handed_on, any(one is made for one in found)

    assert engine.trace(program, (), docs) == (True, True)


def test_real_numbers_are_told_from_others(engine):
    docs, _ = make(1)
    whole = np.ones((N, 2), np.int32)

    def program(state, docs, whole):
        return [engine.is_floating(one) for one in (docs, whole, None, [docs], "docs")]

    assert engine.trace(program, (), docs, whole) == [True, False, False, False, False]


def test_lists_are_not_tappable(engine):
    docs, _ = make(1)
    assert engine.trace(lambda _, docs: engine.is_tappable([docs]), (), docs) is False


def test_half_precision_is_widened_and_double_is_kept(engine):
    # JAX has no double precision unless it is switched on for the whole process.
    double = "float32" if engine.name == "jax" else "float64"
    for given, wanted in (("float16", "float32"), ("float32", "float32"), ("float64", double)):
        docs = np.ones((2, 3), given)
        assert engine.compile(lambda _, d: engine.widen(d), (), docs)((), docs).dtype == wanted


def test_the_namespace_agrees_with_numpy(engine):
    docs, _ = make(1)
    indices = np.tile(np.array([2, 0], np.int32), (N, 1))

    def calls(xp, docs, indices):
        flat = xp.sum(docs, axis=1)
        return (
            xp.mean(docs, axis=(1, 2)),
            xp.max(xp.abs(docs), axis=(1, 2), keepdims=True),
            xp.where(docs > 0, docs, xp.zeros_like(docs)),
            xp.concatenate([docs, xp.ones_like(docs)], axis=1),
            xp.stack([docs, docs], axis=0),
            xp.transpose(docs, [0, 2, 1]),
            xp.einsum("nkc,n...c->nk...", docs, docs[:, None]),
            xp.take_along_axis(flat, indices, axis=1),
            xp.argsort(flat, axis=1),
            xp.asarray(np.eye(3, dtype=np.float32)),
            xp.exp(docs),
        )

    compiled = engine.compile(lambda _, d, i: calls(engine.xp, d, i), (), docs, indices)
    for got, wanted in zip(compiled((), docs, indices), calls(np, docs, indices), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


def test_threads_share_a_compiled_program(engine):
    docs, weights = make(3)
    program = engine.compile(
        lambda _, d: engine.pull_back(cubic(engine, weights)(d)).gradients["hidden"], (), docs
    )
    results = [None] * 8

    def work(i):
        results[i] = [program((), docs * (i + 1)) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, found in enumerate(results):
        for gradients in found:
            np.testing.assert_array_equal(gradients, program((), docs * (i + 1)))


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "sigmoid"])
@pytest.mark.parametrize("around", ["nothing", "a cast and a reshape"])
def test_the_tensor_before_a_final_activation_is_found(engine, name, around):
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != engine.name:
        pytest.skip(f"Keras runs on {keras.backend.backend()}, whose operations are needed here")
    logits = np.random.default_rng(0).normal(size=(N, 6)).astype(np.float32)

    def program(state, logits):
        with engine.watching():
            output = getattr(keras.ops, name)(logits * 2)
            if around != "nothing":
                output = keras.ops.cast(keras.ops.reshape(output, (-1, 6)), "float16")
            before, found = engine.before_activation(output)
        assert found == name
        return before

    np.testing.assert_allclose(
        engine.compile(program, (), logits)((), logits), logits * 2, rtol=1e-6
    )


def test_an_output_without_a_final_activation_is_its_own_score(engine):
    docs, _ = make(1)

    def program(state, docs):
        output = docs * 2
        before, name = engine.before_activation(output)
        assert name is None
        assert before is output
        return before

    engine.compile(program, (), docs)((), docs)
