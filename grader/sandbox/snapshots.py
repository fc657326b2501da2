"""Copies of a running program that wait: the state of one moment, from which something can go on later.

A copy is a fork. It does nothing until it is woken; whoever wakes it waits until it has ended, so that one of them at a
time speaks on the pipe both hold. Copies live beside what they were copied from: they keep state, they guard nothing.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
from typing import Any

NONE = 0
"""Said instead of a copy's number when no copy can be made."""


class Snapshots:
    """The waiting copies of this process, by number."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[int, int]] = {}
        self._taken = 0
        self.is_copy = False

    def take(self) -> int:
        """Make a copy and answer its number, or :data:`NONE`; answers it a second time in the copy, once woken."""
        if not _can_be_copied():
            return NONE
        woken, wakes = os.pipe()
        # Python seeds this generator anew in every fork.
        drawn = random.getstate()
        try:
            pid = os.fork()
        except OSError:
            os.close(woken)
            os.close(wakes)
            return NONE
        self._taken += 1
        if pid:
            os.close(woken)
            self._waiting[self._taken] = (pid, wakes)
        else:
            os.close(wakes)
            random.setstate(drawn)
            self._wait(woken)
        return self._taken

    def _wait(self, woken: int) -> None:
        for _, wakes in self._waiting.values():
            with contextlib.suppress(OSError):
                os.close(wakes)
        self._waiting, self.is_copy = {}, True
        if not os.read(woken, 1):
            os._exit(0)
        os.close(woken)

    def wake(self, number: int) -> int:
        """Let the copy ``number`` go on, and wait for its end; its exit code, a signal's as a negative number."""
        pid, wakes = self._waiting.pop(number)
        try:
            with contextlib.suppress(OSError):
                os.write(wakes, b"1")
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        finally:
            os.close(wakes)


def _can_be_copied() -> bool:
    """A fork has none of the other threads, and nothing on a GPU."""
    torch: Any = sys.modules.get("torch")
    on_gpu = torch is not None and torch.cuda.is_initialized()
    return not on_gpu and len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208  a kernel's folder
