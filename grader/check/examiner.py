"""The program that runs the lab's own test cells, in a box of its own: no learner code, no network, no secrets.

It is trusted with the mark and with nothing else; it never loads, unpickles or executes anything a learner made.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import linecache
import math
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.check.lesson import Lesson
from grader.check.link import Link, ProxyError
from grader.check.measuring import Measuring, refuse_decoders
from grader.check.names import Names, without_magics
from grader.check.proxy import number_of
from grader.check.seeds import Seeds
from grader.sandbox import box_files
from grader.sandbox.pipe import PipeClosed

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from grader.sandbox.pipe import Pipe

_MAX_TEXT = 4000
LAB_FILES = "/tmp/lab"  # noqa: S108  the checker's own tmpfs


def prepare(pipe: Pipe, plan: dict[str, Any]) -> Callable[[], None]:
    """Shut what unpickles; the answer serves requests until the other side is gone."""
    sys.addaudithook(_refuse_unpickling)
    # Modules released with the lab may be imported by tests; the working folder holds the learner's files and may not.
    sys.path.append(LAB_FILES)
    warnings.simplefilter("ignore")
    return Examiner(pipe, plan["work"]).serve


def _refuse_unpickling(event: str, _: tuple[Any, ...]) -> None:
    if event == "pickle.find_class":
        raise RuntimeError("tests may not unpickle: what a learner's code wrote could run as code here")


class Examiner:
    """Runs cells of the lab one after the other and says how each test ended."""

    def __init__(self, pipe: Pipe, work: str) -> None:
        self._pipe, self._work = pipe, work
        self._link = Link(pipe, Lesson())
        self._names = Names(self._link)
        self._link.may_change = self._names.may_change
        self._seeds = Seeds(lambda module, name, args: self._link.ask("seed", args, module=module, name=name))
        self._hidden: dict[str, frozenset[int]] = {}
        Measuring(pipe).install()

    def serve(self) -> None:
        """Answer requests until the other side is gone."""
        with contextlib.suppress(PipeClosed):
            while True:
                request = self._pipe.receive()
                self._pipe.send({"ok": getattr(self, f"_op_{request['op']}")(request)})

    def _op_write(self, request: dict[str, Any]) -> None:
        folder = LAB_FILES if request["lab"] else self._work
        with contextlib.suppress(OSError):
            box_files.write_file(folder, request["path"], request["content"], more=request["more"])

    def _op_remove(self, request: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            Path(self._work, request["path"]).unlink()

    def _op_solution(self, request: dict[str, Any]) -> None:
        self._names.meet_solution(request["source"], request["released"])

    def _op_shared(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._examine(request)

    def _op_test(self, request: dict[str, Any]) -> dict[str, Any]:
        self._names.forget_fetched()
        return self._examine(request)

    def _examine(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run one cell; how it ended, where, and what it printed."""
        name = f"<cell {request['number']}>"
        source = without_magics(request["source"])
        self._hidden[name] = frozenset(request["hidden"])
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        self._link.problem = None
        out, err = _Capped(), _Capped()
        self._seeds.wrap()
        self._seeds.muted = False
        error, value = self._execute(source, name, out, err)
        self._seeds.muted = True
        problem = self._link.problem or error
        outcome = self._outcome(problem, name) if problem else {"passed": not err.getvalue(), "value": _credit(value)}
        return {**outcome, "printed": out.getvalue(), "complained": err.getvalue(), "dead": self._link.dead}

    def _execute(self, source: str, name: str, out: _Capped, err: _Capped) -> tuple[BaseException | None, Any]:
        value = None
        os.chdir(self._work)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                tree = ast.parse(source, name)
                self._names.meet_test(tree)
                self._import_first(tree)
                last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
                exec(compile(tree, name, "exec"), self._names)  # noqa: S102  the lab's own test
                if isinstance(last, ast.Expr):
                    value = eval(compile(ast.Expression(last.value), name, "eval"), self._names)  # noqa: S307  same
        except PipeClosed:
            raise
        except BaseException as error:  # noqa: BLE001  a test may end in any way; all but a quiet end is a failure
            return error, None
        return None, value

    def _import_first(self, tree: ast.Module) -> None:
        """Import what the cell will, so that its random generators are known before it seeds them."""
        wanted = {part.name for node in ast.walk(tree) if isinstance(node, ast.Import) for part in node.names}
        wanted |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        wanted |= {name for name in ("numpy", "torch") if name in sys.modules}
        if "numpy" in wanted and any(
            isinstance(node, ast.Attribute) and node.attr == "seed" for node in ast.walk(tree)
        ):
            # Loaded lazily by numpy itself.
            wanted.add("numpy.random")
        for name in wanted & {"random", "numpy", "numpy.random", "torch"}:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        self._seeds.wrap()
        refuse_decoders()

    def _outcome(self, error: BaseException, name: str) -> dict[str, Any]:
        places = _places(error.__traceback__)
        line = next((line for file, line in reversed(places) if file == name), 0)
        hidden = any(line in self._hidden.get(file, ()) for file, line in places)
        hidden = hidden or any(number <= line or not line for number in self._hidden[name])
        return {
            "passed": False,
            "value": None,
            "hidden": hidden,
            "refused": isinstance(error, ProxyError),
            "kind": type(error).__name__[:200],
            "text": _text_of(error),
            "zh": error.zh if isinstance(error, ProxyError) else _chinese_of(error),
            "line": linecache.getline(name, line).strip()[:500] if line else "",
            "trace": "".join(getattr(error, "__notes__", []))[:_MAX_TEXT],
        }


class _Capped(io.StringIO):
    def write(self, text: str) -> int:
        room = _MAX_TEXT - self.tell()
        super().write(text[: max(0, room)])
        return len(text)


def _places(trace: TracebackType | None) -> list[tuple[str, int]]:
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(trace)]
    return [(file, line) for file, line in frames if file.startswith("<cell ")]


def _text_of(error: BaseException) -> str:
    try:
        return str(error)[:_MAX_TEXT]
    except BaseException as nested:  # noqa: BLE001  a message may be built from a learner's object
        return f"(no text: {type(nested).__name__})"


def _chinese_of(error: BaseException) -> str:
    """The Chinese words of an error of the toolkit, which has them; empty for others."""
    zh = getattr(getattr(error, "words", None), "zh", "")
    return zh[:_MAX_TEXT] if type(zh) is str else ""


def _credit(value: Any) -> float | None:
    """The number a test cell ended with; nothing when it ended with anything else, which nbgrader counts as full."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.number):
        value = value.item()
    if number_of(value) is not None or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return math.inf
    return number if not math.isnan(number) else -1.0
