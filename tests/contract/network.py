"""One network in closed form: the same numbers for every framework, and for numpy.

    z = conv(x) + b, shape (h, w, C);  A = relu(z);  score_k = Σ_c W_ck mean_ij(A_ijc) + B_k
    ∂score_k / ∂A_ijc = W_ck / (h w)

so what every method must find is written down here in float64, by numpy alone: from the
definitions, in loops where that is plainer, and by nothing that the package works with.
"""

import numpy as np
from PIL import Image

from explainkit.testing import Expected

SIZE, SIDE, CHANNELS, CLASSES = 9, 3, 5, 4

_rng = np.random.default_rng(5)
KERNEL = _rng.normal(size=(SIDE, SIDE, 3, CHANNELS)) / 3
BIAS = _rng.normal(size=CHANNELS) / 3
HEAD = _rng.normal(size=(CHANNELS, CLASSES))
HEAD_BIAS = _rng.normal(size=CLASSES)

#: Few variants, so that tests are quick, and of numbers that no batch size divides.
OPTIONS = {
    "integrated_gradients": {"steps": 7},
    "smoothgrad": {"samples": 5, "noise": 0.2, "seed": 1},
    "vargrad": {"samples": 5, "noise": 0.2, "seed": 1},
    "occlusion": {"patch": 4, "stride": 2},
    "rise": {"masks": 21, "cells": 3, "visible": 0.4, "seed": 2},
    "tta(smooth(gradcam))": {"samples": 3, "noise": 0.3, "seed": 3},
}


def doc(seed):
    """A picture, its channels last, which no symmetry leaves as it is."""
    return np.random.default_rng(seed).normal(size=(1, SIZE, SIZE + 2, 3)).astype(np.float32)


# The network, of a picture x, shape (H, W, 3)


def sums(x):
    """What the convolution gives, before the relu."""
    rows, columns = x.shape[0] - SIDE + 1, x.shape[1] - SIDE + 1
    found = np.zeros((rows, columns, CHANNELS))
    for row, column in np.ndindex(rows, columns):
        patch = x[row : row + SIDE, column : column + SIDE]
        found[row, column] = np.tensordot(patch, KERNEL, axes=3) + BIAS
    return found


def features(x):
    return np.maximum(sums(x), 0)


def behind(activations):
    """The scores that the head gives."""
    return activations.mean(axis=(0, 1)) @ HEAD + HEAD_BIAS


def scores(x):
    return behind(features(x))


# Its gradients


def at_features(x, target):
    """∂score / ∂A."""
    activations = features(x)
    rows, columns, _ = activations.shape
    return np.broadcast_to(HEAD[:, target] / (rows * columns), activations.shape)


def spread_back(on_sums, shape):
    """Pull what is found at the sums back to the picture: each sum saw a patch of it."""
    found = np.zeros(shape)
    for row, column, channel in np.ndindex(on_sums.shape):
        patch = on_sums[row, column, channel] * KERNEL[..., channel]
        found[row : row + SIDE, column : column + SIDE] += patch
    return found


def at_sums(x, target):
    return np.where(sums(x) > 0, at_features(x, target), 0)


def gradient(x, target):
    return spread_back(at_sums(x, target), x.shape)


def guided_gradient(x, target):
    """It passes where the relu is active and the gradient that comes back is positive."""
    back = at_features(x, target)
    return spread_back(np.where((sums(x) > 0) & (back > 0), back, 0), x.shape)


def deconvnet_gradient(x, target):
    """It passes where the gradient that comes back is positive."""
    back = at_features(x, target)
    return spread_back(np.where(back > 0, back, 0), x.shape)


# Pictures and maps


def scaled(array):
    """Bring numbers to [0, 1], all of them alike; equal ones to 0."""
    spread = array.max() - array.min()
    return (array - array.min()) / spread if spread else np.zeros_like(array)


def enlarged(map_, like):
    """Bring a map to the size of a picture, bilinearly, as Pillow does: pixels are areas."""
    image = Image.fromarray(map_.astype(np.float32))
    wanted = (like.shape[1], like.shape[0])
    return np.asarray(image.resize(wanted, Image.Resampling.BILINEAR), np.float64)


def noisy(x, samples, noise, seed):
    drawn = np.random.default_rng(seed).standard_normal((samples, *x.shape), np.float32)
    return [x + noise * (x.max() - x.min()) * one for one in drawn]


# The methods, each of a picture and a target


def weighted(x, weights):
    return sum(weights[k] * features(x)[..., k] for k in range(CHANNELS))


def cam(x, target):
    return weighted(x, HEAD[:, target])


def gradcam(x, target):
    return weighted(x, at_features(x, target).mean(axis=(0, 1)))


def gradcampp(x, target):
    activations, gradients = features(x), at_features(x, target)
    weights = np.zeros(CHANNELS)
    for row, column, k in np.ndindex(gradients.shape):
        g, total = gradients[row, column, k], activations[..., k].sum()
        if g > 0:
            weights[k] += g**2 / (2 * g**2 + total * g**3) * g
    return weighted(x, weights)


def hirescam(x, target):
    return (at_features(x, target) * features(x)).sum(axis=2)


def layercam(x, target):
    return (np.maximum(at_features(x, target), 0) * features(x)).sum(axis=2)


def xgradcam(x, target):
    activations, gradients = features(x), at_features(x, target)
    totals = [activations[..., k].sum() for k in range(CHANNELS)]
    products = [(gradients[..., k] * activations[..., k]).sum() for k in range(CHANNELS)]
    return weighted(x, [p / t if t else 0 for p, t in zip(products, totals, strict=True)])


