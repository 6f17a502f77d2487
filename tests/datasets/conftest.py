"""What tests of datasets share: pictures, a model of numpy alone, and how outputs are compared."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explainkit import Explanation, TargetExplanation, asking, explain_prediction
from explainkit.methods.heatmap import heatmap_of

collect_ignore_glob = []
if find_spec("pyarrow"):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from explainkit import datasets
else:  # without the extra there is nothing to test here
    collect_ignore_glob.append("test_*.py")

#: How many pictures are in the folder.
PICTURES = 24
#: What may be in the folder of a run that came to its end, beside overlays.
KEPT = ("run.json", "manifest.json", "shards/*.parquet")


class Squares:
    """Scores the colours of a picture; each square of 4 x 4 pixels has a share of it.

    It does not depend on any framework, and answers the same in all batches, bit by bit.
    """

    name = "squares"

    def __init__(self, gain=1.0):
        self.gain = gain


def squares_of(doc):
    """Average squares of 4 x 4 pixels: (H, W, C) becomes (H // 4, W // 4, C)."""
    height, width, channels = doc.shape
    return doc.reshape(height // 4, 4, width // 4, 4, channels).mean((1, 3))


@explain_prediction.register
def explain_squares(
    model: Squares, doc, *, method="gradcam", targets=None, top_targets=1, image=None, **_
):
    """Explain a document of shape (1, H, W, 3); what holds -1 fails."""
    doc = np.asarray(doc, np.float64)
    if doc.ndim != 4 or doc.shape[0] != 1 or doc.shape[3] != 3:
        raise ValueError(f"doc has the shape {doc.shape}; give (1, H, W, 3)")
    if not np.isfinite(doc).all():
        raise ValueError("doc holds NaN or infinite numbers")
    if doc.min() == -1:
        raise RuntimeError("it holds -1")
    maps = model.gain * squares_of(doc[0])
    scores = maps.mean((0, 1))
    top = np.argsort(-scores, kind="stable")[:top_targets]
    shown = top if targets is None else np.atleast_1d(targets)
    return Explanation(
        estimator=model.name,
        method=getattr(method, "spelled", method),
        description="shares of a colour",
        targets=[
            TargetExplanation(
                target=int(unit),
                label=("red", "green", "blue")[unit],
                score=float(scores[unit]),
                proba=float(scores[unit] / 2),
                heatmap=heatmap_of(np.float32(maps[..., unit])),
                map=np.float32(maps[..., unit]),
            )
            for unit in shown
        ],
        image=image,
    )


@asking.digest.register
def digest_squares(model: Squares, docs=None):
    return f"gain {model.gain}"


def load_squares():
    """Load the model, as workers do."""
    return Squares()


def as_doc(picture):
    """Make a document for `Squares` of a picture: shape (1, 16, 16, 3), in [0, 1]."""
    pixels = np.asarray(picture.convert("RGB").resize((16, 16)), np.float32)
    return pixels[None] / 255


def draw_picture(seed, size=(16, 16)):
    """Draw noise, brighter in a corner, so that its squares differ."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    pixels[: size[1] // 2, : size[0] // 2, seed % 3] |= 0xC0
    return Image.fromarray(pixels)


def draw_doc(seed):
    """Make a document as the model takes it."""
    return as_doc(draw_picture(seed))


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """A folder of small pictures, some of them in folders in it; not to be written to."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(PICTURES):
        path = folder / ("cats" if seed % 3 else ".") / f"{seed:03d}.png"
        path.parent.mkdir(exist_ok=True)
        draw_picture(seed).save(path)
    return folder


def explain(source, output, **options):
    """Explain pictures by the small model, quietly, in shards of five."""
    usual = {"preprocess": as_doc, "batch_size": 4, "shard_size": 5, "progress": False}
    return datasets.explain_dataset(load_squares, source, output, **{**usual, **options})


def rows_of(output) -> "pa.Table":
    """Read all rows of an output, as any program may, in the order of keys and targets."""
    files = sorted(Path(output, "shards").glob("*.parquet"))
    table = pa.concat_tables([pq.read_table(file).replace_schema_metadata() for file in files])
    return table.sort_by([("key", "ascending"), ("rank", "ascending")]).combine_chunks()


def assert_same_rows(one, other, but=()):
    """Compare rows in all columns, numbers bit by bit; `but` names columns that may differ."""
    one, other = rows_of(one), rows_of(other)
    assert one.schema == other.schema
    assert one.num_rows == other.num_rows
    assert one["key"].to_pylist() == other["key"].to_pylist()
    for name in set(one.schema.names) - set(but):
        assert bits_of(one[name]) == bits_of(other[name]), name


def bits_of(column):
    """Give values that are equal where all bits are: numbers as what they are made of."""
    if pa.types.is_fixed_size_list(column.type) and pa.types.is_float16(column.type.value_type):
        return [None if one is None else np.float16(one).tobytes() for one in column.to_pylist()]
    return [one.hex() if isinstance(one, float) else one for one in column.to_pylist()]


def files_in(folder) -> set[str]:
    """List all files in a folder, at any depth, hidden ones too."""
    return {
        str(path.relative_to(folder))
        for path in Path(folder).rglob("*")
        if path.is_symlink() or not path.is_dir()
    }


def left_over(output) -> set[str]:
    """List what is in an output and is no part of one, such as files half written."""
    return {
        name
        for name in files_in(output)
        if not any(Path(name).match(kept) for kept in KEPT) and not name.startswith("overlays/")
    }
