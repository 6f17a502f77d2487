"""What is TensorFlow's own: graphs within graphs, somebody's tape, eager mode."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from explainkit.engines.tensorflow import TensorFlowEngine  # noqa: E402 - needs TensorFlow

DOCS = np.ones((2, 3), np.float32)


@pytest.fixture
def engine():
    return TensorFlowEngine()


def compiled(engine, traces=None):
    def program(_, docs):
        if traces is not None:
            traces.append(1)
        pulled = engine.pull_back(lambda tap: (tap("x", docs) ** 2, None))
        return pulled.gradients["x"]

    return engine.compile(program, (), DOCS)


def test_another_number_of_docs_traces_nothing(engine):
    traces = []
    run = compiled(engine, traces)
    for count in (1, 2, 5):
        run((), np.ones((count, 3), np.float32))
    assert len(traces) == 1


def test_what_is_inside_a_loop_a_branch_or_a_function_is_not_tappable(engine):
    found = []

    def note(x):
        found.append(engine.is_tappable(x * 2))
        return x * 2

    def program(_, docs):
        tf.function(note)(docs)
        tf.while_loop(lambda x: tf.reduce_sum(x) < 9, lambda x: [note(x)], [docs])
        tf.cond(tf.reduce_sum(docs) > 0, lambda: note(docs), lambda: docs)
        tf.map_fn(note, docs)
        return engine.is_tappable(docs * 2)

    assert engine.trace(program, (), DOCS) is True
    assert found
    assert not any(found)


def test_somebodys_tape_records_nothing(engine):
    docs = np.ones((1, 4, 4, 1), np.float32)

    def program(_, docs):
        def run(tap):
            larger = tf.image.resize(tap("x", docs), (8, 8), "bicubic")
            return tf.reduce_sum(larger, axis=(1, 2)), None

        return engine.pull_back(run).gradients["x"]

    # This pull-back has no derivative of its own, so that a tape that saw it would fail.
    run = engine.compile(program, (), docs)
    with tf.GradientTape() as tape:
        x = tf.Variable(docs)
        y = tf.reduce_sum(x * x)
        run((), x)
    np.testing.assert_allclose(tape.gradient(y, x), 2 * docs)


def test_inside_somebodys_function_and_in_eager_mode_it_runs_all_the_same(engine):
    expected = compiled(engine)((), DOCS)

    @tf.function
    def theirs(x):
        np.testing.assert_array_equal(compiled(engine)((), DOCS), expected)
        return x + 1

    theirs(tf.constant(1.0))
    tf.config.run_functions_eagerly(True)
    try:
        np.testing.assert_array_equal(compiled(engine)((), DOCS), expected)
    finally:
        tf.config.run_functions_eagerly(False)
