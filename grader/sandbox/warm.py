"""Boxes forked from warm parents: the second until a lab's libraries are loaded is paid once, not per submission.

One parent for each role and each way a box can look (its folders, its environment, what it preloads); the role has its
own because whoever runs in a box knows where everything lies in the memory of all boxes of the same parent, and the
checker's must not be known to learners, nor to the films they make. Until a parent is ready, and when it is gone, boxes
start cold.
"""

from __future__ import annotations

import contextlib
import json
import logging
import select
import socket
import tempfile
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from grader.sandbox.process import ForkedProcess, Process, Start, StartedProcess
from grader.sandbox.process_box import Ends, ProcessBox
from grader.sandbox.view import CODE, host_view

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from grader.sandbox.box import Box, BoxPlan
    from grader.sandbox.cgroup import ControlGroup

log = logging.getLogger(__name__)

MOST_PARENTS = 5
"""Two for each of two labs, and the opener of all; each holds a few hundred MiB with diffusers loaded."""
_FORK_SECONDS = 20.0
_LINE_BYTES = 4096


class ParentGone(Exception):  # noqa: N818  says what happened
    """The warm parent does not answer any more."""


class ColdSandbox(Protocol):
    """An engine that starts boxes from nothing."""

    name: str

    def start(self, plan: BoxPlan) -> Box:
        """Start a box."""

    def opening(self, plan: BoxPlan, *, is_parent: bool) -> AbstractContextManager[Start]:
        """How to start the first program of a box, or of a warm parent of boxes."""


@dataclass(frozen=True)
class Kind:
    """What all boxes of one parent have in common."""

    role: str
    preload: tuple[str, ...]
    read_only: tuple[tuple[str, str], ...]
    environment: tuple[tuple[str, str], ...]


class WarmParent:
    """One warm parent, as its host holds it."""

    def __init__(self, engine: ColdSandbox, plan: BoxPlan) -> None:
        self._alone = threading.Lock()
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  closed by close
        self._line, theirs = socket.socketpair()
        with theirs, engine.opening(plan, is_parent=True) as start:
            self._process = StartedProcess(start, theirs.fileno(), theirs.fileno(), self._complaints)
        view = host_view(plan.role, plan.read_only)
        self._walls = {"seccomp": start.seccomp, "shown": view.in_own_folders()}
        told = {
            "parent": True,
            "role": plan.role,
            "jail": start.jail,
            "code": CODE,
            "preload": plan.preload,
            "models": [inside for _, inside in plan.read_only],
        }
        self._line.sendall(json.dumps(told).encode() + b"\n")
        self.is_ready = False

    def look(self, seconds: float = 0.0) -> bool:
        """Whether it is ready, by now or within ``seconds``.

        Raises:
            ParentGone: it ended instead.
        """
        with self._alone:
            if not self.is_ready and select.select([self._line], [], [], seconds)[0]:
                said = self._line.recv(_LINE_BYTES)
                if said != b'{"ready": true}\n':
                    self._complaints.seek(0)
                    raise ParentGone(f"got {said!r}: {self._complaints.read()[-1000:].decode('utf-8', 'replace')}")
                self.is_ready = True
            return self.is_ready

    def start(self, plan: BoxPlan) -> Box:
        """Fork a box.

        Raises:
            ParentGone: it cannot.
        """
        return ProcessBox(plan, self._launch, walls=self._walls, is_forked=True)

    def _launch(self, ends: Ends, group: ControlGroup | None) -> Process:
        try:
            process = ForkedProcess.held_by(self._fork([ends.box_reads, ends.box_writes, ends.complaints.fileno()]))
            # It waits for its plan, so nothing of the box is ever outside the group.
            for file in group.entry_files if group else ():
                with open(file, "w") as entry:  # noqa: PTH123  a kernel's file
                    entry.write(str(process.pid))
        except (OSError, ProcessLookupError) as error:
            raise ParentGone(f"{type(error).__name__}: {error}") from error
        return process

    def _fork(self, descriptors: list[int]) -> int:
        with self._alone:
            self._line.settimeout(_FORK_SECONDS)
            socket.send_fds(self._line, [b"f"], descriptors)
            said, given, _, _ = socket.recv_fds(self._line, 1, 1)
        if not given:
            raise ParentGone(f"got {said!r}, expected a process")
        return given[0]

    def close(self) -> None:
        """End it; boxes that it forked end with it."""
        self._line.close()
        self._process.end()
        self._process.close()
        self._complaints.close()


class WarmSandbox:
    """Forks boxes where a parent is warm, and has ``engine`` start the others; ``parents`` starts the parents."""

    def __init__(self, engine: ColdSandbox, parents: ColdSandbox) -> None:
        self.name = engine.name
        self._engine, self._engine_of_parents = engine, parents
        self._lock = threading.Lock()
        self._parents: OrderedDict[Kind, WarmParent] = OrderedDict()
        self._hopeless: set[Kind] = set()

    def start(self, plan: BoxPlan) -> Box:
        """See :class:`grader.sandbox.box.Sandbox`."""
        if plan.gpu:
            # Its devices would have to be in the parent's walls already.
            return self._engine.start(plan)
        kind = _kind(plan)
        parent = self._parent(kind, plan)
        try:
            if parent is not None and parent.look():
                return parent.start(plan)
        except ParentGone as gone:
            self._forget(kind, parent, gone)
        return self._engine.start(plan)

    def warm_up(self, plan: BoxPlan, seconds: float) -> bool:
        """Wait until boxes like ``plan`` are forked; False when they are not within ``seconds``, or never will be."""
        kind, deadline = _kind(plan), time.monotonic() + seconds
        parent = self._parent(kind, plan)
        try:
            return parent is not None and parent.look(max(0.0, deadline - time.monotonic()))
        except ParentGone as gone:
            self._forget(kind, parent, gone)
            return False

    def close(self) -> None:
        """End all parents."""
        with self._lock:
            parents, self._parents = self._parents, OrderedDict()
        for parent in parents.values():
            parent.close()

    def _parent(self, kind: Kind, plan: BoxPlan) -> WarmParent | None:
        with self._lock:
            if kind in self._hopeless:
                return None
            known = self._parents.get(kind)
            if known is None:
                known = self._parents[kind] = WarmParent(self._engine_of_parents, plan)
            self._parents.move_to_end(kind)
            unused = None
            if len(self._parents) > MOST_PARENTS:
                unused = self._parents.popitem(last=False)[1]
        if unused is not None:
            unused.close()
        return known

    def _forget(self, kind: Kind, parent: WarmParent | None, gone: ParentGone) -> None:
        with self._lock:
            if parent is None or self._parents.get(kind) is not parent:
                return
            del self._parents[kind]
            if not parent.is_ready:
                self._hopeless.add(kind)
        log.warning("a warm parent is gone, boxes start cold for now: %s", gone)
        with contextlib.suppress(OSError):
            parent.close()


def _kind(plan: BoxPlan) -> Kind:
    environment = tuple(sorted((plan.environment or {}).items()))
    return Kind(plan.role, plan.preload, plan.read_only, environment)
