"""Where a film cuts: frames that look like nothing that came just before them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST = 0.045
"""Mean change of colour, in 0..1, below which no cut is seen: fades and moves stay under it, cuts at night do not."""
OVER = 3.0
"""A cut changes so many times more than the frames around it do."""
AROUND = 4
FLASH = 3
"""Frames: what looks within so many as it looked before was lit by a flash and not cut."""


def find_cuts(frames: NDArray[np.uint8]) -> list[int]:
    """Numbers of the frames of ``uint8[T, H, W, 3]`` that begin a new shot, counted from 0; frame 0 is not told."""
    if len(frames) < 2:  # noqa: PLR2004 - a cut needs two frames
        return []
    changes = np.array([_change(before, after) for before, after in pairwise(frames)])
    return [
        place
        for place, change in enumerate(changes, start=1)
        if change >= max(LEAST, OVER * _usual(changes, place - 1)) and not _is_flash(frames, place, change)
    ]


def _change(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> float:
    return float(np.abs(after.astype(np.int16) - before).mean()) / 255


def _usual(changes: NDArray[np.float64], place: int) -> float:
    """The median change around ``place``, without it: a shaky shot changes all the time and does not cut."""
    around = np.concatenate([changes[max(0, place - AROUND) : place], changes[place + 1 : place + 1 + AROUND]])
    return float(np.median(around)) if len(around) else 0.0


def _is_flash(frames: NDArray[np.uint8], place: int, change: float) -> bool:
    """Whether a frame shortly before ``place`` and one shortly after it differ by far less than ``change``."""
    return any(
        _change(frames[before], frames[after]) < change / 2
        for before in range(max(0, place - FLASH + 1), place)
        for after in range(place, min(len(frames), before + FLASH + 1))
        if after - before > 1
    )
