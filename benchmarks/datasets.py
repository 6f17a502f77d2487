"""What it costs to explain many pictures and keep the explanations, over a bare loop.

The bare loop reads the same files one after the other, makes the same documents of them, and
passes them through the model in batches of the same size, compiled where the framework compiles;
it keeps nothing. `explainkit.explain_dataset` is called as anybody calls it: listing the folder,
the digest of the weights, Grad-CAM, all writing and the manifest are counted. The model is there
already, and warm, for both. They take turns, a block of pictures at a time, and medians of the
blocks are compared, so that a busy machine slows both alike. Run

    python benchmarks/datasets.py                        # 20,000 pictures, MobileNetV2
    python benchmarks/datasets.py --images 2000 --block 500 --backend native-torch --keep-memory
    python benchmarks/datasets.py --memory files         # the memory of a process of its own
    python benchmarks/datasets.py --memory pairs         # from a generator; or: overlays
    python benchmarks/datasets.py --cost --images 2000   # and what 10^9 pictures come to
    python benchmarks/datasets.py --check                # an error where a limit is exceeded

With `--cost`, `--weights mobilenet_v2_imagenet.weights.h5` makes maps as real ones are: what they
take when they are compressed depends on that.
"""

import argparse
import pickle
import platform
import shutil
import statistics
import tempfile
import threading
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import psutil
import pyarrow.parquet as pq
from backends import BACKENDS, Backend, KerasBackend
from gradcam import keep_memory
from numpy.typing import NDArray
from PIL import Image

import explainkit
from explainkit import scenes
from explainkit.datasets.items import SHARD_SIZE
from explainkit.datasets.shards import read_entries
from explainkit.datasets.sources import find_source
from explainkit.datasets.stores import find_store
from explainkit.intake import make_intake
from explainkit.pictures import picture_to_array, read_image

#: The rate must be this part of that of the bare loop; resident memory may grow by so many
#: megabytes after the first pictures.
RATE, GROWTH, FIRST = 0.85, 100.0, 1000
#: So many different pictures there are; the others are copies.
_DRAWN = 200
_MANY = 10**9
_DAY = 24 * 60 * 60
#: What is kept with maps of several sizes: the method, its options, what it is in words.
KEPT = {
    "gradcam": {},
    "gradcam, layer block_13_expand_relu": {"layer": "block_13_expand_relu"},
    "gradients": {"method": "gradients"},
}

#: Makes a document of a picture, a batch of one.
Take = Callable[[Image.Image], NDArray[np.float32]]


def write_pictures(folder: Path, count: int, pixels: int, block: int) -> list[Path]:
    """Write pictures of scenes, half of them JPEG and half PNG; give the folder of each block."""
    drawn: list[tuple[bytes, str]] = []
    file = folder / "drawn"
    for scene in scenes.draw_scenes(min(count, _DRAWN), size=pixels):
        kind = ("JPEG", "PNG")[scene.seed % 2]
        scene.image.save(file, kind)
        drawn.append((file.read_bytes(), kind.lower()))
    file.unlink()
    blocks = []
    for number in range(count):
        if number % block == 0:
            blocks.append(folder / "pictures" / f"{number // block:04d}")
            blocks[-1].mkdir(parents=True)
        data, kind = drawn[number % len(drawn)]
        (blocks[-1] / f"{number:06d}.{kind}").write_bytes(data)
    return blocks


def take_for(backend: Backend, model: Any) -> Take:
    """Make documents as the model takes them: in [-1, 1]."""
    if isinstance(backend, KerasBackend):
        return make_intake(model, "-1..1").doc
    size = backend.doc_shape(model)[1:]
    return partial(_channels_first, size=size)


def _channels_first(picture: Image.Image, size: tuple[int, int]) -> NDArray[np.float32]:
    scaled = picture_to_array(picture, size, 3) * np.float32(2 / 255) - np.float32(1)
    return np.ascontiguousarray(np.moveaxis(scaled, -1, 1))


@attrs.frozen
class Bench:
    """A model, and how it is asked.

    Attributes
    ----------
    backend : Backend
    model : estimator
    take : callable
    batch_size : int
    """

    backend: Backend
    model: Any
    take: Take
    batch_size: int

    def bare(self) -> Callable[[Path], Any]:
        """Give the bare loop over the pictures of a folder."""
        shape = self.backend.doc_shape(self.model)
        batch = np.empty((self.batch_size, *shape), np.float32)
        run = self.backend.forward_pass(self.model, batch)

        def loop(folder: Path) -> None:
            paths = sorted(folder.iterdir())
            for start in range(0, len(paths), self.batch_size):
                docs = [self.take(read_image(p)) for p in paths[start : start + self.batch_size]]
                np.concatenate(docs, out=batch[: len(docs)])
                run()

        return loop

    def explain(self, source: Any, output: Path, **options: Any) -> explainkit.datasets.Summary:
        """Explain a source, and keep the explanations."""
        asked = {"preprocess": self.take, "batch_size": self.batch_size, "progress": False}
        return explainkit.explain_dataset(self.model, source, output, **{**asked, **options})


