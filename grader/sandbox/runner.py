"""The program that runs a learner's cells inside the box and answers what the checker asks about their objects.

Everything here runs beside hostile code in one process, so nothing it says is believed: the checker builds its own
values from the answers and compares them itself.
"""

from __future__ import annotations

import builtins
import importlib
import json
import operator
import sys
from typing import TYPE_CHECKING, Any

from grader.sandbox import box_files
from grader.sandbox.pipe import MAX_LINE_BYTES, PipeClosed
from grader.sandbox.references import References, signature_of
from grader.sandbox.snapshots import Snapshots
from grader.sandbox.wire import TooBig, WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from grader.sandbox.kernel import Kernel
    from grader.sandbox.pipe import Pipe

_OPERATOR_NAMES = (
    "add sub mul truediv floordiv mod pow matmul and_ or_ xor lshift rshift neg pos abs invert index "
    "getitem setitem delitem contains eq ne lt le gt ge"
)
_OPERATIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(operator, name) for name in _OPERATOR_NAMES.split()},
    **{kind.__name__: kind for kind in (len, bool, iter, next, str, repr, int, float, format)},
    "enter": lambda thing: type(thing).__enter__(thing),
    "exit": lambda thing: type(thing).__exit__(thing, None, None, None),
}
_PLAIN_BASES: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, lambda value: int.__add__(value, 0)),
    (float, lambda value: float.__add__(value, 0.0)),
    (str, lambda value: str.__getitem__(value, slice(None)) + ""),
    (bytes, lambda value: bytes.__getitem__(value, slice(None))),
    (list, lambda value: list(list.__iter__(value))),
    (tuple, lambda value: tuple(tuple.__iter__(value))),
    (dict, lambda value: dict(dict.items(value))),
    (set, lambda value: set(set.__iter__(value))),
    (frozenset, lambda value: frozenset(frozenset.__iter__(value))),
    (type({}.keys()), list),
    (type({}.values()), list),
    (type({}.items()), list),
)


def prepare(pipe: Pipe, plan: dict[str, Any]) -> Callable[[], None]:
    """Load the kernel; the answer serves requests until the other side is gone."""
    from grader.sandbox.kernel import Kernel  # noqa: PLC0415  after boot has shut the box

    server = Server(pipe, Kernel(plan["output_bytes"]), plan["work"])
    # The learner's own modules lie beside the notebook; ours are loaded by now and cannot be shadowed.
    sys.path.insert(0, "")
    return server.serve


