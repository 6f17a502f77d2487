"""A folder that takes explanations: a picture for each step, and their numbers line by line."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from explainkit.training.destination import Destination, Entry

RECORDS = "records.jsonl"
_LONGEST = 60


class Folder(Destination):
    """Write the pictures of each document into a folder of its own, and all numbers into a file.

    The folder of the document "cat" holds ``epoch-000000.png``, ``epoch-000001.png`` and so on.
    ``records.jsonl`` has a line of JSON for each document at each step: what is counted (as
    ``"unit"``), ``step``, ``name``, ``picture`` (its path in the folder), ``method``, ``layer``,
    ``targets`` (``target``, ``label``, ``score`` and ``proba`` of each) and ``error``.

    Parameters
    ----------
    path : str or path
        The folder. It is made when training begins.
    resume : bool, default False
        Go on in a folder that has explanations already: lines are added, and pictures of the
        same step replaced. Without it such a folder is refused.

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

    def __repr__(self) -> str:
        return f"Folder({str(self.path)!r})"

    def begin(self, names: Sequence[str]) -> None:
        """Make the folders.

        Raises
        ------
        FileExistsError
            If there are explanations of another training.
        """
        records = self.path / RECORDS
        # An empty one is that of a training which failed as it began.
        if not self.resume and records.exists() and records.stat().st_size:
            raise FileExistsError(
                f"the folder {self.path} holds the explanations of another training "
                f"({RECORDS}); give another folder, or training.Folder(path, resume=True) to go "
                "on in it"
            )
        self._folders = dict(zip(names, folder_names(names), strict=True))
        self.path.mkdir(parents=True, exist_ok=True)
        records.touch()
        for folder in self._folders.values():
            (self.path / folder).mkdir(exist_ok=True)

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
            records.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def folder_names(names: Sequence[str]) -> list[str]:
    """Make names of folders from any names: for each another one, on every file system.

    Examples
    --------
    >>> folder_names(["a cat", "../b"])
    ['a_cat', 'b']
    >>> folder_names(["a/b", "A b"])
    ['0-a_b', '1-A_b']
    """
    plain = [re.sub(r"[^\w.-]+", "_", name).strip("._")[:_LONGEST] for name in names]
    if all(plain) and len({name.casefold() for name in plain}) == len(plain):
        return plain
    return [f"{position}-{name}" for position, name in enumerate(plain)]


def _numbers_of(entry: Entry) -> dict[str, Any]:
    return {
        "method": entry.expl.method,
        "layer": entry.expl.layer,
        "targets": [
            {"target": one.target, "label": one.label, "score": one.score, "proba": one.proba}
            for one in entry.expl.targets
        ],
        "error": entry.expl.error,
    }