def eigencam(x, target):
    activations = features(x)
    cells = activations.reshape(-1, CHANNELS)
    _, _, vectors = np.linalg.svd(cells)
    projection = cells @ vectors[0]
    sign = -1 if np.corrcoef(projection, cells.sum(axis=1))[0, 1] < 0 else 1
    return sign * projection.reshape(activations.shape[:2])


def scorecam(x, target):
    nothing = scores(np.zeros_like(x))[target]
    masks = [enlarged(scaled(features(x)[..., k]), x) for k in range(CHANNELS)]
    powers = np.exp([scores(x * mask[..., None])[target] - nothing for mask in masks])
    return weighted(x, powers / powers.sum())


def ablationcam(x, target):
    activations = features(x)
    whole = behind(activations)[target]
    weights = []
    for k in range(CHANNELS):
        without = activations.copy()
        without[..., k] = 0
        weights.append((whole - behind(without)[target]) / abs(whole))
    return weighted(x, weights)


def gradients(x, target):
    return gradient(x, target).sum(axis=2)


def input_x_gradient(x, target):
    return (x * gradient(x, target)).sum(axis=2)


def smoothgrad(x, target, **options):
    return np.mean([gradients(one, target) for one in noisy(x, **options)], axis=0)


def vargrad(x, target, **options):
    found = [gradient(one, target) for one in noisy(x, **options)]
    return np.var(found, axis=0).sum(axis=2)


def integrated_gradients(x, target, steps):
    middles = [(step + 0.5) / steps for step in range(steps)]
    mean = np.mean([gradient(middle * x, target) for middle in middles], axis=0)
    return (x * mean).sum(axis=2)


def guided_backprop(x, target):
    return guided_gradient(x, target).sum(axis=2)


def deconvnet(x, target):
    return deconvnet_gradient(x, target).sum(axis=2)


def guided_gradcam(x, target):
    return guided_backprop(x, target) * enlarged(np.maximum(gradcam(x, target), 0), x)


def fullgrad(x, target):
    """The biases of the head have no place in the picture, and no part in the map."""
    total = scaled(np.abs(x * gradient(x, target))).sum(axis=2)
    at_biases = scaled(np.abs(BIAS * at_sums(x, target)))
    return total + sum(enlarged(at_biases[..., k], x) for k in range(CHANNELS))


def occlusion(x, target, patch, stride):
    whole, colour = scores(x)[target], x.mean(axis=(0, 1))
    drops, covers = np.zeros(x.shape[:2]), np.zeros(x.shape[:2])
    # The last patch of an axis ends with it, however near that is to the one before.
    tops, lefts = (sorted({*range(0, size - patch, stride), size - patch}) for size in x.shape[:2])
    for top in tops:
        for left in lefts:
            hidden = x.copy()
            hidden[top : top + patch, left : left + patch] = colour
            drops[top : top + patch, left : left + patch] += whole - scores(hidden)[target]
            covers[top : top + patch, left : left + patch] += 1
    return drops / covers


def rise(x, target, masks, cells, visible, seed):
    rng = np.random.default_rng(seed)
    grids = rng.random((masks, cells + 1, cells + 1)) < visible
    shifts = [rng.random(masks), rng.random(masks)]
    drawn = []
    for i in range(masks):
        mask = np.zeros(x.shape[:2])
        for row, column in np.ndindex(mask.shape):
            down, right = (
                min(max((at + 0.5) * cells / size - 0.5 + shift[i], 0), cells)
                for at, size, shift in zip((row, column), mask.shape, shifts, strict=True)
            )
            mask[row, column] = between(grids[i], down, right)
        drawn.append(mask)
    found = [scores(x * mask[..., None])[target] for mask in drawn]
    above = found - np.mean(found)
    return sum(one * mask for one, mask in zip(above, drawn, strict=True)) / (masks * visible)


def between(grid, down, right):
    """What a grid has between its four nearest points."""
    row, column = (min(int(at), len(grid) - 2) for at in (down, right))
    low, far = down - row, right - column
    above = (1 - far) * grid[row, column] + far * grid[row, column + 1]
    below = (1 - far) * grid[row + 1, column] + far * grid[row + 1, column + 1]
    return (1 - low) * above + low * below


def smooth_gradcam(x, target, **options):
    return np.mean([gradcam(one, target) for one in noisy(x, **options)], axis=0)


def tta_smooth_gradcam(x, target, **options):
    flipped = smooth_gradcam(x[:, ::-1], target, **options)[:, ::-1]
    return (smooth_gradcam(x, target, **options) + flipped) / 2


#: What each method finds.
MAPS = {
    "cam": cam,
    "gradcam": gradcam,
    "gradcam++": gradcampp,
    "hirescam": hirescam,
    "layercam": layercam,
    "xgradcam": xgradcam,
    "eigencam": eigencam,
    "scorecam": scorecam,
    "ablationcam": ablationcam,
    "gradients": gradients,
    "input_x_gradient": input_x_gradient,
    "smoothgrad": smoothgrad,
    "vargrad": vargrad,
    "integrated_gradients": integrated_gradients,
    "guided_backprop": guided_backprop,
    "deconvnet": deconvnet,
    "guided_gradcam": guided_gradcam,
    "fullgrad": fullgrad,
    "occlusion": occlusion,
    "rise": rise,
    "tta(smooth(gradcam))": tta_smooth_gradcam,
}


def expected(method, doc, target):
    x = doc[0].astype(np.float64)
    map_ = MAPS[method](x, target, **OPTIONS.get(method, {}))
    positive = np.maximum(map_, 0)
    return Expected(float(scores(x)[target]), map_, positive / (positive.max() or 1))
