"""A test can fail: at least one of its assertions stands outside every loop that may be empty."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.house import TESTS, Function, broken, every_node, functions, parsed

TEST_FILES = [file for file in TESTS if file.name.startswith("test_")]
LITERALS = (ast.Tuple, ast.List, ast.Set)
KEEPS_LENGTH = {"enumerate", "sorted", "reversed", "list", "tuple", "set", "zip", "product"}
VIEWS = {"items", "keys", "values"}


def constants(tree: ast.Module) -> set[str]:
    """Return the names of a file that hold something written out, with at least one element."""
    return {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and is_filled(node.value, set())
    }


def is_filled(value: ast.expr, filled: set[str]) -> bool:
    """Tell whether something to loop over holds an element, as far as its text alone tells."""
    if isinstance(value, LITERALS):
        return any(not isinstance(part, ast.Starred) for part in value.elts)
    if isinstance(value, ast.Dict):
        return any(key is not None for key in value.keys)
    if isinstance(value, ast.Constant):
        return isinstance(value.value, str) and bool(value.value)
    if isinstance(value, ast.Name):
        return value.id in filled
    return isinstance(value, ast.Call) and _gives_elements(value, filled)


def _gives_elements(call: ast.Call, filled: set[str]) -> bool:
    if isinstance(call.func, ast.Attribute) and call.func.attr in VIEWS:
        return is_filled(call.func.value, filled)
    name = ast.unparse(call.func).split(".")[-1]
    if name == "range":
        return all(isinstance(part, ast.Constant) for part in call.args)
    return name in KEEPS_LENGTH and all(is_filled(part, filled) for part in call.args)


def local(function: Function, filled: set[str]) -> set[str]:
    """Return the names that hold something written out where a function loops over them."""
    own = [node for node in every_node(function) if isinstance(node, ast.Assign)]
    return filled | {
        target.id
        for node in own
        for target in node.targets
        if isinstance(target, ast.Name) and is_filled(node.value, filled)
    }


def sure(statements: list[ast.stmt], filled: set[str]) -> Iterator[ast.stmt]:
    """Give the statements of a body that run at least once; a loop's only if it has an element."""
    for statement in statements:
        if isinstance(statement, ast.For) and not is_filled(statement.iter, filled):
            continue
        if isinstance(statement, Function | ast.ClassDef):
            continue
        yield statement
        for body in ("body", "finalbody", "orelse"):
            yield from sure(getattr(statement, body, []), filled)


def asserts(statement: ast.stmt, asserting: set[str]) -> bool:
    """Tell whether a statement is an assertion, or calls what asserts."""
    if isinstance(statement, ast.Assert):
        return True
    if isinstance(statement, ast.With):
        return any("raises" in ast.unparse(item.context_expr) for item in statement.items)
    if isinstance(statement, ast.For | ast.While | ast.If | ast.Try):
        return False
    calls = (node for node in ast.walk(statement) if isinstance(node, ast.Call))
    return any(ast.unparse(call.func).split(".")[-1] in asserting for call in calls)


def hollow(tree: ast.Module) -> list[str]:
    """Return the tests of a file whose every assertion stands in a loop that may have no turn."""
    filled = constants(tree)
    every = [node for node in every_node(tree) if isinstance(node, Function)]
    asserting = {
        node.name for node in every if any(isinstance(x, ast.Assert) for x in every_node(node))
    }
    return [
        function.name
        for function in every
        if function.name.startswith("test_")
        and any(isinstance(node, ast.Assert) for node in every_node(function))
        and not any(
            asserts(statement, asserting)
            for statement in sure(function.body, local(function, filled))
        )
    ]


def test_no_test_asserts_only_in_a_loop_that_may_be_empty() -> None:
    assert broken(TEST_FILES, lambda file: hollow(parsed(file))) == {}


@pytest.mark.parametrize(
    ("body", "is_hollow"),
    [
        ("for x in found(): assert x", True),
        ("for x in []: assert x", True),
        ("for x in found():\n  for y in (1, 2): assert y", True),
        ("for x in sorted(found()): assert x", True),
        ("with open() as file:\n  for x in file: assert x", True),
        ("assert found()\n for x in found(): assert x", False),
        ("for x in (1, 2): assert x", False),
        ("for x in NAMES: assert x", False),
        ("for x in range(3): assert x", False),
        ("names = ['a']\n for x in names: assert x", False),
        ("for x in found():\n  assert x\n with pytest.raises(E): found()", False),
        ("while True:\n  assert True", False),
    ],
)
def test_a_hollow_test_is_seen(body: str, is_hollow: bool) -> None:
    tree = ast.parse(f"NAMES = ('a', 'b')\ndef test_it():\n {body}\n")
    assert hollow(tree) == (["test_it"] if is_hollow else [])


def test_every_test_function_is_looked_at() -> None:
    names = [function.name for file in TEST_FILES for function in functions(file)]
    assert sum(name.startswith("test_") for name in names) > 500
