import subprocess
import sys

import numpy as np
import pytest

from explainkit.scenes import KINDS, as_docs, build_network, draw_scene, load_network
from explainkit.scenes.network import WEIGHTS


@pytest.fixture(scope="module")
def network():
    pytest.importorskip("keras")
    return load_network()


def test_scenes_come_without_a_framework():
    script = (
        "import sys, explainkit.scenes\n"
        "print({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert answer.stdout.strip() == "set()"


def test_the_weights_are_small():
    assert len(WEIGHTS.read_bytes()) <= 1_000_000


def test_it_is_what_it_says(network):
    kinds_of_layer = {type(layer).__name__ for layer in network.layers}
    assert {"BatchNormalization", "Add", "GlobalMaxPooling2D"} <= kinds_of_layer
    assert network.name == "scenes"
    assert network.input_shape == (None, 96, 96, 3)
    assert network.output_shape == (None, len(KINDS))
    *_, spatial, _, _ = network.layers
    assert spatial.output.shape == (None, 12, 12, 128)


def test_every_label_is_right_on_97_of_100_unseen_scenes(network, scenes):
    predicted = network.predict(as_docs(scenes), verbose=0) > 0.5
    present = np.array([np.isin(KINDS, [x.kind for x in scene.objects]) for scene in scenes])
    right = dict(zip(KINDS, (predicted == present).mean(0), strict=True))
    assert {kind: share for kind, share in right.items() if share < 0.97} == {}


def test_a_fresh_network_has_not_learnt_anything(network):
    doc = draw_scene(0).doc
    known, fresh = (net.predict(doc, verbose=0) for net in (network, build_network()))
    assert known.max() > 0.9
    assert fresh.max() < 0.9
