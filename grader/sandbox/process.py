"""The process tree of one box as its host holds it: started by an engine, or forked from a warm parent."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

# A shell enters the control groups before the engine exists, so that no process of the box is ever outside them.
_ENTER = 'while [ "$1" != -- ]; do echo $$ > "$1" || exit 97; shift; done; shift; exec "$@"'
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


@dataclass(frozen=True)
class Start:
    """How an engine starts the first program of a box."""

    command: tuple[str, ...]
    jail: dict[str, Any] | None = None
    """What the first program has to mount itself; nothing when the engine did."""
    seccomp: str | None = None
    """The filter as hexadecimal digits, for the first program to load; nothing when the engine does."""
    environment: Mapping[str, str] = field(default_factory=dict)
    pass_fds: tuple[int, ...] = ()


class Process(Protocol):
    """What a box needs of its process tree."""

    pid: int
    """On the host; every process of the box descends from it, or it is itself the box's process 1."""

    def end(self) -> None:
        """Kill process 1 of the box, and with it, by the kernel, all others."""

    def wait(self, seconds: float) -> int | None:
        """Wait for the end of the whole tree; its exit status where it can be known.

        Raises:
            subprocess.TimeoutExpired: it has not ended.
        """

    def close(self) -> None:
        """Make sure that it is dead, and let go of it."""


class StartedProcess:
    """An engine's process."""

    def __init__(
        self,
        start: Start,
        stdin: int,
        stdout: int,
        stderr: IO[bytes],
        entry_files: tuple[str, ...] = (),
    ) -> None:
        self._popen = subprocess.Popen(
            ["/bin/sh", "-c", _ENTER, "box", *entry_files, "--", *start.command],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env={**_ENVIRONMENT, **start.environment},
            cwd="/",
            pass_fds=start.pass_fds,
            start_new_session=True,
        )
        self.pid = self._popen.pid

    def end(self) -> None:
        """See :class:`Process`; the engine sees its child go last."""
        for child in _children(self.pid):
            _kill_child(child, self.pid)

    def wait(self, seconds: float) -> int | None:
        """See :class:`Process`."""
        # An engine that has not started process 1 yet never will once nobody speaks with it.
        return self._popen.wait(seconds if _children(self.pid) else min(seconds, 1.0))

    def close(self) -> None:
        """See :class:`Process`."""
        self._popen.kill()
        self._popen.wait()


class ForkedProcess:
    """Process 1 of a box that a warm parent forked; not our child, so it is held by a descriptor."""

    def __init__(self, descriptor: int, pid: int) -> None:
        self._descriptor = descriptor
        self._alone = threading.Lock()
        self._is_closed = False
        self.pid = pid

    @classmethod
    def held_by(cls, descriptor: int) -> ForkedProcess:
        """The process that ``descriptor`` holds; takes the descriptor over.

        Raises:
            ProcessLookupError: it has ended already.
        """
        try:
            return cls(descriptor, _pid_of(descriptor))
        except (OSError, ValueError):
            os.close(descriptor)
            raise

    def end(self) -> None:
        """See :class:`Process`; safe from any thread, because a closed descriptor's number may be another's by now."""
        with self._alone, contextlib.suppress(ProcessLookupError):
            if not self._is_closed:
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def wait(self, seconds: float) -> int | None:
        """See :class:`Process`; the status is its parent's to know."""
        poller = select.poll()
        poller.register(self._descriptor, select.POLLIN)
        if not poller.poll(seconds * 1000):
            raise subprocess.TimeoutExpired("box", seconds)
        return None

    def close(self) -> None:
        """See :class:`Process`."""
        self.end()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(1.0)
        with self._alone:
            self._is_closed = True
            os.close(self._descriptor)


def _pid_of(descriptor: int) -> int:
    """The process id, as this process's /proc counts, that ``descriptor`` holds.

    Raises:
        ProcessLookupError: it has ended already.
    """
    for line in Path(f"/proc/self/fdinfo/{descriptor}").read_text().splitlines():
        if line.startswith("Pid:") and (pid := int(line.split()[1])) > 0:
            return pid
    raise ProcessLookupError("the forked process has ended already")


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError, ValueError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _kill_child(child: int, parent: int) -> None:
    with contextlib.suppress(OSError):
        handle = os.pidfd_open(child)
        try:
            # Held by a descriptor, so the number cannot have passed to a stranger between look and kill.
            if child in _children(parent):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)
