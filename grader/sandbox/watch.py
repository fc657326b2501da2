"""Where no control group can be made: look at a box's memory a few times a second and end it when it takes too much.

Resource limits cap each process, not the box; this closes the gap for a grader that does not run as root.
"""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_SECONDS = 0.1
_KIB = 1024


class MemoryWatch:
    """Watches the process tree under ``root`` in a thread of its own; ``end`` is called once when it is too large.

    With ``shares_memory`` the tree was forked from a warm parent: pages they still share count by their share only.
    """

    def __init__(self, root: int, limit_bytes: int, end: Callable[[], None], *, shares_memory: bool = False) -> None:
        self._root, self._limit, self._end = root, limit_bytes, end
        self._bytes_of = _proportional_bytes if shares_memory else _resident_bytes
        self._stop = threading.Event()
        self.exceeded = False
        self._thread = threading.Thread(target=self._look, name="box-memory", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stop.set()

    def _look(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            if sum(self._bytes_of(pid) for pid in descendants(self._root)) > self._limit:
                self.exceeded = True
                self._end()
                return


def descendants(root: int) -> list[int]:
    """All processes below ``root``; an orphan in a box is adopted by the box's process 1, so none is missed."""
    found: list[int] = []
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                children = [int(child) for child in (task / "children").read_text().split()]
                found += children
                waiting += children
    return found


def _resident_bytes(pid: int) -> int:
    """Private and shared memory of one process; files it maps (libraries) are the page cache's, not the box's."""
    return _sum_of(Path(f"/proc/{pid}/status"), ("RssAnon:", "RssShmem:"))


def _proportional_bytes(pid: int) -> int:
    """The same, every page divided by the number of processes that have it."""
    return _sum_of(Path(f"/proc/{pid}/smaps_rollup"), ("Pss_Anon:", "Pss_Shmem:"))


def _sum_of(file: Path, names: tuple[str, ...]) -> int:
    total = 0
    with contextlib.suppress(OSError, IndexError, ValueError):
        for line in file.read_text().splitlines():
            if line.startswith(names):
                total += int(line.split()[1]) * _KIB
    return total
