"""Write what the code says of each method into the pages about methods.

    python docs/write_methods.py

fills what stands between marks in docs/methods.md and in the pages in docs/methods/: names,
formulas, costs and sources, and the options with their defaults, as the classes have them.
"""

import re
from pathlib import Path
from typing import Any

import attrs
from numpydoc.docscrape import ClassDoc

from explainkit.methods import METHODS, Method
from explainkit.methods.wrappers import Smooth, TestTimeAugmentation

HERE = Path(__file__).parent
#: Methods made of methods have pages, too.
PAGES: dict[str, type[Method]] = {**METHODS, "smooth": Smooth, "tta": TestTimeAugmentation}
_CLASSES = {method.__name__: method for method in PAGES.values()}


def file_of(name: str) -> str:
    """Spell a method's name as the names of files and functions do."""
    return name.replace("+", "p")


def table() -> str:
    """Write a row for each method."""
    # What may not be broken keeps the column of pictures from shrinking to nothing.
    rows = ["| one&nbsp;scene,&nbsp;explained | method |", "| --- | --- |"]
    for name, method in METHODS.items():
        picture = f"![{method.title}](images/methods/{file_of(name)}.png)"
        lines = (
            f'**[{method.title}](methods/{file_of(name)}.md)**: `method="{name}"`',
            method.formula,
            f"forward passes: {method.cost.forward}; backward passes: {method.cost.backward}",
            method.source,
        )
        rows.append(f"| {picture} | {'<br>'.join(lines)} |")
    return "\n".join(rows)


def facts(name: str) -> str:
    """Write what a method is, in a table."""
    method = PAGES[name]
    if name in METHODS:
        asked = f'`method="{name}"`; of arrays: `explainkit.{file_of(name)}(model, x, y)`'
        where = _where(method())
    else:
        asked = f'`explainkit.{name}("gradcam")`, or of any other method'
        where = "as that of the method inside"
    rows = [
        ("ask for it", asked),
        ("formula", method.formula),
        ("forward passes", method.cost.forward),
        ("backward passes", method.cost.backward),
        ("map", where),
        ("source", _linked(method.source)),
    ]
    picture = f"![{method.title}](../images/methods/{file_of(name)}.png)"
    return "\n".join([picture, "", "| | |", "| --- | --- |", *(f"| {a} | {b} |" for a, b in rows)])


def _where(method: Method) -> str:
    if method.rewrites and method.at_layers:
        return "of the picture's size; Grad-CAM's share of it is built at a layer"
    if method.at_layers:
        return "of a layer's size: the last that has a map, or `layer=`"
    return "of the picture's size; there is no `layer=`"


def _linked(source: str) -> str:
    homes = {"arXiv": "https://arxiv.org/abs/", "doi": "https://doi.org/"}
    return re.sub(r"(arXiv|doi):(\S+)", lambda m: f"[{m[0]}]({homes[m[1]]}{m[2]})", source)


def options(name: str) -> str:
    """Write the options of a method in a table, as its docstring describes them."""
    method = PAGES[name]
    rows = [
        f"| `{field.name}` | `{_quoted(repr(field.default))}` | {_row_end(method, field)} |"
        for field in attrs.fields(method)
        if field.name != "inner"
    ]
    return "\n".join(
        ["| option | default | values | what it says |", "| --- | --- | --- | --- |", *rows]
    )


def _row_end(method: type[Method], field: Any) -> str:
    kind, words = described(method, field.name)
    return f"`{kind or type(field.default).__name__}` | {words}"


def _quoted(code: str) -> str:
    return code.replace("'", '"')


def described(method: type[Method], option: str) -> tuple[str, str]:
    """Find what a class says of an option, itself or by reference to another class."""
    for parameter in ClassDoc(method)["Parameters"]:
        if option in parameter.name.split(", "):
            words = " ".join(parameter.desc)
            elsewhere = re.fullmatch(r"As in `(\w+)`\.", words)
            if elsewhere:
                return described(_CLASSES[elsewhere[1]], option)
            return parameter.type, words
    raise LookupError(f"{method.__name__} says nothing of its option {option!r}")


def fill(page: Path, mark: str, text: str) -> None:
    """Put a text into a page, between its marks."""
    whole = page.read_text(encoding="utf-8")
    between = rf"(<!-- {mark}: begin -->\n).*?(<!-- {mark}: end -->)"
    filled = re.sub(between, lambda m: f"{m[1]}{text}\n{m[2]}", whole, flags=re.DOTALL)
    page.write_text(filled, encoding="utf-8")


if __name__ == "__main__":
    fill(HERE / "methods.md", "methods", table())
    for name in PAGES:
        page = HERE / "methods" / f"{file_of(name)}.md"
        fill(page, "facts", facts(name))
        fill(page, "options", options(name))
