"""TensorBoard takes explanations: as pictures, and their numbers as curves."""

import io
import itertools
import os
import socket
import sys
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from explainkit.training.destination import Destination, Entry

#: Two logs of one process may begin in the same second.
_count = itertools.count()


class _Summaries(Destination):
    """Names pictures and curves as TensorBoard shows them, grouped by their first word."""

    def begin(self, names: Sequence[str]) -> None:
        """Need nothing."""

    def write(self, unit: str, step: int, entries: Sequence[Entry]) -> None:  # noqa: ARG002
        """Write the picture and the numbers of each document."""
        pictures = [
            (f"explanation/{entry.name}", entry.picture)
            for entry in entries
            if entry.picture is not None
        ]
        scalars = [scalar for entry in entries for scalar in _scalars(entry)]
        self.add(step, pictures, scalars)

    @abstractmethod
    def add(
        self, step: int, pictures: list[tuple[str, Image.Image]], scalars: list[tuple[str, float]]
    ) -> None:
        """Write pictures and numbers under their tags, and leave nothing in a buffer."""


class TensorBoardLog(_Summaries):
    """Write what TensorBoard reads: ``tensorboard --logdir`` and the folder shows it.

    The picture of the document "cat" is ``explanation/cat``, with a slider for its steps; the
    score and the probability of its target "tabby" are the curves ``score/cat/tabby`` and
    ``proba/cat/tabby``. Each training writes a file of its own. It needs TensorBoard, and
    loads no TensorFlow.

    Parameters
    ----------
    path : str or path
        The folder of the log. It is made when training begins.

    Examples
    --------
    >>> import tempfile
    >>> log = TensorBoardLog(tempfile.mkdtemp())
    >>> log.begin(["cat"])
    >>> [path.name[:20] for path in log.path.iterdir()]
    ['events.out.tfevents.']
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        try:
            import tensorboard.summary.writer.record_writer  # noqa: F401
        except ImportError as error:
            raise ImportError(
                "TensorBoardLog needs TensorBoard: pip install 'explainkit[tensorboard]'"
            ) from error
        self.path = Path(path)
        self._file = self.path

    def __repr__(self) -> str:
        return f"TensorBoardLog({str(self.path)!r})"

    def begin(self, names: Sequence[str]) -> None:  # noqa: ARG002
        """Begin a file."""
        self.path.mkdir(parents=True, exist_ok=True)
        told_apart = (socket.gethostname(), os.getpid(), "explainkit", next(_count))
        name = ".".join(map(str, ("events.out.tfevents", f"{int(time.time()):010d}", *told_apart)))
        self._file = self.path / name
        self._append({"file_version": "brain.Event:2"})

    def add(  # noqa: D102
        self, step: int, pictures: list[tuple[str, Image.Image]], scalars: list[tuple[str, float]]
    ) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [
            *(Summary.Value(tag=tag, image=_as_summary(picture)) for tag, picture in pictures),
            *(Summary.Value(tag=tag, simple_value=number) for tag, number in scalars),
        ]
        self._append({"step": step, "summary": Summary(value=values)})

    def _append(self, fields: dict[str, Any]) -> None:
        # TensorBoard's own EventFileWriter would load TensorFlow wherever it is installed.
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        with self._file.open("ab") as file:
            RecordWriter(file).write(Event(wall_time=time.time(), **fields).SerializeToString())


class TorchSummaries(_Summaries):
    """Write by a `torch.utils.tensorboard.SummaryWriter`, or what has its methods."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    @staticmethod
    def fits(writer: Any) -> bool:
        """Tell whether something can be written by."""
        return all(callable(getattr(writer, name, None)) for name in ("add_image", "add_scalar"))

    def add(  # noqa: D102
        self, step: int, pictures: list[tuple[str, Image.Image]], scalars: list[tuple[str, float]]
    ) -> None:
        for tag, picture in pictures:
            self._writer.add_image(tag, np.asarray(picture), step, dataformats="HWC")
        for tag, number in scalars:
            self._writer.add_scalar(tag, number, step)
        self._writer.flush()


class TensorFlowSummaries(_Summaries):
    """Write by a `tf.summary.SummaryWriter`."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    @staticmethod
    def fits(writer: Any) -> bool:
        """Tell whether something can be written by."""
        tensorflow = sys.modules.get("tensorflow")
        return tensorflow is not None and isinstance(writer, tensorflow.summary.SummaryWriter)

    def add(  # noqa: D102
        self, step: int, pictures: list[tuple[str, Image.Image]], scalars: list[tuple[str, float]]
    ) -> None:
        import tensorflow as tf

        with self._writer.as_default():
            for tag, picture in pictures:
                tf.summary.image(tag, np.asarray(picture)[np.newaxis], step)
            for tag, number in scalars:
                tf.summary.scalar(tag, number, step)
        self._writer.flush()


def _scalars(entry: Entry) -> Iterator[tuple[str, float]]:
    for name, one in zip(entry.series, entry.expl.targets, strict=True):
        yield f"score/{entry.name}/{name}", one.score
        if one.proba is not None:
            yield f"proba/{entry.name}/{name}", one.proba


def _as_summary(picture: Image.Image) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary

    png = io.BytesIO()
    picture.save(png, "png")
    return Summary.Image(
        width=picture.width,
        height=picture.height,
        colorspace=len(picture.getbands()),
        encoded_image_string=png.getvalue(),
    )
