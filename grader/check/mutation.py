"""Read from the lab's own code who changes arguments, and which variables a test looks at as they are."""

from __future__ import annotations

import ast

_CHANGING_METHODS = (
    "add append clear difference_update discard extend fill insert intersection_update pop popitem put remove resize "
    "reverse setdefault setfield sort symmetric_difference_update update"
)
_COMPARING_WORDS = ("equal", "close", "same")


def mutating_functions(tree: ast.Module) -> set[str]:
    """Names of functions and methods in ``tree`` that change one of their parameters in place."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {function.name for function in functions if _changes_parameter(function)}


def compared_names(tree: ast.Module) -> set[str]:
    """Names that ``tree`` compares bare: ``data == before``, ``assert_array_equal(data, before)``."""
    operands: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            operands += [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and any(word in _called_name(node).lower() for word in _COMPARING_WORDS):
            operands += node.args
    return {operand.id for operand in operands if isinstance(operand, ast.Name)}


def _changes_parameter(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = function.args
    parameters = {one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)} - {"self"}
    for node in ast.walk(function):
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            changed = _root(node)
        elif isinstance(node, ast.AugAssign):
            changed = _root(node.target)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            changed = _root(node.func.value) if node.func.attr in _CHANGING_METHODS.split() else ""
        else:
            continue
        if changed in parameters:
            return True
    return False


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _called_name(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
