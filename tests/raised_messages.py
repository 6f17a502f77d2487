"""The messages that the package raises, read out of its source."""

import ast
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: What stands for the parts of a message that vary.
GAP = "…"


class Raised(NamedTuple):
    """A message, and where it is raised."""

    place: str
    text: str

    @property
    def longest(self) -> str:
        """The longest of the parts that do not vary."""
        return max((part.strip() for part in self.text.split(GAP)), key=len)


class Source:
    """The modules of a package, as trees."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.trees = {
            path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(root.rglob("*.py"))
        }
        self.functions: dict[str, list[tuple[Path, ast.AST]]] = {}
        for path, tree in self.trees.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef):
                    self.functions.setdefault(node.name, []).append((path, node))

    def messages(self) -> Iterator[Raised]:
        """Give each message, with `GAP` for what varies; those with conditions in each form."""
        for path, tree in self.trees.items():
            for scope, call in _calls(tree):
                place = f"{path.relative_to(self.root)}:{call.lineno}"
                texts = [text for one in call.args for text in self._texts(one, path, scope)]
                for text in dict.fromkeys(texts):
                    yield Raised(place, text)
            # What a method says where it does not fit is raised by what has asked it.
            for value in _assigned(tree, "unfit"):
                for text in self._texts(value, path, tree):
                    yield Raised(str(path.relative_to(self.root)), text)

    def _texts(self, node: ast.AST, path: Path, scope: ast.AST, depth: int = 0) -> Iterator[str]:
        """Give the texts that an expression may have."""
        if depth > 4:
            yield GAP
        elif isinstance(node, ast.Constant):
            yield str(node.value) if isinstance(node.value, str) else GAP
        elif isinstance(node, ast.FormattedValue):
            yield from self._inserted(node.value, path, scope, depth)
        elif isinstance(node, ast.JoinedStr):
            yield from self._joined(node.values, path, scope, depth)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            yield from self._joined([node.left, node.right], path, scope, depth)
        elif isinstance(node, ast.IfExp):
            yield from self._texts(node.body, path, scope, depth)
            yield from self._texts(node.orelse, path, scope, depth)
        else:
            yield from self._elsewhere(node, path, scope, depth) or [GAP]

    def _joined(
        self, nodes: list[ast.expr], path: Path, scope: ast.AST, depth: int
    ) -> Iterator[str]:
        parts = [list(self._texts(one, path, scope, depth)) for one in nodes]
        for texts in itertools.product(*parts):
            yield "".join(texts)

    def _inserted(self, node: ast.AST, path: Path, scope: ast.AST, depth: int) -> list[str]:
        """What is put into a message: a text that has a name is a part of it, others vary."""
        found = []
        if isinstance(node, ast.Name):
            found = self._elsewhere(node, path, scope, depth)
        return found if any(text.strip(GAP) for text in found) else [GAP]

    def _elsewhere(self, node: ast.AST, path: Path, scope: ast.AST, depth: int) -> list[str]:
        """The texts of a name or a call, from where it is assigned or returned."""
        found: list[str] = []
        if isinstance(node, ast.Name):
            for where in (scope, self.trees[path]):
                for value in _assigned(where, node.id):
                    found += self._texts(value, path, where, depth + 1)
                if found:
                    break
        elif isinstance(node, ast.Call):
            for home, function in self._called(node.func, path):
                for value in _returned(function):
                    found += self._texts(value, home, function, depth + 1)
        return found

    def _called(self, name: ast.AST, path: Path) -> list[tuple[Path, ast.AST]]:
        known = self.functions.get(getattr(name, "id", getattr(name, "attr", "")), [])
        here = [one for one in known if one[0] == path]
        return here or (known if isinstance(name, ast.Name) else [])


def _calls(tree: ast.Module) -> Iterator[tuple[ast.AST, ast.Call]]:
    """Give each error, warning and remark that is made, with the function that makes it."""
    scopes: list[tuple[ast.AST, ast.AST]] = [(tree, tree)]
    while scopes:
        scope, node = scopes.pop()
        if isinstance(node, ast.Call) and _makes_a_message(node):
            yield scope, node
        inner = node if isinstance(node, ast.FunctionDef) else scope
        scopes += [(inner, child) for child in ast.iter_child_nodes(node)]


def _makes_a_message(call: ast.Call) -> bool:
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    # Assertions tell authors, not users.
    return name in ("warn", "remark") or (name.endswith("Error") and name != "AssertionError")


def _assigned(scope: ast.AST, name: str) -> Iterator[ast.expr]:
    for node in ast.walk(scope):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        if value is not None and any(isinstance(t, ast.Name) and t.id == name for t in targets):
            yield value


def _returned(function: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value is not None:
            yield node.value
