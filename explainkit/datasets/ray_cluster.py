"""What workers take of a Ray cluster, and whether there is as much."""

import math
import os
import sys
from typing import Any

import attrs

from explainkit.datasets.jobs import MOST_THREADS
from explainkit.explanation import warn

#: What this process was told of frameworks, and workers are told, too.
_CARRIED = ("KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL")
#: Pictures that a worker reads at the same time, whatever it takes: one waits, one is decoded.
_FEWEST_THREADS = 2


def _check_workers(_cluster: Any, _attribute: Any, workers: Any) -> None:
    counts = workers if isinstance(workers, tuple | list) else (workers, workers)
    whole = all(isinstance(one, int) and not isinstance(one, bool) for one in counts)
    if len(counts) != 2 or not whole or not 1 <= counts[0] <= counts[1]:
        raise ValueError(
            f"workers is {workers!r}; give a whole number, 1 or more, or two: at least and at most"
        )


def _check_amount(_cluster: Any, attribute: Any, amount: Any) -> None:
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        raise TypeError(f"{attribute.name} is {amount!r}; give a number")
    if not (math.isfinite(amount) and amount >= 0):
        raise ValueError(f"{attribute.name} is {amount!r}; give 0 or more")
    if attribute.name == "gpus" and amount > 1 and amount != int(amount):
        raise ValueError(f"gpus is {amount!r}; give a part of one GPU, or a whole number")


@attrs.frozen
class Cluster:
    """What each worker gets of a cluster.

    Attributes
    ----------
    workers : int or tuple of (int, int)
        How many there are, or at least and at most: Ray makes more while there is room and
        work.
    cpus, gpus : float
        What each takes; parts of a GPU let several share it.
    """

    workers: int | tuple[int, int] = attrs.field(validator=_check_workers)
    cpus: float = attrs.field(validator=_check_amount)
    gpus: float = attrs.field(validator=_check_amount)

    @property
    def threads(self) -> int:
        """How many pictures a worker reads at the same time: others share its node."""
        return min(max(math.ceil(self.cpus), _FEWEST_THREADS), MOST_THREADS)

    @property
    def fewest(self) -> int:
        """How many workers there are at least."""
        return self.workers if isinstance(self.workers, int) else self.workers[0]

    def pool(self) -> Any:
        """Make what Ray Data calls so many workers."""
        from ray.data import ActorPoolStrategy

        if isinstance(self.workers, int):
            return ActorPoolStrategy(size=self.workers)
        return ActorPoolStrategy(min_size=self.workers[0], max_size=self.workers[1])

    def resources(self) -> dict[str, Any]:
        """Say what a worker takes, in Ray's words."""
        return {"num_cpus": self.cpus, "num_gpus": self.gpus, "runtime_env": _environment()}

    def check_room(self) -> None:
        """Find that a worker has room on some node, which Ray would wait for without a word.

        Raises
        ------
        ValueError
            If there is none, and there will be none. Where nodes may join it is a warning.
        """
        import ray

        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if any(self._fits(node) for node in nodes):
            return
        sizes = sorted({_amounts(node.get("CPU", 0), node.get("GPU", 0)) for node in nodes})
        told = (
            f"each worker takes {_amounts(self.cpus, self.gpus)}, and no node of the Ray cluster "
            f"has as much: there {'is one' if len(nodes) == 1 else 'are nodes'} of "
            f"{'; of '.join(sizes)}"
        )
        _refuse(told, "Ask for less with cpus and gpus")

    def check_readers(self) -> None:
        """Find that workers leave room for Ray to read a Ray Dataset, as `check_room` does."""
        import ray

        there = sum(node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"])
        if there - self.fewest * self.cpus < 1:  # what Ray takes to read a block
            _refuse(
                f"workers={self.fewest} with cpus={self.cpus:g} each leave none of the {there:g} "
                "CPUs of the Ray cluster to read the Ray Dataset",
                "Ask for fewer workers, or less with cpus",
            )

    def _fits(self, node: dict[str, float]) -> bool:
        return node.get("CPU", 0) >= self.cpus and node.get("GPU", 0) >= self.gpus


def import_ray() -> Any:
    """Import Ray.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise ImportError(
            "engine='ray' needs Ray, which is not installed: pip install 'explainkit[ray]'"
        ) from error
    return ray


def _refuse(told: str, would_do: str) -> None:
    if _is_ours():
        raise ValueError(f"{told}. {would_do}")
    warn(f"{told}. The run waits until nodes join")


def _is_ours() -> bool:
    """Tell whether this process started the cluster: then no node joins it."""
    try:
        from ray._private.worker import global_worker
    except ImportError:
        return False  # other versions of Ray may have it elsewhere

    node = getattr(global_worker, "node", None)
    return node is not None and node.is_head()


def _amounts(cpus: float, gpus: float) -> str:
    return f"{cpus:g} CPU{'' if cpus == 1 else 's'} and {gpus:g} GPU{'' if gpus == 1 else 's'}"


def _environment() -> dict[str, Any]:
    told = {name: os.environ[name] for name in _CARRIED if name in os.environ}
    keras = sys.modules.get("keras")
    if keras is not None:
        told["KERAS_BACKEND"] = keras.backend.backend()
    return {"env_vars": told} if told else {}
