"""Boxes built with util-linux's ``unshare`` and our own mounts: the fallback where bubblewrap is not installed."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grader
from grader.sandbox.box import BoxPlan, SandboxUnavailable
from grader.sandbox.gpu import device_nodes, gpu_environment
from grader.sandbox.process import Start
from grader.sandbox.process_box import start_box
from grader.sandbox.seccomp_filter import SeccompMissing, seccomp_program
from grader.sandbox.view import box_environment, host_view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grader.sandbox.box import Box


class UnshareSandbox:
    """Builds each box with one ``unshare`` process; the first program inside does the mounts."""

    name = "unshare"

    def __init__(self) -> None:
        """Find unshare and build the filter.

        Raises:
            SandboxUnavailable: one of them is not installed.
        """
        program = shutil.which("unshare")
        if program is None:
            raise SandboxUnavailable("unshare is not installed: apt install util-linux (or better, bubblewrap)")
        try:
            self._seccomp = seccomp_program()
        except SeccompMissing as error:
            raise SandboxUnavailable(str(error)) from error
        self._program = program

    def start(self, plan: BoxPlan) -> Box:
        """See :class:`grader.sandbox.box.Sandbox`."""
        with self.opening(plan, is_parent=False) as start:
            return start_box(plan, start)

    @contextmanager
    def opening(self, plan: BoxPlan, *, is_parent: bool) -> Iterator[Start]:  # noqa: ARG002  both need the same powers
        """How to start a box, or with ``is_parent`` a warm parent of boxes; good until the ``with`` block is left."""
        view = host_view(plan.role, plan.read_only)
        mounts = {"binds": view.binds, "links": view.links, "hidden": view.hidden}
        jail = {**mounts, "disk_mb": plan.limits.disk_mb, "devices": device_nodes(plan.gpu)}
        spaces = ["--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child"]
        if os.getuid() != 0:
            spaces += ["--user", "--map-user=60000", "--map-group=60000", "--keep-caps"]
        boot = Path(grader.__path__[0]) / "sandbox" / "boot.py"
        environment = {**box_environment(), **gpu_environment(plan.gpu), **(plan.environment or {})}
        command = (self._program, *spaces, "--", sys.executable, "-I", str(boot))
        yield Start(command, jail, self._seccomp.hex(), environment)
