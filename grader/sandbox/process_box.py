"""A box that is a process tree of this host: spoken with over two pipes, killed whole. All engines make these."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import subprocess
import tempfile
import time
from typing import IO, TYPE_CHECKING, Any, Self

from grader.sandbox.box import BoxEnded, BoxPlan
from grader.sandbox.cgroup import make_group
from grader.sandbox.channel import Channel
from grader.sandbox.process import Process, Start, StartedProcess
from grader.sandbox.view import CODE, WORK
from grader.sandbox.watch import MemoryWatch

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from grader.sandbox.cgroup import ControlGroup

BOOT = f"{CODE}/grader/sandbox/boot.py"
_START_SECONDS = 120.0
_END_SECONDS = 15.0
_COMPLAINT_BYTES = 2000
_MIB = 1 << 20
_PIPE_BYTES = 1 << 20
_FIRST_BOX_UID = 1_879_048_192
_BOX_UIDS = 1 << 24


class Ends:
    """Both ends of a box's two pipes, and the file that its first program complains to."""

    def __init__(self) -> None:
        self.box_reads, self.host_writes = os.pipe()
        self.host_reads, self.box_writes = os.pipe()
        for descriptor in (self.host_writes, self.host_reads):
            # An array crosses in a few turns, not in dozens; where so much is not allowed, it takes the dozens.
            with contextlib.suppress(OSError):
                fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self.complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed by close

    def give_away(self) -> None:
        """Close the box's ends here, once the box has them."""
        for descriptor in (self.box_reads, self.box_writes):
            os.close(descriptor)

    def close(self) -> None:
        """Close the host's ends."""
        for descriptor in (self.host_writes, self.host_reads):
            os.close(descriptor)
        self.complaints.close()


class ProcessBox:
    """One running box. ``launch`` makes its processes, inside the control group where there is one.

    ``walls`` is what is left to the first program to shut, as :mod:`grader.sandbox.boot` reads it.
    """

    def __init__(
        self,
        plan: BoxPlan,
        launch: Callable[[Ends, ControlGroup | None], Process],
        *,
        walls: dict[str, Any],
        is_forked: bool = False,
    ) -> None:
        self._is_over = False
        self._ends = Ends()
        self._group = make_group(plan.limits)
        try:
            self._process = launch(self._ends, self._group)
        except BaseException:
            self._ends.close()
            if self._group:
                self._group.remove()
            raise
        finally:
            self._ends.give_away()
        self._channel = Channel(self._ends.host_writes, self._ends.host_reads, plan.limits.cpu_seconds)
        limit = (plan.limits.memory_mb + plan.limits.disk_mb) * _MIB
        self._watch = None
        if not self._group:
            self._watch = MemoryWatch(self._process.pid, limit, self._process.end, shares_memory=is_forked)
        told = {**vars(plan.limits), **walls, "work": WORK, "code": CODE, "role": plan.role, "uid": fresh_uid()}
        told["gpu"] = plan.gpu
        # A box that is gone already says so when it is asked to be ready.
        with contextlib.suppress(BoxEnded):
            self._channel.send(json.dumps(told).encode(), time.monotonic() + _START_SECONDS)

    def make_ready(self) -> None:
        """See :class:`grader.sandbox.box.Box`."""
        try:
            answer = self._channel.receive(time.monotonic() + _START_SECONDS)
        except BoxEnded as ended:
            raise BoxEnded("start", f"{ended.cause}, exit {self._exit_status()}: {self._complaint()}") from ended
        if answer != b'{"ready": true}':
            raise BoxEnded("start", f"got {answer[:80]!r}, expected to hear that it is ready")

    def _exit_status(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(1.0)
        return None

    def _complaint(self) -> str:
        complaints = self._ends.complaints
        complaints.seek(0, os.SEEK_END)
        complaints.seek(max(0, complaints.tell() - _COMPLAINT_BYTES))
        return complaints.read().decode("utf-8", "replace").strip()

    def send(self, line: bytes, deadline: float) -> None:
        """See :class:`grader.sandbox.box.Box`."""
        try:
            self._channel.send(line, deadline)
        except BoxEnded as ended:
            raise self.explained(ended) from ended

    def receive(self, deadline: float) -> bytes:
        """See :class:`grader.sandbox.box.Box`."""
        try:
            return self._channel.receive(deadline)
        except BoxEnded as ended:
            raise self.explained(ended) from ended

    def explained(self, ended: BoxEnded) -> BoxEnded:
        """See :class:`grader.sandbox.box.Box`."""
        by_kernel = self._group is not None and self._group.ran_out_of_memory()
        by_watch = self._watch is not None and self._watch.exceeded
        return BoxEnded("memory") if ended.cause == "died" and (by_kernel or by_watch) else ended

    def end(self) -> None:
        """See :class:`grader.sandbox.box.Box`."""
        if not self._is_over:
            self._process.end()

    def kill(self) -> None:
        """End every process of the box and wait until none is left; a second time nothing happens."""
        if self._is_over:
            return
        self._is_over = True
        if self._watch:
            self._watch.stop()
        self._process.end()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        self._process.close()
        if self._group:
            self._group.remove()
        self._ends.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def start_box(plan: BoxPlan, start: Start) -> ProcessBox:
    """A box whose engine is started for it alone."""

    def launch(ends: Ends, group: ControlGroup | None) -> Process:
        entry_files = group.entry_files if group else ()
        return StartedProcess(start, ends.box_reads, ends.box_writes, ends.complaints, entry_files)

    # Where the engine made the walls, its own process 1 would not say how the box ended.
    walls = {"jail": start.jail, "seccomp": start.seccomp, "parent": False, "reaper": start.jail is None}
    return ProcessBox(plan, launch, walls=walls)


def fresh_uid() -> int:
    """A user id that no person and, as good as surely, no other box has."""
    return _FIRST_BOX_UID + secrets.randbelow(_BOX_UIDS)
