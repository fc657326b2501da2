"""Boxes built by bubblewrap, with a seccomp filter of ours and, as root, a user id of their own."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from grader.sandbox.box import BoxPlan, SandboxUnavailable
from grader.sandbox.gpu import device_nodes, gpu_environment
from grader.sandbox.process import Start
from grader.sandbox.process_box import BOOT, start_box
from grader.sandbox.seccomp_filter import SeccompMissing, seccomp_program
from grader.sandbox.view import HOST_NAME, OWN_FOLDERS, box_environment, host_view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grader.sandbox.box import Box

_MIB = 1 << 20
PARENT_POWERS = ("CAP_SYS_ADMIN", "CAP_SETPCAP", "CAP_NET_ADMIN")
"""What it takes to give a forked box name spaces of its own; the box drops all of it before it runs anything."""


class BubblewrapSandbox:
    """Builds each box with one ``bwrap`` process."""

    name = "bubblewrap"

    def __init__(self) -> None:
        """Find bubblewrap and build the filter.

        Raises:
            SandboxUnavailable: one of them is not installed.
        """
        program = shutil.which("bwrap")
        if program is None:
            raise SandboxUnavailable("bubblewrap is not installed: apt install bubblewrap")
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
    def opening(self, plan: BoxPlan, *, is_parent: bool) -> Iterator[Start]:
        """How to start a box, or with ``is_parent`` a warm parent of boxes; good until the ``with`` block is left."""
        words = [*_namespaces(is_parent=is_parent), *_mounts(plan)]
        with _sent(self._seccomp) as seccomp:
            if not is_parent:
                words += ["--seccomp", str(seccomp.fileno())]
            with _sent(b"".join(word.encode() + b"\0" for word in words)) as arguments:
                # By descriptor, because the command line of process 1 can be read in the box.
                command = (self._program, "--args", str(arguments.fileno()), "--", sys.executable, "-I", BOOT)
                yield Start(
                    command,
                    seccomp=self._seccomp.hex() if is_parent else None,
                    environment=dict(plan.environment or {}),
                    pass_fds=(seccomp.fileno(), arguments.fileno()),
                )


def _sent(content: bytes) -> BinaryIO:
    file = tempfile.TemporaryFile()  # noqa: SIM115  closed by the caller's with
    file.write(content)
    file.flush()
    file.seek(0)
    return file


def _namespaces(*, is_parent: bool) -> list[str]:
    shared = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    shared += ["--new-session", "--hostname", HOST_NAME, "--clearenv"]
    if not is_parent:
        # A warm parent outlives the thread that started it; it ends when nobody holds its line any more.
        shared.append("--die-with-parent")
    if os.getuid() == 0:
        # The first program in the box uses these to take on a user id of its own, and loses them by it.
        powers = ["CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", *(PARENT_POWERS if is_parent else ())]
        return [*shared, *(word for power in powers for word in ("--cap-add", power))]
    # A locked user name space would also lock a parent out of its own PIDs; seccomp locks its children's.
    powers = [word for power in PARENT_POWERS for word in ("--cap-add", power)] if is_parent else ["--disable-userns"]
    return [*shared, "--unshare-user", "--uid", "60000", "--gid", "60000", *powers]


def _mounts(plan: BoxPlan) -> list[str]:
    view = host_view(plan.role, plan.read_only)
    size = str(plan.limits.disk_mb * _MIB)
    words = ["--proc", "/proc", "--dev", "/dev"]
    for folder in OWN_FOLDERS:
        words += ["--perms", "1777", "--size", size, "--tmpfs", folder]
    for folder in view.parents():
        # Left to itself bubblewrap makes parents that only root may pass.
        words += ["--perms", "0755", "--dir", folder]
    for source, target in view.binds:
        words += ["--ro-bind", source, target]
    for target, name in view.links:
        words += ["--symlink", target, name]
    for folder in view.hidden:
        words += ["--tmpfs", folder, "--remount-ro", folder]
    for name, value in {**box_environment(), **gpu_environment(plan.gpu), **(plan.environment or {})}.items():
        words += ["--setenv", name, value]
    for node in device_nodes(plan.gpu):
        words += ["--dev-bind", node, node]
    return [*words, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"]
