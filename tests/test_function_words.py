"""Functions in words: those that do something else are called differently, in every process."""

import functools
import math
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import attrs
import numpy as np
import pytest
from PIL import Image

from explainkit.function_words import name_function, place_of


def times(factor):
    return lambda picture: picture * factor


def of_default(factor):
    def prepare(picture, by=factor):
        return picture * by

    return prepare


def of_keyword(factor):
    def prepare(picture, *, by=factor):
        return picture * by

    return prepare


class Scale:
    """What is called like a function, and may be asked for one."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, picture):
        return picture * self.factor

    def method(self, picture):
        return picture * self.factor


class Slotted:
    """An object whose state is in slots, one of them private."""

    __slots__ = ("__factor",)

    def __init__(self, factor):
        self.__factor = factor

    def __call__(self, picture):
        return picture * self.__factor


class OneSlot:
    """Slots may be said by one text."""

    __slots__ = "factor"  # noqa: PLC0205

    def __init__(self, factor):
        self.factor = factor


@attrs.define
class Record:
    """An object of attrs, which holds others."""

    factor: float
    steps: list


class Compose:
    """As compositions of transforms are: objects in a list."""

    def __init__(self, *steps):
        self.transforms = list(steps)

    def __call__(self, picture):
        for step in self.transforms:
            picture = step(picture)
        return picture


class Odd:
    """Raises whatever it is asked."""

    def __getattribute__(self, name):
        raise RuntimeError("leave me alone")

    def __repr__(self):
        raise RuntimeError("leave me alone")


def deeper(factor):
    def prepare(picture):
        def inner():
            return [lambda: picture * 2, lambda: factor]

        return inner()

    return prepare


def from_text(text):
    """Make a function whose lines nobody can read."""
    return eval(text, {"__name__": "nowhere"})


#: Makes two functions that do the same of equal arguments, and something else of others.
MAKERS = {
    "closure": times,
    "default": of_default,
    "keyword default": of_keyword,
    "bound method": lambda factor: Scale(factor).method,
    "object": Scale,
    "object with slots": Slotted,
    "object with one slot": OneSlot,
    "record": lambda factor: Record(1.0, [Scale(factor)]),
    "partial": lambda factor: functools.partial(max, factor),
    "partial by keyword": lambda factor: functools.partial(of_default(1), by=factor),
    "lambda without lines": lambda factor: from_text(f"lambda picture: picture * {factor}"),
    "nested": deeper,
    "code of a nested one": lambda factor: from_text(f"lambda p: [lambda: p * {factor}]"),
    "composition": lambda factor: Compose(Scale(3), times(factor), np.sqrt),
    "order of a composition": lambda factor: Compose(*[np.sqrt, np.exp][:: int(factor) * 2 - 3]),
    "set": lambda factor: times({"cat", "dog", f"{factor}"}),
    "frozen sets in a set": lambda factor: times({frozenset(("a", "b", factor)), 3}),
    "dict": lambda factor: times({"mean": factor, "std": (1, 2)}),
    "array": lambda factor: times(np.full(3, factor)),
    "array of objects": lambda factor: times(np.array([f"{factor}", None], object)),
    "scalar of numpy": lambda factor: times(np.float32(factor)),
    "picture": lambda factor: times(Image.new("L", (2, 2), int(factor))),
    "method written in C": lambda factor: {1: factor}.get,
    "global that is asked for": lambda factor: from_text(f"lambda p: p.at_{factor}()"),
    "members of a set in the code": lambda factor: from_text(f"lambda p: p in {{'a', {factor}}}"),
}


@pytest.mark.parametrize("name", MAKERS)
def test_functions_are_told_by_what_they_do_and_hold(name):
    make = MAKERS[name]
    assert name_function(make(1)) == name_function(make(1))
    assert name_function(make(1)) != name_function(make(2))
    assert " at 0x" not in name_function(make(1))


def test_names_are_the_same_in_every_process():
    program = """
        from tests.test_function_words import MAKERS, name_function
        for make in MAKERS.values():
            print(repr(name_function(make(1))))
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    root = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONHASHSEED": "11", "PYTHONPATH": str(root)}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    names = [repr(name_function(make(1))) for make in MAKERS.values()]
    # The tests may have been imported by another name.
    assert told.stdout.splitlines() == [
        name.replace(f"{__name__}.", "tests.test_function_words.") for name in names
    ]


