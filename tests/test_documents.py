"""The documents say what the code says: of methods, messages and public names."""

import importlib
import inspect
import re
import tomllib
from contextlib import suppress
from functools import cache
from pathlib import Path

import attrs
import pytest

from explainkit.methods import METHODS, Method
from explainkit.methods.wrappers import Smooth, TestTimeAugmentation

from .raised_messages import Source

DOCS = Path(__file__).parents[1] / "docs"
PACKAGE = DOCS.parent / "explainkit"
#: Messages of which less than this is constant pass on what others say.
SHORTEST = 9
PAGES: dict[str, type[Method]] = {**METHODS, "smooth": Smooth, "tta": TestTimeAugmentation}


def page_of(name):
    return DOCS / "methods" / f"{name.replace('+', 'p')}.md"


def rows_of(text, heading):
    """The rows of the first table behind a heading, each a list of cells."""
    lines = text[text.index(heading) :].splitlines()[1:]
    start = next(i for i, line in enumerate(lines) if line.startswith("| ---"))
    rows = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


@pytest.mark.parametrize("name", PAGES)
def test_the_page_of_a_method_says_what_the_class_says(name):
    method, text = PAGES[name], page_of(name).read_text(encoding="utf-8")
    facts = dict(rows_of(text, "<!-- facts: begin -->"))
    assert name in METHODS or facts["ask for it"].startswith(f"`explainkit.{name}(")
    assert name not in METHODS or f'`method="{name}"`' in facts["ask for it"]
    assert facts["formula"] == method.formula
    assert facts["forward passes"] == method.cost.forward
    assert facts["backward passes"] == method.cost.backward
    assert re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", facts["source"]) == method.source
    assert text.startswith(f"# {method.title}\n" if name in METHODS else f"# {name}: ")


@pytest.mark.parametrize("name", PAGES)
def test_the_page_of_a_method_lists_its_options_with_their_defaults(name):
    rows = rows_of(page_of(name).read_text(encoding="utf-8"), "## Options")
    listed = {cells[0].strip("`"): cells[1].strip("`").replace('"', "'") for cells in rows}
    wanted = {f.name: repr(f.default) for f in attrs.fields(PAGES[name]) if f.name != "inner"}
    assert listed == wanted
    assert all(len(cells[3]) > 10 for cells in rows)  # each is described


def test_there_is_a_page_for_each_method_and_a_row_that_leads_there():
    overview = (DOCS / "methods.md").read_text(encoding="utf-8")
    pages = {path.stem for path in (DOCS / "methods").glob("*.md")}
    assert pages == {page_of(name).stem for name in PAGES} | {"counterfactual"}
    assert all(f"(methods/{page}.md)" in overview for page in pages)
    assert all(f"\nmethods/{page}\n" in overview for page in pages)  # in the toctree


@pytest.mark.parametrize("page", sorted(path.name for path in (DOCS / "methods").glob("*.md")))
def test_the_pictures_of_a_page_are_there(page):
    text = (DOCS / "methods" / page).read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^]]+\]\(\.\./([^)]*)\)", text)
    assert pictures
    assert all((DOCS / picture).exists() for picture in pictures)
    assert "\n$$\n" in text


@pytest.mark.filterwarnings("ignore::explainkit.ExplanationWarning")
@pytest.mark.parametrize("page", sorted(path.name for path in (DOCS / "methods").glob("*.md")))
def test_the_example_of_a_method_runs(page):
    pytest.importorskip("keras")
    text = (DOCS / "methods" / page).read_text(encoding="utf-8")
    [block] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(block, page, "exec"), {})


@cache
def the_messages():
    return [raised for raised in Source(PACKAGE).messages() if len(raised.longest) >= SHORTEST]


def rows_of_messages():
    rows = re.findall(
        r"^\| (`.*?) \| (.*) \|$", (DOCS / "messages.md").read_text("utf-8"), re.MULTILINE
    )
    return [(text, said) for cell, said in rows for text in re.findall(r"`([^`]*)`", cell)]


def test_every_message_has_a_row():
    listed = [text for text, _ in rows_of_messages()]
    missing = [one for one in the_messages() if not any(one.longest in text for text in listed)]
    assert missing == []