def in_turns(bench: Bench, blocks: list[Path], rounds: int) -> tuple[float, float]:
    """Measure both on each block; give pictures a second of the bare loop and of ours."""
    bare, spent = bench.bare(), dict[str, list[float]](bare=[], ours=[])
    output = blocks[0].parents[1] / "output"
    for turn, block in enumerate([blocks[0], *blocks * rounds]):
        count = len(list(block.iterdir()))
        for name in ("bare", "ours") if turn % 2 else ("ours", "bare"):
            begun = time.perf_counter()
            if name == "bare":
                bare(block)
            else:
                found = bench.explain(block, output)
                if found.failed or found.docs != count:
                    raise SystemExit(f"not all of {block} was explained: {found}")
            if turn:  # the first is to warm up
                spent[name].append((time.perf_counter() - begun) / count)
            shutil.rmtree(output, ignore_errors=True)
    return 1 / statistics.median(spent["bare"]), 1 / statistics.median(spent["ours"])


def pairs(paths: Iterable[Path], take: Take) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Give documents one by one, as a program does that makes them."""
    for path in paths:
        yield path.name, take(read_image(path))


def memory(bench: Bench, folder: Path, what: str) -> float:
    """Explain all pictures in one call; give by how much resident memory grew, in megabytes."""
    output, process = folder / "output", psutil.Process()
    resident: list[tuple[int, float]] = []
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(0.1):
            done = SHARD_SIZE * len(list(output.glob("shards/*.parquet")))
            resident.append((done, process.memory_info().rss / 1e6))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        pictures = folder / "pictures"
        paths = sorted(pictures.rglob("*.*"))
        source = pairs(paths, bench.take) if what == "pairs" else pictures
        options = {"preprocess": None} if what == "pairs" else {}
        found = bench.explain(source, output, overlays=what == "overlays", **options)
    finally:
        stop.set()
        sampler.join()
    later = [rss for done, rss in resident if done >= FIRST]
    if not later or found.docs != len(paths):
        raise SystemExit(f"too few pictures, or not all were explained: {found}")
    growth = max(later) - later[0]
    print(
        f"{what}: {later[0]:.0f} MB after {FIRST:,} pictures, at most {max(later):.0f} MB, "
        f"{later[-1]:.0f} MB after {found.docs:,}: grown by {growth:.0f} MB"
    )
    return growth


def storage(bench: Bench, folder: Path, markdown: bool) -> None:
    """Print what rows take in files, for maps of several sizes."""
    heading = ("what", "map", "float16, B", "kept, B", "others, B", "10^9 rows, TB")
    line = (
        "| {} | {} | {:,} | {:,.0f} | {:,.0f} | {:.2f} |"
        if markdown
        else ("{:<36} {:>8} {:>10,} {:>10,.0f} {:>10,.0f} {:>14.2f}")
    )
    plain = line.replace(",.0f", "").replace(":,}", ":}").replace(".2f", "").replace(",}", "}")
    print("\n" + plain.format(*heading))
    if markdown:
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for what, options in KEPT.items():
        output = folder / "output"
        rows = bench.explain(folder / "pictures" / "0000", output, **options).rows
        files = [pq.read_metadata(file) for file in output.glob("shards/*.parquet")]
        maps = sum(_bytes_of(file, "heatmap") for file in files)
        whole = sum(file.stat().st_size for file in output.glob("shards/*.parquet"))
        height, width = read_entries(find_store(output))[0].map_shape
        raw = 2 * height * width
        each = maps / rows, (whole - maps) / rows
        print(line.format(what, f"{height}x{width}", raw, *each, whole / rows * _MANY / 1e12))
        shutil.rmtree(output)


def _bytes_of(file: pq.FileMetaData, column: str) -> int:
    """Sum what a column takes in a file."""
    return sum(
        chunk.total_compressed_size
        for group in map(file.row_group, range(file.num_row_groups))
        for chunk in map(group.column, range(file.num_columns))
        if chunk.path_in_schema.partition(".")[0] == column
    )


def planning(bench: Bench, folder: Path) -> None:
    """Print what whoever plans a run holds of each picture and shard, and how long it takes."""
    find_source(str(folder / "pictures"))  # what is loaded for the first is not held for each
    tracemalloc.start()
    begun = time.perf_counter()
    source = find_source(str(folder / "pictures"))
    seconds, (held, _) = time.perf_counter() - begun, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    count = source.count or 0
    sent = len(pickle.dumps(next(iter(source.shards(SHARD_SIZE))))) / min(count, SHARD_SIZE)
    print(
        f"\nfolder: {count:,} pictures are listed in {seconds:.2f} s, and {held / count:.0f} bytes "
        f"are held of each, {held / count * _MANY / 1e9:.0f} GB for 10^9; {sent:.0f} bytes of each "
        "are sent to a worker"
    )
    some = sorted((folder / "pictures" / "0000").iterdir())
    begun = time.perf_counter()
    for path in some:
        bench.take(read_image(path))
    seconds = time.perf_counter() - begun
    print(f"reading: one thread reads and scales {len(some) / seconds:,.0f} pictures a second")
    output = folder / "output"
    bench.explain(folder / "pictures" / "0000", output, shard_size=bench.batch_size)
    begun = time.perf_counter()
    shards = len(read_entries(find_store(output)))
    seconds = time.perf_counter() - begun
    manifest = (output / "manifest.json").stat().st_size
    shutil.rmtree(output)
    print(
        f"shards: {1000 * seconds / shards:.2f} ms for each to see that it is there, "
        f"{manifest / shards:.0f} bytes of each in the manifest"
    )


def compute(bare: float, ours: float, predictions: list[float], markdown: bool) -> None:
    """Print how long 10^9 explanations take on devices that predict so many a second."""
    ratio = ours / bare
    line = "| {} | {:,.0f} | {:,.1f} |" if markdown else "{:<28} {:>14,.0f} {:>14,.1f}"
    heading = ("| {} | {} | {} |" if markdown else "{:<28} {:>14} {:>14}").format(
        "device", "explained/s", "device days"
    )
    print(f"\n{heading}" + ("\n| --- | ---: | ---: |" if markdown else ""))
    print(line.format("this one", ours, _MANY / ours / _DAY))
    for one in predictions:
        rate = one * ratio
        print(line.format(f"predicts {one:,.0f} a second", rate, _MANY / rate / _DAY))


def main() -> None:
    """Read the arguments, write the pictures, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=tuple(BACKENDS), default="tensorflow")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--model", default="MobileNetV2")
    parser.add_argument("--weights", help="a file of weights for it (Keras only)")
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--pixels", type=int, default=96, help="the height and width of pictures")
    parser.add_argument("--block", type=int, default=2000, help="pictures between turns")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=1, help="over all pictures")
    parser.add_argument("--memory", choices=("files", "pairs", "overlays"))
    parser.add_argument("--cost", action="store_true", help="what 10^9 pictures come to, too")
    parser.add_argument("--predictions", default="", help="a second, of devices: 1000,10000")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")
    parser.add_argument("--keep-memory", action="store_true", help="as in gradcam.py")
    parser.add_argument("--check", action="store_true", help="fail where a limit is exceeded")
    asked = parser.parse_args()

    warnings.simplefilter("ignore", explainkit.ExplanationWarning)
    if asked.keep_memory:
        keep_memory()
    backend = BACKENDS[asked.backend](asked.device)
    model = backend.build(asked.model)
    if asked.weights:
        model.load_weights(asked.weights)
    bench = Bench(backend, model, take_for(backend, model), asked.batch_size)
    print(
        f"{asked.model}, {asked.images:,} pictures of {asked.pixels} x {asked.pixels} pixels, "
        f"batches of {asked.batch_size}, {backend.title}, {backend.device}: {backend.versions()}, "
        f"Python {platform.python_version()}"
    )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        blocks = write_pictures(folder, asked.images, asked.pixels, asked.block)
        if asked.memory:
            if memory(bench, folder, asked.memory) > GROWTH and asked.check:
                raise SystemExit(f"the limit is {GROWTH} MB")
            return
        bare, ours = in_turns(bench, blocks, asked.rounds)
        line = (
            "| {:.1f} | {:.1f} | {:.2f} | {} |"
            if asked.markdown
            else ("bare loop {:.1f}/s, explain_dataset {:.1f}/s, ratio {:.2f}, at least {}")
        )
        if asked.markdown:
            print("\n| bare loop, /s | `explain_dataset`, /s | ratio | at least |")
            print("| ---: | ---: | ---: | ---: |")
        print(line.format(bare, ours, ours / bare, RATE))
        if asked.cost:
            predictions = [float(one) for one in asked.predictions.split(",") if one]
            compute(bare, ours, predictions, asked.markdown)
            storage(bench, folder, asked.markdown)
            planning(bench, folder)
        if asked.check and ours / bare < RATE:
            raise SystemExit(f"the rate is {ours / bare:.2f} of the bare loop's; {RATE} is wanted")


if __name__ == "__main__":
    main()
