"""How a test of the lab measures a film: the checker reads bytes and decodes nothing; another box opens the file.

The toolkit finds :class:`Measuring` under the module name that both sides agree on; neither package imports the other.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
import sys
import types
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NoReturn

from grader.sandbox.pipe import OPEN
from grader.sandbox.wire import Decoder, Encoder, WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from grader.sandbox.pipe import Pipe

MEASURER = "reelwright_measurer"
"""What the toolkit looks for in ``sys.modules``."""
MAX_BYTES = 1 << 29
_MAX_WORDS = 1000
_MAX_PATH = 240
_CHUNK = 4 << 20
_ENDED = {
    "time": ("打开它所用的时间超过限制", "opening it took longer than is allowed"),
    "memory": ("打开它所用的内存超过限制", "opening it took more memory than is allowed"),
    "output": ("从中量得的数据过大", "what was measured of it is too large"),
}
_BROKE = ("打开它的程序中途退出了", "the program that opened it ended early")


class Measuring(types.ModuleType):
    """The module that the toolkit asks."""

    def __init__(self, pipe: Pipe) -> None:
        super().__init__(MEASURER)
        self._pipe = pipe
        self._held: dict[str, str] = {}

    def install(self) -> None:
        """Be found by the toolkit."""
        sys.modules[MEASURER] = self

    def forget(self) -> None:
        """Hand in every file anew: somebody else has spoken with the box that opens them."""
        self._held.clear()

    def measure(
        self, module: str, name: str, path: Any, args: Any, kwargs: Any, error: Callable[[str, str], Exception]
    ) -> Any:
        """What the toolkit's ``module.name`` finds in the file at ``path``; ``error`` is raised when it finds none."""
        place, content = _read(path, error)
        self._hand_in(place, content, error)
        encode = Encoder(_no_reference, always_refer=False).encode
        answer = self._ask(
            place,
            error,
            op="measure",
            module=module,
            name=name,
            args=[encode(one) for one in args],
            kwargs={key: encode(one) for key, one in kwargs.items()},
        )
        try:
            return Decoder(_no_reference, may_import=False).decode(answer)
        except (WireError, RecursionError) as refused:
            raise error(f"{place}：量得的结果无法读取", f"{place}: what was measured cannot be read") from refused

    def _hand_in(self, place: str, content: bytes, error: Callable[[str, str], Exception]) -> None:
        digest = hashlib.sha256(content).hexdigest()
        if self._held.get(place) == digest:
            return
        self._held.pop(place, None)
        for offset in range(0, max(1, len(content)), _CHUNK):
            part = base64.b64encode(content[offset : offset + _CHUNK]).decode()
            self._ask(place, error, op="write", path=place, content=part, more=offset > 0)
        self._held[place] = digest

    def _ask(self, place: str, error: Callable[[str, str], Exception], **request: Any) -> Any:
        self._pipe.send({"path": place, **request}, OPEN)
        line = self._pipe.receive_line()
        if line[:1] == b"D":
            self._held.clear()
            zh, en = _ENDED.get(line[1:].decode().strip(), _BROKE)
            raise error(f"{place}：{zh}", f"{place}: {en}")
        try:
            answer = json.loads(line[1:])
            if "ok" in answer:
                return answer["ok"]
            zh, en = (str(words)[:_MAX_WORDS] for words in answer["error"])
        except (ValueError, TypeError, KeyError, RecursionError) as refused:
            raise error(f"{place}：量得的结果无法读取", f"{place}: what was measured cannot be read") from refused
        raise error(zh, en)


def refuse_decoders() -> None:
    """Take PyAV's way into a file out of this process, where a module has loaded it."""
    av = sys.modules.get("av")
    if av is not None:
        av.open = _refuse  # type: ignore[attr-defined]  # a library without types


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise RuntimeError("tests may not decode films themselves: use labs.checks or labs.measure, which do it in a box")


def _read(path: Any, error: Callable[[str, str], Exception]) -> tuple[str, bytes]:
    """The place of ``path`` in the opener's folder, and its bytes, without waiting on anything or following a link."""
    told = os.fspath(path)
    parts = PurePosixPath(told).parts
    place = told if parts and not {"/", ".."} & set(parts) and len(told) <= _MAX_PATH else "film"
    try:
        descriptor = os.open(told, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (OSError, ValueError) as refused:
        raise error(f"没有这个文件：{told}", f"no such file: {told}") from refused
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            raise error(
                f"{told}：不是普通文件，或超过 {MAX_BYTES} 字节",
                f"{told}: not a regular file, or larger than {MAX_BYTES} bytes",
            )
        return place, stream.read(MAX_BYTES)


def _no_reference(value: Any) -> NoReturn:
    raise WireError(f"{str(value)[:80]} is no plain data")
