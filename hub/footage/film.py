"""How long a film says it is: reads two numbers of an MP4 file's header, and nothing else of a hostile file. Pure.

ISO/IEC 14496-12: a file is boxes of size and type; ``moov`` holds ``mvhd``, which holds time scale and duration.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MICRO = 1_000_000
LONGEST_US = 3_600 * MICRO
"""A lab's film is not longer than an hour: what says so is not believed."""
_MOST_BOXES = 1_000
_HEADER, _LARGE = 8, 16


def film_us(content: bytes) -> int:
    """Its length in microseconds; 0 for what is no MP4 file, or says that it has none."""
    for kind, body in _boxes(memoryview(content)):
        if kind == b"moov":
            return next((_duration_us(inner) for name, inner in _boxes(body) if name == b"mvhd"), 0)
    return 0


def _duration_us(body: memoryview) -> int:
    try:
        if body[0] == 1:
            scale, duration = struct.unpack_from(">IQ", body, 20)
        else:
            scale, duration = struct.unpack_from(">II", body, 12)
    except (IndexError, struct.error):
        return 0
    length = duration * MICRO // scale if scale else 0
    return length if length <= LONGEST_US else 0


def _boxes(content: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    at = 0
    for _ in range(_MOST_BOXES):
        if at + _HEADER > len(content):
            return
        size, kind = struct.unpack_from(">I4s", content, at)
        header = _HEADER
        if size == 1 and at + _LARGE <= len(content):
            (size,), header = struct.unpack_from(">Q", content, at + _HEADER), _LARGE
        end = len(content) if size == 0 else at + size
        if (size and size < header) or end > len(content):
            return
        yield kind, content[at + header : end]
        at = end
