"""TensorBoard takes explanations: as pictures, and their numbers as curves."""

import io
import itertools
import os
import socket
import sys
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from PIL import Image

from explainkit.training.destination import Destination, Entry
from explainkit.training.making import make_folder

#: Two logs of one process may begin in the same second.
_count = itertools.count()
#: The log of each folder, as long as somebody has it.
_logs: "WeakValueDictionary[Path, TensorBoardLog]" = WeakValueDictionary()


class _Summaries(Destination):
    """Names pictures and curves as TensorBoard shows them, grouped by their first word."""

    def begin(self, names: Sequence[str]) -> None:
        """Need nothing."""

    def write(self, unit: str, step: int, entries: Sequence[Entry]) -> None:  # noqa: ARG002
        """Write the picture and the numbers of each document."""
        pictures = [
            (_tag("explanation", entry.name), entry.picture)
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
    ``proba/cat/tabby``. It needs TensorBoard, and loads no TensorFlow.

    TensorBoard reads the files of a folder one after the other, and shows nothing of one that
    is written to when a later one has begun. So each log needs a folder of its own, into which
    nothing else writes meanwhile; one that is there from an earlier training may be gone on in.

    Parameters
    ----------
    path : str or path
        The folder of the log. It is made when training begins. While another log of this
        process is in it, it is refused.

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
        self._undo = ExitStack()

    def __repr__(self) -> str:
        return f"TensorBoardLog({str(self.path)!r})"

    def begin(self, names: Sequence[str]) -> None:  # noqa: ARG002
        """Begin a file.

        Raises
        ------
        FileExistsError
            If there is a log already that writes into the folder.
        """
        folder = self.path.resolve()
        if folder in _logs:
            raise FileExistsError(
                f"a TensorBoardLog writes into the folder {self.path} already, and TensorBoard "
                "would show one of the two; give each a folder of its own"
            )
        told_apart = (socket.gethostname(), os.getpid(), "explainkit", next(_count))
        name = ".".join(map(str, ("events.out.tfevents", f"{int(time.time()):010d}", *told_apart)))
        with ExitStack() as undo:
            make_folder(self.path, undo)
            self._file = self.path / name
            undo.callback(self._file.unlink, missing_ok=True)
            self._append({"file_version": "brain.Event:2"})
            _logs[folder] = self
            undo.callback(_logs.pop, folder)
            self._undo = undo.pop_all()

    def withdraw(self) -> None:
        """Remove the file."""
        self._undo.close()

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


class _WriterSummaries(_Summaries):
    """Writes by a writer of somebody else's."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._writer!r})"


class TorchSummaries(_WriterSummaries):
    """Write by a `torch.utils.tensorboard.SummaryWriter`, or what has its methods."""

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


class TensorFlowSummaries(_WriterSummaries):
    """Write by a `tf.summary.SummaryWriter`."""

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
        yield _tag("score", entry.name, name), one.score
        if one.proba is not None:
            yield _tag("proba", entry.name, name), one.proba


def _tag(*words: str) -> str:
    # Names of files may hold half of a surrogate pair, which no log does.
    return "/".join(words).encode(errors="replace").decode()


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