def test_every_row_is_of_a_message_and_says_something():
    known = [raised.longest for raised in the_messages()]
    stale = [text for text, _ in rows_of_messages() if not any(one in text for one in known)]
    assert stale == []
    assert all(len(said) > 10 for _, said in rows_of_messages())


def test_what_is_said_in_troubleshooting_is_a_message():
    text = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    quoted = [words.replace("\n", " ") for words in re.findall(r'\*\*"(.*?)"\*\*', text, re.DOTALL)]
    assert len(quoted) > 10
    known = [raised.text for raised in the_messages()]
    for words in quoted:
        longest = max(re.split(r"…|'|\d+|\([^)]*\)", words), key=len).strip()
        assert any(longest in text for text in known), words


def test_messages_are_read_out_of_what_raises_them(tmp_path):
    """The net is not empty: names, calls, conditions and sums are looked through."""
    (tmp_path / "one.py").write_text(
        '_WANTED = "give four numbers"\n'
        "def check(a, b):\n"
        '    raise TypeError(f"a box is {a!r}; {_WANTED}")\n'
        "def other(a):\n"
        '    hint = "and a hint" if a else ""\n'
        '    message = f"the map is {a}, " + hint\n'
        "    raise ValueError(message)\n"
        "def third(a):\n"
        "    raise LookupError(_unknown(a))\n"
        "def _unknown(a):\n"
        '    return f"no layer {a}"\n'
        "def fourth():\n"
        '    warn("something odd")\n'
    )
    assert {raised.text for raised in Source(tmp_path).messages()} == {
        "a box is …; give four numbers",
        "the map is …, and a hint",
        "the map is …, ",
        "no layer …",
        "something odd",
    }


#: Where public names live. What has no `__all__` is public but for its underscores.
ROOMS = (
    *("", ".arrays", ".datasets", ".filters", ".formatters", ".inspection", ".intake", ".loading"),
    *(".localization", ".methods", ".metrics", ".pictures", ".scenes", ".similarity"),
    *(".testing", ".training"),
    *(".engines.base", ".estimators.base", ".methods.base", ".methods.subject", ".targets"),
)


def public_objects(module):
    """The public objects of a module by name; but for versions and rooms, which need no entry."""
    names = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    ]
    found = {}
    for name in names:
        # A callback of a framework that is not there cannot be had.
        with suppress(ImportError):
            found[name] = getattr(module, name)
    rooms = {name for name, one in found.items() if inspect.ismodule(one)}
    return {name: one for name, one in found.items() if name not in {*rooms, "__version__"}}


def entries(text):
    """The objects of which a page of the API has entries."""
    for dotted in re.findall(r"\.\. auto(?:function|class|data):: (\S+)", text):
        home, _, name = dotted.rpartition(".")
        with suppress(ImportError):
            yield getattr(importlib.import_module(home), name)
    members = r"\.\. automodule:: (\S+)\n(?:   :(?!members)[^\n]*\n)*   :members:([^\n]*)"
    for dotted, listed in re.findall(members, text):
        module = importlib.import_module(dotted)
        for name in listed.replace(",", " ").split() or public_objects(module):
            yield getattr(module, name)


@pytest.fixture(scope="module")
def documented():
    pages = (page.read_text(encoding="utf-8") for page in (DOCS / "api").glob("*.md"))
    # By identity, for many a value has no name. They are kept, so that no number is used anew.
    return {id(one): one for text in pages for one in entries(text)}


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_is_in_the_api(room, documented):
    module = importlib.import_module(f"explainkit{room}")
    objects = public_objects(module)
    assert len(objects) > 1
    assert [name for name, one in objects.items() if id(one) not in documented] == []


def test_the_table_of_extras_has_them_all():
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))
    rows = rows_of((DOCS / "install.md").read_text(encoding="utf-8"), "## What for what")
    extras = project["project"]["optional-dependencies"]
    assert [cells[0].strip("`") for cells in rows] == list(extras)
    outside = {"testing", "all"}
    assert set(re.findall(r"\w+", extras["all"][0].partition("[")[2])) == set(extras) - outside
