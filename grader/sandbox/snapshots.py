"""Copies of a running program that wait: the state of one moment, from which something can go on later.

A copy is a fork. It does nothing until it is woken; whoever wakes it waits until it says that it leaves, or has ended,
so that one of them at a time speaks on the pipe both hold. Giving back a large program's memory takes a while, and
nobody waits for that. Copies live beside what they were copied from: they keep state, they guard nothing.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import sys
from dataclasses import dataclass
from typing import Any, NoReturn

NONE = 0
"""Said instead of a copy's number when no copy can be made."""


@dataclass(frozen=True)
class _Copy:
    """A copy that waits: its process, what wakes it, and where it says that it leaves."""

    pid: int
    wakes: int
    leaving: int

    def close(self) -> None:
        for descriptor in (self.wakes, self.leaving):
            with contextlib.suppress(OSError):
                os.close(descriptor)


class Snapshots:
    """The waiting copies of this process, by number."""

    def __init__(self) -> None:
        self._waiting: dict[int, _Copy] = {}
        self._taken = 0
        self._leaves = -1

    def take(self) -> int:
        """Make a copy and answer its number, or :data:`NONE`; answers it a second time in the copy, once woken."""
        if not _can_be_copied():
            return NONE
        woken, wakes = os.pipe()
        leaving, leaves = os.pipe()
        # Python seeds this generator anew in every fork.
        drawn = random.getstate()
        try:
            pid = os.fork()
        except OSError:
            for descriptor in (woken, wakes, leaving, leaves):
                os.close(descriptor)
            return NONE
        self._taken += 1
        if pid:
            os.close(woken)
            os.close(leaves)
            self._waiting[self._taken] = _Copy(pid, wakes, leaving)
        else:
            os.close(wakes)
            os.close(leaving)
            random.setstate(drawn)
            self._leaves = leaves
            self._wait(woken)
        return self._taken

    def _wait(self, woken: int) -> None:
        for other in self._waiting.values():
            other.close()
        self._waiting = {}
        if not os.read(woken, 1):
            os._exit(0)
        os.close(woken)

    def wake(self, number: int) -> int:
        """Let the copy ``number`` go on until it leaves or ends; its exit code, a signal's as a negative number."""
        copy = self._waiting.pop(number)
        try:
            with contextlib.suppress(OSError):
                os.write(copy.wakes, b"1")
            return 0 if _has_left(copy) else os.waitstatus_to_exitcode(os.waitpid(copy.pid, 0)[1])
        finally:
            copy.close()

    def leave(self) -> NoReturn:
        """End this process; in a copy, once whoever woke it has heard that it says no more."""
        with contextlib.suppress(OSError):
            os.write(self._leaves, b"1")
        os._exit(0)


def _has_left(copy: _Copy) -> bool:
    """Wait until ``copy`` leaves or ends; whether it said so before it ended."""
    # A process that the learner's code left behind may hold the pipe open when the copy itself has ended.
    try:
        ended = os.pidfd_open(copy.pid)
    except OSError:
        # A filter of the host's that does not know the call: the end is waited for.
        return False
    try:
        poller = select.poll()
        poller.register(ended, select.POLLIN)
        poller.register(copy.leaving, select.POLLIN)
        poller.poll()
        os.set_blocking(copy.leaving, False)
        with contextlib.suppress(BlockingIOError):
            return bool(os.read(copy.leaving, 1))
        return False
    finally:
        os.close(ended)


def _can_be_copied() -> bool:
    """A fork has none of the other threads, and nothing on a GPU."""
    torch: Any = sys.modules.get("torch")
    on_gpu = torch is not None and torch.cuda.is_initialized()
    return not on_gpu and len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208  a kernel's folder
