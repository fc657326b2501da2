"""The program that opens films and pictures learners made, in a box of its own: no mark, no hidden test is near it.

A file made to break a decoder breaks this box. What it answers is plain data; whoever asked builds its own values.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, NoReturn

from grader.sandbox import box_files
from grader.sandbox.pictures import redraw
from grader.sandbox.pipe import PipeClosed
from grader.sandbox.wire import Decoder, Encoder, WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from grader.sandbox.pipe import Pipe

_MAX_WORDS = 1000


def prepare(pipe: Pipe, plan: dict[str, Any]) -> Callable[[], None]:
    """Nothing is left to do; the answer serves requests until the other side is gone."""
    return Opener(pipe, plan["work"]).serve


class Opener:
    """Answers one request at a time, one file after the other."""

    def __init__(self, pipe: Pipe, work: str) -> None:
        self._pipe, self._work = pipe, work

    def serve(self) -> None:
        """Answer requests until the other side is gone."""
        try:
            while True:
                self._pipe.send(self._answer(self._pipe.receive()))
        except PipeClosed:
            return

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"ok": getattr(self, f"_op_{request['op']}")(request)}
        except PipeClosed:
            raise
        except Exception as error:  # noqa: BLE001  a hostile file may make a decoder raise anything
            words = getattr(error, "words", None)
            told = f"{type(error).__name__}: {error}"[:_MAX_WORDS]
            return {"error": [str(getattr(words, part, told))[:_MAX_WORDS] for part in ("zh", "en")]}

    def _op_write(self, request: dict[str, Any]) -> None:
        box_files.write_file(self._work, request["path"], request["content"], more=request["more"])

    def _op_picture(self, request: dict[str, Any]) -> str | None:
        return redraw(request["data"])

    def _op_measure(self, request: dict[str, Any]) -> Any:
        """Call a measuring function of the toolkit on a file written before."""
        function = getattr(importlib.import_module(request["module"]), request["name"])
        decoder = Decoder(_no_reference, may_import=True)
        args = [decoder.decode(one) for one in request["args"]]
        kwargs = {name: decoder.decode(one) for name, one in request["kwargs"].items()}
        return Encoder(_no_reference, always_refer=False).encode(function(request["path"], *args, **kwargs))


def _no_reference(value: Any) -> NoReturn:
    raise WireError(f"a {type(value).__name__} is no plain data")
