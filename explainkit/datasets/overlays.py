"""Pictures with their heatmaps, beside the rows."""

import io
import re

import attrs

from explainkit.datasets.rows import Explained
from explainkit.datasets.stores import Store
from explainkit.formatters import format_as_image

FOLDER = "overlays"
#: So much of a key is in the name of its overlay, for people.
_LONGEST = 60


def draw_overlay(store: Store, shard: str, place: int, one: Explained) -> Explained:
    """Draw what was explained, and say where it is; what failed has no overlay.

    Parameters
    ----------
    store : Store
    shard : str
        The name of the document's shard.
    place : int
        The document's place in it.
    one : Explained
    """
    if one.expl.error or not one.expl.targets or one.expl.image is None:
        return one
    target = 0 if len(one.expl.targets) == 1 else None
    file = io.BytesIO()
    format_as_image(one.expl, target=target).save(file, "PNG")
    name = f"{FOLDER}/{shard}/{place:06d}-{harmless(one.key)}.png"
    store.write(name, file.getbuffer())
    return attrs.evolve(one, overlay=name)


def harmless(key: str) -> str:
    """Make of a key a part of a file's name, which no system takes for anything else.

    Examples
    --------
    >>> harmless("../../etc/passwd"), harmless("cats/é 1.jpg")
    ('etc-passwd', 'cats-1-jpg')
    """
    return re.sub(r"[^A-Za-z0-9_]+", "-", key).strip("-")[-_LONGEST:] or "doc"
