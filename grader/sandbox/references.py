"""What a box tells the checker about things that cannot cross: numbered references, and exceptions as text."""

from __future__ import annotations

import inspect
import re
import sys
import traceback
import types
from typing import TYPE_CHECKING, Any

from grader.sandbox.wire import Decoder, Encoder, TooBig

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_TEXT = 4000
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class References:
    """The table of the box's objects that the checker holds a number of."""

    def __init__(self, call_checker: Callable[[int, tuple[Any, ...], dict[str, Any]], Any]) -> None:
        self._objects: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}
        self._call_checker = call_checker

    def encode(self, value: Any) -> Any:
        """``value`` as JSON, with references where it is not plain."""
        return Encoder(self.refer, always_refer=True).encode(value)

    def decode(self, data: Any) -> Any:
        """What the checker sent, with its references resolved to our objects."""
        return Decoder(self._resolve, may_import=True).decode(data)

    def refer(self, value: Any) -> dict[str, Any]:
        """The reference that stands for ``value``."""
        number = self._numbers.setdefault(id(value), len(self._numbers) + 1)
        self._objects[number] = value
        return {"t": "ref", "id": number, "n": type(value).__name__[:200], **_description(value)}

    def at(self, number: int) -> Any:
        """The object with ``number``."""
        return self._objects[number]

    def _resolve(self, data: dict[str, Any]) -> Any:
        if data["t"] == "ref":
            return self._objects[data["id"]]
        number = data["id"]

        def callback(*args: Any, **kwargs: Any) -> Any:
            return self._call_checker(number, args, kwargs)

        callback.__name__ = "given_function"
        return callback

    def describe_error(self, error: BaseException) -> dict[str, Any]:
        """``error`` as plain data: its builtin class, its own classes as references, its text and arguments."""
        own = [kind for kind in type(error).__mro__ if kind.__module__ != "builtins"]
        builtin = next(kind for kind in type(error).__mro__ if kind.__module__ == "builtins")
        try:
            arguments = self.encode(list(error.args))
        except (TooBig, RecursionError):
            arguments = []
        return {
            "base": builtin.__name__,
            "own": [self.refer(kind) for kind in own[:20]],
            "name": type(error).__name__[:200],
            "text": _safely(lambda: str(error))[:MAX_TEXT],
            "args": arguments,
            "trace": readable_trace(error),
        }


def _description(value: Any) -> dict[str, Any]:
    if isinstance(value, types.ModuleType):
        return {"k": "module", "m": str(value.__name__)[:200]}
    if isinstance(value, type):
        kind = "exception" if issubclass(value, BaseException) else "class"
        bases = [base.__name__ for base in value.__mro__ if base.__module__ == "builtins"]
        return {"k": kind, "m": str(value.__name__)[:200], "b": bases[0] if bases else "object"}
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.nn.Module):
        return {"k": "callable", "torch": "module"}
    if hasattr(type(value), "__next__"):
        return {"k": "iterator"}
    return {"k": "callable" if callable(value) else "object"}


def signature_of(value: Any) -> list[tuple[str, int, bool, Any]]:
    """Name, kind, whether there is a default, and the default, of each parameter of a callable."""
    return [
        (one.name, int(one.kind), one.default is not one.empty, None if one.default is one.empty else one.default)
        for one in inspect.signature(value).parameters.values()
    ]


def readable_trace(error: BaseException) -> str:
    """The traceback without colours and without this program's own frames."""
    lines = traceback.format_exception(type(error), error, error.__traceback__, limit=-12)
    text = "".join(line for line in lines if "/grader/sandbox/" not in line)
    return without_colours(text)[-MAX_TEXT:]


def without_colours(text: str) -> str:
    """``text`` without terminal escapes."""
    return _ANSI.sub("", text)


def _safely(read: Callable[[], str]) -> str:
    try:
        return str(read())
    except Exception as error:  # noqa: BLE001  a learner's __str__ may raise anything
        return f"(no text: {type(error).__name__})"
