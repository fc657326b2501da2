"""The namespace in which test cells run: the checker's own names first, the learner's as stand-ins, builtins ours."""

from __future__ import annotations

import ast
import builtins
import contextlib
import threading
from typing import TYPE_CHECKING, Any

from grader.check.link import ProxyError
from grader.check.mutation import compared_names
from grader.check.proxy import known_as, name_of, number_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from grader.check.link import Link

_PARSING = threading.Lock()


class Names(dict[str, Any]):
    """Globals of the tests. A name nobody here has bound is looked up in the learner's notebook."""

    def __init__(self, link: Link) -> None:
        super().__init__(__name__="__main__", __builtins__=builtins, display=_show_nothing, get_ipython=_no_shell)
        self._link = link
        self._learners: set[str] = set()
        self._fetched: dict[str, Any] = {}
        self._compared: set[str] = set()

    def __missing__(self, name: str) -> Any:
        if (
            not isinstance(name, str)
            or name.startswith("__")
            or (hasattr(builtins, name) and name not in self._learners)
        ):
            raise KeyError(name)
        if name not in self._fetched:
            try:
                self._fetched[name] = known_as(self._link.ask("get", name=name), name)
            except NameError as error:
                raise KeyError(name) from error
        return self._fetched[name]

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (isinstance(name, str) and self._link.ask("has", name=name) is True)

    def get(self, name: str, default: Any = None) -> Any:
        """The value of ``name`` wherever it is bound, else ``default``."""
        try:
            return self[name]
        except KeyError:
            return default

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        if number_of(value) is not None and name in self._learners:
            # A test that puts an object of the learner's back in its place, as nbgrader's own example does.
            self._link.ask("set", (value,), name=name)

    def __delitem__(self, name: str) -> None:
        mine = super().__contains__(name)
        if mine:
            super().__delitem__(name)
        if not mine or name in self._learners:
            try:
                self._link.ask("delete", name=name)
            except NameError as error:
                if not mine:
                    raise KeyError(name) from error
        self._fetched.pop(name, None)

    def state(self) -> tuple[Any, ...]:
        """Everything that is bound, to go back to."""
        return dict(self.items()), set(self._learners), dict(self._fetched)

    def restore(self, state: tuple[Any, ...]) -> None:
        """Bind what was bound, in this same namespace: functions of earlier tests look names up in it."""
        bound, learners, fetched = state
        self.clear()
        self.update(bound)
        self._learners, self._fetched = set(learners), dict(fetched)

    def forget_fetched(self) -> None:
        """Fetch the learner's values anew: their code has run."""
        self._fetched.clear()

    def meet_solution(self, reference: str, released: str) -> None:
        """Take note of a solution cell: what the ``reference`` binds is the learner's, what it imports is ours."""
        bound: set[str] = set()
        for source in (reference, released):
            with contextlib.suppress(SyntaxError, ValueError):
                tree = parsed(without_magics(source))
                self._import(tree)
                if source is reference:
                    bound |= set(_bound_names(tree.body))
                    self._link.lesson.learn(tree)
        self._learners |= bound
        for name in bound:
            self.pop(name, None)
        self.forget_fetched()

    def meet_test(self, tree: ast.Module) -> None:
        """Take note of which names a test cell compares as they are."""
        self._compared = compared_names(tree)

    def define(self, statements: Iterable[ast.stmt], place: str) -> None:
        """Bind what ``statements`` of earlier hidden lines define, where nothing else has that name by now."""
        self._link.muted = True
        for statement in statements:
            names = set(_bound_names([statement])) | set(_imported_names(statement))
            if not any(super(Names, self).__contains__(name) for name in names):
                # What needs the learner's objects is not defined again.
                with contextlib.suppress(Exception, ProxyError):
                    exec(compile(ast.Module([statement], []), place, "exec"), self)  # noqa: S102  the lab's own test
        self._link.muted = False

    def may_change(self, function: Any, argument: Any) -> bool:
        """Whether a call's effect on ``argument`` is to be seen by the test although the function returned something.

        It is when the reference changes its arguments too, or when the test looks at the argument itself. Otherwise
        not: a function could change what it was given until its wrong answer looks right.
        """
        if name_of(function) in self._link.lesson.mutators:
            return True
        return any(super(Names, self).get(name) is argument for name in self._compared)

    def _import(self, tree: ast.Module) -> None:
        for statement in _top_level(tree.body):
            if isinstance(statement, ast.Import | ast.ImportFrom):
                # What this host lacks, or a package cannot load, the tests will miss by name soon enough.
                with contextlib.suppress(Exception):
                    module = ast.Module([statement], type_ignores=[])
                    exec(compile(module, "<imports>", "exec"), self)  # noqa: S102  the lab's own import statement


def parsed(source: str) -> ast.Module:
    """The tree of ``source``, one thread at a time: two at once can meet a SystemError on Python 3.11."""
    with _PARSING:
        return ast.parse(source)


def without_magics(source: str) -> str:
    """``source`` with IPython's magics and shell lines made into comments; plain Python is left as it is."""
    with contextlib.suppress(SyntaxError, ValueError):
        parsed(source)
        return source
    lines = source.split("\n")
    return "\n".join(
        line[: len(line) - len(line.lstrip())] + "pass  # " + line.lstrip()
        if line.lstrip().startswith(("%", "!"))
        else line
        for line in lines
    )


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when the cell runs, those inside if, try, with and loops included."""
    for statement in body:
        yield statement
        for part in ("body", "orelse", "finalbody", "handlers"):
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = getattr(statement, part, [])
                if isinstance(inner, list):
                    yield from _top_level([one for one in inner if isinstance(one, ast.stmt)])
                    for handler in (one for one in inner if isinstance(one, ast.ExceptHandler)):
                        yield from _top_level(handler.body)


def _bound_names(body: list[ast.stmt]) -> Iterator[str]:
    for statement in _top_level(body):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield statement.name
        elif not isinstance(statement, ast.Import | ast.ImportFrom):
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    yield node.id


def _imported_names(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.Import | ast.ImportFrom):
        yield from ((part.asname or part.name).split(".")[0] for part in statement.names)


def _show_nothing(*_: Any, **__: Any) -> None:
    """What ``display`` does in a test: nobody is looking."""


def _no_shell() -> None:
    """What ``get_ipython`` answers in a test: there is no shell here."""
