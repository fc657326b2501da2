"""CPU seconds of all that a process starts: what does not change with what else the machine does.

Counted by a control group, because the kernel forgets the time of processes that end with their PID name space, as
boxes do. Only version 1 has a counter that follows processes into their boxes' own groups; elsewhere none is kept.
"""

from __future__ import annotations

import contextlib
import math
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path("/sys/fs/cgroup/cpuacct")
_NANO = 1e-9


class CpuCount:
    """What has been counted in one group; without a group, nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def take_in(self, pid: int) -> None:
        """Count the process ``pid`` from now on, and whatever it starts."""
        if self._folder is not None:
            (self._folder / "cgroup.procs").write_text(str(pid))

    def seconds(self) -> float:
        """CPU seconds counted by now; not a number where none are."""
        return math.nan if self._folder is None else int((self._folder / "cpuacct.usage").read_text()) * _NANO


@contextlib.contextmanager
def counted() -> Iterator[CpuCount]:
    """A new count; what it took in has ended when the block does."""
    folder: Path | None = _ROOT / f"reelwright-bench-{secrets.token_hex(4)}"
    try:
        folder.mkdir()
    except OSError:
        folder = None
    try:
        yield CpuCount(folder)
    finally:
        if folder is not None:
            with contextlib.suppress(OSError):
                folder.rmdir()
