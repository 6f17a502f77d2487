"""What a run is: its inputs, its model and its options, and how it is told from others."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import attrs

from explainkit import __version__
from explainkit.datasets.rows import SCHEMA, Constants
from explainkit.datasets.stores import Store

#: What a record is of.
FORMAT = "explainkit.dataset"
RECORD = "run.json"
#: What may be there beside a record, by its name.
_OURS = {RECORD, "manifest.json", "shards", "overlays", "run.lock"}


def as_shape(sizes: Iterable[int]) -> tuple[int, ...]:
    """Make a shape of what JSON made of it."""
    return tuple(sizes)


@attrs.frozen
class Run:
    """What is explained, by what model, and how; kept beside the shards.

    Attributes
    ----------
    inputs : dict
        What the source says of the documents.
    model : dict
        The model's name and the digest of what it has learnt.
    options : dict
        In words: equal ones are called alike.
    shard_size : int
    map_shape : tuple of int
        Of all heatmaps; empty where no document could be explained.
    created : str
        When it began, as ISO 8601 has it, in UTC.
    explainkit : str
        The version that began it.
    """

    inputs: dict[str, Any]
    model: dict[str, str]
    options: dict[str, str]
    shard_size: int
    map_shape: tuple[int, ...] = attrs.field(converter=as_shape)
    created: str = attrs.field(factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    explainkit: str = __version__

    @property
    def digest(self) -> str:
        """What tells this run from others."""
        compared = json.dumps(self.compared(), sort_keys=True)
        return hashlib.sha256(compared.encode()).hexdigest()[:16]

    @property
    def constants(self) -> Constants:
        """What all its rows say."""
        return Constants(
            self.map_shape, self.model["digest"], json.dumps(self.options, sort_keys=True)
        )

    def compared(self) -> dict[str, Any]:
        """Give all that must be the same to go on: not where the inputs lie."""
        inputs = {key: value for key, value in self.inputs.items() if key != "root"}
        words = {f"inputs: {key}": value for key, value in inputs.items()}
        # Keras gives the next model of a function another name; what it has learnt is the same.
        told = "digest" if self.model["digest"] else "name"
        words[f"model: {told}"] = self.model[told]
        return words | self.options | {"shard_size": self.shard_size}

    def check_same(self, other: "Run", place: str) -> None:
        """Refuse to go on with a run that another question began.

        Raises
        ------
        ValueError
            If something differs; it says what.
        """
        there, here = self.compared(), other.compared()
        told = [
            f"{key} is {_short(there, key)} there and {_short(here, key)} here"
            for key in (*there, *(key for key in here if key not in there))
            if there.get(key) != here.get(key)
        ]
        if told:
            raise ValueError(
                f"{place} holds another run, which is not overwritten: {'; '.join(told)}. Ask the "
                "same to go on with it, or give another output"
            )

    def write(self, store: Store) -> None:
        """Write the record."""
        record = {"format": FORMAT, "schema": SCHEMA, "digest": self.digest, **attrs.asdict(self)}
        store.write(RECORD, json.dumps(record, indent=1, ensure_ascii=False).encode())


def read_run(store: Store) -> Run | None:
    """Read the record of a run; None if there is nothing.

    Raises
    ------
    ValueError
        If there is something else, a newer version, or a damaged record.
    """
    try:
        record = json.loads(store.read(RECORD))
    except FileNotFoundError:
        others = [name for name in store.names() if name not in _OURS and not _is_part(name)]
        if others:
            raise ValueError(
                f"{store.place} holds other files, such as {others[0]!r}, and no run of "
                "explain_dataset; give an empty or a new place"
            ) from None
        return None
    except ValueError as error:
        raise ValueError(f"{store.url(RECORD)} is damaged: {error}") from error
    if not isinstance(record, dict) or record.pop("format", None) != FORMAT:
        raise ValueError(f"{store.url(RECORD)} is no record of a run of explain_dataset")
    schema, _ = record.pop("schema", None), record.pop("digest", None)
    if not isinstance(schema, int) or schema > SCHEMA:
        raise ValueError(
            f"{store.place} has the schema {schema!r}, and this version of explainkit reads those "
            f"up to {SCHEMA}; install the explainkit that wrote it, or a newer one"
        )
    try:
        return Run(**record)
    except TypeError as error:
        raise ValueError(f"{store.url(RECORD)} is damaged: {error}") from error


def _is_part(name: str) -> bool:
    return name.startswith(".") and name.endswith(".part")


def _short(said: Mapping[str, Any], key: str) -> str:
    # Options are in words already.
    text = str(said.get(key, "not said"))
    return text if len(text) <= 80 else f"{text[:76]} …"
