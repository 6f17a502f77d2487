"""Runs on a real Ray, of this machine: rows equal to those of the local engine."""

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("ray")

import pyarrow as pa
import pyarrow.parquet as pq
import ray

from explainkit import datasets
from explainkit.datasets import TooManyErrorsError, ray_cluster
from explainkit.datasets.ray_cluster import Cluster
from tests.datasets.conftest import (
    PICTURES,
    Squares,
    as_doc,
    assert_same_rows,
    draw_doc,
    draw_picture,
    explain,
    left_over,
    load_squares,
    rows_of,
)
from tests.datasets.one_ray import ENVIRONMENT, ROOT, alone, without_address

pytestmark = pytest.mark.slow

CPUS = 2


@pytest.fixture(scope="module")
def started():
    with without_address():
        with alone():
            ray.init(
                num_cpus=CPUS,
                num_gpus=1,
                include_dashboard=False,
                log_to_driver=False,
                runtime_env=ENVIRONMENT,
            )
        yield
        ray.shutdown()


@pytest.fixture
def cluster(started):
    """Ray, on two CPUs and what it takes for a GPU."""
    with alone():
        yield


def explain_on_ray(source, output, model=load_squares, **options):
    usual = {"preprocess": as_doc, "batch_size": 4, "shard_size": 5, "progress": False}
    usual["engine"] = "ray"
    return datasets.explain_dataset(model, source, output, **{**usual, **options})


def sign(folder, what=""):
    """Load the model, and leave a file of each time that this is done, and by which process."""
    path = Path(folder, f"{os.getpid()}-{time.monotonic_ns()}")
    path.write_text(str(what() if callable(what) else what))
    return Squares()


def signatures(folder):
    return {path.name: path.read_text() for path in Path(folder).iterdir()}


def wait_until_free():
    """Wait until no worker takes anything of the cluster: none is left over."""
    for _ in range(600):
        if ray.available_resources().get("CPU") == CPUS:
            return
        time.sleep(0.05)
    raise AssertionError(f"of {CPUS} CPUs only {ray.available_resources().get('CPU')} are free")


@pytest.mark.parametrize("workers", [2, (1, 2)])
def test_rows_are_those_of_the_local_engine(cluster, pictures, tmp_path, workers):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    source = [*map(str, sorted(pictures.rglob("*.png"))), str(broken)]
    one, other = tmp_path / "ray", tmp_path / "local"
    summary = explain_on_ray(source, one, workers=workers, overlays=True, threads=3)
    assert (summary.docs, summary.failed) == (PICTURES + 1, 1)
    explain(source, other, overlays=True)
    assert_same_rows(one, other)
    overlays = [sorted(p.relative_to(at) for p in at.rglob("*.png")) for at in (one, other)]
    assert overlays[0] == overlays[1]
    assert len(overlays[0]) == PICTURES
    assert left_over(one) == left_over(other)


def as_items(paths):
    return ray.data.from_items([{"key": path, "image": Path(path).read_bytes()} for path in paths])


def as_table(paths, folder):
    images = [Path(path).read_bytes() for path in paths]
    pq.write_table(pa.table({"id": paths, "img": images}), folder / "all.parquet", row_group_size=7)
    return ray.data.read_parquet(str(folder / "all.parquet"))


@pytest.mark.parametrize(
    "read",
    [
        lambda paths, _: ray.data.read_images(paths, include_paths=True),
        lambda paths, _: ray.data.read_binary_files(paths, include_paths=True),
        as_table,
    ],
    ids=["images", "binary files", "parquet"],
)
def test_a_ray_dataset_is_a_source(cluster, pictures, tmp_path, read):
    paths = [str(path) for path in sorted(pictures.rglob("*.png"))]
    source = read(paths, tmp_path)
    seen = source.context.enable_progress_bars
    summary = explain(source, tmp_path / "out", engine="ray")
    assert summary.docs == PICTURES
    assert source.context.enable_progress_bars == seen, "its settings are the caller's"
    explain(paths, tmp_path / "local")
    assert_same_rows(tmp_path / "out", tmp_path / "local", but=["doc"])


