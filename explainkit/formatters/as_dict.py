"""Explanations as dicts that JSON can hold, and back again, with nothing lost."""

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, get_args, get_origin

import attrs
import cattrs
import numpy as np
from cattrs.gen import make_dict_structure_fn
from numpy.typing import NDArray
from PIL import Image

from explainkit.explanation import Explanation, PictureSource, TargetExplanation, TargetName
from explainkit.formatters.lines import shown
from explainkit.formatters.stored_arrays import StoredArray
from explainkit.formatters.stored_pictures import StoredPicture
from explainkit.formatters.target_names import target_in_words
from explainkit.suggestions import did_you_mean

#: How heatmaps and maps are written.
Form = Literal["base64", "numbers"]

#: What a dict is of, and the version of what is in it.
FORMAT, SCHEMA = "explainkit.explanation", 1
#: So many troubles are told of one record.
_TOLD = 3
#: The type of the fields that hold arrays.
HEATMAP = NDArray[np.float32]


def format_as_dict(
    expl: Explanation, *, heatmaps: Form = "base64", image: bool = True
) -> dict[str, Any]:
    """Write an explanation as a dict of what JSON knows, which `from_dict` reads.

    Parameters
    ----------
    expl : Explanation
    heatmaps : {"base64", "numbers"}
        How heatmaps and maps are written, both with their dtype and shape: the bytes of
        the numbers, little-endian, in base64, which is compact; or nested lists, which
        people can read. Both lose nothing.
    image : bool
        Whether the picture is in it: in base64, as a PNG where that keeps all of it, else its
        bytes, deflated.

    Returns
    -------
    dict
        Of str, int, float, bool, None, lists and dicts: the fields of the record by their
        names, with ``"format": "explainkit.explanation"`` and the version of what is in it,
        ``"schema": 1``. Numpy's numbers become Python's, tuples lists.

    Raises
    ------
    TypeError
        If it is no Explanation, or a field holds what has no place in JSON. Of subclasses, with
        fields of their own, nothing would be known that reads them.
    ValueError
        If a score, a probability or a map holds NaN or infinity, if a text holds half of a
        surrogate pair, or if there is no such form of heatmaps.

    Examples
    --------
    >>> heat = np.eye(2, dtype=np.float32)
    >>> target = TargetExplanation(243, "bull mastiff", 12.5, 0.75, heat, heat)
    >>> expl = Explanation("a model", "gradcam", targets=[target])
    >>> written = format_as_dict(expl, heatmaps="numbers")
    >>> written["schema"], written["targets"][0]["heatmap"]["numbers"]
    (1, [[1.0, 0.0], [0.0, 1.0]])
    >>> from_dict(written) == expl
    True
    """
    if not isinstance(expl, Explanation):
        raise TypeError(
            f"an Explanation can be written as a dict, not a {type(expl).__name__}; "
            "give what explain_prediction returned"
        )
    if heatmaps not in get_args(Form):
        hint = did_you_mean(str(heatmaps), get_args(Form))
        raise ValueError(f"heatmaps is {heatmaps!r}; give 'base64' or 'numbers'{hint}")
    kept = expl if image else attrs.evolve(expl, image=None)
    written = _converter(heatmaps).unstructure(kept, unstructure_as=Explanation)
    return {"format": FORMAT, "schema": SCHEMA, **written}


def from_dict(given: Mapping[str, Any]) -> Explanation:
    """Read what `format_as_dict` wrote, also after a journey through JSON.

    Parameters
    ----------
    given : mapping
        It may come from anywhere: all of it is checked, and nothing in it can run.

    Returns
    -------
    Explanation
        Equal to the one that was written, its arrays of the same dtypes (in the machine's own
        order of bytes).

    Raises
    ------
    TypeError
        If it is no mapping.
    ValueError
        If it is of something else, or of a newer version; if a key is unknown or missing; if a
        value is of the wrong type, out of range or damaged. The message says where.

    Examples
    --------
    >>> from_dict(format_as_dict(Explanation("a model", "gradcam", error="no picture"))).error
    'no picture'
    """
    if not isinstance(given, Mapping):
        raise TypeError(
            f"an explanation can be read from a dict, not from a {type(given).__name__}; "
            "give what format_as_dict returned"
        )
    if given.get("format") != FORMAT:
        raise ValueError(
            f"this is no explanation: its 'format' is {shown(given.get('format'))}, not "
            f"{FORMAT!r}; give what format_as_dict returned"
        )
    schema = given.get("schema")
    if type(schema) is not int or schema < 1:
        raise ValueError(f"its 'schema' is {shown(schema)}; it must be a version, such as {SCHEMA}")
    if schema > SCHEMA:
        raise ValueError(
            f"its 'schema' is {shown(schema)}, and this version of explainkit reads those up to "
            f"{SCHEMA}; install the explainkit that wrote it, or a newer one"
        )
    fields = {key: value for key, value in given.items() if key not in ("format", "schema")}
    try:
        return _converter("base64").structure(fields, Explanation)
    except (cattrs.BaseValidationError, TypeError) as error:
        raise ValueError(_what_is_wrong(error)) from error