class Server:
    """Answers one request at a time; a learner's function may call back into the checker meanwhile."""

    def __init__(self, pipe: Pipe, kernel: Kernel, work: str) -> None:
        self._pipe, self._kernel, self._work = pipe, kernel, work
        self._references = References(self._call_checker)
        self._snapshots = Snapshots()
        self._direct: dict[str, Callable[[dict[str, Any]], Any]] = {
            "run": lambda request: self._kernel.run(request["source"]),
            "write": lambda request: box_files.write_file(
                work, request["path"], request["content"], more=request["more"]
            ),
            "files": lambda _: box_files.list_files(work),
            "read": lambda request: box_files.read_file(work, request["path"], request["offset"], request["size"]),
            "remove": lambda request: box_files.remove_file(work, request["path"]),
            # Answered twice: by this process when the copy is made, and by the copy when it is woken.
            "copy": lambda _: self._snapshots.take(),
            "leave": lambda _: self._snapshots.leave(),
        }

    def serve(self) -> None:
        """Answer requests until the other side is gone."""
        try:
            while True:
                self._say(self.answer(self._pipe.receive()))
        except PipeClosed:
            return

    def _say(self, answer: dict[str, Any]) -> None:
        line = json.dumps(answer).encode()
        if len(line) > MAX_LINE_BYTES:
            line = json.dumps(
                {"refused": f"{len(line) >> 20} MiB of data, more than {MAX_LINE_BYTES >> 20} MiB"}
            ).encode()
        self._pipe.send_line(line)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to ``request``: ``ok`` with a value, ``error``, or ``back`` once a copy that was woken ended."""
        try:
            if request["op"] == "wake":
                return {"back": self._snapshots.wake(request["number"])}
            if request["op"] in self._direct:
                return {"ok": self._direct[request["op"]](request)}
            return self._ask(request)
        except (TooBig, WireError, RecursionError) as error:
            return {"refused": str(error)[:400]}
        except PipeClosed:
            raise
        except BaseException as error:  # noqa: BLE001  a learner's code may raise anything; the box answers on
            return {"error": self._references.describe_error(error)}

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        sent = request.get("args", [])
        arguments = [self._references.decode(one) for one in sent]
        keywords = {name: self._references.decode(one) for name, one in request.get("kwargs", {}).items()}
        try:
            result = getattr(self, f"_op_{request['op']}")(request, arguments, keywords)
            answer: dict[str, Any] = {"ok": self._references.encode(result)}
            if request["op"] == "call":
                # The function may have worked on its arguments: say what they are now.
                answer["args"] = [self._changed(one, was) for one, was in zip(arguments, sent[1:], strict=False)]
        except (PipeClosed, TooBig, WireError, RecursionError):
            raise
        except BaseException as error:  # noqa: BLE001  a learner's code may raise anything; the box answers on
            answer = {"error": self._references.describe_error(error)}
        # What the learner's code printed belongs to the test, which may look at it; nowhere else is it shown.
        return {**answer, "printed": self._kernel.take_printed()}

    def _changed(self, argument: Any, was: Any) -> Any:
        numpy = sys.modules.get("numpy")
        mutable = (list, dict, set, bytearray) if numpy is None else (list, dict, set, bytearray, numpy.ndarray)
        now = self._references.encode(argument) if type(argument) in mutable else was
        return now if now != was else None

    def _op_get(self, request: dict[str, Any], _: list[Any], __: dict[str, Any]) -> Any:
        name = request["name"]
        if name not in self._kernel.names:
            raise NameError(f"name {name!r} is not defined", name=name)
        return self._kernel.names[name]

    def _op_has(self, request: dict[str, Any], _: list[Any], __: dict[str, Any]) -> bool:
        return request["name"] in self._kernel.names

    def _op_set(self, request: dict[str, Any], arguments: list[Any], __: dict[str, Any]) -> None:
        self._kernel.names[request["name"]] = arguments[0]

    def _op_delete(self, request: dict[str, Any], _: list[Any], __: dict[str, Any]) -> None:
        if self._kernel.names.pop(request["name"], self) is self:
            raise NameError(f"name {request['name']!r} is not defined", name=request["name"])

    def _op_call(self, _: dict[str, Any], arguments: list[Any], keywords: dict[str, Any]) -> Any:
        function = arguments.pop(0)
        return function(*arguments, **keywords)

    def _op_attribute(self, request: dict[str, Any], arguments: list[Any], _: dict[str, Any]) -> Any:
        return getattr(arguments[0], request["name"])

    def _op_set_attribute(self, request: dict[str, Any], arguments: list[Any], _: dict[str, Any]) -> None:
        setattr(arguments[0], request["name"], arguments[1])

    def _op_operate(self, request: dict[str, Any], arguments: list[Any], _: dict[str, Any]) -> Any:
        return _OPERATIONS[request["name"]](*arguments)

    def _op_is_instance(self, _: dict[str, Any], arguments: list[Any], __: dict[str, Any]) -> bool:
        return isinstance(arguments[0], arguments[1])

    def _op_is_subclass(self, _: dict[str, Any], arguments: list[Any], __: dict[str, Any]) -> bool:
        return issubclass(arguments[0], arguments[1])

    def _op_signature(self, _: dict[str, Any], arguments: list[Any], __: dict[str, Any]) -> Any:
        return signature_of(arguments[0])

    def _op_seed(self, request: dict[str, Any], arguments: list[Any], _: dict[str, Any]) -> None:
        getattr(importlib.import_module(request["module"]), request["name"])(*arguments)

    def _op_plain(self, _: dict[str, Any], arguments: list[Any], __: dict[str, Any]) -> Any:
        value = arguments[0]
        for base, convert in _PLAIN_BASES:
            if isinstance(value, base):
                return [convert(value)]
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, numpy.ndarray) and not value.dtype.hasobject:
            return [numpy.array(value, subok=False)]
        return []

    def _call_checker(self, number: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        encode = self._references.encode
        self._pipe.send(
            {
                "callback": number,
                "args": [encode(one) for one in args],
                "kwargs": {k: encode(v) for k, v in kwargs.items()},
            }
        )
        while True:
            message = self._pipe.receive()
            if message["op"] != "returned":
                self._say(self.answer(message))
            elif "ok" in message:
                return self._references.decode(message["ok"])
            else:
                kind = getattr(builtins, message["error"], RuntimeError)
                raise kind(message["text"])
