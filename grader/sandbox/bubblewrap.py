"""Boxes built by bubblewrap, with a seccomp filter of ours and, as root, a user id of their own."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING, BinaryIO

from grader.sandbox.box import BoxPlan, SandboxUnavailable
from grader.sandbox.process_box import BOOT, ProcessBox
from grader.sandbox.seccomp_filter import SeccompMissing, seccomp_program
from grader.sandbox.view import HOME, box_environment, host_view

if TYPE_CHECKING:
    from grader.sandbox.box import Box

_MIB = 1 << 20


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
        with _sent(self._seccomp) as seccomp:
            words = [*_namespaces(), *_mounts(plan), "--seccomp", str(seccomp.fileno())]
            with _sent(b"".join(word.encode() + b"\0" for word in words)) as arguments:
                # By descriptor, because the command line of process 1 can be read in the box.
                command = [self._program, "--args", str(arguments.fileno()), "--", sys.executable, "-I", BOOT]
                return ProcessBox(command, plan, jail=None, pass_fds=(seccomp.fileno(), arguments.fileno()))


def _sent(content: bytes) -> BinaryIO:
    file = tempfile.TemporaryFile()  # noqa: SIM115  closed by the caller's with
    file.write(content)
    file.flush()
    file.seek(0)
    return file


def _namespaces() -> list[str]:
    shared = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    shared += ["--die-with-parent", "--new-session", "--hostname", "lab", "--clearenv"]
    if os.getuid() == 0:
        # The first program in the box uses these to take on a user id of its own, and loses them by it.
        return [*shared, "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_CHOWN"]
    return [*shared, "--unshare-user", "--disable-userns", "--uid", "60000", "--gid", "60000"]


def _mounts(plan: BoxPlan) -> list[str]:
    view = host_view(plan.role, plan.read_only)
    size = str(plan.limits.disk_mb * _MIB)
    words = ["--proc", "/proc", "--dev", "/dev"]
    for folder in ("/tmp", "/dev/shm", HOME):  # noqa: S108  inside the box
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
    for name, value in {**box_environment(), **(plan.environment or {})}.items():
        words += ["--setenv", name, value]
    return [*words, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"]