def defined(lines):
    namespace = {"__name__": "somewhere"}
    exec(textwrap.dedent(lines), namespace)
    return namespace["prepare"]


PLAIN = """
def prepare(picture):
    return [picture + 1 for _ in range(3)]
"""


def test_comments_and_lines_do_not_count():
    moved = """


        # How pictures are made ready.
        def prepare(picture):

            # One more.
            return [
                picture + 1  # so
                for _ in range(3)
            ]
    """
    assert name_function(defined(moved)) == name_function(defined(PLAIN))
    assert name_function(defined(PLAIN.replace("3", "4"))) != name_function(defined(PLAIN))
    assert name_function(defined(PLAIN.replace("+", "-"))) != name_function(defined(PLAIN))


def test_a_function_that_was_called_often_is_called_as_before():
    """Python writes faster instructions into code that runs often."""
    prepare = defined(PLAIN)
    before = name_function(prepare)
    for number in range(1000):
        prepare(number)
    assert name_function(prepare) == before


def test_the_code_of_an_object_that_is_called_counts():
    def named(text):
        return name_function(type("Scale", (), {"__call__": from_text(text)})())

    assert named("lambda self, p: p + 1") == named("lambda self, p: p + 1")
    assert named("lambda self, p: p + 1") != named("lambda self, p: p - 1")


def test_what_is_called_otherwise_is_named_by_its_place():
    assert name_function(math.sqrt) == "math.sqrt"
    assert name_function(Scale).endswith("test_function_words.Scale")
    assert name_function(times(2)).partition(" (")[0].endswith("times.<locals>.<lambda>")
    assert name_function(times(math)).endswith(": [math])")


def test_for_people_the_place_is_enough():
    assert place_of(times(list(range(1000)))).endswith("times.<locals>.<lambda>")
    assert place_of(Scale(2)).endswith("test_function_words.Scale")


def test_what_holds_itself_is_named_once():
    def held(factor):
        def again(picture):
            return again(picture) * factor

        ring = Compose(again, Scale(factor))
        ring.transforms.append(ring)
        ring.record = Record(1.0, [ring])
        return ring

    assert name_function(held(1)) == name_function(held(1))
    assert name_function(held(1)) != name_function(held(2))


def test_lists_in_circles_do_not_hide_what_else_is_held():
    def held(factor):
        circle = []
        circle += [circle, circle]
        return lambda picture: (circle, factor)

    assert name_function(held(1)) == name_function(held(1))
    assert name_function(held(1)) != name_function(held(2))


def test_what_raises_when_it_is_asked_does_not_hide_what_else_is_held():
    def held(factor):
        unset = object.__new__(Record)  # its fields are not there
        odd = Odd()
        return lambda picture: (odd, unset, factor)

    assert name_function(held(1)) == name_function(held(1))
    assert name_function(held(1)) != name_function(held(2))
    assert name_function(Odd()).endswith(".Odd")


def test_a_function_that_is_not_all_there_yet_is_named():
    def early():
        def prepare(picture):
            return later(picture)

        name = name_function(prepare)
        later = abs
        return name, name_function(prepare)

    before, after = early()
    assert "early.<locals>.prepare (" in before
    assert before != after


def test_a_module_of_torch_is_told_by_its_weights():
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.fill_(1)
        layer.bias.fill_(0)
        before = name_function(layer)
        assert name_function(layer) == before
        layer.weight[0, 0] = 2
        assert name_function(layer) != before
