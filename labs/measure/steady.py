"""How smoothly the camera moves, and whether clips show one and the same subject."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from labs.measure.camera import camera_steps
from labs.measure.film_language import look_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from labs.measure.film_language import Seen

SHAKY = 0.02
"""Shake at which smoothness is a half: a fiftieth of the frame's width from picture to picture."""


def shake(frames: NDArray[np.uint8]) -> float:
    """How unevenly the camera moves in ``uint8[T, H, W, 3]``: RMS change of its step, in frame widths a picture.

    An even pan, however fast, has none; a hand that trembles by a pixel has much.
    """
    if len(frames) < 3:  # noqa: PLR2004 - a change of step needs three pictures
        return 0.0
    uneven = np.diff(camera_steps(frames), axis=0)
    return float(np.sqrt((uneven**2).sum(axis=1).mean()))


def smoothness(frames: NDArray[np.uint8]) -> float:
    """1 for an even camera, a half at a shake of a fiftieth of the frame's width, towards 0 beyond."""
    return 1 / (1 + (shake(frames) / SHAKY) ** 2)


def consistency(clips: Sequence[NDArray[np.uint8]]) -> float:
    """The part of all pairs of clips with the same subject in the same colour, whatever the light; 1 for one clip."""
    return agreement([look_at(clip) for clip in clips])


def agreement(seen: Sequence[Seen]) -> float:
    """As :func:`consistency`, of clips that have been looked at."""
    pairs = [one.subject is not None and _figure(one) == _figure(other) for one, other in combinations(seen, 2)]
    return sum(pairs) / len(pairs) if pairs else 1.0


def _figure(seen: Seen) -> tuple[str | None, str | None]:
    return seen.subject, seen.colour
