"""A cluster of two nodes, real but on one machine, that loses a worker, and then a node."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("ray")

import ray

from explainkit import datasets
from tests.datasets.conftest import (
    Squares,
    as_doc,
    assert_same_rows,
    draw_picture,
    left_over,
    rows_of,
)
from tests.datasets.one_ray import ENVIRONMENT, alone, without_address

pytestmark = pytest.mark.slow

#: How many documents there are, in shards of four.
DOCS, SHARDS = 96, 24
#: Nodes that are gone are found missing after a second, and not after half a minute.
_SOON = {"health_check_period_ms": 250, "health_check_failure_threshold": 4}


def load_and_sign(folder):
    """Load the model, and leave a file that says which process did, and on which node."""
    node = ray.get_runtime_context().get_node_id()
    Path(folder, str(os.getpid())).write_text(node)
    return Squares()


def slowly_as_doc(picture):
    """Take so long that there is a middle to break things in."""
    time.sleep(0.05)
    return as_doc(picture)


@pytest.fixture
def two_nodes():
    """A head node and another, of one CPU each."""
    from ray.cluster_utils import Cluster

    with alone(), without_address():
        cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 1, "include_dashboard": False, "_system_config": _SOON},
        )
        try:
            second = cluster.add_node(num_cpus=1)
            ray.init(address=cluster.address, runtime_env=ENVIRONMENT, log_to_driver=False)
            yield cluster, second
        finally:
            ray.shutdown()
            cluster.shutdown()


def test_a_worker_killed_and_then_a_node_lost_leave_no_trace_in_the_rows(two_nodes, tmp_path):
    cluster, second = two_nodes
    pictures, signed, output = (tmp_path / name for name in ("pictures", "signed", "output"))
    pictures.mkdir()
    signed.mkdir()
    for seed in range(DOCS):
        draw_picture(seed).save(pictures / f"{seed:03d}.png")
    options = {"preprocess": slowly_as_doc, "batch_size": 4, "shard_size": 4, "progress": False}
    load = partial(load_and_sign, str(signed))

    def committed():
        return len(list(output.glob("shards/*.parquet")))

    def workers(node):
        ids = [int(path.name) for path in signed.iterdir() if path.read_text() == node]
        return [pid for pid in ids if Path(f"/proc/{pid}").exists()]

    def wait(what):
        while not what():
            assert not run.done(), run.result()  # else it would be waited for without end
            time.sleep(0.01)

    with ThreadPoolExecutor(1) as driver:
        run = driver.submit(
            *(datasets.explain_dataset, load, pictures, output),
            **{**options, "engine": "ray", "workers": 2, "threads": 1},
        )
        head = ray.get_runtime_context().get_node_id()
        wait(lambda: committed() >= 2 and workers(head) and workers(second.node_id))
        killed_at = committed()
        [victim] = workers(head)
        os.kill(victim, signal.SIGKILL)
        # Another takes its place, and goes on with the shard.
        wait(lambda: set(workers(head)) - {victim} and committed() >= killed_at + 3)
        lost_at = committed()
        cluster.remove_node(second, allow_graceful=False)
        summary = run.result(timeout=120)
    assert 2 <= killed_at < lost_at < SHARDS - 3, "both are lost in the middle"
    assert not workers(second.node_id)
    assert (summary.docs, summary.explained_now, summary.failed) == (DOCS, DOCS, 0)

    local = tmp_path / "local"
    datasets.explain_dataset(Squares(), pictures, local, **options, threads=8)
    assert rows_of(output)["key"].to_pylist() == [f"{seed:03d}.png" for seed in range(DOCS)]
    assert_same_rows(output, local)
    assert left_over(output) == left_over(local)
    assert len(list(output.glob("shards/*.parquet"))) == SHARDS
