"""What counts says what it counted."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

ROOMS = ("engine/", "store/memory", "store/sqlite", "limits/account", "limits/governor", "limits/knee")


def counting(tree: ast.Module) -> Iterator[ast.ClassDef]:
    """Public classes that add to an attribute of their own."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            added = (n.target for n in ast.walk(node) if isinstance(n, ast.AugAssign))
            if any(isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self" for target in added):
                yield node


def methods(node: ast.ClassDef) -> set[str]:
    return {each.name for each in node.body if isinstance(each, ast.FunctionDef)}


def test_what_counts_has_statistics_and_a_repr(package: Any) -> None:
    """Layers, stores and estimators: counts that nobody can read are of no use to whoever looks for a fault."""
    found, mute = 0, []
    for source in package:
        if source.path.removeprefix("src/trivet/").startswith(ROOMS):
            for node in counting(source.tree):
                found += 1
                missing = {"statistics", "__repr__"} - methods(node)
                mute += [source.at(node.lineno, f"{node.name} has no {name}") for name in sorted(missing)]
    assert not mute, "\n".join(["", *mute])
    assert found >= 8
