"""A folder that takes explanations: a picture for each step, and their numbers line by line."""

import json
import math
import os
import re
import unicodedata
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from explainkit.training.destination import Destination, Entry
from explainkit.training.making import make_folder

RECORDS = "records.jsonl"
_LONGEST = 60
#: Windows keeps these names for itself, whatever comes behind a dot.
_DEVICES = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9\xb9\xb2\xb3])(\..*)?")


class Folder(Destination):
    """Write the pictures of each document into a folder of its own, and all numbers into a file.

    The folder of the document "cat" holds ``epoch-000000.png``, ``epoch-000001.png`` and so on.
    ``records.jsonl`` has a line of JSON for each document at each step: what is counted (as
    ``"unit"``), ``step``, ``name``, ``picture`` (its path in the folder), ``method``, ``layer``,
    ``targets`` (``target``, ``label``, ``score`` and ``proba`` of each) and ``error``. A number
    that is not finite is null there.

    Parameters
    ----------
    path : str or path
        The folder. It is made when training begins, and belongs to that training.
    resume : bool, default False
        Go on in the folder of another training: lines are added, and pictures of the same step
        replaced. Without it such a folder is refused.

    Examples
    --------
    >>> import tempfile
    >>> folder = Folder(tempfile.mkdtemp())
    >>> folder.begin(["a cat", "a/dog"])
    >>> sorted(path.name for path in folder.path.iterdir())
    ['a_cat', 'a_dog', 'records.jsonl']
    """

    def __init__(self, path: str | os.PathLike[str], *, resume: bool = False) -> None:
        self.path = Path(path)
        self.resume = resume
        self._folders: dict[str, str] = {}
        self._undo = ExitStack()

    def __repr__(self) -> str:
        return f"Folder({str(self.path)!r})"

    def begin(self, names: Sequence[str]) -> None:
        """Make the folders.

        Raises
        ------
        FileExistsError
            If the folder belongs to another training.
        ValueError
            If this object takes other documents already.
        """
        folders = dict(zip(names, folder_names(names), strict=True))
        if self._folders and self._folders != folders:
            raise ValueError(f"{self!r} takes other docs already; make another one for these")
        with ExitStack() as undo:
            make_folder(self.path, undo)
            self._take(undo)
            for folder in folders.values():
                make_folder(self.path / folder, undo)
            undo.callback(setattr, self, "_folders", self._folders)
            self._folders = folders
            self._undo = undo.pop_all()

    def withdraw(self) -> None:
        """Leave the folder to others, as it was."""
        self._undo.close()

    def _take(self, undo: ExitStack) -> None:
        records = self.path / RECORDS
        try:
            # Of two that begin at once, one makes it.
            records.touch(exist_ok=False)
        except FileExistsError:
            if not self.resume:
                raise FileExistsError(
                    f"the folder {self.path} belongs to another training ({RECORDS} is there); "
                    "give another folder, or training.Folder(path, resume=True) to go on in it"
                ) from None
        else:
            undo.callback(records.unlink)

    def write(self, unit: str, step: int, entries: Sequence[Entry]) -> None:
        """Save the pictures and add the lines."""
        lines = []
        for entry in entries:
            picture = None
            if entry.picture is not None:
                picture = f"{self._folders[entry.name]}/{unit}-{step:06d}.png"
                entry.picture.save(self.path / picture)
            lines.append({"unit": unit, "step": step, "name": entry.name, "picture": picture})
            lines[-1].update(_numbers_of(entry))
        with (self.path / RECORDS).open("a", encoding="utf-8") as records:
            # In ASCII: some letters end lines for some who read, and halves of pairs are no UTF-8.
            records.writelines(json.dumps(line, allow_nan=False) + "\n" for line in lines)


def folder_names(names: Sequence[str]) -> list[str]:
    """Make names of folders from any names: for each another one, on every file system.

    Examples
    --------
    >>> folder_names(["a cat", "../b"])
    ['a_cat', 'b']
    >>> folder_names(["a/b", "A b"])
    ['0-a_b', '1-A_b']
    """
    plain = [_plain(name) for name in names]
    if all(map(_is_usable, plain)) and len(set(map(_folded, plain))) == len(plain):
        return plain
    return [f"{position}-{name}" for position, name in enumerate(plain)]


def _plain(name: str) -> str:
    # Composed: where letters are taken apart, accents are not letters.
    composed = unicodedata.normalize("NFC", name)
    return re.sub(r"[^\w.-]+", "_", composed).strip("._")[:_LONGEST].rstrip("._")


def _is_usable(plain: str) -> bool:
    folded = _folded(plain)
    return bool(plain) and folded != RECORDS and not _DEVICES.fullmatch(folded)


def _folded(name: str) -> str:
    """Write alike what file systems may take for the same name."""
    return unicodedata.normalize("NFC", name.casefold())


def _numbers_of(entry: Entry) -> dict[str, Any]:
    return {
        "method": entry.expl.method,
        "layer": entry.expl.layer,
        "targets": [
            {
                "target": _as_json(one.target),
                "label": one.label,
                "score": _finite(one.score),
                "proba": _finite(one.proba),
            }
            for one in entry.expl.targets
        ],
        "error": entry.expl.error,
    }


def _as_json(target: Any) -> Any:
    if isinstance(target, tuple):
        return [_as_json(part) for part in target]
    return int(target) if isinstance(target, np.integer) else target


def _finite(number: float | None) -> float | None:
    """Have a number of Python's, or None for what JSON has no word for."""
    return None if number is None or not math.isfinite(number) else float(number)
