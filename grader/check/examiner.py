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
from typing import TYPE_CHECKING, Any

from grader.check.lesson import Lesson
from grader.check.link import Link, ProxyError
from grader.check.measuring import Measuring, refuse_decoders
from grader.check.moments import Moment, keep, return_to
from grader.check.names import Names, without_magics
from grader.check.parts import definitions, open_part
from grader.check.proxy import number_of
from grader.check.seeds import Seeds
from grader.sandbox import box_files
from grader.sandbox.pipe import COPY, PipeClosed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from grader.sandbox.pipe import Pipe

Run = Any
"""Runs one cell: takes the request, its tree and its name, answers the value it ends with."""
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
        self._moments: dict[int, Moment] = {}
        self._earlier: list[ast.stmt] = []
        self._measuring = Measuring(pipe)
        self._measuring.install()

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
        box_files.remove_file(self._work, request["path"])

    def _op_solution(self, request: dict[str, Any]) -> None:
        self._names.meet_solution(request["source"], request["released"])

    def _op_shared(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._examine(request, self._whole)

    def _op_test(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run a test, hidden lines and all."""
        self._names.forget_fetched()
        return self._examine(request, self._whole)

    def _op_released(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run what learners know of a test; the moment where its hidden lines begin is kept, to run those later."""
        self._names.forget_fetched()
        return self._examine(request, self._as_released)

    def _op_hidden(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run the hidden lines of a test, from the moment where they begin."""
        return_to(self._moments[request["number"]], self._names, self._link)
        self._measuring.forget()
        return self._examine(request, self._from_moment)

    def _examine(self, request: dict[str, Any], run: Run) -> dict[str, Any]:
        """Run one cell; how it ended, where, and what it printed."""
        name = f"<cell {request['number']}>"
        self._read_as(name, without_magics(request["source"]), request["hidden"])
        self._link.problem = None
        out, err = _Capped(), _Capped()
        self._seeds.wrap()
        self._seeds.muted = False
        error, value = self._execute(request, name, run, out, err)
        self._seeds.muted = True
        problem = self._link.problem or error
        outcome = self._outcome(problem, name) if problem else {"passed": not err.getvalue(), "value": _credit(value)}
        said = {"printed": out.getvalue(), "complained": err.getvalue()}
        return {**outcome, **said, "dead": self._link.dead}

    def _read_as(self, name: str, source: str, hidden: Iterable[int]) -> None:
        """Take ``source`` for the text of the cell called ``name``, in messages too."""
        self._hidden[name] = frozenset(hidden)
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)

    def _execute(
        self, request: dict[str, Any], name: str, run: Run, out: _Capped, err: _Capped
    ) -> tuple[BaseException | None, Any]:
        os.chdir(self._work)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                tree = ast.parse(without_magics(request["source"]), name)
                self._names.meet_test(tree)
                self._import_first(tree)
                return None, run(request, tree, name)
        except PipeClosed:
            raise
        except BaseException as error:  # noqa: BLE001  a test may end in any way; all but a quiet end is a failure
            return error, None

    def _whole(self, _: dict[str, Any], tree: ast.Module, name: str) -> Any:
        return self._run(tree.body, name)

    def _as_released(self, request: dict[str, Any], tree: ast.Module, name: str) -> Any:
        known = without_magics(request["released"])
        rest, known_rest = open_part(tree, known, request["hidden"], name)
        open_statements = tree.body[: len(tree.body) - len(rest)]
        # What fails up to here is nothing that learners do not know.
        self._read_as(name, without_magics(request["source"]), ())
        self._run(open_statements, name)
        if self._link.problem:
            raise self._link.problem
        # The learner's process is copied now, and this one remembers where it was.
        self._pipe.send({}, COPY)
        self._pipe.receive_line()
        self._moments[request["number"]] = keep(self._names, self._link, rest, self._earlier)
        self._earlier += definitions(rest, request["hidden"])
        self._read_as(name, known, ())
        return self._run(known_rest, name)

    def _from_moment(self, request: dict[str, Any], _: ast.Module, name: str) -> Any:
        moment = self._moments[request["number"]]
        self._names.define(moment.earlier, name)
        return self._run(list(moment.rest), name)

    def _run(self, body: list[ast.stmt], name: str) -> Any:
        """Run statements; the value of the last one if it is an expression."""
        last = body[-1] if body and isinstance(body[-1], ast.Expr) else None
        module = ast.Module(body[:-1] if last else body, type_ignores=[])
        exec(compile(module, name, "exec"), self._names)  # noqa: S102  the lab's own test
        return eval(compile(ast.Expression(last.value), name, "eval"), self._names) if last else None  # noqa: S307  same

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
