"""One network in closed form: the same numbers for every framework, and for numpy.

    A = tanh(conv(x) + b), shape (h, w, C);  score_k = Σ_c W_ck mean_ij(A_ijc)
    ∂score_k / ∂A_ijc = W_ck / (h w)

so what every method must find is written down here in float64, by numpy alone.
"""

import numpy as np

from explainkit.testing import Expected

SIZE, SIDE, CHANNELS, CLASSES = 9, 3, 5, 4

_rng = np.random.default_rng(5)
KERNEL = _rng.normal(size=(SIDE, SIDE, 3, CHANNELS)) / 3
BIAS = _rng.normal(size=CHANNELS) / 3
HEAD = _rng.normal(size=(CHANNELS, CLASSES))
HEAD_BIAS = _rng.normal(size=CLASSES)


def doc(seed):
    """A picture, its channels last, which no symmetry leaves as it is."""
    return np.random.default_rng(seed).normal(size=(1, SIZE, SIZE + 2, 3)).astype(np.float32)


def features(doc):
    _, height, width, _ = doc.shape
    rows, columns = height - SIDE + 1, width - SIDE + 1
    found = np.zeros((rows, columns, CHANNELS))
    for row, column in np.ndindex(rows, columns):
        patch = doc[0, row : row + SIDE, column : column + SIDE].astype(np.float64)
        found[row, column] = np.tensordot(patch, KERNEL, axes=3) + BIAS
    return np.tanh(found)


def gradcam(activations, gradients):
    return activations @ gradients.mean(axis=(0, 1))


#: What each method finds, given A and ∂score/∂A, both of shape (h, w, C).
MAPS = {"gradcam": gradcam}


def expected(method, doc, target):
    activations = features(doc)
    rows, columns, _ = activations.shape
    gradients = np.broadcast_to(HEAD[:, target] / (rows * columns), activations.shape)
    score = activations.mean(axis=(0, 1)) @ HEAD[:, target] + HEAD_BIAS[target]
    map_ = MAPS[method](activations, gradients)
    positive = np.maximum(map_, 0)
    return Expected(float(score), map_, positive / (positive.max() or 1))
