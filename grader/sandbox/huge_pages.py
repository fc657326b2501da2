"""Huge pages under a process that is forked often: each fork copies, and each end gives back, hundreds of entries.

Without them it would be tens of thousands. What a fork writes to is still copied in small pages. Kernels before Linux
6.1 cannot be asked for it; there everything stays as it is, and forks take longer.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_MADV_COLLAPSE = 25
_HUGE_BYTES = 2 << 20
_libc = ctypes.CDLL(None, use_errno=True)


def collapse() -> int:
    """Ask for huge pages wherever this process has private memory of no file; how many of them there are now."""
    return sum(_collapsed(start, end) for start, end in _own_memory(Path("/proc/self/maps").read_text()))


def _own_memory(maps: str) -> Iterator[tuple[int, int]]:
    """First and last whole huge page of each writable private mapping in ``maps`` that has no file."""
    for line in maps.splitlines():
        place, flags, _, _, inode, *name = line.split(maxsplit=5)
        if flags == "rw-p" and inode == "0" and (not name or name[0] == "[heap]"):
            first, last = (int(part, 16) for part in place.split("-"))
            yield -(-first // _HUGE_BYTES) * _HUGE_BYTES, last // _HUGE_BYTES * _HUGE_BYTES


def _collapsed(start: int, end: int) -> int:
    done = 0
    for address in range(start, end, _HUGE_BYTES):
        done += _libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(_HUGE_BYTES), _MADV_COLLAPSE) == 0
    return done
