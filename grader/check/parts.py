"""Which statements of a test learners know, and which of its hidden ones define things that later tests may use."""

from __future__ import annotations

import ast
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)


def open_part(
    tree: ast.Module, released: str, hidden: Collection[int], name: str
) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """What follows the statements that a test and its ``released`` text begin with alike: of the test, and of the text.

    ``hidden`` are the numbers of lines that learners do not know; the first statement with such a line ends the
    beginning. A text that is no Python by itself has nothing that learners could run.
    """
    known: list[ast.stmt] = []
    with contextlib.suppress(SyntaxError, ValueError):
        known = ast.parse(released, name).body
    alike = 0
    for ours, theirs in zip(tree.body, known, strict=False):
        if is_hidden(ours, hidden) or ast.dump(ours, include_attributes=True) != ast.dump(
            theirs, include_attributes=True
        ):
            break
        alike += 1
    return tree.body[alike:], known[alike:]


def definitions(statements: list[ast.stmt], hidden: Collection[int]) -> list[ast.stmt]:
    """Those of ``statements`` that have hidden lines and bind names."""
    return [one for one in statements if isinstance(one, _DEFINITIONS) and is_hidden(one, hidden)]


def is_hidden(statement: ast.stmt, hidden: Collection[int]) -> bool:
    """Whether learners do not know all of ``statement``."""
    first = min([statement.lineno, *(one.lineno for one in getattr(statement, "decorator_list", []))])
    return any(first <= line <= (statement.end_lineno or first) for line in hidden)
