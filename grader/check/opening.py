"""The host's end of the opener's box: started when something is to be opened, and anew when a file has ended it."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any, Self

from grader.sandbox.box import Box, BoxEnded, BoxPlan, Sandbox
from grader.verdict import Limits

if TYPE_CHECKING:
    from types import TracebackType

    from grader.verdict import LabVersion

PRELOAD = ("labs.checks",)
"""What measures films; where it is not installed no test can ask for it."""
LIMITS = Limits(wall_seconds=60, cpu_seconds=60, memory_mb=2048, processes=32, disk_mb=600, output_bytes=1)
_MOST_STARTS = 6


class OpenerBroken(Exception):  # noqa: N818  said of our own part
    """The box could not be started; nothing of this is the learner's doing."""


class OpenerBox:
    """One submission's opener, with what the lab reads, such as models. Leaving the ``with`` block kills it."""

    def __init__(self, sandbox: Sandbox, lab: LabVersion) -> None:
        self._sandbox, self._lab = sandbox, lab
        self._box: Box | None = None
        self._starts = 0

    def exchange(self, line: bytes, deadline: float) -> bytes:
        """What the opener answers to ``line``, unread, after an ``R``; or ``D`` and why it ended on it.

        Raises:
            OpenerBroken: it could not be started.
        """
        if self._box is None and self._starts >= _MOST_STARTS:
            return b"Dtime"
        box = self._box or self._start()
        until = min(deadline, time.monotonic() + LIMITS.wall_seconds)
        try:
            box.send(line, until)
            return b"R" + box.receive(until)
        except BoxEnded as ended:
            self._box = None
            box.kill()
            return b"D" + ended.cause.encode()

    def redraw(self, picture: str, deadline: float) -> str | None:
        """The same picture as a clean PNG in base64; nothing when it is none, or broke what opened it."""
        answer = self.exchange(json.dumps({"op": "picture", "data": picture}).encode(), deadline)
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
            clean: Any = json.loads(answer[1:])["ok"] if answer[:1] == b"R" else None
            return clean if isinstance(clean, str) and clean.isascii() else None
        return None

    def _start(self) -> Box:
        self._starts += 1
        self._box = self._sandbox.start(BoxPlan("opener", LIMITS, self._lab.read_only, self._lab.environment, PRELOAD))
        try:
            self._box.make_ready()
        except BoxEnded as ended:
            self._box.kill()
            raise OpenerBroken(str(ended)) from ended
        return self._box

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._box is not None:
            self._box.kill()
