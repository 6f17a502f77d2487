"""Colours: a cluttered background, and objects that stand out from it."""

import colorsys

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from explainkit.scenes.clutter import LAYERS
from explainkit.scenes.plane import Shares, direction, pixels
from explainkit.scenes.textures import TEXTURES

Canvas = NDArray[np.float32]  # shape (3, size, size): numpy likes its long axes last
Colour = NDArray[np.float32]  # shape (3, 1, 1)


def paint_background(size: int, rng: Generator) -> Canvas:
    """Paint three to five layers of clutter."""
    canvas = np.broadcast_to(_colour(rng), (3, size, size))
    for layer in rng.choice(len(LAYERS), size=rng.integers(3, 6)):
        share = LAYERS[layer](pixels(size), rng) * rng.uniform(0.3, 1)
        canvas = _blend(canvas, _colour(rng), share)
    return canvas


def paint_object(canvas: Canvas, cover: Shares, rng: Generator) -> Canvas:
    """Paint an object in a texture of two colours that stand out from what it covers."""
    behind = (canvas * cover).sum((1, 2), keepdims=True) / cover.sum()
    colours = [_colour(rng) for _ in range(12)]
    contrast = [np.linalg.norm(colour - behind) for colour in colours]
    main = colours[np.argmax(np.minimum(contrast, 0.5))]  # the first that does, or the best
    away = float(main.mean() > behind.mean())  # to white or to black: further from behind
    second = main + np.float32(rng.uniform(0.2, 0.5)) * (away - main)
    texture = TEXTURES[rng.integers(len(TEXTURES))]
    share = texture(pixels(cover.shape[0]) * direction(rng) * rng.uniform(60, 130))
    return _blend(canvas, _blend(main, second, share), cover)


def develop(canvas: Canvas, rng: Generator) -> Image.Image:
    """Make a photograph of a canvas: with grain, in whole numbers."""
    grain = rng.standard_normal(canvas.shape, np.float32)
    noisy = canvas + np.float32(rng.uniform(0.005, 0.05)) * grain
    levels = (255 * np.clip(noisy, 0, 1)).round().astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(levels.transpose(1, 2, 0)))


def _blend(below: Canvas | Colour, above: Canvas | Colour, share: Shares) -> Canvas:
    return below + share.astype(np.float32) * (above - below)


def _colour(rng: Generator) -> Colour:
    hue, saturation, value = rng.random(), rng.uniform(0.1, 0.95), rng.uniform(0.25, 1)
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value), np.float32).reshape(3, 1, 1)