def _what_is_wrong(error: Exception) -> str:
    told = cattrs.transform_error(error, "record", _in_words)
    # What is told ends with where it is.
    turned = (line.rpartition(" @ ") for line in told)
    lines = [f"{where.replace('._', '.')} {what}" for what, _, where in turned]
    more = f"; and {len(lines) - _TOLD} more" if len(lines) > _TOLD else ""
    return "; ".join(lines[:_TOLD]) + more


def _in_words(error: BaseException, _type: Any) -> str:
    if isinstance(error, cattrs.ForbiddenExtraKeysError):
        known = [field.alias for field in attrs.fields(error.cl)]
        unknown = sorted(map(str, error.extra_fields))
        return f"has the unknown key {shown(unknown[0])}{did_you_mean(unknown[0], known)}"
    if isinstance(error, KeyError):
        return "is missing"
    return str(error)


@cache
def _converter(form: Form) -> cattrs.Converter:
    """Make what knows each type of field both ways: the same check on the way out and in."""
    converter = cattrs.Converter(unstruct_collection_overrides={tuple: list})
    for kind, check in _CHECKS.items():
        _register(converter, kind, _reading(check), check)

    def read_array(given: Any, _type: Any) -> Any:
        return converter.structure(given, StoredArray).restored()

    def write_array(array: Any) -> Any:
        return converter.unstructure(StoredArray.of(np.asarray(array), form))

    def read_picture(given: Any, _type: Any) -> Image.Image | None:
        return None if given is None else converter.structure(given, StoredPicture).restored()

    def write_picture(picture: Image.Image | None) -> Any:
        return None if picture is None else converter.unstructure(StoredPicture.of(picture))

    _register(converter, HEATMAP, read_array, write_array)
    _register(converter, PictureSource, read_picture, write_picture)
    for record in (StoredArray, StoredPicture, TargetExplanation, Explanation):
        _register(converter, record, _reader(converter, record), _writer(converter, record))
    return converter


def _register(
    converter: cattrs.Converter,
    kind: Any,
    read: Callable[[Any, Any], Any],
    write: Callable[[Any], Any],
) -> None:
    if isinstance(kind, type):
        converter.register_structure_hook(kind, read)
        converter.register_unstructure_hook(kind, write)
    else:  # a union, or a type with arguments
        converter.register_structure_hook_func(lambda t: bool(t == kind), read)
        converter.register_unstructure_hook_func(lambda t: bool(t == kind), write)


def _reading(check: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda value, _type: check(value)


def _reader(converter: cattrs.Converter, record: type) -> Callable[[Any, Any], Any]:
    fields: Callable[[Any, Any], Any] = make_dict_structure_fn(
        record, converter, _cattrs_use_alias=True, _cattrs_forbid_extra_keys=True
    )

    def read(given: Any, _type: Any) -> Any:
        if not isinstance(given, Mapping):
            raise TypeError(f"is {shown(given)}; it must be a dict")
        for field in attrs.fields(record):
            # A text or a dict would be taken for a list of what is in it.
            value = given.get(field.alias, ())
            if get_origin(field.type) is tuple and not isinstance(value, list | tuple):
                raise TypeError(f"has {shown(value)} as its {field.alias!r}; it must be a list")
        return fields(dict(given), record)

    return read


def _writer(converter: cattrs.Converter, record: type) -> Callable[[Any], dict[str, Any]]:
    def write(one: Any) -> dict[str, Any]:
        if type(one) is not record:
            raise TypeError(
                f"a {type(one).__name__} cannot be stored without loss; give a plain "
                f"{record.__name__}, with nothing added"
            )
        written = {}
        for field in attrs.fields(record):
            # By its public name: a picture is made when somebody looks.
            value = getattr(one, field.alias)
            if value is None and record in (StoredArray, StoredPicture):
                continue
            try:
                written[field.alias] = converter.unstructure(value, unstructure_as=field.type)
            except (TypeError, ValueError) as error:
                raise type(error)(f"{_place(one, field.alias)}{error}") from error
        return written

    return write


def _place(record: Any, field: str) -> str:
    if isinstance(record, TargetExplanation):
        return f"target {target_in_words(record.target)}: its {field} "
    return "" if field == "targets" else f"{field} "


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"is {shown(value)}; it must be a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"is {shown(value)}: half of a surrogate pair is no text; "
            "give text.encode(errors='replace').decode()"
        ) from None
    return str(value)


def _finite(value: Any) -> float:
    if not isinstance(value, int | float | np.integer | np.floating) or isinstance(value, bool):
        raise TypeError(f"is {shown(value)}; it must be a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"is {number}; only finite numbers can be stored")
    return number


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"is {shown(value)}; it must be true or false")
    return bool(value)


def _whole(value: Any) -> int:
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise TypeError(f"is {shown(value)}; it must be a whole number")
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"is {shown(value)}; it must be a whole number of at most 64 bits")
    return int(value)


def _target_name(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple) and len(value) == 2:
        return (_text(value[0]), _whole(value[1]))
    try:
        return _whole(value)
    except TypeError:
        raise TypeError(
            f"is {shown(value)}; it must be a unit, an output and its unit, or a name"
        ) from None


def _or_none(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else check(value)


#: What each type of field takes, on the way out and on the way in.
_CHECKS: dict[Any, Callable[[Any], Any]] = {
    str: _text,
    str | None: _or_none(_text),
    float: _finite,
    float | None: _or_none(_finite),
    bool: _yes_or_no,
    int: _whole,
    TargetName: _target_name,
}
