"""A box that is a process tree of this host: started, spoken with, killed whole. Both engines make these."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from grader.sandbox.box import BoxEnded, BoxPlan
from grader.sandbox.cgroup import make_group
from grader.sandbox.channel import Channel
from grader.sandbox.view import CODE, HOME, WORK
from grader.sandbox.watch import MemoryWatch

if TYPE_CHECKING:
    from types import TracebackType

BOOT = f"{CODE}/grader/sandbox/boot.py"
_START_SECONDS = 120.0
_END_SECONDS = 15.0
_COMPLAINT_BYTES = 2000
_MIB = 1 << 20
_FIRST_BOX_UID = 1_879_048_192
_BOX_UIDS = 1 << 24
# A shell enters the control groups before the engine exists, so that no process of the box is ever outside them.
_ENTER = 'while [ "$1" != -- ]; do echo $$ > "$1" || exit 97; shift; done; shift; exec "$@"'


class ProcessBox:
    """One running box."""

    def __init__(
        self, command: list[str], plan: BoxPlan, *, jail: dict[str, Any] | None, pass_fds: tuple[int, ...] = ()
    ) -> None:
        self._group = make_group(plan.limits)
        entry_files = self._group.entry_files if self._group else ()
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  closed by kill
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", _ENTER, "box", *entry_files, "--", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", **_box_variables(plan)},
            cwd="/",
            pass_fds=pass_fds,
            start_new_session=True,
        )
        self._channel = Channel(self._process)
        limit = (plan.limits.memory_mb + plan.limits.disk_mb) * _MIB
        self._watch = None if self._group else MemoryWatch(self._process.pid, limit, self._end_processes)
        paths = {"work": WORK, "home": HOME, "code": CODE}
        self._plan = {**vars(plan.limits), **paths, "role": plan.role, "uid": _fresh_uid(), "jail": jail}

    def make_ready(self) -> None:
        """See :class:`grader.sandbox.box.Box`."""
        deadline = time.monotonic() + _START_SECONDS
        try:
            self._channel.send(json.dumps(self._plan).encode(), deadline)
            answer = self._channel.receive(deadline)
        except BoxEnded as ended:
            raise BoxEnded("start", f"{ended.cause}, exit {self._exit_status()}: {self._complaint()}") from ended
        if answer != b'{"ready": true}':
            raise BoxEnded("start", f"got {answer[:80]!r}, expected to hear that it is ready")

    def _exit_status(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(1.0)
        return None

    def _complaint(self) -> str:
        self._complaints.seek(0, os.SEEK_END)
        self._complaints.seek(max(0, self._complaints.tell() - _COMPLAINT_BYTES))
        return self._complaints.read().decode("utf-8", "replace").strip()

    def send(self, line: bytes, deadline: float) -> None:
        """See :class:`grader.sandbox.box.Box`."""
        try:
            self._channel.send(line, deadline)
        except BoxEnded as ended:
            raise self._explained(ended) from ended

    def receive(self, deadline: float) -> bytes:
        """See :class:`grader.sandbox.box.Box`."""
        try:
            return self._channel.receive(deadline)
        except BoxEnded as ended:
            raise self._explained(ended) from ended

    def _explained(self, ended: BoxEnded) -> BoxEnded:
        by_kernel = self._group is not None and self._group.ran_out_of_memory()
        by_watch = self._watch is not None and self._watch.exceeded
        return BoxEnded("memory") if ended.cause == "died" and (by_kernel or by_watch) else ended

    def kill(self) -> None:
        """End every process of the box and wait until none is left."""
        if self._watch:
            self._watch.stop()
        self._end_processes()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS if _children(self._process.pid) else 1.0)
        self._process.kill()
        self._process.wait()
        if self._group:
            self._group.remove()
        for stream in (self._process.stdin, self._process.stdout, self._complaints):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _end_processes(self) -> None:
        # Process 1 of the box first: the kernel then ends all others before the engine sees its child go.
        for child in _children(self._process.pid):
            _kill_child(child, self._process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def _box_variables(plan: BoxPlan) -> dict[str, str]:
    return dict(plan.environment or {})


def _fresh_uid() -> int:
    return _FIRST_BOX_UID + secrets.randbelow(_BOX_UIDS)


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
