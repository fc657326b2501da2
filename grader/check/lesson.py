"""What the lab asks learners to write, read from the lab's own code: it decides which questions a box may answer.

When the reference solution defines ``class Vector`` with ``__eq__``, comparing vectors is what is being taught, and the
learner's own method answers. Anywhere else an object that compares itself could only deceive.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from grader.check.mutation import mutating_functions

_DATACLASS_METHODS = frozenset({"__eq__", "__repr__"})
_DATACLASS_ORDER = frozenset({"__lt__", "__le__", "__gt__", "__ge__"})
_DERIVED = {"__ne__": "__eq__", "__gt__": "__lt__", "__ge__": "__le__"}


@dataclass
class Lesson:
    """Facts gathered from the solution cells met so far."""

    methods: dict[str, set[str]] = field(default_factory=dict)
    bases: dict[str, list[str]] = field(default_factory=dict)
    mutators: set[str] = field(default_factory=set)

    def learn(self, tree: ast.Module) -> None:
        """Take in one solution cell of the lab."""
        self.mutators |= mutating_functions(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                self.methods.setdefault(node.name, set()).update(_methods(node))
                self.bases.setdefault(node.name, []).extend(
                    base.id for base in node.bases if isinstance(base, ast.Name)
                )

    def has_class(self, name: str) -> bool:
        """Whether the reference defines a class called ``name``."""
        return name in self.methods

    def teaches(self, class_name: str, method: str) -> bool:
        """Whether the reference's class ``class_name``, or one it derives from, defines ``method``."""
        seen: set[str] = set()
        waiting = [class_name]
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                found = self.methods.get(name, set())
                if method in found or _DERIVED.get(method) in found:
                    return True
                waiting += self.bases.get(name, [])
        return False


def _methods(node: ast.ClassDef) -> set[str]:
    found = {part.name for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)}
    for part in node.body:
        if isinstance(part, ast.Assign):
            found |= {target.id for target in part.targets if isinstance(target, ast.Name)}
    for decorator in node.decorator_list:
        call = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "")
        if name == "dataclass":
            found |= _DATACLASS_METHODS
        if name in ("dataclass", "total_ordering") and "order" in ast.dump(decorator):
            found |= _DATACLASS_ORDER
    return found
