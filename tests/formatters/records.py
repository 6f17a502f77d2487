"""Random explanations: of all dtypes, shapes, modes of pictures and texts."""

import attrs
import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageMode

from explainkit.explanation import Explanation, TargetExplanation

DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]
MODES = [
    *("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "LA", "PA"),
    *("RGBX", "RGBa", "La", "I;16", "I;16L", "I;16B"),
]
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "</body></html>",
    "\"'`&amp;\\u003c\\",
    "\x1b[31mred\x1b]0;title\x07",
    "line\r\nbreak\u2028and\x85more\0",
    "[red]markup[/red] {{ 7 * 7 }} {% raise %}",
    "\u202eright to left\u202c שלום مرحبا",
    "👨\u200d👩\u200d👧 🐶 猫",
    "=cmd|' /C calc'!A0",
]
texts = st.sampled_from(HOSTILE) | st.text(max_size=8)
finite = st.floats(allow_nan=False, allow_infinity=False)
units = st.integers(-(2**63), 2**63 - 1)
target_names = units | st.tuples(texts, units) | texts


@st.composite
def arrays(draw, **asked):
    dtype = np.dtype(draw(st.sampled_from(DTYPES))).newbyteorder(draw(st.sampled_from("<>")))
    shape = asked.get("shape", hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
    numbers = {"allow_nan": False, "allow_infinity": False} if dtype.kind == "f" else {}
    return draw(hnp.arrays(dtype, shape, elements=hnp.from_dtype(dtype, **numbers)))


def transparencies(mode):
    """What says which pixels are transparent, where Pillow has such a thing in the mode."""
    colours, opacities = st.tuples(*[st.integers(0, 255)] * 3), st.binary(max_size=256)
    if mode in ("P", "PA"):
        return st.integers(0, 255) | opacities
    if mode == "RGB":
        return colours
    greys = st.integers(0, 2**16 - 1)
    # Pictures of several bands keep what those said that they were made of.
    return greys if len(ImageMode.getmode(mode).bands) == 1 else greys | colours | opacities


@st.composite
def pictures(draw, modes=MODES):
    mode = draw(st.sampled_from(modes))
    size = width, height = draw(st.tuples(st.integers(1, 9), st.integers(1, 3)))
    described = ImageMode.getmode(mode)
    row = width * len(described.bands) * np.dtype(described.typestr).itemsize
    count = height * ((width + 7) // 8 if mode == "1" else row)
    picture = Image.frombytes(mode, size, draw(st.binary(min_size=count, max_size=count)))
    if mode in ("P", "PA"):
        colours = draw(st.sampled_from(["RGB", "RGBA"]))
        picture.putpalette(draw(st.binary(min_size=12, max_size=12)), colours)
    if draw(st.booleans()):
        picture.info["transparency"] = draw(transparencies(mode))
    return picture


targets = st.builds(
    TargetExplanation,
    target=target_names,
    label=st.none() | texts,
    score=finite,
    proba=st.none() | finite,
    heatmap=arrays(),
    map=arrays(),
)
explanations = st.builds(
    Explanation,
    estimator=texts,
    method=texts,
    layer=st.none() | texts,
    description=texts,
    is_regression=st.booleans(),
    targets=st.lists(targets, max_size=2),
    image=st.none() | pictures(),
    error=st.none() | texts,
)

_heat = hnp.arrays(np.float32, (2, 3), elements=st.floats(0, 1, width=32))
#: Such as can be drawn over a picture.
drawable = st.builds(
    lambda expl, heat, image: attrs.evolve(
        expl,
        targets=[attrs.evolve(one, heatmap=heat, map=-heat) for one in expl.targets],
        image=image,
        error=None,
    ),
    st.builds(
        Explanation,
        estimator=texts,
        method=texts,
        targets=st.lists(targets, min_size=1, max_size=2),
    ),
    _heat,
    pictures([mode for mode in MODES if mode != "La"]),  # which Pillow turns into no other
)


def kept_dtypes(expl, again):
    """Say whether the arrays have the same dtypes, but for the order of bytes."""
    return all(
        getattr(one, name).dtype.newbyteorder("=") == getattr(other, name).dtype
        for one, other in zip(expl.targets, again.targets, strict=True)
        for name in ("heatmap", "map")
    )