@pytest.mark.parametrize(("first", "then"), [("ray", "local"), ("local", "ray")])
def test_of_a_ray_dataset_only_the_missing_rows_are_explained(
    cluster, pictures, tmp_path, first, then
):
    paths = [str(path) for path in sorted(pictures.rglob("*.png"))]
    explain(as_items(paths), tmp_path / "out", engine=first)
    whole = rows_of(tmp_path / "out")
    lost = sorted((tmp_path / "out" / "shards").iterdir())[1:3]
    docs = sum(pq.read_metadata(path).num_rows for path in lost)
    for path in (*lost, tmp_path / "out" / "manifest.json"):
        path.unlink()
    # In another order, so that nothing begins or ends where it did.
    summary = explain(as_items(paths[::-1]), tmp_path / "out", engine=then)
    assert (summary.docs, summary.explained_now) == (PICTURES, docs)
    assert rows_of(tmp_path / "out").drop_columns("doc") == whole.drop_columns("doc")


def test_rows_of_a_ray_dataset_that_failed_are_made_again_once(cluster, tmp_path):
    def rows(content):
        seeds = [*range(12)]
        images = [draw_doc(seed) for seed in seeds]
        images[4] = content
        return [
            {"key": f"doc {seed:02d}", "image": one}
            for seed, one in zip(seeds, images, strict=True)
        ]

    output = tmp_path / "out"
    options = {"preprocess": None, "engine": "ray"}
    summary = explain(ray.data.from_items(rows(np.full_like(draw_doc(0), -1))), output, **options)
    assert summary.failed == 1
    mended = rows(draw_doc(4))[::-1]
    summary = explain(ray.data.from_items(mended), output, **options, retry_errors=True)
    assert (summary.docs, summary.failed) == (12, 0)
    assert rows_of(output)["key"].to_pylist() == [f"doc {seed:02d}" for seed in range(12)]


def test_paths_are_from_where_the_caller_is(cluster, pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(pictures)
    names = [str(path.relative_to(pictures)) for path in sorted(pictures.rglob("*.png"))]
    source = ray.data.from_items([{"key": name, "path": name} for name in names])
    output = Path(os.path.relpath(tmp_path / "out"))
    assert explain(source, output, engine="ray", image_column="path").failed == 0
    explain(".", tmp_path / "local")
    assert_same_rows(tmp_path / "out", tmp_path / "local", but=["doc"])


def test_a_stream_is_sent_to_workers(cluster, tmp_path):
    def stream():
        return ((f"doc {seed:02d}", draw_doc(seed)) for seed in range(13))

    explain(stream(), tmp_path / "out", engine="ray", preprocess=None, workers=2)
    explain(stream(), tmp_path / "local", preprocess=None)
    assert_same_rows(tmp_path / "out", tmp_path / "local")
    (tmp_path / "out" / "shards" / "00000001.parquet").unlink()
    summary = explain(stream(), tmp_path / "out", engine="ray", preprocess=None)
    assert (summary.docs, summary.explained_now) == (13, 5)
    assert_same_rows(tmp_path / "out", tmp_path / "local")


def test_the_look_goes_on_until_a_document_can_be_explained(cluster, tmp_path):
    pairs = [(f"{i:03d}", b"no picture") for i in range(70)] + [("good", draw_picture(0))]
    summary = explain(pairs, tmp_path / "out", engine="ray", shard_size=40)
    assert (summary.docs, summary.failed) == (71, 70)
    explain(pairs, tmp_path / "local", shard_size=40)
    assert_same_rows(tmp_path / "out", tmp_path / "local")


def test_each_worker_loads_the_model_once_and_takes_what_it_was_given(cluster, pictures, tmp_path):
    signed = tmp_path / "signed"
    signed.mkdir()
    taken = partial(sign, str(signed), told_by_ray)
    explain_on_ray(pictures, tmp_path / "out", taken, workers=2, cpus=0.5, gpus=0.5, shard_size=2)
    found = signatures(signed)
    pids = {name.partition("-")[0] for name in found}
    assert len(found) == len(pids) == 3, "the one that looks first, and two that explain"
    assert set(found.values()) == {"{'CPU': 0.5, 'GPU': 0.5}"}


def told_by_ray():
    given = ray.get_runtime_context().get_assigned_resources()
    return {name: given[name] for name in ("CPU", "GPU")}


def test_workers_have_the_backend_of_this_process(cluster, pictures, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "numpy")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "1")
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    signed = tmp_path / "signed"
    signed.mkdir()
    explain_on_ray(pictures, tmp_path / "out", partial(sign, str(signed), told_by_environment))
    assert set(signatures(signed).values()) == {"('numpy', '1')"}


