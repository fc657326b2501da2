"""Ends the process that it is lit in with SIGKILL, so many lines of the spawner's and the ledger's own code later."""

from __future__ import annotations

import mmap
import os
import signal
import struct
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

STEPS = ("/hub/spawner/", "/hub/compute/", "/hub/door/refusal")
"""Where the spawner's steps are: its own code, and what the ledger does for it."""


class Fuse:
    """One number that the killer and the process that is to die share; made before the fork."""

    def __init__(self) -> None:
        self._lines = mmap.mmap(-1, 8)

    @property
    def lines(self) -> int:
        """How many lines are left; 0 when it is not lit."""
        return int(struct.unpack("q", self._lines[:8])[0])

    @lines.setter
    def lines(self, left: int) -> None:
        self._lines[:8] = struct.pack("q", left)

    def lay(self) -> None:
        """Have every line of the spawner's steps in threads of this process that are yet to start burn it down."""
        threading.settrace(self._trace)

    def lay_here(self) -> None:
        """The same for what this thread calls from now on, if it is lit: tracing is too slow for a hub's every day."""
        sys.settrace(self._trace if self.lines else None)

    def _trace(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        name = frame.f_code.co_filename
        return self._burn if any(step in name for step in STEPS) else None

    def _burn(self, _frame: FrameType, event: str, _argument: Any) -> Any:
        left = self.lines
        if event == "line" and left:
            self.lines = left - 1
            if left == 1:
                os.kill(os.getpid(), signal.SIGKILL)
        return self._burn


LAID = Fuse()
"""The one of this process and of those forked from it."""
