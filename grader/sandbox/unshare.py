"""Boxes built with util-linux's ``unshare`` and our own mounts: the fallback where bubblewrap is not installed."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import grader
from grader.sandbox.box import BoxPlan, SandboxUnavailable
from grader.sandbox.process_box import ProcessBox
from grader.sandbox.seccomp_filter import SeccompMissing, seccomp_program
from grader.sandbox.view import HOME, box_environment, host_view

if TYPE_CHECKING:
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
        view = host_view(plan.role, plan.read_only)
        jail = {
            "binds": view.binds,
            "links": view.links,
            "hidden": view.hidden,
            "home": HOME,
            "disk_mb": plan.limits.disk_mb,
            "seccomp": self._seccomp.hex(),
        }
        spaces = ["--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child"]
        if os.getuid() != 0:
            spaces += ["--user", "--map-user=60000", "--map-group=60000", "--keep-caps"]
        boot = Path(grader.__path__[0]) / "sandbox" / "boot.py"
        environment = {**box_environment(), **(plan.environment or {})}
        command = [self._program, *spaces, "--", sys.executable, "-I", str(boot)]
        return ProcessBox(command, BoxPlan(plan.role, plan.limits, plan.read_only, environment), jail=jail)