def told_by_environment():
    return os.environ["KERAS_BACKEND"], os.environ["TF_CPP_MIN_LOG_LEVEL"]


def test_a_model_of_keras_is_sent_and_so_is_the_name_of_its_file(
    cluster, pictures, tmp_path, monkeypatch
):
    pytest.importorskip("keras")
    from tests.small_models import make_small_model

    model = make_small_model((16, 16, 3))
    explain_on_ray(pictures, tmp_path / "out", model)
    explain_on_ray(pictures, tmp_path / "local", model, engine="local")
    assert_same_rows(tmp_path / "out", tmp_path / "local")
    model.save(tmp_path / "small.keras")
    monkeypatch.chdir(tmp_path)
    explain_on_ray(pictures, tmp_path / "file", "small.keras")
    assert_same_rows(tmp_path / "file", tmp_path / "local")


def test_a_module_of_torch_is_sent(cluster, pictures, tmp_path):
    torch = pytest.importorskip("torch")
    torch.manual_seed(3)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(4, 3),
    )
    options = {"layer": "0", "preprocess": as_channels_first}
    explain_on_ray(pictures, tmp_path / "out", model, **options)
    explain_on_ray(pictures, tmp_path / "local", model, engine="local", **options)
    one, other = rows_of(tmp_path / "out"), rows_of(tmp_path / "local")
    assert one["key"] == other["key"]
    # A worker has one thread, and sums may be taken in another order.
    np.testing.assert_allclose(one["score"], other["score"], rtol=1e-5)
    heatmaps = [np.stack(rows["heatmap"].to_pylist()) for rows in (one, other)]
    np.testing.assert_allclose(*heatmaps, atol=1e-3)


def as_channels_first(picture):
    return np.moveaxis(as_doc(picture), 3, 1)


class Locked(Squares):
    """Holds what cannot be pickled."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": Locked()}, "model is a Locked, which cannot be pickled .* give the file it is"),
        (
            {"preprocess": partial(as_doc, threading.Lock())},
            "preprocess, which cannot be pickled .* give a function",
        ),
    ],
)
def test_what_cannot_be_pickled_is_refused_before_anything_begins(
    cluster, pictures, tmp_path, given, message
):
    with pytest.raises(TypeError, match=message):
        explain_on_ray(pictures, tmp_path / "out", **given)
    assert not (tmp_path / "out" / "run.json").exists()


def fail_to_load():
    raise ZeroDivisionError("no such weights")


def fail_the_second_time(folder):
    if signatures(folder):
        raise ZeroDivisionError("no such weights now")
    return sign(folder)


class UnpicklableError(Exception):
    def __init__(self, one, other):
        super().__init__(f"{one} and {other}")


def fail_oddly():
    raise UnpicklableError("this", "that")


def test_what_a_worker_raises_comes_out_as_it_is(cluster, pictures, tmp_path):
    with pytest.raises(ZeroDivisionError, match="^no such weights$") as caught:
        explain_on_ray(pictures, tmp_path / "out", fail_to_load)
    assert "in fail_to_load" in str(caught.value.__cause__), "it says where"
    with pytest.raises(RuntimeError, match="^UnpicklableError: this and that$"):
        explain_on_ray(pictures, tmp_path / "out", fail_oddly)

    signed = tmp_path / "signed"
    signed.mkdir()
    with pytest.raises(ZeroDivisionError, match="^no such weights now\n") as caught:
        explain_on_ray(pictures, tmp_path / "out", partial(fail_the_second_time, str(signed)))
    assert any("asked for again" in note for note in caught.value.__notes__)
    wait_until_free()


def test_a_disk_that_takes_nothing_is_an_os_error(cluster, pictures, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "shards").write_text("a file where a folder must be")
    with pytest.raises(OSError, match="shards") as caught:
        explain_on_ray(pictures, tmp_path / "out")
    assert any("asked for again" in note for note in caught.value.__notes__)


def test_errors_are_counted_over_all_shards(cluster, tmp_path):
    bad = np.full_like(draw_doc(0), -1)
    pairs = [(f"{i:02d}", draw_doc(i) if i % 5 else bad) for i in range(30)]
    options = {"engine": "ray", "preprocess": None, "workers": 2}
    with pytest.raises(TooManyErrorsError, match="3 documents failed, and max_errors is 2"):
        explain(pairs, tmp_path / "out", max_errors=2, **options)
    wait_until_free()
    summary = explain(pairs, tmp_path / "out", max_errors=6, **options)
    assert (summary.docs, summary.failed) == (30, 6)


_DRIVER = """
import signal
import sys
import ray
from tests.datasets import test_ray
signal.signal(signal.SIGINT, signal.default_int_handler)  # which who runs tests may ignore
ray.init(address=sys.argv[1], runtime_env=test_ray.ENVIRONMENT, log_to_driver=False)
test_ray.explain_on_ray(
    sys.argv[2], sys.argv[3], preprocess=test_ray.slowly_as_doc, shard_size=2, threads=1
)
"""


def slowly_as_doc(picture):
    time.sleep(0.1)
    return as_doc(picture)


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_run_whose_driver_is_stopped_goes_on(cluster, pictures, tmp_path, sent):
    output = tmp_path / "out"
    address = ray.get_runtime_context().gcs_address
    driver = subprocess.Popen(
        [sys.executable, "-c", _DRIVER, address, str(pictures), str(output)],
        env=os.environ | {"PYTHONPATH": ROOT},
        stderr=subprocess.PIPE,
        text=True,
    )
    while len(list(output.glob("shards/*.parquet"))) < 2:
        assert driver.poll() is None, driver.stderr.read()
        time.sleep(0.01)
    driver.send_signal(sent)
    _, told = driver.communicate(timeout=60)
    assert driver.returncode != 0
    if sent == signal.SIGINT:
        assert "KeyboardInterrupt" in told
        assert "asked for again" in told
        for of_ray in ("Running Dataset", "Execution plan", "Progress bars disabled"):
            assert of_ray not in told
    wait_until_free()  # its workers are gone, too
    options = {"preprocess": slowly_as_doc, "shard_size": 2}
    there = len(list(output.glob("shards/*.parquet")))
    assert 2 <= there < PICTURES // 2
    summary = explain_on_ray(pictures, output, workers=2, **options)
    assert summary.explained_now == PICTURES - 2 * there
    explain(pictures, tmp_path / "local", threads=8, **options)
    assert_same_rows(output, tmp_path / "local")
    assert left_over(output) == left_over(tmp_path / "local")


def test_what_no_node_has_room_for_is_refused_and_not_waited_for(cluster, pictures, tmp_path):
    told = "each worker takes 1 CPU and 2 GPUs, .* there is one of 2 CPUs and 1 GPU.*Ask for less"
    with pytest.raises(ValueError, match=told):
        explain_on_ray(pictures, tmp_path / "out", gpus=2)
    rows = ray.data.read_binary_files(str(pictures), include_paths=True)
    with pytest.raises(ValueError, match="workers=2 with cpus=1 each leave none of the 2 CPUs"):
        explain_on_ray(rows, tmp_path / "out", workers=2)


def test_where_nodes_may_join_the_run_waits_and_says_so(cluster, monkeypatch):
    monkeypatch.setattr(ray_cluster, "_is_ours", lambda: False)
    with pytest.warns(UserWarning, match="each worker takes 8 CPUs .* waits until nodes join"):
        Cluster(1, cpus=8, gpus=0).check_room()


def test_the_cluster_is_left_as_it_was(cluster, pictures, tmp_path):
    explain_on_ray(pictures, tmp_path / "out")
    assert ray.is_initialized()
    assert ray.data.DataContext.get_current().enable_progress_bars
    wait_until_free()


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"workers": 0}, ValueError, "workers is 0; give a whole number, 1 or more, or two"),
        ({"workers": (3, 2)}, ValueError, r"workers is \(3, 2\); give a whole number"),
        ({"workers": "2"}, ValueError, "workers is '2'; give a whole number"),
        ({"cpus": -1}, ValueError, "cpus is -1; give 0 or more"),
        ({"cpus": "1"}, TypeError, "cpus is '1'; give a number"),
        ({"gpus": 1.5}, ValueError, "gpus is 1.5; give a part of one GPU, or a whole number"),
        ({"gpus": float("nan")}, ValueError, "gpus is nan; give 0 or more"),
    ],
)
def test_what_workers_take_is_checked(pictures, tmp_path, given, error, message):
    with pytest.raises(error, match=f"^{message}"):
        explain_on_ray(pictures, tmp_path / "out", **given)


def test_threads_are_as_many_as_a_worker_has_cpus():
    assert [Cluster(1, cpus, 0).threads for cpus in (0, 1, 2.5, 64)] == [2, 2, 3, 8]
